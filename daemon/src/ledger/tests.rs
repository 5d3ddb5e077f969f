use std::time::Instant;

use sqlx::Executor;
use tempfile::TempDir;

use super::*;
use crate::experiment::{Entry, Notes, Purpose, Usage, Verdict};
use crate::sample::{self, new_session, tried};

pub(super) async fn fresh() -> (TempDir, Ledger) {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&directory.path().join("state/dfr.db")).await.unwrap();
    (directory, ledger)
}

pub(super) fn opened() -> Entry {
    Entry::Opened {
        parent: sample::object_id(0),
        proposer: "scripted".to_owned(),
        purpose: Purpose::Candidate,
    }
}

pub(super) fn abandoned(reason: &str) -> Entry {
    Entry::Abandoned { reason: reason.to_owned() }
}

#[tokio::test]
async fn a_session_reads_back_and_its_tag_is_taken_once() {
    let (_directory, ledger) = fresh().await;
    assert_eq!(ledger.session("video-mar14").await.unwrap(), None);
    let session = ledger.create_session(&new_session("video-mar14")).await.unwrap();
    assert_eq!(session.begun, new_session("video-mar14"));
    assert_eq!(ledger.session("video-mar14").await.unwrap(), Some(session.clone()));

    let again = ledger.create_session(&new_session("video-mar14")).await.unwrap_err();
    assert!(matches!(&again, LedgerError::TagTaken { tag } if tag == "video-mar14"), "{again:?}");
    let other = ledger.create_session(&new_session("video-mar15")).await.unwrap();
    assert_eq!(ledger.sessions().await.unwrap(), [session, other]);
}

#[tokio::test]
async fn entries_read_back_to_the_bit_and_fold_by_session() {
    let (directory, ledger) = fresh().await;
    let first = ledger.create_session(&new_session("a")).await.unwrap();
    let second = ledger.create_session(&new_session("b")).await.unwrap();
    let notes = Notes { next: vec!["tab\there\n## \"quoted\" 試".into()], ..Notes::default() };
    let one = sample::Tried { notes, ..tried(Verdict::Keep, 0.1 + 0.2, "first") };
    let told = sample::entries(0, &one);
    for (at_ms, entry) in (5..).zip(&told) {
        ledger.append(first.id, 0, entry, at_ms).await.unwrap();
        ledger.append(second.id, 0, &Entry::Built { program: None }, at_ms).await.unwrap();
    }
    ledger.close().await;

    let ledger = Ledger::open(&directory.path().join("state/dfr.db")).await.unwrap();
    let read = ledger.entries(first.id).await.unwrap();
    assert_eq!(read.iter().map(|r| r.entry.clone()).collect::<Vec<_>>(), told);
    assert_eq!(read.iter().map(|r| r.at_ms).collect::<Vec<_>>(), (5..5 + 9).collect::<Vec<_>>());
    let history = ledger.history(first.id).await.unwrap();
    assert_eq!(history.rows[0].metrics["sn34_score"].to_bits(), (0.1f64 + 0.2).to_bits());
    assert_eq!(history.usage, Usage { prompt_tokens: 1000, completion_tokens: 50 });

    let illegal = ledger.history(second.id).await.unwrap_err();
    assert!(matches!(illegal, LedgerError::Illegal { id: 2, .. }), "{illegal:?}");
}

#[tokio::test]
async fn a_number_that_would_not_read_back_is_refused() {
    let (_directory, ledger) = fresh().await;
    let session = ledger.create_session(&new_session("a")).await.unwrap();
    for value in [f64::NAN, f64::INFINITY] {
        let entry = Entry::Scored {
            metrics: [("mcc".into(), value)].into(),
            peak_vram_mb: 0.0,
            records: 0,
            sources: std::collections::BTreeMap::new(),
            tampered: None,
        };
        let refused = ledger.append(session.id, 0, &entry, 0).await.unwrap_err();
        assert!(matches!(&refused, LedgerError::Unfaithful { kind } if kind == "scored"));
    }
    assert_eq!(ledger.entries(session.id).await.unwrap(), []);
}

