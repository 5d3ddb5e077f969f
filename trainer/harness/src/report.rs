//! What a run says about itself.

use std::borrow::Borrow;
use std::time::Duration;

use dfr_contract::footer::Claims;
use tch::Tensor;
use tch::nn::VarStore;

use crate::recipe::Facts;

/// What is counted while training.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Batches seen.
    pub steps: u64,
    /// Epochs begun.
    pub epochs: u64,
    /// From the first step to the end.
    pub seconds: Duration,
    /// What of it this process has worked.
    pub pace: Pace,
    /// Peak allocated device memory; 0 on a CPU.
    pub peak_device_bytes: u64,
}

/// How fast it went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// Time in which it was done.
    pub seconds: f64,
    /// Steps.
    pub steps: u64,
    /// Records in them.
    pub records: u64,
    /// Seconds in which there was no batch yet.
    pub waited: f64,
}

impl Pace {
    /// Counts more in.
    pub fn add(&mut self, other: &Self) {
        self.seconds += other.seconds;
        self.steps += other.steps;
        self.records += other.records;
        self.waited += other.waited;
    }

    /// Records in a second.
    pub fn samples_per_second(&self) -> f64 {
        self.share(self.records as f64)
    }

    /// Percent of the time in which there was no batch yet.
    pub fn data_wait_percent(&self) -> f64 {
        self.share(100.0 * self.waited)
    }

    fn share(&self, of: f64) -> f64 {
        if self.seconds > 0.0 { of / self.seconds } else { 0.0 }
    }

    /// Lines of the footer.
    fn lines(&self) -> [(String, String); 3] {
        let step_ms = 1000.0 * self.seconds / self.steps.max(1) as f64;
        [
            ("samples_per_second", self.samples_per_second()),
            ("step_ms", step_ms),
            ("data_wait_percent", self.data_wait_percent()),
        ]
        .map(|(key, value)| (key.to_owned(), format!("{value:.1}")))
    }
}

/// Joins the recipe's facts with what was counted. Evaluation comes later: the total is training alone.
pub fn claims(facts: Facts, totals: &Totals, variables: &VarStore) -> Claims {
    let seconds = totals.seconds.as_secs_f64();
    Claims {
        model: facts.model,
        training_seconds: seconds,
        total_seconds: seconds,
        peak_vram_mb: totals.peak_device_bytes as f64 / f64::from(1 << 20),
        num_steps: totals.steps,
        num_params_m: count(variables.trainable_variables()) as f64 / 1e6,
        num_epochs: totals.epochs,
        num_frames: facts.num_frames,
        batch_size: facts.batch_size as u64,
        learning_rate: facts.learning_rate,
        augment_level: facts.augment_level,
        extra: totals.pace.lines().into(),
    }
}

/// Numbers in all of these tensors.
pub fn count<T: Borrow<Tensor>>(tensors: impl IntoIterator<Item = T>) -> usize {
    tensors.into_iter().map(|tensor| tensor.borrow().numel()).sum()
}

/// Prints a float as Python's `{:.1e}` does: an exponent of two digits or more, with its sign.
pub fn scientific(value: f64) -> String {
    let text = format!("{value:.1e}");
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |e| ('-', e));
    format!("{digits}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_exponents_as_python_does() {
        let cases = [(3e-4, "3.0e-04"), (0.0, "0.0e+00"), (1.26, "1.3e+00"), (1e-10, "1.0e-10")];
        for (value, text) in cases {
            assert_eq!(scientific(value), text);
        }
    }
}
