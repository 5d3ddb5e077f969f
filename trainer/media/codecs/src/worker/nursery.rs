//! A thread that starts workers. The kernel ends a worker with the *thread* that started it, and
//! those that ask a pool come and go.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::process::{Process, Program};

type Started = io::Result<Process>;

/// Lives as long as the pool.
pub(super) struct Nursery {
    orders: Sender<Sender<Started>>,
}

impl Nursery {
    pub(super) fn new(program: Program, memory_bytes: u64) -> Self {
        let (orders, inbox): (Sender<Sender<Started>>, Receiver<Sender<Started>>) = channel();
        thread::spawn(move || {
            for order in inbox {
                // Whoever ordered may be gone; then so is the worker.
                let _ = order.send(Process::start(&program, memory_bytes));
            }
        });
        Self { orders }
    }

    pub(super) fn start(&self) -> Started {
        let (reply, started) = channel();
        let gone = || io::Error::other("the thread that starts workers is gone");
        self.orders.send(reply).map_err(|_| gone())?;
        started.recv().map_err(|_| gone())?
    }
}
