//! A picture to one record.

use dfr_contract::input::FrameSpec;

use crate::decode::{Decoded, Kept};
use crate::fingerprint::Fingerprint;
use crate::fingerprint::clip::Clip;
use crate::resize::{Picture, to_size};

/// Decodes the bytes of a file to `3 H W`, as it is or as the benchmark keeps it.
///
/// # Errors
/// Not a picture, or a damaged one; the message is the reason.
pub fn decode(file: &[u8], frame: FrameSpec, kept: Kept) -> Result<Decoded, String> {
    let picture = match kept {
        Kept::AsItIs => dfr_codecs::picture(file),
        Kept::SavedAgain => dfr_codecs::saved_again(file),
    };
    let picture = picture.map_err(|error| error.to_string())?;
    let dfr_codecs::Picture { width, height, rgb } = picture;
    let picture = Picture { width, height, rgb };
    let FrameSpec { height, width, preprocessing } = frame;
    let bytes = to_size(picture, width, height, preprocessing).planar();
    let clip = Clip::of_record(&bytes, &[3, u64::from(height), u64::from(width)]);
    Ok(Decoded { bytes, length: 0, fingerprint: Fingerprint::Clip(clip) })
}
