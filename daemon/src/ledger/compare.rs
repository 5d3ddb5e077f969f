//! The ledger against the journals: what one holds and the other does not.

use std::io;
use std::pin::pin;

use futures::TryStreamExt as _;
use tracing::warn;

use super::error::{failed, file_failed};
use super::journal::{self, Journal, Line, Reader};
use super::{Ledger, LedgerError, files};
use crate::experiment::History;
use crate::session::{Recorded, Session};

/// What came of walking through a session in both.
#[derive(Debug)]
pub(super) struct Compared {
    /// Bytes of the journal that are whole when it is not ahead, and the number of the line that follows them.
    pub whole: (u64, u64),
    /// Whether the journal has an entry that the ledger lacks.
    pub is_ahead: bool,
    /// Entries of the ledger.
    pub entries: u64,
    /// Wall time of the last entry, milliseconds since 1970.
    pub last_at_ms: Option<i64>,
}

impl Ledger {
    /// What the entries of the ledger imply, and how they stand to the journal.
    ///
    /// # Errors
    /// As [`Self::compare`], or an entry that cannot follow what came before it.
    pub(super) async fn fold(
        &self,
        session: &Session,
        journal: Option<Reader>,
    ) -> Result<(History, Compared), LedgerError> {
        let mut history = History::default();
        let mut taken_in = Ok(());
        let compared = self.compare(session, journal, |recorded| {
            if taken_in.is_ok() {
                taken_in = recorded.and_then(|recorded| take_in(&mut history, &recorded));
            }
        });
        let compared = compared.await?;
        taken_in.map(|()| (history, compared))
    }

    /// Walks through both at once, in flat memory, and tells of each entry of the ledger.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`] where a good line of the journal says something else.
    async fn compare(
        &self,
        session: &Session,
        mut journal: Option<Reader>,
        mut tell: impl FnMut(Result<Recorded, LedgerError>),
    ) -> Result<Compared, LedgerError> {
        let differs = |what: String| LedgerError::Damaged {
            path: self.path.clone(),
            reason: format!("{what} of session {} is not what its journal says", session.begun.tag),
        };
        let head = journal.as_ref().and_then(Reader::head);
        if head.is_some_and(|head| *head != session.begun) {
            return Err(differs("the beginning".to_owned()));
        }
        let mut rows = pin!(self.rows(session.id));
        let mut line = journal.as_mut().and_then(Iterator::next);
        let (mut entries, mut last_at_ms) = (0, None);
        while let Some(row) = rows.try_next().await.map_err(|source| failed(&self.path, source))? {
            let recorded = Recorded::try_from(row);
            line = at_least(line, entries, journal.as_mut());
            if let Some(line) = line.as_ref().filter(|line| line.sequence == entries)
                && !recorded.as_ref().is_ok_and(|recorded| line.tells(recorded))
            {
                return Err(differs(format!("entry {entries}")));
            }
            last_at_ms = recorded.as_ref().map(|recorded| recorded.at_ms).ok().or(last_at_ms);
            tell(recorded);
            entries += 1;
        }
        let is_ahead = at_least(line, entries, journal.as_mut()).is_some();
        let whole = journal.as_ref().map_or((0, 0), Reader::whole);
        Ok(Compared { whole, is_ahead, entries, last_at_ms })
    }

    /// The journal of a session that this process writes, made to say what the ledger says.
    pub(super) async fn journal(&self, session_id: i64) -> Result<(String, Journal), LedgerError> {
        let session = self.session_by_id(session_id).await?;
        let tag = session.begun.tag.clone();
        let path = journal::path(&self.path, &tag);
        let whole = match self.compare(&session, self.reader(&tag)?, drop).await {
            Ok(compared) if !compared.is_ahead => compared.whole,
            Ok(_) | Err(LedgerError::Damaged { .. }) => {
                let aside = files::aside(&path, "broken");
                let aside = aside.map_err(|problem| file_failed(path.clone(), problem))?;
                warn!("the ledger does not follow a journal, which is now {aside:?}");
                (0, 0)
            }
            Err(problem) => return Err(problem),
        };
        let here = |problem| file_failed(path.clone(), problem);
        let mut journal = Journal::open_at(&path, whole).map_err(here)?;
        if whole.0 == 0 {
            journal.begin(&session.begun).map_err(here)?;
        }
        self.complete(&session, &mut journal).await?;
        journal.sync().map_err(here)?;
        Ok((tag, journal))
    }

    async fn complete(&self, session: &Session, journal: &mut Journal) -> Result<(), LedgerError> {
        let path = journal::path(&self.path, &session.begun.tag);
        let mut rows = pin!(self.rows(session.id));
        let mut number = 0;
        while let Some(row) = rows.try_next().await.map_err(|source| failed(&self.path, source))? {
            if number >= journal.next() {
                journal
                    .write(&session.begun.tag, &row.try_into()?)
                    .map_err(|problem| file_failed(path.clone(), problem))?;
            }
            number += 1;
        }
        Ok(())
    }

    /// The journal of a session, when it has one.
    pub(super) fn reader(&self, tag: &str) -> Result<Option<Reader>, LedgerError> {
        let path = journal::path(&self.path, tag);
        match Reader::open(&path) {
            Ok(reader) => Ok(Some(reader)),
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(problem) => Err(file_failed(path, problem)),
        }
    }
}

/// The first good line with this number or a later one.
fn at_least(line: Option<Line>, number: u64, journal: Option<&mut Reader>) -> Option<Line> {
    let mut rest = line.into_iter().chain(journal.into_iter().flatten());
    rest.find(|line| line.sequence >= number)
}

/// Takes one more entry in.
pub(super) fn take_in(history: &mut History, recorded: &Recorded) -> Result<(), LedgerError> {
    history
        .apply(recorded.experiment, &recorded.entry, recorded.at_ms)
        .map_err(|source| LedgerError::Illegal { id: recorded.id, source })
}
