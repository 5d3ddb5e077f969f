//! Many nights of one plan, and what they come to.

use std::sync::Mutex;

use super::night::{Outcome, Plan, night};
use crate::experiment::mean_and_variance;

/// A mean over nights with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Its standard error.
    pub error: f64,
}

/// A plan over many seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// What was done.
    pub plan: Plan,
    /// What came of each seed, in their order.
    pub nights: Vec<Outcome>,
}

/// Lives so many nights, with the seeds from 0 on, on all cores.
pub fn compare(plan: Plan, seeds: u64) -> Comparison {
    let left = Mutex::new(0..seeds);
    let lived = Mutex::new(Vec::new());
    let work = || {
        loop {
            // The lock is for taking a seed alone.
            let seed = left.lock().expect("no night panics").next();
            let Some(seed) = seed else { return };
            let outcome = night(&plan, seed);
            lived.lock().expect("no night panics").push((seed, outcome));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let mut lived = lived.into_inner().expect("no night panics");
    lived.sort_unstable_by_key(|(seed, _)| *seed);
    Comparison { plan, nights: lived.into_iter().map(|(_, outcome)| outcome).collect() }
}

impl Comparison {
    /// True improvement of a night.
    pub fn gained(&self) -> Mean {
        mean(self.nights.iter().map(|night| night.gained))
    }

    /// Share of all keeps that do not help; its error by nights.
    pub fn false_share(&self) -> Mean {
        let sum = |count: fn(&Outcome) -> u32| -> f64 {
            self.nights.iter().map(|night| f64::from(count(night))).sum()
        };
        let keeps = sum(|night| night.keeps).max(1.0);
        let share = sum(|night| night.false_keeps) / keeps;
        // A ratio of sums: its error is that of the residuals.
        let residual =
            |night: &Outcome| f64::from(night.false_keeps) - share * f64::from(night.keeps);
        let squares: f64 = self.nights.iter().map(|night| residual(night).powi(2)).sum();
        Mean { mean: share, error: squares.sqrt() / keeps }
    }

    /// Share of the certified intervals that hold the truth.
    pub fn covered(&self) -> Option<Mean> {
        let covered: Vec<f64> =
            self.nights.iter().filter_map(|night| night.covered.map(f64::from)).collect();
        (!covered.is_empty()).then(|| mean(covered.into_iter()))
    }

    /// Keeps of a night.
    pub fn keeps(&self) -> Mean {
        mean(self.nights.iter().map(|night| f64::from(night.keeps)))
    }

    /// The true improvement as a multiple of another rule's over the same seeds.
    pub fn ratio(&self, other: &Self) -> Mean {
        let (own, others) = (self.gained().mean, other.gained().mean);
        let ratio = own / others;
        let pairs = self.nights.iter().zip(&other.nights);
        let residuals = pairs.map(|(own, other)| own.gained - ratio * other.gained);
        Mean { mean: ratio, error: mean(residuals).error / others }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Mean {
    let values: Vec<f64> = values.collect();
    let (mean, variance) = mean_and_variance(&values);
    Mean { mean, error: (variance / values.len().max(1) as f64).sqrt() }
}
