use super::*;
use crate::testing::{PackSpec, write_part};

const RECORDS: &str = "records.u8";

fn part() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write_part(dir.path(), &PackSpec { records: 4, shape: &[2, 3, 2, 2] });
    dir
}

/// Breaks one file of a good part and compares the message.
fn check(name: &str, contents: Option<&[u8]>, message: &str) {
    let dir = part();
    let path = dir.path().join(name);
    match contents {
        Some(contents) => fs::write(&path, contents).unwrap(),
        None => fs::remove_file(&path).unwrap(),
    }
    let Err(error) = Part::open(dir.path()) else { panic!("accepted {name} = {contents:?}") };
    let error = error.to_string();
    assert!(error.contains(path.to_str().unwrap()), "{error}");
    assert!(error.contains(message), "{error}");
    assert!(error.ends_with("run `dfr prepare`"), "{error}");
}

fn header(version: u32, records: u64, shape: &str) -> Vec<u8> {
    format!(r#"{{"version":{version},"modality":"video","records":{records},"shape":{shape}}}"#)
        .into_bytes()
}

#[test]
fn reads_what_was_written() {
    let dir = part();
    let part = Part::open(dir.path()).unwrap();
    assert_eq!((part.len(), part.shape()), (4, vec![2, 3, 2, 2]));
    assert_eq!(part.labels().unwrap(), [0, 1, 0, 1]);
    let all = fs::read(dir.path().join(RECORDS)).unwrap();
    assert_eq!(part.record(1), &all[24..48]);
}

#[test]
fn refuses_a_broken_part() {
    check(file::PART, None, "cannot read");
    check(file::PART, Some(b"{"), "is no part header");
    check(file::PART, Some(&header(99, 4, "[2,3,2,2]")), "layout version 99");
    check(file::PART, Some(&header(VERSION, 0, "[2,3,2,2]")), "0 records");
    check(file::PART, Some(&header(VERSION, 4, "[2,1,2,2]")), "shape [2, 1, 2, 2]");
    check(file::PART, Some(&header(VERSION, 4, "[2,3,2,99999]")), "shape [2, 3, 2, 99999]");
}

#[test]
fn a_size_past_all_numbers_is_a_wrong_size() {
    let dir = part();
    fs::write(dir.path().join(file::PART), header(VERSION, u64::MAX, "[9999,3,9999,9999]"))
        .unwrap();
    assert!(matches!(Part::open(dir.path()), Err(PackError::Size { expected: u64::MAX, .. })));
}

#[test]
fn refuses_broken_records_and_labels() {
    check(RECORDS, None, "cannot read");
    check(RECORDS, Some(&[0; 95]), "has 95 bytes and its header says 96");
    check(file::LABELS, Some(&[0, 1, 0]), "has 3 bytes and its header says 4");
    check(file::LABELS, Some(&[0, 1, 2, 1]), "label 2 for record 2");
}

#[test]
fn a_part_without_labels_opens_but_cannot_be_trained_on() {
    let dir = part();
    fs::remove_file(dir.path().join(file::LABELS)).unwrap();
    let error = Part::open(dir.path()).unwrap().labels().unwrap_err().to_string();
    assert!(error.contains("holds no labels: train on the pack's train part"), "{error}");
}

/// Two sounds of six stored samples, of which four are fed; the second is three samples long.
fn sound(lengths: &[u32]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let header =
        r#"{"version":2,"modality":"audio","records":2,"shape":[6],"window":4,"dtype":"i16"}"#;
    fs::write(dir.path().join(file::PART), header).unwrap();
    let samples: Vec<u8> = (0..12i16).flat_map(i16::to_le_bytes).collect();
    fs::write(dir.path().join("records.i16"), samples).unwrap();
    fs::write(dir.path().join(file::LABELS), [0, 1]).unwrap();
    let lengths: Vec<u8> = lengths.iter().flat_map(|n| n.to_le_bytes()).collect();
    fs::write(dir.path().join(file::LENGTHS), lengths).unwrap();
    dir
}

#[test]
fn of_a_longer_sound_a_window_is_fed() {
    let dir = sound(&[6, 3]);
    let part = Part::open(dir.path()).unwrap();
    assert_eq!((part.len(), part.shape(), part.dtype()), (2, vec![4], Dtype::I16));
    assert_eq!((part.starts(0), part.starts(1)), (0..=2, 0..=0));
    let fed = |index, start| {
        let (pairs, _) = part.fed(index, start).as_chunks::<2>();
        pairs.iter().map(|&pair| i16::from_le_bytes(pair)).collect::<Vec<_>>()
    };
    assert_eq!((fed(0, 2), fed(1, 0)), (vec![2, 3, 4, 5], vec![6, 7, 8, 9]));
}

#[test]
fn refuses_sounds_without_their_true_lengths() {
    for (lengths, message) in [
        (&[6][..], "has 4 bytes and its header says 8"),
        (&[6, 7], "has length 7 for record 1 of 6 samples"),
        (&[0, 6], "has length 0 for record 0"),
    ] {
        let Err(error) = Part::open(sound(lengths).path()) else { panic!("{lengths:?}") };
        assert!(error.to_string().contains(message), "{error}");
    }
}