#[tokio::test]
async fn nothing_recorded_can_be_changed_deleted_or_replaced() {
    let (_directory, ledger) = fresh().await;
    let session = ledger.create_session(&new_session("a")).await.unwrap();
    ledger.append(session.id, 0, &abandoned("x"), 7).await.unwrap();
    let before = ledger.entries(session.id).await.unwrap();
    let body = r#"{"entry":"built"}"#;
    for statement in [
        "update entry set at_ms = 8".to_owned(),
        "delete from entry".to_owned(),
        format!("insert or replace into entry values (1, 1, 0, 8, 'built', '{body}')"),
        "update session set pack_hash = 'other'".to_owned(),
        "delete from session".to_owned(),
        "insert or replace into session select * from session".to_owned(),
        format!("insert into entry values (null, 99, 0, 8, 'built', '{body}')"),
        format!("insert into entry values (null, 1, -1, 8, 'built', '{body}')"),
        format!("insert into entry values (null, 1, 0, 8, 'ran', '{body}')"),
        "insert into entry values (null, 1, 0, 8, 'built', 'built')".to_owned(),
        "insert into entry values (null, 1, 0, 8, 'built', '{}')".to_owned(),
    ] {
        let outcome = ledger.pool.execute(sqlx::AssertSqlSafe(statement.clone())).await;
        assert!(outcome.is_err(), "{statement}");
    }
    assert_eq!(ledger.entries(session.id).await.unwrap(), before);
    assert_eq!(ledger.sessions().await.unwrap(), [session]);
}

#[tokio::test]
async fn every_commit_reaches_the_disk() {
    let (_directory, ledger) = fresh().await;
    let ask =
        |pragma: &'static str| sqlx::query_scalar::<_, String>(pragma).fetch_one(&ledger.pool);
    let mode = ask("select journal_mode from pragma_journal_mode").await.unwrap();
    let full = ask("select cast(synchronous as text) from pragma_synchronous").await.unwrap();
    assert_eq!((mode.as_str(), full.as_str()), ("wal", "2"));
}

#[tokio::test]
async fn only_the_newest_heartbeat_is_kept() {
    let (_directory, ledger) = fresh().await;
    let session = ledger.create_session(&new_session("a")).await.unwrap();
    assert_eq!(ledger.heartbeat(session.id).await.unwrap(), None);
    let mut beat = Heartbeat {
        pid: u32::MAX,
        host: "h".into(),
        boot_id: "b".into(),
        phase: None,
        phase_since_ms: 1,
        paused: None,
        asks_at_ms: Some(1_750_000_100_000),
        lived_s: 1.5,
        experiment: None,
        at_ms: 2,
    };
    for phase in Phase::ALL.map(Some) {
        ledger.beat(session.id, &beat).await.unwrap();
        assert_eq!(ledger.heartbeat(session.id).await.unwrap(), Some(beat.clone()));
        beat = Heartbeat { phase, experiment: Some(3), at_ms: beat.at_ms + 1, ..beat };
    }
}

#[tokio::test]
async fn a_session_that_another_process_wrote_to_is_left_to_it() {
    let (directory, ledger) = fresh().await;
    let path = directory.path().join("state/dfr.db");
    let session = ledger.create_session(&new_session("a")).await.unwrap();
    let beside = ledger.create_session(&new_session("b")).await.unwrap();
    ledger.append(session.id, 0, &opened(), 1).await.unwrap();

    let other = Ledger::open(&path).await.unwrap();
    other.append(session.id, 0, &abandoned("other"), 2).await.unwrap();
    let told = ledger.entries(session.id).await.unwrap();
    for _ in 0..2 {
        let refused = ledger.append(session.id, 0, &abandoned("late"), 3).await.unwrap_err();
        assert!(matches!(&refused, LedgerError::Overtaken { tag } if tag == "a"), "{refused:?}");
    }
    assert_eq!(ledger.entries(session.id).await.unwrap(), told);
    ledger.append(beside.id, 0, &opened(), 4).await.unwrap();

    ledger.history(session.id).await.unwrap();
    ledger.append(session.id, 1, &abandoned("known now"), 5).await.unwrap();
    let refused = other.append(session.id, 1, &opened(), 6).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Overtaken { .. }), "{refused:?}");
}

#[tokio::test]
async fn readers_see_what_is_written_while_it_is_written() {
    let (directory, ledger) = fresh().await;
    let path = directory.path().join("state/dfr.db");
    let session = ledger.create_session(&new_session("a")).await.unwrap();
    let reader = Ledger::open_read_only(&path).await.unwrap();
    for n in 0..20 {
        ledger.append(session.id, n, &abandoned("x"), 0).await.unwrap();
        assert_eq!(reader.entries(session.id).await.unwrap().len(), n as usize + 1);
    }
    let refused = reader.append(session.id, 0, &abandoned("x"), 0).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Forbidden { .. }), "{refused:?}");

    ledger.close().await;
    let late = Ledger::open_read_only(&path).await.unwrap();
    assert_eq!(late.entries(session.id).await.unwrap().len(), 20);
}

