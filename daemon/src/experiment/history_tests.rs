use dfr_contract::modality::Modality;
use dfr_contract::submission::Model;
use proptest::prelude::*;

use super::*;
use crate::experiment::{Pause, Purpose, RunOutcome, Stage, Stake};
use crate::sample::{self, tried};

fn opened() -> Entry {
    Entry::Opened { parent: "p".into(), proposer: "scripted".into(), purpose: Purpose::Candidate }
}

fn proposed() -> Entry {
    Entry::Proposed {
        hypothesis: "h".into(),
        description: "d".into(),
        notes: Notes::default(),
        idea: Idea::default(),
        usage: Usage { prompt_tokens: 10, completion_tokens: 1 },
    }
}

fn refused() -> Entry {
    let usage = Usage { prompt_tokens: 5, completion_tokens: 2 };
    Entry::Refused { stage: Stage::Build, problem: "p".into(), tampered: None, usage }
}

fn committed() -> Entry {
    Entry::Committed { commit: "c".into() }
}

fn ran() -> Entry {
    Entry::Ran {
        run: RunOutcome::Finished,
        seconds: 3.0,
        startup_s: 0.0,
        claims: None,
        curve: Vec::new(),
        problem: None,
        tampered: None,
    }
}

fn predicted() -> Entry {
    Entry::Predicted { run: RunOutcome::Finished, seconds: 1.0, problem: None, tampered: None }
}

fn scored() -> Entry {
    Entry::Scored {
        metrics: BTreeMap::from([("sn34_score".into(), 0.5)]),
        peak_vram_mb: 1.0,
        records: 0,
        sources: BTreeMap::new(),
        tampered: None,
    }
}

fn decided(verdict: Verdict) -> Entry {
    Entry::Decided { verdict, reason: "r".into(), evidence: None }
}

fn settled() -> Entry {
    Entry::Settled { phase_seconds: BTreeMap::from([(Phase::Train, 1.0)]) }
}

fn answered() -> Entry {
    let usage = Usage { prompt_tokens: 7, completion_tokens: 3 };
    let proposer = "llm:x".to_owned();
    Entry::Answered { text: "a".into(), problem: None, proposer, usage, cost_usd: 0.25 }
}

fn lost() -> Entry {
    Entry::Lost { usage: Usage { prompt_tokens: 7, completion_tokens: 0 }, cost_usd: 0.125 }
}

fn interrupted() -> Entry {
    Entry::Interrupted { phase: Phase::Train, why: "asleep".into(), seconds: 2.0 }
}

fn held_out() -> Entry {
    Entry::HeldOut { metrics: BTreeMap::new(), seconds: 1.0, problem: None }
}

/// What says something about the session, whatever is in hand.
fn of_the_session() -> Vec<Entry> {
    vec![
        Entry::Resumed { lived_s: 5.0, device_s: 2.0, sign_ms: None },
        Entry::Tested { what: "smoke".into(), seconds: 4.0 },
        Entry::Capped { caps: Caps { usd: Some(5.0), ..Caps::default() } },
        Entry::Diverged { tip: "t".into() },
        Entry::Paused { cause: Pause::Disk, why: "full".into(), seconds: 1.0 },
        Entry::Device { known: DeviceState::default() },
        Entry::Tried { usage: Usage::default(), cost_usd: 0.0 },
        Entry::Submitted { submission: submission() },
    ]
}

fn submission() -> Submission {
    let model = Model {
        netuid: 34,
        wallet: "w".into(),
        hotkey: "h".into(),
        modality: Modality::Video,
        sha256: "s".into(),
    };
    let (time, zip, name) = ("t".into(), "x.zip".into(), Some("t-2".into()));
    Submission { time, model, zip, name, exit: Some(0) }
}

fn abandoned() -> Entry {
    Entry::Abandoned { reason: "r".into() }
}

/// One of every kind, the three verdicts included.
fn every_entry() -> Vec<Entry> {
    let verdicts = [Verdict::Keep, Verdict::Discard, Verdict::Crash].map(decided);
    let rest = [
        opened(),
        Entry::Began { phase: Phase::Train, sealed: None, stake: None },
        answered(),
        lost(),
        proposed(),
        refused(),
        committed(),
        Entry::Built { program: None },
        ran(),
        predicted(),
        interrupted(),
        scored(),
        held_out(),
        Entry::Unscored { reason: "r".into() },
        settled(),
        abandoned(),
    ];
    rest.into_iter().chain(verdicts).collect()
}

