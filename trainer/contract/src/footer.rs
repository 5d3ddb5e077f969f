//! The footer: the closing block of a run's log, as dfresearch prints it.
//!
//! ```text
//! ---
//! model:            r3d-18
//! sn34_score:       0.723456        the four scores are official: the daemon computes them
//! accuracy:         0.856000
//! mcc:              0.712000
//! brier:            0.134500
//! training_seconds: 600.1           everything else is claimed by the trainer
//! total_seconds:    615.3
//! peak_vram_mb:     12340.0
//! num_steps:        1500
//! num_params_M:     33.2
//! num_epochs:       5
//! num_frames:       16              video only
//! batch_size:       4
//! learning_rate:    0.0003
//! augment_level:    1               image and video only
//! ```
//! A trainer prints its [`Claims`] (the block without the four scores); the [`Footer`] is complete.
//! Labels are padded to 18 columns. Further lines may follow the last one and are kept in order: the
//! first 64 of them, as far as they are 8 KiB together. A longer line than 1 KiB is noise.
//! Reading takes the last block in which every required key stands with a readable value, whatever
//! noise is around it, and needs no memory for the noise.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::metrics::Scores;

const SCORES: [&str; 4] = ["sn34_score", "accuracy", "mcc", "brier"];
const RULE: &str = "---";
/// Most bytes of one line's key and value together.
const LINE_BYTES: usize = 1 << 10;
/// Most further lines that are kept.
const EXTRA_LINES: usize = 64;
/// Most bytes of their keys and values together.
const EXTRA_BYTES: usize = 8 << 10;
/// Every key of the footer itself: none of them may come again as an extra line.
const OWN: [&str; 15] = [
    "model",
    "sn34_score",
    "accuracy",
    "mcc",
    "brier",
    "training_seconds",
    "total_seconds",
    "peak_vram_mb",
    "num_steps",
    "num_params_M",
    "num_epochs",
    "num_frames",
    "batch_size",
    "learning_rate",
    "augment_level",
];

/// Names of official scores, beyond those of the footer.
const FURTHER_SCORES: [&str; 3] = ["mcc_norm", "brier_norm", "sn34_competition"];

/// Whether a line of output gives an official score: `sn34_score: 0.9`.
pub fn tells_score(line: &str) -> bool {
    let name = line.split_once(':').map(|(name, _)| name.trim());
    name.is_some_and(|name| SCORES.contains(&name) || FURTHER_SCORES.contains(&name))
}

/// What a trainer says about its own run. Claimed, never official.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// Model name.
    pub model: String,
    /// Seconds between the first step and the end of training.
    pub training_seconds: f64,
    /// Seconds of training and evaluation; start-up excluded.
    pub total_seconds: f64,
    /// Peak allocated device memory in MiB; 0 on a CPU.
    pub peak_vram_mb: f64,
    /// Batches seen.
    pub num_steps: u64,
    /// Parameters in millions, frozen ones included.
    pub num_params_m: f64,
    /// Epochs begun.
    pub num_epochs: u64,
    /// Frames fed per clip (video only).
    pub num_frames: Option<u64>,
    /// Samples per batch.
    pub batch_size: u64,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Strength of augmentation, 0 to 3 (image and video only).
    pub augment_level: Option<u64>,
    /// Lines after the last one, in order, as far as they are kept.
    pub extra: Vec<(String, String)>,
}

/// The complete footer: claims and official scores. Its text is what [`fmt::Display`] prints.
#[derive(Clone, Debug, PartialEq)]
pub struct Footer {
    /// What the trainer said.
    pub claims: Claims,
    /// sn34_score, accuracy, mcc and brier, in this order.
    pub scores: [f64; 4],
}

impl Footer {
    /// Joins claims with official scores. `predict_seconds` is added to the total; both definitions
    /// of the competition's score are told, the second as an extra line.
    pub fn complete(mut claims: Claims, scores: &Scores, predict_seconds: f64) -> Self {
        claims.total_seconds += predict_seconds;
        claims.extra.retain(|(key, _)| key != "sn34_competition");
        let competition = format!("{:.6}", scores.sn34_competition);
        claims.extra.push(("sn34_competition".to_owned(), competition));
        let Scores { sn34_score, accuracy, mcc, brier, .. } = *scores;
        Self { claims, scores: [sn34_score, accuracy, mcc, brier] }
    }

    /// The last complete footer in a log.
    pub fn parse(log: &str) -> Option<Self> {
        last_block(log, |block| {
            let mut scores = [0.0; 4];
            for (score, key) in scores.iter_mut().zip(SCORES) {
                *score = block.take(key)?;
            }
            Some(Self { claims: Claims::from_block(block)?, scores })
        })
    }
}

impl Claims {
    /// The last complete block of claims in a log. Scores that a trainer prints are ignored: a
    /// score that a candidate's own process writes is worth nothing.
    pub fn parse(log: &str) -> Option<Self> {
        last_block(log, Self::from_block)
    }

