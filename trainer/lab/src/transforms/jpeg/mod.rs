//! What JPEG does to a picture, without the file: entropy coding loses nothing and is left out.
//!
//! # Source
//! OpenCV's `imencode(".jpg")` and `imdecode`, byte for byte: libjpeg-turbo with 4:2:0 chroma, its slow
//! integer transform and its triangle filter for chroma.

mod block;
mod chroma;
mod colour;
mod cosine;
mod planes;
mod quantizer;

use multiversion::multiversion;

use super::frame::Frame;
use planes::{Chroma, Planes};
use quantizer::Quantizer;

/// Compresses and decompresses a frame at `quality`, 1 (worst) to 100. At least 5 pixels wide.
pub fn round_trip(frame: &mut Frame, quality: u8) {
    let mut planes = Planes::of(frame.height(), frame.width());
    to_planes(frame, &mut planes);
    let [luma, chroma] = Quantizer::of_quality(quality);
    block::round_trip(&mut planes.y, planes.stride, &luma);
    block::round_trip(&mut planes.cb, planes.stride / 2, &chroma);
    block::round_trip(&mut planes.cr, planes.stride / 2, &chroma);
    from_planes(&planes, frame);
}

#[multiversion(targets("x86_64+avx2"))]
fn to_planes(frame: &mut Frame, planes: &mut Planes) {
    let (height, width, stride) = (frame.height(), frame.width(), planes.stride);
    let mut pair = [Chroma::row(stride), Chroma::row(stride)];
    let [red, green, blue] = frame.planes();
    for top in (0..height).step_by(2) {
        for (half, chroma) in pair.iter_mut().enumerate() {
            // Below the last row of an odd height stands the same row again.
            let from = (top + half).min(height - 1) * width;
            let rgb = [&*red, &*green, &*blue].map(|plane| &plane[from..from + width]);
            let y = &mut planes.y[(top + half) * stride..][..stride];
            colour::to_ycc(rgb, [y, &mut chroma.cb, &mut chroma.cr]);
        }
        let at = top / 2 * (stride / 2)..(top / 2 + 1) * (stride / 2);
        chroma::halve([&pair[0].cb, &pair[1].cb], &mut planes.cb[at.clone()]);
        chroma::halve([&pair[0].cr, &pair[1].cr], &mut planes.cr[at]);
    }
    planes.repeat_last_rows(height);
}

#[multiversion(targets("x86_64+avx2"))]
fn from_planes(planes: &Planes, frame: &mut Frame) {
    let (height, width) = (frame.height(), frame.width());
    let columns = width.div_ceil(2);
    let mut full = Chroma::row(2 * columns);
    let mut sums = vec![0; columns + 2];
    let [red, green, blue] = frame.planes();
    for row in 0..height {
        let rows = planes.nearest_chroma_rows(row, height);
        chroma::double(rows.map(|at| &planes.cb[at..at + columns]), &mut sums, &mut full.cb);
        chroma::double(rows.map(|at| &planes.cr[at..at + columns]), &mut sums, &mut full.cr);
        let at = row * width..(row + 1) * width;
        let y = &planes.y[row * planes.stride..][..width];
        let rgb = [&mut *red, &mut *green, &mut *blue].map(|plane| &mut plane[at.clone()]);
        colour::to_rgb([y, &full.cb[..width], &full.cr[..width]], rgb);
    }
}
