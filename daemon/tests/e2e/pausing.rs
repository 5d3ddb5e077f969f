//! What the loop waits for, and that it goes on afterwards.

use nix::sys::signal::Signal::{SIGINT, SIGTERM};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Executor as _};

use crate::environment::{BETTER, Daemon, EQUAL, TestEnvironment, reply, wait_until};

fn crash(number: usize) -> String {
    let extra = format!("extra = {number}");
    let mode = ("mode = ok", "mode = crash");
    reply(&format!("crash {number}"), &[mode, ("extra = 1 // knob: 1 | 2", &extra)])
}

#[test]
fn a_commit_of_a_human_that_does_not_run_is_theirs_to_mend() {
    let environment = TestEnvironment::new();
    environment.run(&mut environment.session(&["--max-experiments", "1"])).code(0);
    environment.git(&["checkout", "--quiet", "autoresearch/t"]);
    environment.edit("repo/lab/recipe.txt", ("build = ok", "build = broken"));
    environment.commit_all("mine");
    let broken = environment.git(&["rev-parse", "HEAD"]);
    let three = ["--resume", "--max-experiments", "3"];
    let mut daemon = environment.start(&mut environment.session(&three));
    daemon.wait_for_log("paused: the commit on the branch does not run");
    assert_eq!(environment.git(&["rev-parse", "autoresearch/t"]), broken);
    environment.edit("repo/lab/recipe.txt", ("build = broken", "build = ok"));
    environment.edit("repo/lab/recipe.txt", ("quality = 0.600", "quality = 0.650"));
    environment.commit_all("mended");
    daemon.wait().code(0).says(&["goes on after"]);
    assert_eq!(environment.verdicts(), ["keep", "crash", "keep"]);
    let mended = environment.git(&["rev-parse", "HEAD"]);
    assert_eq!(environment.git(&["rev-parse", "autoresearch/t"]), mended);
}

#[test]
fn crashes_in_a_row_measure_the_incumbent_again_before_more_ideas_are_blamed() {
    let environment = TestEnvironment::new();
    environment.write("repo/dfr.toml", "crash_limit = 2\n");
    let last = reply("better", &[BETTER]);
    let script = environment.script(&[crash(2), crash(3), last]);
    let five = ["--proposer", &script, "--max-experiments", "5"];
    environment.run(&mut environment.session(&five)).code(0);
    assert_eq!(environment.verdicts(), ["keep", "crash", "crash", "discard", "keep"]);
    let shown = environment.show(3);
    assert!(shown.contains("the incumbent again") && shown.contains("the ideas' fault"), "{shown}");
}

#[test]
fn a_machine_on_which_even_the_incumbent_crashes_is_waited_for() {
    let environment = TestEnvironment::new();
    environment.write("repo/dfr.toml", "crash_limit = 1\nprobe_s = 1\n");
    // The environment of the test: a file that the trainer needs.
    environment
        .edit("task.toml", ("[commands]", "[environment]\nFAKE_NEEDS = \"NEEDED\"\n[commands]"));
    let needed = environment.path("needed");
    environment.edit("task.toml", ("NEEDED", &needed.to_string_lossy()));
    environment.write("needed", "");
    let hang = reply("hang", &[("mode = ok", "mode = hang")]);
    let script = environment.script(&[crash(2), reply("better", &[BETTER]), hang]);
    let run = ["--proposer", &script, "--max-experiments", "2"];
    environment.run(&mut environment.session(&run)).code(0);
    std::fs::remove_file(&needed).unwrap();
    let on = ["--proposer", &script, "--resume"];
    let mut daemon = environment.start(&mut environment.session(&on));
    daemon.wait_for_log("paused: even the incumbent fails");
    environment.write("needed", "");
    daemon.wait_for_log("hang should help");
    daemon.signal(SIGTERM);
    daemon.wait().code(0);
    let verdicts = environment.verdicts();
    assert_eq!(verdicts[..3], ["keep", "crash", "crash"]);
    // The incumbent again, the first reply again and the incumbent once more, then what is better.
    assert!(verdicts.ends_with(&["discard", "crash", "discard", "keep"].map(str::to_owned)));
}

