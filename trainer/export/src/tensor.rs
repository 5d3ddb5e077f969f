//! Tensors as bytes, and files of them (safetensors).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use serde::{Deserialize, Serialize};

/// Longest index of a file that is read.
const INDEX_BYTES: u64 = 100 << 20;

/// Type of a tensor's numbers, named as safetensors does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Kind {
    /// Unsigned 8-bit.
    U8,
    /// Signed 8-bit.
    I8,
    /// Signed 16-bit.
    I16,
    /// Signed 32-bit.
    I32,
    /// Signed 64-bit.
    I64,
    /// IEEE half.
    F16,
    /// IEEE single.
    F32,
    /// IEEE double.
    F64,
    /// Truth values, one byte each.
    Bool,
    /// bfloat16.
    BF16,
}

impl Kind {
    /// All, with torch's number and name of each.
    pub const ALL: [(Self, i64, &'static str); 10] = [
        (Self::U8, 0, "uint8"),
        (Self::I8, 1, "int8"),
        (Self::I16, 2, "int16"),
        (Self::I32, 3, "int32"),
        (Self::I64, 4, "int64"),
        (Self::F16, 5, "float16"),
        (Self::F32, 6, "float32"),
        (Self::F64, 7, "float64"),
        (Self::Bool, 11, "bool"),
        (Self::BF16, 15, "bfloat16"),
    ];

    /// The kind of torch's number.
    pub fn of_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known, _)| *known == number).map(|(kind, ..)| kind)
    }

    /// As attribute of the module `torch`.
    pub fn torch_name(self) -> &'static str {
        let known = Self::ALL.into_iter().find(|(kind, ..)| *kind == self);
        known.expect("every kind is listed").2
    }

    /// Bytes of one number.
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::I16 | Self::F16 | Self::BF16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::I64 | Self::F64 => 8,
        }
    }

    /// Whether it is a kind of weights: moved to another precision with them.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::F32 | Self::F64 | Self::BF16)
    }
}

/// Kind and shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// Type of its numbers.
    pub kind: Kind,
    /// Sizes of its axes.
    pub shape: Vec<u64>,
}

/// A tensor: little-endian, rows last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Kind and shape.
    pub form: Form,
    /// Its numbers.
    pub bytes: Vec<u8>,
}

impl Tensor {
    /// The number of a tensor without axes, where it is a float or an integer.
    pub fn scalar(&self) -> Option<f64> {
        let bytes = &self.bytes;
        self.form.shape.is_empty().then_some(())?;
        Some(match self.form.kind {
            Kind::F32 => f64::from(f32::from_le_bytes(bytes.as_slice().try_into().ok()?)),
            Kind::F64 => f64::from_le_bytes(bytes.as_slice().try_into().ok()?),
            Kind::I64 => i64::from_le_bytes(bytes.as_slice().try_into().ok()?) as f64,
            _ => return None,
        })
    }
}

impl Tensor {
    /// In another precision, rounded to the nearest, where it is of single precision; as it is otherwise.
    #[must_use]
    pub fn cast(self, kind: Kind) -> Self {
        let narrow: fn(f32) -> [u8; 2] = match (self.form.kind, kind) {
            (Kind::F32, Kind::BF16) => |number| bf16::from_f32(number).to_le_bytes(),
            (Kind::F32, Kind::F16) => |number| f16::from_f32(number).to_le_bytes(),
            _ => return self,
        };
        let numbers = self.bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        let bytes = numbers.flat_map(narrow).collect();
        Self { form: Form { kind, ..self.form }, bytes }
    }
}

/// Why a file of tensors cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TensorError {
    /// The disk.
    #[error("cannot read or write {}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not the format.
    #[error("{} is no safetensors file: {reason}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

#[derive(Deserialize, Serialize)]
struct Entry {
    dtype: Kind,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// A file of tensors whose index has been read.
#[derive(Debug)]
pub struct TensorFile {
    path: PathBuf,
    data_at: u64,
    entries: BTreeMap<String, (Form, u64)>,
}

impl TensorFile {
    /// Reads the index; offsets must lie in the file.
    ///
    /// # Errors
    /// Unreadable, or not the format.
    pub fn open(path: &Path) -> Result<Self, TensorError> {
        let file_error = |source| TensorError::File { path: path.to_owned(), source };
        let malformed = |reason: String| TensorError::Malformed { path: path.to_owned(), reason };
        let mut file = File::open(path).map_err(file_error)?;
        let all = file.metadata().map_err(file_error)?.len();
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(|_| malformed("shorter than its index".to_owned()))?;
        let length = u64::from_le_bytes(length);
        if length > INDEX_BYTES || length + 8 > all {
            return Err(malformed(format!("an index of {length} bytes in a file of {all}")));
        }
        let mut index = Vec::new();
        file.take(length).read_to_end(&mut index).map_err(file_error)?;
        let mut index: BTreeMap<String, serde_json::Value> =
            serde_json::from_slice(&index).map_err(|error| malformed(error.to_string()))?;
        index.remove("__metadata__");
        let data = all - 8 - length;
        let mut entries = BTreeMap::new();
        for (name, value) in index {
            let entry: Entry = serde_json::from_value(value)
                .map_err(|error| malformed(format!("{name}: {error}")))?;
            let (from, to) = entry.data_offsets;
            let numbers = entry.shape.iter().try_fold(1u64, |n, size| n.checked_mul(*size));
            let wanted = numbers.and_then(|n| n.checked_mul(entry.dtype.bytes() as u64));
            if to > data || wanted != to.checked_sub(from) {
                return Err(malformed(format!("{name} does not lie where its index says")));
            }
            let form = Form { kind: entry.dtype, shape: entry.shape };
            entries.insert(name, (form, from));
        }
        Ok(Self { path: path.to_owned(), data_at: 8 + length, entries })
    }

