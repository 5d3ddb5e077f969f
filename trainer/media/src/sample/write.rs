//! Writes a sample set in the original's cache layout. Complete files only; goes on where it
//! stopped; does nothing when all is there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dfr_contract::modality::Modality;
use rayon::prelude::*;

use crate::Advance;
use crate::catalogue::{self, Entry, ManifestLine};
use crate::ffmpeg::{Ffmpeg, FfmpegError};
use crate::files::{self, FileError};
use crate::sample::{DataSet, SampleSet, Subject, Trace, Twins, clips};

/// Time that one file may take to encode.
const LIMIT: Duration = Duration::from_secs(60);

/// The file that says what a set was made from.
fn stamp_path(root: &Path, modality: Modality) -> PathBuf {
    root.join(match modality {
        Modality::Video => "sample.txt",
        Modality::Image => "sample-image.txt",
        Modality::Audio => "sample-audio.txt",
    })
}

/// Why the sample set could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
    /// The encoder.
    #[error("cannot encode {}: {source}", .file.display())]
    Encode {
        /// The file.
        file: PathBuf,
        /// What ffmpeg said.
        source: FfmpegError,
    },
}

/// Whether anything had to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// The set was complete.
    Already,
    /// Files were made.
    Now,
}

/// Makes the set under `root`, on rayon's current pool. A set made with other settings is replaced.
///
/// # Errors
/// The disk or the encoder; what is complete by then is kept and used by the next call.
pub fn make(
    root: &Path,
    set: SampleSet,
    ffmpeg: &Ffmpeg,
    advance: Advance,
) -> Result<Made, SampleError> {
    let _lock = files::lock(root)?;
    if is_complete(root, set)? {
        return Ok(Made::Already);
    }
    start_over_if_changed(root, set)?;
    for dataset in set.datasets() {
        files::create_dir(&folder(root, dataset, set.modality))?;
    }
    let of = |subject| (0..set.recordings).map(move |index| (subject, index));
    let all: Vec<(Subject, u32)> = Subject::all(set.modality).into_iter().flat_map(of).collect();
    all.into_par_iter().try_for_each(|(subject, index)| {
        write_twins(root, set.modality, (subject, index), ffmpeg)?;
        Trace::ALL.iter().for_each(|_| advance());
        Ok::<(), SampleError>(())
    })?;
    write_descriptions(root, set)?;
    Ok(Made::Now)
}

fn folder(root: &Path, dataset: DataSet, modality: Modality) -> PathBuf {
    catalogue::dataset_dir(root, modality, &dataset.name())
}

fn is_complete(root: &Path, set: SampleSet) -> Result<bool, FileError> {
    let is_marked =
        |dataset| folder(root, dataset, set.modality).join(catalogue::COMPLETE).exists();
    let stamp = files::read_optional(&stamp_path(root, set.modality))?;
    Ok(set.datasets().all(is_marked) && stamp == Some(set.stamp()))
}

/// Files of another recipe must not be mistaken for finished ones of this.
fn start_over_if_changed(root: &Path, set: SampleSet) -> Result<(), FileError> {
    let path = stamp_path(root, set.modality);
    if files::read_optional(&path)?.as_deref() == Some(set.stamp().as_str()) {
        return Ok(());
    }
    for dataset in set.datasets() {
        files::remove_tree(&folder(root, dataset, set.modality))?;
    }
    files::write_whole(&path, set.stamp().as_bytes())
}

fn write_twins(
    root: &Path,
    modality: Modality,
    (subject, index): (Subject, u32),
    ffmpeg: &Ffmpeg,
) -> Result<(), SampleError> {
    let file =
        |trace| folder(root, DataSet { subject, trace }, modality).join(file_name(subject, index));
    let paths = Trace::ALL.map(file);
    if paths.iter().all(|path| path.exists()) {
        return Ok(());
    }
    let twins = subject.twins(index);
    paths.iter().zip(&twins.bytes).try_for_each(|(path, bytes)| encode(path, &twins, bytes, ffmpeg))
}

fn file_name(subject: Subject, index: u32) -> String {
    format!("{index:06}.{}", subject.extension(index))
}

/// Encodes one twin to a file that appears complete or not at all.
fn encode(file: &Path, twins: &Twins, bytes: &[u8], ffmpeg: &Ffmpeg) -> Result<(), SampleError> {
    let words =
        [&["-y".to_owned()], &twins.raw[..], &["-i", "-"].map(str::to_owned), &twins.encoder];
    let mut arguments: Vec<std::ffi::OsString> =
        words.into_iter().flatten().map(Into::into).collect();
    let mut url = std::ffi::OsString::from("file:");
    url.push(files::partial(file));
    arguments.push(url);
    ffmpeg
        .run(arguments, bytes, LIMIT)
        .map_err(|source| SampleError::Encode { file: file.to_owned(), source })?;
    Ok(files::publish(file)?)
}

/// Manifests and configuration, then the marks of completeness: whoever sees a mark sees the rest.
fn write_descriptions(root: &Path, set: SampleSet) -> Result<(), FileError> {
    let entries: Vec<Entry> = set.datasets().map(|dataset| entry(dataset, set)).collect();
    catalogue::write_entries(root, set.modality, &entries)?;
    let all: Vec<DataSet> = set.datasets().collect();
    all.into_par_iter().try_for_each(|dataset| {
        let folder = folder(root, dataset, set.modality);
        let lines: Result<Vec<ManifestLine>, FileError> =
            (0..set.recordings).map(|index| manifest_line(&folder, dataset, index)).collect();
        catalogue::write_manifest(&folder, &lines?)?;
        files::write_whole(&folder.join(catalogue::COMPLETE), b"")?;
        files::sync_dir(&folder)
    })
}

fn manifest_line(folder: &Path, dataset: DataSet, index: u32) -> Result<ManifestLine, FileError> {
    let file = file_name(dataset.subject, index);
    Ok(ManifestLine {
        recording: dataset.subject.recording(index),
        sha256: files::sha256(&folder.join(&file))?,
        file,
        media_type: dataset.media_type().to_owned(),
    })
}

fn entry(dataset: DataSet, set: SampleSet) -> Entry {
    Entry {
        name: dataset.name(),
        path: format!("sample/{}", dataset.name()),
        modality: Some(set.modality.to_string()),
        media_type: Some(dataset.media_type().to_owned()),
        source_format: source_format(set.modality),
        media_per_archive: Some(i64::from(set.recordings)),
        archives_per_dataset: Some(1),
        notes: Some(format!(
            "procedural {}, made by dfr prepare --sample",
            dataset.subject.as_str()
        )),
        ..Entry::default()
    }
}

/// None where a data set has several.
fn source_format(modality: Modality) -> Option<String> {
    (modality == Modality::Video).then(|| clips::EXTENSION.to_owned())
}
