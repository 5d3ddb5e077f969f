//! Made-up packs: what a trainer is handed, and what must stay in the vault.

use std::fs;
use std::path::{Path, PathBuf};

use dfr_contract::input::InputSpec;
use dfr_contract::modality::Modality;
use dfr_contract::pack::{PackHeader, Part, PartHeader, VERSION, file};
use dfr_daemon::task::Task;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::SEED;

/// How much a record tells of its label.
#[derive(Clone, Copy, Debug)]
pub enum Signal {
    /// The first byte is the label, seven times of ten; the rest is noise.
    FirstByte,
    /// Bright or dark as a whole.
    Brightness,
    /// Bright or dark as a whole, whatever the label.
    Shuffled,
    /// Nothing.
    None,
}

/// What is made.
#[derive(Clone, Copy, Debug)]
pub struct Contents {
    /// Records of each part, in the order of [`Part::ALL`].
    pub records: [usize; 3],
    /// What they tell.
    pub signal: Signal,
}

/// Where it lies, and what is secret in it.
pub struct Pack {
    pub path: PathBuf,
    /// Labels of validation and holdout.
    pub labels: [Vec<u8>; 2],
    /// A recording's name, as the vault knows it.
    pub recording: String,
}

impl Pack {
    /// Makes the pack of a task's input below a cache, from the suite's seed.
    pub fn make(cache: &Path, task: &Task, contents: Contents) -> Self {
        let link = task.pack_link(cache);
        let path = link.with_file_name("made-up");
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join(file::VAULT)).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(SEED);
        let mut ids = String::from("part\trecord\tdataset\tfile\trecording\tsha256\n");
        let recording = "canary-recording-of-the-test".to_owned();
        let labels = [0, 1, 2].map(|at| {
            let (part, records) = (Part::ALL[at], contents.records[at]);
            let labels: Vec<u8> = (0..records).map(|_| rng.random_range(0..2)).collect();
            write_part(&path, &task.input, (part, &labels), |label, bytes| {
                record(contents.signal, label, bytes, &mut rng)
            });
            let row =
                |n| format!("{}\t{n}\tmade-up\t{n}.mp4\t{recording}\t{n:064x}\n", part.as_str());
            ids.extend((0..records).map(row));
            labels
        });
        fs::write(path.join(file::VAULT).join(file::IDS), ids).unwrap();
        write_header(&path, &task.input);
        if !link.exists() {
            std::os::unix::fs::symlink("made-up", link).unwrap();
        }
        let [_, validation, holdout] = labels;
        Self { path, labels: [validation, holdout], recording }
    }
}

fn record(signal: Signal, label: u8, bytes: usize, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    rng.fill(noise.as_mut_slice());
    let label = if matches!(signal, Signal::Shuffled) { rng.random_range(0..2) } else { label };
    if matches!(signal, Signal::Brightness | Signal::Shuffled) {
        noise.fill(if label == 1 { 200 } else { 60 });
    }
    if matches!(signal, Signal::FirstByte | Signal::Shuffled) {
        noise[0] = if rng.random_bool(0.7) { label } else { 1 - label };
    }
    noise
}

fn write_part(
    pack: &Path,
    input: &InputSpec,
    (part, labels): (Part, &[u8]),
    mut record: impl FnMut(u8, usize) -> Vec<u8>,
) {
    let directory = pack.join(part.as_str());
    fs::create_dir_all(&directory).unwrap();
    let header = PartHeader {
        version: VERSION,
        modality: Modality::Video,
        records: labels.len() as u64,
        shape: input.record_shape(part),
        window: input.window(part),
        dtype: input.dtype(),
    };
    let bytes = usize::try_from(header.record_bytes()).unwrap();
    let records: Vec<u8> = labels.iter().flat_map(|&label| record(label, bytes)).collect();
    fs::write(directory.join(file::PART), serde_json::to_string(&header).unwrap()).unwrap();
    fs::write(directory.join(header.records_file()), records).unwrap();
    match part {
        Part::Train => fs::write(directory.join(file::LABELS), labels).unwrap(),
        _ => fs::write(pack.join(file::VAULT).join(part.vault_labels()), labels).unwrap(),
    }
}

fn write_header(pack: &Path, input: &InputSpec) {
    let header = PackHeader {
        version: VERSION,
        modality: Modality::Video,
        input: input.clone(),
        content: "made-up".to_owned(),
        sources: Vec::new(),
        left_out: Vec::new(),
    };
    fs::write(pack.join(file::PACK), serde_json::to_string(&header).unwrap()).unwrap();
}
