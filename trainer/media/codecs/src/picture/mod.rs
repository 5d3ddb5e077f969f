//! Files of pictures to 8-bit RGB.

mod gif;
mod jpeg;
mod others;

use image::ImageFormat;

use crate::Undecodable;

/// The largest picture that is decoded, in pixels: PIL's limit against files that unpack to more
/// than a machine has.
pub const PIXELS_MAX: u64 = 178_956_970;

/// `height * width` pixels of 3 bytes, row by row: R, G, B.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
    pub rgb: Vec<u8>,
}

/// The picture in a file, the first one where it holds several: JPEG, PNG, WebP, GIF, BMP or TIFF,
/// known by its first bytes. Alpha is dropped, not blended; palettes are expanded; of 16 bits the
/// upper 8 count (PIL clips 16-bit grey at 255 instead, which leaves next to nothing of it).
///
/// # Errors
/// What is wrong with the file; its size is looked at before anything is allocated for it.
pub fn picture(bytes: &[u8]) -> Result<Picture, Undecodable> {
    if bytes.is_empty() {
        return Err(Undecodable::Empty);
    }
    match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => jpeg::decode(bytes),
        Ok(ImageFormat::Gif) => gif::decode(bytes),
        Ok(
            format @ (ImageFormat::Png | ImageFormat::WebP | ImageFormat::Bmp | ImageFormat::Tiff),
        ) => others::decode(bytes, format),
        _ => Err(Undecodable::Unknown("JPEG, PNG, WebP, GIF, BMP, TIFF")),
    }
}

/// The same of a JPEG file that PIL has opened and saved again, with nothing said of quality: it loses once more, at
/// quality 75 and with its colour halved both ways. Files of other formats (PIL's WebP would lose too) and pictures of
/// inks (which PIL saves as inks) are as they were.
///
/// # Errors
/// Those of [`picture`].
pub fn saved_again(bytes: &[u8]) -> Result<Picture, Undecodable> {
    let picture = picture(bytes)?;
    match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) if !jpeg::has_inks(bytes)? => jpeg::decode(&jpeg::encode(&picture)?),
        _ => Ok(picture),
    }
}

/// The number of pixels, if it is one that is decoded.
fn pixels(width: impl Into<u64>, height: impl Into<u64>) -> Result<usize, Undecodable> {
    let (width, height) = (width.into(), height.into());
    let pixels = width.saturating_mul(height);
    let fits = (1..=PIXELS_MAX).contains(&pixels);
    fits.then_some(pixels as usize).ok_or(Undecodable::Size { width, height })
}
