//! Why a full training is not begun, or does not go on.

use std::path::PathBuf;

use dfr_contract::exit;

use super::training::FILE;

/// What keeps a full training from going on.
#[derive(Debug, thiserror::Error)]
pub enum FullError {
    /// Nobody to train a session's keep.
    #[error(
        "no dfr-daemon beside dfr, in target/release or on PATH, which --from-tag needs: build it with \
         `cargo build --release -p dfr-daemon`"
    )]
    NoDaemon,
    /// It would not train that keep.
    #[error(
        "--from-tag {tag}: dfr-daemon would not train it, and says why above; nothing was fetched"
    )]
    Refused {
        /// The session.
        tag: String,
        /// What it ended with.
        code: u8,
    },
    /// It says something else than which keep that is.
    #[error(
        "--from-tag {tag}: what dfr-daemon full --check answers is not understood ({source}): build both programs of \
         one tree"
    )]
    Answer {
        /// The session.
        tag: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The session is about something else.
    #[error("session {tag} trains for its own task {found}, not for {asked}: leave --task out")]
    OtherTask {
        /// The session.
        tag: String,
        /// Its task.
        found: String,
        /// The one on the command line.
        asked: String,
    },
    /// Another training was cut short there.
    #[error(
        "a training that was cut short waits in {}, and this start differs from it in {differs}: to go on, start it as \
         it was started then; for another training name another --out, or give that one up: remove that folder",
        .resume.display()
    )]
    Begun {
        /// Its checkpoints.
        resume: PathBuf,
        /// What differs, here and there.
        differs: String,
    },
    /// Going on leads to the same again.
    #[error(
        "train failed: the loss was not finite. The same start goes on from the checkpoints in {}, on the same data, \
         and so most likely to the same end: remove that folder and begin anew with a lower --lr or another --seed, \
         or name another --out", .0.display()
    )]
    NotFinite(PathBuf),
    /// A training by hand would overwrite hours of work.
    #[error(
        "{} holds {what}: name another --out, or, if it is not needed any more, remove {FILE} there", .dir.display()
    )]
    InTheWay {
        /// The folder.
        dir: PathBuf,
        /// What is in it.
        what: String,
    },
}

impl FullError {
    /// The documented code; a daemon's own code is passed on.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Refused { code, .. } => *code,
            Self::OtherTask { .. } => exit::USAGE,
            Self::NotFinite(_) => exit::NOT_FINITE,
            Self::NoDaemon | Self::Answer { .. } | Self::Begun { .. } | Self::InTheWay { .. } => {
                exit::CONFIGURATION
            }
        }
    }
}
