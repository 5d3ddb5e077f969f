//! Why an exam ends without a verdict, or with another one than was wanted.

use std::path::PathBuf;

use dfr_contract::exit;
use dfr_export::package::PackageError;
use dfr_media::files::FileError;

use crate::answers::AnswersError;
use crate::export::ExportError;
use crate::phase::PhaseError;
use crate::train::TrainError;

/// Why there is no verdict, or not the wanted one.
#[derive(Debug, thiserror::Error)]
pub enum ExamError {
    /// No archive.
    #[error("{}: no such archive: dfr export writes one, of a session's keep dfr-daemon export", .0.display())]
    Missing(PathBuf),
    /// The archive.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// Its module.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// What it answers.
    #[error(transparent)]
    Answers(#[from] AnswersError),
    /// Answers and labels.
    #[error(transparent)]
    Run(#[from] TrainError),
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
    /// No recordings.
    #[error(
        "no recordings to ask about: name a folder with --data that holds datasets/<name>/samples"
    )]
    Nothing,
    /// None that can be decoded.
    #[error(
        "not one of {asked} recordings can be read, the first of them {}: {reason}\n  put them back where they were \
         packed, pack them again (dfr prepare, dfr seal --data DIR), or name a folder with --data",
        .first.display()
    )]
    Unread {
        /// How many there are.
        asked: usize,
        /// One of them.
        first: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing says what a recording is.
    #[error("nothing says what {} is: write \"media_type\": \"real\" or \"synthetic\" into dataset_info.json", .0.display())]
    Unlabelled(PathBuf),
    /// A configuration that only the real benchmark can follow.
    #[error(
        "model_config.yaml asks for {0} frames per second, which only gasbench does: install it, or ask for a whole number"
    )]
    FrameRate(f64),
    /// It went without an error and before the end.
    #[error("model.py answered {answers} of {asked} recordings and ended")]
    Silent {
        /// What it answered.
        answers: usize,
        /// What it was asked.
        asked: usize,
    },
    /// gasbench itself.
    #[error("{source}; to take the exam without it: --offline. Its last words:\n{said}")]
    Gasbench {
        /// How it ended.
        source: PhaseError,
        /// What it said before.
        said: String,
    },
    /// gasbench's results.
    #[error("{} is not what gasbench writes: {source}", .path.display())]
    Results {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
}

impl ExamError {
    /// The documented code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Export(error) => error.exit_code(),
            // Too slow for the competition.
            Self::Answers(AnswersError::Run(PhaseError::TimedOut { .. }))
            | Self::Gasbench { source: PhaseError::TimedOut { .. }, .. }
            | Self::Package(_)
            | Self::Silent { .. } => exit::REFUSED,
            Self::Answers(error) => error.exit_code(),
            Self::Gasbench { source: PhaseError::Interrupted(_), .. } => exit::INTERRUPTED,
            Self::Run(error) => error.exit_code(),
            Self::File(_) | Self::Gasbench { .. } | Self::Results { .. } => exit::OUTSIDE,
            Self::Missing(_)
            | Self::Nothing
            | Self::Unread { .. }
            | Self::Unlabelled(_)
            | Self::FrameRate(_) => exit::CONFIGURATION,
        }
    }
}
