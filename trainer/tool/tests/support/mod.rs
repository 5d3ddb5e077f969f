//! What the tests of the program share.

use std::path::PathBuf;

use dfr_media::ffmpeg::{Ffmpeg, SearchPlaces};

/// The real ffmpeg, found as the program finds it.
pub fn ffmpeg() -> Ffmpeg {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache_home = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    let named = std::env::var_os("DFR_FFMPEG").map(PathBuf::from);
    Ffmpeg::find(&SearchPlaces { named, path: std::env::var_os("PATH"), cache_home }).unwrap()
}
