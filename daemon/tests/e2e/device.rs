//! A GPU that is in use, sick or gone: nothing is started and nobody is asked until it is well.

use std::process::Command;

use crate::driver::{Driver, IDLE, LOST};
use crate::environment::{BETTER, Daemon, TestEnvironment, reply};
use crate::openai::{Answer, Server};

const FAKE: &str = env!("CARGO_BIN_EXE_fake-trainer");
/// Memory that was not in use before, by nobody who can be seen.
const HELD: &str = "gpu GPU-aa 0 0 80000 5500 0 0\n";

/// A machine with one GPU, a task with a canary, and a loop that looks again soon.
fn machine() -> (TestEnvironment, Driver) {
    let environment = TestEnvironment::new();
    environment.write("repo/dfr.toml", "probe_s = 1\n");
    let canary =
        format!("canary = [\"{FAKE}\", \"canary\", \"{{tree}}/lab/recipe.txt\"]\n[sandbox]");
    environment.edit("task.toml", ("[sandbox]", &canary));
    (environment, Driver::new(IDLE))
}

/// Gives the task's programs a variable that names a file of the test.
fn name(environment: &TestEnvironment, variable: &str, file: &str) {
    let file = environment.path(file);
    let named = format!("[environment]\n{variable} = \"{}\"\n[commands]", file.display());
    environment.edit("task.toml", ("[commands]", &named));
}

fn session(environment: &TestEnvironment, driver: &Driver, arguments: &[&str]) -> Command {
    let mut session = environment.session(arguments);
    session.env("DFR_NVML", driver.library());
    session
}

/// Two rows by a model, of which the first is there.
fn asking(environment: &TestEnvironment, driver: &Driver, server: &Server) -> Command {
    let one = ["--max-experiments", "1"];
    environment.run(&mut session(environment, driver, &one)).code(0);
    let two = ["--proposer", "llm", "--model", "m", "--resume", "--max-experiments", "2"];
    let mut session = session(environment, driver, &two);
    session.env("OPENAI_API_KEY", "sk-1").env("OPENAI_BASE_URL", server.base_url());
    session
}

#[track_caller]
fn waits(daemon: &mut Daemon<'_>, why: &str) {
    daemon.wait_for_log("paused: GPU_DOWN");
    daemon.wait_for_status("paused, GPU_DOWN");
    daemon.wait_for_status(why);
}

#[test]
fn while_somebody_else_computes_nothing_is_started_and_nobody_is_asked() {
    let (environment, driver) = machine();
    let server = Server::start([Answer::text(reply("better", &[BETTER]))]);
    let mut session = asking(&environment, &driver, &server);
    driver.now(&format!("{IDLE}compute 0 {} 400\n", std::process::id()));
    let mut daemon = environment.start(&mut session);
    waits(&mut daemon, &format!("in use by process {}", std::process::id()));
    // It looks again, and still does nothing.
    let looks = driver.calls("nvmlShutdown");
    daemon.wait_for("another look", || driver.calls("nvmlShutdown") > looks + 1);
    assert_eq!((server.asked(), environment.trainers().len()), (0, 0));
    assert!(!environment.path("repo/state/t/canary.log").exists(), "it is no fault of the GPU");
    driver.now(IDLE);
    daemon.wait().code(0).says(&["goes on after: GPU_DOWN"]);
    assert_eq!(environment.verdicts(), ["keep", "keep"]);
    server.finish();
}

#[test]
fn memory_that_does_not_come_back_is_waited_for() {
    let (environment, driver) = machine();
    let server = Server::start([Answer::text(reply("better", &[BETTER])).held()]);
    let mut daemon = environment.start(&mut asking(&environment, &driver, &server));
    daemon.wait_for("a question", || server.asked() == 1);
    driver.now(HELD);
    server.release();
    waits(&mut daemon, "5500 MiB in use instead of 500 MiB");
    assert_eq!(environment.trainers().len(), 0);
    driver.now(IDLE);
    daemon.wait().code(0).says(&["goes on after: GPU_DOWN"]);
    assert_eq!(environment.verdicts(), ["keep", "keep"]);
    server.finish();
}

#[test]
fn a_run_that_met_a_fault_is_repeated_after_a_canary() {
    let (environment, driver) = machine();
    name(&environment, "FAKE_FAULT", "fault");
    environment.write("fault", "once");
    let ended = environment.run(&mut session(&environment, &driver, &["--max-experiments", "1"]));
    ended.code(0).says(&["cut short by the machine", "computed a wrong answer", "canary lives"]);
    assert!(!ended.err.contains("paused"), "{}", ended.err);
    assert_eq!(environment.verdicts(), ["keep"]);
    assert!(environment.show(0).contains("canary was on the device for"), "it is in the GPU-hours");
}

