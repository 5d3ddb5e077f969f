//! A clip to one record, through the ffmpeg program.

use std::path::Path;
use std::time::Duration;

use dfr_contract::input::{ClipSpec, FrameSpec};

use crate::decode::DecodeError;
use crate::ffmpeg::Ffmpeg;
use crate::frames;
use crate::resize::{Picture, to_size};

/// Decodes clips into records of one input.
pub struct ClipDecoder<'a> {
    /// The program.
    pub ffmpeg: &'a Ffmpeg,
    /// What a record holds.
    pub clip: ClipSpec,
    /// Per pass.
    pub limit: Duration,
}

impl ClipDecoder<'_> {
    /// Decodes one file to `T C H W` bytes. Clips shorter than `T` repeat their last frame.
    ///
    /// # Errors
    /// Empty, cut, corrupt, without video, or not decoded in time; the message is the reason.
    pub fn decode(&self, file: &Path) -> Result<Vec<u8>, DecodeError> {
        let ClipSpec { frames, frame_rate, frame } = self.clip;
        let FrameSpec { height, width, preprocessing } = frame;
        let Listing { shown, rate } = self.list_frames(file)?;
        let step = frame_rate.map_or(1, |wanted| frames::step(rate, wanted));
        let indices = frames::indices(shown, (frames, step), preprocessing);
        let pictures = read_pictures(&self.extract(file, &indices)?).ok_or(DecodeError::Picture)?;
        // Repeating the last frame is for short clips, never for what is missing.
        if pictures.len() < indices.len() {
            return Err(DecodeError::Damaged { found: pictures.len(), asked: indices.len() });
        }
        let planes =
            pictures.into_iter().map(|p| to_size(p, width, height, preprocessing).planar());
        repeat_last(planes.collect(), frames).ok_or(DecodeError::NoFrame)
    }

    /// Lists frames without decoding them: one line per packet.
    fn list_frames(&self, file: &Path) -> Result<Listing, DecodeError> {
        let mut arguments = input_arguments(file);
        arguments.extend(["-c", "copy", "-f", "framecrc", "-"].map(Into::into));
        let listing = self.ffmpeg.run(arguments, &[], self.limit)?;
        let listing = Listing::read(&String::from_utf8_lossy(&listing));
        if listing.shown == 0 { Err(DecodeError::NoFrame) } else { Ok(listing) }
    }

    /// The chosen frames, as a row of PPM pictures: each tells its own size.
    fn extract(&self, file: &Path, indices: &[u64]) -> Result<Vec<u8>, DecodeError> {
        let chosen: Vec<String> = indices.iter().map(|i| format!("eq(n\\,{i})")).collect();
        let select = format!("select={}", chosen.join("+"));
        let count = indices.len().to_string();
        let mut arguments = input_arguments(file);
        arguments.extend(["-vf", &select, "-fps_mode", "passthrough"].map(Into::into));
        arguments
            .extend(["-frames:v", &count, "-sws_flags", "bilinear+accurate_rnd"].map(Into::into));
        arguments
            .extend(["-c:v", "ppm", "-pix_fmt", "rgb24", "-f", "image2pipe", "-"].map(Into::into));
        Ok(self.ffmpeg.run(arguments, &[], self.limit)?)
    }
}

/// What ffmpeg's framecrc says of a stream: a line `#tb 0: 1/12800`, then a packet a line, its stream, two times,
/// its duration, bytes and sum.
#[derive(Debug, PartialEq)]
struct Listing {
    /// Frames that are shown.
    shown: u64,
    /// Frames a second, on the average; nothing where no packet says how long it is shown.
    rate: Option<f64>,
}

impl Listing {
    fn read(text: &str) -> Self {
        let tick = text.lines().find_map(|line| line.strip_prefix("#tb 0: ")?.split_once('/'));
        let tick = tick.and_then(|(a, b)| Some(a.parse::<f64>().ok()? / b.parse::<f64>().ok()?));
        let shown: Vec<&str> = text.lines().filter(|line| is_shown(line)).collect();
        let ticks = |line: &&str| line.split(',').nth(3)?.trim().parse::<f64>().ok();
        let seconds = shown.iter().filter_map(ticks).sum::<f64>() * tick.unwrap_or(0.0);
        let rate = (seconds > 0.0).then(|| shown.len() as f64 / seconds);
        Self { shown: shown.len() as u64, rate }
    }
}

