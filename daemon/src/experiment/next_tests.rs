use super::*;
use crate::experiment::{BranchMove, Phase, align};
use crate::experiment::{Cause, Entry, Idea, Machine, Notes, RunOutcome, Stage, Usage};
use crate::sample::{self, object_id, tried};

#[path = "next_machine_tests.rs"]
mod machine;
#[path = "next_mending_tests.rs"]
mod mending;

const RULES: Rules = Rules {
    asks: true,
    repair_turns: 2,
    crash_limit: 3,
    holdout: false,
    noise_runs: 0,
    certify: None,
    rethinks: true,
    again_share: 0.15,
    max_experiments: None,
    caps: Caps {
        usd: Some(1.0),
        tokens: Some(1_000_000),
        device: Some(std::time::Duration::from_secs(3600)),
        lived: Some(std::time::Duration::from_secs(3600)),
        disk_bytes: Some(1 << 30),
    },
};

fn now(history: &History) -> Situation<'static> {
    let spent = Spent::new(history, std::time::Duration::ZERO, 0);
    Situation {
        stop: StopLevel::Continue,
        built: Some("c"),
        spent,
        waits: false,
        goes_on: false,
        is_promising: false,
        certifies: false,
        earlier: None,
    }
}

/// What comes after these entries of a first experiment.
fn after(entries: &[Entry]) -> Effect {
    let history = fold(&History::default(), entries);
    next(&history, &RULES, &now(&history))
}

fn fold(history: &History, entries: &[Entry]) -> History {
    let mut history = history.clone();
    for entry in entries {
        history
            .apply(
                if matches!(entry, Entry::Opened { .. }) {
                    history.opened
                } else {
                    history.current()
                },
                entry,
                1,
            )
            .unwrap();
    }
    history
}

fn opened(purpose: Purpose) -> Entry {
    Entry::Opened { parent: "p".into(), proposer: "x".into(), purpose }
}

fn answered(problem: Option<&str>) -> Entry {
    Entry::Answered {
        text: "t".into(),
        problem: problem.map(str::to_owned),
        proposer: "x".into(),
        usage: Usage::default(),
        cost_usd: 0.0,
    }
}

fn proposed() -> Entry {
    Entry::Proposed {
        hypothesis: "h".into(),
        description: "d".into(),
        notes: Notes::default(),
        idea: Idea::default(),
        usage: Usage::default(),
    }
}

fn refused(stage: Stage) -> Entry {
    Entry::Refused { stage, problem: "error: x".into(), tampered: None, usage: Usage::default() }
}

fn committed() -> Entry {
    Entry::Committed { commit: "c".into() }
}

fn ran(problem: Option<&str>) -> Entry {
    let problem = problem.map(str::to_owned);
    Entry::Ran {
        run: RunOutcome::Finished,
        seconds: 1.0,
        startup_s: 0.0,
        claims: None,
        curve: Vec::new(),
        problem,
        tampered: None,
    }
}

fn predicted(problem: Option<&str>) -> Entry {
    let problem = problem.map(str::to_owned);
    Entry::Predicted { run: RunOutcome::Finished, seconds: 1.0, problem, tampered: None }
}

fn scored() -> Entry {
    Entry::Scored {
        metrics: [("s".to_owned(), 0.5)].into(),
        peak_vram_mb: 1.0,
        records: 0,
        sources: std::collections::BTreeMap::new(),
        tampered: None,
    }
}

#[test]
fn each_entry_leads_to_the_next_effect() {
    let mut entries = vec![];
    assert_eq!(after(&entries), Effect::Open { purpose: Purpose::Baseline, commit: None });
    for (entry, effect) in [
        (opened(Purpose::Candidate), Effect::Ask),
        (answered(None), Effect::Understand),
        (proposed(), Effect::Commit),
        (committed(), Effect::Build),
        (Entry::Built { program: None }, Effect::Train),
        (ran(None), Effect::Predict),
        (predicted(None), Effect::Score),
        (scored(), Effect::Decide),
        (
            Entry::Decided { verdict: Verdict::Keep, reason: "r".into(), evidence: None },
            Effect::Settle,
        ),
    ] {
        entries.push(entry);
        assert_eq!(after(&entries), effect);
    }
    entries.push(Entry::Settled { phase_seconds: std::collections::BTreeMap::new() });
    assert_eq!(after(&entries), Effect::Open { purpose: Purpose::Candidate, commit: None });
}