fn fold(entries: &[Entry]) -> Result<History, IllegalEntry> {
    let mut history = History::default();
    entries.iter().try_for_each(|entry| history.apply(0, entry, 7))?;
    Ok(history)
}

/// The kinds that may follow, as a table apart from the code that it checks. What changes no step
/// is looked through.
fn may_follow(before: &[Entry]) -> Vec<&'static str> {
    let has_commit = before.iter().any(|e| matches!(e, Entry::Committed { .. }));
    let has_run = before.iter().any(|e| matches!(e, Entry::Ran { .. }));
    let is_decided = before.iter().any(|e| matches!(e, Entry::Decided { .. }));
    let stepless = ["Began", "Interrupted", "Lost"];
    let stepless = |kind: &str| stepless.contains(&kind) || (is_decided && kind == "Built");
    let last = before.iter().rev().find(|entry| !stepless(&kind(entry)));
    let (mut kinds, is_decidable) = match last.map(kind).as_deref() {
        None | Some("Settled" | "Abandoned") => return vec!["Opened"],
        Some("Decided") => {
            return vec!["Settled", "HeldOut", "Built", "Began", "Interrupted"];
        }
        Some("HeldOut") => return vec!["Settled", "Built", "Began", "Interrupted"],
        Some("Opened") => (vec!["Answered", "Lost", "Proposed", "Refused"], false),
        Some("Refused") => (vec!["Answered", "Lost", "Proposed", "Refused"], has_commit),
        Some("Answered") => (vec!["Proposed", "Refused"], false),
        Some("Proposed") => (vec!["Committed", "Refused"], false),
        Some("Committed") => (vec!["Built", "Refused"], false),
        Some("Built") if !has_run => (vec!["Built", "Ran"], false),
        Some("Built" | "Ran") => (vec!["Built", "Predicted"], true),
        Some("Predicted") => (vec!["Scored", "Unscored"], true),
        Some("Scored" | "Unscored") => (vec![], true),
        Some(other) => panic!("{other} is in no table"),
    };
    kinds.extend(["Abandoned", "Began", "Interrupted"]);
    kinds.extend(is_decidable.then_some("Decided"));
    kinds
}

fn kind(entry: &Entry) -> String {
    let shown = format!("{entry:?}");
    shown.split(' ').next().unwrap().to_owned()
}

#[test]
fn whole_experiments_fold_into_rows() {
    let mut kept =
        vec![opened(), proposed(), committed(), Entry::Built { program: None }, ran(), predicted()];
    kept.extend([scored(), decided(Verdict::Keep), settled()]);
    let history = fold(&kept).unwrap();
    let row = &history.rows[0];
    assert_eq!((row.commit.as_str(), row.parent.as_str(), row.verdict), ("c", "p", Verdict::Keep));
    assert_eq!((row.metrics["sn34_score"], row.phase_seconds[&Phase::Train]), (0.5, 1.0));
    assert_eq!((row.decided_at_ms, history.incumbent()), (7, Some(row)));

    let broken = [opened(), refused(), proposed(), committed(), refused()];
    let broken = [broken.as_slice(), &[decided(Verdict::Crash), settled()]].concat();
    let history = fold(&broken).unwrap();
    assert_eq!(history.rows[0].usage, Usage { prompt_tokens: 20, completion_tokens: 5 });
    assert_eq!(history.incumbent(), None);
}

#[test]
fn an_abandoned_experiment_leaves_no_row_but_its_number_and_its_tokens() {
    let history = fold(&[opened(), proposed(), abandoned()]).unwrap();
    assert_eq!((history.rows.len(), history.next_experiment(), &history.in_hand), (0, 1, &None));
    assert_eq!(history.usage, Usage { prompt_tokens: 10, completion_tokens: 1 });
}

#[test]
fn a_decided_row_is_told_before_it_is_settled() {
    let mut entries = sample::entries(0, &tried(Verdict::Keep, 0.5, "first"));
    entries.pop();
    let mut history = fold(&entries).unwrap();
    assert_eq!((history.rows.len(), history.decided().count()), (0, 1));
    assert_eq!(history.incumbent(), None);
    history.apply(0, &settled(), 8).unwrap();
    assert_eq!((history.rows.len(), history.decided().count()), (1, 1));
}

