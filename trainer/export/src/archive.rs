//! TorchScript archives: the source of a traced function and its constants.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use dfr_contract::trace::{GRAPHS, graph_file};
use zip::ZipArchive;

use crate::pickle::{self, Stored};
use crate::syntax::{self, Function};
use crate::tensor::{Form, Tensor};

/// Largest member that is read.
const MEMBER_BYTES: u64 = 1 << 30;

/// Why an archive cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {reason}", .path.display())]
pub struct ArchiveError {
    /// The archive.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// A traced function.
#[derive(Debug)]
pub struct Graph {
    /// Its source.
    pub function: Function,
    /// Its constants, by number.
    pub constants: Vec<Tensor>,
}

/// Reads the two graphs of a trace.
///
/// # Errors
/// Unreadable, or not as libtorch writes them.
pub fn read_both(traced: &Path) -> Result<[Graph; 2], ArchiveError> {
    let [two, three] = GRAPHS.map(|records| read(&traced.join(graph_file(records))));
    Ok([two?, three?])
}

/// Reads an archive.
///
/// # Errors
/// Unreadable, or not as libtorch writes them.
pub fn read(path: &Path) -> Result<Graph, ArchiveError> {
    let refuse = |reason: String| ArchiveError { path: path.to_owned(), reason };
    let file = File::open(path).map_err(|error| refuse(error.to_string()))?;
    let mut archive = ZipArchive::new(file).map_err(|error| refuse(error.to_string()))?;
    let source =
        member(&mut archive, "code/__torch__.py").map_err(|error| refuse(error.to_string()))?;
    let function = syntax::parse(&String::from_utf8_lossy(&source));
    let stored = match member(&mut archive, "constants.pkl") {
        Ok(bytes) => pickle::tensors(&bytes).map_err(|error| refuse(error.to_string()))?,
        Err(_) => Vec::new(),
    };
    let constant = |stored: &Stored| {
        let storage = member(&mut archive, &format!("constants/{}", stored.storage));
        let storage = storage.map_err(|error| refuse(error.to_string()))?;
        gather(stored, &storage).ok_or_else(|| refuse("a constant beyond its storage".to_owned()))
    };
    let constants = stored.iter().map(constant).collect::<Result<_, _>>()?;
    Ok(Graph { function: function.map_err(|error| refuse(error.to_string()))?, constants })
}

/// The member of that name below the archive's only folder.
fn member(archive: &mut ZipArchive<File>, name: &str) -> io::Result<Vec<u8>> {
    let ending = format!("/{name}");
    let is_it = |full: &str| full.strip_suffix(&ending).is_some_and(|folder| !folder.contains('/'));
    let names = archive.file_names().filter_map(Result::ok);
    let found = names.map(Cow::into_owned).find(|full| is_it(full));
    let missing = || io::Error::new(io::ErrorKind::NotFound, format!("no member {name}"));
    let full = found.ok_or_else(missing)?;
    let mut bytes = Vec::new();
    archive.by_name(&full)?.take(MEMBER_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The numbers of a tensor, rows last, wherever they lie in its storage.
fn gather(stored: &Stored, storage: &[u8]) -> Option<Tensor> {
    let width = stored.kind.bytes();
    let count = stored.shape.iter().try_fold(1usize, |n, size| n.checked_mul(*size))?;
    if count.checked_mul(width)? as u64 > MEMBER_BYTES || stored.stride.len() != stored.shape.len()
    {
        return None;
    }
    let mut bytes = Vec::with_capacity(count * width);
    for number in 0..count {
        let (mut left, mut at) = (number, stored.offset);
        for (size, stride) in stored.shape.iter().zip(&stored.stride).rev() {
            at = at.checked_add((left % size).checked_mul(*stride)?)?;
            left /= size;
        }
        let start = at.checked_mul(width)?;
        bytes.extend(storage.get(start..start.checked_add(width)?)?);
    }
    let shape = stored.shape.iter().map(|&size| size as u64).collect();
    Some(Tensor { form: Form { kind: stored.kind, shape }, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Kind;

    #[test]
    fn numbers_are_found_by_their_strides() {
        let stored = |offset| Stored {
            kind: Kind::U8,
            storage: "0".to_owned(),
            offset,
            shape: vec![3, 2],
            stride: vec![1, 3],
        };
        let storage = [9, 1, 2, 3, 4, 5, 6];
        assert_eq!(gather(&stored(1), &storage).unwrap().bytes, [1, 4, 2, 5, 3, 6]);
        assert_eq!(gather(&stored(2), &storage), None);
    }
}
