use super::*;

/// As far as a training that ended like this, of a proposal of a model.
fn trained(run: RunOutcome) -> Vec<Entry> {
    let Entry::Answered { text, problem, usage, cost_usd, .. } = answered(None) else {
        unreachable!("an answer")
    };
    let proposer = "llm:m".to_owned();
    let answered = Entry::Answered { text, problem, proposer, usage, cost_usd };
    let built = Entry::Built { program: None };
    let Entry::Ran { seconds, startup_s, claims, curve, tampered, .. } = ran(None) else {
        unreachable!("a run")
    };
    let problem = Some(format!("training {run}: oops"));
    let ran = Entry::Ran { run, seconds, startup_s, claims, curve, problem, tampered };
    vec![opened(Purpose::Candidate), answered, proposed(), committed(), built, ran]
}

fn exited(code: Option<i32>, cause: Option<Cause>) -> RunOutcome {
    RunOutcome::Crashed { code, signal: code.is_none().then_some(9), cause }
}

#[test]
fn a_training_that_failed_by_a_mistake_goes_back_to_its_model_once() {
    for cause in [None, Some(Cause::DeviceOutOfMemory)] {
        let first = trained(exited(Some(8), cause));
        assert_eq!(after(&first), Effect::HandBack);
        let back = [&first[..], &[refused(Stage::Train)]].concat();
        assert_eq!(after(&back), Effect::Ask);
        assert_eq!(after(&[&back[..], &first[1..]].concat()), Effect::Decide);
        // What does not build is repaired as ever, and the last word is a crash with its commit.
        let broken = [&first[1..4], &[refused(Stage::Build)]].concat();
        let twice = [&back[..], &broken, &broken].concat();
        assert_eq!(after(&twice), Effect::Ask);
        assert_eq!(after(&[&twice[..], &broken].concat()), Effect::Decide);
        let stops = Situation { stop: StopLevel::AfterExperiment, ..now(&History::default()) };
        for (entries, stopped) in [(&first, Effect::Decide), (&back, Effect::Decide)] {
            let history = fold(&History::default(), entries);
            assert_eq!(next(&history, &RULES, &stops), stopped, "a human need not wait");
            let spent = Spent { usd: 1.0, ..now(&history).spent };
            let poor = Situation { spent, ..now(&history) };
            assert_eq!(next(&history, &RULES, &poor), stopped, "nothing is left to ask with");
        }
    }
}

#[test]
fn a_training_that_failed_for_good_is_decided() {
    for run in [
        exited(Some(6), Some(Cause::NotFinite)),
        exited(None, None),
        exited(Some(1), Some(Cause::OutOfMemory)),
        RunOutcome::TimedOut,
    ] {
        assert_eq!(after(&trained(run.clone())), Effect::Decide, "{run}");
    }
    let mut entries = trained(exited(Some(8), None));
    let Some(Entry::Ran { tampered, .. }) = entries.last_mut() else { unreachable!("a run") };
    *tampered = Some("a metric line".to_owned());
    assert_eq!(after(&entries), Effect::Decide);
    // Who has nobody to be told, and what scored before.
    let mut entries = trained(exited(Some(8), None));
    entries.remove(1);
    assert_eq!(after(&entries), Effect::Decide);
}