#[test]
fn a_commit_that_is_there_is_not_asked_for() {
    for purpose in [Purpose::Baseline, Purpose::Adoption, Purpose::Control] {
        let theirs = Entry::Diverged { tip: "p".into() };
        let entries = [theirs, opened(purpose), proposed(), committed(), refused(Stage::Build)];
        assert_eq!(after(&entries[..2]), Effect::Introduce);
        assert_eq!(after(&entries), Effect::Decide);
    }
}

#[test]
fn what_failed_is_decided_without_more_runs() {
    let built =
        [opened(Purpose::Candidate), proposed(), committed(), Entry::Built { program: None }];
    assert_eq!(after(&[&built[..], &[ran(Some("crashed"))]].concat()), Effect::Decide);
    let late = [&built[..], &[ran(None), predicted(Some("crashed"))]].concat();
    assert_eq!(after(&late), Effect::Decide);
    let history = fold(&History::default(), &late);
    assert_eq!(history.in_hand.unwrap().outcome("s"), Err("crashed".to_owned()));
}

#[test]
fn turns_run_out() {
    let mut entries = vec![opened(Purpose::Candidate)];
    for _ in 0..3 {
        assert_eq!(after(&entries), Effect::Ask);
        entries.extend([answered(None), refused(Stage::Patch)]);
    }
    assert_eq!(after(&entries), Effect::Abandon { reason: "patch failed: error: x".to_owned() });
    let with_commit = [proposed(), committed(), refused(Stage::Smoke)];
    let entries: Vec<_> =
        entries[..5].iter().cloned().chain([answered(None)]).chain(with_commit).collect();
    assert_eq!(after(&entries), Effect::Decide);
}

#[test]
fn a_build_of_another_life_is_made_again() {
    let entries =
        [opened(Purpose::Candidate), proposed(), committed(), Entry::Built { program: None }];
    for entries in [&entries[..], &[&entries[..], &[ran(None)]].concat()] {
        let history = fold(&History::default(), entries);
        for built in [None, Some("other")] {
            let now = Situation { built, ..now(&history) };
            assert_eq!(next(&history, &RULES, &now), Effect::Build);
        }
    }
}

#[test]
fn what_the_machine_cuts_short_is_given_up_in_the_end() {
    let mut entries =
        vec![opened(Purpose::Candidate), proposed(), committed(), Entry::Built { program: None }];
    for _ in 0..3 {
        assert_eq!(after(&entries), Effect::Train);
        entries.push(Entry::Began { phase: Phase::Train, sealed: None, stake: None });
    }
    assert!(matches!(after(&entries), Effect::Abandon { .. }));
    // Unless it did end, or this life may still bring it to its end.
    let history = fold(&History::default(), &entries);
    let ended = Situation { goes_on: true, ..now(&history) };
    assert_eq!(next(&history, &RULES, &ended), Effect::Train);
}

#[test]
fn one_stop_leaves_what_was_built_and_waits_to_the_next_life() {
    let built =
        [opened(Purpose::Candidate), proposed(), committed(), Entry::Built { program: None }];
    let ran = [&built[..], &[ran(None)]].concat();
    for (entries, waits, effect) in [
        (&ran[..], true, Effect::Stop),
        (&ran[..], false, Effect::Predict),
        (&built[..3], true, Effect::Stop),
    ] {
        let history = fold(&History::default(), entries);
        let stop = StopLevel::AfterExperiment;
        let now = Situation { stop, waits, ..now(&history) };
        assert_eq!(next(&history, &RULES, &now), effect);
    }
    let history = fold(&History::default(), &ran);
    let insists = Situation { stop: StopLevel::AbandonRun, waits: true, ..now(&history) };
    assert!(matches!(next(&history, &RULES, &insists), Effect::Abandon { .. }));
}

