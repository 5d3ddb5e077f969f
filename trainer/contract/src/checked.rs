//! What `dfr-daemon full --check` says of a keep, as JSON, to whoever fetches the data that it is to be trained on.

use serde::{Deserialize, Serialize};

use crate::modality::Modality;

/// A keep that can be trained in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Its session.
    pub tag: String,
    /// Its number there.
    pub experiment: u32,
    /// Kind of media.
    pub modality: Modality,
    /// Text of the task that its session began with, and that it is trained for.
    pub task: String,
}
