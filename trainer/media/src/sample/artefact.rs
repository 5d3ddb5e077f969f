//! What tells the classes apart: the trace of an uneven upsampling, or grain of equal energy. Pure.
//!
//! A transposed convolution whose stride does not divide its kernel adds up more taps at some pixels
//! than at others: brightness is multiplied by a pattern with the period of the stride, which stands
//! in the spectrum as peaks at Nyquist (stride 2) or half Nyquist and Nyquist (stride 4), across and
//! down. Here a clip's own brightness is sent through such a layer and only what the unevenness adds
//! is kept. The real twin gets the same brightness, multiplied by a pattern without a period: the
//! fixed-pattern noise of a sensor (photo response non-uniformity). Both patterns stand still on the
//! pixel grid, scale with brightness and have the same energy; one has peaks, the other has none.
//!
//! # Source
//! Odena et al. 2016 "Deconvolution and Checkerboard Artifacts"; Zhang et al. 2019 "Detecting and
//! Simulating Artifacts in GAN Fake Images"; Frank et al. 2020 "Leveraging Frequency Analysis for
//! Deep Fake Image Recognition".

use rand::{Rng, RngExt as _};

use crate::sample::Trace;
use crate::sample::noise;
use crate::sample::scene::{Frame, Size};

/// How the trace is drawn; sets how hard a sample set is.
#[derive(Clone, Debug)]
pub struct Strength {
    /// The stride is one of these two.
    pub strides: [usize; 2],
    /// Root mean square of what is added, in grey levels: log-uniform between these two.
    pub gain: std::ops::Range<f32>,
}

/// How far a tap of a learned kernel lies from 1, at most.
const TAP_SPREAD: f32 = 0.3;

/// What is drawn once per recording; both twins share it, so that they differ in the trace alone.
pub struct Layer {
    size: Size,
    stride: usize,
    /// Taps across and down; one more than the stride, so that they overlap unevenly.
    taps: [Vec<f32>; 2],
    gain: f32,
    /// The sensor's pattern: mean 0, deviation 1.
    sensor: Vec<f32>,
}

impl Layer {
    /// Draws stride, kernel, gain and the sensor's pattern for frames of `size`, which the strides
    /// divide.
    pub fn draw(size: Size, strength: &Strength, rng: &mut impl Rng) -> Self {
        let Strength { strides, gain } = strength;
        let stride = if rng.random() { strides[0] } else { strides[1] };
        let tap = |_| rng.random_range(1.0 - TAP_SPREAD..1.0 + TAP_SPREAD);
        let mut taps: Vec<f32> = (0..2 * (stride + 1)).map(tap).collect();
        let down = taps.split_off(stride + 1);
        let gain = (rng.random_range(gain.start.ln()..gain.end.ln())).exp();
        let sensor = (0..size[0] * size[1]).map(|_| noise::grain(rng)).collect();
        Self { size, stride, taps: [taps, down], gain, sensor }
    }

    /// Adds a trace to every frame, equally to red, green and blue.
    pub fn apply(&self, frames: &mut [Frame], trace: Trace) {
        let pattern = match trace {
            Trace::Sensor => self.sensor.clone(),
            Trace::Upsampling => self.overlap_pattern(),
        };
        let mut residuals: Vec<Vec<f32>> =
            frames.iter().map(|frame| multiply(&self.brightness(frame), &pattern)).collect();
        scale_to(&mut residuals, self.gain);
        for (frame, residual) in frames.iter_mut().zip(&residuals) {
            for (pixel, added) in frame.iter_mut().zip(residual) {
                *pixel = pixel.map(|level| level + added);
            }
        }
    }

    /// Brightness after downsampling by the stride and an upsampling whose overlap is evened out:
    /// the transposed convolution divided by its own overlap.
    fn brightness(&self, frame: &Frame) -> Vec<f32> {
        let [width, height] = self.size;
        let small = downsample(frame, width, self.stride);
        let [across, down] = &self.taps;
        let rows = small.chunks(width / self.stride).flat_map(|row| self.upsample(row, across));
        let wide: Vec<f32> = rows.collect();
        let column = |x: usize| wide.iter().skip(x).step_by(width).copied().collect::<Vec<_>>();
        let columns: Vec<Vec<f32>> = (0..width).map(|x| self.upsample(&column(x), down)).collect();
        (0..width * height).map(|i| columns[i % width][i / width]).collect()
    }

    /// One row through zero-insertion and kernel, divided by the taps that met at each pixel.
    fn upsample(&self, row: &[f32], taps: &[f32]) -> Vec<f32> {
        let length = row.len() * self.stride;
        let (mut sum, mut weight) = (vec![0.0; length], vec![0.0; length]);
        for (i, value) in row.iter().enumerate() {
            for (j, tap) in taps.iter().enumerate().take(length - i * self.stride) {
                sum[i * self.stride + j] += tap * value;
                weight[i * self.stride + j] += tap;
            }
        }
        sum.iter().zip(&weight).map(|(sum, weight)| sum / weight).collect()
    }

    /// Overlap across times overlap down, minus its mean.
    fn overlap_pattern(&self) -> Vec<f32> {
        let [across, down] = [0, 1].map(|side| overlap(&self.taps[side], self.stride));
        let [width, height] = self.size;
        let at = |i: usize| across[i % width % self.stride] * down[i / width % self.stride];
        let mean =
            across.iter().sum::<f32>() * down.iter().sum::<f32>() / self.stride.pow(2) as f32;
        (0..width * height).map(|i| at(i) - mean).collect()
    }
}

/// Sum of the taps that meet at each of `stride` phases.
pub(crate) fn overlap(taps: &[f32], stride: usize) -> Vec<f32> {
    (0..stride).map(|phase| taps.iter().skip(phase).step_by(stride).sum()).collect()
}

/// Mean luma of blocks of `by` × `by` pixels.
fn downsample(frame: &Frame, width: usize, by: usize) -> Vec<f32> {
    let small = width / by;
    let mut sums = vec![0.0; frame.len() / (by * by)];
    for (i, [r, g, b]) in frame.iter().enumerate() {
        sums[i / width / by * small + i % width / by] += 0.299 * r + 0.587 * g + 0.114 * b;
    }
    sums.iter().map(|sum| sum / (by * by) as f32).collect()
}

fn multiply(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a * b).collect()
}

/// Scales a whole clip's residual to a root mean square.
fn scale_to(residuals: &mut [Vec<f32>], gain: f32) {
    let values = residuals.iter().flatten();
    let energy: f64 = values.map(|v| f64::from(*v).powi(2)).sum();
    let count = residuals.iter().map(Vec::len).sum::<usize>();
    let factor = gain / (energy / count as f64).sqrt() as f32;
    residuals.iter_mut().flatten().for_each(|v| *v *= factor);
}

#[cfg(test)]
#[path = "artefact_tests.rs"]
mod tests;
