use std::time::Duration;

use super::*;
use crate::experiment::{Entry, History, Phase, Row, Stage, Usage, Verdict};
use crate::sample::{self, tried};
use crate::session::{Heartbeat, Life, Lock, NewSession, Recorded, Session};

const PLAIN: Style = Style { colour: false, readable: since_start };
const COLOUR: Style = Style { colour: true, readable: since_start };

/// Times that no time zone changes.
fn since_start(ms: i64) -> String {
    format!("t+{}s", ms / 1000)
}

fn session(tag: &str) -> Session {
    let begun = NewSession { created_at_ms: 1_000, ..sample::new_session(tag) };
    Session { id: 1, begun }
}

fn three() -> History {
    sample::history(&[
        tried(Verdict::Keep, 0.72, "baseline"),
        tried(Verdict::Discard, 0.7, "focal loss, gamma 2"),
        tried(Verdict::Crash, 0.0, "batch size 64\u{1b}[2J"),
    ])
}

fn columns() -> Vec<String> {
    ["sn34_score", "accuracy"].map(str::to_owned).to_vec()
}

fn beat(phase: Option<Phase>, experiment: Option<u32>) -> Heartbeat {
    let (host, boot_id) = ("gpu-1".to_owned(), "b".to_owned());
    let (phase_since_ms, at_ms) = (900_000, 999_000);
    Heartbeat {
        pid: 42,
        host,
        boot_id,
        phase,
        phase_since_ms,
        experiment,
        paused: None,
        asks_at_ms: None,
        lived_s: 100.0,
        at_ms,
    }
}

fn status(heartbeat: Option<&Heartbeat>, lock: Lock, now_ms: i64) -> String {
    let (session, history, columns) = (session("video-mar14"), three(), columns());
    let status = Status {
        session: &session,
        history: &history,
        columns: &columns,
        ready: None,
        heartbeat,
        lock,
        now_ms,
    };
    status_text(&status, PLAIN)
}

