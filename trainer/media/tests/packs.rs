//! Packs of real clips: the layout, what is left out, and what is made again.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod support;
#[path = "support/tree.rs"]
mod tree;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use dfr_contract::input::{FrameSpec, InputSpec, Preprocessing, RecordSpec, Source, SplitShares};
use dfr_contract::modality::Modality;
use dfr_contract::pack::{Part, PartHeader};
use dfr_media::catalogue::{self, CatalogueError};
use dfr_media::decode::{Decoder, LIMIT};
use dfr_media::ffmpeg::{Ffmpeg, FfmpegError, SearchPlaces};
use dfr_media::pack::plan::{Item, Plan};
use dfr_media::pack::read::{labels_path, packs_dir, read_complete};
use dfr_media::pack::write::{Pack, PackError, write};
use dfr_media::pack::{gather, plan};
use dfr_media::sample::write::{Made, make};
use dfr_media::sample::{SampleSet, Subject};
use dfr_media::vault::Vault;

use rand::{Rng as _, SeedableRng as _};
use support::{ffmpeg, here};

const SET: SampleSet = SampleSet { modality: Modality::Video, recordings: 2 };

fn square(side: u32, preprocessing: Preprocessing) -> FrameSpec {
    FrameSpec { height: side, width: side, preprocessing }
}

fn input() -> InputSpec {
    let splits = SplitShares { train: 50, validation: 25, holdout: 25 };
    InputSpec {
        record: RecordSpec::clip(2, square(24, Preprocessing::Original)),
        source: Source::Sample,
        splits,
        leave_out: BTreeSet::new(),
        max_per_class: None,
    }
}

fn plan_of(vault: &Vault, input: &InputSpec) -> Plan {
    let entries = catalogue::read_entries(vault.root(), Modality::Video, None).unwrap();
    let gathered = gather(vault.root(), Modality::Video, &entries).unwrap();
    Plan::new(Modality::Video, input, gathered, &vault.secret().unwrap()).unwrap()
}

fn items(root: &Path) -> Vec<Item> {
    plan_of(&Vault::open(root).unwrap(), &input()).items
}

fn pack(root: &Path, input: &InputSpec) -> Result<Pack, PackError> {
    let vault = Vault::open(root).unwrap();
    let decoder = Decoder { ffmpeg: &ffmpeg(), ask: &here, input, limit: LIMIT };
    write(&vault, &plan_of(&vault, input), &decoder, &|| ())
}

/// A copy of a sample set that is made once.
fn sample() -> tempfile::TempDir {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(make(root.path(), SET, &ffmpeg(), &|| ()).unwrap(), Made::Now);
        root
    });
    let root = tempfile::tempdir().unwrap();
    tree::copy_tree(made.path(), root.path());
    root
}

fn clip(root: &Path, dataset: &str) -> PathBuf {
    catalogue::dataset_dir(root, Modality::Video, dataset).join("000000.mp4")
}

fn part_header(pack: &Path, part: Part) -> PartHeader {
    serde_json::from_slice(&fs::read(pack.join(part.as_str()).join("part.json")).unwrap()).unwrap()
}

type Id = Vec<String>;

