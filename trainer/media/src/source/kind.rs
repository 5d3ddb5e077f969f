//! Which files of a repository hold the media of a data set. Pure.

use dfr_contract::modality::Modality;

use crate::catalogue::Entry;
use crate::hub::listing::RemoteFile;

/// What a file of a repository is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One sample.
    Raw,
    /// A table with media in it.
    Parquet,
    /// An archive with an index.
    Zip,
    /// An archive without one.
    Tar,
    /// The same, compressed as a whole.
    TarGz,
}

/// What to take of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Whether its files are samples themselves.
    pub is_raw: bool,
    /// Them, in the hub's order.
    pub files: Vec<RemoteFile>,
}

/// Extensions of a modality's media at their source.
///
/// # Source
/// gasbench's lists.
pub fn media_extensions(modality: Modality) -> &'static [&'static str] {
    match modality {
        Modality::Image => &["jpg", "jpeg", "png", "bmp", "gif", "tiff", "webp"],
        Modality::Video => &["mp4", "avi", "mov", "mkv", "wmv", "webm", "m4v", "mpeg", "mpg"],
        Modality::Audio => &["wav", "mp3", "flac", "ogg", "m4a", "aac"],
    }
}

/// Lower-case extension, without its dot.
pub fn extension(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map(|(_, extension)| extension.to_lowercase()).unwrap_or_default()
}

/// Whether a path is that of a sample of this modality.
pub fn is_media(path: &str, modality: Modality) -> bool {
    let is_hidden = path.split('/').any(|part| part.starts_with('.') || part == "__MACOSX");
    !is_hidden && media_extensions(modality).contains(&extension(path).as_str())
}

/// What kind of file a path names.
pub fn kind(path: &str) -> Kind {
    let path = path.to_lowercase();
    match () {
        () if path.ends_with(".parquet") => Kind::Parquet,
        () if path.ends_with(".zip") => Kind::Zip,
        () if path.ends_with(".tar") => Kind::Tar,
        () if path.ends_with(".tar.gz") || path.ends_with(".tgz") => Kind::TarGz,
        () => Kind::Raw,
    }
}

/// The files that hold the data set: those of its format, else tables, else archives, else media.
pub fn choose(entry: &Entry, modality: Modality, files: &[RemoteFile]) -> Choice {
    let files: Vec<&RemoteFile> = files.iter().filter(|file| is_named(entry, &file.path)).collect();
    let format = entry.source_format.as_deref().unwrap_or_default();
    let format = format.trim_start_matches('.').to_lowercase();
    let of_format = |path: &str| has_format(path, &format, modality);
    let tests: [&dyn Fn(&str) -> bool; 5] = [
        &of_format,
        &|path| kind(path) == Kind::Parquet,
        &|path| kind(path) == Kind::Zip,
        &|path| matches!(kind(path), Kind::Tar | Kind::TarGz),
        &|path| is_media(path, modality),
    ];
    let of = |test: &dyn Fn(&str) -> bool| -> Vec<RemoteFile> {
        files.iter().filter(|file| test(&file.path)).map(|file| (*file).clone()).collect()
    };
    let files = tests.iter().map(|test| of(*test)).find(|f| !f.is_empty()).unwrap_or_default();
    Choice { is_raw: files.first().is_some_and(|f| kind(&f.path) == Kind::Raw), files }
}

fn is_named(entry: &Entry, path: &str) -> bool {
    let holds = |list: &Option<Vec<String>>| {
        list.as_ref().filter(|l| !l.is_empty()).map(|l| l.iter().any(|part| path.contains(part)))
    };
    // Its tables only describe what lies in the archives beside them.
    let is_described = entry.path.starts_with("gasstation/") && kind(path) == Kind::Parquet;
    holds(&entry.include_paths).unwrap_or(true)
        && !holds(&entry.exclude_paths).unwrap_or(false)
        && !is_described
}

fn has_format(path: &str, format: &str, modality: Modality) -> bool {
    match format {
        "parquet" => kind(path) == Kind::Parquet,
        "zip" => kind(path) == Kind::Zip,
        "tar" | "tar.gz" | "tgz" => matches!(kind(path), Kind::Tar | Kind::TarGz),
        "jpg" | "jpeg" => ["jpg", "jpeg"].contains(&extension(path).as_str()),
        format => extension(path) == format && is_media(path, modality),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(entry: &Entry, paths: &[&str]) -> Vec<String> {
        let file = |path: &&str| RemoteFile { path: (*path).to_owned(), size: 1, sha256: None };
        let files: Vec<RemoteFile> = paths.iter().map(file).collect();
        choose(entry, Modality::Image, &files).files.into_iter().map(|file| file.path).collect()
    }

    #[test]
    fn the_format_decides_and_else_tables_then_archives_then_media() {
        let all =
            ["README.md", "a.png", "b/c.JPG", "d.jpeg", "x.zip", "y.tar", "z.tgz", "t.parquet"];
        let of = |format: &str| {
            chosen(&Entry { source_format: Some(format.into()), ..Entry::default() }, &all)
        };
        assert_eq!(of("png"), ["a.png"]);
        assert_eq!(of(".jpg"), ["b/c.JPG", "d.jpeg"]);
        assert_eq!(of("tar"), ["y.tar", "z.tgz"]);
        assert_eq!(of("webp"), ["t.parquet"], "what is not there falls back");
        assert_eq!(of(""), ["t.parquet"]);
        assert_eq!(chosen(&Entry::default(), &all[..6]), ["x.zip", "y.tar"][..1]);
        assert_eq!(chosen(&Entry::default(), &all[..4]), ["a.png", "b/c.JPG", "d.jpeg"]);
        assert!(
            chosen(&Entry::default(), &["README.md", ".hidden.png", "__MACOSX/a.png"]).is_empty()
        );
    }

    #[test]
    fn paths_are_included_and_excluded_by_what_they_contain() {
        let list = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
        let entry = Entry {
            include_paths: list(&["data/fake/", "more"]),
            exclude_paths: list(&["SRB"]),
            ..Entry::default()
        };
        let paths = ["data/fake/a.zip", "data/real/b.zip", "data/fake/SRB.zip", "more.zip"];
        assert_eq!(chosen(&entry, &paths), ["data/fake/a.zip", "more.zip"]);
    }

    #[test]
    fn the_tables_of_the_gas_station_are_passed_over_for_its_archives() {
        let entry = Entry {
            path: "gasstation/gs-images-v4".into(),
            source_format: Some("parquet".into()),
            ..Entry::default()
        };
        assert_eq!(
            chosen(&entry, &["data/w1.parquet", "archives/w1/a.tar"]),
            ["archives/w1/a.tar"]
        );
    }
}
