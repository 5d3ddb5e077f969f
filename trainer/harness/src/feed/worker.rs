//! A thread that fills batches until nobody asks any more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::mpsc::Receiver;

use super::buffer::Buffer;
use super::fill::{Draw, Source};
use super::plan::Wanted;
use super::{FeedError, Request, message};

/// Takes requests until there can be no more. An answer that nobody awaits is dropped.
pub fn work(queue: &Mutex<Receiver<Request>>, source: Source) {
    while let Some(Request { wanted, buffer, answer }) = next(queue) {
        let _ = answer.send(fill(source, &wanted, buffer));
    }
}

fn next(queue: &Mutex<Receiver<Request>>) -> Option<Request> {
    queue.lock().ok()?.recv().ok()
}

fn fill(source: Source, wanted: &Wanted, mut buffer: Buffer) -> Result<Buffer, FeedError> {
    for (slot, (number, &record)) in (wanted.drawn_before..).zip(&wanted.records).enumerate() {
        let draw = Draw { number, record };
        // Whatever a panic leaves of the buffer is thrown away with it.
        catch_unwind(AssertUnwindSafe(|| source.fill(&mut buffer, slot, draw)))
            .map_err(|panic| FeedError::Transform { record, message: message(&*panic) })?;
    }
    Ok(buffer)
}
