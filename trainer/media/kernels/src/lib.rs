//! Arithmetic on plain numbers, behind functions that are not generic: the libraries used here are
//! compiled with whatever calls them, which takes minutes, and so are called from nowhere else.

use std::f64::consts::TAU;
use std::sync::Arc;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

/// How pixels between pixels are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Bilinear over all that a new pixel covers: PIL's `BILINEAR`.
    Antialiased,
    /// Bilinear between the four nearest pixels: OpenCV's `INTER_LINEAR`.
    Interpolated,
}

/// `H W C` bytes of RGB of size `from` (width, height) at size `to`.
///
/// # Panics
/// If there are not 3 bytes for each pixel, or a size is zero.
pub fn scale(rgb: &[u8], from: [u32; 2], to: [u32; 2], filter: Filter) -> Vec<u8> {
    let algorithm = match filter {
        Filter::Antialiased => ResizeAlg::Convolution(FilterType::Bilinear),
        Filter::Interpolated => ResizeAlg::Interpolation(FilterType::Bilinear),
    };
    let source = ImageRef::new(from[0], from[1], rgb, PixelType::U8x3)
        .expect("a picture holds 3 bytes per pixel");
    let mut target = Image::new(to[0], to[1], PixelType::U8x3);
    Resizer::new()
        .resize(&source, &mut target, &ResizeOptions::new().resize_alg(algorithm))
        .expect("both have the same kind of pixels");
    target.into_vec()
}

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
