//! The worker's side.

use std::any::Any;
use std::io::{self, Read, Write};
use std::panic::{self, AssertUnwindSafe};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;

use super::frame;

/// What a worker says first, so that another program is not taken for one.
pub(super) const GREETING: &[u8] = b"dfr worker 1";
pub(super) const ANSWERED: u8 = 0;
pub(super) const REFUSED: u8 = 1;

/// Answers requests until `requests` ends: the whole of a worker's life. Limits this process first,
/// as the pool asks in its first message. A panic of `answer` refuses the request that it was for.
/// `answer` must not write to `answers` (stdout); on stderr, more than 64 KiB for one request would
/// make it wait until its deadline.
///
/// # Errors
/// If the limits cannot be set, or the other side breaks off within a message.
pub fn serve(
    mut requests: impl Read,
    mut answers: impl Write,
    answer: impl Fn(&[u8]) -> Result<Vec<u8>, String>,
) -> io::Result<()> {
    let Some(limit) = frame::read(&mut requests)? else { return Ok(()) };
    confine(&limit)?;
    // The reason travels in the answer.
    panic::set_hook(Box::new(|_| {}));
    frame::write(&mut answers, &[GREETING])?;
    answer_all(requests, answers, answer)
}

fn answer_all(
    mut requests: impl Read,
    mut answers: impl Write,
    answer: impl Fn(&[u8]) -> Result<Vec<u8>, String>,
) -> io::Result<()> {
    while let Some(request) = frame::read(&mut requests)? {
        let answered = panic::catch_unwind(AssertUnwindSafe(|| answer(&request)));
        match answered.unwrap_or_else(|payload| Err(told(payload.as_ref()))) {
            Ok(bytes) => frame::write(&mut answers, &[&[ANSWERED], &bytes])?,
            Err(reason) => frame::write(&mut answers, &[&[REFUSED], reason.as_bytes()])?,
        }
    }
    Ok(())
}

/// Ends with the starter, leaves no core dump, and has so much memory.
fn confine(limit: &[u8]) -> io::Result<()> {
    let limit = limit.try_into().map_err(|_| io::Error::other("no limit of memory"))?;
    set_pdeathsig(Signal::SIGKILL)?;
    lower(Resource::RLIMIT_CORE, 0)?;
    lower(Resource::RLIMIT_AS, u64::from_le_bytes(limit))
}

fn lower(resource: Resource, value: u64) -> io::Result<()> {
    let (_, hard) = getrlimit(resource)?;
    Ok(setrlimit(resource, value.min(hard), value.min(hard))?)
}

fn told(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    format!("the decoder panicked: {}", text.unwrap_or("no message"))
}