#[test]
fn a_human_stops_what_is_not_committed_and_insists_to_stop_the_rest() {
    let stopped = |entries: &[Entry], stop| {
        let history = fold(&History::default(), entries);
        next(&history, &RULES, &Situation { stop, ..now(&history) })
    };
    let candidate = opened(Purpose::Candidate);
    let committed = [candidate.clone(), proposed(), committed()];
    assert_eq!(stopped(&[], StopLevel::AfterExperiment), Effect::Stop);
    let abandons = |effect| matches!(effect, Effect::Abandon { .. });
    assert!(abandons(stopped(&[candidate], StopLevel::AfterExperiment)));
    assert_eq!(stopped(&committed, StopLevel::AfterExperiment), Effect::Build);
    assert!(abandons(stopped(&committed, StopLevel::AbandonRun)));
}

fn settled(history: &History, purpose: Purpose, verdict: Verdict, commit: &str) -> History {
    let proposer = "x".to_owned();
    fold(
        history,
        &[
            Entry::Opened { parent: commit.to_owned(), proposer, purpose },
            proposed(),
            Entry::Committed { commit: commit.to_owned() },
            refused(Stage::Build),
            Entry::Decided { verdict, reason: "r".into(), evidence: None },
            Entry::Settled { phase_seconds: std::collections::BTreeMap::new() },
        ],
    )
}

#[test]
fn crashes_in_a_row_measure_the_incumbent_again_and_its_crash_stops_the_loop() {
    let mut history = sample::history(&[tried(Verdict::Keep, 0.5, "first")]);
    for _ in 0..3 {
        let candidate = Effect::Open { purpose: Purpose::Candidate, commit: None };
        assert_eq!(next(&history, &RULES, &now(&history)), candidate);
        history = settled(&history, Purpose::Candidate, Verdict::Crash, "bad");
    }
    let control = Effect::Open { purpose: Purpose::Control, commit: Some(object_id(0)) };
    assert_eq!(next(&history, &RULES, &now(&history)), control);

    let sound = settled(&history, Purpose::Control, Verdict::Discard, &object_id(0));
    let candidate = Effect::Open { purpose: Purpose::Candidate, commit: None };
    assert_eq!(next(&sound, &RULES, &now(&sound)), candidate);

    let down = settled(&history, Purpose::Control, Verdict::Crash, &object_id(0));
    let wait = next(&down, &RULES, &now(&down));
    assert!(matches!(wait, Effect::Wait { cause: Pause::Environment, .. }), "{wait:?}");
    let cause = Pause::Environment;
    let probing = fold(&down, &[Entry::Paused { cause, why: "w".into(), seconds: 30.0 }]);
    assert_eq!(next(&probing, &RULES, &now(&probing)), control);
    assert_eq!(probing.incumbent().unwrap().commit, object_id(0));
}

#[test]
fn what_a_human_commits_may_mend_what_even_the_incumbent_cannot_run_on() {
    let history = sample::history(&[tried(Verdict::Keep, 0.5, "first")]);
    let down = settled(&history, Purpose::Control, Verdict::Crash, &object_id(0));
    let theirs = fold(&down, &[Entry::Diverged { tip: "theirs".into() }]);
    let adopt = Effect::Open { purpose: Purpose::Adoption, commit: Some("theirs".into()) };
    assert_eq!(next(&theirs, &RULES, &now(&theirs)), adopt);
    let kept = settled(&theirs, Purpose::Adoption, Verdict::Keep, "theirs");
    let candidate = Effect::Open { purpose: Purpose::Candidate, commit: None };
    assert_eq!(next(&kept, &RULES, &now(&kept)), candidate);
    // If it does not, there is a wait, and the machine is looked at first.
    let fails = settled(&theirs, Purpose::Adoption, Verdict::Crash, "theirs");
    let wait = next(&fails, &RULES, &now(&fails));
    let Effect::Wait { cause: cause @ Pause::Environment, why } = wait else { panic!("{wait:?}") };
    let probing = fold(&fails, &[Entry::Paused { cause, why, seconds: 30.0 }]);
    let control = Effect::Open { purpose: Purpose::Control, commit: Some(object_id(0)) };
    assert_eq!(next(&probing, &RULES, &now(&probing)), control);
}

