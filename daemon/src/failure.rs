//! Errors at the edge: a kind that decides the exit code, the chain of causes, and ways out.

use std::fmt;

use dfr_contract::exit;

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The command line.
    Usage,
    /// The surroundings are not set up.
    Configuration,
    /// The world outside failed.
    Outside,
    /// We are wrong.
    Bug,
}

/// What a person is told when the program cannot do what it was asked.
#[derive(Debug)]
pub struct Failure {
    /// Decides the exit code.
    pub kind: Kind,
    /// What failed, with causes.
    pub error: anyhow::Error,
    /// Ways out, one a line.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure without hints.
    pub fn new(kind: Kind, error: impl Into<anyhow::Error>) -> Self {
        Self { kind, error: error.into(), hints: Vec::new() }
    }

    /// Adds a way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Whether a disk without space is behind it.
    pub fn is_full_disk(&self) -> bool {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        self.error.chain().any(|cause| {
            let kind = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
            // libgit2 and SQLite tell it in words only.
            let words = cause.to_string();
            matches!(kind, Some(StorageFull | QuotaExceeded))
                || words.contains("No space left on device")
                || words.contains("database or disk is full")
        })
    }

    /// The documented exit code.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Usage => exit::USAGE,
            Kind::Configuration => exit::CONFIGURATION,
            Kind::Outside => exit::OUTSIDE,
            Kind::Bug => exit::BUG,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {:#}", self.error)?;
        for hint in &self.hints {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

/// Names the kind of an error where it leaves a room.
pub trait OrFailure<T> {
    /// The command line is at fault.
    fn or_usage(self) -> Result<T, Failure>;
    /// The surroundings are at fault.
    fn or_configuration(self) -> Result<T, Failure>;
    /// The world outside is at fault.
    fn or_outside(self) -> Result<T, Failure>;
    /// We are at fault.
    fn or_bug(self) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrFailure<T> for Result<T, E> {
    fn or_usage(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(Kind::Usage, error))
    }
    fn or_configuration(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(Kind::Configuration, error))
    }
    fn or_outside(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(Kind::Outside, error))
    }
    fn or_bug(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(Kind::Bug, error))
    }
}