#[test]
fn a_machine_that_cuts_even_the_incumbent_short_is_waited_for() {
    let environment = TestEnvironment::new();
    environment.write("repo/dfr.toml", "crash_limit = 1\nprobe_s = 1\n");
    // A place for its files that goes away under every run.
    let (fake, bad) = (env!("CARGO_BIN_EXE_fake-trainer"), environment.path("bad"));
    let bad = bad.display();
    let script = format!("test ! -e {bad} || {{ rm -rf $1; exit 1; }}; exec {fake} train $0 $1 $2");
    let train = format!("train = [\"{fake}\", \"train\", ");
    let cut = format!("train = [\"sh\", \"-c\", \"{script}\", ");
    environment.edit("task.toml", (&train, &cut));
    let script = environment.script(&[reply("first", &[EQUAL]), reply("better", &[BETTER])]);
    let run = |most| ["--proposer", &script, "--max-experiments", most];
    environment.run(&mut environment.session(&run("1"))).code(0);
    environment.write("bad", "");
    let on = [&run("3")[..], &["--resume"]].concat();
    let mut daemon = environment.start(&mut environment.session(&on));
    daemon.wait_for_log("paused: even the incumbent fails");
    std::fs::remove_file(environment.path("bad")).unwrap();
    daemon.wait().code(0).says(&["goes on after: even the incumbent fails"]);
    // One idea was given up to it, and no other was asked for.
    assert_eq!(environment.verdicts(), ["keep", "discard", "keep"]);
    assert!(environment.show(1).contains("the machine cut train short 3 times"));
}

#[test]
fn a_program_that_has_gone_is_waited_for() {
    let environment = TestEnvironment::new();
    let fake = environment.path("fake");
    std::fs::copy(env!("CARGO_BIN_EXE_fake-trainer"), &fake).unwrap();
    environment.edit("task.toml", (env!("CARGO_BIN_EXE_fake-trainer"), &fake.to_string_lossy()));
    environment.run(&mut environment.session(&["--max-experiments", "1"])).code(0);
    let away = environment.path("away");
    std::fs::rename(&fake, &away).unwrap();
    let two = ["--resume", "--max-experiments", "2"];
    let mut daemon = environment.start(&mut environment.session(&two));
    daemon.wait_for_log("paused: something outside fails");
    // The sign of life is written beside the wait, not before it.
    daemon.wait_for("status to say so", || {
        let status = environment.run(&mut environment.daemon(&["status", "--tag", "t"]));
        status.out.contains("paused, something outside fails")
    });
    std::fs::rename(&away, &fake).unwrap();
    daemon.wait().code(0).says(&["goes on after"]);
    assert_eq!(environment.rows().len(), 2);
}

#[test]
fn a_spent_budget_pauses_and_a_higher_one_goes_on() {
    let environment = TestEnvironment::new();
    let mut daemon = environment.start(&mut environment.session(&["--max-gpu-hours", "0.0000001"]));
    daemon.wait_for_log("paused: a budget is spent");
    daemon.signal(SIGINT);
    daemon.wait().code(0).says(&["--max-gpu-hours"]);
    assert_eq!(environment.rows().len(), 0, "its first step was all there was");
    let status = environment.status();
    assert!(status.contains("(a budget is spent)"), "{status}");
    let more = ["--resume", "--max-gpu-hours", "1", "--max-experiments", "2"];
    environment.run(&mut environment.session(&more)).code(0);
    assert_eq!(environment.rows().len(), 2);
}

/// Somebody else's transaction on the ledger, until it is let go of.
fn hold(environment: &TestEnvironment) -> std::sync::mpsc::Sender<()> {
    let options = SqliteConnectOptions::new().filename(environment.path("repo/state/dfr.db"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (let_go, held) = std::sync::mpsc::channel();
    let (taken, is_taken) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        runtime.block_on(async {
            let mut other = SqliteConnection::connect_with(&options).await.unwrap();
            other.execute("pragma busy_timeout = 60000").await.unwrap();
            other.execute("begin immediate").await.unwrap();
            taken.send(()).unwrap();
            let _ = held.recv();
            other.execute("rollback").await.unwrap();
        });
    });
    is_taken.recv().unwrap();
    let_go
}

