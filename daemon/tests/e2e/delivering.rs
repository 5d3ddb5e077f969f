//! What becomes of keeps: traced by their own programs in a sandbox, handed to a program that is trusted.

use std::fs;

use dfr_contract::checked::Checked;
use dfr_contract::modality::Modality;

use crate::environment::{BETTER, Daemon, EQUAL, Ended, TestEnvironment, reply};

/// Notes a push as dfr does, before it and after it.
const PUSH: &str = r#"name=$1; file=$2; shift 2
note() {
    printf '{"event":"push","time":"noon","netuid":34,"wallet":"w","hotkey":"h","modality":"video",' >> "$file"
    printf '"sha256":"of %s","zip":"%s.zip","name":"%s","exit":%s}\n' $name $name $name $1 >> "$file"
}
note null; note 0; echo "pushed $name $*"; exit 5
"#;
const SHOW: &str = "cat \"$1\"; shift; echo \"got $*\"; exit 7\n";

/// Two keeps with a discard between them; the second one is of this mode.
fn night(mode: &str, deliver: &str) -> TestEnvironment {
    let environment = TestEnvironment::new();
    environment.with_delivery(deliver);
    let secret = environment.path("repo/state/dfr.db");
    let mode = format!("mode = {mode}\nsecret = {}", secret.display());
    let better = reply("better", &[("mode = ok", &mode), BETTER]);
    let script = environment.script(&[reply("equal", &[EQUAL]), better]);
    let three = ["--proposer", &script, "--max-experiments", "3"];
    environment.run(&mut environment.session(&three)).code(0);
    assert_eq!(environment.verdicts(), ["keep", "discard", "keep"]);
    assert!(secret.is_file());
    environment
}

/// The session's daemon, once it trains experiment 3.
fn at_work(environment: &TestEnvironment) -> Daemon<'_> {
    let script = environment.script(&[reply("slow", &[("mode = ok", "mode = hang")])]);
    let on = ["--tag", "t", "--resume", "--proposer", &script, "--max-experiments", "4"];
    let mut daemon = environment.start(&mut environment.daemon(&on));
    daemon.wait_for_training(3);
    daemon
}

fn export(environment: &TestEnvironment, arguments: &[&str]) -> Ended {
    let command = ["export", "--tag", "t"];
    environment.run(&mut environment.daemon(&[&command[..], arguments].concat()))
}

#[test]
fn a_keep_is_traced_by_its_own_program_and_delivered_in_each_tier() {
    let environment = night("ok", SHOW);
    for tier in ["full", "container"] {
        let tier = ["--containment", tier];
        let best = export(&environment, &[&tier[..], &["--", "--more", "x"]].concat());
        let weights = environment.read("repo/state/t/exp/2/run/model.safetensors");
        let said = format!("quality 0.7, {weights}, secret hidden\ngot t-2 1,3,1,1 --more x\n");
        assert_eq!((best.code(7).out.as_str(), best.err.as_str()), (said.as_str(), ""));
        let first = export(&environment, &[&tier[..], &["--experiment", "0"]].concat());
        assert!(first.code(7).out.starts_with("quality 0.6, "), "{}", first.out);
        assert!(first.out.ends_with("got t-0 1,3,1,1\n"), "{}", first.out);
        assert!(!environment.path("repo/state/t/deliver").exists());
    }
    environment.wait_for_no_trainer();
}

#[test]
fn predictions_that_were_scored_are_evaluated() {
    let environment = night("ok", "head -n 2 \"$1\"");
    let evaluate = ["evaluate", "--tag", "t"];
    let told = environment.run(&mut environment.daemon(&evaluate));
    let scored = environment.read("repo/state/t/exp/2/predictions.tsv");
    let head: Vec<_> = scored.lines().take(2).collect();
    assert_eq!(told.code(0).out, head.join("\n") + "\n");
}

#[test]
fn a_session_at_work_is_not_disturbed() {
    let environment = night("ok", SHOW);
    let mut daemon = at_work(&environment);
    export(&environment, &[]).code(7).says(&[]);
    assert!(!daemon.has_ended());
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    daemon.wait().code(0);
    assert_eq!(environment.verdicts(), ["keep", "discard", "keep"]);
}