/// An experiment that the machine cuts short until it is given up.
fn cut_short(history: &History, purpose: Purpose) -> History {
    let begun = Entry::Began { phase: Phase::Train, sealed: None, stake: None };
    let ran = [opened(purpose), proposed(), committed(), Entry::Built { program: None }];
    let history = fold(&fold(history, &ran), &vec![begun; 3]);
    let effect = next(&history, &RULES, &now(&history));
    let Effect::Abandon { reason } = effect else { panic!("{effect:?}") };
    fold(&history, &[Entry::Abandoned { reason }])
}

#[test]
fn candidates_that_the_machine_cuts_short_measure_the_incumbent_again() {
    let mut history = sample::history(&[tried(Verdict::Keep, 0.5, "first")]);
    for _ in 0..3 {
        let candidate = Effect::Open { purpose: Purpose::Candidate, commit: None };
        assert_eq!(next(&history, &RULES, &now(&history)), candidate);
        history = cut_short(&history, Purpose::Candidate);
    }
    let control = Effect::Open { purpose: Purpose::Control, commit: Some(object_id(0)) };
    assert_eq!(next(&history, &RULES, &now(&history)), control);
    let down = cut_short(&history, Purpose::Control);
    let wait = next(&down, &RULES, &now(&down));
    assert!(matches!(wait, Effect::Wait { cause: Pause::Environment, .. }), "{wait:?}");
}

#[test]
fn a_commit_of_a_human_becomes_the_incumbent_or_is_theirs_to_mend() {
    let history = sample::history(&[tried(Verdict::Keep, 0.5, "first")]);
    let diverged = fold(&history, &[Entry::Diverged { tip: "theirs".into() }]);
    let adopt = Effect::Open { purpose: Purpose::Adoption, commit: Some("theirs".into()) };
    assert_eq!(next(&diverged, &RULES, &now(&diverged)), adopt);
    let kept = settled(&diverged, Purpose::Adoption, Verdict::Keep, "theirs");
    assert_eq!((kept.incumbent().unwrap().commit.as_str(), &kept.diverged), ("theirs", &None));
    let broken = settled(&diverged, Purpose::Adoption, Verdict::Crash, "theirs");
    let wait = next(&broken, &RULES, &now(&broken));
    assert!(matches!(wait, Effect::Wait { cause: Pause::Conflict, .. }), "{wait:?}");
    let mended = fold(&broken, &[Entry::Diverged { tip: "mended".into() }]);
    let adopt = Effect::Open { purpose: Purpose::Adoption, commit: Some("mended".into()) };
    assert_eq!(next(&mended, &RULES, &now(&mended)), adopt);
    let back = fold(&broken, &[Entry::Diverged { tip: object_id(0) }]);
    assert_eq!(back.diverged, None);
}

#[test]
fn a_candidate_that_is_not_built_yields_to_a_commit_of_a_human() {
    let history = sample::history(&[tried(Verdict::Keep, 0.5, "first")]);
    let theirs = Entry::Diverged { tip: "theirs".into() };
    let entries = [opened(Purpose::Candidate), proposed(), committed()];
    let unbuilt = fold(&fold(&history, &entries), std::slice::from_ref(&theirs));
    let effect = next(&unbuilt, &RULES, &now(&unbuilt));
    assert!(matches!(effect, Effect::Abandon { .. }), "{effect:?}");
    let repaired = [&entries[..], &[refused(Stage::Build), theirs.clone()]].concat();
    let repaired = fold(&history, &repaired);
    let effect = next(&repaired, &RULES, &now(&repaired));
    assert!(matches!(effect, Effect::Abandon { .. }), "{effect:?}");
    let built = fold(&fold(&history, &entries), &[Entry::Built { program: None }, theirs]);
    assert_eq!(next(&built, &RULES, &now(&built)), Effect::Train);
}

