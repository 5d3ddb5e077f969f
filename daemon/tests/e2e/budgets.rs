//! What a session may spend: a spent budget pauses, is passed by one call at most, and can be raised.

use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal::{self, SIGINT};
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Executor as _};

use crate::environment::{BETTER, EQUAL, TestEnvironment, reply};
use crate::openai::{Answer, COMPLETION_TOKENS, PROMPT_TOKENS, Server};

const LLM: [&str; 4] = ["--proposer", "llm", "--model", "m"];
/// A thousand dollars for a million tokens: 1.234 for an answer.
const PRICES: &str = "\
[prices.m]
prompt_usd_per_mtok = 1000
completion_usd_per_mtok = 1000
";

fn asking(environment: &TestEnvironment, server: &Server, arguments: &[&str]) -> Command {
    let mut session = environment.session(&[&LLM[..], arguments].concat());
    session.env("OPENAI_API_KEY", "sk-1").env("OPENAI_BASE_URL", server.base_url());
    session
}

/// A session with this cap pauses and says so; gives how many calls it made.
#[track_caller]
fn pauses(environment: &TestEnvironment, session: &mut Command, flag: &str) {
    let mut daemon = environment.start(session);
    daemon.wait_for_log("paused: a budget is spent");
    daemon.wait_for_status("paused, a budget is spent");
    daemon.wait_for_status(flag);
    daemon.signal(SIGINT);
    daemon.wait().code(0).says(&[flag]);
}

/// Calls of a model are made while the cap is not reached, and not one more.
#[track_caller]
fn of_calls(flag: &str, caps: [&str; 3]) {
    let environment = TestEnvironment::new();
    environment.write("repo/dfr.toml", PRICES);
    let nonsense = || Answer::text("Nice weather.");
    let better = || Answer::text(reply("better", &[BETTER]));
    let equal = Answer::text(reply("equal", &[EQUAL]));
    let server = Server::start([nonsense(), better(), equal]);
    // The trial at the start counts, and an answer costs more than is left: not even a repair turn
    // follows.
    pauses(&environment, &mut asking(&environment, &server, &[flag, caps[0]]), flag);
    assert_eq!((server.asked(), environment.rows().len()), (1, 1));
    // What was paid stays paid. The next answer ends in a row, and the row in a pause.
    let more = ["--resume", flag, caps[1]];
    pauses(&environment, &mut asking(&environment, &server, &more), flag);
    assert_eq!((server.asked(), environment.rows().len()), (2, 2));
    let enough = ["--resume", flag, caps[2], "--max-experiments", "3"];
    environment.run(&mut asking(&environment, &server, &enough)).code(0);
    assert_eq!(environment.verdicts(), ["keep", "keep", "discard"]);
    assert_eq!(server.asked(), 3);
    server.finish();
}

#[test]
fn tokens() {
    assert_eq!(PROMPT_TOKENS + COMPLETION_TOKENS, 1234);
    of_calls("--max-tokens", ["1235", "2469", "1000000"]);
}

#[test]
fn dollars() {
    of_calls("--max-usd", ["1.3", "3", "1000"]);
}

