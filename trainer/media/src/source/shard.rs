//! What every container has in common: it gives samples in turns.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::hub::HubError;
use crate::hub::remote::Remote;

/// The largest sample that is kept; what says that it is larger is not unpacked.
pub const SAMPLE_BYTES: u64 = 256 << 20;

/// One sample out of a container.
#[derive(Debug)]
pub struct Found {
    /// Its name in the container: a member, or a row and column.
    pub member: String,
    /// What it was made from, where the container tells: a speaker, a prompt, a source clip.
    pub made_from: Option<String>,
    /// Its bytes, or why they cannot be had.
    pub bytes: Result<Vec<u8>, String>,
}

/// Who takes samples.
pub trait Taker {
    /// Whether the member is still to be had.
    fn wants(&self, member: &str) -> bool;

    /// Samples still missing, at least one.
    fn missing(&self) -> usize;

    /// Takes one; breaks off when it is enough.
    fn take(&mut self, found: Found) -> ControlFlow<()>;
}

/// Why a container gives no more.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// It could not be fetched.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// It is not what its name says, or damaged.
    #[error("{0}")]
    Broken(String),
}

impl ShardError {
    /// What a reader of containers says; if the hub failed below it, that is the reason.
    pub fn of(remote: &Remote, error: &dyn std::fmt::Display) -> Self {
        remote.take_failure().map_or_else(|| Self::Broken(error.to_string()), Self::Hub)
    }
}

/// Whether a container may have more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Its next turn may give more.
    More,
    /// Everything was given.
    Nothing,
}

/// A container of samples.
pub trait Shard {
    /// Gives up to [`super::choice::TURN`] samples, the same ones in the same order each time that
    /// the container is opened; those that are not wanted count, and are passed over unread.
    ///
    /// # Errors
    /// The container cannot be read on.
    fn turn(&mut self, taker: &mut dyn Taker) -> Result<Left, ShardError>;
}

/// A file at the hub, with what its order is drawn from.
#[derive(Clone, Debug)]
pub struct Place {
    /// The file.
    pub remote: Arc<Remote>,
    /// Repository and path.
    pub names: [String; 2],
}

impl Place {
    /// Sorts members.
    pub fn key(&self, member: &str) -> [u8; 32] {
        super::choice::key(&[&self.names[0], &self.names[1], member])
    }
}