/// Whether a line of framecrc is a packet whose frame is shown. What an edit list cuts off at the
/// start is decoded but never comes out: `AV_PKT_FLAG_DISCARD` in `F=`, which is left out for a
/// plain key frame.
fn is_shown(line: &str) -> bool {
    const DISCARD: u32 = 0x4;
    let flags = line.split(", ").find_map(|field| field.strip_prefix("F=0x"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags, 16).ok()).unwrap_or(0);
    !line.is_empty() && !line.starts_with('#') && flags & DISCARD == 0
}

/// Of a frame: 4096 × 2304. All frames of a record are in memory at one time, 27 MiB each; a header can
/// claim much more than that.
const PIXELS_MAX: &str = "9437184";

/// `file:` keeps a name with a colon from being read as a protocol. One thread: files are decoded
/// in parallel. `-xerror`: without it ffmpeg conceals damage and ends with success.
fn input_arguments(file: &Path) -> Vec<std::ffi::OsString> {
    let mut url = std::ffi::OsString::from("file:");
    url.push(file);
    let before = ["-xerror", "-threads", "1", "-max_pixels", PIXELS_MAX, "-i"].map(Into::into);
    before.into_iter().chain([url]).chain(["-map", "0:v:0"].map(Into::into)).collect()
}

/// Reads binary PPM pictures, back to back.
fn read_pictures(mut bytes: &[u8]) -> Option<Vec<Picture>> {
    let mut pictures = Vec::new();
    while !bytes.is_empty() {
        let (picture, rest) = read_picture(bytes)?;
        pictures.push(picture);
        bytes = rest;
    }
    Some(pictures)
}

/// `P6\n<width> <height>\n255\n` and `width * height * 3` bytes.
fn read_picture(bytes: &[u8]) -> Option<(Picture, &[u8])> {
    let mut lines = bytes.splitn(4, |b| *b == b'\n');
    let (magic, size) = (lines.next()?, std::str::from_utf8(lines.next()?).ok()?);
    let (depth, rest) = (lines.next()?, lines.next()?);
    let (width, height) = size.split_once(' ')?;
    let (width, height): (u32, u32) = (width.parse().ok()?, height.parse().ok()?);
    if magic != b"P6" || depth != b"255" || width == 0 || height == 0 {
        return None;
    }
    let (rgb, rest) = rest.split_at_checked(width as usize * height as usize * 3)?;
    Some((Picture { width, height, rgb: rgb.to_vec() }, rest))
}

fn repeat_last(mut planes: Vec<Vec<u8>>, wanted: u32) -> Option<Vec<u8>> {
    let last = planes.last()?.clone();
    planes.resize(wanted as usize, last);
    Some(planes.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_read_back_to_back() {
        let pictures = read_pictures(b"P6\n1 2\n255\nabcdefP6\n1 1\n255\n\n\n\n").unwrap();
        let first = Picture { width: 1, height: 2, rgb: b"abcdef".to_vec() };
        assert_eq!(pictures, [first, Picture { width: 1, height: 1, rgb: b"\n\n\n".to_vec() }]);
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        for bytes in ["P6\n1 2\n255\nabcde", "P5\n1 1\n255\nabc", "P6\n0 1\n255\n", "P6\n1", "x"] {
            assert_eq!(read_pictures(bytes.as_bytes()), None, "{bytes:?}");
        }
    }

    #[test]
    fn packets_that_are_shown_are_counted() {
        let packet = "0, 0, 0, 512, 4462, 0x0b1512c8";
        let cases = [("", true), (", F=0x0", true), (", F=0x5", false), (", F=0x4, S=1", false)];
        for (flags, shown) in cases {
            assert_eq!(is_shown(&format!("{packet}{flags}")), shown, "{flags}");
        }
        assert!(!is_shown("#tb 0: 1/12800") && !is_shown(""));
    }

    #[test]
    fn the_rate_is_that_of_the_frames_that_are_shown() {
        let packets = "0, 0, 0, 512, 4462, 0x0b\n0, 512, 512, 512, 44, 0x0b, F=0x0\n";
        let listing =
            Listing::read(&format!("#tb 0: 1/12800\n{packets}0, 9, 9, 99, 1, 0x0, F=0x4\n"));
        assert_eq!(listing, Listing { shown: 2, rate: Some(25.0) });
        assert_eq!(Listing::read(packets), Listing { shown: 2, rate: None });
    }

    #[test]
    fn short_clips_repeat_their_last_frame_and_empty_ones_fail() {
        assert_eq!(repeat_last(vec![vec![1], vec![2]], 4), Some(vec![1, 2, 2, 2]));
        assert_eq!(repeat_last(Vec::new(), 4), None);
    }
}
