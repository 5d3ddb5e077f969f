//! The writer that `scripts/power_cut.py` cuts the power of: the real ledger, the real repository.
//!
//!     power_cut_writer write full|careless STATE REPO   acknowledges every entry and every commit
//!     power_cut_writer check STATE REPO                 tells what is there, and puts refs right
//!
//! `careless` is the control: SQLite in mode NORMAL, git without syncing. It must lose something.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use dfr_contract::modality::Modality;
use dfr_daemon::experiment::{Entry, Idea, Notes, Purpose, Usage};
use dfr_daemon::ledger::Ledger;
use dfr_daemon::patch::Patch;
use dfr_daemon::repository::Repository;
use dfr_daemon::session::NewSession;
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, SqliteConnection};

const TAG: &str = "cut";
const BRANCH: &str = "autoresearch/cut";

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", mode, state, repo] => write(mode, &Path::new(state).join("dfr.db"), repo).await,
        ["check", state, repo] => check(&Path::new(state).join("dfr.db"), repo).await,
        _ => bail!("write full|careless STATE REPO, or check STATE REPO"),
    }
}

async fn write(mode: &str, path: &Path, repo: &str) -> anyhow::Result<()> {
    let repository = Repository::open(Path::new(repo))?;
    let base = repository.base(None)?;
    let ledger = Ledger::open(path).await?;
    let session = ledger.create_session(&new_session(&base, repo)).await?.id;
    let mut pen = match mode {
        "full" => Pen::Real(ledger),
        "careless" => careless(path).await?,
        _ => bail!("full or careless"),
    };
    repository.create_branch(BRANCH, &base, "begin")?;
    say("begun")?;
    let (mut parent, mut written) = (base, 0);
    for n in 0.. {
        let message = format!("experiment {n}");
        let opened = Entry::Opened {
            parent: parent.clone(),
            proposer: "scripted".to_owned(),
            purpose: Purpose::Candidate,
        };
        written = pen.append(session, n, &opened, written).await?;
        written = pen.append(session, n, &proposed(&message), written).await?;
        let patch =
            Patch { files: BTreeMap::from([("src/a.rs".to_owned(), Some(format!("// {n}\n")))]) };
        let commit = repository.commit(&parent, &patch, (&message, i64::from(n) * 1000))?;
        repository.keep(TAG, n, &commit)?;
        repository.move_branch(BRANCH, (&parent, &commit), &message)?;
        say(&format!("commit {n} {commit}"))?;
        let committed = Entry::Committed { commit: commit.clone() };
        written = pen.append(session, n, &committed, written).await?;
        let abandoned = Entry::Abandoned { reason: "as told".to_owned() };
        written = pen.append(session, n, &abandoned, written).await?;
        parent = commit;
    }
    Ok(())
}

/// Tells in one line of JSON what is there after the cut. The journal is not asked: the ledger
/// itself must hold what it acknowledged.
async fn check(path: &Path, repo: &str) -> anyhow::Result<()> {
    let ledger = Ledger::open(path).await?;
    let session = ledger.session(TAG).await?.context("no session")?;
    let entries = ledger.entries(session.id).await?.len();
    let history = ledger.history(session.id).await?;
    ledger.close().await;
    let repository = Repository::open(Path::new(repo))?;
    let locks = repository.clear_own_locks(TAG)?;
    let mended = repository.mend_own_refs(TAG)?;
    let candidates: Vec<_> = (0..history.next_experiment())
        .map_while(|n| repository.kept(TAG, n).ok().flatten())
        .collect();
    let told = serde_json::json!({
        "entries": entries,
        "candidates": candidates,
        "tip": repository.branch_tip(BRANCH).ok().flatten(),
        "removed_locks": locks.removed.len(),
        "mended": mended,
    });
    say(&told.to_string())
}

/// What entries are written with.
enum Pen {
    Real(Ledger),
    Careless(SqliteConnection),
}

impl Pen {
    async fn append(
        &mut self,
        session: i64,
        n: u32,
        entry: &Entry,
        written: i64,
    ) -> anyhow::Result<i64> {
        match self {
            Self::Real(ledger) => ledger.append(session, n, entry, written).await?,
            Self::Careless(connection) => {
                let body = serde_json::to_value(entry)?;
                sqlx::query("insert into entry values (null, ?, ?, ?, ?, ?)")
                    .bind(session)
                    .bind(n)
                    .bind(written)
                    .bind(body["entry"].as_str())
                    .bind(body.to_string())
                    .execute(connection)
                    .await?;
            }
        }
        say(&format!("entry {}", written + 1))?;
        Ok(written + 1)
    }
}

async fn careless(path: &Path) -> anyhow::Result<Pen> {
    // SAFETY: the option takes one int and sets a flag of the initialised library; this program has
    // one thread that uses git.
    unsafe {
        let option = libgit2_sys::GIT_OPT_ENABLE_FSYNC_GITDIR as std::ffi::c_int;
        libgit2_sys::git_libgit2_opts(option, 0 as std::ffi::c_int);
    }
    let options = SqliteConnectOptions::new().filename(path);
    Ok(Pen::Careless(options.synchronous(SqliteSynchronous::Normal).connect().await?))
}

fn proposed(hypothesis: &str) -> Entry {
    Entry::Proposed {
        hypothesis: hypothesis.to_owned(),
        description: hypothesis.to_owned(),
        notes: Notes::default(),
        idea: Idea::default(),
        usage: Usage::default(),
    }
}

fn new_session(base: &str, repo: &str) -> NewSession {
    NewSession {
        tag: TAG.to_owned(),
        task: "power-cut".to_owned(),
        modality: Modality::Video,
        base_commit: base.to_owned(),
        pack_hash: "none".to_owned(),
        repository: repo.into(),
        settings: serde_json::json!({}),
        created_at_ms: 0,
    }
}

fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
