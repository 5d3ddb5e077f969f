//! Damaged ledgers: always found out, restored to the last entry, never a panic.

use std::fs;
use std::path::Path;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use super::*;
use crate::experiment::{Entry, Verdict};
use crate::sample::{self, new_session, tried};

/// How many ledgers are flipped in a plain run, and the variable that names another number.
const FLIPS: u64 = 20;
const FLIPS_VARIABLE: &str = "DFR_TEST_FLIPS";

/// What a ledger holds, but for its keys.
type Told = Vec<(NewSession, Vec<(u32, i64, Entry)>)>;

async fn told(ledger: &Ledger) -> Told {
    let mut told = Told::new();
    for session in ledger.sessions().await.unwrap() {
        let entries = ledger.entries(session.id).await.unwrap();
        ledger.history(session.id).await.unwrap();
        let entries = entries.into_iter().map(|r| (r.experiment, r.at_ms, r.entry)).collect();
        told.push((session.begun, entries));
    }
    told
}

async fn experiments(ledger: &Ledger, tag: &str, numbers: std::ops::Range<u32>) {
    let session = ledger.session(tag).await.unwrap().unwrap();
    for n in numbers {
        let one = tried(Verdict::Discard, 0.5, &format!("idea {n} of {tag}"));
        for (at_ms, entry) in (i64::from(n) * 100..).zip(sample::entries(n, &one)) {
            ledger.append(session.id, n, &entry, at_ms).await.unwrap();
        }
    }
}

/// Two sessions, a backup in the middle, and entries that are in the log only.
async fn written() -> (TempDir, PathBuf, Told) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dfr.db");
    let ledger = Ledger::open(&path).await.unwrap();
    for tag in ["a", "b"] {
        ledger.create_session(&new_session(tag)).await.unwrap();
        experiments(&ledger, tag, 0..3).await;
    }
    ledger.back_up(3).await.unwrap();
    experiments(&ledger, "a", 3..5).await;
    let told = told(&ledger).await;
    ledger.close().await;
    (directory, path, told)
}

/// Opens a damaged ledger: everything is there again, and it goes on.
async fn recovered(path: &Path, wanted: &Told) -> Restored {
    let (ledger, restored) = Ledger::open_checked(path).await.unwrap();
    let restored = restored.unwrap();
    assert_eq!(told(&ledger).await, *wanted);
    assert_eq!(restored.lost_after, [].into());
    experiments(&ledger, "a", 5..6).await;
    ledger.close().await;
    let (ledger, again) = Ledger::open_checked(path).await.unwrap();
    assert_eq!(again, None);
    ledger.close().await;
    restored
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in names(from) {
        match from.join(&name) {
            path if path.is_dir() => copy(&path, &to.join(&name)),
            path => drop(fs::copy(path, to.join(&name)).unwrap()),
        }
    }
}

#[tokio::test]
async fn a_sound_ledger_opens_as_it_is() {
    let (directory, path, wanted) = written().await;
    let (ledger, restored) = Ledger::open_checked(&path).await.unwrap();
    assert_eq!(restored, None);
    assert_eq!(told(&ledger).await, wanted);
    ledger.close().await;
    let new = directory.path().join("new/dfr.db");
    assert_eq!(Ledger::open_checked(&new).await.unwrap().1, None);
}

#[tokio::test]
async fn every_kind_of_damage_is_restored_and_kept_aside() {
    type Damage = fn(&Path);
    let kinds: [(&str, Damage); 5] = [
        ("garbage", |path| fs::write(path, "no database at all\n".repeat(99)).unwrap()),
        ("torn", |path| File::options().write(true).open(path).unwrap().set_len(9000).unwrap()),
        ("emptied", |path| fs::write(path, "").unwrap()),
        ("gone", |path| fs::remove_file(path).unwrap()),
        ("zeros", |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[4096 * 2..].fill(0);
            fs::write(path, bytes).unwrap();
        }),
    ];
    for (name, damage) in kinds {
        let (directory, path, wanted) = written().await;
        damage(&path);
        let restored = recovered(&path, &wanted).await;
        assert_eq!(restored.replayed, 18, "{name}");
        assert_eq!(restored.from, Some(directory.path().join("backups/dfr-000001.db")), "{name}");
        let aside = directory.path().join("dfr.db.corrupt-1");
        assert_eq!(restored.moved_to.is_some(), name != "gone", "{name}");
        assert_eq!(aside.exists(), name != "gone", "{name}");
    }
}