/// Part, record, data set, file, recording and hash of every record.
fn ids(pack: &Path) -> Vec<Id> {
    let text = fs::read_to_string(pack.join("vault/ids.tsv")).unwrap();
    text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// Every record is what its file decodes to, and has its file's label.
fn check_records(root: &Path, pack: &Path) {
    let ids = ids(pack);
    let decoder = Decoder { ffmpeg: &ffmpeg(), ask: &here, input: &input(), limit: LIMIT };
    for part in Part::ALL {
        let header = part_header(pack, part);
        let records = fs::read(pack.join(part.as_str()).join("records.u8")).unwrap();
        let labels = fs::read(labels_path(pack, part)).unwrap();
        let of_part: Vec<_> = ids.iter().filter(|id| id[0] == part.as_str()).collect();
        assert_eq!((labels.len(), of_part.len()), (header.records as usize, labels.len()));
        assert_eq!(records.len() as u64, header.records * header.record_bytes());
        for (index, id) in of_part.iter().enumerate() {
            assert_eq!(id[1], index.to_string());
            assert_eq!(labels[index], u8::from(id[2].ends_with("-synthetic")));
            let file = catalogue::dataset_dir(root, Modality::Video, &id[2]).join(&id[3]);
            let stride = header.record_bytes() as usize;
            assert!(
                records[index * stride..][..stride] == decoder.decode(&file, part).unwrap().bytes
            );
        }
    }
}

#[test]
fn records_labels_and_ids_belong_together_and_no_part_shares_a_recording() {
    let root = sample();
    let pack = pack(root.path(), &input()).unwrap();
    check_records(root.path(), &pack.dir);
    let ids = ids(&pack.dir);
    assert_eq!(ids.len(), 24);
    let parts = |recording: &str| -> Vec<&str> {
        let of_recording = ids.iter().filter(|id| id[4] == recording);
        of_recording.map(|id| id[0].as_str()).collect()
    };
    for subject in Subject::all(Modality::Video) {
        let parts = parts(&subject.recording(0));
        assert!(parts.len() == 2 && parts[0] == parts[1], "{subject:?} {parts:?}");
    }
}

/// The same clip in another encoding, as a file that no manifest knows.
fn encode_again(from: &Path, to: &Path) {
    let name = |path: &Path| format!("file:{}", path.display());
    let arguments = ["-y", "-i", &name(from), "-c:v", "libx264", "-crf", "20", &name(to)];
    ffmpeg().run(arguments, &[], LIMIT).unwrap();
}

fn duplicates(pack: &Pack) -> Vec<(&str, &str)> {
    let left_out = pack.header.left_out.iter();
    left_out.map(|l| (l.file.as_str(), l.duplicate_of.as_deref().unwrap_or("none"))).collect()
}

#[test]
fn what_shows_the_same_as_something_earlier_is_left_out_and_stays_so_when_data_is_added() {
    let root = sample();
    let first = pack(root.path(), &input()).unwrap();
    assert_eq!(duplicates(&first), [], "no two recordings of the sample set are alike");
    let original = clip(root.path(), "sample-shapes-real");
    // A name that would come first, had it not come later.
    let copy = clip(root.path(), "sample-fields-synthetic").with_file_name("-copy.mp4");
    encode_again(&original, &copy);
    let second = pack(root.path(), &input()).unwrap();
    let [(left_out, twin)] = duplicates(&second)[..] else {
        panic!("{:?}", second.header.left_out)
    };
    assert_eq!(left_out, "sample-fields-synthetic/-copy.mp4");
    // Either twin: they show the same.
    assert!(twin.starts_with("sample-shapes-") && twin.ends_with("/000000.mp4"), "{twin}");
    let reason = &second.header.left_out[0].reason;
    assert_eq!(reason.ends_with("of the other class"), twin.contains("real"), "{reason}");
    check_records(root.path(), &second.dir);
    assert_eq!(ids(&second.dir), ids(&first.dir), "the others stay where they were");
    fs::copy(&original, copy.with_file_name("-same.mp4")).unwrap();
    let third = pack(root.path(), &input()).unwrap();
    let same = "sample-fields-synthetic/-same.mp4";
    let both: BTreeSet<&str> = duplicates(&third).into_iter().map(|(file, _)| file).collect();
    assert_eq!(both, BTreeSet::from([left_out, same]));
    assert!(pack(root.path(), &input()).unwrap().reused);
    // What is gone cannot be repeated: the first of the copies takes its place.
    for twin in ["sample-shapes-real", "sample-shapes-synthetic"] {
        fs::remove_file(clip(root.path(), twin)).unwrap();
    }
    let fourth = pack(root.path(), &input()).unwrap();
    assert_eq!(duplicates(&fourth), [(same, left_out)]);
}

#[test]
fn labels_outside_train_and_names_are_in_the_vault_only() {
    let root = sample();
    let pack = pack(root.path(), &input()).unwrap();
    let vault = pack.dir.join("vault");
    assert_eq!(fs::metadata(&vault).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(pack.dir.join("train/labels.u8").exists());
    for part in ["validation", "holdout"] {
        let names: Vec<_> = fs::read_dir(pack.dir.join(part)).unwrap().collect();
        assert_eq!(names.len(), 2, "{part}: part.json and records.u8");
        assert!(vault.join(format!("{part}.labels.u8")).exists());
    }
    let current = fs::read_link(pack.dir.with_file_name("current")).unwrap();
    assert_eq!(current, Path::new(&pack.header.content));
}

#[test]
fn vaults_are_for_their_owner_and_what_a_trainer_gets_has_one_time_and_mode() {
    let root = sample();
    let pack = pack(root.path(), &input()).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let mut vaults = vec![root.path().join("vault"), pack.dir.join("vault")];
    while let Some(dir) = vaults.pop() {
        assert_eq!(mode(&dir), 0o700, "{}", dir.display());
        for path in fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                vaults.push(path);
            } else {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
            }
        }
    }
    assert!(root.path().join("vault/fingerprints/video-2x24x24-original.tsv").is_file());
    for part in Part::ALL {
        let dir = pack.dir.join(part.as_str());
        let files = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
        for path in files.chain([dir.clone()]) {
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            assert_eq!(modified, std::time::UNIX_EPOCH, "{}", path.display());
            assert_eq!(mode(&path), if path.is_dir() { 0o755 } else { 0o644 });
        }
    }
}

