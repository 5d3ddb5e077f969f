//! What the tests over real files share.

use std::f32::consts::TAU;
use std::path::PathBuf;

use dfr_media::ffmpeg::{Ffmpeg, SearchPlaces};

/// The ffmpeg of this machine, as `dfr` finds it.
pub fn ffmpeg() -> Ffmpeg {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let places = SearchPlaces {
        named: std::env::var_os("DFR_FFMPEG").map(PathBuf::from),
        path: std::env::var_os("PATH"),
        cache_home: std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home),
    };
    Ffmpeg::find(&places).unwrap()
}

/// Area under the ROC curve of a statistic: the share of pairs in which the synthetic clip has more.
pub fn auc(real: &[f64], synthetic: &[f64]) -> f64 {
    let against = |s: f64| -> f64 {
        let wins = real.iter().map(|r| if s > *r { 1.0 } else { f64::from(s == *r) / 2.0 });
        wins.sum()
    };
    synthetic.iter().map(|s| against(*s)).sum::<f64>() / (real.len() * synthetic.len()) as f64
}

/// Log power at Nyquist and half Nyquist, across and down, minus that of neighbouring bins.
///
/// `frames` are square pictures of `side` × `side` luma values; about 0 for a smooth spectrum.
pub fn spectral_peaks(frames: &[Vec<f32>], side: usize) -> f64 {
    let rows: Vec<Vec<f32>> =
        frames.iter().flat_map(|frame| frame.chunks(side).map(<[f32]>::to_vec)).collect();
    let column = |frame: &Vec<f32>, x| frame.iter().skip(x).step_by(side).copied().collect();
    let columns: Vec<Vec<f32>> =
        frames.iter().flat_map(|f| (0..side).map(move |x| column(f, x))).collect();
    let peaks = [&rows, &columns].map(|lines| peak(lines, side / 2) + peak(lines, side / 4));
    f64::from(peaks.iter().sum::<f32>() / 4.0)
}

fn peak(lines: &[Vec<f32>], bin: usize) -> f32 {
    let log_power = |bin| lines.iter().map(|line| power(line, bin)).sum::<f32>().max(1e-6).ln();
    let neighbours: Vec<f32> = (3..=6).map(|away| log_power(bin - away)).collect();
    log_power(bin) - neighbours.iter().sum::<f32>() / neighbours.len() as f32
}

/// Power of one frequency under a Hann window, so that content does not leak in.
fn power(line: &[f32], bin: usize) -> f32 {
    let step = TAU / line.len() as f32;
    let (mut re, mut im) = (0.0, 0.0);
    for (n, value) in line.iter().enumerate() {
        let windowed = value * (1.0 - (step * n as f32).cos());
        let (sin, cos) = (step * (bin * n % line.len()) as f32).sin_cos();
        re += windowed * cos;
        im += windowed * sin;
    }
    re * re + im * im
}
