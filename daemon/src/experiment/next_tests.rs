use super::*;
use crate::experiment::{BranchMove, Phase, align};
use crate::experiment::{Entry, Notes, RunOutcome, Stage, Usage};
use crate::sample::{self, object_id, tried};

const RULES: Rules = Rules {
    repair_turns: 2,
    crash_limit: 3,
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
    Situation { stop: StopLevel::Continue, built: Some("c"), spent }
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
        usage: Usage::default(),
    }
}

fn refused(stage: Stage) -> Entry {
    Entry::Refused { stage, problem: "error: x".into(), usage: Usage::default() }
}

fn committed() -> Entry {
    Entry::Committed { commit: "c".into() }
}

fn ran(problem: Option<&str>) -> Entry {
    let problem = problem.map(str::to_owned);
    Entry::Ran { run: RunOutcome::Finished, seconds: 1.0, claims: None, problem }
}

fn predicted(problem: Option<&str>) -> Entry {
    let problem = problem.map(str::to_owned);
    Entry::Predicted { run: RunOutcome::Finished, seconds: 1.0, problem }
}

fn scored() -> Entry {
    Entry::Scored { metrics: [("s".to_owned(), 0.5)].into(), peak_vram_mb: 1.0 }
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
        (Entry::Built, Effect::Train),
        (ran(None), Effect::Predict),
        (predicted(None), Effect::Score),
        (scored(), Effect::Decide),
        (Entry::Decided { verdict: Verdict::Keep, reason: "r".into() }, Effect::Settle),
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
    let built = [opened(Purpose::Candidate), proposed(), committed(), Entry::Built];
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
    let entries = [opened(Purpose::Candidate), proposed(), committed(), Entry::Built];
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
    let mut entries = vec![opened(Purpose::Candidate), proposed(), committed(), Entry::Built];
    for _ in 0..3 {
        assert_eq!(after(&entries), Effect::Train);
        entries.push(Entry::Began { phase: Phase::Train });
    }
    assert!(matches!(after(&entries), Effect::Abandon { .. }));
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
            Entry::Decided { verdict, reason: "r".into() },
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
fn a_budget_that_is_spent_is_named_before_anything_is_spent() {
    let history = sample::history(&[tried(Verdict::Keep, 0.5, "first")]);
    let built = [opened(Purpose::Candidate), proposed(), committed(), Entry::Built];
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
    let candidate = [opened(Purpose::Candidate), proposed(), committed(), Entry::Built];
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