#[test]
fn two_roots_with_the_same_data_have_the_same_parts_in_another_order() {
    let [one, other] = [(); 2].map(|()| {
        let root = sample();
        pack(root.path(), &input()).map(|pack| (pack.header.content, ids(&pack.dir))).unwrap()
    });
    assert_ne!(one.0, other.0);
    assert_ne!(one.1, other.1);
    let parts = |ids: &[Id]| -> BTreeSet<[String; 3]> {
        ids.iter().map(|id| [0, 2, 3].map(|column| id[column].clone())).collect()
    };
    assert_eq!(parts(&one.1), parts(&other.1));
}

/// A data set whose names were chosen, with the key in hand, so that real files stand first.
fn ordered_by_class(root: &Path) -> InputSpec {
    let secret = Vault::open(root).unwrap().secret().unwrap();
    let entry = |name: &str, media_type: &str| {
        let entry = serde_json::json!({"name": name, "path": "p", "media_type": media_type});
        serde_json::from_value(entry).unwrap()
    };
    let classes = [("a", "real", false), ("b", "synthetic", true)];
    for (name, _, late) in classes {
        let folder = catalogue::dataset_dir(root, Modality::Video, name);
        fs::create_dir_all(&folder).unwrap();
        let files = (0..).map(|n| format!("{n:06}.mp4"));
        let chosen =
            files.filter(|file| (secret.order(&format!("{name}/{file}"))[0] >= 128) == late);
        for file in chosen.take(225) {
            fs::write(folder.join(&file), format!("{name}/{file}")).unwrap();
        }
    }
    let entries = classes.map(|(name, media_type, _)| entry(name, media_type));
    catalogue::write_entries(root, Modality::Video, &entries).unwrap();
    let splits = SplitShares { train: 4, validation: 96, holdout: 0 };
    InputSpec { record: RecordSpec::clip(1, square(1, Preprocessing::Original)), splits, ..input() }
}

#[test]
fn a_pack_whose_order_tells_the_class_is_refused_and_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let input = ordered_by_class(root.path());
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/quick_ffmpeg");
    let ffmpeg = Ffmpeg::find(&SearchPlaces { named: Some(program), ..SearchPlaces::default() });
    let decoder = Decoder { ffmpeg: &ffmpeg.unwrap(), ask: &here, input: &input, limit: LIMIT };
    let attempt = || {
        let vault = Vault::open(root.path()).unwrap();
        write(&vault, &plan_of(&vault, &input), &decoder, &|| ())
    };
    let error = attempt().unwrap_err();
    assert!(matches!(error, PackError::Tells { .. }), "{error}");
    let error = error.to_string();
    assert!(error.contains("audit of validation") && error.contains("FAILED"), "{error}");
    assert!(error.contains("vault/shuffle.key"), "{error}");
    let packs = packs_dir(root.path(), Modality::Video, &input.name());
    assert_eq!(fs::read_dir(packs).unwrap().count(), 0);
    // The way out that the message names: with another key the names tell nothing.
    fs::remove_file(root.path().join("vault/shuffle.key")).unwrap();
    let pack = attempt().unwrap();
    assert!(pack.audit.findings[0].auc.is_some() && pack.audit.passes());
}

