//! Media on disk: the sample set, decoding, splits and packs. Used by `dfr`, never by `dfr-train`.
//!
//! Pure: [`split`], [`frames`], [`resize`], [`sample::scene`], [`sample::artefact`], [`pack::plan`].
//! Effects: [`child`], [`ffmpeg`], [`files`], [`decode`], [`catalogue`], [`sample::write`],
//! [`pack::write`]. Nothing here reads the environment: settings come in as arguments.

pub mod catalogue;
pub mod child;
pub mod decode;
pub mod ffmpeg;
pub mod files;
pub mod frames;
pub mod pack;
pub mod resize;
pub mod sample;
pub mod split;
pub mod verify;

/// Called once per file that is done, from any thread.
pub type Advance<'a> = &'a (dyn Fn() + Sync);
