//! From a trace to what the competition takes: `model.py`, `model_config.yaml` and `model.safetensors` in a
//! zip archive. Nothing of a trace is believed or executed here: it is read, and written down in Python.
//!
//! The order: `archive` (what libtorch wrote), `syntax` and `pickle` (how it is read), `merge` (any number of
//! records), `operators` (what it may call), `python` (the module), `config`, `package`.

pub mod archive;
pub mod config;
pub mod merge;
pub mod operators;
pub mod package;
pub mod pickle;
pub mod python;
pub mod syntax;
pub mod tensor;

/// Checks a module against the competition's rules for imports and calls: `rules.py MODEL.PY`. Needs Python
/// alone; prints one broken rule a line.
pub const RULES: &str = include_str!("../python/rules.py");
/// Loads submissions as the competition does and compares their answers: `DIR ANSWERS…`. Needs torch, numpy and
/// safetensors; prints one line of JSON for each.
pub const PROVE: &str =
    concat!(include_str!("../python/loader.py"), include_str!("../python/prove.py"));
/// Asks a submission about records: `DIR KIND BATCH SIZE…`. Needs the same; prints `p <probability> <call>` a record.
pub const EXAM: &str =
    concat!(include_str!("../python/loader.py"), include_str!("../python/exam.py"));
