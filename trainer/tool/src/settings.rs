//! The only reader of the environment.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use dfr_contract::input::Source;
use dfr_media::ffmpeg::SearchPlaces;

/// Everything that comes from outside the command line.
#[derive(Debug)]
pub struct Settings {
    /// Cache root: DFRESEARCH_CACHE, else `~/.cache/dfresearch`.
    pub cache: PathBuf,
    /// Where to look for ffmpeg.
    pub ffmpeg: SearchPlaces,
    /// PATH.
    pub path: Option<OsString>,
}

impl Settings {
    /// Reads the environment, after `.env` in the working directory, which overrides nothing.
    pub fn from_environment() -> Self {
        // No .env is the normal case.
        let _ = dotenvy::from_path(".env");
        Self::from_lookup(|name| env::var_os(name).filter(|value| !value.is_empty()))
    }

    fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        let home = lookup("HOME").map(PathBuf::from).unwrap_or_default();
        let cache_home =
            lookup("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from);
        let cache = lookup("DFRESEARCH_CACHE")
            .map_or_else(|| home.join(".cache/dfresearch"), |path| with_home(&path, &home));
        let ffmpeg = SearchPlaces {
            named: lookup("DFR_FFMPEG").map(PathBuf::from),
            path: lookup("PATH"),
            cache_home: Some(cache_home),
        };
        Self { cache, ffmpeg, path: lookup("PATH") }
    }

    /// Where data, configuration and packs of a source lie.
    pub fn data_root(&self, source: Source) -> PathBuf {
        match source {
            Source::Downloaded => self.cache.clone(),
            Source::Sample => self.cache.join("sample"),
        }
    }
}

/// `~/x` in a .env file, which no shell has expanded.
fn with_home(path: &OsString, home: &Path) -> PathBuf {
    let path = Path::new(path);
    path.strip_prefix("~").map_or_else(|_| path.to_owned(), |below| home.join(below))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(variables: &[(&str, &str)]) -> PathBuf {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        Settings::from_lookup(|name| find(name).map(|(_, value)| value.into())).cache
    }

    #[test]
    fn the_cache_is_where_the_original_keeps_it() {
        assert_eq!(cache(&[("HOME", "/h")]), Path::new("/h/.cache/dfresearch"));
        assert_eq!(cache(&[("HOME", "/h"), ("DFRESEARCH_CACHE", "~/d")]), Path::new("/h/d"));
        assert_eq!(cache(&[("HOME", "/h"), ("DFRESEARCH_CACHE", "/d")]), Path::new("/d"));
    }
}
