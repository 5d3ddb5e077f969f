//! The tensors of a TorchScript archive's `constants.pkl`: of the pickle language as much as libtorch
//! writes there. Nothing is executed; what is not such a tensor is refused.

use crate::tensor::Kind;

/// A tensor of an archive, before its storage is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Type of its numbers.
    pub kind: Kind,
    /// Member of the archive's `constants/`.
    pub storage: String,
    /// First number in the storage.
    pub offset: usize,
    /// Sizes of its axes.
    pub shape: Vec<usize>,
    /// Numbers between neighbours along each axis.
    pub stride: Vec<usize>,
}

/// Not what libtorch writes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("constants.pkl is not understood: {0}")]
pub struct PickleError(String);

/// How deep values may stand in each other; libtorch needs 5.
const DEPTH: usize = 16;

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Mark,
    Int(i64),
    Text(String),
    Tuple(Vec<Value>),
    Persistent(Box<Value>),
    Call(Box<(Value, Value)>),
    Other,
}

impl Value {
    fn depth(&self) -> usize {
        match self {
            Self::Tuple(values) => 1 + values.iter().map(Self::depth).max().unwrap_or(0),
            Self::Persistent(id) => 1 + id.depth(),
            Self::Call(call) => 1 + call.0.depth().max(call.1.depth()),
            _ => 0,
        }
    }
}

/// Reads the tuple of tensors.
///
/// # Errors
/// Anything else.
pub fn tensors(bytes: &[u8]) -> Result<Vec<Stored>, PickleError> {
    let refused = |what: &str| PickleError(what.to_owned());
    match (Machine { bytes, at: 0, stack: Vec::new(), memo: Vec::new() }).run()? {
        Value::Tuple(values) => values
            .iter()
            .map(|value| stored(value).ok_or_else(|| refused("a constant that is no tensor")))
            .collect(),
        _ => Err(refused("no tuple of constants")),
    }
}

fn stored(value: &Value) -> Option<Stored> {
    let Value::Call(call) = value else { return None };
    let (Value::Text(function), Value::Tuple(arguments)) = &**call else { return None };
    let [Value::Persistent(id), Value::Int(offset), shape, stride, ..] = arguments.as_slice()
    else {
        return None;
    };
    let Value::Tuple(id) = &**id else { return None };
    let [_, Value::Text(class), Value::Text(storage), ..] = id.as_slice() else { return None };
    (function == "torch._utils _rebuild_tensor_v2").then_some(())?;
    Some(Stored {
        kind: storage_kind(class)?,
        storage: storage.clone(),
        offset: usize::try_from(*offset).ok()?,
        shape: sizes(shape)?,
        stride: sizes(stride)?,
    })
}

fn storage_kind(class: &str) -> Option<Kind> {
    Some(match class.strip_prefix("torch ")?.strip_suffix("Storage")? {
        "Byte" => Kind::U8,
        "Char" => Kind::I8,
        "Short" => Kind::I16,
        "Int" => Kind::I32,
        "Long" => Kind::I64,
        "Half" => Kind::F16,
        "Float" => Kind::F32,
        "Double" => Kind::F64,
        "Bool" => Kind::Bool,
        "BFloat16" => Kind::BF16,
        _ => return None,
    })
}

fn sizes(value: &Value) -> Option<Vec<usize>> {
    let Value::Tuple(values) = value else { return None };
    let size = |value: &Value| match value {
        Value::Int(size) => usize::try_from(*size).ok(),
        _ => None,
    };
    values.iter().map(size).collect()
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    memo: Vec<Value>,
}

