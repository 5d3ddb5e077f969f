//! A language model behind a scripted endpoint: what it is told, and what becomes of its answers.

use nix::sys::signal::Signal::SIGINT;
use serde_json::Value;

use crate::environment::{BETTER, Ended, PROGRAM, TestEnvironment, files_below, reply, reply_for};
use crate::openai::{Answer, COMPLETION_TOKENS, PROMPT_TOKENS, Request, Server};

const KEY: &str = "sk-very-secret-1234567890";
const LLM: [&str; 4] = ["--proposer", "llm", "--model", "m"];

pub(crate) fn session(
    environment: &TestEnvironment,
    server: &Server,
    rows: u32,
) -> std::process::Command {
    let mut session = environment.session(&LLM);
    session.args(["--max-experiments", &rows.to_string()]);
    session.env("OPENAI_API_KEY", KEY).env("OPENAI_BASE_URL", server.base_url());
    session
}

/// Runs a session until it has so many rows; gives the completion requests.
#[track_caller]
pub(crate) fn told(rows: u32, answers: Vec<Answer>) -> (TestEnvironment, Vec<Request>) {
    let environment = TestEnvironment::new();
    let server = Server::start(answers);
    let ended = environment.run(&mut session(&environment, &server, rows));
    assert_in_order(&environment, &ended);
    let mut requests = server.finish();
    assert!(requests.iter().all(|request| request.key == KEY));
    assert_eq!(requests.remove(0).path, "/v1/models");
    (environment, requests)
}

#[track_caller]
fn assert_in_order(environment: &TestEnvironment, ended: &Ended) {
    ended.code(0);
    assert_no_key(environment, ended);
    let last = environment.rows().into_iter().rfind(|row| row[4] == "keep").unwrap();
    assert!(environment.git(&["rev-parse", "autoresearch/t"]).starts_with(&last[0]));
}

/// The key is in no file that the daemon wrote, and not on the terminal.
#[track_caller]
fn assert_no_key(environment: &TestEnvironment, ended: &Ended) {
    assert!(!ended.err.contains(KEY) && !ended.out.contains(KEY));
    for place in [environment.repo(), environment.path("cache"), environment.path("home")] {
        for (path, bytes) in files_below(&place, &[]) {
            let found = bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes());
            assert!(!found, "the key is in {}", path.display());
        }
    }
}

/// Role and text of one message.
fn message(request: &Request, at: usize) -> (&str, &str) {
    let message = &request.body["messages"][at];
    (message["role"].as_str().unwrap(), message["content"].as_str().unwrap())
}

pub(crate) fn last(request: &Request) -> &str {
    message(request, request.body["messages"].as_array().unwrap().len() - 1).1
}

#[test]
fn a_good_answer_becomes_a_row_and_the_next_question_knows_it() {
    let better = reply("better data", &[BETTER]);
    let equal = reply("more of it", &[("extra = 1 // knob: 1 | 2", "extra = 2")]);
    let (environment, requests) = told(3, vec![Answer::text(better), Answer::text(equal)]);
    assert_eq!(environment.verdicts(), ["keep", "keep", "discard"]);
    let (role, orders) = message(&requests[0], 0);
    assert!(role == "system" && orders.contains("<<<<<<< SEARCH") && orders.contains("lab/**"));
    let (role, question) = message(&requests[0], 1);
    assert_eq!((role, requests[0].body["model"].as_str()), ("user", Some("m")));
    for part in [PROGRAM.trim(), "# State — video experiments on autoresearch/t", "lab/recipe.txt"]
    {
        assert!(question.contains(part), "{part:?} is not in {question}");
    }
    assert!(question.contains("quality = 0.600 // knob") && question.contains("baseline"));
    let (_, question) = message(&requests[1], 1);
    let (before, files) = question.split_once("# The incumbent's editable files").unwrap();
    assert!(files.contains("quality = 0.700") && !files.contains("quality = 0.600"));
    // What the last experiment changed, and how its training went.
    assert!(before.contains("\n-quality = 0.600") && before.contains("\n+quality = 0.700"));
    assert!(before.contains("Its training:\n"), "{before}");
    assert!(question.contains("better data should help"), "{question}");
    let meta = environment.read("repo/state/t/exp/1/meta.json");
    let meta: Value = serde_json::from_str(&meta).unwrap();
    assert_eq!(meta["proposer"], "llm:m");
    assert_eq!(meta["prompt_tokens"], PROMPT_TOKENS);
    assert_eq!(meta["completion_tokens"], COMPLETION_TOKENS);
}

#[test]
fn an_answer_that_does_not_apply_is_repaired() {
    let wrong = reply("typo", &[("quality = 0.9", "quality = 0.700")]);
    let right = reply("no typo", &[BETTER]);
    let (environment, requests) = told(2, vec![Answer::text(&wrong), Answer::text(right)]);
    assert_eq!(environment.rows()[1][4..], ["keep", "no typo"]);
    assert_eq!(message(&requests[1], 2), ("assistant", wrong.trim_end()));
    let problem = last(&requests[1]);
    for part in ["stage patch", "line 5", "do not stand in \"lab/recipe.txt\""] {
        assert!(problem.contains(part), "{part:?} is not in {problem}");
    }
    let meta: Value =
        serde_json::from_str(&environment.read("repo/state/t/exp/1/meta.json")).unwrap();
    assert_eq!(meta["prompt_tokens"], 2 * PROMPT_TOKENS);
}

