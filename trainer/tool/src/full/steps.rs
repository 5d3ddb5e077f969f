//! Which steps were begun and which are done, in a file: a second start goes on after them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dfr_contract::exit;
use dfr_media::files::{self, FileError};
use dfr_media::pack::read::read_json;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::Failure;

/// File name beside the weights.
pub const FILE: &str = "full.json";

/// A step that was begun.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    /// What it was made of.
    inputs: Value,
    /// What tells that its result is still the same; nothing while it is not done.
    result: Option<String>,
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
    begun: BTreeMap<String, Begun>,
}

impl Steps {
    /// Those that were begun in `dir`.
    pub fn open(dir: &Path) -> Self {
        let path = dir.join(FILE);
        let begun = read_json(&path).unwrap_or_default();
        Self { path, begun }
    }

    /// What a step is being made of that was begun and is not done.
    pub fn unfinished(&self, name: &str) -> Option<&Value> {
        let begun = self.begun.get(name).filter(|begun| begun.result.is_none())?;
        Some(&begun.inputs)
    }

    /// What a step was made of that is done, and what tells its result.
    pub fn finished(&self, name: &str) -> Option<(&Value, &str)> {
        let begun = self.begun.get(name)?;
        Some((&begun.inputs, begun.result.as_deref()?))
    }

    /// Does a step, unless it is done, and notes its begin and end. Its code: done, or with inputs left out.
    ///
    /// # Errors
    /// Those of the step, or the disk.
    pub fn run(
        &mut self,
        step: Step,
        work: impl FnOnce() -> Result<u8, Failure>,
    ) -> Result<u8, Failure> {
        let Step { name, inputs, result } = step;
        if let Some(begun) = self.begun.get(name).filter(|begun| begun.inputs == inputs)
            && begun.result.is_some()
            && result() == begun.result
        {
            println!("{name}: is done");
            return Ok(exit::OK);
        }
        println!("{name}:");
        self.note(name, Begun { inputs: inputs.clone(), result: None })?;
        let code = work()?;
        let result = result().filter(|_| code == exit::OK);
        self.note(name, Begun { inputs, result })?;
        Ok(code)
    }

    fn note(&mut self, name: &str, begun: Begun) -> Result<(), FileError> {
        self.begun.insert(name.to_owned(), begun);
        let text = serde_json::to_vec_pretty(&self.begun).expect("plain data");
        files::write_whole(&self.path, &text)
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
        assert_eq!(Steps::open(dir.path()).unfinished("train"), None);
        let killed = Step { name: "train", inputs: json!(3), result: &|| None };
        let work = || {
            assert_eq!(Steps::open(dir.path()).unfinished("train"), Some(&json!(3)));
            Ok(exit::OUTSIDE)
        };
        Steps::open(dir.path()).run(killed, work).unwrap();
        assert_eq!(Steps::open(dir.path()).unfinished("train"), Some(&json!(3)));
        std::fs::write(dir.path().join(FILE), "torn").unwrap();
        assert_eq!(step(2, "b", exit::OK), (exit::OK, true));
    }
}
