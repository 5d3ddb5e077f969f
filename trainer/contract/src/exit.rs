//! Exit codes. One list for `dfr`, `dfr-train` and `dfr-daemon`; the README repeats it.

/// Everything asked for was done.
pub const OK: u8 = 0;
/// The command line cannot be understood (the code that clap uses too).
pub const USAGE: u8 = 2;
/// The command is fine but its surroundings are not set up: no data, no key, no repository,
/// a branch that exists.
pub const CONFIGURATION: u8 = 3;
/// The world outside failed: an endpoint, a disk, a permission, a program that is missing.
pub const OUTSIDE: u8 = 4;
/// Done, but some inputs were left out; each was named.
pub const PARTIAL: u8 = 5;
/// `dfr-train`: the loss became NaN or infinite.
pub const NOT_FINITE: u8 = 6;
/// `dfr-train canary`: the device computed a wrong answer.
pub const CANARY: u8 = 7;
/// `dfr-train`: the candidate's own code failed (a shape, a kind, a panic that libtorch reported).
pub const RECIPE: u8 = 8;
/// `dfr`: something other than the content tells the classes of a pack apart; it is not used.
pub const TELLS: u8 = 9;
/// `dfr export`, `exam`, `push`, `perf`: what is submitted breaks a rule, does not work or does not pass.
pub const REFUSED: u8 = 10;
/// Our bug. Please report it.
pub const BUG: u8 = 70;
/// Stopped at once by a human, without finishing anything.
pub const INTERRUPTED: u8 = 130;
