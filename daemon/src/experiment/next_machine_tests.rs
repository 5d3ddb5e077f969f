use super::*;

#[test]
fn on_another_machine_the_incumbent_is_measured_before_anything_is_compared() {
    let on = |cores| Entry::Machine { machine: Machine { cores, ..Machine::default() } };
    let candidate = Effect::Open { purpose: Purpose::Candidate, commit: None };
    let began = || Entry::Began { phase: Phase::Train, sealed: None, stake: None };
    let mut first = [vec![on(2)], sample::entries(0, &tried(Verdict::Keep, 0.5, "first"))].concat();
    let ran_at = first.iter().position(|entry| matches!(entry, Entry::Ran { .. })).unwrap();
    first.insert(ran_at, began());
    let history = fold(&History::default(), &first);
    assert_eq!(next(&history, &RULES, &now(&history)), candidate);
    let moved = Effect::Open { purpose: Purpose::Moved, commit: Some(object_id(0)) };
    let elsewhere = fold(&history, &[on(8)]);
    assert_eq!(next(&elsewhere, &RULES, &now(&elsewhere)), moved);
    let back = fold(&elsewhere, &[on(2)]);
    assert_eq!(next(&back, &RULES, &now(&back)), candidate);
    // What was trained is judged; what was not is given up.
    let built =
        [opened(Purpose::Candidate), proposed(), committed(), Entry::Built { program: None }];
    let untrained = fold(&history, &[&built[..], &[on(8)]].concat());
    let given_up = next(&untrained, &RULES, &now(&untrained));
    assert!(matches!(given_up, Effect::Abandon { reason } if reason.contains("another machine")));
    let trained = fold(&history, &[&built[..], &[began(), ran(None), on(8)]].concat());
    assert_eq!(next(&trained, &RULES, &now(&trained)), Effect::Predict);
    let is_promising = Situation { is_promising: true, ..now(&trained) };
    let scored_there = fold(&trained, &[predicted(None), scored()]);
    assert_eq!(next(&scored_there, &RULES, &is_promising), Effect::Decide);
    // What ended there, and nobody wrote down, is taken as it is, and is still of there.
    let ended = fold(&history, &[&built[..], &[began(), on(8)]].concat());
    let goes_on = Situation { goes_on: true, ..now(&ended) };
    assert_eq!(next(&ended, &RULES, &goes_on), Effect::Train);
    let there = fold(&ended, &[ran(None)]);
    assert_eq!(there.in_hand.unwrap().row().machine, history.machine);
    let moved = [vec![opened(Purpose::Moved)], built[1..].to_vec()].concat();
    let kept = Entry::Decided { verdict: Verdict::Keep, reason: "r".into(), evidence: None };
    let over = Entry::Settled { phase_seconds: std::collections::BTreeMap::new() };
    let measured =
        [moved, vec![began(), ran(None), predicted(None), scored(), kept, over]].concat();
    let at_home = fold(&elsewhere, &measured);
    assert_eq!(next(&at_home, &RULES, &now(&at_home)), candidate);
    assert_eq!(at_home.incumbent().unwrap().metrics["s"], 0.5);
    // Of crashes there it is this run that tells, for the times of another machine are no measure.
    let mut crashes = elsewhere;
    for _ in 0..3 {
        crashes = settled(&crashes, Purpose::Candidate, Verdict::Crash, "bad");
    }
    let again = Effect::Open { purpose: Purpose::Moved, commit: Some(object_id(0)) };
    assert_eq!(next(&crashes, &RULES, &now(&crashes)), again);
    // Early daemons did not write down where the incumbent ran: where the first machine is told.
    let early = sample::history(&[tried(Verdict::Keep, 0.5, "first")]);
    let upgraded = fold(&early, &[on(2)]);
    assert_eq!(next(&upgraded, &RULES, &now(&upgraded)), candidate);
    let moved_on = fold(&upgraded, &[on(8)]);
    assert_eq!(next(&moved_on, &RULES, &now(&moved_on)), again);
}
