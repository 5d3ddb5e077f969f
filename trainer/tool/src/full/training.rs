//! The full training of a folder: whether one is there, and whether it is the one that is asked for.

use std::path::Path;

use dfr_contract::resumed;
use dfr_media::files;
use serde_json::Value;

use super::FullError;
pub use super::steps::FILE;
use super::steps::Steps;
use crate::trained;

/// The step that takes hours.
pub const TRAIN: &str = "train";
/// What tells one training from another, and where the command line says it.
const NAMES: [(&str, &str); 7] = [
    ("pack", "data"),
    ("preset", "--model"),
    ("seconds", "--hours, in seconds"),
    ("knobs", "--lr, --batch-size and --keep-schedule"),
    ("seed", "--seed"),
    ("weights", "--from-scratch: what it starts from"),
    ("program", "dfr-train (--trainer), by its SHA-256"),
];

/// What the training is of that was cut short there and has checkpoints to go on from.
pub fn under_way<'a>(steps: &'a Steps, out: &Path) -> Option<&'a Value> {
    steps.unfinished(TRAIN).filter(|_| out.join(resumed::DIR).is_dir())
}

/// Refuses another training than the one that is under way: its checkpoints would be of no use to this one, and what
/// is noted of it is needed to go on with it.
///
/// # Errors
/// Names what differs.
pub fn require_same(steps: &Steps, out: &Path, asked: &Value) -> Result<(), FullError> {
    let Some(begun) = under_way(steps, out).filter(|begun| *begun != asked) else { return Ok(()) };
    Err(FullError::Begun { resume: out.join(resumed::DIR), differs: differences(begun, asked) })
}

fn differences(begun: &Value, asked: &Value) -> String {
    let differ = NAMES.iter().filter(|(key, _)| begun[key] != asked[key]);
    let told = differ.map(|(key, name)| {
        format!("{name} (then {}, now {})", short(&begun[key]), short(&asked[key]))
    });
    told.collect::<Vec<_>>().join("; ")
}

/// A value as one would type it.
fn short(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            let values: Vec<_> = values.iter().map(short).collect();
            if values.is_empty() { "none".to_owned() } else { values.join(" ") }
        }
        other => other.to_string(),
    }
}

/// Refuses a folder in which a full training is under way, or its weights lie.
///
/// # Errors
/// Tells which training that is.
pub fn require_none(out: &Path) -> Result<(), FullError> {
    let steps = Steps::open(out);
    let (state, of) = if let Some(of) = under_way(&steps, out) {
        ("a full training (dfr full) that was cut short", of)
    } else if let Some((of, _)) =
        steps.finished(TRAIN).filter(|(_, is)| weights(out).as_deref() == Some(is))
    {
        ("the weights of a full training (dfr full)", of)
    } else {
        return Ok(());
    };
    let what = format!("{state}: {} for {} s", short(&of["preset"]), short(&of["seconds"]));
    Err(FullError::InTheWay { dir: out.to_owned(), what })
}

/// Tells the trained weights of a folder from others; nothing while it is not known what they are of.
pub fn weights(out: &Path) -> Option<String> {
    let is_told = out.join(trained::FILE).is_file();
    files::sha256(&out.join(trained::WEIGHTS)).ok().filter(|_| is_told)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_is_told_as_one_would_type_it() {
        let then = json!({"pack": "/p/1", "seconds": 36, "knobs": ["learning_rate=0.1", "schedule=cosine"], "weights": null});
        let now = json!({"pack": "/p/1", "seconds": 72, "knobs": [], "weights": "/w"});
        assert_eq!(
            differences(&then, &now),
            "--hours, in seconds (then 36, now 72); --lr, --batch-size and --keep-schedule (then learning_rate=0.1 \
             schedule=cosine, now none); --from-scratch: what it starts from (then nothing, now /w)"
        );
    }
}