#[test]
fn what_is_paid_for_and_waits_for_a_budget_is_in_hand_for_who_raises_it() {
    let history = sample::history(&[tried(Verdict::Keep, 0.5, "first")]);
    let entries = [opened(Purpose::Candidate), proposed(), committed()];
    let built = [&entries[..], &[Entry::Built { program: None }]].concat();
    let spent = Spent { disk_bytes: 1 << 30, ..Spent::default() };
    for history in [fold(&history, &entries), fold(&history, &built)] {
        for stop in [StopLevel::AfterExperiment, StopLevel::AbandonRun] {
            let held = Situation { spent, stop, built: None, ..now(&history) };
            assert_eq!(next(&history, &RULES, &held), Effect::Stop);
        }
        let held = Situation { spent, built: None, ..now(&history) };
        let effect = next(&history, &RULES, &held);
        assert!(matches!(effect, Effect::Wait { cause: Pause::Budget, .. }), "{effect:?}");
        let stopped = Situation { stop: StopLevel::AbandonRun, ..now(&history) };
        let effect = next(&history, &RULES, &stopped);
        assert!(matches!(effect, Effect::Abandon { .. }), "{effect:?}");
    }
    let answered = fold(&history, &[&entries[..], &[refused(Stage::Build)]].concat());
    let effect = next(&answered, &RULES, &Situation { spent, ..now(&answered) });
    assert!(matches!(effect, Effect::Wait { cause: Pause::Budget, .. }), "{effect:?}");
}

#[test]
fn a_budget_that_is_spent_is_named_before_anything_is_spent() {
    let history = sample::history(&[tried(Verdict::Keep, 0.5, "first")]);
    let built =
        [opened(Purpose::Candidate), proposed(), committed(), Entry::Built { program: None }];
    for (entries, spent, flag) in [
        (&built[..0], Spent { usd: 1.0, ..Spent::default() }, "--max-usd"),
        (&built[..1], Spent { usd: 1.0, ..Spent::default() }, "--max-usd"),
        (&built[..1], Spent { tokens: 1_000_000, ..Spent::default() }, "--max-tokens"),
        (
            &built[..4],
            Spent { device: std::time::Duration::from_secs(3600), ..Spent::default() },
            "--max-gpu-hours",
        ),
        (&built[..0], Spent { disk_bytes: 1 << 30, ..Spent::default() }, "--max-disk-gib"),
        (&built[..3], Spent { disk_bytes: 1 << 30, ..Spent::default() }, "--max-disk-gib"),
        (&built[..4], Spent { disk_bytes: 1 << 30, ..Spent::default() }, "--max-disk-gib"),
        (
            &built[..3],
            Spent { lived: std::time::Duration::from_secs(3600), ..Spent::default() },
            "--max-hours",
        ),
        (
            &built[..4],
            Spent { lived: std::time::Duration::from_secs(3600), ..Spent::default() },
            "--max-hours",
        ),
        (
            &built[..0],
            Spent { lived: std::time::Duration::from_secs(3600), ..Spent::default() },
            "--max-hours",
        ),
    ] {
        let history = fold(&history, entries);
        let effect = next(&history, &RULES, &Situation { spent, ..now(&history) });
        let Effect::Wait { cause: Pause::Budget, why } = effect else { panic!("{effect:?}") };
        assert!(why.contains(flag), "{why}");
    }
}

/// Everything but a human's commit is a step of ours.
fn is_ours(tip: &str) -> bool {
    tip != "theirs"
}