#[tokio::test]
async fn the_journals_alone_are_enough() {
    let (directory, path, wanted) = written().await;
    fs::remove_dir_all(directory.path().join("backups")).unwrap();
    fs::write(&path, "garbage").unwrap();
    let restored = recovered(&path, &wanted).await;
    assert_eq!((restored.from, restored.replayed), (None, 72));
}

#[tokio::test]
async fn a_bad_backup_is_passed_over() {
    let (directory, path, wanted) = written().await;
    let (ledger, _) = Ledger::open_checked(&path).await.unwrap();
    let newest = ledger.back_up(3).await.unwrap();
    ledger.close().await;
    fs::write(&newest, "bad").unwrap();
    fs::write(&path, "garbage").unwrap();
    let restored = recovered(&path, &wanted).await;
    assert_eq!(restored.from, Some(directory.path().join("backups/dfr-000001.db")));
}

#[tokio::test]
async fn a_lost_log_is_put_back_from_the_journals() {
    let (directory, path, wanted) = written().await;
    let ledger = Ledger::open(&path).await.unwrap();
    let before = fs::read(&path).unwrap();
    let session = ledger.session("b").await.unwrap().unwrap();
    let purpose = crate::experiment::Purpose::Candidate;
    let (parent, proposer) = (sample::object_id(2), "late".to_owned());
    let late = Entry::Opened { parent, proposer, purpose };
    ledger.append(session.id, 3, &late, 9).await.unwrap();
    ledger.close().await;
    fs::write(&path, before).unwrap();
    let mut wanted = wanted;
    wanted[1].1.push((3, 9, late));
    let restored = recovered(&path, &wanted).await;
    assert_eq!((restored.replayed, restored.moved_to, restored.from), (1, None, None));
    assert!(!directory.path().join("dfr.db.corrupt-1").exists());
}

#[tokio::test]
async fn a_text_that_changed_is_found_out_though_sqlite_sees_nothing() {
    let (_directory, path, wanted) = written().await;
    let mut bytes = fs::read(&path).unwrap();
    let idea = b"idea 2 of b";
    let at: Vec<usize> =
        (0..bytes.len() - idea.len()).filter(|at| bytes[*at..].starts_with(idea)).collect();
    assert!(!at.is_empty());
    at.iter().for_each(|at| bytes[at + 5] = b'7');
    fs::write(&path, bytes).unwrap();
    let restored = recovered(&path, &wanted).await;
    assert!(restored.reason.contains("journal"), "{restored}");
}

#[tokio::test]
async fn a_journal_that_is_torn_garbled_or_gone_is_completed() {
    for damage in ["torn", "garbled", "headless", "gone"] {
        let (directory, path, wanted) = written().await;
        let journal = directory.path().join("a/journal.jsonl");
        let whole = fs::read(&journal).unwrap();
        let mut bytes = whole.clone();
        match damage {
            "torn" => bytes.truncate(whole.len() - 9),
            "garbled" => bytes[whole.len() / 2] ^= 1,
            "headless" => bytes[20] ^= 1,
            _ => bytes.clear(),
        }
        fs::write(&journal, bytes).unwrap();
        let (ledger, restored) = Ledger::open_checked(&path).await.unwrap();
        assert_eq!(restored, None, "{damage}");
        assert_eq!(told(&ledger).await, wanted, "{damage}");
        experiments(&ledger, "a", 5..6).await;
        ledger.close().await;
        let now = fs::read(&journal).unwrap();
        assert!(now.starts_with(&whole) && now.len() > whole.len(), "{damage}");
    }
}

#[tokio::test]
async fn what_cannot_be_had_again_is_told() {
    let (directory, path, wanted) = written().await;
    let journal = directory.path().join("a/journal.jsonl");
    let mut bytes = fs::read(&journal).unwrap();
    // In the last experiment, which no backup holds.
    let at = bytes.len() - 900;
    bytes[at] ^= 1;
    fs::write(&journal, bytes).unwrap();
    fs::write(&path, "garbage").unwrap();
    let (ledger, restored) = Ledger::open_checked(&path).await.unwrap();
    let restored = restored.unwrap();
    let there = told(&ledger).await;
    assert_eq!(there[1], wanted[1]);
    assert!(wanted[0].1.starts_with(&there[0].1) && there[0].1.len() > 27);
    let last = there[0].1.last().unwrap().1;
    assert_eq!(restored.lost_after, [("a".to_owned(), Some(last))].into());
    assert!(directory.path().join("a/journal.jsonl.broken-1").exists());
    ledger.close().await;
    assert_eq!(Ledger::open_checked(&path).await.unwrap().1, None);
}

