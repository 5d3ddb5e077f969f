//! Runs in sandboxes, in each tier: what comes of honest candidates, of one that prints its own score,
//! and of the part that no proposer hears of.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};
use serde_json::Value;

use crate::environment::{BETTER, EQUAL, Ended, TestEnvironment, reply};

const TIERS: [&str; 2] = ["full", "container"];

/// With a holdout.
fn environment() -> TestEnvironment {
    let environment = TestEnvironment::new();
    environment.with_holdout();
    environment
}

/// A sealed session of these replies after its baseline.
fn run(environment: &TestEnvironment, tier: &str, replies: &[String]) -> Ended {
    let (script, most) = (environment.script(replies), (replies.len() + 1).to_string());
    let task = environment.path("task.toml");
    let mut session = environment.daemon(&["--tag", "t", "--containment", tier]);
    session.arg("--task").arg(task).args(["--proposer", &script, "--max-experiments", &most]);
    environment.run(&mut session)
}

fn meta(environment: &TestEnvironment, experiment: u32) -> Value {
    let text = environment.read(&format!("repo/state/t/exp/{experiment}/meta.json"));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn an_honest_night_is_the_same_in_each_tier() {
    for tier in TIERS {
        let environment = environment();
        let replies = [reply("equal", &[EQUAL]), reply("better", &[BETTER])];
        run(&environment, tier, &replies).code(0).says(&["runs are contained", "sealed=true"]);
        assert_eq!(environment.verdicts(), ["keep", "discard", "keep"], "{tier}");
        let table = environment.read("repo/state/t/results.tsv");
        assert!(!table.contains("unsealed"), "{table}");
        for n in 0..3 {
            assert_eq!(meta(&environment, n)["sealed"], tier);
        }
        let holdout = environment.read("repo/state/t/holdout.tsv");
        assert_eq!(holdout.lines().count(), 3, "{holdout}");
        assert_eq!(meta(&environment, 2)["holdout"]["accuracy"], 0.7);
        assert!(environment.path("repo/state/t/exp/2/run/model.safetensors").exists());
        let settled = environment.path("repo/state/t/exp/2/meta.json").metadata().unwrap();
        for n in 0..3 {
            for part in ["out", "holdout"] {
                assert!(!environment.path(&format!("repo/state/t/exp/{n}/{part}")).exists());
            }
        }
        // What was predicted from it tells nobody when: its times are those of the verdict.
        let model =
            environment.path("repo/state/t/exp/2/run/model.safetensors").metadata().unwrap();
        assert_eq!(model.accessed().unwrap(), model.modified().unwrap());
        assert!(model.modified().unwrap() <= settled.modified().unwrap());
        environment.wait_for_no_trainer();
    }
}

#[test]
fn a_trusted_build_that_is_damaged_is_made_again_from_nothing() {
    let environment = environment();
    environment.write("repo/dfr.toml", "crash_limit = 1\nprobe_s = 1\n");
    environment.build_incrementally();
    let (task, one) = (environment.path("task.toml"), ["--tag", "t", "--max-experiments", "1"]);
    let mut baseline = environment.daemon(&one);
    baseline.args(["--proposer", "playbook", "--task"]).arg(task);
    environment.run(&mut baseline).code(0);
    environment.damage("trusted");
    let edit = |n: &str| reply(n, &[(EQUAL.0, &format!("extra = {n}"))]);
    let script = ["2", "3", "4"].map(edit).into_iter().chain([reply("better", &[BETTER])]);
    let script = environment.script(&script.collect::<Vec<_>>());
    let on = ["--tag", "t", "--resume", "--proposer", &script, "--max-experiments", "4"];
    let ended = environment.run(&mut environment.daemon(&on));
    ended.code(0).says(&["built once more, from nothing"]);
    assert!(!ended.err.contains("paused"), "{}", ended.err);
    assert_eq!(environment.verdicts(), ["keep", "crash", "discard", "keep"]);
}

#[test]
fn a_score_that_a_trainer_prints_is_tampering() {
    let environment = environment();
    let forged = reply("forged", &[("mode = ok", "mode = forged-footer"), BETTER]);
    run(&environment, "full", &[forged]).code(0);
    assert_eq!(environment.verdicts(), ["keep", "discard"]);
    let shown = environment.show(1);
    assert!(shown.contains("tampered: it printed a score: sn34_score:"), "{shown}");
    assert_eq!(environment.read("repo/state/t/holdout.tsv").lines().count(), 2);
}

/// A keep that was honest where it was chosen, and prints what it sees where it is measured again.
#[test]
fn what_a_prediction_prints_of_the_incumbent_measured_again_reaches_no_prompt() {
    let environment = environment();
    environment.write("repo/dfr.toml", "crash_limit = 1\nprobe_s = 1\n");
    let keep = reply("better", &[("mode = ok", "mode = forges-later"), BETTER]);
    let crash = reply("crash", &[("mode = forges-later", "mode = crash")]);
    let script = environment.script(&[keep, crash]);
    let mut session = environment.daemon(&["--tag", "t", "--containment", "full"]);
    session.arg("--task").arg(environment.path("task.toml"));
    session.args(["--proposer", &script, "--max-experiments", "6"]);
    let mut daemon = environment.start(&mut session);
    daemon.wait_for_log("cheats");
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    daemon.wait().code(0).says(&["even the incumbent fails", "dfr-daemon rollback"]);
    assert_eq!(environment.verdicts()[..2], ["keep", "keep"]);
    let prompt = environment.run(&mut environment.daemon(&["prompt", "--tag", "t"]));
    for told in [prompt.code(0).out.clone(), environment.read("repo/state/t/STATE.md")] {
        assert!(!told.contains("secret-of-a-record"), "{told}");
        assert!(told.contains("tampered: it printed a score"), "{told}");
    }
}

/// It knows by its seed that it is measured again, and goes on learning while it predicts.
#[test]
fn what_a_candidate_wrote_has_no_more_time_when_it_is_measured_again() {
    let environment = environment();
    let keep = reply("better", &[("mode = ok", "mode = learns-later"), BETTER]);
    run(&environment, "full", &[keep]).code(0);
    assert_eq!(environment.verdicts(), ["keep", "keep"]);
    let certify = ["certify", "--tag", "t", "--runs", "2"];
    environment.run(&mut environment.daemon(&certify)).code(0);
    let rows = environment.rows();
    let again = rows.iter().rposition(|row| row[5].starts_with("the champion again")).unwrap();
    let shown = environment.show(u32::try_from(again).unwrap());
    assert!(shown.contains("prediction took longer than 8."), "{shown}");
}

/// It may fail there, or say there what it must not: people are told, and no log ends with its words.
#[test]
fn a_keep_that_does_not_stand_on_the_holdout_is_told_of() {
    for (mode, said) in [
        ("learns-on-the-holdout", "prediction took longer than 8."),
        ("dodges-the-holdout", "prediction exit code 1: Traceback"),
        ("forges-on-the-holdout", "tampered: it printed a score: sn34_score: 0.999999"),
    ] {
        let environment = environment();
        let candidate = reply("better", &[("mode = ok", &format!("mode = {mode}")), BETTER]);
        run(&environment, "full", &[candidate]).code(0).says(&["does not stand on the holdout"]);
        assert_eq!(environment.verdicts(), ["keep", "keep"]);
        let status = environment.status();
        assert!(status.contains("experiment 1 does not stand on the holdout: "), "{status}");
        let holdout = environment.read("repo/state/t/holdout.tsv");
        assert!(holdout.lines().nth(2).unwrap().contains(said), "{holdout}");
        let log = environment.read("repo/state/t/exp/1/run.log");
        assert!(!log.contains("0.999999") && log.contains("sn34_score:"), "{log}");
        for told in ["repo/state/t/STATE.md", "repo/state/t/results.tsv"] {
            assert!(!environment.read(told).contains("holdout"), "{told}");
        }
    }
}

/// A human who is in a hurry need not wait for it, and it is not forgotten.
#[test]
fn a_keep_that_a_stop_left_unmeasured_is_measured_by_the_next_life() {
    let environment = environment();
    let slow = reply("better", &[("mode = ok", "mode = slow-on-the-holdout"), BETTER]);
    let script = environment.script(&[slow]);
    let mut session = environment.daemon(&["--tag", "t", "--containment", "full"]);
    session.arg("--task").arg(environment.path("task.toml"));
    session.args(["--proposer", &script, "--max-experiments", "2"]);
    let mut daemon = environment.start(&mut session);
    daemon.wait_for_log("predicting the holdout part");
    // That of the baseline came first.
    daemon.wait_for("a keep", || environment.peek("repo/state/t/results.tsv").lines().count() == 3);
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    daemon.wait().code(0);
    assert_eq!(environment.verdicts(), ["keep", "keep"]);
    assert_eq!(environment.read("repo/state/t/holdout.tsv").lines().count(), 2);
    let on = ["--tag", "t", "--resume", "--proposer", &script, "--max-experiments", "2"];
    environment.run(&mut environment.daemon(&on)).code(0).says(&["predicting the holdout part"]);
    let holdout = environment.read("repo/state/t/holdout.tsv");
    assert_eq!(holdout.lines().count(), 3, "{holdout}");
    assert_eq!(environment.verdicts(), ["keep", "keep"]);
}

#[test]
fn a_task_whose_runs_may_read_what_is_private_is_refused() {
    let environment = environment();
    for (open, private) in [
        ("{repository}", "repo/state lies in it"),
        ("{repository}/state", "repo/state lies in it"),
        ("{weights}/..", "/vault/validation.labels.u8 lies in it"),
        ("{run}/../..", "it lies in "),
        ("{repository}/.git/config", "repo/.git"),
        ("{pack}/validation/data", "/validation"),
    ] {
        let (own, more) = ("readable = [", format!("readable = [{open:?}, "));
        environment.edit("task.toml", (own, &more));
        let ended = run(&environment, "full", &[reply("better", &[BETTER])]);
        ended.code(3).says(&["runs may read ", private, "name what they need more narrowly"]);
        environment.edit("task.toml", (&more, own));
    }
}

#[test]
fn a_prediction_that_writes_more_than_predictions_is_a_crash() {
    let environment = environment();
    let large = reply("large", &[("mode = ok", "mode = large-predictions"), BETTER]);
    run(&environment, "full", &[large]).code(0);
    assert_eq!(environment.verdicts(), ["keep", "crash"]);
    let shown = environment.show(1);
    assert!(shown.contains("a file grew too large"), "{shown}");
}

/// The incumbent needs as long as the candidate that looked tampered: late for the rule, and not yet
/// for the deadline.
#[test]
fn a_machine_that_has_become_slower_is_waited_for() {
    let environment = environment();
    environment.edit("task.toml", ("train_s = 30", "train_s = 8"));
    environment.write("repo/dfr.toml", "crash_limit = 1\nprobe_s = 1\n");
    let slow = environment.path("slow");
    let of_the_machine = format!("[environment]\nFAKE_SLOW = {slow:?}\n[commands]");
    environment.edit("task.toml", ("[commands]", &of_the_machine));
    environment.edit("task.toml", ("readable = [", &format!("readable = [{slow:?}, ")));
    environment.write("slow", "0");
    let script = environment.script(&[reply("equal", &[EQUAL]), reply("better", &[BETTER])]);
    let session = |more: &[&str]| {
        let mut session = environment.daemon(&["--tag", "t", "--containment", "full"]);
        session.arg("--task").arg(environment.path("task.toml"));
        session.args(["--proposer", &script]).args(more);
        session
    };
    environment.run(&mut session(&["--max-experiments", "1"])).code(0);
    environment.write("slow", "14000");
    let mut daemon = environment.start(&mut session(&["--resume", "--max-experiments", "5"]));
    daemon.wait_for_log("paused: even the incumbent fails");
    environment.write("slow", "0");
    daemon.wait().code(0);
    assert_eq!(environment.verdicts(), ["keep", "discard", "crash", "discard", "keep"]);
    let shown = environment.show(2);
    assert!(shown.contains("the machine has become slower: its training took "), "{shown}");
}

#[test]
fn more_time_than_the_baseline_took_is_refused_in_the_rules_own_words() {
    let environment = environment();
    environment.edit("task.toml", ("train_s = 30", "train_s = 12"));
    // Late for the rule, and not yet for the deadline.
    let slow = reply("slow", &[(EQUAL.0, "ms = 20000"), BETTER]);
    let hangs = reply("hangs", &[("mode = ok", "mode = hang-predict"), BETTER]);
    run(&environment, "full", &[slow, hangs]).code(0);
    assert_eq!(environment.verdicts(), ["keep", "discard", "crash"]);
    let (slow, hangs) = (environment.show(1), environment.show(2));
    assert!(slow.contains("tampered: its training took "), "{slow}");
    assert!(hangs.contains("prediction took longer than "), "{hangs}");
}

#[test]
fn a_first_step_that_takes_long_is_refused_as_often_as_it_is_repaired() {
    let environment = environment();
    let learns = reply("learns", &[("smoke = ok", "smoke = slow"), BETTER]);
    let script = environment.script(&[learns.clone(), learns.clone(), learns]);
    let mut session = environment.daemon(&["--tag", "t", "--containment", "full"]);
    session.arg("--task").arg(environment.path("task.toml"));
    session.args(["--proposer", &script, "--max-experiments", "2"]);
    environment.run(&mut session).code(0);
    assert_eq!(environment.verdicts(), ["keep", "crash"]);
    let shown = environment.show(1);
    assert!(shown.contains("the first step took longer than "), "{shown}");
}

#[test]
fn that_the_device_failed_is_not_believed_of_a_candidate_alone() {
    let environment = environment();
    let fault = reply("faulty", &[("mode = ok", "mode = device-fault"), BETTER]);
    run(&environment, "full", &[fault]).code(0);
    assert_eq!(environment.verdicts(), ["keep", "crash"]);
    let shown = environment.show(1);
    assert!(shown.contains("training exit code 7") && !shown.contains("interrupted"), "{shown}");
    assert!(!shown.contains("the device failed"), "{shown}");
}

#[test]
fn rows_without_a_sandbox_say_so() {
    let environment = environment();
    environment
        .run(&mut environment.session(&["--max-experiments", "1"]))
        .code(0)
        .says(&["UNSEALED"]);
    let table = environment.read("repo/state/t/results.tsv");
    assert!(table.lines().nth(1).unwrap().contains("\t[unsealed] baseline"), "{table}");
    assert_eq!(meta(&environment, 0)["sealed"], Value::Null);
}

/// A kernel without Landlock, where namespaces are refused as well.
fn nothing_seals(command: &mut Command) {
    use nix::libc::{EPERM, SYS_landlock_create_ruleset, SYS_unshare};
    let refused = BTreeMap::from([(SYS_landlock_create_ruleset, vec![]), (SYS_unshare, vec![])]);
    let refuse = SeccompAction::Errno(EPERM.cast_unsigned());
    let arch = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(refused, SeccompAction::Allow, refuse, arch).unwrap();
    let filter: BpfProgram = filter.try_into().unwrap();
    let apply = move || {
        nix::sys::prctl::set_no_new_privs()?;
        apply_filter(&filter).map_err(std::io::Error::other)
    };
    // SAFETY: both are calls of the kernel; the filter was compiled before.
    unsafe { command.pre_exec(apply) };
}

#[test]
fn where_nothing_seals_a_session_begins_only_if_it_is_told_to() {
    let environment = environment();
    let mut session = environment.daemon(&["--tag", "t", "--proposer", "playbook"]);
    session.arg("--task").arg(environment.path("task.toml"));
    nothing_seals(&mut session);
    let ended = environment.run(&mut session);
    ended.code(3).says(&["candidates cannot be kept from what they are scored on", "--unsealed"]);
    environment.assert_nothing_created();
    nothing_seals(session.args(["--unsealed", "--max-experiments", "1"]));
    environment.run(&mut session).code(0).says(&["UNSEALED"]);
    let table = environment.read("repo/state/t/results.tsv");
    assert!(table.contains("\t[unsealed] baseline"), "{table}");
}

#[test]
fn a_human_returns_to_an_earlier_keep_and_the_night_goes_on_from_there() {
    let environment = environment();
    let replies = [reply("better", &[BETTER]), reply("equal", &[EQUAL])];
    run(&environment, "full", &replies[..1]).code(0);
    let tip = || environment.git(&["rev-parse", "autoresearch/t"]);
    assert_ne!(tip(), environment.git(&["rev-parse", "main"]));
    let roll = |to: &str| {
        environment.run(&mut environment.daemon(&["rollback", "--tag", "t", "--to", to]))
    };
    roll("7").code(3).says(&["experiment 7 of t was not kept", "kept were: 0, 1"]);
    roll("0").code(0);
    assert_eq!(tip(), environment.git(&["rev-parse", "main"]));
    let script = environment.script(&replies);
    let on = ["--tag", "t", "--resume", "--proposer", &script, "--max-experiments", "3"];
    environment.run(&mut environment.daemon(&on)).code(0);
    let parent = environment.git(&["rev-parse", "refs/dfr/t/exp/2^"]);
    assert_eq!(parent, environment.git(&["rev-parse", "main"]));
}

#[test]
fn a_product_that_is_no_program_is_a_crash() {
    let environment = environment();
    let fake = env!("CARGO_BIN_EXE_fake-trainer");
    let build = format!("build = [{fake:?}, \"build\", \"{{tree}}/lab/recipe.txt\"]");
    let copy = "build = [\"cp\", \"{tree}/lab/recipe.txt\", \"{target}/made\"]\nproduct = \"{target}/made\"";
    environment.edit("task.toml", (&build, copy));
    environment.edit("task.toml", (&format!("train = [{fake:?}"), "train = [\"{program}\""));
    let never = [reply("never tried", &[BETTER])];
    run(&environment, "full", &never).code(3).says(&["the baseline fails", "exit code 127"]);
}

#[test]
fn what_a_candidate_made_and_cannot_be_started_is_a_crash_without_a_product_too() {
    let fake = env!("CARGO_BIN_EXE_fake-trainer");
    for (step, file) in [("smoke", "{target}/made"), ("train", "{tree}/lab/recipe.txt")] {
        let environment = environment();
        let build = format!("build = [{fake:?}, \"build\", \"{{tree}}/lab/recipe.txt\"]");
        let copy = "build = [\"cp\", \"{tree}/lab/recipe.txt\", \"{target}/made\"]";
        environment.edit("task.toml", (&build, copy));
        let (from, to) = (format!("{step} = [{fake:?}"), format!("{step} = [{file:?}"));
        environment.edit("task.toml", (&from, &to));
        let never = [reply("never tried", &[BETTER])];
        let ended = run(&environment, "full", &never);
        ended.code(3).says(&["the baseline fails", "exit code 127"]);
    }
}

/// A sandbox is tried at every start, with a file that it must not show.
#[test]
fn a_full_disk_of_temporary_files_is_no_machine_without_sandboxes() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: a small disk cannot be mounted");
        return;
    }
    let environment = TestEnvironment::new();
    run(&environment, "full", &[reply("equal", &[EQUAL])]).code(0);
    let task = environment.path("task.toml");
    for (most, disk) in [("3", "size=64k"), ("4", "size=64k,nr_inodes=2")] {
        let full = format!(
            "mount -t tmpfs -o {disk} none $TMPDIR && ! head -c 1M /dev/zero >$TMPDIR/full && exec \"$@\""
        );
        let mut session = environment.hermetic("unshare");
        session.args(["--mount", "sh", "-c", &full, "sh", env!("CARGO_BIN_EXE_dfr-daemon")]);
        session.args(["--tag", "t", "--resume", "--proposer", "playbook"]).arg("--task").arg(&task);
        environment.run(session.args(["--max-experiments", most])).code(0);
    }
    assert_eq!(environment.rows().len(), 4);
}

