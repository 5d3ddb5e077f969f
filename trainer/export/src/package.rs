//! The archive: three members at its root, and maybe one more that others write.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::config::{Config, ConfigError};

/// File of weights.
pub const WEIGHTS: &str = "model.safetensors";
/// File of the module.
pub const MODULE: &str = "model.py";
/// File of the configuration.
pub const CONFIG: &str = "model_config.yaml";
/// What `transformers` reads of a model of its own; the competition takes it, and dfr writes none.
const OF_TRANSFORMERS: &str = "config.json";
/// The members in their order.
pub const MEMBERS: [&str; 3] = [WEIGHTS, MODULE, CONFIG];
/// Largest member that is unpacked.
const MEMBER_BYTES: u64 = 16 << 30;

/// Why an archive cannot be written or used.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The disk, or not a zip archive.
    #[error("cannot read or write {}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Other members than the three.
    #[error(
        "{} holds {found}: it must hold {}, may hold {OF_TRANSFORMERS}, and nothing else",
        .path.display(), MEMBERS.join(", ")
    )]
    Members {
        /// The archive.
        path: PathBuf,
        /// What is in it.
        found: String,
    },
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// An archive that was written.
#[derive(Debug)]
pub struct Packed {
    /// Its members' names and sizes.
    pub sizes: Vec<(&'static str, u64)>,
    /// Where the one that had its name is now.
    pub previous: Option<PathBuf>,
}

/// Packs the three members of `dir`. An archive that has that name already is kept under another one: what was
/// submitted, or took hours of training, is not to go without a word.
///
/// # Errors
/// The disk.
pub fn pack(dir: &Path, zip: &Path) -> Result<Packed, PackageError> {
    let partial = zip.with_extension("zip.partial");
    let write = || {
        let mut archive = ZipWriter::new(File::create(&partial)?);
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .large_file(true);
        let mut sizes = Vec::new();
        for member in MEMBERS {
            archive.start_file(member, options)?;
            sizes.push((member, io::copy(&mut File::open(dir.join(member))?, &mut archive)?));
        }
        archive.finish()?.sync_all()?;
        let previous = set_aside(zip)?;
        fs::rename(&partial, zip)?;
        Ok(Packed { sizes, previous })
    };
    write().map_err(|source| PackageError::File { path: zip.to_owned(), source })
}

/// Gives a file the first name that is free: `x.1.zip`, `x.2.zip` and so on.
fn set_aside(zip: &Path) -> io::Result<Option<PathBuf>> {
    if !zip.try_exists()? {
        return Ok(None);
    }
    let mut names = (1_u32..).map(|number| zip.with_extension(format!("{number}.zip")));
    let free = names.find(|name| !name.exists()).expect("numbers without end");
    fs::rename(zip, &free)?;
    Ok(Some(free))
}

/// Unpacks an archive of the three members, and of `config.json` where it is there, into `dir` and reads its
/// configuration.
///
/// # Errors
/// Other members, a configuration that is none, or the disk.
pub fn unpack(zip: &Path, dir: &Path) -> Result<Config, PackageError> {
    let file_error = |source| PackageError::File { path: zip.to_owned(), source };
    let mut archive = File::open(zip)
        .and_then(|file| ZipArchive::new(file).map_err(io::Error::from))
        .map_err(file_error)?;
    let names = archive.file_names().map(|name| Ok(name?.into_owned()));
    let mut found: Vec<String> = names.collect::<io::Result<_>>().map_err(file_error)?;
    found.sort_unstable();
    let mut wanted = MEMBERS.to_vec();
    wanted.extend(found.iter().any(|name| name == OF_TRANSFORMERS).then_some(OF_TRANSFORMERS));
    wanted.sort_unstable();
    if found != wanted {
        let found = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
        return Err(PackageError::Members { path: zip.to_owned(), found });
    }
    for member in wanted {
        let mut copy = || {
            let mut read = archive.by_name(member)?.take(MEMBER_BYTES);
            io::copy(&mut read, &mut File::create(dir.join(member))?)
        };
        copy().map_err(file_error)?;
    }
    let text = fs::read_to_string(dir.join(CONFIG)).map_err(file_error)?;
    Ok(Config::parse(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    const YAML: &str = "{name: a, version: '1', modality: image, preprocessing: {}, model: {}}";

    #[test]
    fn three_members_come_back_in_order_and_any_other_set_is_named() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for member in MEMBERS {
            fs::write(from.path().join(member), YAML).unwrap();
        }
        let zip = from.path().join("x.zip");
        let Packed { sizes, previous } = pack(from.path(), &zip).unwrap();
        assert_eq!(previous, None);
        assert_eq!(sizes.iter().map(|(name, _)| *name).collect::<Vec<_>>(), MEMBERS);
        assert_eq!(unpack(&zip, to.path()).unwrap().shape(), [3, 224, 224]);
        assert_eq!(fs::read_to_string(to.path().join(MODULE)).unwrap(), YAML);
        let refused = |names: &[&str]| {
            write_members(&zip, names);
            unpack(&zip, to.path()).unwrap_err().to_string()
        };
        assert!(refused(&["../model.py"]).contains("holds ../model.py"));
        let more = refused(&[WEIGHTS, MODULE, CONFIG, "weights.bin"]);
        assert!(more.contains("weights.bin: it must hold"), "{more}");
    }

    #[test]
    fn a_file_that_transformers_reads_of_a_model_comes_along() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let zip = from.path().join("x.zip");
        write_members(&zip, &[WEIGHTS, OF_TRANSFORMERS, MODULE, CONFIG]);
        unpack(&zip, to.path()).unwrap();
        assert_eq!(fs::read_to_string(to.path().join(OF_TRANSFORMERS)).unwrap(), YAML);
    }

    fn write_members(zip: &Path, names: &[&str]) {
        let mut archive = ZipWriter::new(File::create(zip).unwrap());
        for name in names {
            archive.start_file(*name, SimpleFileOptions::default()).unwrap();
            archive.write_all(YAML.as_bytes()).unwrap();
        }
        archive.finish().unwrap();
    }

    #[test]
    fn an_archive_of_the_same_name_is_kept_under_the_next_free_one() {
        let dir = tempfile::tempdir().unwrap();
        let zip = dir.path().join("r3d-1.5.zip");
        let packed = |text: &str| {
            MEMBERS.iter().for_each(|member| fs::write(dir.path().join(member), text).unwrap());
            let previous = pack(dir.path(), &zip).unwrap().previous?;
            Some((previous.file_name()?.to_str()?.to_owned(), fs::read(previous).unwrap()))
        };
        assert_eq!(packed("first"), None);
        let first = fs::read(&zip).unwrap();
        assert_eq!(packed("second"), Some(("r3d-1.5.1.zip".to_owned(), first)));
        let second = fs::read(&zip).unwrap();
        assert_eq!(packed("third"), Some(("r3d-1.5.2.zip".to_owned(), second)));
    }
}
