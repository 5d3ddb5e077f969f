//! A task must not hand its runs what they are scored on, nor a key, nor what others did before; neither
//! must the system's own places, which all runs may read.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, anyhow};

use super::slot;
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::notebook::Notebook;
use crate::sandbox::{Code, Sandbox};
use crate::settings::{Locations, Settings};
use crate::task::{Places, Scoring, Task, expand};

/// Where the session that is asked for has its places.
pub(super) struct Site<'a> {
    pub(super) pack: &'a Path,
    /// Name of the repository's root commit.
    pub(super) project: &'a str,
    pub(super) tag: &'a str,
}

/// Refuses a task that is scored on labels that are not there.
pub(super) fn require_labels(
    settings: &Settings,
    task: &Task,
    site: &Site<'_>,
) -> Result<(), Failure> {
    let guard = Guard::new(settings, task, site);
    let vault = of_the_vault(&task.score).map(|path| expand(path, &guard.places));
    for path in vault {
        std::fs::metadata(&path).with_context(|| format!("labels {path}")).or_configuration()?;
    }
    Ok(())
}

fn of_the_vault(score: &Scoring) -> impl Iterator<Item = &String> {
    let holdout = score.holdout.as_ref().map(|holdout| &holdout.labels);
    [Some(&score.labels), score.sources.as_ref(), holdout].into_iter().flatten()
}

/// Refuses a task that opens what is private.
pub(super) fn check(settings: &Settings, task: &Task, site: &Site<'_>) -> Result<(), Failure> {
    let guard = Guard::new(settings, task, site);
    let inputs = task.score.holdout.as_ref().map(|holdout| &holdout.inputs);
    let inputs = inputs.into_iter().chain([&task.score.inputs]);
    for path in of_the_vault(&task.score).chain(inputs) {
        guard.refuse(Path::new(&expand(path, &guard.places)))?;
    }
    let Locations { repo, state_dir, .. } = &settings.locations;
    [state_dir.clone(), repo.join(".env"), repo.join(".git")]
        .iter()
        .try_for_each(|own| guard.refuse(own))
}

struct Guard {
    places: Places,
    /// What the task opens to all its runs.
    named: Vec<PathBuf>,
    systems: Vec<PathBuf>,
    /// What a run has in the state of its session.
    own: [PathBuf; 2],
}

impl Guard {
    fn new(settings: &Settings, task: &Task, site: &Site<'_>) -> Self {
        let Locations { repo, state_dir, cache, .. } = &settings.locations;
        let (slot, notebook) =
            (slot::place(cache, site.project), Notebook::new(state_dir, site.tag));
        let own = [notebook.run(0), notebook.out(0)];
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let places = BTreeMap::from([
            ("repository", text(repo)),
            ("pack", text(site.pack)),
            ("weights", text(&settings.locations.weights())),
            ("tree", text(&slot.join("tree"))),
            ("target", text(&slot.join("target"))),
            ("program", text(&notebook.program(0))),
            ("run", text(&own[0])),
            ("out", text(&own[1])),
        ]);
        let named = task.sandbox.readable.iter().chain(task.paths.values());
        let named = named.map(|path| resolved(Path::new(&expand(path, &places)))).collect();
        let systems = Sandbox::system(Code::Candidate).readable.into_iter();
        let systems =
            systems.filter(|_| !settings.runs.unsealed).map(|path| resolved(&path)).collect();
        let own = own.map(|path| resolved(&path));
        Self { places, named, systems, own }
    }

    fn refuse(&self, private: &Path) -> Result<(), Failure> {
        let secret = resolved(private);
        let above = |path: &&PathBuf| secret.starts_with(path);
        let is_own = |path: &PathBuf| self.own.iter().any(|own| path.starts_with(own));
        let below = |path: &&PathBuf| path.starts_with(&secret) && !is_own(path);
        let holding = self.named.iter().chain(&self.systems).find(above);
        let (open, relation) = match (holding, self.named.iter().find(below)) {
            (Some(open), _) => (open, format!("{} lies in it", private.display())),
            (None, Some(open)) => (open, format!("it lies in {}", private.display())),
            (None, None) => return Ok(()),
        };
        let error = anyhow!("runs may read {}, and {relation}", open.display());
        Err(Failure::new(Kind::Configuration, error)
            .hint("name what they need more narrowly under [paths] and [sandbox] of the task")
            .hint("or keep it elsewhere (data: DFRESEARCH_CACHE): all runs may read the system's own places"))
    }
}

/// Where a path leads, also one of which not everything is there yet.
fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut resolved = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => drop(resolved.pop()),
            part => resolved.push(part),
        }
        resolved = resolved.canonicalize().unwrap_or(resolved);
    }
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_where_its_links_do_and_what_is_not_there_may_go_back() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("a")).unwrap();
        std::os::unix::fs::symlink("a", root.join("link")).unwrap();
        for (path, leads) in
            [("link/x", "a/x"), ("none/../a", "a"), ("none/x/../../link/..", ""), (".", "")]
        {
            assert_eq!(resolved(&root.join(path)), root.join(leads), "{path}");
        }
    }
}
