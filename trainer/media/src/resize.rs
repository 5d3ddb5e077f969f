//! One frame to its stored size. Pure.

use dfr_contract::input::Preprocessing;
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

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

/// Brings a picture to `width` × `height`; unchanged when it has that size already.
///
/// # Source
/// `Original`: dfresearch `resize_image`, PIL `BILINEAR` (antialiased) straight to the target;
/// rounding differs from PIL's by one grey level at most.
/// `Benchmark`: gasbench `ResizeShortestEdge`, centre crop to the target's aspect, then
/// `cv2.INTER_LINEAR` (no antialiasing).
pub fn to_size(picture: Picture, width: u32, height: u32, style: Preprocessing) -> Picture {
    if (picture.width, picture.height) == (width, height) {
        return picture;
    }
    match style {
        Preprocessing::Original => {
            scale(&picture, width, height, ResizeAlg::Convolution(FilterType::Bilinear))
        }
        Preprocessing::Benchmark => {
            let cropped = crop(&picture, centre_crop(&picture, width, height));
            scale(&cropped, width, height, ResizeAlg::Interpolation(FilterType::Bilinear))
        }
    }
}

fn scale(picture: &Picture, width: u32, height: u32, algorithm: ResizeAlg) -> Picture {
    let source = ImageRef::new(picture.width, picture.height, &picture.rgb, PixelType::U8x3)
        .expect("a picture holds 3 bytes per pixel");
    let mut target = Image::new(width, height, PixelType::U8x3);
    Resizer::new()
        .resize(&source, &mut target, &ResizeOptions::new().resize_alg(algorithm))
        .expect("both have the same kind of pixels");
    Picture { width, height, rgb: target.into_vec() }
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
