//! Packs of real pictures and sounds: the layout, what is left out, and what repeats something.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod support;
#[path = "support/tree.rs"]
mod tree;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use dfr_contract::input::{
    FrameSpec, InputSpec, Preprocessing, RecordSpec, SoundSpec, Source, SplitShares,
};
use dfr_contract::modality::Modality;
use dfr_contract::pack::{LeftOut, Part, PartHeader, records_file};
use dfr_media::catalogue::{self, Entry};
use dfr_media::decode::worker::{Ask, Failure};
use dfr_media::decode::{Decoder, LIMIT};
use dfr_media::pack::gather;
use dfr_media::pack::plan::Plan;
use dfr_media::pack::read::labels_path;
use dfr_media::pack::write::{Pack, PackError, write};
use dfr_media::sample::write::make;
use dfr_media::sample::{SampleSet, Subject};
use dfr_media::vault::Vault;

use support::{ffmpeg, here};

const KINDS: [Modality; 2] = [Modality::Image, Modality::Audio];

fn input(modality: Modality) -> InputSpec {
    let frame = FrameSpec { height: 24, width: 24, preprocessing: Preprocessing::Original };
    let sound = SoundSpec { sample_rate_hz: 8000, samples: 8000, stored_samples: 12_000 };
    InputSpec {
        record: match modality {
            Modality::Audio => RecordSpec::Audio(sound),
            _ => RecordSpec::Image(frame),
        },
        source: Source::Sample,
        splits: SplitShares { train: 50, validation: 25, holdout: 25 },
        leave_out: BTreeSet::new(),
        max_per_class: None,
    }
}

fn entries(root: &Path, modality: Modality) -> Vec<Entry> {
    catalogue::read_entries(root, modality, None).unwrap()
}

fn pack_with(root: &Path, modality: Modality, ask: Ask) -> Result<Pack, PackError> {
    let (vault, input) = (Vault::open(root).unwrap(), input(modality));
    let gathered = gather(root, modality, &entries(root, modality)).unwrap();
    let plan = Plan::new(modality, &input, gathered, &vault.secret().unwrap()).unwrap();
    let decoder = Decoder { ffmpeg: &ffmpeg(), ask, input: &input, limit: LIMIT };
    write(&vault, &plan, &decoder, &|| ())
}

fn pack(root: &Path, modality: Modality) -> Pack {
    pack_with(root, modality, &here).unwrap()
}

/// A copy of a sample set of both kinds that is made once.
fn sample() -> tempfile::TempDir {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let root = tempfile::tempdir().unwrap();
        for modality in KINDS {
            let set = SampleSet { modality, recordings: 3 };
            make(root.path(), set, &ffmpeg(), &|| ()).unwrap();
        }
        root
    });
    let root = tempfile::tempdir().unwrap();
    tree::copy_tree(made.path(), root.path());
    root
}

/// A file of the sample set.
fn file(root: &Path, subject: Subject, class: &str, index: u32) -> PathBuf {
    let modality = match subject {
        Subject::Sound(_) => Modality::Audio,
        _ => Modality::Image,
    };
    let folder = format!("sample-{}-{class}", subject.as_str());
    let name = format!("{index:06}.{}", subject.extension(index));
    catalogue::dataset_dir(root, modality, &folder).join(name)
}

fn left_out(pack: &Pack) -> Vec<(String, String)> {
    let line = |l: &LeftOut| (l.file.clone(), l.duplicate_of.clone().unwrap_or_default());
    pack.header.left_out.iter().map(line).collect()
}

