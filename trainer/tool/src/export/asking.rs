//! A submission is asked about the validation part of a pack, in Python as the competition does.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use dfr_contract::pack::{Part, PartHeader, file};
use dfr_export::config::Config;
use dfr_media::files::{FileError, at};
use dfr_media::pack::read::read_json;

use super::ExportError;
use crate::answers;
use crate::failure::Failure;
use crate::python::{Python, write_loader};

/// The validation part on a CPU, by a module that nobody has compiled.
const LIMIT: Duration = Duration::from_secs(3600);

/// The validation part.
pub struct Records {
    path: PathBuf,
    /// What describes it.
    pub header: PartHeader,
}

impl Records {
    /// Finds it in a pack.
    ///
    /// # Errors
    /// The folder holds none.
    pub fn find(pack: &Path) -> Result<Self, FileError> {
        let folder = pack.join(Part::Validation.as_str());
        let header: PartHeader =
            read_json(&folder.join(file::PART)).ok_or_else(|| unreadable(&folder))?;
        Ok(Self { path: folder.join(header.records_file()), header })
    }

    /// What the submission in `dir` answers about the first `most` records: the probability that each is
    /// synthetic.
    ///
    /// # Errors
    /// It ends with an error, or the disk.
    pub fn ask(
        &self,
        python: &Python,
        (dir, config): (&Path, &Config),
        most: u64,
    ) -> Result<Vec<f64>, Failure> {
        write_loader(dir, config)?;
        let bytes = most.saturating_mul(self.header.record_bytes());
        let mut records = File::open(&self.path).map_err(at("read", &self.path))?.take(bytes);
        let (reader, mut writer) = io::pipe().map_err(at("make a pipe to", Path::new("python")))?;
        let about = (config.modality, self.header.shape.as_slice());
        let phase = python.asking(dir, about, Stdio::from(reader), LIMIT);
        let answers = thread::scope(|scope| {
            // A submission that ends early hears no more; how it ended tells.
            scope.spawn(move || drop(io::copy(&mut records, &mut writer)));
            answers::of(phase, config)
        });
        let answers = answers.map_err(ExportError::from)?;
        Ok(answers.into_iter().map(|answer| answer.p_synthetic).collect())
    }
}

fn unreadable(folder: &Path) -> FileError {
    let source = io::Error::other("not a part of a pack");
    FileError { action: "read", path: folder.join(file::PART), source }
}