#[test]
fn an_edit_outside_the_scope_is_refused_and_the_model_is_told() {
    for path in ["program.md", "../outside.txt", ".git/config", "lab/../program.md"] {
        let wrong = reply_for(path, "reach out", &[("# Orders", "# Mine")]);
        let right = reply("stay in", &[BETTER]);
        let (environment, requests) = told(2, vec![Answer::text(wrong), Answer::text(right)]);
        assert_eq!(environment.rows()[1][4..], ["keep", "stay in"]);
        let problem = last(&requests[1]);
        assert!(problem.contains("stage patch") && problem.contains(path), "{problem}");
        assert_eq!(environment.read("repo/program.md"), PROGRAM);
        assert_eq!(environment.git(&["show", "autoresearch/t:program.md"]), PROGRAM.trim_end());
    }
}

#[test]
fn a_broken_build_and_a_broken_step_are_repaired() {
    for stage in ["build", "smoke"] {
        let broken = (format!("{stage} = ok"), format!("{stage} = broken"));
        let wrong = reply("breaks", &[(&broken.0, &broken.1)]);
        let right = reply("mended", &[BETTER]);
        let (environment, requests) = told(2, vec![Answer::text(wrong), Answer::text(right)]);
        assert_eq!(environment.rows()[1][4..], ["keep", "mended"]);
        let problem = last(&requests[1]);
        let words = format!("error: {stage} is broken on line 3");
        assert!(
            problem.contains(&format!("stage {stage}")) && problem.contains(&words),
            "{problem}"
        );
        let [kept, aside] = ["refs/dfr/t/exp/1", "refs/dfr/t/exp/1.1"]
            .map(|name| environment.git(&["show", &format!("{name}:lab/recipe.txt")]));
        assert!(!kept.contains("broken") && aside.contains("broken"));
    }
}

#[test]
fn a_training_that_fails_is_repaired_once() {
    let wrong = |what| reply(what, &[("mode = ok", "mode = crash")]);
    let answers = vec![
        Answer::text(wrong("slips")),
        Answer::text(reply("mended", &[BETTER])),
        Answer::text(wrong("slips again")),
        Answer::text(wrong("slips once more")),
    ];
    // Where a build's program is kept with its experiment, the mended one takes its place.
    let environment = TestEnvironment::new();
    environment.with_delivery("exit 0");
    let server = Server::start(answers);
    environment.run(&mut session(&environment, &server, 3)).code(0);
    let requests = server.finish().split_off(1);
    let rows = environment.rows();
    assert_eq!(
        (rows[1][4..].join(" "), rows[2][4..].join(" ")),
        (String::from("keep mended"), String::from("crash slips once more"))
    );
    let problem = last(&requests[1]);
    let said = "training exit code 1: Traceback: shapes [2] and [3] do not fit";
    for part in ["stage train", said, "The end of its log:\n", "turns left after this one: 2"] {
        assert!(problem.contains(part), "{part:?} is not in {problem}");
    }
    let shown = environment.show(1);
    assert!(
        shown.contains("refused at train") && shown.matches("began: train").count() == 2,
        "{shown}"
    );
    assert!(environment.path("repo/state/t/exp/1/run-1.log").exists());
    assert_eq!(requests.len(), 4);
}

#[test]
fn a_build_that_stays_broken_is_a_crash_with_its_commit() {
    let broken = |text: &str| Answer::text(reply(text, &[("build = ok", "build = broken")]));
    let answers =
        vec![broken("one"), broken("two"), broken("three"), Answer::text(reply("well", &[BETTER]))];
    let (environment, requests) = told(3, answers);
    let rows = environment.rows();
    assert_eq!(rows[1][1..], ["0.000000", "0.000000", "0.0", "crash", "three"]);
    assert_eq!(rows[2][4..], ["keep", "well"]);
    let commit = environment.git(&["rev-parse", "refs/dfr/t/exp/1"]);
    assert!(commit.starts_with(&rows[1][0]), "{commit} {rows:?}");
    assert!(last(&requests[2]).contains("last turn"));
    assert_eq!(requests[3].body["messages"].as_array().unwrap().len(), 2);
    let shown = environment.show(1);
    assert!(shown.contains("crash, build failed: error: build is broken on line 3"), "{shown}");
}

#[test]
fn answers_that_are_none_leave_no_row_and_the_loop_goes_on() {
    let nonsense = || Answer::text("I would rather talk about the weather.");
    let answers = vec![nonsense(), nonsense(), nonsense(), Answer::text(reply("well", &[BETTER]))];
    let (environment, requests) = told(2, answers);
    assert_eq!(requests.len(), 4);
    assert_eq!(environment.rows()[1][4..], ["keep", "well"]);
    assert!(!environment.has_ref("refs/dfr/t/exp/1") && environment.has_ref("refs/dfr/t/exp/2"));
    let shown = environment.show(1);
    assert!(shown.contains("no verdict") && shown.contains("abandoned: patch failed"), "{shown}");
}

