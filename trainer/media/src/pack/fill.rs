//! Everything that stands in a pack: records, headers, labels, ids.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use dfr_contract::pack::{LeftOut, PackHeader, Part, PartHeader, VERSION, file};

use crate::Advance;
use crate::decode::Decoder;
use crate::files::{self, FileError, at};
use crate::fingerprint::record::Record;
use crate::pack::duplicates;
use crate::pack::plan::{Item, Plan, content_hash, count_classes, count_sources};
use crate::pack::read::labels_path;
use crate::pack::records::{Records, Stored};
use crate::pack::write::PackError;

/// What fills a pack.
pub struct Fill<'a> {
    /// What goes where.
    pub plan: &'a Plan,
    /// From files to records.
    pub decoder: &'a Decoder<'a>,
    /// Called once a file.
    pub advance: Advance<'a>,
}

impl Fill<'_> {
    /// Writes every part and the vault into `dir`, without what repeats something in the record.
    ///
    /// # Errors
    /// The disk; train or validation would lack a class.
    pub fn run(&self, dir: &Path, record: &mut Record) -> Result<PackHeader, PackError> {
        files::create_dir(dir)?;
        files::create_private_dir(&dir.join(file::VAULT))?;
        let (stored, mut left_out) = self.decode(dir)?;
        let all: Vec<Stored> = stored.iter().flatten().cloned().collect();
        let repeated = duplicates::find(record, &all);
        record.write()?;
        left_out.extend(repeated.iter().cloned());
        let kept = self.close_up(dir, &stored, &repeated)?;
        require_records(self.plan, &kept, &left_out)?;
        self.describe(dir, &kept, left_out)
    }

    fn decode(&self, dir: &Path) -> Result<(Vec<Vec<Stored<'_>>>, Vec<LeftOut>), FileError> {
        let (mut stored, mut left_out) = (Vec::new(), self.plan.left_out.clone());
        for part in Part::ALL {
            let items: Vec<&Item> = self.plan.part(part).collect();
            let folder = dir.join(part.as_str());
            let records = self.records(&folder, part);
            let (of_part, lost) = records.write(&items, self.decoder, self.advance)?;
            stored.push(of_part);
            left_out.extend(lost);
        }
        Ok((stored, left_out))
    }

    fn close_up<'s>(
        &self,
        dir: &Path,
        stored: &[Vec<Stored<'s>>],
        repeated: &[LeftOut],
    ) -> Result<Vec<Vec<Stored<'s>>>, FileError> {
        let dropped: HashSet<&str> = repeated.iter().map(|l| l.file.as_str()).collect();
        let parts = Part::ALL.into_iter().zip(stored);
        let close_up = |(part, stored): (Part, &Vec<Stored<'s>>)| {
            self.records(&dir.join(part.as_str()), part).close_up(stored, &dropped)
        };
        parts.map(close_up).collect()
    }

    fn records<'d>(&'d self, dir: &'d Path, part: Part) -> Records<'d> {
        Records { dir, part, input: &self.plan.input }
    }

    /// Headers, labels and ids; then one time and one mode for all that a trainer may see.
    fn describe(
        &self,
        dir: &Path,
        kept: &[Vec<Stored>],
        left_out: Vec<LeftOut>,
    ) -> Result<PackHeader, PackError> {
        for (part, kept) in Part::ALL.into_iter().zip(kept) {
            self.write_part(dir, part, kept)?;
        }
        let vault = dir.join(file::VAULT);
        files::write_private(&vault.join(file::IDS), ids(kept).as_bytes())?;
        let header = PackHeader {
            version: VERSION,
            modality: self.plan.modality,
            input: self.plan.input.clone(),
            content: content_hash(self.plan, &left_out),
            sources: count_sources(kept.iter().flatten().map(|stored| stored.item)),
            left_out,
        };
        write_new(&dir.join(file::PACK), &json(&header))?;
        // The trainer may run as another user.
        let readable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(dir, readable).map_err(at("set the mode of", dir))?;
        files::sync_dir(dir)?;
        Ok(header)
    }

    /// Header, labels and lengths of one part: train's labels beside its records, the others' in the
    /// vault.
    fn write_part(&self, dir: &Path, part: Part, kept: &[Stored]) -> Result<(), FileError> {
        let folder = dir.join(part.as_str());
        let header = PartHeader {
            version: VERSION,
            modality: self.plan.modality,
            records: kept.len() as u64,
            shape: self.plan.input.record_shape(part),
            window: self.plan.input.window(part),
            dtype: self.plan.input.dtype(),
        };
        write_new(&folder.join(file::PART), &json(&header))?;
        if header.window.is_some() {
            let lengths: Vec<u8> = kept.iter().flat_map(|s| s.length.to_le_bytes()).collect();
            write_new(&folder.join(file::LENGTHS), &lengths)?;
        }
        let labels: Vec<u8> = kept.iter().map(|stored| stored.item.label).collect();
        files::write_private(&labels_path(dir, part), &labels)?;
        files::make_uniform(&folder)?;
        files::sync_dir(&folder)
    }
}

/// Train and validation need records, of each class.
fn require_records(
    plan: &Plan,
    kept: &[Vec<Stored>],
    left_out: &[LeftOut],
) -> Result<(), PackError> {
    let counts =
        |part: Part| (part, count_classes(kept[part as usize].iter().map(|stored| stored.item)));
    let needed = [Part::Train, Part::Validation].map(counts);
    if let Some((part, _)) = needed.into_iter().find(|(_, counts)| *counts == [0, 0]) {
        let recordings: HashSet<&str> =
            plan.items.iter().map(|item| item.file.recording.as_str()).collect();
        let (recordings, left_out) = (recordings.len(), left_out.to_vec());
        return Err(PackError::Empty { part, recordings, left_out });
    }
    match needed.into_iter().find(|(_, counts)| counts.contains(&0)) {
        Some((part, counts)) => Err(PackError::OneClass { part, counts }),
        None => Ok(()),
    }
}

fn ids(stored: &[Vec<Stored>]) -> String {
    let line = |(index, Stored { item, .. }): (usize, &Stored)| {
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
