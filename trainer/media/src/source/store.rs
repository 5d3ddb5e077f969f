//! Samples on disk: one file each, byte for byte, and a line of the manifest that tells where it came
//! from. A file that has its name is whole and has its line; whatever ends the program between, the
//! next run goes on from there.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use dfr_contract::modality::Modality;
use serde::{Deserialize, Serialize};

use crate::catalogue::{self, COMPLETE, Entry, ManifestLine};
use crate::files::{self, FileError, at};

/// One line of a manifest, with where the sample came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchedLine {
    /// What every manifest says.
    #[serde(flatten)]
    pub line: ManifestLine,
    /// The data set.
    pub dataset: String,
    /// Its repository.
    pub repository: String,
    /// File of the repository.
    pub source_file: String,
    /// Name in that file, where it is a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// Bytes.
    pub bytes: u64,
}

/// What a mark of completeness says; the original's is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// Files that there were.
    samples: usize,
    /// Whether the source has no more.
    exhausted: bool,
}

/// Where a sample came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// File of the repository.
    pub file: String,
    /// Name in that file.
    pub member: Option<String>,
}

/// What is there of a data set.
#[derive(Debug)]
pub enum State {
    /// Nothing is to be fetched; so many files are there.
    Done(usize),
    /// More is to be fetched.
    Open(Box<Store>),
}

/// A folder that samples are put into.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    entry: Entry,
    taken: HashSet<Origin>,
    hashes: HashSet<String>,
    have: usize,
    next: u32,
}

impl Store {
    /// Looks at the folder, and removes what a run that was ended has left half done. What dfresearch
    /// marked as complete is taken as it is: nothing tells where its files came from.
    ///
    /// # Errors
    /// The disk.
    pub fn open(
        root: &Path,
        modality: Modality,
        entry: &Entry,
        wanted: usize,
    ) -> Result<State, FileError> {
        let folder = catalogue::dataset_dir(root, modality, &entry.name);
        let names = catalogue::media_names(&folder, modality)?.unwrap_or_default();
        let have = names.len();
        if let Some(text) = files::read_optional(&folder.join(COMPLETE))? {
            let is_done = match serde_json::from_str::<Mark>(&text) {
                Ok(mark) => have >= wanted || (mark.exhausted && have >= mark.samples),
                Err(_) => true,
            };
            // Whatever a mark says, an empty folder is no data set.
            if is_done && have > 0 {
                return Ok(State::Done(have));
            }
        }
        files::create_dir(&folder)?;
        let names: Vec<String> =
            names.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        Ok(State::Open(Box::new(Self::resume(folder, entry.clone(), &names)?)))
    }

    fn resume(folder: PathBuf, entry: Entry, names: &[String]) -> Result<Self, FileError> {
        remove_partial(&folder)?;
        let known = lines(&folder)?;
        let present: HashSet<&str> = names.iter().map(String::as_str).collect();
        let kept: Vec<&FetchedLine> =
            known.iter().filter(|known| present.contains(known.line.file.as_str())).collect();
        let mut hashes: HashSet<String> = kept.iter().map(|k| k.line.sha256.clone()).collect();
        let listed: HashSet<&str> = kept.iter().map(|k| k.line.file.as_str()).collect();
        for name in names.iter().filter(|name| !listed.contains(name.as_str())) {
            hashes.insert(files::sha256(&folder.join(name))?);
        }
        keep_lines(&folder, &present)?;
        let origin =
            |k: &&FetchedLine| Origin { file: k.source_file.clone(), member: k.member.clone() };
        let number = |name: &String| name.split('.').next()?.parse::<u32>().ok();
        Ok(Self {
            taken: kept.iter().map(origin).collect(),
            hashes,
            have: names.len(),
            next: names.iter().filter_map(number).max().map_or(0, |last| last + 1),
            folder,
            entry,
        })
    }

    /// Files that are there.
    pub fn have(&self) -> usize {
        self.have
    }

    /// Whether a sample is there already.
    pub fn has(&self, origin: &Origin) -> bool {
        self.taken.contains(origin)
    }

    /// Samples of one file of the repository.
    pub fn of_file(&self, file: &str) -> usize {
        self.taken.iter().filter(|origin| origin.file == file).count()
    }