#[test]
fn a_driver_that_fails_for_a_moment_costs_no_training() {
    let (environment, driver) = machine();
    environment.write("repo/dfr.toml", "look_s = 2\n");
    name(&environment, "FAKE_WAITS", "go");
    let one = ["--max-experiments", "1"];
    let mut daemon = environment.start(&mut session(&environment, &driver, &one));
    daemon.wait_for_training(0);
    // `NVML_ERROR_UNKNOWN` when its memory is asked for.
    driver.now("gpu GPU-aa 0 999 80000 500 0 0\n");
    environment.write("go", "");
    daemon.wait_for_log("the driver fails; it is asked again");
    driver.now(IDLE);
    let ended = daemon.wait();
    ended.code(0);
    assert!(!ended.err.contains("cut short"), "{}", ended.err);
    assert_eq!(environment.verdicts(), ["keep"]);
}

#[test]
fn an_idea_on_which_the_gpu_always_fails_is_given_up_and_not_judged() {
    let (environment, driver) = machine();
    let fault = reply("faulty", &[("mode = ok", "mode = device-fault"), BETTER]);
    let script = environment.script(&[fault, reply("better", &[BETTER])]);
    let two = ["--proposer", &script, "--max-experiments", "2"];
    let ended = environment.run(&mut session(&environment, &driver, &two));
    ended.code(0).says(&["paused: GPU_DOWN", "goes on after: GPU_DOWN"]);
    assert_eq!(environment.verdicts(), ["keep", "keep"]);
    assert_eq!(environment.rows()[1][5], "better");
    // The canary's build is in the slot: an idea that is begun again is built again.
    assert_eq!(ended.err.matches("experiment{n=1 tag=t}: building").count(), 3);
    assert!(environment.show(1).contains("abandoned: the machine cut train short 3 times"));
    // What is let in is the session's base, not the idea that the GPU failed on.
    assert!(environment.read("repo/state/t/canary.log").contains("quality 0.6"));
}

#[test]
fn a_fault_in_the_first_step_is_no_mistake_of_the_idea() {
    let (environment, driver) = machine();
    let fault = reply("faulty", &[("smoke = ok", "smoke = device-fault")]);
    // Were it told to mend it, it would do so with the second reply.
    let script = environment.script(&[fault, reply("better", &[BETTER])]);
    let two = ["--proposer", &script, "--max-experiments", "2"];
    let ended = environment.run(&mut session(&environment, &driver, &two));
    ended.code(0).says(&["first step was cut short", "paused: GPU_DOWN"]);
    assert_eq!(environment.verdicts(), ["keep", "keep"]);
    assert!(environment.show(1).contains("abandoned: the machine cut build short 3 times"));
}

#[test]
fn a_gpu_that_fails_its_canary_is_down_until_it_passes_one() {
    let (environment, driver) = machine();
    name(&environment, "FAKE_FAULT", "fault");
    environment.write("fault", "always");
    let one = ["--max-experiments", "1"];
    let mut daemon = environment.start(&mut session(&environment, &driver, &one));
    waits(&mut daemon, "the canary computed a wrong answer");
    assert_eq!(environment.verdicts(), [""; 0]);
    std::fs::remove_file(environment.path("fault")).unwrap();
    daemon.wait().code(0).says(&["the canary lives", "goes on after: GPU_DOWN"]);
    assert_eq!(environment.verdicts(), ["keep"]);
}

#[test]
fn a_canary_that_does_not_build_on_what_is_left_is_built_from_nothing() {
    let (environment, driver) = machine();
    environment.build_incrementally();
    name(&environment, "FAKE_FAULT", "fault");
    environment.edit("task.toml", ("FAKE_FAULT", "FAKE_WAITS = \"GO\"\nFAKE_FAULT"));
    environment.edit("task.toml", ("GO", &environment.path("go").to_string_lossy()));
    environment.write("fault", "once");
    let one = ["--max-experiments", "1"];
    let mut daemon = environment.start(&mut session(&environment, &driver, &one));
    daemon.wait_for_training(0);
    environment.damage("target");
    environment.write("go", "");
    let ended = daemon.wait();
    ended.code(0).says(&["built once more, from nothing", "canary lives"]);
    assert!(!ended.err.contains("paused"), "{}", ended.err);
}

