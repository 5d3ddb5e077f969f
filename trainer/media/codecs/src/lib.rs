//! Decoding of media that nobody vouches for: [`picture`] and [`sound`] give plain numbers or say
//! what is wrong with a file, [`resample`] brings sound to another rate, and [`worker`] runs all of
//! it in processes with a deadline and a memory limit, so that no file takes more down than itself.
//!
//! The numbers are those of the tools that others score with: PIL's `convert("RGB")` for pictures,
//! libsndfile's and mpg123's for sound, soxr's for rates. Nothing is padded: a file that ends early
//! is refused. No picture is turned, whatever its EXIF data say.
//!
//! This package knows nothing of tasks, inputs or data sets. It stands apart since its decoders
//! take minutes to compile.

mod error;
mod picture;
mod sound;
pub mod worker;

pub use error::Undecodable;
pub use picture::{PIXELS_MAX, Picture, picture, saved_again};
pub use sound::resample::resample;
pub use sound::{CHANNELS_MAX, RATE_MAX_HZ, Section, Sound, length_s, sound};
