//! Messages with their length before them.

use std::io::{self, ErrorKind, Read, Write};

/// The longest message: the largest picture in RGB, and then some. A length beyond it is no length.
const BYTES_MAX: u32 = 1 << 30;

pub(super) fn write(to: &mut impl Write, parts: &[&[u8]]) -> io::Result<()> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let length = u32::try_from(length).ok().filter(|length| *length <= BYTES_MAX);
    let length = length.ok_or_else(|| io::Error::other("a message of more than 1 GiB"))?;
    to.write_all(&length.to_le_bytes())?;
    for part in parts {
        to.write_all(part)?;
    }
    to.flush()
}

/// `None` where the other side has closed between two messages.
pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match from.read(&mut length[..1])? {
        0 => return Ok(None),
        _ => from.read_exact(&mut length[1..])?,
    }
    let length = u32::from_le_bytes(length);
    if length > BYTES_MAX {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("a length of {length} bytes")));
    }
    let mut message = Vec::new();
    // Grows with what arrives, not with what was announced.
    from.take(length.into()).read_to_end(&mut message)?;
    if message.len() < length as usize {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(message))
}