#[test]
fn what_a_human_takes_back_is_not_adopted() {
    let history = sample::history(&[tried(Verdict::Keep, 0.5, "first")]);
    let candidate =
        [opened(Purpose::Candidate), proposed(), committed(), Entry::Built { program: None }];
    let mut history = fold(&history, &candidate);
    assert_eq!(align(&history, "base", Some("c"), is_ours), BranchMove::Stay);
    for tip in ["theirs", "c", &object_id(0)] {
        let BranchMove::Diverged { tip } = align(&history, "base", Some(tip), is_ours) else {
            continue;
        };
        history = fold(&history, &[Entry::Diverged { tip }]);
    }
    assert_eq!(history.diverged, None);
    let back = BranchMove::Move { from: object_id(0), to: "c".to_owned() };
    assert_eq!(align(&history, "base", Some(&object_id(0)), is_ours), back);
}

#[test]
fn an_adoption_is_given_up_when_its_commit_is_taken_off_the_branch() {
    let history = sample::history(&[tried(Verdict::Keep, 0.5, "first")]);
    let parent = "theirs".to_owned();
    let adoption = Entry::Opened {
        parent: parent.clone(),
        proposer: "human".into(),
        purpose: Purpose::Adoption,
    };
    let entries = [
        Entry::Diverged { tip: parent.clone() },
        adoption,
        proposed(),
        Entry::Committed { commit: parent },
    ];
    let history = fold(&history, &entries);
    let incumbent = object_id(0);
    let BranchMove::Diverged { tip } = align(&history, "base", Some(&incumbent), is_ours) else {
        panic!("it was taken back");
    };
    let history = fold(&history, &[Entry::Diverged { tip }]);
    // A daemon that dies right here finds the branch where they want it.
    assert_eq!(align(&history, "base", Some(&incumbent), is_ours), BranchMove::Stay);
    assert!(matches!(next(&history, &RULES, &now(&history)), Effect::Abandon { .. }));
    let over = fold(&history, &[Entry::Abandoned { reason: "r".into() }]);
    assert_eq!(align(&over, "base", Some(&incumbent), is_ours), BranchMove::Stay);
    // The commit is kept reachable like a candidate, and is theirs all the same.
    for then in [history, over] {
        let again = BranchMove::Diverged { tip: "theirs".to_owned() };
        assert_eq!(align(&then, "base", Some("theirs"), |_| true), again);
    }
}

#[test]
fn a_model_that_babbles_is_given_time() {
    let mut history = sample::history(&[tried(Verdict::Keep, 0.5, "first")]);
    let babble = [opened(Purpose::Candidate), answered(None), refused(Stage::Patch)];
    for _ in 0..3 {
        assert!(matches!(next(&history, &RULES, &now(&history)), Effect::Open { .. }));
        history = fold(&history, &babble);
        history = fold(&history, &[Entry::Abandoned { reason: "r".into() }]);
    }
    let wait = next(&history, &RULES, &now(&history));
    assert!(matches!(wait, Effect::Wait { cause: Pause::Endpoint, .. }), "{wait:?}");
    let cause = Pause::Endpoint;
    let rested = fold(&history, &[Entry::Paused { cause, why: "w".into(), seconds: 30.0 }]);
    assert!(matches!(next(&rested, &RULES, &now(&rested)), Effect::Open { .. }));
}

const HOLDOUT: Rules = Rules { holdout: true, ..RULES };

fn decided(verdict: Verdict) -> Vec<Entry> {
    let decided = Entry::Decided { verdict, reason: "r".into(), evidence: None };
    let built = Entry::Built { program: None };
    let purpose = Purpose::Candidate;
    let run = [opened(purpose), proposed(), committed(), built, ran(None), predicted(None)];
    [&run[..], &[scored(), decided]].concat()
}

fn held_out() -> Entry {
    Entry::HeldOut { metrics: [("s".to_owned(), 0.4)].into(), seconds: 2.0, problem: None }
}

