//! The smoke step: one step and one answer on two records, to find what cannot work before a budget
//! is spent on it.

use crate::checkpoint::{self, CheckpointError};
use crate::feed;
use crate::pack::Part;
use crate::predict::{PredictError, answer};
use crate::recipe::{Detector, Progress, Recipe};
use crate::train::{Start, StartError, Training};
use tch::nn::VarStore;

/// What a smoke step found.
#[derive(Debug, thiserror::Error)]
pub enum SmokeError {
    /// It cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The model could not be saved.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The model's answer is unusable.
    #[error(transparent)]
    Predict(#[from] PredictError),
    /// The first loss is NaN or infinite.
    #[error("the loss of the first step is {0}")]
    NotFinite(f64),
}

/// What a smoke step leaves.
pub struct Smoked {
    /// Loss of the step.
    pub loss: f64,
    /// The model.
    pub detector: Box<dyn Detector>,
    /// Its weights.
    pub variables: VarStore,
}

/// Makes the model, trains one step that updates the weights, and predicts.
///
/// # Errors
/// What was found.
///
/// # Panics
/// If the recipe does, or libtorch refuses what it computes.
pub fn smoke(recipe: &dyn Recipe, part: &Part, start: &Start) -> Result<Smoked, SmokeError> {
    let device = start.device;
    let mut training = Training::new(recipe, part, start)?;
    checkpoint::refuse_duplicates(&training.variables)?;
    let labels = part.labels().map_err(StartError::from)?;
    let mut indices: Vec<usize> =
        [0, 1].iter().filter_map(|class| labels.iter().position(|label| label == class)).collect();
    indices.sort_unstable();
    // The last batch of an accumulated group: the one that updates the weights.
    let progress = Progress { step: recipe.accumulation().max(1) - 1, budget: 0.0 };
    let (input, labels) = feed::batch_of(training.source(start.seed), &indices, device);
    let loss = training.step(input, labels, progress).double_value(&[]);
    if !loss.is_finite() {
        return Err(SmokeError::NotFinite(loss));
    }
    tch::no_grad(|| answer(&*training.detector, part, &indices, device))?;
    Ok(Smoked { loss, detector: training.detector, variables: training.variables })
}
