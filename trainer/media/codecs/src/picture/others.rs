//! What one library decodes: PNG, WebP, BMP, TIFF.

use std::io::{Cursor, ErrorKind};

use image::error::ImageError;
use image::{ColorType, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::{Picture, pixels};
use crate::Undecodable;

pub(super) fn decode(bytes: &[u8], format: ImageFormat) -> Result<Picture, Undecodable> {
    if format == ImageFormat::WebP {
        whole_webp(bytes)?;
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    // Pixels are counted below, memory by the process.
    reader.limits(Limits::no_limits());
    let decoder = reader.into_decoder().map_err(undecodable)?;
    let (width, height) = decoder.dimensions();
    let pixels = pixels(width, height)?;
    let layout = Layout::of(decoder.color_type())?;
    let mut samples = vec![0; pixels * layout.bytes()];
    decoder.read_image(&mut samples).map_err(undecodable)?;
    Ok(Picture { width, height, rgb: layout.rgb(samples) })
}

/// The decoder reads zeros where the last bytes are missing.
fn whole_webp(bytes: &[u8]) -> Result<(), Undecodable> {
    let claimed = bytes.get(4..8).and_then(|length| length.try_into().ok());
    let claimed = claimed.map_or(0, |length| u64::from(u32::from_le_bytes(length)) + 8);
    let cut = || Undecodable::Truncated(format!("{} of {claimed} bytes", bytes.len()));
    (bytes.len() as u64 >= claimed).then_some(()).ok_or_else(cut)
}

/// How the samples of a pixel lie.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Layout {
    channels: usize,
    sample_bytes: usize,
}

impl Layout {
    fn of(colour: ColorType) -> Result<Self, Undecodable> {
        let (channels, bytes) = (colour.channel_count().into(), colour.bytes_per_pixel().into());
        let sample_bytes: usize = usize::div_ceil(bytes, channels);
        let is_known = sample_bytes <= 2;
        let other = || Undecodable::Unsupported(format!("samples of {} bits", 8 * sample_bytes));
        is_known.then_some(Self { channels, sample_bytes }).ok_or_else(other)
    }

    fn bytes(self) -> usize {
        self.channels * self.sample_bytes
    }

    /// The upper 8 bits of colour or grey.
    fn rgb(self, samples: Vec<u8>) -> Vec<u8> {
        if self == (Self { channels: 3, sample_bytes: 1 }) {
            return samples;
        }
        let upper = if cfg!(target_endian = "little") { self.sample_bytes - 1 } else { 0 };
        let step = if self.channels < 3 { 0 } else { self.sample_bytes };
        let pixels = samples.chunks_exact(self.bytes());
        pixels.flat_map(|pixel| [0, 1, 2].map(|channel| pixel[upper + channel * step])).collect()
    }
}

fn undecodable(error: ImageError) -> Undecodable {
    match error {
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Undecodable::Truncated(error.to_string())
        }
        ImageError::Unsupported(error) => Undecodable::Unsupported(error.to_string()),
        error => Undecodable::corrupt(error),
    }
}
