//! Pictures, beside what PIL makes of the same files.

use crate::reference::{bytes, references};
use dfr_codecs::{Picture, Undecodable, picture, saved_again};

#[test]
fn pictures_are_those_of_pil() {
    let references = references().into_iter().filter(|(_, is)| is["width"].is_u64());
    let mut compared = 0;
    for (name, is) in references.filter(|(name, _)| name != "lossy.webp") {
        let picture = picture(&bytes(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!([picture.width, picture.height].map(u64::from), size(&is), "{name}");
        assert_eq!(u64::from(crc32fast::hash(&picture.rgb)), is["crc32"], "{name}");
        compared += 1;
    }
    assert!(compared >= 24, "{compared} files");
}

#[test]
fn what_is_saved_again_loses_what_it_loses_in_pil() {
    let references = references().into_iter().filter(|(_, is)| is["saved_again"].is_u64());
    let mut compared = 0;
    for (name, is) in references {
        let picture = saved_again(&bytes(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(u64::from(crc32fast::hash(&picture.rgb)), is["saved_again"], "{name}");
        compared += 1;
    }
    assert!(compared >= 8, "{compared} files");
    for kept in ["colour.png", "inks.jpg"] {
        assert_eq!(saved_again(&bytes(kept)), picture(&bytes(kept)));
    }
}

fn size(is: &serde_json::Value) -> [u64; 2] {
    ["width", "height"].map(|side| is[side].as_u64().expect("a size"))
}

#[test]
fn lossy_webp_is_within_a_rounding() {
    let (ours, theirs) = (picture(&bytes("lossy.webp")).unwrap().rgb, bytes("lossy.webp.rgb"));
    let off = |at: usize| ours[at].abs_diff(theirs[at]);
    assert_eq!(ours.len(), theirs.len());
    assert!((0..ours.len()).all(|at| off(at) <= 1), "{:?}", (0..ours.len()).map(off).max());
}

#[test]
fn a_file_that_is_cut_off_is_refused_wherever() {
    assert!(matches!(cut("lossy.webp", 1), Err(Undecodable::Truncated(_))));
    let names = ["420.jpg", "progressive.jpg", "colour.png", "lossless.webp", "lossy.webp"];
    for name in names.into_iter().chain(["palette.gif", "colour.bmp", "plain.tiff", "lzw.tiff"]) {
        let whole = bytes(name);
        for kept in [8, whole.len() / 4, whole.len() / 2, whole.len() * 9 / 10, whole.len() - 40] {
            assert!(cut(name, whole.len() - kept).is_err(), "{name}: {kept} bytes gave a picture");
        }
    }
}

fn cut(name: &str, missing: usize) -> Result<Picture, Undecodable> {
    let whole = bytes(name);
    picture(&whole[..whole.len() - missing])
}

#[test]
fn a_jpeg_is_not_filled_up_with_grey() {
    let mut closed = bytes("420.jpg");
    closed.truncate(closed.len() / 2);
    assert!(matches!(picture(&closed), Err(Undecodable::Truncated(_))));
    closed.extend([0xff, 0xd9]);
    assert!(matches!(picture(&closed), Err(Undecodable::Corrupt(_))));
}

#[test]
fn sizes_are_looked_at_before_anything_is_allocated() {
    let mut jpeg = bytes("420.jpg");
    let frame = jpeg.windows(2).position(|at| at == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    assert_eq!(picture(&jpeg), Err(Undecodable::Size { width: 65500, height: 65500 }));
    let mut gif = bytes("palette.gif");
    gif[6..10].fill(0xff);
    assert_eq!(picture(&gif), Err(Undecodable::Size { width: 65535, height: 65535 }));
    let mut bmp = bytes("colour.bmp");
    bmp[18..22].copy_from_slice(&40_000_u32.to_le_bytes());
    bmp[22..26].copy_from_slice(&40_000_u32.to_le_bytes());
    assert_eq!(picture(&bmp), Err(Undecodable::Size { width: 40_000, height: 40_000 }));
}

#[test]
fn what_is_no_picture_says_so() {
    assert_eq!(picture(&[]), Err(Undecodable::Empty));
    assert!(matches!(picture(b"<html>not found</html>"), Err(Undecodable::Unknown(_))));
    assert!(matches!(picture(&bytes("pcm_16.wav")), Err(Undecodable::Unknown(_))));
}
