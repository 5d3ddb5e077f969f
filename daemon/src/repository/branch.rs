//! References: they move from where they are known to stand, or not at all.

use std::thread;
use std::time::Duration;

use git2::{BranchType, ErrorCode, Oid};

use super::error::{Doing as _, RepositoryError};
use super::{Repository, durable};

/// Waits for another program's lock: 1.9 s in all. A git command holds one for milliseconds.
const WAITS_MS: [u64; 6] = [20, 50, 100, 230, 500, 1000];

impl Repository {
    /// Where a branch stands (full object id), if there is one.
    ///
    /// # Errors
    /// The reference cannot be read.
    pub fn branch_tip(&self, branch: &str) -> Result<Option<String>, RepositoryError> {
        let tip = self.tip(&heads(branch))?;
        Ok(tip.map(|id| id.to_string()))
    }

    /// A branch whose name makes this one impossible: git keeps names as paths, so that `a` and
    /// `a/b` cannot both be there.
    ///
    /// # Errors
    /// The references cannot be read.
    pub fn in_the_way_of(&self, branch: &str) -> Result<Option<String>, RepositoryError> {
        let doing = || format!("read the branches beside {branch}");
        for branches in self.git.branches(Some(BranchType::Local)).doing(doing)? {
            let (other, _) = branches.doing(doing)?;
            let Ok(Some(other)) = other.name() else { continue };
            let is_below = |a: &str, b: &str| a.strip_prefix(b).is_some_and(|r| r.starts_with('/'));
            if is_below(other, branch) || is_below(branch, other) {
                return Ok(Some(other.to_owned()));
            }
        }
        Ok(None)
    }

    /// Whether the human's checkout is on this branch.
    pub fn is_checked_out(&self, branch: &str) -> bool {
        let found = self.git.find_branch(branch, BranchType::Local);
        !self.git.is_bare() && found.is_ok_and(|branch| branch.is_head())
    }

    /// Makes a branch where there is none.
    ///
    /// # Errors
    /// [`RepositoryError::BranchExists`], also when it appears at the same moment.
    pub fn create_branch(
        &self,
        branch: &str,
        at: &str,
        message: &str,
    ) -> Result<(), RepositoryError> {
        let to = self.commit_at(at)?.id();
        self.swap(&heads(branch), (None, to), message).map_err(|error| match error {
            RepositoryError::Moved { found: Some(tip), .. } => {
                RepositoryError::BranchExists { branch: branch.to_owned(), tip }
            }
            error => error,
        })
    }

    /// Moves a branch, if it stands where it should. The message goes into its reflog.
    ///
    /// # Errors
    /// [`RepositoryError::Moved`] when it stands elsewhere, or is gone.
    pub fn move_branch(
        &self,
        branch: &str,
        (from, to): (&str, &str),
        message: &str,
    ) -> Result<(), RepositoryError> {
        let (from, to) = (self.commit_at(from)?.id(), self.commit_at(to)?.id());
        self.swap(&heads(branch), (Some(from), to), message)
    }

    /// Keeps a candidate reachable under `refs/dfr/<tag>/exp/<experiment>`. An earlier candidate
    /// of the same experiment stays reachable beside it, as `<experiment>.1` and so on.
    ///
    /// # Errors
    /// The references cannot be written.
    pub fn keep(&self, tag: &str, experiment: u32, commit: &str) -> Result<(), RepositoryError> {
        let name = kept(tag, experiment);
        let to = self.commit_at(commit)?.id();
        let from = self.tip(&name)?;
        if let Some(earlier) = from.filter(|earlier| *earlier != to) {
            self.set_aside(&name, earlier)?;
        }
        self.swap(&name, (from, to), "candidate")
    }

    /// Puts the references of an experiment's candidates (full object ids, oldest first) where
    /// [`Self::keep`] left them. Says how many were not there.
    ///
    /// # Errors
    /// A candidate is not in the repository, or a reference cannot be written.
    pub fn keep_again(
        &self,
        tag: &str,
        experiment: u32,
        commits: &[String],
    ) -> Result<u32, RepositoryError> {
        let newest = kept(tag, experiment);
        let aside = earlier(commits);
        let asides = (1u32..).zip(aside).map(|(number, id)| (format!("{newest}.{number}"), id));
        let mut written = 0;
        for (name, id) in asides.chain(commits.last().map(|id| (newest.clone(), id.as_str()))) {
            let to = self.commit_at(id)?.id();
            let from = self.tip(&name)?;
            if from != Some(to) {
                self.swap(&name, (from, to), "put back")?;
                written += 1;
            }
        }
        Ok(written)
    }

