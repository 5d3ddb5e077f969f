//! One frame to its stored size. Pure.

mod antialiased;
mod interpolated;

use dfr_contract::input::Preprocessing;

/// A picture: `H W C` bytes, RGB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// `height * width * 3` bytes.
    pub rgb: Vec<u8>,
}

impl Picture {
    /// `C H W` bytes.
    pub fn planar(&self) -> Vec<u8> {
        (0..3).flat_map(|c| self.rgb.iter().skip(c).step_by(3).copied()).collect()
    }
}

/// Brings a picture to `width` × `height`; unchanged when it has that size already.
///
/// # Source
/// `Original`: dfresearch `resize_image`, PIL `BILINEAR` (antialiased) straight to the target.
/// `Benchmark`: gasbench `ResizeShortestEdge`, centre crop to the target's aspect, then
/// `cv2.INTER_LINEAR` (no antialiasing).
pub fn to_size(picture: Picture, width: u32, height: u32, style: Preprocessing) -> Picture {
    if (picture.width, picture.height) == (width, height) {
        return picture;
    }
    match style {
        Preprocessing::Original => scale(&picture, width, height, antialiased::scale),
        Preprocessing::Benchmark => {
            let cropped = crop(&picture, centre_crop(&picture, width, height));
            scale(&cropped, width, height, interpolated::scale)
        }
    }
}

type Scale = fn(&[u8], [usize; 2], [usize; 2]) -> Vec<u8>;

fn scale(picture: &Picture, width: u32, height: u32, scale: Scale) -> Picture {
    let size = |width: u32, height: u32| [width as usize, height as usize];
    let from = size(picture.width, picture.height);
    Picture { width, height, rgb: scale(&picture.rgb, from, size(width, height)) }
}

/// Copies a part out, so that interpolation at its edge sees nothing beyond it.
fn crop(picture: &Picture, (left, top, width, height): (u32, u32, u32, u32)) -> Picture {
    let rows = picture.rgb.chunks(picture.width as usize * 3);
    let inside = rows.skip(top as usize).take(height as usize);
    let columns = left as usize * 3..(left + width) as usize * 3;
    let rgb = inside.flat_map(|row| &row[columns.clone()]).copied().collect();
    Picture { width, height, rgb }
}

/// Left, top, width and height of the centre crop that has the target's aspect.
fn centre_crop(picture: &Picture, width: u32, height: u32) -> (u32, u32, u32, u32) {
    let [w, h, target_w, target_h] = [picture.width, picture.height, width, height].map(f64::from);
    let shrink = (h / target_h).min(w / target_w);
    // Python's round(): a half goes to the even neighbour.
    let side = |target: f64, limit: u32| ((shrink * target).round_ties_even() as u32).min(limit);
    let (across, down) = (side(target_w, picture.width), side(target_h, picture.height));
    ((picture.width - across) / 2, (picture.height - down) / 2, across, down)
}

#[cfg(test)]
#[path = "resize_tests.rs"]
mod tests;
