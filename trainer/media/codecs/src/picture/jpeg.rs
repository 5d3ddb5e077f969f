//! JPEG as libjpeg-turbo decodes and encodes it: accurate integer DCT, smooth upsampling of the chroma.

use std::panic::{self, AssertUnwindSafe};

use mozjpeg::{ColorSpace, Compress, Decompress};
use mozjpeg_sys::{
    JWRN_HIT_MARKER, JWRN_HUFF_BAD_CODE, JWRN_JPEG_EOF, JWRN_MUST_RESYNC, jpeg_common_struct,
    jpeg_error_mgr, jpeg_std_error,
};

use super::{Picture, pixels};
use crate::Undecodable;

/// Where the library would warn and fill up with grey.
const LOSSES: [i32; 4] = [JWRN_HIT_MARKER, JWRN_HUFF_BAD_CODE, JWRN_JPEG_EOF, JWRN_MUST_RESYNC];

/// `JMSG_LENGTH_MAX`.
const MESSAGE_BYTES: usize = 200;
type FormatMessage = unsafe extern "C-unwind" fn(&mut jpeg_common_struct, &mut [u8; MESSAGE_BYTES]);

/// What a program writes that says nothing of quality.
const QUALITY: f32 = 75.0;

pub(super) fn decode(bytes: &[u8]) -> Result<Picture, Undecodable> {
    unwound(|| decode_or_unwind(bytes))
}

/// A file of a picture that came out of one, so that its size is one that the format knows.
pub(super) fn encode(picture: &Picture) -> Result<Vec<u8>, Undecodable> {
    unwound(|| {
        let mut file = Compress::new(ColorSpace::JCS_RGB);
        // Those of libjpeg-turbo: baseline, colour halved both ways.
        file.set_fastest_defaults();
        file.set_quality(QUALITY);
        file.set_size(picture.width as usize, picture.height as usize);
        let mut file = file.start_compress(Vec::new()).map_err(Undecodable::corrupt)?;
        file.write_scanlines(&picture.rgb).map_err(Undecodable::corrupt)?;
        file.finish().map_err(Undecodable::corrupt)
    })
}

/// Whether its colours are those of print.
pub(super) fn has_inks(bytes: &[u8]) -> Result<bool, Undecodable> {
    unwound(|| {
        let file = Decompress::with_err(unwinding_errors()).from_mem(bytes);
        Ok(is_of_inks(file.map_err(Undecodable::corrupt)?.color_space()))
    })
}

fn is_of_inks(space: ColorSpace) -> bool {
    matches!(space, ColorSpace::JCS_CMYK | ColorSpace::JCS_YCCK)
}

/// The library's way out of an error is not to return: it unwinds to here.
fn unwound<T>(work: impl FnOnce() -> Result<T, Undecodable>) -> Result<T, Undecodable> {
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done,
        Err(payload) => match payload.downcast::<Undecodable>() {
            Ok(reason) => Err(*reason),
            Err(bug) => panic::resume_unwind(bug),
        },
    }
}

fn decode_or_unwind(bytes: &[u8]) -> Result<Picture, Undecodable> {
    let file =
        Decompress::with_err(unwinding_errors()).from_mem(bytes).map_err(Undecodable::corrupt)?;
    let (width, height) = (file.width() as u32, file.height() as u32);
    let pixels = pixels(width, height)?;
    // PIL, too, turns inks into light by itself.
    let has_inks = is_of_inks(file.color_space());
    let target = if has_inks { ColorSpace::JCS_CMYK } else { ColorSpace::JCS_RGB };
    let mut rows = file.to_colorspace(target).map_err(Undecodable::corrupt)?;
    let mut samples = vec![0; pixels * if has_inks { 4 } else { 3 }];
    rows.read_scanlines_into(&mut samples).map_err(Undecodable::corrupt)?;
    let rgb = if has_inks { light(&samples) } else { samples };
    Ok(Picture { width, height, rgb })
}

/// RGB of CMYK, stored inverted as every program has done since Photoshop.
fn light(inks: &[u8]) -> Vec<u8> {
    let product = |ink: u8, black: u8| {
        let rounded = u32::from(ink) * u32::from(black) + 128;
        (((rounded >> 8) + rounded) >> 8) as u8
    };
    inks.as_chunks::<4>()
        .0
        .iter()
        .flat_map(|[c, m, y, k]| [c, m, y].map(|ink| product(*ink, *k)))
        .collect()
}

fn unwinding_errors() -> jpeg_error_mgr {
    // SAFETY: the structure holds integers and nullable pointers, all of which may be zero, and the
    // library fills it in.
    let mut errors = unsafe {
        let mut errors = std::mem::zeroed();
        jpeg_std_error(&mut errors);
        errors
    };
    errors.error_exit = Some(fail);
    errors.emit_message = Some(fail_at_losses);
    errors
}

extern "C-unwind" fn fail(state: &mut jpeg_common_struct) {
    panic::resume_unwind(Box::new(reason(state)));
}

extern "C-unwind" fn fail_at_losses(state: &mut jpeg_common_struct, level: i32) {
    // SAFETY: the library sets it before anything can go wrong.
    let code = unsafe { (*state.err).msg_code };
    if level < 0 && LOSSES.contains(&code) {
        fail(state);
    }
}

fn reason(state: &mut jpeg_common_struct) -> Undecodable {
    let mut text = [0_u8; MESSAGE_BYTES];
    // SAFETY: the library sets the error manager first. Its messages fit, and are written: the
    // declaration is wrong in both.
    let code = unsafe {
        if let Some(format) = (*state.err).format_message {
            let format: FormatMessage = std::mem::transmute(format);
            format(state, &mut text);
        }
        (*state.err).msg_code
    };
    let text = String::from_utf8_lossy(text.split(|byte| *byte == 0).next().unwrap_or_default());
    match code == JWRN_JPEG_EOF {
        true => Undecodable::Truncated(text.into_owned()),
        false => Undecodable::corrupt(text),
    }
}