#[test]
fn an_illegal_entry_says_what_stands_before_it() {
    let mut history = fold(&[opened(), proposed()]).unwrap();
    let told = history.apply(0, &Entry::Built { program: None }, 0).unwrap_err().to_string();
    assert_eq!(told, "experiment 0: entry `Built` cannot follow Proposed of experiment 0");
    let told = History::default().apply(3, &opened(), 0).unwrap_err().to_string();
    assert_eq!(told, "experiment 3: entry `Opened` cannot follow 0 closed experiments");
}

proptest! {
    #[test]
    fn exactly_the_legal_entries_are_taken_at_any_time(
        choices in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
    ) {
        let mut history = History::default();
        let mut before: Vec<Entry> = Vec::new();
        let mut expected = (0, 0, None);
        for choice in choices {
            let closed = history.in_hand.is_none();
            let number = if closed { history.opened } else { history.opened - 1 };
            let legal_kinds = may_follow(&before);
            let (legal, illegal): (Vec<_>, Vec<_>) =
                every_entry().into_iter().partition(|e| legal_kinds.contains(&kind(e).as_str()));
            let unchanged = history.clone();
            for entry in &illegal {
                prop_assert!(history.apply(number, entry, 0).is_err(), "{:?}", entry);
            }
            for entry in every_entry().iter().chain(&of_the_session()) {
                prop_assert!(history.apply(number + 2, entry, 0).is_err(), "{:?}", entry);
            }
            prop_assert_eq!(&history, &unchanged);
            for entry in of_the_session() {
                prop_assert_eq!(history.apply(number, &entry, 0), Ok(()));
            }

            let entry = choice.get(&legal);
            history.apply(number, entry, 0).unwrap();
            match entry {
                Entry::Opened { .. } => {
                    before.clear();
                    expected.0 += 1;
                }
                Entry::Decided { verdict: Verdict::Keep, .. } => expected.2 = Some(number),
                Entry::Settled { .. } => expected.1 += 1,
                _ => {}
            }
            before.push(entry.clone());
            prop_assert_eq!((history.opened, history.rows.len()), (expected.0, expected.1));
            prop_assert!(history.rows.is_sorted_by(|a, b| a.experiment < b.experiment));
            if history.in_hand.is_none() {
                prop_assert_eq!(history.incumbent().map(|row| row.experiment), expected.2);
            }
        }
    }

    #[test]
    fn the_incumbent_is_the_last_keep(
        verdicts in prop::collection::vec(
            prop::sample::select(vec![Verdict::Keep, Verdict::Discard, Verdict::Crash]), 0..40),
    ) {
        let all: Vec<_> = verdicts.iter().map(|verdict| tried(*verdict, 0.5, "x")).collect();
        let history = sample::history(&all);
        let last_keep = verdicts.iter().rposition(|verdict| *verdict == Verdict::Keep);
        prop_assert_eq!(history.incumbent().map(|row| row.experiment as usize), last_keep);
        let numbers: Vec<_> = history.rows.iter().map(|row| row.experiment as usize).collect();
        prop_assert_eq!(numbers, (0..verdicts.len()).collect::<Vec<_>>());
    }
}

#[test]
fn the_allowance_for_starting_is_known_again_after_a_restart() {
    let mut history = sample::history(&[
        tried(Verdict::Crash, 0.0, "broken"),
        tried(Verdict::Keep, 0.5, "baseline"),
        tried(Verdict::Keep, 0.6, "better"),
    ]);
    assert_eq!(History::default().baseline_start(), None);
    for (row, start_s) in [(0, 1.0), (1, 2.5), (2, 9.0)] {
        history.rows[row].phase_seconds.insert(Phase::Start, start_s);
    }
    assert_eq!(history.baseline_start(), Some(Duration::from_millis(2500)));
}