    /// The newest candidate of an experiment (full object id), if it got that far.
    ///
    /// # Errors
    /// The reference cannot be read.
    pub fn kept(&self, tag: &str, experiment: u32) -> Result<Option<String>, RepositoryError> {
        Ok(self.tip(&kept(tag, experiment))?.map(|id| id.to_string()))
    }

    /// Whether a commit (full object id) is among the candidates kept for an experiment.
    ///
    /// # Errors
    /// A reference cannot be read.
    pub fn is_kept(
        &self,
        tag: &str,
        experiment: u32,
        commit: &str,
    ) -> Result<bool, RepositoryError> {
        let newest = kept(tag, experiment);
        let earlier = (1u32..).map(|number| format!("{newest}.{number}"));
        let mut names = std::iter::once(newest.clone()).chain(earlier);
        while let Some(tip) = names.next().map(|name| self.tip(&name)).transpose()?.flatten() {
            if tip.to_string() == commit {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn set_aside(&self, name: &str, earlier: Oid) -> Result<(), RepositoryError> {
        for number in 1u32.. {
            let aside = format!("{name}.{number}");
            match self.tip(&aside)? {
                Some(taken) if taken != earlier => {}
                Some(_) => break,
                None => return self.swap(&aside, (None, earlier), "earlier candidate"),
            }
        }
        Ok(())
    }

    fn tip(&self, name: &str) -> Result<Option<Oid>, RepositoryError> {
        let found = self.git.find_reference(name).and_then(|found| found.peel_to_commit());
        match found {
            Ok(commit) => Ok(Some(commit.id())),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error).doing(|| format!("read {name}")),
        }
    }

    /// Compare-and-swap under the reference's lock; `None` is a reference that is not there.
    fn swap(
        &self,
        name: &str,
        (from, to): (Option<Oid>, Oid),
        message: &str,
    ) -> Result<(), RepositoryError> {
        let current = from.unwrap_or(Oid::ZERO_SHA1);
        let swap = || self.git.reference_matching(name, to, from.is_some(), current, message);
        let mut done = swap();
        for wait_ms in WAITS_MS {
            if !matches!(&done, Err(error) if error.code() == ErrorCode::Locked) {
                break;
            }
            thread::sleep(Duration::from_millis(wait_ms));
            done = swap();
        }
        done.map_err(|error| self.explained(error, name, from))?;
        durable::sync_above(&self.git.commondir().join(name), self.git.commondir())
    }

    fn explained(&self, error: git2::Error, name: &str, from: Option<Oid>) -> RepositoryError {
        match error.code() {
            ErrorCode::Locked => {
                let path = self.git.commondir().join(format!("{name}.lock"));
                RepositoryError::Locked { path }
            }
            ErrorCode::Modified | ErrorCode::Exists | ErrorCode::NotFound => {
                RepositoryError::Moved {
                    name: name.to_owned(),
                    expected: from.map(|id| id.to_string()),
                    found: self.tip(name).ok().flatten().map(|id| id.to_string()),
                }
            }
            _ => RepositoryError::git(format!("move {name}"), error),
        }
    }
}

/// Candidates that another one took the place of, in that order, each once.
fn earlier(commits: &[String]) -> Vec<&str> {
    let mut earlier: Vec<&str> = Vec::new();
    for pair in commits.windows(2).filter(|pair| pair[0] != pair[1]) {
        if !earlier.contains(&pair[0].as_str()) {
            earlier.push(&pair[0]);
        }
    }
    earlier
}

fn heads(branch: &str) -> String {
    format!("refs/heads/{branch}")
}

fn kept(tag: &str, experiment: u32) -> String {
    format!("refs/dfr/{tag}/exp/{experiment}")
}
