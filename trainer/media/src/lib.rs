//! Media on disk: the sample sets, decoding, splits and packs. Used by `dfr`, never by `dfr-train`.
//!
//! Pure: [`split`], [`secret`], [`frames`], [`resize`], [`fingerprint`], [`decode::picture`],
//! [`decode::sound`], [`sample`] but for its writer, [`pack::plan`]. Effects: [`child`], [`ffmpeg`],
//! [`files`], [`vault`], [`decode`], [`catalogue`], [`folders`], [`sample::write`],
//! [`pack::write`](mod@pack::write), [`audit`], [`hub`], [`source`], [`weights`]. Nothing here reads the environment: settings come in as arguments.

pub mod audit;
pub mod catalogue;
pub mod child;
pub mod decode;
pub mod ffmpeg;
pub mod files;
pub mod fingerprint;
pub mod folders;
pub mod frames;
pub mod hub;
pub mod pack;
pub mod resize;
pub mod sample;
pub mod secret;
pub mod source;
pub mod split;
pub mod vault;
pub mod verify;
pub mod weights;

/// Called once per file that is done, from any thread.
pub type Advance<'a> = &'a (dyn Fn() + Sync);