#[test]
fn the_times_of_the_baseline_are_those_of_the_first_keep_where_they_are_known() {
    let all = [tried(Verdict::Crash, 0.0, "broken"), tried(Verdict::Keep, 0.5, "baseline")];
    let history = sample::history(&[&all[..], &[tried(Verdict::Keep, 0.6, "better")]].concat());
    let known = |s| Some(Duration::from_secs(s));
    assert_eq!((history.baseline_trained(), history.baseline_predicted()), (known(75), known(5)));
    let mut slower = history.clone();
    (slower.rows[2].trained_s, slower.rows[2].predicted_s) = (700.0, 60.0);
    assert_eq!(slower.baseline_predicted(), known(5), "an incumbent changes no rule");
    assert_eq!(sample::history(&all[..1]).baseline_trained(), None);
    let old = r#"{"entry":"predicted","run":{"outcome":"finished"}}"#;
    let Entry::Predicted { seconds, .. } = serde_json::from_str(old).unwrap() else { panic!() };
    slower.rows[1].predicted_s = seconds;
    assert_eq!(slower.baseline_predicted(), None, "an early ledger does not tell");
}

#[test]
fn the_last_first_step_of_the_baseline_is_the_measure_and_no_canary_is() {
    let mut history = History::default();
    let tested = |what: &str, seconds| Entry::Tested { what: what.into(), seconds };
    let built = Entry::Built { program: None };
    let (parent, proposer) = ("p".to_owned(), "baseline".to_owned());
    let opened = Entry::Opened { parent, proposer, purpose: Purpose::Baseline };
    let run = [opened, proposed(), committed()];
    let steps = [tested("smoke", 9.0), tested("smoke", 2.0), tested("canary", 7.0), built];
    let (decided, settled) = (decided(Verdict::Keep), settled());
    let rest = [ran(), predicted(), scored(), decided, settled, tested("smoke", 8.0)];
    for entry in run.into_iter().chain(steps).chain(rest) {
        history.apply(history.current(), &entry, 0).unwrap();
    }
    assert_eq!(history.baseline_smoked(), Some(Duration::from_secs(2)));
}

#[test]
fn the_times_of_an_adopted_commit_are_the_measure_from_then_on() {
    let all = [tried(Verdict::Keep, 0.5, "baseline"), tried(Verdict::Keep, 0.4, "a human's")];
    let mut history = sample::history(&[&all[..], &[tried(Verdict::Keep, 0.6, "better")]].concat());
    history.rows[1].purpose = Purpose::Adoption;
    history.rows[1].trained_s = 90.0;
    history.rows[1].startup_s = 4.0;
    assert_eq!(history.baseline_trained(), Some(Duration::from_secs(90)));
    assert_eq!(history.baseline_start(), Some(Duration::from_secs(4)));
    history.apply(history.current(), &Entry::RolledBack { to: 0 }, 1).unwrap();
    assert_eq!(history.baseline_trained(), Some(Duration::from_secs(75)));
}

#[test]
fn candidates_that_all_look_tampered_say_as_little_of_the_machine_as_crashes() {
    let tampered = Some("its training took long".to_owned());
    let Entry::Ran { run, seconds, startup_s, claims, problem, .. } = ran() else { panic!() };
    let curve = Vec::new();
    let ran = Entry::Ran { run, seconds, startup_s, claims, curve, problem, tampered };
    let entries = [opened(), proposed(), committed(), Entry::Built { program: None }, ran];
    let end = [decided(Verdict::Discard), settled()];
    assert_eq!(fold(&[&entries[..], &end].concat()).unwrap().crashes(), 1);
}

#[test]
fn what_is_under_way_is_what_was_begun_last_and_did_not_end() {
    let begun = |phase| Entry::Began { phase, sealed: None, stake: None };
    let entries = [opened(), proposed(), committed(), Entry::Built { program: None }];
    let under_way = |more: &[Entry]| {
        let history = fold(&[&entries[..], more].concat()).unwrap();
        history.in_hand.unwrap().under_way()
    };
    let resumed = Entry::Resumed { lived_s: 5.0, device_s: 0.0, sign_ms: None };
    for (more, phase) in [
        (vec![], None),
        (vec![begun(Phase::Train)], Some(Phase::Train)),
        (vec![begun(Phase::Train), resumed.clone()], Some(Phase::Train)),
        (vec![begun(Phase::Train), interrupted()], None),
        (vec![begun(Phase::Train), ran()], None),
        (vec![begun(Phase::Train), ran(), begun(Phase::Predict)], Some(Phase::Predict)),
    ] {
        assert_eq!(under_way(&more), phase, "{more:?}");
    }
}

