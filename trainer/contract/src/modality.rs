//! The three kinds of media that the competition scores.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A kind of media.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Modality {
    /// Still pictures.
    Image,
    /// Clips, as a number of frames.
    Video,
    /// Mono sound.
    Audio,
}

impl Modality {
    /// All of them, in the order in which people are shown them.
    pub const ALL: [Self; 3] = [Self::Image, Self::Video, Self::Audio];

    /// The lower-case word used in flags, paths and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
        }
    }
}

impl fmt::Display for Modality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no modality.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown modality {0:?}: choose image, video or audio")]
pub struct UnknownModality(String);

impl FromStr for Modality {
    type Err = UnknownModality;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|m| m.as_str() == word)
            .ok_or_else(|| UnknownModality(word.to_owned()))
    }
}
