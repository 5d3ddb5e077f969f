use super::*;

const SPLITS: SplitShares = SplitShares { train: 80, validation: 10, holdout: 10 };
const FRAME: FrameSpec =
    FrameSpec { height: 96, width: 96, preprocessing: Preprocessing::Original };
const SOUND: SoundSpec =
    SoundSpec { sample_rate_hz: 16_000, samples: 96_000, stored_samples: 160_000 };

fn of(record: RecordSpec) -> InputSpec {
    InputSpec {
        record,
        source: Source::Sample,
        splits: SPLITS,
        leave_out: BTreeSet::new(),
        max_per_class: None,
    }
}

fn input() -> InputSpec {
    of(RecordSpec::clip(8, FRAME))
}

#[test]
fn an_option_stands_in_the_name_and_in_the_text_only_when_it_is_used() {
    let plain = input();
    assert_eq!(plain.name(), "8x96x96-original-80-10-10");
    let text = serde_json::to_string(&plain).unwrap();
    assert!(!text.contains("leave_out") && !text.contains("max_per_class"), "{text}");
    assert_eq!(serde_json::from_str::<InputSpec>(&text).unwrap(), plain);
    let capped = InputSpec { max_per_class: NonZeroU32::new(2000), ..input() };
    assert_eq!(capped.name(), "8x96x96-original-80-10-10-max2000");
}

#[test]
fn the_name_tells_left_out_sources_apart_whatever_their_order() {
    let without = |names: &[&str]| {
        let leave_out = names.iter().map(|name| (*name).to_owned()).collect();
        InputSpec { leave_out, ..input() }.name()
    };
    assert_eq!(without(&["a", "b"]), without(&["b", "a"]));
    let names = [without(&["a", "b"]), without(&["ab"]), without(&["a"]), without(&[])];
    let different: BTreeSet<&String> = names.iter().collect();
    assert_eq!(different.len(), names.len());
    // The hash of "a" and a zero by FNV-1a, 64 bits.
    assert!(names[2].ends_with("-without-089be207b544f1e4"), "{}", names[2]);
}

#[test]
fn each_kind_has_its_shape_type_and_name() {
    let (image, audio) = (of(RecordSpec::Image(FRAME)), of(RecordSpec::Audio(SOUND)));
    let kinds = [&image, &input(), &audio].map(InputSpec::modality);
    assert_eq!(kinds, Modality::ALL);
    assert_eq!(image.record_shape(Part::Train), [3, 96, 96]);
    assert_eq!(input().record_shape(Part::Holdout), [8, 3, 96, 96]);
    assert_eq!(audio.record_shape(Part::Train), [160_000]);
    assert_eq!(audio.record_shape(Part::Validation), [96_000]);
    let windows = [Part::Train, Part::Validation].map(|part| audio.window(part));
    assert_eq!((windows, image.window(Part::Train)), ([Some(96_000), None], None));
    assert_eq!((image.dtype(), audio.dtype()), (Dtype::U8, Dtype::I16));
    assert_eq!(image.name(), "96x96-original-80-10-10");
    assert_eq!(audio.name(), "96000of160000-16000hz-80-10-10");
}

#[test]
fn every_kind_is_read_as_it_is_written() {
    let benchmark = FrameSpec { preprocessing: Preprocessing::Benchmark, ..FRAME };
    let rate = NonZeroU32::new(8);
    let sampled = RecordSpec::Video(ClipSpec { frames: 8, frame_rate: rate, frame: benchmark });
    assert_eq!(of(sampled).name(), "8x96x96-benchmark-8fps-80-10-10");
    assert_eq!(sampled.to_string(), "8 frames of 96 x 96, 8 a second");
    let clip = RecordSpec::clip(8, FRAME);
    for record in [RecordSpec::Image(FRAME), clip, sampled, RecordSpec::Audio(SOUND)] {
        let text = serde_json::to_string(&of(record)).unwrap();
        assert_eq!(serde_json::from_str::<InputSpec>(&text).unwrap(), of(record), "{text}");
    }
}

#[test]
fn what_makes_no_record_is_refused_with_the_reason() {
    let read = |fields: &str| {
        let rest =
            r#""source": "sample", "splits": {"train": 80, "validation": 10, "holdout": 10}"#;
        serde_json::from_str::<InputSpec>(&format!("{{{fields}, {rest}}}")).unwrap_err().to_string()
    };
    let cases = [
        (r#""height": 9, "width": 9"#, "height, width and preprocessing"),
        (r#""frames": 9, "sample_rate_hz": 9, "samples": 9"#, "height, width and preprocessing"),
        (r#""height": 0, "width": 9, "preprocessing": "original""#, "height must be at least 1"),
        (
            r#""frames": 0, "height": 9, "width": 9, "preprocessing": "original""#,
            "frames must be at least 1",
        ),
        (r#""sample_rate_hz": 9, "samples": 0"#, "samples must be at least 1"),
        (
            r#""sample_rate_hz": 9, "samples": 9, "stored_samples": 8"#,
            "stored_samples (8) must not be less than samples (9)",
        ),
        (
            r#""frames": 9, "frame_rate": 8, "height": 9, "width": 9, "preprocessing": "original""#,
            "frame_rate goes with preprocessing = \"benchmark\"",
        ),
        (
            r#""frame_rate": 8, "height": 9, "width": 9, "preprocessing": "benchmark""#,
            "frames too and perhaps frame_rate",
        ),
        (r#""hight": 9"#, "unknown field `hight`"),
    ];
    for (fields, reason) in cases {
        let error = read(fields);
        assert!(error.contains(reason), "{fields}: {error}");
    }
}
