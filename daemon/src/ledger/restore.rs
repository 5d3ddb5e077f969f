//! Opening a ledger that may be damaged: a good one is made from a backup and the journals beside
//! the bad one, and takes its place only when it is whole.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use tracing::warn;

use super::check::Standing;
use super::error::{failed, file_failed};
use super::{Ledger, LedgerError, backup, files, journal, rows};
use crate::session::{NewSession, Session};

/// What was wrong with a ledger, and what was done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What was found, for people.
    pub reason: String,
    /// Where the damaged file lies now; none when it was good but for its end, or gone.
    pub moved_to: Option<PathBuf>,
    /// The backup that was taken; none when the journals alone, or the ledger itself, were enough.
    pub from: Option<PathBuf>,
    /// Entries that came from the journals.
    pub replayed: u64,
    /// Sessions that may have lost their end, by tag: the wall time of the last entry that is there
    /// (milliseconds since 1970), if any is.
    pub lost_after: BTreeMap<String, Option<i64>>,
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the ledger was restored ({})", self.reason)?;
        if let Some(from) = &self.from {
            write!(f, " from {}", from.display())?;
        }
        write!(f, ", with {} entries from the journals", self.replayed)?;
        if let Some(moved_to) = &self.moved_to {
            write!(f, "; the damaged file is {}", moved_to.display())?;
        }
        for tag in self.lost_after.keys() {
            write!(f, "; the last entries of session {tag} may be lost")?;
        }
        Ok(())
    }
}

impl Ledger {
    /// Opens the ledger for writing as [`Self::open`] does, after all of it was read and compared
    /// with the journals. A damaged one is moved aside, never deleted, and restored from the newest
    /// good backup and the journals; a missing end is put back.
    ///
    /// # Errors
    /// As [`Self::open`]; [`LedgerError::Busy`] when it must be restored while another daemon writes
    /// to it; what is wrong with it when there is nothing to restore it from.
    pub async fn open_checked(path: &Path) -> Result<(Self, Option<Restored>), LedgerError> {
        let is_new = backup::backups(path).is_empty() && journal::tags(path).is_empty();
        if is_new && !files::is_there(path) {
            return Ok((Self::open(path).await?, None));
        }
        let problem = match Self::examine(path).await {
            Ok((ledger, Standing::Whole)) => return Ok((ledger, None)),
            Ok((ledger, Standing::Behind)) => {
                ledger.close().await;
                None
            }
            Err(problem) if problem.is_damage() => Some(problem),
            Err(problem) => return Err(problem),
        };
        let alone = files::alone(path)?;
        let restored = match problem {
            None => put_back(path).await?,
            Some(problem) => from_copies(path, problem).await?,
        };
        mend_journals(path, &restored).await?;
        drop(alone);
        Ok((Self::open(path).await?, Some(restored)))
    }

    async fn examine(path: &Path) -> Result<(Self, Standing), LedgerError> {
        if !files::is_there(path) {
            let reason = "it is gone, or empty".to_owned();
            return Err(LedgerError::Damaged { path: path.to_owned(), reason });
        }
        let ledger = Self::open(path).await?;
        match ledger.check().await {
            Ok(standing) => Ok((ledger, standing)),
            Err(problem) => {
                ledger.close().await;
                Err(problem)
            }
        }
    }

    /// Takes in what the journals hold and the ledger lacks.
    async fn replay(&self) -> Result<Replayed, LedgerError> {
        let mut replayed = Replayed::default();
        let mut unknown: Vec<NewSession> = Vec::new();
        for tag in journal::tags(&self.path) {
            if self.session(&tag).await?.is_some() {
                continue;
            }
            match self.reader(&tag)?.and_then(|reader| reader.head().cloned()) {
                Some(head) if head.tag == tag => unknown.push(head),
                Some(_) => {}
                None => drop(replayed.lost_after.insert(tag, None)),
            }
        }
        unknown.sort_by_key(|session| session.created_at_ms);
        for session in &unknown {
            self.insert_session(session).await?;
        }
        for session in self.sessions().await? {
            self.replay_session(&session, &mut replayed).await?;
        }
        Ok(replayed)
    }