#[test]
fn a_gpu_in_doubt_is_in_doubt_after_a_restart() {
    let (environment, driver) = machine();
    environment.write("repo/dfr.toml", "probe_s = 60\n");
    name(&environment, "FAKE_FAULT", "fault");
    environment.write("fault", "always");
    let one = ["--max-experiments", "1"];
    let mut daemon = environment.start(&mut session(&environment, &driver, &one));
    waits(&mut daemon, "the canary computed a wrong answer");
    drop(daemon);
    std::fs::remove_file(environment.path("fault")).unwrap();
    let on = ["--resume", "--max-experiments", "1"];
    let ended = environment.run(&mut session(&environment, &driver, &on));
    ended.code(0).says(&["in doubt since an earlier life", "the canary lives"]);
    let canary = ended.err.find("the canary lives");
    assert!(canary < ended.err.find("training for"), "{}", ended.err);
    // A run that ended by itself has put it right.
    let on = ["--resume", "--max-experiments", "2"];
    let ended = environment.run(&mut session(&environment, &driver, &on));
    assert!(!ended.code(0).err.contains("canary"), "{}", ended.err);
}

#[test]
fn memory_that_was_not_in_use_before_a_restart_is_waited_for_after_it() {
    let (environment, driver) = machine();
    let one = ["--max-experiments", "1"];
    environment.run(&mut session(&environment, &driver, &one)).code(0);
    driver.now("gpu GPU-aa 0 0 80000 19500 0 0\n");
    let two = ["--resume", "--max-experiments", "2"];
    let mut daemon = environment.start(&mut session(&environment, &driver, &two));
    waits(&mut daemon, "19500 MiB in use instead of 500 MiB");
    driver.now(IDLE);
    daemon.wait().code(0).says(&["goes on after: GPU_DOWN"]);
    // Another machine's GPU has a floor of its own.
    driver.now("gpu GPU-bb 0 0 80000 900 0 0\n");
    let three = ["--resume", "--max-experiments", "3"];
    environment.run(&mut session(&environment, &driver, &three)).code(0);
}

#[test]
fn while_the_gpu_is_lost_nobody_is_asked() {
    let (environment, driver) = machine();
    let server = Server::start([Answer::text(reply("better", &[BETTER]))]);
    let mut session = asking(&environment, &driver, &server);
    driver.now(LOST);
    let mut daemon = environment.start(&mut session);
    waits(&mut daemon, "GPU 0 is lost");
    assert_eq!(server.asked(), 0);
    driver.now(IDLE);
    daemon.wait().code(0).says(&["goes on after: GPU_DOWN"]);
    assert_eq!(environment.verdicts(), ["keep", "keep"]);
    server.finish();
}

#[test]
fn a_run_during_which_the_gpu_was_lost_is_repeated_when_it_is_back() {
    let (environment, driver) = machine();
    name(&environment, "FAKE_WAITS", "go");
    let one = ["--max-experiments", "1"];
    let mut daemon = environment.start(&mut session(&environment, &driver, &one));
    daemon.wait_for_training(0);
    driver.now(LOST);
    environment.write("go", "");
    waits(&mut daemon, "GPU 0 is lost");
    assert_eq!(environment.verdicts(), [""; 0]);
    driver.now(IDLE);
    daemon.wait().code(0).says(&["cut short by the machine", "goes on after: GPU_DOWN"]);
    assert_eq!(environment.verdicts(), ["keep"]);
}

#[test]
fn a_session_that_began_with_a_gpu_does_not_go_on_without() {
    let (environment, driver) = machine();
    let one = ["--max-experiments", "1"];
    environment.run(&mut session(&environment, &driver, &one)).code(0);
    let library = environment.path("libnvidia-ml.so");
    let mut without = environment.session(&["--resume", "--max-experiments", "2"]);
    let mut daemon = environment.start(without.env("DFR_NVML", &library));
    waits(&mut daemon, "no NVIDIA driver answers");
    assert_eq!(environment.trainers().len(), 0);
    assert_eq!(environment.verdicts(), ["keep"]);
    // A driver may be loaded after the daemon has started.
    std::os::unix::fs::symlink(driver.library(), library).unwrap();
    daemon.wait().code(0).says(&["goes on after: GPU_DOWN"]);
    assert_eq!(environment.verdicts().len(), 2);
}
