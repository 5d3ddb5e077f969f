//! A candidate's commit and references from nothing but what the ledger holds: the answer's text, its
//! parent, the time of the proposal. Made again, it is the same commit.

use std::collections::BTreeMap;

use crate::experiment::{Candidate, Entry, History, Idea, Purpose};
use crate::failure::{Failure, OrFailure as _};
use crate::patch::{self, Patch, Proposal, Scope};
use crate::repository::{Repository, RepositoryError};
use crate::session::Recorded;

/// The candidates of a session in its repository.
pub(super) struct Candidates<'a> {
    pub(super) repository: &'a Repository,
    pub(super) scope: &'a Scope,
    pub(super) tag: &'a str,
}

/// What became of the candidates that the ledger tells of.
#[derive(Debug, Default)]
pub(super) struct Restored {
    made: usize,
    there: usize,
    references: u32,
    /// What cannot be had again, one line each.
    pub(super) lost: Vec<String>,
}

impl Candidates<'_> {
    /// The answer in hand as a patch of its parent, or what is wrong with it.
    pub(super) fn read_answer(
        &self,
        candidate: &Candidate,
    ) -> Result<Result<(Proposal, Patch), String>, Failure> {
        let Some(answer) = &candidate.answer else { return Ok(Err("no answer".to_owned())) };
        if let Some(problem) = &answer.problem {
            return Ok(Err(problem.clone()));
        }
        let files = self.repository.files(&candidate.parent, self.scope).or_outside()?;
        let understood =
            patch::parse(&answer.text).map_err(|error| error.to_string()).and_then(|proposal| {
                let patch = patch::apply(&proposal, &files, self.scope);
                patch.map(|patch| (proposal, patch)).map_err(|error| error.to_string())
            });
        Ok(understood)
    }

    /// What the answer in hand is about.
    pub(super) fn idea(
        &self,
        candidate: &Candidate,
        (proposal, patch): (&Proposal, &Patch),
    ) -> Result<Idea, Failure> {
        let files = self.repository.files(&candidate.parent, self.scope).or_outside()?;
        Ok(Idea::new(&proposal.theme, &patch::changed_lines(&files, patch)))
    }

    /// The commit of a candidate that was understood: its parent where it measures what is there,
    /// else one that is made, on no branch.
    pub(super) fn commit(&self, candidate: &Candidate) -> Result<Result<String, String>, Failure> {
        match candidate.purpose {
            Purpose::Candidate => self.make(candidate),
            _ => Ok(Ok(candidate.parent.clone())),
        }
    }

    fn make(&self, candidate: &Candidate) -> Result<Result<String, String>, Failure> {
        let (proposal, patch) = match self.read_answer(candidate)? {
            Ok(understood) => understood,
            Err(problem) => return Ok(Err(problem)),
        };
        let Proposal { hypothesis, description, .. } = proposal;
        let (n, tag) = (candidate.experiment, self.tag);
        let message = format!("{description}\n\n{hypothesis}\n\nExperiment {n} of {tag}.");
        let written = (message.as_str(), candidate.proposed_at_ms);
        match self.repository.commit(&candidate.parent, &patch, written) {
            Err(blocked @ RepositoryError::Blocked { .. }) => Ok(Err(blocked.to_string())),
            made => made.or_outside().map(Ok),
        }
    }

    /// Puts back every commit and every reference that the entries of a session tell of.
    pub(super) fn restore(&self, entries: &[Recorded]) -> Result<Restored, Failure> {
        let mut restored = Restored::default();
        let mut history = History::default();
        let mut kept: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for Recorded { experiment, at_ms, entry, .. } in entries {
            if let (Entry::Committed { commit }, Some(candidate)) = (entry, &history.in_hand)
                && self.put_back(candidate, commit, &mut restored)?
            {
                kept.entry(*experiment).or_default().push(commit.clone());
            }
            history.apply(*experiment, entry, *at_ms).or_bug()?;
        }
        for (experiment, commits) in kept {
            restored.references +=
                self.repository.keep_again(self.tag, experiment, &commits).or_outside()?;
        }
        restored.miss(history.diverged.filter(|tip| !self.repository.has(tip)));
        Ok(restored)
    }

    /// Says whether the commit is there now.
    fn put_back(
        &self,
        candidate: &Candidate,
        commit: &str,
        restored: &mut Restored,
    ) -> Result<bool, Failure> {
        if self.is_whole(commit) {
            restored.there += 1;
            return Ok(true);
        }
        let damaged = "cannot be made: git holds damaged objects of it, which `git fsck` names";
        let why = match self.remake(candidate, commit)? {
            Ok(()) if self.is_whole(commit) => {
                restored.made += 1;
                return Ok(true);
            }
            Ok(()) => damaged.to_owned(),
            Err(why) => why,
        };
        restored.lost.push(format!("experiment {}: {commit} {why}", candidate.experiment));
        Ok(false)
    }

    /// Whether a commit is there with the files that a proposer may write.
    fn is_whole(&self, commit: &str) -> bool {
        self.repository.files(commit, self.scope).is_ok()
    }

    /// Makes a commit again, or tells why it cannot be the same.
    fn remake(&self, candidate: &Candidate, commit: &str) -> Result<Result<(), String>, Failure> {
        let whose = match candidate.purpose {
            Purpose::Candidate => None,
            Purpose::Baseline => Some("is where the session began, and git has lost it"),
            Purpose::Adoption => Some("is a commit of somebody else, and git has lost it"),
            Purpose::Control | Purpose::Moved | Purpose::Noise | Purpose::Certify => {
                Some("was an incumbent, and git has lost it")
            }
        };
        if let Some(whose) = whose {
            return Ok(Err(whose.to_owned()));
        }
        let parent = &candidate.parent;
        if !self.is_whole(parent) {
            return Ok(Err(format!("cannot be made without its parent {parent}")));
        }
        Ok(match self.make(candidate) {
            Ok(Ok(made)) if made == commit => Ok(()),
            Ok(Ok(made)) => Err(format!("cannot be made: what the ledger tells makes {made}")),
            Ok(Err(problem)) => Err(format!("cannot be made: {problem}")),
            Err(failure) if failure.is_full_disk() => return Err(failure),
            // One that git refuses must not hide the others.
            Err(failure) => Err(format!("cannot be made: {:#}", failure.error)),
        })
    }
}

impl Restored {
    fn miss(&mut self, diverged: Option<String>) {
        let lost = |tip| {
            format!(
                "{tip}, a commit of somebody else, was to be measured next, and git has lost it"
            )
        };
        self.lost.extend(diverged.map(lost));
    }

    /// The counts, then what is lost.
    pub(super) fn told(&self) -> Vec<String> {
        let Self { made, there, references, lost } = self;
        let counts = format!(
            "commits: {made} made again, {there} there, {} cannot be made; references: {references} put back",
            lost.len()
        );
        [vec![counts], lost.clone()].concat()
    }
}

#[cfg(test)]
#[path = "candidates_tests.rs"]
mod tests;
