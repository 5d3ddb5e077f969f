//! Whatever stops `dfr`, and its exit code.

use dfr_contract::exit;
use dfr_media::audit::AuditError;
use dfr_media::catalogue::CatalogueError;
use dfr_media::ffmpeg::FfmpegError;
use dfr_media::files::FileError;
use dfr_media::folders::FoldersError;
use dfr_media::pack::plan::PlanError;
use dfr_media::pack::write::PackError;
use dfr_media::sample::write::SampleError;
use dfr_media::source::configs::ConfigsError;
use dfr_media::vault::VaultError;
use dfr_media::weights::WeightsError;

use crate::exam::ExamError;
use crate::export::ExportError;
use crate::full::FullError;
use crate::gascli::GascliError;
use crate::task::TaskError;
use crate::train::TrainError;
use crate::trained::TrainedError;

/// An error with its way out.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Task(#[from] TaskError),
    #[error(transparent)]
    Ffmpeg(#[from] FfmpegError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Sample(#[from] SampleError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Pack(#[from] PackError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Folders(FoldersError),
    #[error("{source}{}", catalogue_hint(.source))]
    Catalogue {
        #[from]
        source: CatalogueError,
    },
    #[error("{0}\n  or try dfr prepare --sample, which needs no network")]
    Configs(ConfigsError),
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(transparent)]
    Trained(#[from] TrainedError),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error(transparent)]
    Exam(#[from] ExamError),
    #[error(transparent)]
    Gascli(#[from] GascliError),
    #[error(transparent)]
    Full(#[from] FullError),
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error("cannot start {0} workers: {1}")]
    Workers(usize, rayon::ThreadPoolBuildError),
    #[error("cannot be or start a decoder: {0}")]
    Worker(std::io::Error),
}

/// One way out for each mistake, whichever command met it.
impl From<FoldersError> for Failure {
    fn from(error: FoldersError) -> Self {
        match error {
            FoldersError::Catalogue(source) => Self::Catalogue { source },
            FoldersError::File(error) => Self::File(error),
            other => Self::Folders(other),
        }
    }
}

/// The same mistakes, fetched or not.
impl From<ConfigsError> for Failure {
    fn from(error: ConfigsError) -> Self {
        match error {
            ConfigsError::Catalogue(source) => Self::Catalogue { source },
            ConfigsError::File(error) => Self::File(error),
            hub @ ConfigsError::Hub { .. } => Self::Configs(hub),
        }
    }
}

fn catalogue_hint(error: &CatalogueError) -> &'static str {
    match error {
        CatalogueError::NoData { .. } => {
            "\n  put data there (an existing download of dfresearch is used as it is), or try\n  \
             dfr prepare --sample"
        }
        _ => "",
    }
}

impl Failure {
    /// The documented code of this kind of failure.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Train(error) => error.exit_code(),
            Self::Export(error) => error.exit_code(),
            Self::Exam(error) => error.exit_code(),
            Self::Gascli(error) => error.exit_code(),
            Self::Full(error) => error.exit_code(),
            Self::Task(_) | Self::Weights(WeightsError::UnknownModel { .. }) => exit::USAGE,
            Self::Ffmpeg(FfmpegError::Missing | FfmpegError::NotExecutable(_)) => {
                exit::CONFIGURATION
            }
            Self::Catalogue { source: CatalogueError::File(_) } => exit::OUTSIDE,
            Self::Pack(PackError::Tells { .. }) => exit::TELLS,
            Self::Weights(
                WeightsError::Pickle { .. }
                | WeightsError::Malformed { .. }
                | WeightsError::NotInHubCache { .. },
            )
            | Self::Catalogue { .. }
            | Self::Trained(_)
            | Self::Folders(_)
            | Self::Plan(_)
            | Self::Pack(PackError::Empty { .. } | PackError::OneClass { .. }) => {
                exit::CONFIGURATION
            }
            Self::Ffmpeg(_)
            | Self::File(_)
            | Self::Configs(_)
            | Self::Sample(_)
            | Self::Vault(_)
            | Self::Pack(_)
            | Self::Audit(_)
            | Self::Weights(_)
            | Self::Workers(..)
            | Self::Worker(_) => exit::OUTSIDE,
        }
    }
}
