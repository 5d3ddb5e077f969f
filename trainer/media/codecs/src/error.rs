//! What may be wrong with a file.

use std::fmt::Display;

use crate::picture::PIXELS_MAX;
use crate::sound::{CHANNELS_MAX, RATE_MAX_HZ};

/// Why a file gives no picture and no sound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    #[error("the file is empty")]
    Empty,
    #[error("its first bytes are of no format that is decoded: {0}")]
    Unknown(&'static str),
    #[error("not supported: {0}")]
    Unsupported(String),
    #[error("{width} x {height} pixels; 1 to {PIXELS_MAX} are decoded")]
    Size { width: u64, height: u64 },
    #[error("a rate of {0} Hz; 1 to {RATE_MAX_HZ} are decoded")]
    Rate(u32),
    #[error("{0} channels; 1 to {CHANNELS_MAX} are decoded")]
    Channels(usize),
    #[error("samples that are no numbers, the first at {0} s")]
    NotFinite(String),
    #[error("no sound from {0} s on")]
    Silent(String),
    #[error("cut off: {0}")]
    Truncated(String),
    #[error("corrupt: {0}")]
    Corrupt(String),
}

impl Undecodable {
    pub(crate) fn corrupt(reason: impl Display) -> Self {
        Self::Corrupt(reason.to_string())
    }
}