#[test]
fn a_file_that_cannot_be_decoded_is_named_counted_and_left_out() {
    let root = sample();
    fs::write(clip(root.path(), "sample-waves-real"), "no video").unwrap();
    let pack = pack(root.path(), &input()).unwrap();
    let left_out = &pack.header.left_out;
    assert_eq!(left_out.len(), 1);
    assert_eq!(left_out[0].file, "sample-waves-real/000000.mp4");
    assert!(left_out[0].reason.starts_with("cannot decode"), "{}", left_out[0].reason);
    let records: u64 = Part::ALL.map(|part| part_header(&pack.dir, part).records).iter().sum();
    assert_eq!(records, 23);
}

#[test]
fn an_odd_entry_is_left_out_with_a_reason_and_the_rest_is_packed() {
    let root = sample();
    let clean = pack(root.path(), &input()).unwrap().header.content;
    let folder = clip(root.path(), "sample-waves-real").parent().unwrap().to_owned();
    fs::create_dir(folder.join("folder.mp4")).unwrap();
    std::os::unix::fs::symlink("nothing", folder.join("link.mp4")).unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"odd\xff.mp4");
    fs::copy(folder.join("000000.mp4"), folder.join(odd)).unwrap();
    let made = pack(root.path(), &input()).unwrap();
    let left_out: Vec<_> = made.header.left_out.iter().map(|l| l.file.as_str()).collect();
    let names = ["folder.mp4", "link.mp4", "odd\u{fffd}.mp4"];
    assert_eq!(left_out, names.map(|name| format!("sample-waves-real/{name}")));
    assert_ne!(made.header.content, clean);
    assert!(pack(root.path(), &input()).unwrap().reused);
}

/// A pack that another machine, or another day, left files out of.
#[test]
fn a_pack_that_lost_a_file_for_want_of_time_has_another_name_and_is_made_again() {
    let root = sample();
    let whole = pack(root.path(), &input()).unwrap();
    fs::write(clip(root.path(), "sample-waves-real"), "no video").unwrap();
    let lossy = pack(root.path(), &input()).unwrap();
    assert_ne!(lossy.header.content, whole.header.content);
    assert!(pack(root.path(), &input()).unwrap().reused, "corrupt stays corrupt");
    let mut header = lossy.header;
    header.left_out[0].reason = FfmpegError::TimedOut(LIMIT).to_string();
    fs::write(lossy.dir.join("pack.json"), serde_json::to_vec(&header).unwrap()).unwrap();
    assert!(!pack(root.path(), &input()).unwrap().reused);
}

/// Cut in half, and all but the first quarter replaced by seeded noise.
fn damaged(whole: &[u8]) -> [Vec<u8>; 2] {
    let mut noise = whole.to_vec();
    rand_chacha::ChaCha8Rng::seed_from_u64(1).fill_bytes(&mut noise[whole.len() / 4..]);
    [whole[..whole.len() / 2].to_vec(), noise]
}

#[test]
fn a_clip_that_is_cut_or_garbled_is_left_out_and_a_whole_one_is_not() {
    let root = sample();
    let file = clip(root.path(), "sample-waves-real");
    let whole = fs::read(&file).unwrap();
    for preprocessing in [Preprocessing::Original, Preprocessing::Benchmark] {
        let input =
            InputSpec { record: RecordSpec::clip(16, square(24, preprocessing)), ..input() };
        let decoder = Decoder { ffmpeg: &ffmpeg(), ask: &here, input: &input, limit: LIMIT };
        assert!(decoder.decode(&file, Part::Train).is_ok(), "{preprocessing:?}");
        for bytes in damaged(&whole) {
            fs::write(&file, bytes).unwrap();
            assert!(decoder.decode(&file, Part::Train).is_err(), "{preprocessing:?}");
            let left_out = pack(root.path(), &input).unwrap().header.left_out;
            assert_eq!(left_out.len(), 1);
            assert_eq!(left_out[0].file, "sample-waves-real/000000.mp4");
        }
        fs::write(&file, &whole).unwrap();
    }
}

