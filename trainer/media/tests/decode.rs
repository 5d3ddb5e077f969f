//! Decoding real files, and files that are none.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod support;

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dfr_contract::input::{
    ClipSpec, FrameSpec, InputSpec, Preprocessing, RecordSpec, Source, SplitShares,
};
use dfr_contract::pack::Part;
use dfr_media::decode::{DecodeError, Decoder, LIMIT};
use dfr_media::ffmpeg::{Ffmpeg, FfmpegError, SearchPlaces};

use support::{ffmpeg, here};

fn input(frames: u32, height: u32, width: u32, preprocessing: Preprocessing) -> InputSpec {
    let splits = SplitShares { train: 50, validation: 25, holdout: 25 };
    InputSpec {
        record: RecordSpec::clip(frames, FrameSpec { height, width, preprocessing }),
        source: Source::Sample,
        splits,
        leave_out: std::collections::BTreeSet::new(),
        max_per_class: None,
    }
}

fn decode(file: &Path, input: &InputSpec) -> Result<Vec<u8>, DecodeError> {
    let decoder = Decoder { ffmpeg: &ffmpeg(), ask: &here, input, limit: LIMIT };
    decoder.decode(file, Part::Train).map(|decoded| decoded.bytes)
}

/// A lossless clip of 20 frames, 64 × 32, whose frame `n` is grey `n * 10`.
fn grey_ramp(dir: &Path) -> PathBuf {
    let frames: Vec<u8> = (0..20_u8).flat_map(|n| vec![n * 10; 64 * 32]).collect();
    let path = dir.join("name with: a colon.mkv");
    let mut arguments: Vec<std::ffi::OsString> = [
        "-f", "rawvideo", "-pix_fmt", "gray", "-s", "64x32", "-r", "25", "-i", "-", "-c:v", "ffv1",
    ]
    .map(Into::into)
    .into();
    let mut url = std::ffi::OsString::from("file:");
    url.push(&path);
    arguments.push(url);
    ffmpeg().run(arguments, &frames, LIMIT).unwrap();
    path
}

/// Grey level of each frame of a record of `C H W` planes that are all flat.
fn levels(record: &[u8], input: &InputSpec) -> Vec<u8> {
    let frames =
        record.chunks(input.record_shape(Part::Train)[1..].iter().product::<u64>() as usize);
    frames
        .map(|frame| {
            assert!(frame.iter().all(|level| *level == frame[0]), "not flat");
            frame[0]
        })
        .collect()
}

#[test]
fn frames_are_chosen_as_the_style_says_and_brought_to_size() {
    let dir = tempfile::tempdir().unwrap();
    let file = grey_ramp(dir.path());
    let cases = [
        (input(4, 32, 64, Preprocessing::Original), vec![0, 60, 120, 190]),
        (input(4, 16, 16, Preprocessing::Original), vec![0, 60, 120, 190]),
        (input(4, 16, 16, Preprocessing::Benchmark), vec![0, 10, 20, 30]),
    ];
    for (input, expected) in cases {
        let record = decode(&file, &input).unwrap();
        assert_eq!(record.len() as u64, input.record_bytes(Part::Train));
        assert_eq!(levels(&record, &input), expected, "{}", input.name());
    }
}

#[test]
fn a_rate_takes_frames_of_a_longer_time() {
    let dir = tempfile::tempdir().unwrap();
    let file = grey_ramp(dir.path());
    let input = input(4, 16, 16, Preprocessing::Benchmark);
    let RecordSpec::Video(clip) = input.record else { unreachable!() };
    // Of 25 a second: each third, and at last each twelfth, of which there are two.
    for (rate, expected) in [(8, [0, 30, 60, 90]), (2, [0, 120, 120, 120])] {
        let record = RecordSpec::Video(ClipSpec { frame_rate: NonZeroU32::new(rate), ..clip });
        let input = InputSpec { record, ..input.clone() };
        assert_eq!(levels(&decode(&file, &input).unwrap(), &input), expected, "{}", input.name());
    }
}

#[test]
fn a_short_clip_repeats_its_last_frame() {
    let dir = tempfile::tempdir().unwrap();
    let file = grey_ramp(dir.path());
    for style in [Preprocessing::Original, Preprocessing::Benchmark] {
        let input = input(22, 32, 64, style);
        let levels = levels(&decode(&file, &input).unwrap(), &input);
        assert_eq!(levels[18..], [180, 190, 190, 190], "{style:?}");
    }
}

#[test]
fn what_is_no_video_is_refused_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let whole = fs::read(grey_ramp(dir.path())).unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let cases = [
        file("empty.mp4", b""),
        file("text.mp4", b"this is no video"),
        file("cut.mkv", &whole[..100]),
        dir.path().join("absent.mp4"),
    ];
    for path in cases {
        for style in [Preprocessing::Original, Preprocessing::Benchmark] {
            let error = decode(&path, &input(4, 16, 16, style)).unwrap_err().to_string();
            assert!(error.starts_with("cannot decode: ") || error == "no frame in it", "{error}");
        }
    }
}

fn stand_in(name: &str) -> Ffmpeg {
    let named = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name);
    Ffmpeg::find(&SearchPlaces { named: Some(named), ..SearchPlaces::default() }).unwrap()
}

/// That this returns at all shows that the child which holds the pipes was ended, too.
#[test]
fn a_program_that_hangs_is_ended_with_all_it_started() {
    let input = input(4, 16, 16, Preprocessing::Original);
    let limit = Duration::from_millis(100);
    let decoder = Decoder { ffmpeg: &stand_in("hanging_ffmpeg"), ask: &here, input: &input, limit };
    let error = decoder.decode(Path::new("any"), Part::Train).unwrap_err();
    assert!(matches!(error, DecodeError::Ffmpeg(FfmpegError::TimedOut(_))), "{error}");
}

#[test]
fn the_reason_is_the_last_line_that_was_printed() {
    let error = stand_in("failing_ffmpeg").run(["x"], b"unread", LIMIT).unwrap_err();
    assert_eq!(error.to_string(), "the reason");
}

#[test]
fn ffmpeg_is_searched_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/failing_ffmpeg");
    let place = |folder: &str| {
        let folder = dir.path().join(folder);
        fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink(&real, folder.join("ffmpeg")).unwrap();
        folder
    };
    let (on_path, cached) = (place("bin"), place("cache/dfr/ffmpeg-7.0.2"));
    let all = SearchPlaces {
        named: Some(real.clone()),
        path: Some(on_path.into_os_string()),
        cache_home: Some(dir.path().join("cache")),
    };
    let found = |places: &SearchPlaces| format!("{:?}", Ffmpeg::find(places));
    assert!(found(&all).contains("failing_ffmpeg"));
    let no_name = SearchPlaces { named: None, ..all.clone() };
    assert!(found(&no_name).contains("cache/dfr/ffmpeg-7.0.2/ffmpeg"));
    fs::remove_dir_all(cached).unwrap();
    assert!(found(&no_name).contains("bin/ffmpeg"));
    let missing = Ffmpeg::find(&SearchPlaces::default()).unwrap_err().to_string();
    assert!(missing.contains("make setup") && missing.contains("apt-get install ffmpeg"));
    let wrong = SearchPlaces { named: Some(dir.path().join("nothing")), ..all };
    assert!(matches!(Ffmpeg::find(&wrong), Err(FfmpegError::NotExecutable(_))));
}