#[test]
fn a_keep_is_measured_on_the_holdout_once_and_nothing_else_is() {
    let after = |entries: &[Entry], now: fn(&History) -> Situation<'static>| {
        let history = fold(&History::default(), entries);
        next(&history, &HOLDOUT, &now(&history))
    };
    let mut keep = decided(Verdict::Keep);
    assert_eq!(after(&keep, now), Effect::HoldOut);
    assert_eq!(after(&decided(Verdict::Discard), now), Effect::Settle);
    // What a restart took away is built again; for a human in a hurry the next life does it.
    assert_eq!(after(&keep, |h| Situation { built: None, ..now(h) }), Effect::Build);
    let hurried = |h: &History| Situation { stop: StopLevel::AbandonRun, ..now(h) };
    assert_eq!(after(&keep, hurried), Effect::Stop);
    assert_eq!(after(&decided(Verdict::Discard), hurried), Effect::Settle);
    keep.push(held_out());
    assert_eq!(after(&keep, now), Effect::Settle);
    let mut cut = decided(Verdict::Keep);
    let begun = Entry::Began { phase: Phase::Holdout, sealed: None, stake: None };
    cut.extend(vec![begun; 3]);
    assert_eq!(after(&cut, now), Effect::Settle);
}

#[test]
fn holdout_scores_stand_beside_the_official_ones() {
    let mut entries = decided(Verdict::Keep);
    entries.extend([held_out(), Entry::Settled { phase_seconds: Default::default() }]);
    let history = fold(&History::default(), &entries);
    let row = &history.rows[0];
    assert_eq!((row.metrics["s"], row.holdout["s"]), (0.5, 0.4));
    assert_eq!(history.device_s, 4.0);
}

#[test]
fn what_tampers_is_neither_predicted_nor_scored() {
    let tampered = Some("it printed sn34_score".to_owned());
    let run = RunOutcome::Finished;
    let ran = Entry::Ran {
        run,
        seconds: 1.0,
        startup_s: 0.0,
        claims: None,
        curve: Vec::new(),
        problem: None,
        tampered,
    };
    let built = Entry::Built { program: None };
    let entries = [opened(Purpose::Candidate), proposed(), committed(), built, ran];
    assert_eq!(after(&entries), Effect::Decide);
    let history = fold(&History::default(), &entries);
    let tampered = history.in_hand.unwrap().tampered;
    assert_eq!(tampered.as_deref(), Some("it printed sn34_score"));
}

#[test]
fn what_the_last_answer_did_in_its_first_step_counts_and_nothing_before_it() {
    let tampering = Entry::Refused {
        stage: Stage::Smoke,
        problem: "smoke: it printed a score".into(),
        tampered: Some("it printed sn34_score".into()),
        usage: Usage::default(),
    };
    let turn = |end: Entry| [proposed(), committed(), end];
    let tampered = |ends: &[Entry]| {
        let turns = ends.iter().cloned().flat_map(turn);
        let entries: Vec<_> = [opened(Purpose::Candidate)].into_iter().chain(turns).collect();
        fold(&History::default(), &entries).in_hand.unwrap().tampered
    };
    assert_eq!(
        tampered(std::slice::from_ref(&tampering)).as_deref(),
        Some("it printed sn34_score")
    );
    assert_eq!(tampered(&[tampering.clone(), refused(Stage::Build)]), None);
    assert_eq!(tampered(&[tampering, Entry::Built { program: None }]), None);
    let of_old = r#"{"entry":"refused","stage":"smoke","problem":"p"}"#;
    assert!(matches!(serde_json::from_str(of_old).unwrap(), Entry::Refused { tampered: None, .. }));
}

#[test]
fn a_row_tells_the_weakest_sandbox_that_any_of_it_ran_in() {
    use crate::tier::Tier::{Container, Full};
    for (build, train, told) in [
        (Some(Full), Some(Full), Some(Full)),
        (Some(Full), Some(Container), Some(Container)),
        (Some(Container), None, None),
        (None, Some(Full), None),
    ] {
        let began = |phase, sealed| Entry::Began { phase, sealed, stake: None };
        let mut entries = decided(Verdict::Discard);
        entries.insert(4, began(Phase::Train, train));
        entries.insert(3, began(Phase::Build, build));
        // An endpoint is asked without one.
        entries.insert(1, began(Phase::Propose, None));
        let history = fold(&History::default(), &entries);
        assert_eq!(history.in_hand.unwrap().row().sealed, told);
    }
}

