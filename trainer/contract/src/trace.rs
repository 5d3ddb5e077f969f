//! What `dfr-train trace` leaves of a model, for whoever writes it down in another language.
//!
//! ```text
//! <out>/trace.json            Header
//! <out>/graph-2.pt            TorchScript archive: forward(input, variable, …) traced with 2 records
//! <out>/graph-3.pt            the same with 3: what differs follows the number of records
//! <out>/answers.safetensors   input.<n>, logits.<n> for n records each of ANSWERS
//! ```

use serde::{Deserialize, Serialize};

/// Records of the two graphs.
pub const GRAPHS: [u64; 2] = [2, 3];
/// Records of the batches that are answered.
pub const ANSWERS: [u64; 3] = [1, 3, 8];
/// File of the header.
pub const HEADER: &str = "trace.json";
/// File of inputs and logits.
pub const ANSWERS_FILE: &str = "answers.safetensors";

/// Describes a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Model name.
    pub model: String,
    /// Shape of one record: `T 3 H W`, `3 H W` or `N`.
    pub shape: Vec<u64>,
    /// Names of the variables in the order of the graph's arguments, which the input precedes.
    pub variables: Vec<String>,
}

/// File of the graph that was traced with so many records.
pub fn graph_file(records: u64) -> String {
    format!("graph-{records}.pt")
}
