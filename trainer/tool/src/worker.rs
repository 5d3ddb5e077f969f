//! Processes of this program that decode pictures and sounds, and the command that makes it one.

use std::env;

use dfr_contract::exit;
use dfr_media::decode::worker::{self, Limits, Pool, Program};

use crate::failure::Failure;

/// The hidden subcommand.
const COMMAND: &str = "decode-worker";

/// Answers requests until nobody asks any more.
pub fn run() -> Result<u8, Failure> {
    worker::serve().map_err(Failure::Worker)?;
    Ok(exit::OK)
}

/// A pool without workers yet, of this very program.
pub fn pool() -> Result<Pool, Failure> {
    let path = env::current_exe().map_err(Failure::Worker)?;
    let program = Program { path, arguments: vec![COMMAND.into()] };
    Ok(Pool::new(program, Limits::default()))
}
