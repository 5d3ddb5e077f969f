//! Whether a ledger is what was written: its pages, its tables, its entries.

use sqlx::sqlite::SqliteConnectOptions;

use super::error::{self, failed};
use super::{Ledger, LedgerError, MIGRATIONS, journal};

/// How a sound ledger stands to the journals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It holds everything that they hold.
    Whole,
    /// They hold more.
    Behind,
}

const TABLES: &str = "select type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') \
                      from sqlite_schema order by 1";

impl Ledger {
    /// Reads all of it: pages, tables, every entry, every journal.
    ///
    /// # Errors
    /// What is wrong; [`LedgerError::is_damage`] tells whether a copy would help.
    pub(super) async fn check(&self) -> Result<Standing, LedgerError> {
        self.check_pages().await?;
        self.check_tables().await?;
        let sessions = self.sessions().await?;
        let mut standing = Standing::Whole;
        for session in &sessions {
            let (_, compared) = self.fold(session, self.reader(&session.begun.tag)?).await?;
            if compared.is_ahead {
                standing = Standing::Behind;
            }
        }
        let known = |tag: &String| sessions.iter().any(|session| session.begun.tag == *tag);
        for tag in journal::tags(&self.path).into_iter().filter(|tag| !known(tag)) {
            // A directory that a human copied holds another session's journal.
            let head = self.reader(&tag)?.and_then(|reader| reader.head().cloned());
            if head.is_some_and(|head| head.tag == tag) {
                standing = Standing::Behind;
            }
        }
        Ok(standing)
    }

    async fn check_pages(&self) -> Result<(), LedgerError> {
        // Not `quick_check`: an index that lost a row hides it from everybody.
        let told: String = self.ask("pragma integrity_check(1)").await?;
        if told != "ok" {
            return Err(self.damaged(told));
        }
        // A counter at its end would let no entry follow.
        let counted = "select coalesce((select seq from sqlite_sequence where name = 'entry'), 0) \
                       is coalesce((select max(id) from entry), 0)";
        let counted: bool = self.ask(counted).await?;
        counted.then_some(()).ok_or_else(|| self.damaged("its counter is wrong".to_owned()))
    }

    /// The tables are to the letter what the migrations make.
    async fn check_tables(&self) -> Result<(), LedgerError> {
        let model = Self::connect(&self.path, SqliteConnectOptions::new().in_memory(true)).await?;
        MIGRATIONS
            .run(&model.pool)
            .await
            .map_err(|problem| error::migration_failed(&self.path, problem))?;
        let is_same = self.tables().await? == model.tables().await?;
        is_same.then_some(()).ok_or_else(|| self.damaged("its tables differ".to_owned()))
    }

    async fn tables(&self) -> Result<Vec<String>, LedgerError> {
        sqlx::query_scalar(TABLES)
            .fetch_all(&self.pool)
            .await
            .map_err(|source| failed(&self.path, source))
    }

    async fn ask<T>(&self, question: &'static str) -> Result<T, LedgerError>
    where
        T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        sqlx::query_scalar(question)
            .fetch_one(&self.pool)
            .await
            .map_err(|source| failed(&self.path, source))
    }

    fn damaged(&self, reason: String) -> LedgerError {
        LedgerError::Damaged { path: self.path.clone(), reason }
    }
}
