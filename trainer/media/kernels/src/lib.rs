//! Arithmetic on plain numbers, behind functions that are not generic: the libraries used here are
//! compiled with whatever calls them, which takes minutes, and so are called from nowhere else.

use std::f64::consts::TAU;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

/// Power by frequency, through a Hann window.
pub struct Spectrum {
    fft: Arc<dyn RealToComplex<f64>>,
    hann: Vec<f64>,
}

impl Spectrum {
    /// For frames of `length` samples.
    pub fn new(length: usize) -> Self {
        let hann = |at: usize| 0.5 - 0.5 * (TAU * at as f64 / length as f64).cos();
        let fft = RealFftPlanner::<f64>::new().plan_fft_forward(length);
        Self { fft, hann: (0..length).map(hann).collect() }
    }

    /// `length / 2 + 1` powers of a frame.
    ///
    /// # Panics
    /// If the frame has another length.
    pub fn powers(&self, frame: &[f32]) -> Vec<f64> {
        let windowed =
            frame.iter().zip(&self.hann).map(|(sample, weight)| f64::from(*sample) * weight);
        let (mut input, mut output) = (windowed.collect::<Vec<f64>>(), self.fft.make_output_vec());
        self.fft.process(&mut input, &mut output).expect("a frame of the planned length");
        output.iter().map(Complex::norm_sqr).collect()
    }
}