#[test]
fn a_human_returns_to_an_earlier_keep() {
    let scores = [(Verdict::Keep, 0.5), (Verdict::Keep, 0.6), (Verdict::Discard, 0.1)];
    let mut history = sample::history(&scores.map(|(verdict, score)| tried(verdict, score, "x")));
    let commit = |n: usize| object_id(u32::try_from(n).unwrap());
    for not_a_keep in [2, 7] {
        assert!(history.check(3, &Entry::RolledBack { to: not_a_keep }).is_err());
    }
    history = fold(&history, &[Entry::RolledBack { to: 0 }]);
    assert_eq!(history.incumbent().unwrap().experiment, 0);
    // The branch follows by itself, from where it stood and from nowhere else.
    let moved = align(&history, "base", Some(&commit(1)), |_| false);
    assert_eq!(moved, BranchMove::Move { from: commit(1), to: commit(0) });
    let human = align(&history, "base", Some("theirs"), |_| false);
    assert_eq!(human, BranchMove::Diverged { tip: "theirs".into() });
    history = fold(&history, &[opened(Purpose::Candidate)]);
    let late = align(&history, "base", Some(&commit(1)), |_| false);
    assert_eq!(late, BranchMove::Diverged { tip: commit(1) });
    assert!(history.check(3, &Entry::RolledBack { to: 1 }).is_err(), "an experiment is in hand");
}

#[test]
fn a_full_session_certifies_until_a_cap_closes_it_to_runs() {
    let history =
        sample::history(&[tried(Verdict::Keep, 0.6, "a"), tried(Verdict::Keep, 0.7, "b")]);
    let rules = Rules { max_experiments: Some(2), certify: Some(2), ..RULES };
    let cap = |spent| next(&history, &rules, &Situation { spent, ..now(&history) });
    let spent = now(&history).spent;
    let first = Some(object_id(0));
    let certifies = Effect::Open { purpose: Purpose::Certify, commit: first };
    assert_eq!(cap(Spent { usd: 1.0, tokens: 1_000_000, ..spent }), certifies);
    assert_eq!(cap(Spent { disk_bytes: 1 << 30, ..spent }), Effect::Stop);
    // The same where the cap was reached since it began.
    let begun = [opened(Purpose::Certify), proposed(), Entry::Committed { commit: "c".into() }];
    let begun = fold(&history, &begun);
    let spent = Spent { disk_bytes: 1 << 30, ..spent };
    let then = |rules| next(&begun, rules, &Situation { spent, ..now(&begun) });
    assert_eq!(then(&rules), Effect::Stop);
    assert!(matches!(then(&RULES), Effect::Wait { cause: Pause::Budget, .. }));
}

#[test]
fn where_nobody_is_asked_only_what_is_committed_comes_to_its_end() {
    let rules = Rules { asks: false, max_experiments: Some(0), ..RULES };
    let after = |entries: &[Entry]| {
        let history = fold(&History::default(), entries);
        next(&history, &rules, &now(&history))
    };
    let reason = "certify was asked for".to_owned();
    let answered = [opened(Purpose::Candidate), answered(None), proposed()];
    for known in 1..=answered.len() {
        assert_eq!(after(&answered[..known]), Effect::Abandon { reason: reason.clone() });
    }
    let committed = [&answered[..], &[Entry::Committed { commit: "c".into() }]].concat();
    assert_eq!(after(&committed), Effect::Build);
    let (stage, problem, usage) = (Stage::Build, "error".to_owned(), Usage::default());
    let refused = Entry::Refused { stage, problem, tampered: None, usage };
    assert_eq!(after(&[&committed[..], &[refused]].concat()), Effect::Decide);
    assert_eq!(after(&[opened(Purpose::Certify)]), Effect::Introduce);
}