#[test]
fn what_was_asked_is_at_stake_until_something_is_written_down_of_it() {
    let usage = Usage { prompt_tokens: 7, completion_tokens: 0 };
    let stake = Some(Stake { usage, cost_usd: 0.125 });
    let asked = Entry::Began { phase: Phase::Propose, sealed: None, stake };
    let resumed = Entry::Resumed { lived_s: 5.0, device_s: 0.0, sign_ms: None };
    let put_off = Entry::Interrupted { phase: Phase::Propose, why: "a cap".into(), seconds: 1.0 };
    for (more, at_stake) in [
        (vec![], stake),
        (vec![resumed.clone()], stake),
        (vec![answered()], None),
        (vec![resumed, lost()], None),
        (vec![put_off], None),
        (vec![abandoned()], None),
    ] {
        let history = fold(&[&[opened(), asked.clone()], &more[..]].concat()).unwrap();
        assert_eq!(history.in_hand.and_then(|c| c.at_stake()), at_stake, "{more:?}");
    }
}

#[test]
fn what_is_spent_adds_up_whatever_becomes_of_the_experiment() {
    let entries =
        [opened(), lost(), answered(), proposed(), committed(), Entry::Built { program: None }];
    let rest = [
        Entry::Began { phase: Phase::Train, sealed: None, stake: None },
        interrupted(),
        Entry::Resumed { lived_s: 5.0, device_s: 2.0, sign_ms: None },
        Entry::Tested { what: "canary".into(), seconds: 16.0 },
        ran(),
        predicted(),
        abandoned(),
    ];
    let history = fold(&[&entries[..], &rest].concat()).unwrap();
    assert_eq!(history.usage, Usage { prompt_tokens: 24, completion_tokens: 4 });
    assert_eq!((history.cost_usd, history.device_s, history.rows.len()), (0.375, 24.0, 0));
}

#[test]
fn an_attempt_counts_until_one_ends() {
    let begun = Entry::Began { phase: Phase::Train, sealed: None, stake: None };
    let mut entries = vec![opened(), proposed(), committed(), Entry::Built { program: None }];
    entries.extend([begun.clone(), begun, interrupted()]);
    let attempts = |history: &History| history.in_hand.as_ref().unwrap().attempts(Phase::Train);
    assert_eq!(attempts(&fold(&entries).unwrap()), 2);
    entries.push(ran());
    assert_eq!(attempts(&fold(&entries).unwrap()), 0);
}

#[test]
fn what_a_human_left_behind_is_no_part_of_the_line() {
    let keeps = [0.5, 0.6, 0.7].map(|score| tried(Verdict::Keep, score, "x"));
    let mut history = sample::history(&keeps);
    let line = |history: &History| -> Vec<u32> {
        history.line().iter().map(|row| row.experiment).collect()
    };
    assert_eq!(line(&History::default()), [0; 0]);
    assert_eq!(line(&history), [0, 1, 2]);
    let add = |history: &mut History, verdict| {
        let n = history.opened;
        let entries = sample::entries(n, &tried(verdict, 0.65, "y"));
        entries.iter().for_each(|entry| history.apply(n, entry, 0).unwrap());
    };
    history.apply(3, &Entry::RolledBack { to: 0 }, 0).unwrap();
    assert_eq!(line(&history), [0]);
    add(&mut history, Verdict::Discard);
    assert_eq!(history.compared_with(&history.rows[3]).unwrap().experiment, 0);
    add(&mut history, Verdict::Keep);
    assert_eq!(line(&history), [0, 4]);
    assert!(history.compared_with(&history.rows[0]).is_none());
    // And back to what was left.
    history.apply(5, &Entry::RolledBack { to: 2 }, 0).unwrap();
    assert_eq!(line(&history), [0, 1, 2]);
}

#[test]
fn what_is_known_of_the_gpus_is_what_was_written_last() {
    let known = |floor_mib: u64, fault: Option<&str>| DeviceState {
        floor_mib: [("GPU-aa".to_owned(), floor_mib)].into(),
        fault: fault.map(str::to_owned),
    };
    let (lost, well) = (known(500, Some("GPU 0 is lost")), known(500, None));
    let entries = [lost, well.clone()].map(|known| Entry::Device { known });
    assert_eq!(fold(&entries).unwrap().device, well);
}