    async fn replay_session(
        &self,
        session: &Session,
        replayed: &mut Replayed,
    ) -> Result<(), LedgerError> {
        let tag = &session.begun.tag;
        let (mut history, compared) = self.fold(session, self.reader(tag)?).await?;
        let mut last_at_ms = compared.last_at_ms;
        let Some(mut journal) = self.reader(tag)? else {
            replayed.lost_after.insert(tag.clone(), last_at_ms);
            return Ok(());
        };
        let failed = |source| failed(&self.path, source);
        let mut all = self.pool.begin_with("begin immediate").await.map_err(failed)?;
        let mut is_whole = true;
        let missing = journal.by_ref().filter(|line| line.sequence >= compared.entries);
        for (number, line) in (compared.entries..).zip(missing) {
            is_whole = line.sequence == number
                && history.apply(line.experiment, &line.entry, line.at_ms).is_ok();
            if !is_whole {
                break;
            }
            rows::insert(&mut all, session.id, &line).await.map_err(failed)?;
            last_at_ms = Some(line.at_ms);
            replayed.entries += 1;
        }
        all.commit().await.map_err(failed)?;
        if !is_whole || journal.is_torn() {
            replayed.lost_after.insert(tag.clone(), last_at_ms);
        }
        Ok(())
    }
}

/// What came from the journals.
#[derive(Default)]
struct Replayed {
    entries: u64,
    lost_after: BTreeMap<String, Option<i64>>,
}

/// A good ledger that lacks only what the journals hold.
async fn put_back(path: &Path) -> Result<Restored, LedgerError> {
    let ledger = Ledger::open_unlocked(path).await?;
    let replayed = ledger.replay().await;
    ledger.close().await;
    let Replayed { entries: replayed, lost_after } = replayed?;
    let reason = "entries were missing that the journals hold".to_owned();
    Ok(Restored { reason, moved_to: None, from: None, replayed, lost_after })
}

async fn from_copies(path: &Path, problem: LedgerError) -> Result<Restored, LedgerError> {
    let finished = files::ending(path, ".restoring");
    let here = |problem| file_failed(path.to_owned(), problem);
    let mut copies: Vec<Option<PathBuf>> =
        backup::backups(path).into_iter().rev().map(|(_, backup)| Some(backup)).collect();
    // What another version wrote may seem damaged to this one: only a backup tells.
    if !matches!(problem, LedgerError::OtherVersion { .. }) && !journal::tags(path).is_empty() {
        copies.push(None);
    }
    for from in copies {
        files::remove(&finished).map_err(here)?;
        let Replayed { entries: replayed, lost_after } =
            match restored(path, &finished, from.as_deref()).await {
                Ok(replayed) => replayed,
                Err(problem) if problem.is_damage() => {
                    warn!("a copy is no better: {problem}");
                    continue;
                }
                Err(problem) => return Err(problem),
            };
        let moved_to = files::aside(path, "corrupt").map_err(here)?;
        files::put(&finished, path).map_err(here)?;
        let reason = problem.to_string();
        return Ok(Restored { reason, moved_to, from, replayed, lost_after });
    }
    files::remove(&finished).map_err(here)?;
    Err(problem)
}

/// Makes a ledger from a backup, or from nothing, and the journals.
async fn restored(
    path: &Path,
    finished: &Path,
    from: Option<&Path>,
) -> Result<Replayed, LedgerError> {
    if let Some(from) = from {
        backup::take(from, finished).map_err(|problem| file_failed(from.to_owned(), problem))?;
    }
    let ledger = Ledger::open_unlocked(finished).await?;
    let ledger = Ledger { path: path.to_owned(), ..ledger };
    let replayed = match ledger.check().await {
        Ok(_) => ledger.replay().await,
        Err(problem) => Err(problem),
    };
    let is_empty = ledger.sessions().await.is_ok_and(|sessions| sessions.is_empty());
    ledger.close().await;
    if is_empty {
        let reason = "no session is left in it".to_owned();
        return Err(LedgerError::Damaged { path: finished.to_owned(), reason });
    }
    replayed
}

/// A journal of which something could not be taken in begins anew, so that it agrees from now on.
async fn mend_journals(path: &Path, restored: &Restored) -> Result<(), LedgerError> {
    let ledger = Ledger::open_unlocked(path).await?;
    for tag in restored.lost_after.keys() {
        if let Some(session) = ledger.session(tag).await? {
            ledger.journal(session.id).await?;
        }
    }
    ledger.close().await;
    Ok(())
}