/// Builds by copying the stand-in, beside which it writes so many MiB as the recipe's `fill` says.
const FILLS: &str = r#"build = ["sh", "-c", "cp FAKE {target}/made && head -c $(sed -n 's/^fill = //p' {tree}/lab/recipe.txt)M /dev/zero >{target}/junk && ! grep -q 'build = broken' {tree}/lab/recipe.txt"]
product = "{target}/made""#;

#[test]
fn a_build_that_fills_the_disk_is_its_own_fault_and_stands_in_nobodys_way() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: a small disk cannot be mounted");
        return;
    }
    let fake = env!("CARGO_BIN_EXE_fake-trainer");
    let environment = environment();
    let build = format!("build = [{fake:?}, \"build\", \"{{tree}}/lab/recipe.txt\"]");
    environment.edit("task.toml", (&build, &FILLS.replace("FAKE", fake)));
    environment.edit("task.toml", (&format!("train = [{fake:?}"), "train = [\"{program}\""));
    environment.edit("repo/lab/recipe.txt", (EQUAL.0, "extra = 1\nfill = 1"));
    environment.commit_all("fills");
    environment.write("repo/dfr.toml", "floor_mib = 60\n");
    let fills = |mib: &str| ("extra = 1\nfill = 1", format!("extra = 1\nfill = {mib}"));
    let (all, most) = (fills("400"), fills("150"));
    let script = environment.script(&[
        reply("takes all of the disk", &[(all.0, &all.1)]),
        // Instead of it, after it was told; too little is left for the next one to start.
        reply("takes most of it and fails", &[(most.0, &most.1), ("build = ok", "build = broken")]),
        reply("takes most of the disk", &[(most.0, &most.1), BETTER]),
        reply("takes little", &[(&most.1, "extra = 1\nfill = 2")]),
    ]);
    let disk = environment.path("cache/build");
    std::fs::create_dir_all(&disk).unwrap();
    let mount = "mount -t tmpfs -o size=200m none \"$0\" && exec \"$@\"";
    let mut session = environment.hermetic("unshare");
    session.args(["--mount", "sh", "-c", mount]).arg(disk).arg(env!("CARGO_BIN_EXE_dfr-daemon"));
    session.args(["--tag", "t", "--containment", "full", "--task"]);
    session.arg(environment.path("task.toml")).args(["--proposer", &script]);
    environment.run(session.args(["--max-experiments", "3"])).code(0);
    assert_eq!(environment.verdicts(), ["keep", "keep", "discard"]);
    let shown = environment.show(1);
    assert!(shown.contains("build: crashed: too much was written"), "{shown}");
    assert!(shown.contains("build: exit code 1"), "{shown}");
    assert!(!shown.contains("waited") && !shown.contains("cut short"), "{shown}");
}

