//! The sample set as real files: they decode, and only the trace tells the classes apart.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod support;

use std::f32::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};

use dfr_contract::input::{FrameSpec, InputSpec, Preprocessing, RecordSpec, Source, SplitShares};
use dfr_contract::modality::Modality;
use dfr_contract::pack::Part;
use dfr_media::catalogue;
use dfr_media::decode::{Decoder, LIMIT};
use dfr_media::sample::SampleSet;
use dfr_media::sample::scene::{FRAMES, SIDE};
use dfr_media::sample::write::make;
use rayon::prelude::*;

use support::{ffmpeg, here};

/// 48 clips a class.
const SET: SampleSet = SampleSet { modality: Modality::Video, recordings: 8 };

fn whole_clip() -> InputSpec {
    let side = SIDE as u32;
    let frame = FrameSpec { height: side, width: side, preprocessing: Preprocessing::Original };
    InputSpec {
        record: RecordSpec::clip(FRAMES as u32, frame),
        source: Source::Sample,
        splits: SplitShares { train: 50, validation: 25, holdout: 25 },
        leave_out: std::collections::BTreeSet::new(),
        max_per_class: None,
    }
}

fn clips(root: &Path, media_type: &str) -> Vec<PathBuf> {
    let entries = catalogue::read_entries(root, Modality::Video, None).unwrap();
    let of_class = entries.iter().filter(|entry| entry.media_type() == media_type);
    let files = |entry| catalogue::media_files(root, Modality::Video, entry).unwrap();
    of_class.flat_map(files).map(|file| file.path).collect()
}

/// Luma of every frame, and the mean of all.
fn luma(file: &Path) -> (Vec<Vec<f32>>, f64) {
    let (ffmpeg, input) = (ffmpeg(), whole_clip());
    let decoder = Decoder { ffmpeg: &ffmpeg, ask: &here, input: &input, limit: LIMIT };
    let record = decoder.decode(file, Part::Train).unwrap().bytes;
    let plane = SIDE * SIDE;
    let frame = |rgb: &[u8]| -> Vec<f32> {
        let at = |c: usize, i: usize| f32::from(rgb[c * plane + i]);
        (0..plane).map(|i| 0.299 * at(0, i) + 0.587 * at(1, i) + 0.114 * at(2, i)).collect()
    };
    let frames: Vec<Vec<f32>> = record.chunks(3 * plane).map(frame).collect();
    let mean = record.iter().map(|b| f64::from(*b)).sum::<f64>() / record.len() as f64;
    (frames, mean)
}

/// Statistics of one class: file size, spectral peaks, mean pixel.
fn measure(root: &Path, media_type: &str) -> [Vec<f64>; 3] {
    let measured: Vec<[f64; 3]> = clips(root, media_type)
        .par_iter()
        .map(|file| {
            let (frames, mean) = luma(file);
            assert_eq!(frames.len(), FRAMES, "{}", file.display());
            [fs::metadata(file).unwrap().len() as f64, spectral_peaks(&frames), mean]
        })
        .collect();
    [0, 1, 2].map(|i| measured.iter().map(|m| m[i]).collect())
}

/// Area under the ROC curve of a statistic: the share of pairs in which the synthetic clip has more.
fn auc(real: &[f64], synthetic: &[f64]) -> f64 {
    let against = |s: f64| -> f64 {
        let wins = real.iter().map(|r| if s > *r { 1.0 } else { f64::from(s == *r) / 2.0 });
        wins.sum()
    };
    synthetic.iter().map(|s| against(*s)).sum::<f64>() / (real.len() * synthetic.len()) as f64
}

/// Log power at Nyquist and half Nyquist, across and down, minus that of neighbouring bins.
///
/// `frames` are pictures of `SIDE` × `SIDE` luma values; about 0 for a smooth spectrum.
fn spectral_peaks(frames: &[Vec<f32>]) -> f64 {
    let rows: Vec<Vec<f32>> =
        frames.iter().flat_map(|frame| frame.chunks(SIDE).map(<[f32]>::to_vec)).collect();
    let column = |frame: &Vec<f32>, x| frame.iter().skip(x).step_by(SIDE).copied().collect();
    let columns: Vec<Vec<f32>> =
        frames.iter().flat_map(|f| (0..SIDE).map(move |x| column(f, x))).collect();
    let peaks = [&rows, &columns].map(|lines| peak(lines, SIDE / 2) + peak(lines, SIDE / 4));
    f64::from(peaks.iter().sum::<f32>() / 4.0)
}

fn peak(lines: &[Vec<f32>], bin: usize) -> f32 {
    let neighbours: Vec<f32> = (3..=6).map(|away| log_power(lines, bin - away)).collect();
    log_power(lines, bin) - neighbours.iter().sum::<f32>() / neighbours.len() as f32
}

/// Log of the power at one frequency, under a Hann window so that content does not leak in.
fn log_power(lines: &[Vec<f32>], bin: usize) -> f32 {
    let step = TAU / SIDE as f32;
    let wave = |n: usize| {
        let window = 1.0 - (step * n as f32).cos();
        let (sin, cos) = (step * (bin * n % SIDE) as f32).sin_cos();
        [window * cos, window * sin]
    };
    let waves: Vec<[f32; 2]> = (0..SIDE).map(wave).collect();
    let along = |line: &[f32], side: usize| -> f32 {
        line.iter().zip(&waves).map(|(value, wave)| value * wave[side]).sum()
    };
    let power: f32 = lines.iter().map(|l| along(l, 0).powi(2) + along(l, 1).powi(2)).sum();
    power.max(1e-6).ln()
}

#[test]
fn only_the_spectrum_tells_the_classes_apart() {
    let root = tempfile::tempdir().unwrap();
    make(root.path(), SET, &ffmpeg(), &|| ()).unwrap();
    let (real, synthetic) = (measure(root.path(), "real"), measure(root.path(), "synthetic"));
    let [size, peaks, mean] = [0, 1, 2].map(|i| auc(&real[i], &synthetic[i]));
    let n = real[0].len() as f64;
    assert_eq!((real[0].len(), synthetic[0].len()), (48, 48));
    // Standard error of the AUC of a statistic that knows nothing, for two samples of n.
    let tolerance = (3.0 * ((2.0 * n + 1.0) / (12.0 * n * n)).sqrt()).max(0.02);
    println!("AUC: file size {size:.3}, spectral peaks {peaks:.3}, pixel mean {mean:.3}");
    assert!((size - 0.5).abs() <= tolerance, "file size tells the class: {size}");
    assert!((mean - 0.5).abs() <= tolerance, "the mean pixel tells the class: {mean}");
    assert!(peaks > 0.6, "the trace did not survive: {peaks}");
}
