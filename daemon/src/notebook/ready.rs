//! When what the loop can find out in minutes is found out, and hours of training come next.

use super::notes::untried;
use crate::experiment::{History, rounded, stands_still};
use crate::task::Task;

/// Share of records told right that the competition's exam asks for.
const PASSES: f64 = 0.8;
/// Ideas that are few.
const FEW: usize = 3;

/// What a human is told of a recipe that is ready for a long training, and the command for it; nothing
/// while candidates are kept, the exam would not be passed or ideas are left. The loop goes on.
///
/// # Source
/// dfresearch's program.md, "Graduating to a full training run".
pub fn ready(task: &Task, tag: &str, history: &History) -> Option<[String; 2]> {
    task.commands.full.as_ref()?;
    let since = stands_still(history)?;
    let best = history.best()?;
    // As a proposer is told it, who reads this too.
    let accuracy = rounded("accuracy", *best.metrics.get("accuracy")?, best);
    let passes = accuracy.parse().is_ok_and(|share: f64| share >= PASSES);
    let few = untried(history).len() <= FEW;
    (passes && few).then(|| {
        let signs = format!(
            "Ready for a full training: {since} candidates without a keep, an accuracy that passes the \
             exam, few ideas left"
        );
        [signs, format!("dfr-daemon full --tag {tag} --hours 4")]
    })
}