    /// Puts a sample under the next number, with its place and what it was made from; false when its very
    /// bytes are there already.
    ///
    /// # Errors
    /// The disk.
    pub fn put(
        &mut self,
        (origin, made_from): (Origin, Option<&str>),
        bytes: &[u8],
        extension: &str,
    ) -> Result<bool, FileError> {
        let sha256 = files::sha256_of(bytes);
        if self.hashes.contains(&sha256) {
            return Ok(false);
        }
        let name = format!("{:06}.{extension}", self.next);
        let path = self.folder.join(&name);
        let partial = files::partial(&path);
        write_synced(&partial, bytes).map_err(at("write", &partial))?;
        let mut line = self.line(name, sha256.clone(), &origin, bytes.len());
        if let Some(made_from) = made_from {
            line.line.recording = format!("{}#{made_from}", self.entry.path);
        }
        self.append(&line)?;
        // Last: a file that is seen has its line.
        fs::rename(&partial, &path).map_err(at("write", &path))?;
        self.next += 1;
        self.have += 1;
        self.hashes.insert(sha256);
        self.taken.insert(origin);
        Ok(true)
    }

    fn line(&self, file: String, sha256: String, origin: &Origin, bytes: usize) -> FetchedLine {
        let repository = self.entry.path.clone();
        // Pictures of one row were made from one another.
        let member = origin.member.as_deref().map(|member| match member.rsplit_once(' ') {
            Some((row, _)) if member.starts_with("group ") => row,
            _ => member,
        });
        let member_suffix = member.map_or_else(String::new, |member| format!("#{member}"));
        let recording = format!("{repository}/{}{member_suffix}", origin.file);
        let media_type = self.entry.media_type().to_owned();
        FetchedLine {
            line: ManifestLine { file, recording, sha256, media_type },
            dataset: self.entry.name.clone(),
            repository,
            source_file: origin.file.clone(),
            member: origin.member.clone(),
            bytes: bytes as u64,
        }
    }

    fn append(&self, line: &FetchedLine) -> Result<(), FileError> {
        let path = self.folder.join(catalogue::MANIFEST);
        let text = serde_json::to_string(line).expect("a manifest line is plain data") + "\n";
        let append = || {
            let mut file = OpenOptions::new().append(true).create(true).open(&path)?;
            file.write_all(text.as_bytes())?;
            file.sync_data()
        };
        append().map_err(at("write", &path))
    }

    /// Marks the data set as complete.
    ///
    /// # Errors
    /// The disk.
    pub fn finish(&self, exhausted: bool) -> Result<(), FileError> {
        let mark = Mark { samples: self.have, exhausted };
        let text = serde_json::to_string(&mark).expect("a mark is plain data");
        files::write_whole(&self.folder.join(COMPLETE), text.as_bytes())?;
        files::sync_dir(&self.folder)
    }

    /// Takes a mark away that is not true.
    ///
    /// # Errors
    /// The disk.
    pub fn unmark(&self) -> Result<(), FileError> {
        files::remove_file(&self.folder.join(COMPLETE))
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Half-written samples of a run that was ended.
fn remove_partial(folder: &Path) -> Result<(), FileError> {
    for entry in fs::read_dir(folder).map_err(at("list", folder))? {
        let path = entry.map_err(at("list", folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') && name.ends_with(".partial") {
            files::remove_file(&path)?;
        }
    }
    Ok(())
}

/// The lines of samples that were fetched; others, and one cut short by a power cut, are no such.
fn lines(folder: &Path) -> Result<Vec<FetchedLine>, FileError> {
    let text = files::read_optional(&folder.join(catalogue::MANIFEST))?.unwrap_or_default();
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// Drops lines whose file is not there, and one that a power cut has cut short.
fn keep_lines(folder: &Path, present: &HashSet<&str>) -> Result<(), FileError> {
    let path = folder.join(catalogue::MANIFEST);
    let text = files::read_optional(&path)?.unwrap_or_default();
    let is_kept = |line: &&str| {
        let line = serde_json::from_str::<ManifestLine>(line);
        line.is_ok_and(|line| present.contains(line.file.as_str()))
    };
    let kept: String = text.lines().filter(is_kept).flat_map(|line| [line, "\n"]).collect();
    if kept == text { Ok(()) } else { files::write_whole(&path, kept.as_bytes()) }
}