#[test]
fn what_is_not_what_was_kept_is_delivered_to_nobody() {
    let environment = night("trace-link", "touch delivered");
    export(&environment, &[]).code(4).says(&["deliver/trace/graph is no plain file"]);
    let program = environment.path("repo/state/t/exp/0/program");
    fs::write(&program, "quality = 0.9").unwrap();
    let changed = "exp/0/program is not the program of experiment 0";
    export(&environment, &["--experiment", "0"]).code(4).says(&[changed]);
    assert!(!environment.path("repo/delivered").exists());
    for (arguments, words) in [
        (&["--experiment", "1"][..], &["experiment 1 of t was not kept", "kept were: 0, 2"][..]),
        (&["--containment", "tight"], &["tight"]),
    ] {
        let refused = export(&environment, arguments);
        assert!([2, 3].contains(&refused.status.code().unwrap()));
        refused.says(words);
    }
    let unknown = ["export", "--tag", "nobody"];
    environment.run(&mut environment.daemon(&unknown)).code(3).says(&["no session nobody"]);
}

#[test]
fn a_trace_that_fails_shows_what_it_said_and_a_task_that_says_nothing_is_named() {
    let environment = night("ok\ntrace = broken", "touch delivered");
    export(&environment, &[])
        .code(4)
        .says(&["tracing experiment 2: ", "trace is broken on line 3"]);
    assert!(!environment.path("repo/delivered").exists());
    let environment = TestEnvironment::new();
    environment.run(&mut environment.session(&["--max-experiments", "1"])).code(0);
    export(&environment, &[]).code(3).says(&["does not say how to export a keep", "[deliver]"]);
}

#[test]
fn a_keep_is_trained_in_full_and_goes_on_where_it_was() {
    let show = "case \"$1\" in *predictions.tsv) head -n 1 \"$1\";; *) cat \"$1\"; shift; echo \"$*\";; esac\n";
    let environment = night("full-dies", show);
    let full = |more: &[&str]| {
        let command = ["full", "--tag", "t", "--hours", "0.001", "--checkpoint-minutes", "2"];
        environment.run(&mut environment.daemon(&[&command[..], more].concat()))
    };
    let died = full(&[]);
    died.code(4).says(&["training experiment 2: ", "shapes [2] and [3] do not fit"]);
    died.says(&["in full: experiment 2 of t (", "run/resume to begin anew"]);
    // Whoever means the one that waits is told how to say so.
    let other = full(&["--experiment", "0", "--skip-export"]);
    other
        .code(0)
        .says(&["in full: experiment 0 of t (", "training of experiment 2 is not finished"]);
    other.says(&["--experiment 2 goes on with "]);
    require_level(&environment, "repo/state/t/full-0");
    // What it was begun on is what it goes on with.
    environment.use_pack("newer");
    let said = "id\tp_synthetic\nquality 0.7, weights 4 by 120 s, went on, secret hidden\nt-2-full 1,3,1,1 -x\n";
    assert_eq!(full(&["--", "-x"]).code(0).out, said);
    let done = environment.path("repo/state/t/full-2");
    let done: Vec<_> = fs::read_dir(done).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(done.len() == 1 && !done[0].join("run/resume").exists(), "{done:?}");
    // The next one is trained on what is there now.
    full(&[]).code(4).says(&["packs/video/1x1x1-original-80-10-10/newer"]);
    full(&["--skip-export"]).code(0);
    let again = full(&["--skip-export"]);
    again.code(0).says(&["trained already: "]);
    assert_eq!(again.out, "id\tp_synthetic\n");
    // Another length is another training.
    let longer = ["full", "--tag", "t", "--hours", "0.002", "--experiment", "2"];
    let longer = environment.run(&mut environment.daemon(&longer));
    longer.code(4).says(&["training experiment 2: "]);
    full(&["--skip-export"]).code(0).says(&["trained already: "]);
    assert_eq!(environment.verdicts(), ["keep", "discard", "keep"]);
}

/// Of the model below it everything has one time: what read it, and when, is told by nothing.
#[track_caller]
fn require_level(environment: &TestEnvironment, all: &str) {
    let root = fs::read_dir(environment.path(all)).unwrap().next().unwrap().unwrap().path();
    let times = ["run", "run/model.safetensors"].map(|name| {
        let found = root.join(name).metadata().unwrap();
        [found.modified().unwrap(), found.accessed().unwrap()]
    });
    let [first, ..] = times.as_flattened() else { unreachable!() };
    assert!(times.as_flattened().iter().all(|time| time == first), "{times:?}");
}

