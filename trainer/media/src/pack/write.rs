//! Decodes what a plan names and writes the pack: in a hidden sibling, synced, then renamed.

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use dfr_contract::modality::Modality;
use dfr_contract::pack::{LeftOut, PackHeader, Part, PartHeader, REAL, SYNTHETIC, VERSION, file};
use rayon::prelude::*;

use crate::Advance;
use crate::decode::Decoder;
use crate::ffmpeg::TIMED_OUT;
use crate::files::{self, FileError, at};
use crate::pack::plan::{Item, Plan, content_hash, count_sources};

/// Files decoded at once before they are written, per worker: bounds memory.
const BATCH_PER_WORKER: usize = 4;
/// Kept free beyond the pack itself: labels, ids, and room for the file system.
const SPARE_BYTES: u64 = 64 << 20;

/// Why there is no pack.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
    /// Too little room.
    #[error(
        "a pack of {needed_mb} MB does not fit on the disk of {}: {free_mb} MB are free; \
         make room there, or set DFRESEARCH_CACHE to a folder on another disk",
        .folder.display()
    )]
    NoSpace {
        /// Where.
        folder: PathBuf,
        /// Needed, reserve included.
        needed_mb: u64,
        /// There.
        free_mb: u64,
    },
    /// A part that a session cannot do without has no record.
    #[error(
        "{} would be empty: {recordings} recordings are too few to split, or none could be decoded{}",
        .part.as_str(), first_reason(.left_out)
    )]
    Empty {
        /// Train or validation.
        part: Part,
        /// In all parts.
        recordings: usize,
        /// What could not be decoded.
        left_out: Vec<LeftOut>,
    },
    /// A part with records of one class only: nothing can be learnt or measured there.
    #[error(
        "{} would have {} real and {} synthetic records: each class needs some; add recordings of \
         the class that is missing",
        .part.as_str(), .counts[0], .counts[1]
    )]
    OneClass {
        /// Train or validation.
        part: Part,
        /// Records by label.
        counts: [usize; 2],
    },
}

fn first_reason(left_out: &[LeftOut]) -> String {
    let first = left_out.first();
    first.map_or_else(String::new, |l| format!(" (first: {}: {})", l.file, l.reason))
}

/// A finished pack.
#[derive(Debug)]
pub struct Pack {
    /// Its directory.
    pub dir: PathBuf,
    /// What is in it.
    pub header: PackHeader,
    /// Whether it was there already.
    pub reused: bool,
}

/// Directory of all packs of one input.
pub fn packs_dir(root: &Path, modality: Modality, input_name: &str) -> PathBuf {
    root.join("packs").join(modality.as_str()).join(input_name)
}

/// Makes the planned pack under `root` on rayon's current pool and points `current` at it. A pack of
/// the same content is reused if its files have their full sizes.
///
/// # Errors
/// The disk is short or fails; train or validation would lack a class.
pub fn write(
    root: &Path,
    plan: &Plan,
    decoder: &Decoder,
    advance: Advance,
) -> Result<Pack, PackError> {
    let packs = packs_dir(root, plan.modality, &plan.input.name());
    let _lock = files::lock(&packs)?;
    let found = find(&packs, plan)?;
    let reused = found.is_some();
    let header = match found {
        Some(header) => header,
        None => build(&packs, plan, decoder, advance)?,
    };
    let dir = packs.join(&header.content);
    files::replace_link(&packs.join(file::CURRENT), Path::new(&header.content))?;
    files::sync_dir(&packs)?;
    Ok(Pack { dir, header, reused })
}

/// A whole pack of the same files, with the same ones left out, none of them for want of time.
fn find(packs: &Path, plan: &Plan) -> Result<Option<PackHeader>, FileError> {
    for entry in fs::read_dir(packs).map_err(at("list", packs))? {
        let dir = entry.map_err(at("list", packs))?.path();
        let fits = |header: &PackHeader| {
            let late = header.left_out.iter().any(|l| l.reason.contains(TIMED_OUT));
            let content = content_hash(plan, &header.left_out);
            !late && header.content == content && dir.ends_with(&content)
        };
        if let Some(header) = read_complete(&dir).filter(fits) {
            return Ok(Some(header));
        }
    }
    Ok(None)
}

