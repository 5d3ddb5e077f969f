//! Which steps are done, in a file: a second start goes on after them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dfr_contract::exit;
use dfr_media::files;
use dfr_media::pack::read::read_json;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::Failure;

/// File name beside the weights.
const FILE: &str = "full.json";

/// A step that was done.
#[derive(Debug, Serialize, Deserialize)]
struct Done {
    /// What it was made of.
    inputs: Value,
    /// What tells that its result is still the same.
    result: String,
}

/// What a step is made of, and how its result is told.
pub struct Step<'a> {
    /// Its name.
    pub name: &'static str,
    /// What it is made of: with other inputs it is done again.
    pub inputs: Value,
    /// Tells its result from another one; nothing while there is none.
    pub result: &'a dyn Fn() -> Option<String>,
}

/// The steps of one folder.
pub struct Steps {
    path: PathBuf,
    done: BTreeMap<String, Done>,
}

impl Steps {
    /// Those that are done in `dir`.
    pub fn open(dir: &Path) -> Self {
        let path = dir.join(FILE);
        let done = read_json(&path).unwrap_or_default();
        Self { path, done }
    }

    /// Does a step, unless it is done, and notes it. Its code: done, or with inputs left out.
    ///
    /// # Errors
    /// Those of the step, or the disk.
    pub fn run(
        &mut self,
        step: Step,
        work: impl FnOnce() -> Result<u8, Failure>,
    ) -> Result<u8, Failure> {
        let Step { name, inputs, result } = step;
        if let Some(done) = self.done.get(name).filter(|done| done.inputs == inputs)
            && result().as_ref() == Some(&done.result)
        {
            println!("{name}: is done");
            return Ok(exit::OK);
        }
        println!("{name}:");
        let code = work()?;
        let made = result().filter(|_| code == exit::OK);
        if let Some(result) = made {
            self.done.insert(name.to_owned(), Done { inputs, result });
            let text = serde_json::to_vec_pretty(&self.done).expect("plain data");
            files::write_whole(&self.path, &text)?;
        }
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::cell::Cell;

    #[test]
    fn a_step_is_repeated_when_its_inputs_or_its_result_changed_or_it_failed() {
        let dir = tempfile::tempdir().unwrap();
        let times = Cell::new(0);
        let step = |inputs: i32, result: &str, code: u8| {
            let told = || Some(result.to_owned());
            let step = Step { name: "train", inputs: json!(inputs), result: &told };
            let before = times.get();
            let work = || {
                times.set(before + 1);
                Ok(code)
            };
            let code = Steps::open(dir.path()).run(step, work).unwrap();
            (code, times.get() > before)
        };
        assert_eq!(step(1, "a", exit::OUTSIDE), (exit::OUTSIDE, true));
        assert_eq!(step(1, "a", exit::PARTIAL), (exit::PARTIAL, true));
        // What was left out may be had the next time.
        assert_eq!(step(1, "a", exit::OK), (exit::OK, true));
        assert_eq!(step(1, "a", exit::PARTIAL), (exit::OK, false));
        assert_eq!(step(1, "b", exit::OK), (exit::OK, true));
        assert_eq!(step(2, "b", exit::OK), (exit::OK, true));
        assert_eq!(step(2, "b", exit::OK), (exit::OK, false));
        std::fs::write(dir.path().join(FILE), "torn").unwrap();
        assert_eq!(step(2, "b", exit::OK), (exit::OK, true));
    }
}
