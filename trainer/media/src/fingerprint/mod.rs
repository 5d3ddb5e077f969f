//! What a recording looks or sounds like, in a few bytes that survive another encoding. Pure, but for
//! [`record`].
//!
//! Written here and not taken from a library: the values stay on disk for as long as the data does,
//! and an update that resizes or rounds otherwise would make everything new.

pub mod audio;
pub mod clip;
pub mod record;
pub mod search;
