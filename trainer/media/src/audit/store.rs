//! Whether what a trainer is handed of a part is uniform: two files, of one mode and one time, and
//! records of one length.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use dfr_contract::pack::{PartHeader, file};

use crate::audit::AuditError;
use crate::files::{self, FileError, at};
use crate::pack::read::read_json;

/// Adds what is not uniform about a part to `tells`.
///
/// # Errors
/// The disk; a part without a header.
pub fn check(dir: &Path, tells: &mut Vec<String>) -> Result<PartHeader, AuditError> {
    let path = dir.join(file::PART);
    let header: PartHeader = read_json(&path).ok_or(AuditError::Header(path))?;
    let file_of_records = header.records_file();
    for name in names(dir)? {
        if name != file::PART && name != file_of_records.as_str() {
            tells.push(format!("{} does not belong there", dir.join(name).display()));
        }
    }
    for path in [dir.to_owned(), dir.join(file::PART), dir.join(&file_of_records)] {
        if !files::is_uniform(&path)? {
            tells.push(format!("{} has a time or a mode of its own", path.display()));
        }
    }
    let records = dir.join(&file_of_records);
    let length = fs::metadata(&records).map_err(at("look at", &records))?.len();
    if length != header.records * header.record_bytes() {
        tells.push(format!("{} does not have records of one length", records.display()));
    }
    Ok(header)
}

fn names(dir: &Path) -> Result<Vec<OsString>, FileError> {
    let names = || -> std::io::Result<Vec<OsString>> {
        fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name())).collect()
    };
    names().map_err(at("list", dir))
}
