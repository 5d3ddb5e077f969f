//! Fills batches ahead of the training, in threads of their own.
//!
//! The training asks for batches in an order of its own making; each is filled whole by one thread, and
//! handed over in that order. What a batch holds follows from the seed and its place in that order.

mod buffer;
mod fill;
mod plan;
mod worker;

use std::any::Any;
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, Scope};

use tch::{Device, Tensor};

use crate::batches::OrderError;
use buffer::Buffer;
pub use fill::Source;
pub use plan::Plan;
use plan::Wanted;

/// Batches that wait filled, beyond one for each thread. More help only over a longer stall.
const READY: usize = 2;

/// Why there is no next batch.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The recipe's order cannot be followed.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The recipe's record transform panicked.
    #[error("the record transform failed on record {record}: {message}")]
    Transform {
        /// The record.
        record: usize,
        /// What it said.
        message: String,
    },
    /// The system gives no thread.
    #[error("cannot start a thread that fills batches: {0}")]
    Thread(#[from] std::io::Error),
    /// A thread ended without an answer.
    #[error("a thread that fills batches has gone; this is a bug")]
    Gone,
}

/// One batch, where the training computes.
pub struct Batch {
    /// `[B,T,3,H,W]` or `[B,3,H,W]` uint8 in 0..=255, or `[B,N]` float32 in -1..1.
    pub input: Tensor,
    /// `[B]` int64: 0 real, 1 synthetic.
    pub labels: Tensor,
    /// The epoch that it belongs to, from 1 on.
    pub epoch: u64,
}

/// A batch to be filled, and where it is awaited.
struct Request {
    wanted: Wanted,
    buffer: Buffer,
    answer: Sender<Result<Buffer, FeedError>>,
}

/// A batch that was asked for.
struct Pending {
    epoch: u64,
    answer: Receiver<Result<Buffer, FeedError>>,
}

/// The threads and what they were asked for. When it is dropped they end, after the batch in hand.
pub struct Feed<'a> {
    source: Source<'a>,
    plan: Plan<'a>,
    device: Device,
    requests: Sender<Request>,
    pending: VecDeque<Pending>,
    ahead: usize,
}

impl<'a> Feed<'a> {
    /// Starts `threads` threads in `scope`.
    ///
    /// # Errors
    /// If the system refuses one.
    pub fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        (source, plan): (Source<'a>, Plan<'a>),
        device: Device,
        threads: NonZeroUsize,
    ) -> Result<Self, FeedError>
    where
        'a: 'scope,
    {
        let (requests, queue) = channel::<Request>();
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..threads.get() {
            let queue = Arc::clone(&queue);
            thread::Builder::new()
                .name(format!("feed-{number}"))
                .spawn_scoped(scope, move || worker::work(&queue, source))?;
        }
        let ahead = threads.get() + READY;
        Ok(Self { source, plan, device, requests, pending: VecDeque::new(), ahead })
    }

    /// The next batch; waits until it is filled. Its copy to a GPU may still be under way, in order with
    /// what is computed there.
    ///
    /// # Errors
    /// If the recipe's order or its record transform failed.
    pub fn next_batch(&mut self) -> Result<Batch, FeedError> {
        while self.pending.len() < self.ahead {
            self.request()?;
        }
        let Pending { epoch, answer } = self.pending.pop_front().ok_or(FeedError::Gone)?;
        let buffer = answer.recv().map_err(|_| FeedError::Gone)??;
        let (input, labels) = buffer.onto(self.device);
        Ok(Batch { input, labels, epoch })
    }

    fn request(&mut self) -> Result<(), FeedError> {
        let wanted = self.plan.next_batch()?;
        let buffer = Buffer::new(self.source.part, wanted.records.len(), self.device);
        let (answer, pending) = channel();
        self.pending.push_back(Pending { epoch: wanted.epoch, answer: pending });
        self.requests.send(Request { wanted, buffer, answer }).map_err(|_| FeedError::Gone)
    }
}

/// One batch of the records `indices`, filled here and now.
pub fn batch_of(source: Source, indices: &[usize], device: Device) -> (Tensor, Tensor) {
    let mut buffer = Buffer::new(source.part, indices.len(), device);
    for (slot, &record) in indices.iter().enumerate() {
        source.fill(&mut buffer, slot, fill::Draw { number: slot as u64, record });
    }
    buffer.onto(device)
}

/// How many threads feed a training on `device`: few where it needs the same cores.
pub fn threads(device: Device) -> NonZeroUsize {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = if device.is_cuda() { (cores - 1).clamp(1, 8) } else { cores.div_ceil(4).min(2) };
    NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN)
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it panicked".into())
}

#[cfg(test)]
mod tests;
