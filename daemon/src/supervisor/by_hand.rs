//! `recover` and `rebuild`: what every start does to put things right, by hand. They need the
//! session's lock, its ledger and its repository, and nothing to run an experiment with.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::anyhow;

use super::branch::Branch;
use super::candidates::Candidates;
use super::manifest::unseen;
use super::preflight::{REPAIR_TURNS, busy, refuse_second};
use super::room::making_room;
use super::settle::{not_held_out, remove_outputs, tolerate};
use super::{known, leftovers, outlook};
use crate::clock;
use crate::experiment::{BranchMove, Caps, Entry, History, Rules, Stake};
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::ledger::{Ledger, LedgerError};
use crate::notebook::Notebook;
use crate::patch::Scope;
use crate::report::short;
use crate::repository::{Repository, valid_tag};
use crate::runner::FileLock;
use crate::session::Session;
use crate::settings::Locations;
use crate::task::Task;

/// What was found and done.
pub struct Told {
    /// For people, line by line.
    pub text: String,
    /// Whether all that the ledger tells of is there now.
    pub is_whole: bool,
}

/// Ends what an earlier life left behind and puts branch and files where the ledger says.
///
/// # Errors
/// A daemon runs the session, nobody knows it, or the world outside fails.
pub async fn recover(locations: &Locations, tag: &str) -> Result<Told, Failure> {
    let mut hand = ByHand::take(locations, tag).await?;
    if hand.clear().await? {
        hand.restore().await?;
    }
    hand.finish().await
}

/// The same, after every candidate's commit and reference was made again from the ledger.
///
/// # Errors
/// As [`recover`].
pub async fn rebuild(locations: &Locations, tag: &str) -> Result<Told, Failure> {
    let mut hand = ByHand::take(locations, tag).await?;
    hand.clear().await?;
    hand.restore().await?;
    hand.finish().await
}

/// Makes an earlier keep the incumbent again, and the branch go back to it. An experiment that was
/// in hand is given up.
///
/// # Errors
/// As [`recover`]; or that experiment is no keep.
pub async fn roll_back(locations: &Locations, tag: &str, to: u32) -> Result<Told, Failure> {
    let mut hand = ByHand::take(locations, tag).await?;
    hand.clear().await?;
    hand.roll_back(to).await?;
    hand.finish().await
}

/// Takes in what was noted for a session beside its ledger, and says what else had to be done for that.
///
/// # Errors
/// As [`recover`].
pub async fn take_in(locations: &Locations, tag: &str) -> Result<Vec<String>, Failure> {
    let mut hand = ByHand::take(locations, tag).await?;
    let told = std::mem::take(&mut hand.told);
    hand.hear().await?;
    hand.ledger.close().await;
    Ok(told)
}

/// A session in the hands of a command.
struct ByHand {
    session: Session,
    task: Task,
    repository: Repository,
    ledger: Ledger,
    history: History,
    notebook: Notebook,
    told: Vec<String>,
    is_whole: bool,
    _lock: FileLock,
}

impl ByHand {
    async fn take(locations: &Locations, tag: &str) -> Result<Self, Failure> {
        valid_tag(tag).or_usage()?;
        let notebook = Notebook::new(&locations.state_dir, tag);
        refuse_second(&notebook, tag)?;
        let repository = Repository::open(&locations.repo).or_configuration()?;
        let opening = async || open(locations.ledger(), &notebook).await;
        let ((ledger, mut told), given_up) = making_room(&notebook, opening).await?;
        if given_up > 0 {
            told.push(format!(
                "the disk was full; a ballast of {} MiB was given up",
                given_up >> 20
            ));
        }
        let session = known::session(&ledger, tag).await?;
        let task = session.begun.recorded_task().or_configuration()?;
        notebook.create().or_outside()?;
        let lock = FileLock::take(&notebook.lock()).map_err(|error| busy(error, tag))?;
        let history = ledger.history(session.id).await.or_outside()?;
        Ok(Self {
            session,
            task,
            repository,
            ledger,
            history,
            notebook,
            told,
            is_whole: true,
            _lock: lock,
        })
    }