/// A question that nobody heard the end of is charged: no life asks it again for nothing. The caps are
/// what the trial at the start leaves little of.
#[track_caller]
fn counts_what_was_asked_when_its_daemon_was_killed(flag: &str, tiny: &str) {
    let environment = TestEnvironment::new();
    environment.write("repo/dfr.toml", PRICES);
    let server = Server::start([Answer::text("never heard").held()]);
    let mut daemon = environment.start(&mut asking(&environment, &server, &[flag, tiny]));
    daemon.wait_for("the question", || server.asked() == 1);
    daemon.signal(Signal::SIGKILL);
    assert_eq!(daemon.wait().status.code(), None);
    for _ in 0..2 {
        let again = ["--resume", flag, tiny];
        pauses(&environment, &mut asking(&environment, &server, &again), flag);
    }
    assert_eq!(server.asked(), 1);
    let lost = |line: &&str| line.contains(r#""entry":"lost""#);
    let journal = environment.read("repo/state/t/journal.jsonl");
    assert_eq!(journal.lines().filter(lost).count(), 1, "{journal}");
    server.finish();
}

#[test]
fn tokens_of_a_question_whose_daemon_is_killed() {
    counts_what_was_asked_when_its_daemon_was_killed("--max-tokens", "1300");
}

#[test]
fn dollars_of_a_question_whose_daemon_is_killed() {
    counts_what_was_asked_when_its_daemon_was_killed("--max-usd", "1.3");
}

#[test]
fn hours_that_pass_while_the_endpoint_is_waited_for() {
    let environment = TestEnvironment::new();
    environment.write("repo/dfr.toml", "endpoint_probe_s = 2\n");
    let server = Server::start((0..1000).map(|_| Answer::error(503, "overloaded")));
    let hours = (5.0 / 3600.0).to_string();
    let mut session = asking(&environment, &server, &["--max-hours", &hours]);
    let mut daemon = environment.start(&mut session);
    daemon.wait_for_log("paused: a budget is spent");
    let asked = server.asked();
    daemon.wait_for_status("paused, a budget is spent");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(server.asked(), asked, "it asked on with a spent budget");
    daemon.signal(SIGINT);
    daemon.wait().code(0).says(&["--max-hours"]);
    server.finish();
}

#[test]
fn hours_end_a_wait_for_the_endpoint_that_would_be_longer() {
    let environment = TestEnvironment::new();
    let (status, body) = (503, String::new());
    let headers = vec![("retry-after", "3600".to_owned())];
    let server = Server::start([Answer::Raw { status, headers, body }]);
    let hours = (5.0 / 3600.0).to_string();
    let mut session = asking(&environment, &server, &["--max-hours", &hours]);
    pauses(&environment, &mut session, "--max-hours");
    server.finish();
}

#[test]
fn a_first_step_is_time_on_the_gpu() {
    let environment = TestEnvironment::new();
    let fake = env!("CARGO_BIN_EXE_fake-trainer");
    let smoke = format!("smoke = [\"{fake}\", \"smoke\", \"{{tree}}/lab/recipe.txt\"]");
    environment.edit("task.toml", (&smoke, "smoke = [\"sleep\", \"2\"]"));
    let hours = (1.5 / 3600.0).to_string();
    pauses(&environment, &mut environment.session(&["--max-gpu-hours", &hours]), "--max-gpu-hours");
    assert_eq!(environment.peek("repo/state/t/exp/0/run.log"), "", "nothing was left to train for");
}

/// Does something with the ledger of a session whose daemon is dead.
fn with_ledger<T>(
    environment: &TestEnvironment,
    work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, sqlx::Error>,
) -> T {
    let options = SqliteConnectOptions::new().filename(environment.path("repo/state/dfr.db"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut ledger = SqliteConnection::connect_with(&options).await.unwrap();
        work(&mut ledger).await.unwrap()
    })
}

/// Numbers of the entries that tell of an earlier life, oldest first.
fn resumed(environment: &TestEnvironment, number: &str) -> Vec<f64> {
    let bodies: Vec<String> = with_ledger(environment, async |ledger| {
        let query = "select body from entry where kind = 'resumed' order by id";
        sqlx::query_scalar(query).fetch_all(ledger).await
    });
    let of = |body: &String| serde_json::from_str::<Value>(body).unwrap()[number].as_f64();
    bodies.iter().map(|body| of(body).unwrap()).collect()
}

/// A library that sets the wall clock of whoever preloads it.
fn wall_clock(environment: &TestEnvironment) -> std::path::PathBuf {
    let library = environment.path("wall_clock.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/wall_clock.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&library);
    assert!(compiler.arg(source).status().unwrap().success());
    library
}

/// The wall clock jumps in the middle of a training whose daemon is killed a moment later.
#[track_caller]
fn counts_what_passed_when_the_wall_clock_jumps(seconds: &str) {
    let environment = TestEnvironment::new();
    let script = environment.script(&[reply("hang", &[("mode = ok", "mode = hang-once")])]);
    let mut session = environment.session(&["--proposer", &script, "--budget-s", "60"]);
    environment.write("jump", "0");
    session.env("LD_PRELOAD", wall_clock(&environment)).env("WALL_CLOCK", environment.path("jump"));
    let mut daemon = environment.start(&mut session);
    daemon.wait_for_training(1);
    let began = Instant::now();
    environment.write("jump", seconds);
    // A sign of life comes every five seconds.
    std::thread::sleep(Duration::from_secs(6));
    daemon.signal(Signal::SIGKILL);
    assert_eq!(daemon.wait().status.code(), None);
    environment.wait_for_no_trainer();
    let most_s = began.elapsed().as_secs_f64() + 1.0;
    let more = ["--proposer", &script, "--resume", "--max-experiments", "2"];
    environment.run(&mut environment.session(&more)).code(0);
    let device_s = resumed(&environment, "device_s")[0];
    assert!(device_s > 0.5 && device_s < most_s, "{device_s} s of at most {most_s} s");
}

#[test]
fn hours_on_the_gpu_when_the_wall_clock_is_set_back() {
    counts_what_passed_when_the_wall_clock_jumps("-3600");
}

#[test]
fn hours_on_the_gpu_when_the_wall_clock_is_set_forward() {
    counts_what_passed_when_the_wall_clock_jumps("3600");
}

#[test]
fn a_life_is_counted_once_when_the_next_one_ends_before_its_first_sign() {
    let environment = TestEnvironment::new();
    environment.run(&mut environment.session(&["--max-experiments", "1"])).code(0);
    let sign = "select lived_s, at_ms from heartbeat";
    let (lived_s, at_ms): (f64, i64) =
        with_ledger(&environment, async |ledger| sqlx::query_as(sign).fetch_one(ledger).await);
    let on = ["--resume", "--max-experiments", "1"];
    environment.run(&mut environment.session(&on)).code(0);
    // What it would have left.
    with_ledger(&environment, async |ledger| {
        let again = sqlx::query("update heartbeat set lived_s = ?, at_ms = ?");
        ledger.execute(again.bind(lived_s).bind(at_ms)).await
    });
    environment.run(&mut environment.session(&on)).code(0);
    assert_eq!(resumed(&environment, "lived_s"), [lived_s, 0.0]);
}

/// The baseline is free; what comes after it costs more than this.
#[track_caller]
fn of_the_machine(flag: &str, tiny: &str) {
    let environment = TestEnvironment::new();
    environment.run(&mut environment.session(&["--max-experiments", "1"])).code(0);
    pauses(&environment, &mut environment.session(&["--resume", flag, tiny]), flag);
    assert_eq!(environment.verdicts(), ["keep"]);
    let enough = ["--resume", flag, "1", "--max-experiments", "2"];
    environment.run(&mut environment.session(&enough)).code(0);
    assert_eq!(environment.rows().len(), 2);
}

#[test]
fn hours_on_the_gpu() {
    of_the_machine("--max-gpu-hours", "0.0000001");
}

#[test]
fn hours() {
    of_the_machine("--max-hours", "0.0000001");
}

#[test]
fn bytes_on_the_disk() {
    of_the_machine("--max-disk-gib", "0.0000001");
}

#[test]
fn a_cap_holds_at_every_start_until_one_says_otherwise() {
    let environment = TestEnvironment::new();
    let flag = "--max-gpu-hours";
    pauses(&environment, &mut environment.session(&[flag, "0.0000001"]), flag);
    pauses(&environment, &mut environment.session(&["--resume"]), flag);
    let tokens = ["--resume", "--max-tokens", "1000000"];
    pauses(&environment, &mut environment.session(&tokens), flag);
    let free = ["--resume", "--no-caps", "--max-experiments", "2"];
    let told = "the session may spend without a cap; it was --max-tokens 1000000 --max-gpu-hours";
    environment.run(&mut environment.session(&free)).code(0).says(&[told]);
    assert_eq!(environment.rows().len(), 2);
    let more = ["--resume", "--max-experiments", "3"];
    environment.run(&mut environment.session(&more)).code(0).says(&["without a cap"]);
}

#[test]
fn a_cap_on_dollars_that_is_kept_needs_its_price() {
    let environment = TestEnvironment::new();
    environment.write("repo/dfr.toml", PRICES);
    let server = Server::start([Answer::text("Nice weather.")]);
    let first = ["--max-usd", "1.2"];
    pauses(&environment, &mut asking(&environment, &server, &first), "--max-usd");
    environment.write("repo/dfr.toml", "");
    let ended = environment.run(&mut asking(&environment, &server, &["--resume"]));
    ended.code(3).says(&["[prices.\"m\"]"]);
    server.finish();
}

#[test]
fn hours_that_a_build_uses_up_leave_none_for_the_training() {
    let environment = TestEnvironment::new();
    let fake = env!("CARGO_BIN_EXE_fake-trainer");
    let (quick, slow) = (format!("build = [\"{fake}\", \"build\""), "build = [\"sleep\", \"3\"");
    environment.edit(
        "task.toml",
        (&format!("{quick}, \"{{tree}}/lab/recipe.txt\"]"), &format!("{slow}]")),
    );
    let hours = (2.0 / 3600.0).to_string();
    pauses(&environment, &mut environment.session(&["--max-hours", &hours]), "--max-hours");
    assert_eq!(environment.peek("repo/state/t/exp/0/run.log"), "");
    let enough = ["--resume", "--max-hours", "1", "--max-experiments", "1"];
    environment.run(&mut environment.session(&enough)).code(0);
    assert_eq!(environment.verdicts(), ["keep"]);
}

/// A session whose first candidate hangs for longer than the cap that follows, and how it ends.
#[track_caller]
fn counts_what_is_cut_short_by(signal: Signal, code: Option<i32>) {
    let environment = TestEnvironment::new();
    let script = environment.script(&[reply("hang", &[("mode = ok", "mode = hang-once")])]);
    let mut session = environment.session(&["--proposer", &script, "--budget-s", "60"]);
    let mut daemon = environment.start(&mut session);
    daemon.wait_for_training(1);
    // A sign of life comes every five seconds.
    std::thread::sleep(Duration::from_secs(6));
    daemon.signal(signal);
    assert_eq!(daemon.wait().status.code(), code);
    environment.wait_for_no_trainer();
    let hours = (4.0 / 3600.0).to_string();
    let more = ["--resume", "--max-gpu-hours", &hours];
    let mut session = environment.session(&more);
    pauses(&environment, &mut session, "--max-gpu-hours");
    assert_eq!(environment.verdicts(), ["keep"]);
}

#[test]
fn what_a_killed_daemon_left_half_written_does_not_fill_the_budget_of_the_disk() {
    let environment = TestEnvironment::new();
    let fill = [("mode = ok", "mode = hang-once"), BETTER];
    let script = environment.script(&[reply("hang", &fill)]);
    let mut session = environment.session(&["--proposer", &script]);
    let mut daemon = environment.start(&mut session);
    daemon.wait_for_training(1);
    daemon.signal(Signal::SIGKILL);
    assert_eq!(daemon.wait().status.code(), None);
    environment.wait_for_no_trainer();
    environment.write("repo/state/t/exp/1/run/half", &"x".repeat(30 << 20));
    let more = ["--resume", "--max-disk-gib", "0.02", "--max-experiments", "2"];
    environment.run(&mut environment.session(&more)).code(0);
    assert_eq!(environment.verdicts(), ["keep", "keep"]);
}

#[test]
fn hours_on_the_gpu_of_a_run_that_a_human_abandons() {
    counts_what_is_cut_short_by(Signal::SIGTERM, Some(0));
}

#[test]
fn hours_on_the_gpu_of_a_run_whose_daemon_is_killed() {
    counts_what_is_cut_short_by(Signal::SIGKILL, None);
}

#[test]
fn a_number_of_experiments_ends_the_session_whatever_is_left_to_spend() {
    let environment = TestEnvironment::new();
    let rich = ["--max-tokens", "1000000", "--max-hours", "1e300", "--max-experiments", "2"];
    let ended = environment.run(&mut environment.session(&rich));
    assert!(!ended.code(0).err.contains("paused"), "{ended:#?}");
    assert_eq!(environment.rows().len(), 2);
}

#[test]
fn dollars_of_a_model_without_a_price_cannot_be_capped() {
    let environment = TestEnvironment::new();
    let server = Server::start([]);
    let ended = environment.run(&mut asking(&environment, &server, &["--max-usd", "5"]));
    ended.code(3).says(&["[prices.\"m\"]", "prompt_usd_per_mtok"]);
    environment.assert_nothing_created();
    assert!(server.finish().is_empty());
}

#[test]
fn caps_that_are_none_are_refused_by_name() {
    let environment = TestEnvironment::new();
    let flags = ["--max-usd", "--max-gpu-hours", "--max-hours", "--max-disk-gib"];
    for flag in flags {
        for wrong in ["0", "-1", "NaN", "inf", "-0.0"] {
            let ended = environment.run(&mut environment.session(&[flag, wrong]));
            ended.code(2).says(&[&flag[2..].replace('-', "_"), "a number above 0"]);
        }
        let ended = environment.run(&mut environment.session(&[flag, "lots"]));
        ended.code(2).says(&[flag, "'lots'"]);
    }
    for wrong in ["0", "-1", "1.5"] {
        let ended = environment.run(&mut environment.session(&["--max-tokens", wrong]));
        let named = ended.err.contains("max_tokens is 0; it must be a number above 0")
            || ended.err.contains(&format!("'{wrong}' for '--max-tokens <N>'"));
        assert!(named, "{ended:#?}");
        ended.code(2);
    }
    environment.assert_nothing_created();
}