#[tokio::test]
async fn reading_what_is_not_there_creates_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state/dfr.db");
    let problem = Ledger::open_read_only(&path).await.unwrap_err();
    assert!(matches!(&problem, LedgerError::NotThere { path: told } if *told == path));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_file_that_is_something_else_is_named_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dfr.db");
    let text = "not a database, but long enough to be taken for one\n".repeat(40);
    std::fs::write(&path, &text).unwrap();
    for problem in [Ledger::open(&path).await, Ledger::open_read_only(&path).await] {
        let problem = problem.unwrap_err();
        assert!(matches!(problem, LedgerError::NotALedger { .. }), "{problem:?}");
        assert!(problem.to_string().contains(path.to_str().unwrap()), "{problem}");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);

    let empty = directory.path().join("empty.db");
    std::fs::write(&empty, "").unwrap();
    let problem = Ledger::open_read_only(&empty).await.unwrap_err();
    assert!(matches!(problem, LedgerError::NotALedger { .. }), "{problem:?}");
}

#[tokio::test]
async fn places_that_cannot_be_written_are_told() {
    // No user, root included, makes files in /proc.
    let problem = Ledger::open(Path::new("/proc/self/dfr.db")).await.unwrap_err();
    assert!(matches!(problem, LedgerError::Forbidden { .. }), "{problem:?}");
    let file = tempfile::NamedTempFile::new().unwrap();
    let problem = Ledger::open(&file.path().join("dfr.db")).await.unwrap_err();
    assert!(matches!(problem, LedgerError::Directory { .. }), "{problem:?}");
}

#[tokio::test]
async fn a_full_disk_is_told_and_loses_nothing() {
    let (_directory, ledger) = fresh().await;
    let session = ledger.create_session(&new_session("a")).await.unwrap();
    // SQLite's own page limit answers exactly as a full disk does.
    ledger.pool.execute("pragma max_page_count = 20").await.unwrap();
    let large = abandoned(&"x".repeat(3000));
    let mut written = 0;
    let problem = loop {
        match ledger.append(session.id, 0, &large, 0).await {
            Ok(()) => written += 1,
            Err(problem) => break problem,
        }
    };
    assert!(matches!(problem, LedgerError::DiskFull { .. }), "{problem:?}");
    assert!(written > 0);
    ledger.pool.execute("pragma max_page_count = 1000").await.unwrap();
    ledger.append(session.id, 0, &large, 0).await.unwrap();
    assert_eq!(ledger.entries(session.id).await.unwrap().len(), written + 1);
}

#[tokio::test]
async fn a_ledger_of_another_version_is_refused() {
    let (directory, ledger) = fresh().await;
    ledger.pool.execute("update _sqlx_migrations set checksum = x'00'").await.unwrap();
    ledger.close().await;
    let problem = Ledger::open(&directory.path().join("state/dfr.db")).await.unwrap_err();
    assert!(matches!(problem, LedgerError::OtherVersion { .. }), "{problem:?}");
}

#[tokio::test]
async fn ten_thousand_experiments_fold() {
    const EXPERIMENTS: u32 = 10_000;
    let (_directory, ledger) = fresh().await;
    let session = ledger.create_session(&new_session("a")).await.unwrap();
    let mut all = ledger.pool.begin().await.unwrap();
    for experiment in 0..EXPERIMENTS {
        let told = tried(Verdict::Discard, 0.5, "another idea");
        for entry in sample::entries(experiment, &told) {
            let (kind, body) = rows::written(&entry).unwrap();
            sqlx::query("insert into entry values (null, ?, ?, 0, ?, ?)")
                .bind(session.id)
                .bind(experiment)
                .bind(kind)
                .bind(body)
                .execute(&mut *all)
                .await
                .unwrap();
        }
    }
    all.commit().await.unwrap();

    let begun = Instant::now();
    let history = ledger.history(session.id).await.unwrap();
    println!("{EXPERIMENTS} experiments folded in {:?}", begun.elapsed());
    assert_eq!(history.rows.len(), EXPERIMENTS as usize);
    assert_eq!(history.next_experiment(), EXPERIMENTS);
}
