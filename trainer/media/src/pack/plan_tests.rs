use super::*;
use dfr_contract::input::{Preprocessing, Source, SplitShares};
use std::path::PathBuf;

fn input() -> InputSpec {
    InputSpec {
        frames: 2,
        height: 4,
        width: 4,
        preprocessing: Preprocessing::Original,
        source: Source::Sample,
        splits: SplitShares { train: 50, validation: 25, holdout: 25 },
    }
}

fn entry(name: &str, media_type: &str) -> Entry {
    Entry {
        name: name.to_owned(),
        path: "p".to_owned(),
        modality: None,
        media_type: Some(media_type.to_owned()),
        source_format: None,
        media_per_archive: None,
        archives_per_dataset: None,
        notes: None,
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
    Plan::new(Modality::Video, input, Gathered { files, left_out: Vec::new() })
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
    let other = InputSpec { frames: 3, ..input() };
    assert_ne!(content(&planned(&other, files(10))), base);
    let left_out = LeftOut { file: "a-real/000003.mp4".into(), reason: "x".into() };
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
