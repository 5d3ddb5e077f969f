//! The sample sets of pictures and sounds: what tells their classes apart, and what does not.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use dfr_contract::input::{
    FrameSpec, InputSpec, Preprocessing, RecordSpec, SoundSpec, Source, SplitShares,
};
use dfr_contract::modality::Modality;
use dfr_contract::pack::Part;
use dfr_kernels::Spectrum;
use dfr_media::catalogue::{self, MediaFile};
use dfr_media::decode::{Decoded, Decoder, LIMIT};
use dfr_media::sample::SampleSet;
use dfr_media::sample::write::make;
use rayon::prelude::*;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linear::logistic_regression::{LogisticRegression, LogisticRegressionParameters};

use support::{ffmpeg, here};

/// Those of the tasks on the sample sets.
const FRAME: FrameSpec =
    FrameSpec { height: 96, width: 96, preprocessing: Preprocessing::Original };
const SOUND: SoundSpec =
    SoundSpec { sample_rate_hz: 16_000, samples: 16_000, stored_samples: 32_000 };
/// Samples of one spectrum.
const WINDOW: usize = 512;

/// One file, and what could be learnt of it.
struct Example {
    file: MediaFile,
    is_synthetic: bool,
    bytes: f64,
    /// Mean and deviation of the record.
    moments: Vec<f64>,
    /// Logarithm of the power by frequency.
    spectrum: Vec<f64>,
}

fn examples(root: &Path, modality: Modality) -> Vec<Example> {
    let entries = catalogue::read_entries(root, modality, None).unwrap();
    let files = |entry| {
        let files = catalogue::media_files(root, modality, entry).unwrap();
        files.into_iter().map(|file| (file, entry.media_type() == "synthetic"))
    };
    let all: Vec<(MediaFile, bool)> = entries.iter().flat_map(files).collect();
    all.into_par_iter().map(|(file, synthetic)| example(file, synthetic, modality)).collect()
}

fn example(file: MediaFile, is_synthetic: bool, modality: Modality) -> Example {
    let bytes = fs::metadata(&file.path).unwrap().len() as f64;
    let decoded = decode(&file.path, modality);
    let (values, lines) = match modality {
        Modality::Audio => heard(&decoded),
        _ => seen(&decoded),
    };
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
    let spectrum = lines.iter().flat_map(|lines| log_powers(lines)).collect();
    let moments = vec![mean, variance.sqrt()];
    Example { file, is_synthetic, bytes, moments, spectrum }
}

fn decode(file: &Path, modality: Modality) -> Decoded {
    let input = InputSpec {
        record: match modality {
            Modality::Audio => RecordSpec::Audio(SOUND),
            _ => RecordSpec::Image(FRAME),
        },
        source: Source::Sample,
        splits: SplitShares { train: 50, validation: 25, holdout: 25 },
        leave_out: BTreeSet::new(),
        max_per_class: None,
    };
    let decoder = Decoder { ffmpeg: &ffmpeg(), ask: &here, input: &input, limit: LIMIT };
    decoder.decode(file, Part::Validation).unwrap()
}

/// All numbers of a record, and groups of lines whose spectra are averaged.
type Lines = Vec<Vec<Vec<f32>>>;

/// Rows and columns of the luma.
fn seen(decoded: &Decoded) -> (Vec<f64>, Lines) {
    let side = FRAME.width as usize;
    let level = |c: usize, i: usize| f32::from(decoded.bytes[c * side * side + i]);
    let luma = |i: usize| 0.299 * level(0, i) + 0.587 * level(1, i) + 0.114 * level(2, i);
    let rows: Vec<Vec<f32>> =
        (0..side).map(|y| (0..side).map(|x| luma(y * side + x)).collect()).collect();
    let columns = (0..side).map(|x| rows.iter().map(|row| row[x]).collect()).collect();
    (decoded.bytes.iter().map(|level| f64::from(*level)).collect(), vec![rows, columns])
}

/// Windows of the sound that is there.
fn heard(decoded: &Decoded) -> (Vec<f64>, Lines) {
    let sample = |pair: &[u8]| f32::from(i16::from_le_bytes([pair[0], pair[1]]));
    let samples: Vec<f32> = decoded.bytes.chunks(2).map(sample).collect();
    let samples = &samples[..decoded.length as usize];
    let windows = samples.chunks_exact(WINDOW).map(<[f32]>::to_vec).collect();
    (samples.iter().map(|s| f64::from(*s)).collect(), vec![windows])
}

