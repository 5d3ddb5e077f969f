//! What can go wrong in a phase, and the exit code that says so.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use dfr_contract::exit;
use dfr_harness::canary::CanaryError;
use dfr_harness::checkpoint::CheckpointError;
use dfr_harness::feed::FeedError;
use dfr_harness::pack::PackError;
use dfr_harness::predict::PredictError;
use dfr_harness::pretrained::PretrainedError;
use dfr_harness::recipe::KnobError;
use dfr_harness::resume::ResumeError;
use dfr_harness::smoke::SmokeError;
use dfr_harness::trace::TraceError;
use dfr_harness::train::{StartError, TrainError};
use dfr_lab::UnknownPreset;

use crate::exportable::ExportableError;

/// Why a phase failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Preset(#[from] UnknownPreset),
    #[error(transparent)]
    Knob(#[from] KnobError),
    #[error(transparent)]
    Pack(#[from] PackError),
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Predict(#[from] PredictError),
    #[error(transparent)]
    Smoke(#[from] SmokeError),
    #[error(transparent)]
    Trace(#[from] TraceError),
    #[error(transparent)]
    Canary(#[from] CanaryError),
    #[error(
        "preset {0} starts from a public checkpoint: say where it lies (--weights DIR), or start without it \
         (--from-scratch)"
    )]
    NoWeights(&'static str),
    #[error(transparent)]
    Pretrained(#[from] PretrainedError),
    #[error("there is no {0}: train first, or correct --model")]
    Untrained(PathBuf),
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Unexportable(#[from] ExportableError),
    #[error("cannot write to the terminal: {0}")]
    Output(io::Error),
}

/// Runs `phase`, tells what went wrong on stderr, and returns the exit code.
pub fn report(phase: impl FnOnce() -> Result<(), Failure>) -> u8 {
    // A panic has already been told by the hook, with its place.
    let Ok(result) = catch_unwind(AssertUnwindSafe(phase)) else {
        eprintln!("error: the recipe failed (above)");
        return exit::RECIPE;
    };
    match result {
        Ok(()) => exit::OK,
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.exit_code()
        }
    }
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Preset(_) | Self::Knob(_) | Self::NoWeights(_) => exit::USAGE,
            Self::Pack(_) | Self::Untrained(_) => exit::CONFIGURATION,
            Self::Train(error) => match error {
                TrainError::Start(error) => of_start(error),
                TrainError::Feed(FeedError::Order(_) | FeedError::Transform { .. }) => exit::RECIPE,
                TrainError::Feed(FeedError::Thread(_)) => exit::OUTSIDE,
                TrainError::Feed(FeedError::Gone) => exit::BUG,
                TrainError::NotFinite { .. } => exit::NOT_FINITE,
                TrainError::Memory { .. } => exit::RECIPE,
                TrainError::Output(_) | TrainError::Shim(_) => exit::OUTSIDE,
                TrainError::Resume(error) => of_resume(error),
            },
            Self::Pretrained(error) => of_pretrained(error),
            Self::Checkpoint(error) => of_checkpoint(error),
            Self::Predict(error) => of_predict(error),
            Self::Smoke(error) => match error {
                SmokeError::Start(error) => of_start(error),
                SmokeError::Checkpoint(error) => of_checkpoint(error),
                SmokeError::Predict(error) => of_predict(error),
                SmokeError::NotFinite(_) => exit::NOT_FINITE,
            },
            Self::Trace(error) => match error {
                TraceError::Checkpoint(error) => of_checkpoint(error),
                TraceError::Shape { .. } | TraceError::Lost(_) | TraceError::Graph(_) => {
                    exit::RECIPE
                }
                TraceError::Tensors { .. } | TraceError::Write { .. } => exit::OUTSIDE,
            },
            Self::Unexportable(error) => match error {
                ExportableError::Folder(_) => exit::OUTSIDE,
                _ => exit::RECIPE,
            },
            Self::Canary(_) => exit::CANARY,
            Self::Write { .. } | Self::Output(_) => exit::OUTSIDE,
        }
    }
}

fn of_start(error: &StartError) -> u8 {
    match error {
        StartError::Pack(_) => exit::CONFIGURATION,
        StartError::Pretrained(error) => of_pretrained(error),
        StartError::Shim(_) => exit::OUTSIDE,
    }
}

fn of_resume(error: &ResumeError) -> u8 {
    match error {
        ResumeError::Untold => exit::USAGE,
        ResumeError::Busy(_) | ResumeError::Other { .. } | ResumeError::Unlike { .. } => {
            exit::CONFIGURATION
        }
        ResumeError::File { .. } | ResumeError::Write { .. } => exit::OUTSIDE,
    }
}

fn of_pretrained(error: &PretrainedError) -> u8 {
    match error {
        PretrainedError::Checkpoint(error) => of_checkpoint(error),
        // The file is the model's, and the recipe has changed the model.
        PretrainedError::Mismatch { .. } => exit::RECIPE,
        PretrainedError::Missing { .. } | PretrainedError::Read { .. } => exit::CONFIGURATION,
    }
}

fn of_checkpoint(error: &CheckpointError) -> u8 {
    match error {
        CheckpointError::Duplicate(_) => exit::RECIPE,
        CheckpointError::Read { .. } | CheckpointError::Mismatch { .. } => exit::CONFIGURATION,
        CheckpointError::Write { .. } | CheckpointError::Rename { .. } => exit::OUTSIDE,
    }
}

fn of_predict(error: &PredictError) -> u8 {
    match error {
        PredictError::Checkpoint(error) => of_checkpoint(error),
        PredictError::Shape { .. } => exit::RECIPE,
        PredictError::NotFinite { .. } => exit::NOT_FINITE,
        PredictError::Write { .. } => exit::OUTSIDE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_the_lab_is_a_failed_recipe() {
        assert_eq!(report(|| panic!("shapes do not fit")), exit::RECIPE);
        assert_eq!(report(|| Ok(())), exit::OK);
    }

    #[test]
    fn every_kind_has_its_code() {
        let unlabelled = || PackError::Unlabelled(PathBuf::from("part"));
        let cases = [
            (Failure::Pack(unlabelled()), exit::CONFIGURATION),
            (Failure::Train(StartError::from(unlabelled()).into()), exit::CONFIGURATION),
            (TrainError::NotFinite { step: 1, loss: f64::NAN }.into(), exit::NOT_FINITE),
            (SmokeError::NotFinite(f64::INFINITY).into(), exit::NOT_FINITE),
            (CheckpointError::Duplicate("w".to_owned()).into(), exit::RECIPE),
            (PredictError::Shape { found: vec![1], records: 2 }.into(), exit::RECIPE),
            (Failure::Untrained(PathBuf::from("model")), exit::CONFIGURATION),
            (Failure::Output(io::ErrorKind::BrokenPipe.into()), exit::OUTSIDE),
        ];
        for (failure, code) in cases {
            assert_eq!(failure.exit_code(), code, "{failure}");
        }
    }
}
