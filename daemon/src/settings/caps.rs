//! What a session may spend, from flags and file.

use std::time::Duration;

use super::{File, ProposerChoice, SettingsError};
use crate::arguments::RunFlags;
use crate::experiment::Caps;
use crate::price::{self, Price, Prices};

const BYTES_PER_GIB: f64 = (1u64 << 30) as f64;

pub(super) fn resolve(flags: &RunFlags, file: &File) -> Result<Caps, SettingsError> {
    // More than fits is as good as no limit, here as below.
    let hours = |name, flag, file| -> Result<Option<Duration>, SettingsError> {
        let hours = number(name, flag, file)?;
        Ok(hours.and_then(|hours| Duration::try_from_secs_f64(hours * 3600.0).ok()))
    };
    let tokens = match flags.max_tokens.or(file.max_tokens) {
        Some(0) => return Err(SettingsError::Cap { name: "max_tokens", value: "0".to_owned() }),
        tokens => tokens,
    };
    let gib = number("max_disk_gib", flags.max_disk_gib, file.max_disk_gib)?;
    Ok(Caps {
        usd: number("max_usd", flags.max_usd, file.max_usd)?,
        tokens,
        device: hours("max_gpu_hours", flags.max_gpu_hours, file.max_gpu_hours)?,
        lived: hours("max_hours", flags.max_hours, file.max_hours)?,
        disk_bytes: gib.map(bytes),
    })
}

/// What the model costs. Without a cap on dollars nobody needs to know.
pub(super) fn price_of(
    proposer: &ProposerChoice,
    prices: &Prices,
    caps: Caps,
) -> Result<Option<Price>, SettingsError> {
    let ProposerChoice::Llm { model, .. } = proposer else { return Ok(None) };
    match price::price(prices, model) {
        Ok(price) => Ok(Some(price)),
        Err(unknown) if caps.usd.is_some() => Err(unknown.into()),
        Err(_) => Ok(None),
    }
}

/// A number above 0, the flag's before the file's.
pub(super) fn number(
    name: &'static str,
    flag: Option<f64>,
    file: Option<f64>,
) -> Result<Option<f64>, SettingsError> {
    match flag.or(file) {
        Some(value) if !value.is_finite() || value <= 0.0 => {
            Err(SettingsError::Cap { name, value: value.to_string() })
        }
        value => Ok(value),
    }
}

/// More than fits is as good as no limit.
pub(super) fn bytes(gib: f64) -> u64 {
    (gib * BYTES_PER_GIB) as u64
}
