//! Pictures and sounds are decoded in processes of their own (`dfr decode-worker`), as nobody vouches
//! for what was downloaded. Here is what travels to them and back.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

pub use dfr_codecs::worker::{Failure, Limits, Pool, Program};
use dfr_contract::input::{InputSpec, RecordSpec};
use dfr_contract::pack::Part;

use crate::decode::{Decoded, Kept, picture, sound};
use crate::fingerprint::Fingerprint;

/// Sends a request to a worker and gives its answer; from any thread.
pub type Ask<'a> = &'a (dyn Fn(&[u8]) -> Result<Vec<u8>, Failure> + Sync);

/// What a file is to be decoded to: a record of an input as a part stores it.
pub type Wanted = (InputSpec, Part, Kept);

/// The whole life of a worker: answers requests from stdin on stdout.
///
/// # Errors
/// The other side breaks off, or its limits cannot be set.
pub fn serve() -> io::Result<()> {
    dfr_codecs::worker::serve(io::stdin(), io::stdout(), answer)
}

/// Has a file decoded to the record that is wanted of it.
///
/// # Errors
/// The worker's; its answer is none.
pub fn decode(ask: Ask, file: &Path, wanted: &Wanted) -> Result<Decoded, Failure> {
    let answer = ask(&request(file, wanted))?;
    let decoded = read_answer(&answer, &wanted.0);
    decoded.ok_or_else(|| Failure::Died("its answer cannot be read".to_owned()))
}

/// What a worker answers to a request.
///
/// # Errors
/// The file cannot be read or decoded; the message is the reason.
pub fn answer(request: &[u8]) -> Result<Vec<u8>, String> {
    let (file, (input, part, kept)) = read_request(request).ok_or("the request cannot be read")?;
    let bytes = std::fs::read(file).map_err(|error| format!("cannot read it: {error}"))?;
    let decoded = match input.record {
        RecordSpec::Image(frame) => picture::decode(&bytes, frame, kept),
        RecordSpec::Audio(spec) => sound::decode(&bytes, spec, part),
        RecordSpec::Video(..) => Err("clips are decoded by ffmpeg".to_owned()),
    };
    decoded.map(|decoded| print_answer(&decoded))
}

/// What is wanted as a line of JSON, then the file's path.
fn request(file: &Path, wanted: &Wanted) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(wanted).expect("an input is plain data");
    bytes.push(b'\n');
    bytes.extend(file.as_os_str().as_bytes());
    bytes
}

fn read_request(bytes: &[u8]) -> Option<(&Path, Wanted)> {
    let (head, path) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n')?);
    let wanted = serde_json::from_slice(head).ok()?;
    Some((Path::new(OsStr::from_bytes(&path[1..])), wanted))
}

/// Length and fingerprint as a line of text, then the record.
fn print_answer(decoded: &Decoded) -> Vec<u8> {
    let Decoded { bytes, length, fingerprint } = decoded;
    [format!("{length} {fingerprint}\n").as_bytes(), bytes].concat()
}

fn read_answer(bytes: &[u8], input: &InputSpec) -> Option<Decoded> {
    let (head, record) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n')?);
    let (length, fingerprint) = std::str::from_utf8(head).ok()?.split_once(' ')?;
    let fingerprint = Fingerprint::parse(input.modality(), fingerprint).ok()?;
    Some(Decoded { bytes: record[1..].to_vec(), length: length.parse().ok()?, fingerprint })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::audio::Sound;
    use crate::fingerprint::clip::Clip;

    fn input(fields: &str) -> InputSpec {
        let rest =
            r#""source": "sample", "splits": {"train": 50, "validation": 25, "holdout": 25}"#;
        serde_json::from_str(&format!("{{{fields}, {rest}}}")).unwrap()
    }

    #[test]
    fn requests_and_answers_come_back_as_they_were() {
        let image = input(r#""height": 4, "width": 4, "preprocessing": "original""#);
        let audio = input(r#""sample_rate_hz": 8000, "samples": 2"#);
        let path = Path::new(OsStr::from_bytes(b"/odd\n\xff name.png"));
        let wanted = (image.clone(), Part::Holdout, Kept::SavedAgain);
        assert_eq!(read_request(&request(path, &wanted)), Some((path, wanted)));
        let clip = Fingerprint::Clip(Clip([Some(7), None, Some(9)]));
        let sound = Fingerprint::Sound(Sound(vec![Some(7), None].into()));
        for (input, fingerprint) in [(&image, clip), (&audio, sound)] {
            let decoded = Decoded { bytes: b"\n\n 1".to_vec(), length: 3, fingerprint };
            assert_eq!(read_answer(&print_answer(&decoded), input), Some(decoded));
        }
    }

    #[test]
    fn an_answer_that_is_none_is_the_workers_fault() {
        let image = input(r#""height": 4, "width": 4, "preprocessing": "original""#);
        for answer in ["", "no line", "x flat\tflat\tflat\n", "1 flat\n", "1\n"] {
            let ask = |_: &[u8]| Ok(answer.as_bytes().to_vec());
            let wanted = (image.clone(), Part::Train, Kept::AsItIs);
            let failure = decode(&ask, Path::new("x"), &wanted).unwrap_err();
            assert!(matches!(failure, Failure::Died(_)), "{answer}: {failure}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_the_reason() {
        let image = input(r#""height": 4, "width": 4, "preprocessing": "original""#);
        let wanted = (image, Part::Train, Kept::AsItIs);
        let absent = answer(&request(Path::new("/no/such"), &wanted)).unwrap_err();
        assert!(absent.starts_with("cannot read it: No such file"), "{absent}");
        assert_eq!(answer(b"x").unwrap_err(), "the request cannot be read");
    }
}
