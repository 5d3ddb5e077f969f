//! What a killed writer acknowledged is there afterwards.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::tests::fresh;
use super::*;
use crate::experiment::{Entry, Purpose};
use crate::sample::new_session;

const CHILD: &str = "DFR_TEST_LEDGER_OF_CHILD";
const KILLS: usize = 6;
const ENTRIES_BEFORE_KILL: usize = 40;

/// The same test is parent and child: the parent runs it again in a process that it kills.
#[tokio::test]
async fn every_acknowledged_entry_survives_a_kill() {
    if let Some(path) = std::env::var_os(CHILD) {
        return append_until_killed(&PathBuf::from(path)).await;
    }
    let (directory, ledger) = fresh().await;
    let path = directory.path().join("state/dfr.db");
    let session = ledger.create_session(&new_session("a")).await.unwrap();
    ledger.close().await;
    let mut acknowledged = 0;
    for _ in 0..KILLS {
        acknowledged = run_and_kill(&path).unwrap();
        let ledger = Ledger::open(&path).await.unwrap();
        let there = ledger.entries(session.id).await.unwrap();
        // One more may have been written than its writer lived to tell.
        assert!((acknowledged..=acknowledged + 1).contains(&there.len()), "{}", there.len());
        assert!(there.iter().zip(0..).all(|(r, n)| r.at_ms == n && r.entry == entry(n)));
        ledger.history(session.id).await.unwrap();
        ledger.close().await;
    }
    assert!(acknowledged >= KILLS * ENTRIES_BEFORE_KILL);
}

fn entry(n: i64) -> Entry {
    if n % 2 == 0 {
        Entry::Opened {
            parent: n.to_string(),
            proposer: "scripted".to_owned(),
            purpose: Purpose::Candidate,
        }
    } else {
        Entry::Abandoned { reason: "as told".to_owned() }
    }
}

async fn append_until_killed(path: &Path) {
    let ledger = Ledger::open(path).await.unwrap();
    let session = ledger.session("a").await.unwrap().unwrap();
    let first = ledger.entries(session.id).await.unwrap().len();
    for n in i64::try_from(first).unwrap().. {
        let experiment = u32::try_from(n / 2).unwrap();
        ledger.append(session.id, experiment, &entry(n), n).await.unwrap();
        writeln!(std::io::stdout(), "acknowledged {}", n + 1).unwrap();
    }
}

/// The number of entries that the child acknowledged before it was killed.
fn run_and_kill(path: &Path) -> Option<usize> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("ledger::crash_tests::every_acknowledged_entry_survives_a_kill")
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told = lines.filter_map(|line| {
        line.unwrap().strip_prefix("acknowledged ").map(|count| count.parse().unwrap())
    });
    let before = told.nth(ENTRIES_BEFORE_KILL - 1);
    child.kill().unwrap();
    child.wait().unwrap();
    told.last().or(before)
}
