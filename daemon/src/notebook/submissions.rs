//! What `dfr push` noted of a session's keeps.

use std::path::Path;

use dfr_contract::submission::Submission;
use tracing::warn;

use super::untrusted::read_plain;

/// Tens of thousands of them.
const BYTES: u64 = 16 << 20;

/// The submissions of a file behind the first `known` ones, oldest first. A line that is none, as a power cut leaves
/// it, does not count.
pub fn new(path: &Path, known: usize) -> Vec<Submission> {
    let file = path.display();
    if !path.exists() {
        return Vec::new();
    }
    let Some(content) = read_plain(path, BYTES).ok().flatten() else {
        warn!(%file, "cannot be read, or is larger than {} MiB: nothing is taken in", BYTES >> 20);
        return Vec::new();
    };
    let lines = content.split(|byte| *byte == b'\n');
    let mut all: Vec<Submission> =
        lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
    if all.len() < known {
        warn!(%file, "holds {} submissions, and the ledger {known}: new ones are not told from old", all.len());
    }
    all.split_off(known.min(all.len()))
}
