//! Writes the sample set in the original's cache layout. Complete files only; goes on where it
//! stopped; does nothing when all is there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dfr_contract::modality::Modality;
use rayon::prelude::*;

use crate::Advance;
use crate::catalogue::{self, Entry, ManifestLine};
use crate::ffmpeg::{Ffmpeg, FfmpegError};
use crate::files::{self, FileError};
use crate::sample::scene::{FRAME_RATE, Frame, Kind, Rgb, SIDE};
use crate::sample::{DataSet, SampleSet, recording, twins};

/// Time that one clip may take to encode.
const LIMIT: Duration = Duration::from_secs(60);

/// Written last, with what the set was made from.
const STAMP: &str = "sample.txt";

/// The same for every clip. A constant bit rate with filler makes all files equally long, high
/// enough that a trace of one grey level survives; one thread and no metadata make the bytes the
/// same on every run of one ffmpeg.
pub const ENCODER: [&str; 28] = [
    "-c:v",
    "libx264",
    "-preset",
    "veryfast",
    "-pix_fmt",
    "yuv420p",
    "-b:v",
    "800k",
    "-minrate",
    "800k",
    "-maxrate",
    "800k",
    "-bufsize",
    "80k",
    "-x264-params",
    "nal-hrd=cbr:filler=1",
    "-threads",
    "1",
    "-map_metadata",
    "-1",
    "-fflags",
    "+bitexact",
    "-flags:v",
    "+bitexact",
    "-movflags",
    "+faststart",
    "-f",
    "mp4",
];

/// Why the sample set could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
    /// The encoder.
    #[error("cannot encode {}: {source}", .file.display())]
    Encode {
        /// The clip.
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
    /// Clips were made.
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
    for dataset in DataSet::all() {
        files::create_dir(&folder(root, dataset))?;
    }
    let all = Kind::ALL.into_iter().flat_map(|kind| (0..set.recordings).map(move |n| (kind, n)));
    let all: Vec<(Kind, u32)> = all.collect();
    all.into_par_iter().try_for_each(|(kind, index)| {
        write_twins(root, kind, index, ffmpeg)?;
        (0..2).for_each(|_| advance());
        Ok::<(), SampleError>(())
    })?;
    write_descriptions(root, set)?;
    Ok(Made::Now)
}

fn folder(root: &Path, dataset: DataSet) -> PathBuf {
    catalogue::dataset_dir(root, Modality::Video, &dataset.name())
}

fn is_complete(root: &Path, set: SampleSet) -> Result<bool, FileError> {
    let complete = DataSet::all().all(|d| folder(root, d).join(catalogue::COMPLETE).exists());
    Ok(complete && files::read_optional(&root.join(STAMP))? == Some(set.stamp()))
}

/// Clips of another recipe must not be mistaken for finished ones of this.
fn start_over_if_changed(root: &Path, set: SampleSet) -> Result<(), FileError> {
    let path = root.join(STAMP);
    if files::read_optional(&path)?.as_deref() == Some(set.stamp().as_str()) {
        return Ok(());
    }
    for dataset in DataSet::all() {
        files::remove_tree(&folder(root, dataset))?;
    }
    files::write_whole(&path, set.stamp().as_bytes())
}

fn write_twins(root: &Path, kind: Kind, index: u32, ffmpeg: &Ffmpeg) -> Result<(), SampleError> {
    let file = |trace| folder(root, DataSet { kind, trace }).join(file_name(index));
    let missing = DataSet::all().any(|d| d.kind == kind && !file(d.trace).exists());
    if missing {
        for (trace, frames) in twins(kind, index) {
            encode(&file(trace), &frames, ffmpeg)?;
        }
    }
    Ok(())
}

fn file_name(index: u32) -> String {
    format!("{index:06}.mp4")
}

/// Encodes frames to a file that appears complete or not at all.
fn encode(file: &Path, frames: &[Frame], ffmpeg: &Ffmpeg) -> Result<(), SampleError> {
    let bytes: Vec<u8> = frames.iter().flatten().flat_map(|pixel| quantise(*pixel)).collect();
    let (size, rate) = (format!("{SIDE}x{SIDE}"), FRAME_RATE.to_string());
    let mut arguments: Vec<std::ffi::OsString> =
        ["-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", &size, "-r", &rate, "-i", "-"]
            .into_iter()
            .chain(ENCODER)
            .map(Into::into)
            .collect();
    let mut url = std::ffi::OsString::from("file:");
    url.push(files::partial(file));
    arguments.push(url);
    ffmpeg
        .run(arguments, &bytes, LIMIT)
        .map_err(|source| SampleError::Encode { file: file.to_owned(), source })?;
    Ok(files::publish(file)?)
}

fn quantise(pixel: Rgb) -> [u8; 3] {
    // A cast of a float saturates: no wrap at black or white.
    pixel.map(|level| level.round() as u8)
}

/// Manifests and configuration, then the marks of completeness: whoever sees a mark sees the rest.
fn write_descriptions(root: &Path, set: SampleSet) -> Result<(), FileError> {
    let entries: Vec<Entry> = DataSet::all().map(|dataset| entry(dataset, set)).collect();
    catalogue::write_entries(root, Modality::Video, &entries)?;
    let all: Vec<DataSet> = DataSet::all().collect();
    all.into_par_iter().try_for_each(|dataset| {
        let folder = folder(root, dataset);
        let lines: Result<Vec<ManifestLine>, FileError> =
            (0..set.recordings).map(|index| manifest_line(&folder, dataset, index)).collect();
        catalogue::write_manifest(&folder, &lines?)?;
        files::write_whole(&folder.join(catalogue::COMPLETE), b"")?;
        files::sync_dir(&folder)
    })
}

fn manifest_line(folder: &Path, dataset: DataSet, index: u32) -> Result<ManifestLine, FileError> {
    Ok(ManifestLine {
        file: file_name(index),
        recording: recording(dataset.kind, index),
        sha256: files::sha256(&folder.join(file_name(index)))?,
        media_type: dataset.media_type().to_owned(),
    })
}

fn entry(dataset: DataSet, set: SampleSet) -> Entry {
    Entry {
        name: dataset.name(),
        path: format!("sample/{}", dataset.name()),
        modality: Some(Modality::Video.to_string()),
        media_type: Some(dataset.media_type().to_owned()),
        source_format: Some("mp4".to_owned()),
        media_per_archive: Some(i64::from(set.recordings)),
        archives_per_dataset: Some(1),
        notes: Some(format!("procedural {}, made by dfr prepare --sample", dataset.kind.as_str())),
        ..Entry::default()
    }
}
