//! What the tests over real files share.

use std::path::PathBuf;

use dfr_media::decode::worker::{self, Failure};
use dfr_media::ffmpeg::{Ffmpeg, SearchPlaces};

/// The ffmpeg of this machine, as `dfr` finds it.
pub fn ffmpeg() -> Ffmpeg {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let places = SearchPlaces {
        named: std::env::var_os("DFR_FFMPEG").map(PathBuf::from),
        path: std::env::var_os("PATH"),
        cache_home: std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home),
    };
    Ffmpeg::find(&places).unwrap()
}

/// Decodes without a worker: the tests of `dfr` have some.
pub fn here(request: &[u8]) -> Result<Vec<u8>, Failure> {
    worker::answer(request).map_err(Failure::Refused)
}