fn build(
    packs: &Path,
    plan: &Plan,
    decoder: &Decoder,
    advance: Advance,
) -> Result<PackHeader, PackError> {
    check_space(packs, plan.record_bytes())?;
    let partial = files::partial(&packs.join("pack"));
    files::remove_tree(&partial)?;
    let filled = fill(&partial, plan, decoder, advance);
    if filled.is_err() {
        files::remove_tree(&partial)?;
    }
    let header = filled?;
    let dir = packs.join(&header.content);
    // Only a pack that failed its size check, or that lost files for want of time, is here.
    files::remove_tree(&dir)?;
    fs::rename(&partial, &dir).map_err(at("rename", &partial))?;
    Ok(header)
}

fn check_space(folder: &Path, bytes: u64) -> Result<(), PackError> {
    let stat = nix::sys::statvfs::statvfs(folder)
        .map_err(|errno| at("measure free space of", folder)(io::Error::from(errno)))?;
    let free = stat.blocks_available() * stat.fragment_size();
    let needed = bytes + SPARE_BYTES;
    if free >= needed {
        return Ok(());
    }
    let mb = |bytes: u64| bytes >> 20;
    Err(PackError::NoSpace { folder: folder.into(), needed_mb: mb(needed), free_mb: mb(free) })
}

/// Writes every part and the vault into `dir`.
fn fill(
    dir: &Path,
    plan: &Plan,
    decoder: &Decoder,
    advance: Advance,
) -> Result<PackHeader, PackError> {
    let vault = dir.join(file::VAULT);
    files::create_dir(dir)?;
    DirBuilder::new().mode(0o700).create(&vault).map_err(at("create", &vault))?;
    let (mut stored, mut left_out) = (Vec::new(), plan.left_out.clone());
    for part in Part::ALL {
        let items: Vec<&Item> = plan.part(part).collect();
        let (kept, lost) = write_records(&dir.join(part.as_str()), &items, decoder, advance)?;
        write_part(dir, plan, part, &kept)?;
        stored.push(kept);
        left_out.extend(lost);
    }
    require_records(plan, &stored, &left_out)?;
    write_new(&vault.join(file::IDS), ids(&stored).as_bytes())?;
    let header = PackHeader {
        version: VERSION,
        modality: plan.modality,
        input: plan.input.clone(),
        content: content_hash(plan, &left_out),
        sources: count_sources(stored.iter().flatten().copied()),
        left_out,
    };
    write_new(&dir.join(file::PACK), &json(&header))?;
    [vault.as_path(), dir].into_iter().try_for_each(files::sync_dir)?;
    Ok(header)
}

type Kept<'a> = (Vec<&'a Item>, Vec<LeftOut>);

/// Decodes a part's items, in order, a batch at a time; names those that cannot be decoded.
fn write_records<'a>(
    dir: &Path,
    items: &[&'a Item],
    decoder: &Decoder,
    advance: Advance,
) -> Result<Kept<'a>, FileError> {
    files::create_dir(dir)?;
    let path = dir.join(file::RECORDS);
    let mut out = BufWriter::new(File::create(&path).map_err(at("create", &path))?);
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    for batch in items.chunks(BATCH_PER_WORKER * rayon::current_num_threads()) {
        let decode = |item: &&Item| {
            let record = decoder.decode(&item.file.path);
            advance();
            record
        };
        let records: Vec<_> = batch.par_iter().map(decode).collect();
        for (item, record) in batch.iter().zip(records) {
            match record {
                Ok(bytes) => {
                    out.write_all(&bytes).map_err(at("write", &path))?;
                    kept.push(*item);
                }
                Err(error) => {
                    left_out.push(LeftOut { file: item.file.id(), reason: error.to_string() });
                }
            }
        }
    }
    let file = out.into_inner().map_err(|error| at("write", &path)(error.into_error()))?;
    file.sync_all().map_err(at("sync", &path))?;
    Ok((kept, left_out))
}

