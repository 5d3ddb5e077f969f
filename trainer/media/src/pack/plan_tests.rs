use super::*;
use dfr_contract::input::{FrameSpec, Preprocessing, RecordSpec, Source, SplitShares};
use std::num::NonZeroU32;
use std::path::PathBuf;

const FRAME: FrameSpec = FrameSpec { height: 4, width: 4, preprocessing: Preprocessing::Original };

fn input() -> InputSpec {
    InputSpec {
        record: RecordSpec::clip(2, FRAME),
        source: Source::Sample,
        splits: SplitShares { train: 50, validation: 25, holdout: 25 },
        leave_out: BTreeSet::new(),
        max_per_class: None,
    }
}

fn entry(name: &str, media_type: &str) -> Entry {
    Entry {
        name: name.to_owned(),
        path: "p".to_owned(),
        media_type: Some(media_type.to_owned()),
        ..Entry::default()
    }
}

/// `count` recordings, each in a real and a synthetic data set.
fn files(count: usize) -> Vec<(Entry, MediaFile, String)> {
    let one = |name: &str, media_type, i: usize| {
        let file = MediaFile {
            path: PathBuf::from("x"),
            dataset: name.to_owned(),
            file: format!("{i:06}.mp4"),
            recording: format!("scene/{i}"),
        };
        (entry(name, media_type), file, format!("hash {name} {i}"))
    };
    (0..count).flat_map(|i| [one("a-real", "real", i), one("b-fake", "semisynthetic", i)]).collect()
}

fn plan(files: Vec<(Entry, MediaFile, String)>) -> Plan {
    planned(&input(), files)
}

fn planned(input: &InputSpec, files: Vec<(Entry, MediaFile, String)>) -> Plan {
    with_secret(input, files, &[1; 32]).unwrap()
}

fn with_secret(
    input: &InputSpec,
    files: Vec<(Entry, MediaFile, String)>,
    secret: &[u8; 32],
) -> Result<Plan, PlanError> {
    let gathered = Gathered { files, left_out: Vec::new() };
    Plan::new(Modality::Video, input, gathered, &Secret::new(secret))
}

fn content(plan: &Plan) -> String {
    content_hash(plan, &[])
}

#[test]
fn twins_share_a_part_and_labels_follow_the_media_type() {
    let plan = plan(files(100));
    for item in &plan.items {
        let twin = plan.items.iter().find(|i| {
            i.file.recording == item.file.recording && i.file.dataset != item.file.dataset
        });
        assert_eq!(twin.unwrap().part, item.part);
        assert_eq!(item.label, u8::from(item.file.dataset == "b-fake"));
    }
}

#[test]
fn added_files_leave_the_others_in_their_part_and_order() {
    let (few, many) = (plan(files(40)), plan(files(60)));
    let old: Vec<&Item> = many.items.iter().filter(|i| few.items.contains(i)).collect();
    assert_eq!(old, few.items.iter().collect::<Vec<_>>());
}

#[test]
fn the_content_hash_depends_on_bytes_labels_recordings_and_input_but_not_on_order() {
    let base = content(&plan(files(10)));
    let mut backwards = files(10);
    backwards.reverse();
    assert_eq!(content(&plan(backwards)), base);
    let changed = |change: fn(&mut (Entry, MediaFile, String))| {
        let mut files = files(10);
        change(&mut files[3]);
        content(&plan(files))
    };
    assert_ne!(changed(|(_, _, sha256)| sha256.push('x')), base);
    assert_ne!(changed(|(_, file, _)| file.recording.push('x')), base);
    assert_ne!(changed(|(entry, _, _)| entry.media_type = Some("real".into())), base);
    let other = InputSpec { record: RecordSpec::clip(3, FRAME), ..input() };
    assert_ne!(content(&planned(&other, files(10))), base);
    let left_out =
        LeftOut { file: "a-real/000003.mp4".into(), reason: "x".into(), duplicate_of: None };
    assert_ne!(content_hash(&plan(files(10)), &[left_out]), base);
}

#[test]
fn classes_are_mixed_within_a_part() {
    let plan = plan(files(200));
    let labels: Vec<u8> = plan.part(Part::Train).map(|item| item.label).collect();
    let changes = labels.windows(2).filter(|pair| pair[0] != pair[1]).count();
    // Half of the neighbours differ in a shuffle; sorted by class or alternating would be 1 or all.
    let share = changes as f64 / labels.len() as f64;
    assert!((0.35..0.65).contains(&share), "{share}");
}

#[test]
fn sources_are_counted_by_part() {
    let plan = plan(files(50));
    let sources = count_sources(plan.items.iter());
    assert_eq!(
        sources.iter().map(|s| s.dataset.as_str()).collect::<Vec<_>>(),
        ["a-real", "b-fake"]
    );
    assert_eq!(sources[0].records.iter().sum::<u64>(), 50);
    assert_eq!(sources[0].records, sources[1].records);
    assert_eq!(plan.record_bytes(), 100 * 2 * 3 * 16);
}

#[test]
fn another_secret_gives_another_order_and_name_and_the_same_parts() {
    let [one, other] = [[1; 32], [2; 32]].map(|s| with_secret(&input(), files(100), &s).unwrap());
    assert_ne!(one.items, other.items);
    assert_ne!(content(&one), content(&other));
    let parts = |plan: &Plan| {
        let mut parts: Vec<_> = plan.items.iter().map(|i| (i.file.id(), i.part)).collect();
        parts.sort();
        parts
    };
    assert_eq!(parts(&one), parts(&other));
}

#[test]
fn a_source_that_is_left_out_is_in_holdout_only_and_takes_its_recordings_along() {
    let mut files = files(100);
    // A real recording that the synthetic data set knows nothing of.
    files[0].1.recording = "alone".to_owned();
    let input = InputSpec { leave_out: BTreeSet::from(["b-fake".to_owned()]), ..input() };
    let plan = planned(&input, files);
    for item in &plan.items {
        let alone = item.file.recording == "alone";
        let expected = if alone { split::part_of("alone", &input.splits) } else { Part::Holdout };
        assert_eq!(item.part, expected, "{item:?}");
    }
    assert_ne!(split::part_of("alone", &input.splits), Part::Holdout, "else this shows nothing");
}

#[test]
fn a_misspelt_source_is_refused_with_those_that_are_there() {
    let input = InputSpec { leave_out: BTreeSet::from(["b-fak".to_owned()]), ..input() };
    let error = with_secret(&input, files(3), &[1; 32]).unwrap_err().to_string();
    assert!(error.contains("\"b-fak\"") && error.contains("a-real, b-fake"), "{error}");
}

#[test]
fn a_cut_takes_from_train_only_and_an_added_file_takes_the_place_of_one_at_most() {
    let cut = InputSpec { max_per_class: NonZeroU32::new(10), ..input() };
    let (whole, few, more) = (plan(files(60)), planned(&cut, files(60)), planned(&cut, files(61)));
    assert_eq!(count_classes(few.part(Part::Train)), [10, 10]);
    assert_eq!(few.cut, whole.part(Part::Train).count() - 20);
    for part in [Part::Validation, Part::Holdout] {
        assert!(few.part(part).eq(whole.part(part)), "{part:?}");
    }
    let lost = few.part(Part::Train).filter(|item| !more.items.contains(item)).count();
    assert!(lost <= 2, "{lost}: one file of each class was added");
    assert_ne!(content(&few), content(&whole));
}