#[test]
fn an_answer_that_was_cut_off_or_is_empty_is_asked_for_again() {
    for bad in [Answer::CutByLength(reply("long", &[BETTER])), Answer::text(" ")] {
        let (environment, requests) = told(2, vec![bad, Answer::text(reply("short", &[BETTER]))]);
        assert_eq!(environment.rows()[1][4..], ["keep", "short"]);
        let problem = last(&requests[1]);
        let told = problem.contains("cut off") || problem.contains("no text");
        assert!(told && problem.contains("stage patch"), "{problem}");
    }
}

#[test]
fn an_endpoint_that_fails_is_waited_for() {
    let answers = vec![
        Answer::error(503, &format!("out of order, {KEY}")),
        Answer::Cut,
        Answer::text(reply("at last", &[BETTER])),
    ];
    let (environment, requests) = told(2, answers);
    assert_eq!(requests.len(), 3);
    assert_eq!(environment.rows()[1][4..], ["keep", "at last"]);
    let log = environment.read("repo/state/t/daemon.jsonl");
    assert!(log.contains("out of order") && log.contains("the loop waits and asks again"));
}

#[test]
fn the_key_is_in_no_log_however_much_is_logged() {
    let environment = TestEnvironment::new();
    let server = Server::start([Answer::text(reply("well", &[BETTER]))]);
    let mut session = session(&environment, &server, 2);
    let ended = environment.run(session.env("RUST_LOG", "trace"));
    assert_in_order(&environment, &ended);
    assert!(environment.read("repo/state/t/daemon.jsonl").contains("\"level\":\"TRACE\""));
    server.finish();
}

#[test]
fn an_interrupt_is_heard_while_an_answer_is_awaited() {
    let environment = TestEnvironment::new();
    let server = Server::start([Answer::text("never").held()]);
    let daemon = environment.start(&mut session(&environment, &server, 2));
    server.wait_for(2);
    daemon.signal(SIGINT);
    daemon.wait().code(0);
    assert_eq!(environment.verdicts(), ["keep"]);
    server.finish();
}

#[test]
fn an_interrupt_is_heard_while_the_endpoint_is_checked() {
    let environment = TestEnvironment::new();
    let server = Server::start_with_models(Answer::models().held(), []);
    let daemon = environment.start(&mut session(&environment, &server, 2));
    server.wait_for(1);
    daemon.signal(SIGINT);
    daemon.wait().code(0);
    environment.assert_nothing_created();
    server.finish();
}

#[test]
fn an_interrupt_is_heard_while_the_loop_waits_to_ask_again() {
    let environment = TestEnvironment::new();
    let down = Answer::Raw {
        status: 503,
        headers: vec![("retry-after", "86400".to_owned())],
        body: "later".to_owned(),
    };
    let server = Server::start([down]);
    let mut daemon = environment.start(&mut session(&environment, &server, 2));
    daemon.wait_for_log("the loop waits and asks again");
    daemon.signal(SIGINT);
    daemon.wait().code(0);
    assert_eq!(environment.verdicts(), ["keep"]);
    server.finish();
}

/// What a wait of hours must not keep from being seen.
#[test]
fn a_humans_commit_is_measured_while_the_endpoint_is_waited_for() {
    let environment = TestEnvironment::new();
    environment.write("repo/dfr.toml", "endpoint_probe_s = 1\n");
    let down = Answer::Raw {
        status: 429,
        headers: vec![("retry-after", "86400".to_owned())],
        body: "later".to_owned(),
    };
    let server = Server::start([down]);
    let mut daemon = environment.start(&mut session(&environment, &server, 3));
    daemon.wait_for_log("the loop waits and asks again");
    environment.git(&["checkout", "--quiet", "autoresearch/t"]);
    environment.edit("repo/lab/recipe.txt", BETTER);
    environment.commit_all("mine");
    daemon.wait_for("the human's row", || environment.rows().len() == 2);
    daemon.wait_for_status("paused, the endpoint does not answer");
    daemon.signal(SIGINT);
    daemon.wait().code(0);
    assert_eq!(environment.rows()[1][4..], ["keep", "by hand: mine"]);
    // It was asked once, and paid for once at most.
    assert_eq!(server.finish().len(), 2);
}

#[test]
fn a_model_that_nobody_knows_is_told_before_anything_is_made() {
    let environment = TestEnvironment::new();
    for refusal in [Answer::error(404, "not here"), Answer::error(400, "model_not_found")] {
        let server = Server::start_with(Answer::models(), refusal, []);
        let ended = environment.run(&mut session(&environment, &server, 2));
        ended.code(3).says(&["does not know the model", "--model (DFR_MODEL)"]);
        environment.assert_nothing_created();
        server.finish();
    }
}