    /// Says whether references are to be put back.
    async fn clear(&mut self) -> Result<bool, Failure> {
        let tag = &self.session.begun.tag;
        let left = leftovers::clear(&self.notebook, &self.repository, tag).await?;
        self.told.extend(left.told());
        Ok(!left.references.is_empty())
    }

    async fn restore(&mut self) -> Result<(), Failure> {
        let entries = self.ledger.entries(self.session.id).await.or_outside()?;
        let scope = Scope::new(&self.task.edit.paths).or_configuration()?;
        let tag = &self.session.begun.tag;
        let candidates = Candidates { repository: &self.repository, scope: &scope, tag };
        let restored = candidates.restore(&entries)?;
        self.is_whole &= restored.lost.is_empty();
        self.told.extend(restored.told());
        Ok(())
    }

    async fn roll_back(&mut self, to: u32) -> Result<(), Failure> {
        known::keep(&self.history, (&self.session.begun.tag, to))?;
        match &self.history.in_hand {
            // Its verdict is in: what follows from it is all that is left.
            Some(candidate) if candidate.decided().is_some() => {
                if self.task.score.holdout.is_some() && candidate.lacks_holdout() {
                    let problem = "a human returned to an earlier keep before it was measured";
                    self.record(not_held_out(problem)).await?;
                }
                self.record(Entry::Settled { phase_seconds: BTreeMap::new() }).await?;
            }
            Some(candidate) => {
                let told =
                    format!("experiment {} was in hand; it is given up", candidate.experiment);
                let reason = format!("a human returned to experiment {to}");
                let n = candidate.experiment;
                let stake = candidate.at_stake();
                let earlier = self.ledger.heartbeat(self.session.id).await.or_outside()?;
                let unseen = earlier.and_then(|earlier| unseen(&self.history, &earlier));
                if let Some(Stake { usage, cost_usd }) = stake {
                    self.record(Entry::Lost { usage, cost_usd }).await?;
                }
                if let Some((phase, seconds)) = unseen {
                    let why = "its daemon ended".to_owned();
                    self.record(Entry::Interrupted { phase, why, seconds }).await?;
                }
                self.record(Entry::Abandoned { reason }).await?;
                remove_outputs(&self.notebook, n);
                tolerate(self.notebook.prune(n));
                self.told.push(told);
            }
            None => {}
        }
        self.record(Entry::RolledBack { to }).await?;
        self.told.push(format!("experiment {to} is the incumbent again"));
        Ok(())
    }

    async fn finish(mut self) -> Result<Told, Failure> {
        self.align().await?;
        self.hear().await?;
        self.write()?;
        if self.told.is_empty() {
            self.told.push("nothing to do".to_owned());
        }
        let rules = Rules {
            asks: true,
            repair_turns: REPAIR_TURNS,
            // What a start is told may say more; the experiment in hand does not depend on it.
            crash_limit: u32::MAX,
            holdout: self.task.score.holdout.is_some(),
            noise_runs: super::opening::evidence(&self.session.begun).1,
            certify: None,
            rethinks: super::opening::rethinks(&self.session.begun),
            again_share: 0.0,
            max_experiments: None,
            caps: Caps::default(),
        };
        self.told.push(outlook::told(&self.history, &rules, &self.repository));
        self.ledger.close().await;
        let text = self.told.iter().map(|line| format!("{line}\n")).collect();
        Ok(Told { text, is_whole: self.is_whole })
    }

    /// Puts the branch where it belongs.
    async fn align(&mut self) -> Result<(), Failure> {
        let base = &self.session.begun.base_commit;
        let standing = self.history.standing(base);
        if !self.repository.has(&standing) {
            return self.cannot_stand(&standing);
        }
        let tag = &self.session.begun.tag;
        let place = Branch { repository: &self.repository, tag, base };
        let branch = place.name();
        let found = place.align(&self.history)?;
        self.tell_of(&branch, found).await
    }

