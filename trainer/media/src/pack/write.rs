//! Decodes what a plan names and writes the pack: in a hidden sibling, synced, audited, then renamed.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use dfr_contract::pack::{LeftOut, PackHeader, Part, file};

use crate::Advance;
use crate::audit::{self, AuditError, Report};
use crate::decode::Decoder;
use crate::ffmpeg::TIMED_OUT;
use crate::files::{self, FileError, at};
use crate::fingerprint::record::{Record, RecordError};
use crate::pack::fill::Fill;
use crate::pack::plan::{Plan, content_hash};
use crate::pack::read::{packs_dir, read_complete};
use crate::vault::Vault;

/// Kept free beyond the pack itself: labels, ids, and room for the file system.
const SPARE_BYTES: u64 = 64 << 20;

/// Why there is no pack.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
    /// What was seen first cannot be told.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The audit could not be made.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// Something other than the content tells the classes apart.
    #[error(
        "the pack was refused and removed: something other than the content tells its classes \
         apart\n{report}{hint}"
    )]
    Tells {
        /// What was found.
        report: Report,
        /// What can be done.
        hint: String,
    },
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
    /// What its audit found.
    pub audit: Report,
    /// Whether it was there already.
    pub reused: bool,
}

/// Makes the planned pack below the vault's root on rayon's current pool and points `current` at it.
/// A pack of the same content is reused if its files have their full sizes and it passes the audit.
///
/// # Errors
/// The disk is short or fails; train or validation would lack a class; the audit finds a tell.
pub fn write(
    vault: &Vault,
    plan: &Plan,
    decoder: &Decoder,
    advance: Advance,
) -> Result<Pack, PackError> {
    let packs = packs_dir(vault.root(), plan.modality, &plan.input.name());
    files::create_dir(&packs)?;
    let pack = match find(&packs, plan)? {
        Some(pack) => pack,
        None => build(&packs, vault, &Fill { plan, decoder, advance })?,
    };
    files::replace_link(&packs.join(file::CURRENT), Path::new(&pack.header.content))?;
    files::sync_dir(&packs)?;
    Ok(pack)
}

/// Writes down where the media of a pack lie, for whoever asks about the files themselves. A pack that was made of
/// the same files elsewhere is of these now; what lies below the pack's own root may move with it.
///
/// # Errors
/// The disk.
pub fn tell_data(pack: &Path, data: &Path, root: &Path) -> Result<(), FileError> {
    let path = pack.join(file::VAULT).join(file::DATA);
    let whole = |path: &Path| fs::canonicalize(path).map_err(at("find", path));
    let (data, root) = (whole(data)?, whole(root)?);
    if data == root {
        return files::remove_file(&path);
    }
    files::write_private(&path, data.as_os_str().as_bytes())
}

/// A whole pack of the same files, with the same ones left out, none of them for want of time.
fn find(packs: &Path, plan: &Plan) -> Result<Option<Pack>, PackError> {
    for entry in fs::read_dir(packs).map_err(at("list", packs))? {
        let dir = entry.map_err(at("list", packs))?.path();
        let fits = |header: &PackHeader| {
            let late = header.left_out.iter().any(|l| l.reason.contains(TIMED_OUT));
            let content = content_hash(plan, &header.left_out);
            !late && header.content == content && dir.ends_with(&content)
        };
        let Some(header) = read_complete(&dir).filter(fits) else { continue };
        let audit = audit::pack(&dir)?;
        // One that was copied about has other times, and is made again.
        return Ok(audit.passes().then_some(Pack { dir, header, audit, reused: true }));
    }
    Ok(None)
}

fn build(packs: &Path, vault: &Vault, fill: &Fill) -> Result<Pack, PackError> {
    check_space(packs, fill.plan.record_bytes())?;
    let partial = files::partial(&packs.join("pack"));
    files::remove_tree(&partial)?;
    let filled = fill_and_audit(&partial, vault, fill);
    if filled.is_err() {
        files::remove_tree(&partial)?;
    }
    let (header, audit) = filled?;
    let dir = packs.join(&header.content);
    // Only a pack that failed its size check or its audit, or lost files for want of time, is here.
    files::remove_tree(&dir)?;
    fs::rename(&partial, &dir).map_err(at("rename", &partial))?;
    Ok(Pack { dir, header, audit, reused: false })
}

fn fill_and_audit(
    dir: &Path,
    vault: &Vault,
    fill: &Fill,
) -> Result<(PackHeader, Report), PackError> {
    let Plan { modality, input, .. } = fill.plan;
    let path = vault.fingerprints(&format!("{modality}-{}", input.decoding()))?;
    let header = fill.run(dir, &mut Record::read(&path, *modality)?)?;
    let report = audit::pack(dir)?;
    if report.passes() { Ok((header, report)) } else { Err(refusal(vault, report)) }
}

fn refusal(vault: &Vault, report: Report) -> PackError {
    let key = vault.key();
    let hint = format!(
        "  an honest order fails by chance about once in 300 packs: for another one remove {}; sessions \
         on other packs of this cache do not go on after that, for those get another order and name too",
        key.display()
    );
    PackError::Tells { report, hint }
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