fn log_powers(lines: &[Vec<f32>]) -> Vec<f64> {
    let spectrum = Spectrum::new(lines[0].len());
    let mut sums = vec![1e-9; lines[0].len() / 2 + 1];
    for line in lines {
        sums.iter_mut().zip(spectrum.powers(line)).for_each(|(sum, power)| *sum += power);
    }
    sums.iter().map(|sum| (sum / lines.len() as f64).ln()).collect()
}

/// Share of the second half of the recordings that a linear model of the first half gets right.
fn accuracy(examples: &[Example], of: impl Fn(&Example) -> Vec<f64>) -> f64 {
    let is_early = |example: &&Example| example.file.file.as_str() < "000015";
    let (early, late): (Vec<&Example>, Vec<&Example>) = examples.iter().partition(is_early);
    let features = |examples: &[&Example]| examples.iter().map(|e| of(e)).collect::<Vec<_>>();
    let (learnt, asked) = standardised(&features(&early), &features(&late));
    let labels: Vec<u32> = early.iter().map(|e| u32::from(e.is_synthetic)).collect();
    let settings = LogisticRegressionParameters::default().with_alpha(3.0);
    let model = LogisticRegression::fit(&learnt, &labels, settings).unwrap();
    let said = model.predict(&asked).unwrap();
    let right = late.iter().zip(&said).filter(|(e, said)| u32::from(e.is_synthetic) == **said);
    right.count() as f64 / late.len() as f64
}

/// Both with mean 0 and deviation 1 in every column of the first.
fn standardised(first: &[Vec<f64>], second: &[Vec<f64>]) -> (DenseMatrix<f64>, DenseMatrix<f64>) {
    let count = first.len() as f64;
    let mean = |column: usize| first.iter().map(|row| row[column]).sum::<f64>() / count;
    let scale = |column: usize| {
        let mean = mean(column);
        let variance = first.iter().map(|row| (row[column] - mean).powi(2)).sum::<f64>() / count;
        (mean, variance.sqrt().max(1e-9))
    };
    let scales: Vec<(f64, f64)> = (0..first[0].len()).map(scale).collect();
    let row = |row: &Vec<f64>| -> Vec<f64> {
        row.iter().zip(&scales).map(|(value, (mean, scale))| (value - mean) / scale).collect()
    };
    let matrix =
        |rows: &[Vec<f64>]| DenseMatrix::from_2d_vec(&rows.iter().map(row).collect()).unwrap();
    (matrix(first), matrix(second))
}

/// Twins share format and recording, and a set of linear models finds the trace and nothing else.
#[track_caller]
fn check(modality: Modality, formats: &[&str]) {
    let root = tempfile::tempdir().unwrap();
    let set = SampleSet { modality, recordings: 30 };
    make(root.path(), set, &ffmpeg(), &|| ()).unwrap();
    let examples = examples(root.path(), modality);
    assert_eq!(examples.len(), 360);
    let mut twins: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Example { file, .. } in &examples {
        twins.entry(&file.recording).or_default().push(&file.file);
    }
    assert!(twins.values().all(|names| names.len() == 2 && names[0] == names[1]), "{twins:?}");
    for format in formats {
        let of_format = twins.values().filter(|names| names[0].ends_with(format)).count();
        assert!(of_format * formats.len() > twins.len() / 2, "{of_format} {format}");
    }
    let spectrum = accuracy(&examples, |example| example.spectrum.clone());
    let moments = accuracy(&examples, |example| example.moments.clone());
    let size = accuracy(&examples, |example| vec![example.bytes, example.bytes.ln()]);
    println!("{modality}: spectrum {spectrum:.3}, mean and deviation {moments:.3}, size {size:.3}");
    assert!(spectrum > 0.9, "the trace did not survive: {spectrum}");
    // Four standard errors of a guess at 180 files.
    for (what, accuracy) in [("mean and deviation", moments), ("file size", size)] {
        assert!(accuracy < 0.5 + 4.0 * 0.5 / 180_f64.sqrt(), "{what} tell: {accuracy}");
    }
}

#[test]
fn only_the_spectrum_of_a_picture_tells_the_classes_apart() {
    check(Modality::Image, &["png", "jpg"]);
}

#[test]
fn only_the_spectrum_of_a_sound_tells_the_classes_apart() {
    check(Modality::Audio, &["wav", "flac", "mp3"]);
}