    fn from_block(block: &Block<'_>) -> Option<Self> {
        Some(Self {
            model: block.take("model")?,
            training_seconds: block.take_finite("training_seconds")?,
            total_seconds: block.take_finite("total_seconds")?,
            peak_vram_mb: block.take_finite("peak_vram_mb")?,
            num_steps: block.take("num_steps")?,
            num_params_m: block.take_finite("num_params_M")?,
            num_epochs: block.take("num_epochs")?,
            num_frames: block.take_optional("num_frames")?,
            batch_size: block.take("batch_size")?,
            learning_rate: block.take_finite("learning_rate")?,
            augment_level: block.take_optional("augment_level")?,
            extra: block.extra(),
        })
    }

    fn lines(&self) -> Vec<(&str, String)> {
        let mut lines = vec![
            ("training_seconds", format!("{:.1}", self.training_seconds)),
            ("total_seconds", format!("{:.1}", self.total_seconds)),
            ("peak_vram_mb", format!("{:.1}", self.peak_vram_mb)),
            ("num_steps", self.num_steps.to_string()),
            ("num_params_M", format!("{:.1}", self.num_params_m)),
            ("num_epochs", self.num_epochs.to_string()),
        ];
        lines.extend(self.num_frames.map(|n| ("num_frames", n.to_string())));
        lines.push(("batch_size", self.batch_size.to_string()));
        lines.push(("learning_rate", python_float(self.learning_rate)));
        lines.extend(self.augment_level.map(|n| ("augment_level", n.to_string())));
        lines.extend(self.extra.iter().map(|(key, value)| (key.as_str(), value.clone())));
        lines
    }
}

impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_block(f, &self.model, &[], &self.lines())
    }
}

impl fmt::Display for Footer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scores: Vec<_> =
            SCORES.into_iter().zip(self.scores.map(|score| format!("{score:.6}"))).collect();
        write_block(f, &self.claims.model, &scores, &self.claims.lines())
    }
}

fn write_block(
    f: &mut fmt::Formatter<'_>,
    model: &str,
    scores: &[(&str, String)],
    rest: &[(&str, String)],
) -> fmt::Result {
    writeln!(f, "{RULE}")?;
    let model = [("model", model.to_owned())];
    for (key, value) in model.iter().chain(scores).chain(rest) {
        writeln!(f, "{:<17} {value}", format!("{key}:"))?;
    }
    Ok(())
}

/// Prints a float as Python's `repr` does: the shortest digits that read back, `1e-05` below 1e-4.
pub fn python_float(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) && value.is_finite() {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) =
            exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    if value.fract() == 0.0 { format!("{value:.1}") } else { value.to_string() }
}

/// What stands below a rule: of the footer's own keys the first line each, and some further lines.
#[derive(Default)]
struct Block<'a> {
    own: Vec<(&'a str, &'a str)>,
    extra: Vec<(&'a str, &'a str)>,
    extra_bytes: usize,
}

impl<'a> Block<'a> {
    fn read(text: &'a str) -> Self {
        let mut block = Self::default();
        for (key, value) in text.lines().map_while(key_value) {
            match OWN.contains(&key) {
                true if block.get(key).is_some() => {}
                true => block.own.push((key, value)),
                false => block.keep(key, value),
            }
        }
        block
    }

    /// What comes after the first line without room goes as well: none is left out in between.
    fn keep(&mut self, key: &'a str, value: &'a str) {
        self.extra_bytes = self.extra_bytes.saturating_add(key.len() + value.len());
        if self.extra.len() < EXTRA_LINES && self.extra_bytes <= EXTRA_BYTES {
            self.extra.push((key, value));
        }
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        self.own.iter().find_map(|(own, value)| (*own == key).then_some(*value))
    }

    fn take<T: FromStr>(&self, key: &str) -> Option<T> {
        self.get(key)?.parse().ok()
    }

    fn take_finite(&self, key: &str) -> Option<f64> {
        self.take(key).filter(|value: &f64| value.is_finite())
    }

    /// `None` when the key stands there but cannot be read; `Some(None)` when it is absent.
    fn take_optional<T: FromStr>(&self, key: &str) -> Option<Option<T>> {
        if self.get(key).is_some() { self.take(key).map(Some) } else { Some(None) }
    }

    fn extra(&self) -> Vec<(String, String)> {
        self.extra.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }
}

/// From the end: below the last rules stands what counts.
fn last_block<T>(log: &str, read: impl Fn(&Block<'_>) -> Option<T>) -> Option<T> {
    let mut end = log.len();
    for line in log.rsplit('\n') {
        if line.trim() == RULE
            && let Some(read) = read(&Block::read(log.get(end + 1..).unwrap_or_default()))
        {
            return Some(read);
        }
        end = end.saturating_sub(line.len() + 1);
    }
    None
}

fn key_value(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    let value = value.trim();
    let is_key = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_told = !key.is_empty() && !value.is_empty() && key.len() + value.len() <= LINE_BYTES;
    (is_told && key.chars().all(is_key)).then_some((key, value))
}

#[cfg(test)]
#[path = "footer_tests.rs"]
mod tests;