#[test]
fn what_would_be_trained_in_full_is_told_and_nothing_is_made() {
    let environment = night("ok", SHOW);
    let check = |more: &[&str]| {
        let command = ["full", "--check", "--tag"];
        environment.run(&mut environment.daemon(&[&command[..], more].concat()))
    };
    let checked = |told: &Ended| serde_json::from_str::<Checked>(&told.code(0).out).unwrap();
    let best = checked(&check(&["t"]));
    let task = environment.read("task.toml");
    let modality = Modality::Video;
    assert_eq!(best, Checked { tag: "t".to_owned(), experiment: 2, modality, task });
    assert_eq!(checked(&check(&["t", "--experiment", "0"])).experiment, 0);
    check(&["t", "--experiment", "1"]).code(3).says(&["experiment 1 of t was not kept"]);
    check(&["nobody"]).code(3).says(&["no session nobody", "dfr-daemon list"]);
    fs::write(environment.path("repo/state/t/exp/2/program"), "quality = 0.9").unwrap();
    check(&["t"]).code(4).says(&["exp/2/program is not the program of experiment 2"]);
    for made in ["deliver", "deliver.lock", "full-0", "full-2", "exp/2/training.log"] {
        assert!(!environment.path("repo/state/t").join(made).exists(), "{made}");
    }
}

#[test]
fn what_nothing_says_how_to_train_in_full_is_refused_before_it_is_begun() {
    let environment = TestEnvironment::new();
    environment.run(&mut environment.session(&["--max-experiments", "1"])).code(0);
    let check = ["full", "--check", "--tag", "t"];
    let refused = environment.run(&mut environment.daemon(&check));
    refused.code(3).says(&["does not say how to evaluate a keep"]);
}

#[test]
fn a_full_training_waits_for_no_session_and_disturbs_none() {
    let environment = night("ok", SHOW);
    let daemon = at_work(&environment);
    for full in [&["full", "--tag", "t"][..], &["full", "--tag", "t", "--check"]] {
        let refused = environment.run(&mut environment.daemon(full));
        refused.code(3).says(&["another session builds and trains on this machine"]);
    }
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    daemon.wait().code(0);
}

#[test]
fn what_is_pushed_stands_in_the_ledger() {
    let environment = night("ok", PUSH);
    let push = |arguments: &[&str]| {
        let command = ["push", "--tag", "t"];
        environment.run(&mut environment.daemon(&[&command[..], arguments].concat()))
    };
    assert!(environment.status().contains("pushed   nothing yet: dfr-daemon push"));
    let best = push(&["--", "--wallet-name", "w"]);
    assert_eq!(
        (best.code(5).out.as_str(), best.err.as_str()),
        ("pushed t-2 --wallet-name w\n", "")
    );
    let stands = "pushed   t-2 under w/h: submitted (noon); 1 submitted in all\n";
    assert!(environment.status().contains(stands), "{}", environment.status());
    assert_eq!(push(&["--experiment", "0", "--in-full"]).code(5).out, "pushed t-0-full \n");
    assert!(
        environment.status().contains("t-0-full under w/h: submitted (noon); 2 submitted in all")
    );
    push(&["--experiment", "1"]).code(3).says(&["experiment 1 of t was not kept"]);

    // One that is killed before it has told the ledger, with half a line.
    let noted = environment.read("repo/state/t/submissions.jsonl");
    let begun = noted.lines().next().unwrap().replace("t-2", "t-9");
    environment.write("repo/state/t/submissions.jsonl", &format!("{noted}{begun}\n{{\"time\""));
    let recover = ["recover", "--tag", "t"];
    let recovered = environment.run(&mut environment.daemon(&recover));
    assert!(recovered.code(0).out.contains("t-9.zip: begun\n"), "{}", recovered.out);
    assert!(environment.status().contains("t-9 under w/h: begun (noon); 3 submitted in all"));
    let again = environment.run(&mut environment.daemon(&recover));
    assert!(!again.code(0).out.contains("t-9"), "{}", again.out);
}

#[test]
fn a_session_at_work_takes_in_what_is_pushed() {
    let environment = night("ok", PUSH);
    let daemon = at_work(&environment);
    let push = ["push", "--tag", "t"];
    let pushed = environment.run(&mut environment.daemon(&push));
    pushed.code(5).says(&["the daemon of t is at work, and takes this into its ledger"]);
    assert!(environment.status().contains("pushed   nothing yet"));
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    daemon.wait().code(0);
    assert!(environment.status().contains("t-2 under w/h: submitted (noon); 1 submitted in all"));
}
