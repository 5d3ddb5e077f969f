//! What is asked of a candidate before it is believed.

use super::{File, SettingsError, within};
use crate::arguments::RunFlags;
use crate::clock::{self, TimeOfDay};
use crate::experiment::Rule;

/// Times that the first incumbent is measured again where a rule needs to know the noise.
const NOISE_RUNS: u32 = 3;
/// Fewer give no idea of it.
const LEAST_NOISE_RUNS: u32 = 2;
const MOST_NOISE_RUNS: u32 = 100;
/// Runs of baseline and champion each that certify a champion when nobody says.
pub const CERTIFY_RUNS: u32 = 3;
/// Of one alone nobody knows by how much it owes to chance.
const LEAST_CERTIFY_RUNS: u32 = 2;
/// Share of the time on the device for measuring again what scored well.
const AGAIN_SHARE: f64 = 0.15;

/// As this start names it; a session keeps what it began with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// The rule.
    pub rule: Option<Rule>,
    /// Times that the first incumbent is measured again.
    pub noise_runs: Option<u32>,
    /// Share of the time on the device for measuring again what scored well.
    pub again_share: f64,
    /// Runs of baseline and champion each that certify the champion.
    pub certify: Option<u32>,
    /// The time of day at which it is certified.
    pub certify_at: Option<TimeOfDay>,
}

pub(super) fn resolve(flags: &RunFlags, file: &File) -> Result<Evidence, SettingsError> {
    let word = flags.verdict.as_ref().or(file.verdict.as_ref());
    let rule = word.map(|word| parse(word)).transpose()?;
    let noise_runs = flags.noise_runs.or(file.noise_runs);
    let rule_or_usual = rule.unwrap_or_default();
    if let Some(runs) = noise_runs
        && runs < least(rule_or_usual)
    {
        return Err(SettingsError::NoiseRuns { rule: rule_or_usual, least: LEAST_NOISE_RUNS });
    }
    let noise_runs = match noise_runs {
        Some(0) => Some(0),
        runs => within("noise_runs", runs, MOST_NOISE_RUNS)?,
    };
    let again_share = file.again_share.unwrap_or(AGAIN_SHARE);
    if !(0.0..=1.0).contains(&again_share) {
        return Err(SettingsError::Share { name: "again_share", value: again_share.to_string() });
    }
    let at = flags.certify_at.as_ref().or(file.certify_at.as_ref());
    let certify_at = at.map(|text| time(text)).transpose()?;
    let certify = flags.certify.or(file.certify).or(certify_at.map(|_| CERTIFY_RUNS));
    if certify.is_some_and(|runs| runs < LEAST_CERTIFY_RUNS) {
        return Err(SettingsError::CertifyRuns { least: LEAST_CERTIFY_RUNS });
    }
    Ok(Evidence { rule, noise_runs, again_share, certify, certify_at })
}

/// How often a session measures its first incumbent again when nobody says.
pub fn usual_noise_runs(rule: Rule) -> u32 {
    if rule == Rule::Strict { 0 } else { NOISE_RUNS }
}

fn least(rule: Rule) -> u32 {
    if rule == Rule::Strict { 0 } else { LEAST_NOISE_RUNS }
}

fn time(text: &str) -> Result<TimeOfDay, SettingsError> {
    clock::time_of_day(text).ok_or_else(|| SettingsError::Hour(text.to_owned()))
}

fn parse(word: &str) -> Result<Rule, SettingsError> {
    Rule::named(word).ok_or_else(|| SettingsError::Verdict(word.to_owned()))
}
