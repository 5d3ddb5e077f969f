//! How the detector is trained.

use crate::model::{Model, RATE};

const BATCH: usize = 32;
const WARM_UP: u32 = 100;

pub fn groups(model: &Model) -> Vec<Group> {
    vec![
        Group { name: "stem", rate: RATE },
        Group { name: "middle", rate: RATE },
        Group { name: "head", rate: RATE },
    ]
}

pub fn schedule(step: u32, steps: u32) -> f64 {
    let warm = (f64::from(step) / f64::from(WARM_UP)).min(1.0);
    let left = 1.0 - f64::from(step) / f64::from(steps);
    warm * left.max(0.0)
}

pub fn loss(logits: &Tensor, labels: &Tensor) -> Tensor {
    logits.cross_entropy_for_logits(labels)
}