/// A session of one row whose training waits for the file `go`.
fn waiting_for_go(environment: &TestEnvironment) -> Daemon<'_> {
    let go = environment.path("go");
    let waits = format!("[environment]\nFAKE_WAITS = {go:?}\n[score]");
    environment.edit("task.toml", ("[score]", &waits));
    let mut daemon = environment.start(&mut environment.session(&["--max-experiments", "1"]));
    daemon.wait_for_training(0);
    daemon
}

#[test]
fn one_stop_ends_the_wait_for_a_locked_ledger() {
    let environment = TestEnvironment::new();
    let mut daemon = waiting_for_go(&environment);
    let held = hold(&environment);
    environment.write("go", "");
    daemon.wait_for_log("paused: something outside fails");
    daemon.signal(SIGINT);
    daemon.wait().code(0).says(&["left as it is"]);
    drop(held);
    let on = ["--resume", "--max-experiments", "1"];
    environment.run(&mut environment.session(&on)).code(0).says(&["had ended already"]);
    assert_eq!(environment.verdicts(), ["keep"]);
}

#[test]
fn a_ledger_that_is_damaged_meanwhile_ends_the_daemon_and_is_restored_by_the_next() {
    let environment = TestEnvironment::new();
    let mut daemon = waiting_for_go(&environment);
    // In place: what is mapped stays mapped.
    let damage = || {
        for name in ["dfr.db", "dfr.db-wal", "dfr.db-shm"] {
            let path = environment.path("repo/state").join(name);
            let Ok(file) = std::fs::OpenOptions::new().write(true).open(path) else { continue };
            let bytes = usize::try_from(file.metadata().unwrap().len()).unwrap();
            std::os::unix::fs::FileExt::write_all_at(&file, &vec![0xa5; bytes], 0).unwrap();
        }
    };
    damage();
    environment.write("go", "");
    // Again and again: a sign of life that is just written may hide it from what is read.
    wait_until("the end", || {
        damage();
        daemon.has_ended()
    });
    daemon.wait().code(4).says(&["dfr.db", "--resume --tag t restores it"]);
    let on = ["--resume", "--max-experiments", "1"];
    environment.run(&mut environment.session(&on)).code(0);
    assert_eq!(environment.verdicts(), ["keep"]);
}

/// A session that is disturbed while its second row trains until its deadline: it says this, and
/// goes on to the third.
#[track_caller]
fn goes_on_after(disturb: impl FnOnce(&TestEnvironment), says: &str) -> TestEnvironment {
    let environment = TestEnvironment::new();
    let hang = reply("hang", &[("mode = ok", "mode = hang")]);
    let script = environment.script(&[hang, reply("better", &[BETTER])]);
    let three = ["--proposer", &script, "--budget-s", "1", "--max-experiments", "3"];
    let mut daemon = environment.start(&mut environment.session(&three));
    daemon.wait_for_training(1);
    disturb(&environment);
    daemon.wait().code(0).says(&[says]);
    assert_eq!(environment.verdicts(), ["keep", "crash", "keep"]);
    environment
}

#[test]
fn a_cache_that_is_cleared_is_built_again() {
    let clear = |environment: &TestEnvironment| {
        std::fs::remove_dir_all(environment.path("cache/build")).unwrap();
    };
    goes_on_after(clear, "made again");
}

#[test]
fn a_branch_that_holds_nothing_is_made_again() {
    let spoil = |environment: &TestEnvironment| {
        environment.write("repo/.git/refs/heads/autoresearch/t", "garbage\n");
    };
    let environment = goes_on_after(spoil, "held nothing");
    assert!(
        environment.git(&["rev-parse", "autoresearch/t"]).starts_with(&environment.rows()[2][0])
    );
}
