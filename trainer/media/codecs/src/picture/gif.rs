//! The first frame of a GIF, with the colours that its transparent pixels have beneath.

use std::io::ErrorKind;

use gif::{ColorOutput, DecodeOptions, DecodingError};

use super::{Picture, pixels};
use crate::Undecodable;

pub(super) fn decode(bytes: &[u8]) -> Result<Picture, Undecodable> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    let mut file = options.read_info(bytes).map_err(undecodable)?;
    // The frame's own size is looked at before its pixels are.
    let frame = file.next_frame_info().map_err(undecodable)?.ok_or_else(no_frame)?;
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let background = frame.transparent.unwrap_or(0);
    let (across, down) = (usize::from(frame.width), usize::from(frame.height));
    let width = usize::from(file.width()).max(left + across);
    let height = usize::from(file.height()).max(top + down);
    let mut canvas = vec![background; pixels(width as u64, height as u64)?];
    pixels(across as u64, down as u64)?;
    let mut indices = vec![0; across * down];
    file.read_into_buffer(&mut indices).map_err(undecodable)?;
    for (row, line) in indices.chunks_exact(across).enumerate() {
        let start = (top + row) * width + left;
        canvas[start..start + across].copy_from_slice(line);
    }
    let palette = file.palette().map_err(undecodable)?;
    let colour = |index: &u8| {
        let start = usize::from(*index) * 3;
        palette.get(start..start + 3).map_or([0; 3], |rgb| [rgb[0], rgb[1], rgb[2]])
    };
    let rgb = canvas.iter().flat_map(colour).collect();
    Ok(Picture { width: width as u32, height: height as u32, rgb })
}

fn no_frame() -> Undecodable {
    Undecodable::Truncated("no frame".into())
}

fn undecodable(error: DecodingError) -> Undecodable {
    match error {
        DecodingError::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Undecodable::Truncated(error.to_string())
        }
        error => Undecodable::corrupt(error),
    }
}