    /// Names, kinds and shapes.
    pub fn forms(&self) -> BTreeMap<String, Form> {
        self.entries.iter().map(|(name, (form, _))| (name.clone(), form.clone())).collect()
    }

    /// All tensors; the file is in memory then.
    ///
    /// # Errors
    /// The disk.
    pub fn read(&self) -> Result<BTreeMap<String, Tensor>, TensorError> {
        let bytes = fs::read(&self.path)
            .map_err(|source| TensorError::File { path: self.path.clone(), source })?;
        let tensor = |(form, from): &(Form, u64)| {
            let numbers = form.shape.iter().product::<u64>() as usize;
            let start = (self.data_at + from) as usize;
            let bytes = bytes[start..start + numbers * form.kind.bytes()].to_vec();
            Tensor { form: form.clone(), bytes }
        };
        Ok(self.entries.iter().map(|(name, entry)| (name.clone(), tensor(entry))).collect())
    }
}

/// Writes tensors.
///
/// # Errors
/// The disk.
pub fn write(tensors: &BTreeMap<String, Tensor>, path: &Path) -> Result<(), TensorError> {
    let mut at = 0;
    let mut index = BTreeMap::new();
    for (name, tensor) in tensors {
        let end = at + tensor.bytes.len() as u64;
        let Form { kind, shape } = tensor.form.clone();
        index.insert(name, Entry { dtype: kind, shape, data_offsets: (at, end) });
        at = end;
    }
    let mut index = serde_json::to_vec(&index).expect("plain data");
    index.resize(index.len().next_multiple_of(8), b' ');
    let put = || {
        let mut file = BufWriter::new(File::create(path)?);
        file.write_all(&(index.len() as u64).to_le_bytes())?;
        file.write_all(&index)?;
        for tensor in tensors.values() {
            file.write_all(&tensor.bytes)?;
        }
        file.flush()
    };
    put().map_err(|source| TensorError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_damage_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.safetensors");
        let form = Form { kind: Kind::F32, shape: vec![2] };
        let bytes: Vec<u8> = [1.5f32, -2.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        let tensors = BTreeMap::from([("a.b".to_owned(), Tensor { form, bytes })]);
        write(&tensors, &path).unwrap();
        assert_eq!(TensorFile::open(&path).unwrap().read().unwrap(), tensors);
        let whole = fs::read(&path).unwrap();
        for cut in [4, 20, whole.len() - 1] {
            fs::write(&path, &whole[..cut]).unwrap();
            assert!(matches!(TensorFile::open(&path), Err(TensorError::Malformed { .. })), "{cut}");
        }
    }

    #[test]
    fn single_precision_is_rounded_to_half_the_bytes_and_nothing_else_is() {
        let tensor = |kind, bytes: &[u8]| Tensor {
            form: Form { kind, shape: vec![1] },
            bytes: bytes.to_vec(),
        };
        let one_third = tensor(Kind::F32, &(1.0f32 / 3.0).to_le_bytes());
        for (kind, bytes) in [(Kind::BF16, 0x3eabu16), (Kind::F16, 0x3555)] {
            let cast = one_third.clone().cast(kind);
            assert_eq!(cast, tensor(kind, &bytes.to_le_bytes()));
            let whole = tensor(Kind::I64, &7i64.to_le_bytes());
            assert_eq!(whole.clone().cast(kind), whole);
        }
        assert_eq!(one_third.clone().cast(Kind::F32), one_third);
    }

    #[test]
    fn only_numbers_without_axes_are_scalars() {
        let scalar = |kind, shape: &[u64], bytes: &[u8]| {
            Tensor { form: Form { kind, shape: shape.to_vec() }, bytes: bytes.to_vec() }.scalar()
        };
        assert_eq!(scalar(Kind::F64, &[], &255.0f64.to_le_bytes()), Some(255.0));
        assert_eq!(scalar(Kind::I64, &[], &(-3i64).to_le_bytes()), Some(-3.0));
        assert_eq!(scalar(Kind::F32, &[1], &1.0f32.to_le_bytes()), None);
    }
}
