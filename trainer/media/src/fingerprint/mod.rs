//! What a recording looks or sounds like, in a few bytes that survive another encoding. Pure, but for
//! [`record`].
//!
//! Written here and not taken from a library: the values stay on disk for as long as the data does,
//! and an update that resizes or rounds otherwise would make everything new.

pub mod audio;
pub mod clip;
pub mod record;
pub mod search;

use std::fmt;

use dfr_contract::modality::Modality;

use audio::{NoSound, Sound};
use clip::{Clip, NoClip};

/// What one file looks or sounds like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fingerprint {
    /// Of pictures; one picture is a clip of one frame.
    Clip(Clip),
    /// Of a sound.
    Sound(Sound),
}

/// Text that is no fingerprint.
#[derive(Debug, thiserror::Error)]
pub enum NoFingerprint {
    /// Of pictures.
    #[error(transparent)]
    Clip(#[from] NoClip),
    /// Of a sound.
    #[error(transparent)]
    Sound(#[from] NoSound),
}

impl Fingerprint {
    /// Reads what was printed of media of that kind.
    ///
    /// # Errors
    /// It was not.
    pub fn parse(modality: Modality, text: &str) -> Result<Self, NoFingerprint> {
        match modality {
            Modality::Image | Modality::Video => Ok(Self::Clip(text.parse()?)),
            Modality::Audio => Ok(Self::Sound(text.parse()?)),
        }
    }

    /// Whether both show the same or, moved against each other by `shift` words, sound the same.
    pub fn alike(&self, other: &Self, shift: i64) -> bool {
        match (self, other) {
            (Self::Clip(one), Self::Clip(other)) => one.alike(other),
            (Self::Sound(one), Self::Sound(other)) => one.alike(other, shift),
            _ => false,
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clip(clip) => clip.fmt(f),
            Self::Sound(sound) => sound.fmt(f),
        }
    }
}
