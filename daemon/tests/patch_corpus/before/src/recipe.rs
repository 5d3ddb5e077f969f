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
    if step < WARM_UP {
        return f64::from(step) / f64::from(WARM_UP);
    }
    let done = f64::from(step - WARM_UP) / f64::from(steps - WARM_UP);
    0.5 * (1.0 + (std::f64::consts::PI * done).cos())
}

pub fn loss(logits: &Tensor, labels: &Tensor) -> Tensor {
    logits.cross_entropy_for_logits(labels)
}
