//! The sample set as real files: they decode, and only the trace tells the classes apart.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use dfr_contract::input::{InputSpec, Preprocessing, Source, SplitShares};
use dfr_contract::modality::Modality;
use dfr_media::catalogue;
use dfr_media::decode::{Decoder, LIMIT};
use dfr_media::sample::SampleSet;
use dfr_media::sample::scene::{FRAMES, SIDE};
use dfr_media::sample::write::make;
use rayon::prelude::*;

use support::{auc, ffmpeg, spectral_peaks};

/// 48 clips a class.
const SET: SampleSet = SampleSet { recordings: 8 };

fn whole_clip() -> InputSpec {
    InputSpec {
        frames: FRAMES as u32,
        height: SIDE as u32,
        width: SIDE as u32,
        preprocessing: Preprocessing::Original,
        source: Source::Sample,
        splits: SplitShares { train: 50, validation: 25, holdout: 25 },
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
    let record = Decoder { ffmpeg: &ffmpeg, input: &input, limit: LIMIT }.decode(file).unwrap();
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
            [fs::metadata(file).unwrap().len() as f64, spectral_peaks(&frames, SIDE), mean]
        })
        .collect();
    [0, 1, 2].map(|i| measured.iter().map(|m| m[i]).collect())
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