fn ids(pack: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(pack.join("vault/ids.tsv")).unwrap();
    text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

#[test]
fn records_labels_lengths_and_ids_belong_together() {
    let root = sample();
    for modality in KINDS {
        let (dir, input) = (pack(root.path(), modality).dir, input(modality));
        let ids = ids(&dir);
        assert_eq!(ids.len(), 36);
        let decoder = Decoder { ffmpeg: &ffmpeg(), ask: &here, input: &input, limit: LIMIT };
        for part in Part::ALL {
            let folder = dir.join(part.as_str());
            let header: PartHeader =
                serde_json::from_slice(&fs::read(folder.join("part.json")).unwrap()).unwrap();
            assert_eq!((header.dtype, header.window), (input.dtype(), input.window(part)));
            assert_eq!(header.shape, input.record_shape(part));
            let records = fs::read(folder.join(records_file(input.dtype()))).unwrap();
            let labels = fs::read(labels_path(&dir, part)).unwrap();
            let lengths = fs::read(folder.join("lengths.u32"));
            assert_eq!(lengths.is_ok(), modality == Modality::Audio && part == Part::Train);
            let lengths = lengths.unwrap_or_default();
            let of_part: Vec<_> = ids.iter().filter(|id| id[0] == part.as_str()).collect();
            assert_eq!((labels.len(), header.records), (of_part.len(), of_part.len() as u64));
            for (index, id) in of_part.iter().enumerate() {
                let path = catalogue::dataset_dir(root.path(), modality, &id[2]).join(&id[3]);
                let decoded = decoder.decode(&path, part).unwrap();
                let stride = header.record_bytes() as usize;
                assert!(records[index * stride..][..stride] == decoded.bytes, "{id:?}");
                assert_eq!(labels[index], u8::from(id[2].ends_with("-synthetic")));
                if let Some(length) = lengths.get(index * 4..index * 4 + 4) {
                    assert_eq!(length, decoded.length.to_le_bytes(), "{id:?}");
                }
            }
        }
    }
}

/// What a download leaves of a file that goes wrong.
fn damaged(whole: &[u8], how: usize) -> &[u8] {
    [&[][..], b"neither", &whole[..40], &whole[..whole.len() / 2]][how]
}

#[test]
fn files_that_are_empty_cut_or_garbled_are_named_and_left_out() {
    let root = sample();
    for (modality, how) in KINDS.into_iter().flat_map(|kind| (0..4).map(move |how| (kind, how))) {
        // Half of an MP3 is an MP3 of half the length: nothing says how long it was.
        let is_damaged = |path: &PathBuf| how < 3 || !path.to_string_lossy().ends_with(".mp3");
        let all = Subject::all(modality).into_iter().map(|s| file(root.path(), s, "real", 0));
        let bad: Vec<PathBuf> = all.filter(is_damaged).collect();
        assert!(bad.len() > 2);
        let whole: Vec<Vec<u8>> = bad.iter().map(|path| fs::read(path).unwrap()).collect();
        for (path, whole) in bad.iter().zip(&whole) {
            fs::write(path, damaged(whole, how)).unwrap();
        }
        let header = pack(root.path(), modality).header;
        let lost = |l: &LeftOut| {
            assert!(l.reason.starts_with("cannot decode: "), "{}", l.reason);
            catalogue::dataset_dir(root.path(), modality, "").join(&l.file)
        };
        let lost: BTreeSet<PathBuf> = header.left_out.iter().map(lost).collect();
        assert_eq!(lost, bad.iter().cloned().collect(), "{modality} {how}");
        bad.iter().zip(&whole).for_each(|(path, whole)| fs::write(path, whole).unwrap());
    }
}

/// The same in another format, as a file that no manifest knows.
fn encode_again(from: &Path, to: &Path, settings: &[&str]) {
    let name = |path: &Path| format!("file:{}", path.display());
    let (from, to) = (name(from), name(to));
    let arguments = [&["-y", "-i", &from], settings, &[&to]].concat();
    ffmpeg().run(arguments, &[], LIMIT).unwrap();
}

#[test]
fn what_was_encoded_again_is_left_out_as_a_duplicate() {
    let root = sample();
    let cases = [
        (Modality::Image, "landscape", "-copy.jpg", &["-q:v", "4"][..]),
        (Modality::Audio, "speech", "-copy.mp3", &["-b:a", "64k", "-ar", "22050", "-ac", "1"]),
    ];
    for (modality, kind, name, settings) in cases {
        let before = pack(root.path(), modality);
        assert_eq!(left_out(&before), [], "no two recordings of the sample set are alike");
        let subject = Subject::all(modality).into_iter().find(|s| s.as_str() == kind).unwrap();
        let other = Subject::all(modality).into_iter().find(|s| s.as_str() != kind).unwrap();
        // The longest: of a short sound there is too little to compare.
        let paths = (0..3).map(|index| file(root.path(), subject, "real", index));
        let original = paths.max_by_key(|path| duration(path)).unwrap();
        let copy = file(root.path(), other, "synthetic", 0).with_file_name(name);
        encode_again(&original, &copy, settings);
        let after = pack(root.path(), modality);
        let [(file, first)] = &left_out(&after)[..] else { panic!("{:?}", after.header.left_out) };
        assert_eq!(*file, format!("sample-{}-synthetic/{name}", other.as_str()));
        // Either twin: they show the same.
        assert!(first.starts_with(&format!("sample-{kind}-")), "{first}");
        assert_eq!(ids(&after.dir), ids(&before.dir), "the others stay where they were");
    }
}

/// Bytes of the file as WAV.
fn duration(path: &Path) -> usize {
    let name = format!("file:{}", path.display());
    let wav = ["-i", &name, "-vn", "-ac", "1", "-ar", "8000", "-f", "wav", "-"];
    ffmpeg().run(wav, &[], LIMIT).map_or(0, |bytes| bytes.len())
}

#[test]
fn blank_pictures_and_silence_are_duplicates_by_their_bytes_alone() {
    let root = sample();
    let cases = [
        (Modality::Image, ["color=black:s=64x64", "color=white:s=64x64"], "png"),
        (Modality::Audio, ["anullsrc=r=8000:d=2", "anullsrc=r=16000:d=2"], "wav"),
    ];
    for (modality, sources, extension) in cases {
        let subject = Subject::all(modality)[0];
        let folder = file(root.path(), subject, "real", 0).parent().unwrap().to_owned();
        for (index, source) in sources.iter().enumerate() {
            let path = folder.join(format!("blank{index}.{extension}"));
            let frames: &[&str] =
                if modality == Modality::Image { &["-frames:v", "1"] } else { &[] };
            let url = format!("file:{}", path.display());
            let arguments = [&["-f", "lavfi", "-i", source], frames, &[&url]].concat();
            ffmpeg().run(arguments, &[], LIMIT).unwrap();
        }
        assert_eq!(left_out(&pack(root.path(), modality)), []);
        let same = format!("same.{extension}");
        fs::copy(folder.join(format!("blank0.{extension}")), folder.join(&same)).unwrap();
        let again = left_out(&pack(root.path(), modality));
        let name = folder.file_name().unwrap().to_str().unwrap();
        assert_eq!(again, [(format!("{name}/{same}"), format!("{name}/blank0.{extension}"))]);
    }
}

#[test]
fn a_pack_that_lost_a_file_to_a_deadline_is_made_again_and_to_a_death_is_not() {
    let root = sample();
    let victim = file(root.path(), Subject::all(Modality::Image)[0], "real", 0);
    let lost = |failure: fn() -> Failure| {
        let ask = |request: &[u8]| {
            let is_victim = request.ends_with(victim.as_os_str().as_encoded_bytes());
            if is_victim { Err(failure()) } else { here(request) }
        };
        let [first, again] = [0, 1].map(|_| pack_with(root.path(), Modality::Image, &ask).unwrap());
        assert_eq!(first.header.left_out.len(), 1);
        (first.header.left_out[0].reason.clone(), again.reused)
    };
    let late = lost(|| Failure::Deadline(Duration::from_secs(2)));
    assert_eq!(late, ("cannot decode: not done within 2 s".to_owned(), false));
    let dead = lost(|| Failure::Died("the worker died of SIGABRT".to_owned()));
    assert_eq!(dead, ("cannot decode: the worker died of SIGABRT".to_owned(), true));
}

#[test]
fn without_workers_there_is_no_pack() {
    let root = sample();
    let ask = |_: &[u8]| Err(Failure::Start(std::io::Error::other("no more processes")));
    let error = pack_with(root.path(), Modality::Image, &ask).unwrap_err();
    assert!(matches!(error, PackError::File(_)), "{error}");
    assert!(error.to_string().contains("no more processes"), "{error}");
}

#[test]
fn a_set_is_complete_goes_on_where_it_stopped_and_has_the_same_bytes() {
    use dfr_media::sample::write::Made;
    let root = sample();
    for modality in KINDS {
        let set = SampleSet { modality, recordings: 3 };
        let make = || make(root.path(), set, &ffmpeg(), &|| ()).unwrap();
        assert_eq!(make(), Made::Already);
        let hashes = || {
            let files = gather(root.path(), modality, &entries(root.path(), modality)).unwrap();
            files.files.into_iter().map(|(_, file, sha256)| (file, sha256)).collect::<Vec<_>>()
        };
        let before = hashes();
        let lost = file(root.path(), Subject::all(modality)[1], "synthetic", 1);
        fs::remove_file(&lost).unwrap();
        fs::remove_file(lost.with_file_name(".download_complete")).unwrap();
        assert_eq!(make(), Made::Now);
        assert_eq!(hashes(), before);
    }
}