impl Machine<'_> {
    fn run(mut self) -> Result<Value, PickleError> {
        loop {
            let code = self.take(1)?[0];
            match code {
                b'.' => return self.pop(),
                0x80 => drop(self.take(1)?),
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.stack.push(Value::Text(format!("{module} {name}")));
                }
                b'q' => self.remember(1)?,
                b'r' => self.remember(4)?,
                b'h' => self.recall(1)?,
                b'j' => self.recall(4)?,
                b'(' => self.stack.push(Value::Mark),
                b'X' => {
                    let length = self.number(4)?;
                    let text = self.take(length)?.to_vec();
                    self.stack.push(Value::Text(String::from_utf8_lossy(&text).into_owned()));
                }
                b'K' | b'M' | b'J' | 0x8a => self.integer(code)?,
                b'Q' => {
                    let id = self.pop()?;
                    self.hold(Value::Persistent(Box::new(id)))?;
                }
                b'R' => {
                    let (arguments, function) = (self.pop()?, self.pop()?);
                    self.hold(Value::Call(Box::new((function, arguments))))?;
                }
                b')' => self.stack.push(Value::Tuple(Vec::new())),
                b't' => {
                    let mark = self.stack.iter().rposition(|value| *value == Value::Mark);
                    let mark = mark.ok_or_else(|| PickleError("no mark".to_owned()))?;
                    let values = self.stack.split_off(mark + 1);
                    self.stack.truncate(mark);
                    self.hold(Value::Tuple(values))?;
                }
                0x85..=0x87 => {
                    let from = self.stack.len().checked_sub(usize::from(code - 0x84));
                    let from = from.ok_or_else(|| PickleError("an empty stack".to_owned()))?;
                    let values = self.stack.split_off(from);
                    self.hold(Value::Tuple(values))?;
                }
                0x88 | 0x89 | b'N' | b'}' | b']' => self.stack.push(Value::Other),
                other => return Err(PickleError(format!("operation {other:#04x}"))),
            }
        }
    }

    /// Puts a value that holds others on the stack.
    fn hold(&mut self, value: Value) -> Result<(), PickleError> {
        if value.depth() > DEPTH {
            return Err(PickleError("nested too deeply".to_owned()));
        }
        self.stack.push(value);
        Ok(())
    }

    fn integer(&mut self, code: u8) -> Result<(), PickleError> {
        let length = match code {
            b'K' => 1,
            b'M' => 2,
            b'J' => 4,
            _ => self.number(1)?,
        };
        let bytes = self.take(length)?;
        let is_negative =
            matches!(code, b'J' | 0x8a) && bytes.last().is_some_and(|b| b & 0x80 != 0);
        let mut wide = if is_negative { [0xff; 8] } else { [0; 8] };
        let room = wide.get_mut(..bytes.len());
        room.ok_or_else(|| PickleError("an integer of many bytes".to_owned()))?
            .copy_from_slice(bytes);
        self.stack.push(Value::Int(i64::from_le_bytes(wide)));
        Ok(())
    }

    fn take(&mut self, length: usize) -> Result<&[u8], PickleError> {
        let end = self.at.saturating_add(length);
        let taken = self.bytes.get(self.at..end);
        self.at = end;
        taken.ok_or_else(|| PickleError("it is cut short".to_owned()))
    }

    fn number(&mut self, length: usize) -> Result<usize, PickleError> {
        Ok(self.take(length)?.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    fn line(&mut self) -> Result<String, PickleError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b'\n');
        let length = length.ok_or_else(|| PickleError("it is cut short".to_owned()))?;
        let text = String::from_utf8_lossy(&rest[..length]).into_owned();
        self.at += length + 1;
        Ok(text)
    }

    fn pop(&mut self) -> Result<Value, PickleError> {
        self.stack.pop().ok_or_else(|| PickleError("an empty stack".to_owned()))
    }

    /// Memo numbers count up from 0. Only names come again: what holds others could grow without bound.
    fn remember(&mut self, length: usize) -> Result<(), PickleError> {
        let at = self.number(length)?;
        let top = match self.stack.last() {
            Some(name @ Value::Text(_)) => name.clone(),
            _ => Value::Other,
        };
        if at != self.memo.len() {
            return Err(PickleError(format!("memo {at} after {}", self.memo.len())));
        }
        self.memo.push(top);
        Ok(())
    }

    fn recall(&mut self, length: usize) -> Result<(), PickleError> {
        let at = self.number(length)?;
        let value = self.memo.get(at).cloned();
        self.stack.push(value.ok_or_else(|| PickleError(format!("no memo {at}")))?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As libtorch writes the tuple of one tensor of two int64.
    const ONE: &[u8] = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nq\x00((X\x07\x00\x00\x00storageq\x01\
        ctorch\nLongStorage\nq\x02X\x01\x00\x00\x001q\x03X\x03\x00\x00\x00cpuq\x04K\x02tQq\x05K\x01(K\x02t\
        (K\x01t\x89ccollections\nOrderedDict\nq\x06)RtRq\x07\x85.";

    #[test]
    fn a_tensor_is_read() {
        let stored = Stored {
            kind: Kind::I64,
            storage: "1".to_owned(),
            offset: 1,
            shape: vec![2],
            stride: vec![1],
        };
        assert_eq!(tensors(ONE), Ok(vec![stored]));
    }

    #[test]
    fn what_is_cut_or_calls_something_else_is_refused() {
        for end in 0..ONE.len() {
            assert!(tensors(&ONE[..end]).is_err(), "{end}");
        }
        assert!(tensors(b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R\x85.").is_err());
        for wraps in [b'Q', 0x85] {
            let deep = [&b"\x80\x02)"[..], &vec![wraps; 100_000], b"."].concat();
            assert!(tensors(&deep).unwrap_err().to_string().contains("nested too deeply"));
        }
        let text = tensors(b"\x80\x02S'x'\n.").unwrap_err().to_string();
        assert!(text.contains("operation 0x53"), "{text}");
    }
}