#[test]
fn a_pack_is_reused_while_whole_made_again_when_damaged_and_anew_for_other_bytes() {
    let root = sample();
    let first = pack(root.path(), &input()).unwrap();
    assert!(!first.reused && pack(root.path(), &input()).unwrap().reused);
    let records = first.dir.join("train/records.u8");
    let whole = fs::read(&records).unwrap();
    fs::write(&records, &whole[1..]).unwrap();
    assert!(read_complete(&first.dir).is_none());
    let again = pack(root.path(), &input()).unwrap();
    assert!(!again.reused && again.dir == first.dir);
    assert!(fs::read(&records).unwrap() == whole, "the same input gives the same bytes");
    // The same bytes with a time of their own are made again too.
    let header = first.dir.join("validation/part.json");
    fs::write(&header, fs::read(&header).unwrap()).unwrap();
    assert!(!pack(root.path(), &input()).unwrap().reused);
    let (from, to) = ("sample-fields-real", "sample-shapes-real");
    fs::copy(clip(root.path(), from), clip(root.path(), to)).unwrap();
    let other = pack(root.path(), &input()).unwrap();
    assert!(!other.reused && other.dir != first.dir);
    assert_eq!(
        fs::read_link(first.dir.with_file_name("current")).unwrap(),
        other.dir.file_name().unwrap()
    );
}

#[test]
fn too_little_data_and_none_are_refused_and_leave_nothing() {
    let root = sample();
    let all_train = SplitShares { train: 100, validation: 0, holdout: 0 };
    let input = InputSpec { splits: all_train, ..input() };
    let error = pack(root.path(), &input).unwrap_err().to_string();
    assert!(error.starts_with("validation would be empty: 12 recordings"), "{error}");
    let packs = packs_dir(root.path(), Modality::Video, &input.name());
    let left: Vec<_> =
        fs::read_dir(packs).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
    let nothing = gather(root.path(), Modality::Video, &[]);
    assert!(matches!(nothing, Err(CatalogueError::NoData { .. })));
}

#[test]
fn a_part_of_one_class_is_refused_with_its_counts() {
    let root = sample();
    let mut entries = catalogue::read_entries(root.path(), Modality::Video, None).unwrap();
    entries.iter_mut().for_each(|entry| entry.media_type = Some("real".into()));
    catalogue::write_entries(root.path(), Modality::Video, &entries).unwrap();
    let error = pack(root.path(), &input()).unwrap_err();
    let PackError::OneClass { part: Part::Train, counts: [_, 0] } = error else {
        panic!("{error}")
    };
    let packs = packs_dir(root.path(), Modality::Video, &input().name());
    assert!(!packs.join("current").exists());
}

#[test]
fn the_sample_set_is_complete_goes_on_where_it_stopped_and_has_the_same_bytes() {
    let root = sample();
    assert_eq!(make(root.path(), SET, &ffmpeg(), &|| ()).unwrap(), Made::Already);
    let before = items(root.path());
    let lost = clip(root.path(), "sample-walkers-synthetic");
    fs::remove_file(&lost).unwrap();
    fs::remove_file(lost.with_file_name(".download_complete")).unwrap();
    assert_eq!(make(root.path(), SET, &ffmpeg(), &|| ()).unwrap(), Made::Now);
    assert_eq!(items(root.path()), before);
    let smaller = SampleSet { recordings: 1, ..SET };
    assert_eq!(make(root.path(), smaller, &ffmpeg(), &|| ()).unwrap(), Made::Now);
    let items = items(root.path());
    assert_eq!(items.len(), 12, "clips of another set are replaced");
    assert_eq!(plan::count_sources(items.iter()).len(), 12);
}