/// Header and labels of one part: train's labels beside its records, the others' in the vault.
fn write_part(dir: &Path, plan: &Plan, part: Part, kept: &[&Item]) -> Result<(), FileError> {
    let folder = dir.join(part.as_str());
    write_new(&folder.join(file::PART), &json(&part_header(plan, kept.len())))?;
    let labels: Vec<u8> = kept.iter().map(|item| item.label).collect();
    write_new(&labels_path(dir, part), &labels)?;
    files::sync_dir(&folder)
}

fn part_header(plan: &Plan, records: usize) -> PartHeader {
    PartHeader {
        version: VERSION,
        modality: plan.modality,
        records: records as u64,
        shape: plan.input.record_shape(),
    }
}

/// Where a part's labels are.
pub fn labels_path(pack: &Path, part: Part) -> PathBuf {
    match part {
        Part::Train => pack.join(part.as_str()).join(file::LABELS),
        Part::Validation | Part::Holdout => pack.join(file::VAULT).join(part.vault_labels()),
    }
}

fn require_records(
    plan: &Plan,
    stored: &[Vec<&Item>],
    left_out: &[LeftOut],
) -> Result<(), PackError> {
    let needed = [Part::Train, Part::Validation];
    let Some(part) = needed.into_iter().find(|part| stored[*part as usize].is_empty()) else {
        return needed.into_iter().try_for_each(|part| require_classes(part, stored));
    };
    let recordings: std::collections::HashSet<&str> =
        plan.items.iter().map(|item| item.file.recording.as_str()).collect();
    Err(PackError::Empty { part, recordings: recordings.len(), left_out: left_out.to_vec() })
}

fn require_classes(part: Part, stored: &[Vec<&Item>]) -> Result<(), PackError> {
    let items = &stored[part as usize];
    let counts = [REAL, SYNTHETIC].map(|c| items.iter().filter(|item| item.label == c).count());
    if counts.contains(&0) { Err(PackError::OneClass { part, counts }) } else { Ok(()) }
}

fn ids(stored: &[Vec<&Item>]) -> String {
    let line = |(index, item): (usize, &&Item)| {
        let (part, file) = (item.part.as_str(), &item.file);
        let columns = [&file.dataset, &file.file, &file.recording, &item.sha256];
        // A tab or a line break in a name would shift columns.
        let columns = columns.map(|text| text.replace(['\t', '\n'], " ")).join("\t");
        format!("{part}\t{index}\t{columns}\n")
    };
    let lines = stored.iter().flat_map(|items| items.iter().enumerate().map(line));
    std::iter::once("part\trecord\tdataset\tfile\trecording\tsha256\n".to_owned())
        .chain(lines)
        .collect()
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(at("write", path))
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("headers are plain data");
    text.push(b'\n');
    text
}

/// The header of a pack whose every file is there in full; `None` when it has to be made.
pub fn read_complete(dir: &Path) -> Option<PackHeader> {
    let header: PackHeader = read_json(&dir.join(file::PACK))?;
    let whole = header.version == VERSION && dir.join(file::VAULT).join(file::IDS).is_file();
    let parts = Part::ALL.into_iter().all(|part| part_is_whole(dir, part).unwrap_or(false));
    (whole && parts).then_some(header)
}

fn part_is_whole(dir: &Path, part: Part) -> Option<bool> {
    let folder = dir.join(part.as_str());
    let header: PartHeader = read_json(&folder.join(file::PART))?;
    let length = |path: &Path| fs::metadata(path).ok().map(|meta| meta.len());
    let records = length(&folder.join(file::RECORDS))?;
    let labels = length(&labels_path(dir, part))?;
    Some(records == header.records * header.record_bytes() && labels == header.records)
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
