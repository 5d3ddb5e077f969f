//! What a sample is, by its first bytes. Pure.

use dfr_contract::modality::Modality;

use super::kind;
use crate::catalogue;

/// The extension under which a sample is kept. Its bytes decide; where they tell nothing, the name
/// that it had.
///
/// # Errors
/// Says what it is instead.
pub fn extension(bytes: &[u8], name: &str, modality: Modality) -> Result<&'static str, String> {
    if bytes.is_empty() {
        return Err("it is empty".to_owned());
    }
    let named = kept_as(&kind::extension(name), modality);
    let Some(found) = infer::get(bytes) else {
        return named.ok_or_else(|| format!("it is no {modality} that is known"));
    };
    let container = matches!(found.extension(), "mp4" | "m4v");
    match modality {
        // The same container; it does not begin with what is in it.
        Modality::Audio if container => Ok("m4a"),
        _ => kept_as(found.extension(), modality)
            .ok_or_else(|| format!("it is {}, which is not read as {modality}", found.mime_type())),
    }
}

/// The extension among those that are read.
fn kept_as(extension: &str, modality: Modality) -> Option<&'static str> {
    let extension = match extension {
        "m4v" => "mp4",
        "jpeg" => "jpg",
        other => other,
    };
    catalogue::extensions(modality).iter().copied().find(|known| *known == extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const MP4: &[u8] = b"\0\0\0\x18ftypisom\0\0\0\0isom";

    #[test]
    fn bytes_decide_before_a_name() {
        let of = |bytes, name, modality| extension(bytes, name, modality);
        assert_eq!(of(PNG, "a.jpg", Modality::Image), Ok("png"));
        assert_eq!(of(b"\xff\xd8\xff\xe0..JFIF", "", Modality::Image), Ok("jpg"));
        assert_eq!(of(b"RIFF....WEBPVP8 ", "x", Modality::Image), Ok("webp"));
        assert_eq!(of(MP4, "a.avi", Modality::Video), Ok("mp4"));
        assert_eq!(of(MP4, "a.wav", Modality::Audio), Ok("m4a"));
        assert_eq!(of(b"RIFF....WAVEfmt ", "a.mp3", Modality::Audio), Ok("wav"));
        assert_eq!(of(b"fLaC....", "", Modality::Audio), Ok("flac"));
    }

    #[test]
    fn a_name_decides_where_bytes_tell_nothing_and_other_media_is_refused() {
        assert_eq!(extension(b"????", "a/b.MOV", Modality::Video), Ok("mov"));
        let error = |bytes, name| extension(bytes, name, Modality::Image).unwrap_err();
        assert!(error(b"????", "a.gif").contains("no image"));
        assert!(error(b"GIF89a......", "a.png").contains("image/gif"));
        assert!(error(b"<!DOCTYPE html><html>", "a.png").contains("text/html"));
        assert!(error(b"", "a.png").contains("empty"));
    }
}