/// What a newer program leaves behind: all that this one knows, and a migration more.
async fn upgrade(path: &Path) {
    let ledger = Ledger::open(path).await.unwrap();
    let next = "insert into _sqlx_migrations select 99, 'later', installed_on, success, x'00', 0 \
                from _sqlx_migrations where version = 1";
    sqlx::query(next).execute(&ledger.pool).await.unwrap();
    ledger.close().await;
}

#[tokio::test]
async fn a_newer_ledger_is_left_alone_and_says_what_it_needs() {
    let (directory, path, _) = written().await;
    upgrade(&path).await;
    let journal = fs::read(directory.path().join("a/journal.jsonl")).unwrap();
    let problem = Ledger::open_checked(&path).await.unwrap_err();
    assert!(!problem.is_damage(), "{problem:?}");
    assert!(problem.to_string().contains("migration 99"), "{problem}");
    assert!(!names(directory.path()).iter().any(|name| name.contains("corrupt")));
    assert_eq!(fs::read(directory.path().join("a/journal.jsonl")).unwrap(), journal);
}

#[tokio::test]
async fn a_garbled_list_of_migrations_is_damage_and_no_newer_ledger() {
    let (_directory, path, wanted) = written().await;
    let ledger = Ledger::open(&path).await.unwrap();
    let garbled = "update _sqlx_migrations set version = 99 where version = 1";
    sqlx::query(garbled).execute(&ledger.pool).await.unwrap();
    ledger.close().await;
    assert!(recovered(&path, &wanted).await.from.is_some());
}

#[tokio::test]
async fn with_nothing_to_restore_from_the_file_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dfr.db");
    fs::write(&path, "something else\n".repeat(99)).unwrap();
    let problem = Ledger::open_checked(&path).await.unwrap_err();
    assert!(matches!(problem, LedgerError::NotALedger { .. }), "{problem:?}");
    assert_eq!(names(directory.path()), ["dfr.db", "dfr.db.lock"]);
}

#[tokio::test]
async fn nothing_is_restored_under_a_daemon_that_writes() {
    let (_directory, path, wanted) = written().await;
    let other = Ledger::open(&path).await.unwrap();
    fs::write(&path, "garbage").unwrap();
    let problem = Ledger::open_checked(&path).await.unwrap_err();
    assert!(matches!(problem, LedgerError::Busy { .. }), "{problem:?}");
    drop(other);
    recovered(&path, &wanted).await;
}

#[tokio::test]
async fn backups_are_numbered_and_the_oldest_go() {
    let (directory, path, _) = written().await;
    let ledger = Ledger::open(&path).await.unwrap();
    let reader = Ledger::open_read_only(&path).await.unwrap();
    for _ in 0..4 {
        ledger.back_up(3).await.unwrap();
        assert_eq!(reader.sessions().await.unwrap().len(), 2);
    }
    let backups = directory.path().join("backups");
    assert_eq!(names(&backups), ["dfr-000003.db", "dfr-000004.db", "dfr-000005.db"]);
    let copy = Ledger::open(&backups.join("dfr-000005.db")).await.unwrap();
    assert_eq!(told(&copy).await, told(&ledger).await);
}

/// Flips that change nothing that is read may pass; all others are found out, and nothing is lost.
#[tokio::test]
async fn flipped_pages_lose_nothing() {
    let rounds = std::env::var(FLIPS_VARIABLE).map_or(FLIPS, |text| text.parse().unwrap());
    let (directory, _, wanted) = written().await;
    let mut found = 0;
    for seed in 0..rounds {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let place = tempfile::tempdir().unwrap();
        copy(directory.path(), place.path());
        let path = place.path().join("dfr.db");
        let mut bytes = fs::read(&path).unwrap();
        let page = random.random_range(0..bytes.len() / 4096) * 4096;
        for _ in 0..random.random_range(1..64) {
            let at = page + random.random_range(0..4096);
            bytes[at] ^= random.random_range(1..=255u8);
        }
        fs::write(&path, bytes).unwrap();
        let (ledger, restored) = Ledger::open_checked(&path)
            .await
            .unwrap_or_else(|problem| panic!("seed {seed}: {problem:?}"));
        assert_eq!(told(&ledger).await, wanted, "seed {seed}");
        experiments(&ledger, "a", 5..6).await;
        ledger.close().await;
        assert_eq!(Ledger::open_checked(&path).await.unwrap().1, None, "seed {seed}");
        found += u64::from(restored.is_some_and(|restored| restored.lost_after.is_empty()));
    }
    println!("{found} of {rounds} flipped ledgers were restored");
    // The others hit room that nothing uses.
    assert!(found * 5 > rounds, "{found} of {rounds}");
}