/// Small disks, at `$0`.
const IN_MEMORY: &str = "mount -t tmpfs -o size=200m none \"$0\"";
/// One that gives back the space of what was removed a while later.
const BTRFS: &str = "truncate -s 300M \"$0.disk\" && mkfs.btrfs --mixed \"$0.disk\" >\"$0.made\" && \
                     mount -o loop \"$0.disk\" \"$0\"";

fn has_btrfs() -> bool {
    let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let made = Command::new("mkfs.btrfs").arg("--version").output();
    known.contains("btrfs") && made.is_ok() && Path::new("/dev/loop-control").exists()
}

/// A sealed session of these replies, with its files on a small disk and something that happens beside
/// it (`$0` is the disk); the verdicts are its output. The disk goes with its namespace. Nothing where
/// such a disk cannot be mounted.
fn on_a_small_disk(disk: &str, replies: &[String], beside: &str) -> Option<Ended> {
    if !nix::unistd::geteuid().is_root() || disk == BTRFS && !has_btrfs() {
        println!("skipped: a small disk cannot be mounted: {disk}");
        return None;
    }
    let environment = environment();
    environment.write("repo/dfr.toml", "floor_mib = 100\nprobe_s = 1\n");
    let (script, most) = (environment.script(replies), (replies.len() + 1).to_string());
    std::fs::create_dir_all(environment.state()).unwrap();
    let within = format!(
        "{disk} || exit 1; ({beside}) & \"$@\"; ended=$?; \
         cut -f 5 \"$0/t/results.tsv\"; exit $ended"
    );
    let mut session = environment.hermetic("unshare");
    session.args(["--mount", "sh", "-c", &within]).arg(environment.state());
    session.arg(env!("CARGO_BIN_EXE_dfr-daemon"));
    session.args(["--tag", "t", "--containment", "full", "--task"]);
    session.arg(environment.path("task.toml")).args(["--proposer", &script]);
    let ended = environment.run(session.args(["--max-experiments", &most]));
    ended.code(0);
    Some(ended)
}