#[test]
fn status_of_a_daemon_at_work() {
    let beat = beat(Some(Phase::Train), Some(3));
    insta::assert_snapshot!(status(Some(&beat), Lock::Held(42), 1_000_000), @r"
    session  video-mar14 (video-sample, video)
    begun    t+1s
    daemon   alive: experiment 3, train for 1 min 40 s (process 42 on gpu-1)
    machine  not written down
    tried    3 experiments: 1 kept, 1 discarded, 1 crashed; 2 since the last keep
    duty     75.0 % of the time is training; 75.0 % over the last 3
    best     experiment 0: sn34_score 0.720000, accuracy 0.820000, 0c0ffee, baseline
    belief   by how much runs of one recipe differ was not measured
    total    not yet: dfr-daemon certify measures what the session came to
    holdout  not measured yet
    pushed   nothing yet: dfr-daemon push hands a keep's archive to gascli
    spent    3000 tokens sent, 150 received, 0.00 USD, 0.07 h on the device
    pauses   none

    #  commit   sn34_score  accuracy    memory  verdict  description
    0  0c0ffee    0.720000  0.820000  12.1 GiB  keep     baseline
    1  0c0ffef    0.700000  0.800000  12.1 GiB  discard  focal loss, gamma 2
    2  0c0fff0           -         -   0.0 GiB  crash    batch size 64[2J
    ");
}

#[test]
fn the_daemon_line_tells_life_apart() {
    let line = |heartbeat: Option<Heartbeat>, lock, now_ms| {
        let text = status(heartbeat.as_ref(), lock, now_ms);
        text.lines().find(|line| line.starts_with("daemon")).unwrap().to_owned()
    };
    let lines = [
        line(None, Lock::Held(42), 0),
        line(None, Lock::Free, 0),
        line(Some(beat(None, None)), Lock::Held(42), 1_000_000),
        line(Some(beat(Some(Phase::Propose), None)), Lock::Held(42), 1_000_000),
        line(Some(beat(Some(Phase::Train), Some(3))), Lock::Held(43), 1_399_000),
        line(Some(beat(Some(Phase::Train), Some(3))), Lock::Free, 8_000_000),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r"
    daemon   silent, gave no sign yet
    daemon   dead, gave no sign yet
    daemon   alive: between experiments for 1 min 40 s (process 42 on gpu-1)
    daemon   alive: propose for 1 min 40 s (process 42 on gpu-1)
    daemon   silent for 6 min 40 s but holds its lock: hung, suspended, or no room for a sign of life (process 43 on gpu-1)
    daemon   dead: last sign t+999s, 1 h 56 min ago, experiment 3, train for 1 min 39 s
    ");
}

#[test]
fn the_pause_that_is_not_over_is_told() {
    let line = |now_ms| {
        let beat = Heartbeat { paused: Some("disk full".to_owned()), ..beat(None, None) };
        let text = status(Some(&beat), Lock::Held(42), now_ms);
        text.lines().find(|line| line.starts_with("pauses")).unwrap().to_owned()
    };
    assert_eq!(line(1_000_000), "pauses   one now");
    assert_eq!(line(1_399_000), "pauses   none", "an old sign tells nothing of now");
}

#[test]
fn status_of_an_empty_session() {
    let (session, history, columns) = (session("video-mar14"), History::default(), columns());
    let status = Status {
        session: &session,
        history: &history,
        columns: &columns,
        ready: None,
        heartbeat: None,
        lock: Lock::Free,
        now_ms: 0,
    };
    insta::assert_snapshot!(status_text(&status, PLAIN), @r"
    session  video-mar14 (video-sample, video)
    begun    t+1s
    daemon   dead, gave no sign yet
    machine  not written down
    tried    0 experiments: 0 kept, 0 discarded, 0 crashed; 0 since the last keep
    duty     no time told yet
    best     none yet
    belief   by how much runs of one recipe differ was not measured
    total    not yet: dfr-daemon certify measures what the session came to
    holdout  not measured yet
    pushed   nothing yet: dfr-daemon push hands a keep's archive to gascli
    spent    0 tokens sent, 0 received, 0.00 USD, 0.00 h on the device
    pauses   none
    ");
}

#[test]
fn list_is_one_line_a_session() {
    let (first, second) = (session("video-mar14"), session("demo-20260314_210559"));
    let (some, none) = (three(), History::default());
    let objective = "sn34_score";
    let listed = [
        Listed { session: &first, history: &some, objective, life: Life::Alive },
        Listed { session: &second, history: &none, objective, life: Life::Dead },
    ];
    insta::assert_snapshot!(list_text(&listed, PLAIN), @r"
    tag                   task          experiments  best                 daemon  begun
    video-mar14           video-sample            3  sn34_score 0.720000  alive   t+1s
    demo-20260314_210559  video-sample            0  -                    dead    t+1s
    ");
    assert_eq!(list_text(&[], PLAIN), "no sessions yet\n");
}

#[test]
fn show_tells_everything_about_an_experiment() {
    let refused = Entry::Refused {
        stage: Stage::Build,
        problem: "error[E0308]: mismatched\n  types".into(),
        tampered: None,
        usage: Usage::default(),
    };
    let told = sample::entries(1, &tried(Verdict::Discard, 0.7, "focal loss, gamma 2"));
    let entries: Vec<_> = [&told[..2], &[refused], &told[1..]]
        .concat()
        .into_iter()
        .zip(1..)
        .map(|(entry, id)| Recorded { id, experiment: 1, at_ms: id * 1000, entry })
        .collect();
    let history = three();
    let shown = Shown {
        experiment: 1,
        row: Some(&history.rows[1]),
        entries: &entries,
        diff: "-const GAMMA: f64 = 0.0;\n+const GAMMA: f64 = 2.0;\n",
        log_tail: "  step 10\r\n\u{1b}]0;owned\u{7}---\nmodel: r3d-tiny\n",
    };
    insta::assert_snapshot!(show_text(&shown, PLAIN), @r"
    experiment 1: discard, as told

    description      focal loss, gamma 2
    hypothesis       focal loss, gamma 2 should help
    proposer         scripted
    commit           0c0ffef on 0c0ffee
    decided          t+60s
    accuracy         0.800000
    sn34_score       0.700000
    memory           12.1 GiB
    tokens           1000 sent, 50 received

    phase     total   median   share
    propose   4.0 s   4.00 s   4.0 %
    build    12.0 s  12.00 s  12.0 %
    start     3.0 s   3.00 s   3.0 %
    train    75.0 s  75.00 s  75.0 %
    predict   5.0 s   5.00 s   5.0 %
    score     0.5 s   0.50 s   0.5 %
    record    0.5 s   0.50 s   0.5 %

    entries
    t+1s  opened on 0c0ffee by scripted
    t+2s  proposed: focal loss, gamma 2
    t+3s  refused at build: error[E0308]: mismatched types
    t+4s  proposed: focal loss, gamma 2
    t+5s  committed 0c0ffef
    t+6s  built
    t+7s  ran: finished
    t+8s  predicted: finished
    t+9s  scored
    t+10s  decided: discard, as told
    t+11s  settled

    diff
    -const GAMMA: f64 = 0.0;
    +const GAMMA: f64 = 2.0;

    end of the log
      step 10
    ]0;owned---
    model: r3d-tiny
    ");
}

#[test]
fn show_of_an_experiment_without_a_verdict() {
    let entry = Entry::Abandoned { reason: "stopped".into() };
    let entries = [Recorded { id: 1, experiment: 4, at_ms: 0, entry }];
    let shown = Shown { experiment: 4, row: None, entries: &entries, diff: "", log_tail: "" };
    insta::assert_snapshot!(show_text(&shown, PLAIN), @r"
    experiment 4: no verdict

    entries
    t+0s  abandoned: stopped
    ");
}

#[test]
fn colours_only_when_asked_and_nothing_else_differs() {
    let (session, history) = (session("video-mar14"), three());
    let objective = "sn34_score";
    let listed = [Listed { session: &session, history: &history, objective, life: Life::Silent }];
    let (plain, colour) = (list_text(&listed, PLAIN), list_text(&listed, COLOUR));
    assert!(!plain.contains('\u{1b}'), "{plain}");
    assert!(colour.contains("\u{1b}[33mvideo-mar14"), "{colour}");
    let stripped = ["\u{1b}[1m", "\u{1b}[33m", "\u{1b}[0m"]
        .iter()
        .fold(colour, |text, code| text.replace(code, ""));
    assert_eq!(stripped, plain);
    assert!(!status(None, Lock::Free, 0).contains('\u{1b}'));
}

#[test]
fn spans_are_told_in_two_units() {
    let cases = [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (7500, "2 h 5 min"),
        (86_399, "23 h 59 min"),
        (180_000, "2 d 2 h"),
    ];
    for (seconds, told) in cases {
        assert_eq!(span(Duration::from_secs(seconds)), told);
    }
}

#[test]
fn time_is_told_by_phase() {
    let mut rows: Vec<Row> = three().rows;
    rows[1].phase_seconds.insert(Phase::Train, 600.0);
    rows[2].phase_seconds.clear();
    insta::assert_snapshot!(phase_table(&rows), @r"
    phase      total    median   share
    propose    8.0 s    4.00 s   1.1 %
    build     24.0 s   12.00 s   3.3 %
    start      6.0 s    3.00 s   0.8 %
    train    675.0 s  337.50 s  93.1 %
    predict   10.0 s    5.00 s   1.4 %
    score      1.0 s    0.50 s   0.1 %
    record     1.0 s    0.50 s   0.1 %
    ");
    assert_eq!(duty_cycle(&rows[..1]), Some(0.75));
    assert_eq!(duty_cycle(&rows[2..]), None);
    assert_eq!(duty_cycle(&[]), None);
}
