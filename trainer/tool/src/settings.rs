//! The only reader of the environment.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use dfr_contract::input::Source;
use dfr_media::ffmpeg::SearchPlaces;
use dfr_media::hub::client::{Access, Token};

/// Where Hugging Face is.
const HUB: &str = "https://huggingface.co";
/// Where gasbench keeps its configurations.
const CONFIGS: &str =
    "https://raw.githubusercontent.com/BitMind-AI/gasbench/main/src/gasbench/dataset/configs";

/// Everything that comes from outside the command line.
#[derive(Debug)]
pub struct Settings {
    /// Cache root: DFRESEARCH_CACHE, else `~/.cache/dfresearch`.
    pub cache: PathBuf,
    /// Where to look for ffmpeg.
    pub ffmpeg: SearchPlaces,
    /// PATH.
    pub path: Option<OsString>,
    /// Where the Hugging Face libraries keep models: HF_HUB_CACHE, else `hub` in HF_HOME, else in
    /// `~/.cache/huggingface`.
    pub hub_cache: PathBuf,
    /// HF_ENDPOINT, else Hugging Face; HF_TOKEN.
    pub hub: Access,
    /// Where configurations are fetched from: DFR_GASBENCH_CONFIGS, else gasbench's repository.
    pub configs: String,
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
        let hub_cache = lookup("HF_HUB_CACHE").map(PathBuf::from).unwrap_or_else(|| {
            let home = lookup("HF_HOME").map(PathBuf::from);
            home.unwrap_or_else(|| cache_home.join("huggingface")).join("hub")
        });
        let ffmpeg = SearchPlaces {
            named: lookup("DFR_FFMPEG").map(PathBuf::from),
            path: lookup("PATH"),
            cache_home: Some(cache_home),
        };
        let text = |name: &str| lookup(name).and_then(|value| value.into_string().ok());
        let address = |name: &str, default: &str| {
            text(name).unwrap_or_else(|| default.to_owned()).trim_end_matches('/').to_owned()
        };
        let token = text("HF_TOKEN").map(|token| Token(token.trim().to_owned()));
        Self {
            cache,
            ffmpeg,
            path: lookup("PATH"),
            hub_cache,
            hub: Access { endpoint: address("HF_ENDPOINT", HUB), token },
            configs: address("DFR_GASBENCH_CONFIGS", CONFIGS),
        }
    }

    /// A program on PATH.
    pub fn on_path(&self, program: &str) -> Option<PathBuf> {
        let folders = self.path.iter().flat_map(env::split_paths);
        folders.map(|folder| folder.join(program)).find(|path| path.is_file())
    }

    /// A program of this project: beside this one, in target/release, on PATH.
    pub fn own(&self, program: &str) -> Option<PathBuf> {
        let beside = env::current_exe().ok().map(|dfr| dfr.with_file_name(program));
        let built = Path::new("target/release").join(program);
        let near = beside.into_iter().chain([built]).find(|path| path.is_file());
        near.or_else(|| self.on_path(program))
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

    fn settings(variables: &[(&str, &str)]) -> Settings {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        Settings::from_lookup(|name| find(name).map(|(_, value)| value.into()))
    }

    fn cache(variables: &[(&str, &str)]) -> PathBuf {
        settings(variables).cache
    }

    #[test]
    fn a_mirror_may_stand_for_the_hub_and_the_token_is_not_printed() {
        let mirror = settings(&[("HF_ENDPOINT", "http://m/"), ("HF_TOKEN", "hf_secret")]);
        assert_eq!(mirror.hub.endpoint, "http://m");
        assert!(!format!("{mirror:?}").contains("hf_secret"));
        assert_eq!(settings(&[]).hub.endpoint, HUB);
        assert!(settings(&[]).configs.starts_with("https://"));
    }

    #[test]
    fn models_of_the_hugging_face_libraries_are_where_those_look() {
        let hub_cache = |variables: &[_]| settings(variables).hub_cache;
        let home = ("HOME", "/h");
        assert_eq!(hub_cache(&[home]), Path::new("/h/.cache/huggingface/hub"));
        assert_eq!(hub_cache(&[home, ("HF_HOME", "/f")]), Path::new("/f/hub"));
        assert_eq!(hub_cache(&[home, ("HF_HUB_CACHE", "/c")]), Path::new("/c"));
    }

    #[test]
    fn the_cache_is_where_the_original_keeps_it() {
        assert_eq!(cache(&[("HOME", "/h")]), Path::new("/h/.cache/dfresearch"));
        assert_eq!(cache(&[("HOME", "/h"), ("DFRESEARCH_CACHE", "~/d")]), Path::new("/h/d"));
        assert_eq!(cache(&[("HOME", "/h"), ("DFRESEARCH_CACHE", "/d")]), Path::new("/d"));
    }
}
