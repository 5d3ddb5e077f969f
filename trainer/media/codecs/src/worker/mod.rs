//! Work on untrusted bytes in processes of its own: a hang, an abort, an overflowing stack or an
//! allocation without end takes one worker with it, and the caller learns which request it was.
//!
//! A [`Pool`] starts a program, by convention the caller's own with a hidden subcommand whose body
//! is [`serve`]. A request and its answer are bytes of the caller's making. They travel as frames
//! (a length of 4 bytes, little-endian, then that many bytes; an answer's first byte tells whether
//! it is one or a refusal) over a socket that is the worker's stdin and stdout. A worker serves
//! request after request until its stdin closes, and dies with the process that started it.

mod frame;
mod nursery;
mod pool;
mod process;
mod serve;

pub use pool::{Counts, Failure, Limits, Pool};
pub use process::Program;
pub use serve::serve;
