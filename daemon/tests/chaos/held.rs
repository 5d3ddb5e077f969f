//! Somebody else holds the ledger's lock, for a moment or for longer than a daemon waits.

use std::time::Duration;

use dfr_contract::modality::Modality;
use dfr_daemon::experiment::{Entry, Purpose};
use dfr_daemon::ledger::{Ledger, LedgerError};
use dfr_daemon::session::NewSession;
use futures::{StreamExt as _, stream};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Executor as _};

use crate::contract::tell;
use crate::{SEED, number};

/// Locks held, when `RACES` asks for no other number, and for how long at most.
const HELD: u32 = 20;
const SHORT_MS: u64 = 8_000;
const LONG_MS: u64 = 30_000;
/// Of them at the same time, each in a ledger of its own.
const TOGETHER: usize = 40;
/// How long a daemon waits for a lock; near it either may come first.
const PATIENCE_MS: u64 = 5_000;
const NEAR_MS: u64 = 2_000;

fn session() -> NewSession {
    NewSession {
        tag: "t".to_owned(),
        task: "e2e".to_owned(),
        modality: Modality::Video,
        base_commit: "0".repeat(40),
        pack_hash: "p".to_owned(),
        repository: "/repository".into(),
        settings: serde_json::json!({}),
        created_at_ms: 0,
    }
}

/// Holds the lock for so long; whether what was written meanwhile had to be written again.
async fn hold(held_ms: u64) -> bool {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("dfr.db");
    let ledger = Ledger::open(&path).await.unwrap();
    let session = ledger.create_session(&session()).await.unwrap().id;
    let mut other = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    other.execute("begin immediate").await.unwrap();
    let holding = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(held_ms)).await;
        other.execute("rollback").await.unwrap();
    });
    let entry = Entry::Opened {
        parent: "p".to_owned(),
        proposer: "p".to_owned(),
        purpose: Purpose::Baseline,
    };
    let first = ledger.append(session, 0, &entry, 1).await;
    let is_refused = match &first {
        Ok(()) => false,
        Err(LedgerError::Busy { .. }) => true,
        Err(other) => panic!("held for {held_ms} ms: {other:?}"),
    };
    let told = ledger.entries(session).await.unwrap().len();
    assert_eq!(told, usize::from(!is_refused), "held for {held_ms} ms: {first:?}");
    assert!(is_refused || held_ms < PATIENCE_MS + NEAR_MS, "waited for {held_ms} ms");
    assert!(!is_refused || held_ms > PATIENCE_MS - NEAR_MS, "did not wait for {held_ms} ms");
    holding.await.unwrap();
    if is_refused {
        ledger.append(session, 0, &entry, 1).await.unwrap();
    }
    assert_eq!(ledger.entries(session).await.unwrap().len(), 1);
    ledger.close().await;
    is_refused
}

#[tokio::test]
async fn a_lock_is_waited_out_or_told_and_nothing_is_lost_or_doubled() {
    let asked = number("RACES");
    let most_ms = if asked.is_some() { LONG_MS } else { SHORT_MS };
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let lengths = (0..asked.unwrap_or(HELD)).map(|_| rng.random_range(0..=most_ms));
    let lengths: Vec<_> = lengths.collect();
    let held = lengths.len();
    let refused: Vec<bool> =
        stream::iter(lengths).map(hold).buffer_unordered(TOGETHER).collect().await;
    let refused = refused.iter().filter(|refused| **refused).count();
    assert!(refused > 0 && refused < held, "{refused} of {held} were told");
    if asked.is_some() {
        let counts = [
            ("locks waited out", (held - refused) as f64),
            ("locks told of, and nothing written", refused as f64),
        ];
        tell("held_locks", &counts, &[]);
    }
}
