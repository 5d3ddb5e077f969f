//! Somebody else holds the write lock, or the disk is full.

use std::time::Duration;

use sqlx::{Connection as _, Executor as _, SqliteConnection};

use super::tests::{abandoned, fresh, opened};
use super::*;
use crate::sample::new_session;

/// Another connection that takes the write lock at once and gives it back after a while.
async fn hold(path: &Path, held: Duration) -> tokio::task::JoinHandle<()> {
    let mut other = SqliteConnection::connect_with(&options(path)).await.unwrap();
    other.execute("begin immediate").await.unwrap();
    tokio::spawn(async move {
        tokio::time::sleep(held).await;
        other.execute("rollback").await.unwrap();
    })
}

#[tokio::test]
async fn a_short_lock_is_waited_out_and_a_long_one_told() {
    let (directory, ledger) = fresh().await;
    let path = directory.path().join("state/dfr.db");
    let session = ledger.create_session(&new_session("a")).await.unwrap();
    for (held, is_long) in [(BUSY_TIMEOUT / 10, false), (BUSY_TIMEOUT * 2, true)] {
        let before = ledger.entries(session.id).await.unwrap();
        let n = u32::try_from(before.len()).unwrap();
        let other = hold(&path, held).await;
        let done = ledger.append(session.id, n, &opened(), 1).await;
        if is_long {
            assert!(matches!(done, Err(LedgerError::Busy { .. })), "{done:?}");
            assert_eq!(ledger.entries(session.id).await.unwrap(), before);
            other.await.unwrap();
            ledger.append(session.id, n, &opened(), 1).await.unwrap();
        } else {
            done.unwrap();
            other.await.unwrap();
        }
        assert_eq!(ledger.entries(session.id).await.unwrap().len(), before.len() + 1);
    }
}

const CHILD: &str = "DFR_TEST_LEDGER_ON_SMALL_DISK";

/// The child sees a small disk of its own; machines that allow none have the page limit of
/// `a_full_disk_is_told_and_loses_nothing`, which SQLite answers alike.
#[tokio::test]
async fn a_disk_that_is_really_full_loses_nothing_and_goes_on() {
    let name = "ledger::lock_tests::a_disk_that_is_really_full_loses_nothing_and_goes_on";
    if let Some(place) = std::env::var_os(CHILD) {
        return fill(Path::new(&place)).await;
    }
    let directory = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=2m small \"$1\" || exit 77; shift; exec \"$@\"";
    let told = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .arg(directory.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", name])
        .env(CHILD, directory.path())
        .output();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match told {
        Ok(told) if told.status.success() => {
            assert!(said(&told.stdout).contains("filled"), "{}", said(&told.stdout));
        }
        Ok(told) if said(&told.stdout).contains("running 1 test") => {
            panic!("{}{}", said(&told.stdout), said(&told.stderr))
        }
        other => println!("no small disk can be made here: {other:?}"),
    }
}

async fn fill(place: &Path) {
    let ledger = Ledger::open(&place.join("dfr.db")).await.unwrap();
    let session = ledger.create_session(&new_session("a")).await.unwrap();
    let ballast = place.join("ballast");
    std::fs::write(&ballast, vec![1; 400_000]).unwrap();
    let large = abandoned(&"x".repeat(3000));
    let mut acknowledged = 0;
    let problem = loop {
        match ledger.append(session.id, 0, &large, 0).await {
            Ok(()) => acknowledged += 1,
            Err(problem) => break problem,
        }
    };
    assert!(matches!(problem, LedgerError::DiskFull { .. }), "{problem:?}");
    assert_eq!(ledger.entries(session.id).await.unwrap().len(), acknowledged);
    let problem = ledger.back_up(3).await.unwrap_err();
    assert!(matches!(problem, LedgerError::DiskFull { .. }), "{problem:?}");
    std::fs::remove_file(&ballast).unwrap();
    ledger.append(session.id, 0, &large, 0).await.unwrap();
    assert_eq!(ledger.entries(session.id).await.unwrap().len(), acknowledged + 1);
    println!("filled with {acknowledged} entries");
}