/// What has no name is in no directory that could be measured. Seen in time, it is what the run wrote;
/// otherwise the run goes on as if nothing were, and is never worth another one.
#[test]
fn a_run_that_fills_the_disk_with_a_nameless_file_gains_no_other_try() {
    let replies = [
        reply("stays", &[("mode = ok", "mode = fill-unlinked"), BETTER]),
        reply("gives it back", &[("mode = ok", "mode = fill-unlinked-briefly"), BETTER]),
    ];
    for disk in [IN_MEMORY, BTRFS] {
        let Some(ended) = on_a_small_disk(disk, &replies, ":") else { continue };
        ended.says(&["too much was written"]);
        assert!(!ended.err.contains("cut short") && !ended.err.contains("paused"), "{ended:#?}");
        assert!(ended.out.starts_with("status\nkeep\ncrash\n"), "{ended:#?}");
    }
}

/// It is waited for, and the run is repeated: the idea has nothing to do with it.
#[test]
fn a_disk_that_somebody_else_fills_during_a_run_is_no_fault_of_the_run() {
    let started = dfr_contract::CLOCK_STARTED;
    let theirs = format!(
        "until grep -qs '{started}' \"$0/t/exp/1/run.log\"; do sleep 0.05; done; \
         head -c 160M /dev/zero >\"$0/theirs\"; sleep 2; rm \"$0/theirs\""
    );
    let slow = reply("slow", &[(EQUAL.0, "ms = 2000"), BETTER]);
    let Some(ended) = on_a_small_disk(IN_MEMORY, &[slow], &theirs) else { return };
    ended.says(&["the disk was filled meanwhile", "paused: a disk is full"]);
    assert!(ended.out.ends_with("status\nkeep\nkeep\n"), "{ended:#?}");
}

/// Within what it may write, and past what must be free: what it wrote itself is no full disk.
#[test]
fn a_run_that_fills_the_disk_and_crashes_is_its_own_fault() {
    let fills = reply("fills", &[("mode = ok", "mode = fill-and-crash\nfill_mib = 120")]);
    let Some(ended) = on_a_small_disk(IN_MEMORY, &[fills, reply("better", &[BETTER])], ":") else {
        return;
    };
    ended.says(&["Traceback: shapes"]);
    assert!(ended.out.ends_with("status\nkeep\ncrash\nkeep\n"), "{ended:#?}");
    assert!(!ended.err.contains("cut short") && !ended.err.contains("paused"), "{ended:#?}");
}
