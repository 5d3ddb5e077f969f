//! Damaged files, through real workers. `MUTATIONS=1000` for more of them.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use dfr_codecs::worker::{Failure, Pool};
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::reference::data;
use crate::workers::pool;

/// Generous: the machine that tests may be busy, and what hangs hangs longer.
const DEADLINE: Duration = Duration::from_secs(20);

#[test]
fn damaged_files_are_named_and_take_nothing_along() {
    let times = std::env::var("MUTATIONS").map_or(150, |times| times.parse().unwrap());
    let (pool, files) = (pool(DEADLINE), files());
    let mut draws = ChaCha8Rng::seed_from_u64(11);
    let mut outcomes: BTreeMap<String, u32> = BTreeMap::new();
    for turn in 0..times {
        let (name, kind, bytes) = files.choose(&mut draws).unwrap();
        let damaged = damage(bytes, &mut draws);
        *outcomes
            .entry(outcome(&pool, *kind, &damaged, &format!("{turn}: {name}")))
            .or_default() += 1;
    }
    println!("{outcomes:#?} {:?}", pool.counts());
    for (name, kind, bytes) in files.iter().filter(|(name, ..)| name != "opus.ogg") {
        assert_eq!(outcome(&pool, *kind, bytes, name), "decoded", "{name}, whole");
    }
    assert!(outcomes["decoded"] > 0 && outcomes["refused"] > 0);
}

#[test]
fn absurd_headers_cost_no_worker() {
    let pool = pool(DEADLINE);
    let refused = |kind: u8, bytes: &[u8]| {
        let failure = pool.ask(&[&[kind], bytes].concat()).unwrap_err();
        assert!(matches!(failure, Failure::Refused(_)), "{failure:?}");
        failure.to_string()
    };
    assert_eq!(refused(b'P', &[]), "the file is empty");
    assert_eq!(refused(b'S', &[]), "the file is empty");
    let sized = |name: &str, marker: u8, side: u16| {
        let mut jpeg = fs::read(data(name)).unwrap();
        let frame = jpeg.windows(2).position(|at| at == [0xff, marker]).unwrap();
        jpeg[frame + 5..frame + 9]
            .copy_from_slice(&[side.to_be_bytes(), side.to_be_bytes()].concat());
        jpeg
    };
    let refusal = refused(b'P', &sized("420.jpg", 0xc0, 60_000));
    assert!(refusal.starts_with("60000 x 60000 pixels"), "{refusal}");
    for (name, marker) in [("420.jpg", 0xc0), ("progressive.jpg", 0xc2)] {
        let refusal = refused(b'P', &sized(name, marker, 13_000));
        assert!(refusal.starts_with("corrupt") || refusal.starts_with("cut off"), "{refusal}");
    }
    let mut wav = fs::read(data("pcm_16.wav")).unwrap();
    wav[22] = 100;
    let refusal = refused(b'S', &wav);
    assert!(refusal.contains("channel"), "{refusal}");
    assert_eq!(pool.counts().started, 1);
}

fn outcome(pool: &Pool, kind: u8, bytes: &[u8], what: &str) -> String {
    let Err(failure) = pool.ask(&[&[kind], bytes].concat()) else { return "decoded".into() };
    let reason = failure.to_string();
    assert!(!reason.trim().is_empty(), "{what}: no reason");
    match failure {
        Failure::Refused(reason) if reason.contains("panicked") => format!("{what}: {reason}"),
        Failure::Refused(_) => "refused".into(),
        Failure::Deadline(_) | Failure::Died(_) => format!("{what}: {reason}"),
        Failure::Start(error) => panic!("{what}: {error}"),
    }
}

/// Name, kind of request, content.
fn files() -> Vec<(String, u8, Vec<u8>)> {
    let kind = |name: &str| match name.rsplit('.').next() {
        Some("jpg" | "png" | "webp" | "gif" | "bmp" | "tiff") => Some(b'P'),
        Some("wav" | "flac" | "aiff" | "mp3" | "ogg" | "m4a") => Some(b'S'),
        _ => None,
    };
    let mut files: Vec<_> = fs::read_dir(data(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| Some((kind(&name)?, name)))
        .map(|(kind, name)| (name.clone(), kind, fs::read(data(&name)).unwrap()))
        .collect();
    files.sort();
    files
}

fn damage(whole: &[u8], draws: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let head = bytes.len().min(64);
    match draws.random_range(0..7) {
        0 => bytes.truncate(draws.random_range(0..whole.len())),
        1 => flip(&mut bytes, 1, whole.len(), draws),
        2 => flip(&mut bytes, 40, whole.len(), draws),
        3 => flip(&mut bytes, 3, head, draws),
        // Sizes, rates, channels and lengths, as large as they can be said.
        4 => fill(&mut bytes, head, 0xff, draws),
        5 => fill(&mut bytes, head, 0, draws),
        _ => {
            let from = draws.random_range(0..whole.len());
            draws.fill_bytes(&mut bytes[from..]);
        }
    }
    bytes
}

fn flip(bytes: &mut [u8], times: usize, below: usize, draws: &mut ChaCha8Rng) {
    for _ in 0..times {
        bytes[draws.random_range(0..below)] ^= 1 << draws.random_range(0..8);
    }
}

fn fill(bytes: &mut [u8], below: usize, with: u8, draws: &mut ChaCha8Rng) {
    let from = draws.random_range(4..below - 4);
    bytes[from..from + 4].fill(with);
}