    async fn tell_of(&mut self, branch: &str, found: BranchMove) -> Result<(), Failure> {
        let told = match (found, &self.history.diverged) {
            (BranchMove::Create { at }, _) => {
                format!("branch {branch} was gone; it is made again at {}", short(&at))
            }
            (BranchMove::Move { from, to }, _) => {
                format!("branch {branch} is moved from {} to {}", short(&from), short(&to))
            }
            (BranchMove::Diverged { tip }, _) => {
                let told = format!("{}; the next start measures it", theirs(&tip));
                self.record(Entry::Diverged { tip }).await?;
                told
            }
            // Measured already, perhaps: what comes next is told anyway.
            (BranchMove::Stay, Some(tip)) => theirs(tip),
            (BranchMove::Stay, None) => return Ok(()),
        };
        self.told.push(told);
        Ok(())
    }

    /// What is lost was named already where an attempt was made to put it back.
    fn cannot_stand(&mut self, standing: &str) -> Result<(), Failure> {
        let tag = &self.session.begun.tag;
        let told = format!("branch autoresearch/{tag} belongs on {standing}, which is not here");
        if !self.is_whole {
            self.told.push(format!("{told}; it stays as it is"));
            return Ok(());
        }
        Err(Failure::new(Kind::Outside, anyhow!(told))
            .hint(format!("dfr-daemon rebuild --tag {tag} makes lost commits again"))
            .hint("--repo names another repository"))
    }

    async fn record(&mut self, entry: Entry) -> Result<(), Failure> {
        let (n, at_ms) = (self.history.current(), clock::wall_ms());
        self.history.check(n, &entry).or_bug()?;
        self.ledger.append(self.session.id, n, &entry, at_ms).await.or_outside()?;
        self.history.apply(n, &entry, at_ms).or_bug()
    }

    /// Takes in what a human wrote before anything is written over it, and what was submitted.
    async fn hear(&mut self) -> Result<(), Failure> {
        for entry in self.notebook.news(&self.history) {
            if let Entry::Directed { from, text } = &entry {
                self.told.push(format!("{} says, for the next proposal: {text}", from.as_str()));
            }
            if let Entry::Submitted { submission } = &entry {
                self.told.push(format!("{}: {}", submission.zip, submission.told()));
            }
            self.record(entry).await?;
        }
        Ok(())
    }

    /// Writes the files for people anew, and says which were not as they should be.
    fn write(&mut self) -> Result<(), Failure> {
        let paths = [self.notebook.results(), self.notebook.state_md()];
        let read = || paths.clone().map(|path| std::fs::read(path).ok());
        let before = read();
        self.notebook.write(&self.task, &self.history).or_outside()?;
        let differ = paths.iter().zip(before.iter().zip(read())).filter(|(_, (a, b))| *a != b);
        for (path, _) in differ {
            let told = "was not what the ledger tells; it is written anew";
            self.told.push(format!("{} {told}", path.display()));
        }
        Ok(())
    }
}

fn theirs(tip: &str) -> String {
    format!("the branch stands on {}, a commit of somebody else", short(tip))
}

/// The ledger, and what was restored of it.
async fn open(path: PathBuf, notebook: &Notebook) -> Result<(Ledger, Vec<String>), Failure> {
    // A place that nobody began anything in stays as it is.
    if !path.exists() && !notebook.root().exists() {
        return Err(Failure::new(Kind::Configuration, LedgerError::NotThere { path })
            .hint("no session was started here yet; --repo or --state-dir names another place"));
    }
    let (ledger, restored) = Ledger::open_checked(&path).await.or_outside()?;
    Ok((ledger, restored.iter().map(ToString::to_string).collect()))
}
