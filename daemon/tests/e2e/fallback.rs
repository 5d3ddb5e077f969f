//! An endpoint that goes away in the night, and one whose key does not work any more.

use std::process::Command;

use nix::sys::signal::Signal::{SIGINT, SIGKILL};
use serde_json::Value;

use crate::environment::{Daemon, TestEnvironment, reply};
use crate::openai::{Answer, Server};

const LLM: [&str; 4] = ["--proposer", "llm", "--model", "m"];

/// A loop that asks an endpoint again soon.
fn impatient() -> TestEnvironment {
    let environment = TestEnvironment::new();
    environment.write("repo/dfr.toml", "endpoint_probe_s = 1\n");
    environment
}

fn asking(environment: &TestEnvironment, server: &Server, arguments: &[&str]) -> Command {
    let mut session = environment.session(&[&LLM[..], arguments].concat());
    session.env("OPENAI_API_KEY", "sk-1").env("OPENAI_BASE_URL", server.base_url());
    session
}

/// Who proposed each experiment that has a row, the baseline left out.
fn proposers(environment: &TestEnvironment) -> Vec<String> {
    let meta = |n: u32| environment.peek(&format!("repo/state/t/exp/{n}/meta.json"));
    let parsed = (1..).map_while(|n| serde_json::from_str::<Value>(&meta(n)).ok());
    parsed.map(|meta| meta["proposer"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Waits until the proposers so far satisfy something.
#[track_caller]
fn wait_for(daemon: &mut Daemon<'_>, what: &str, environment: &TestEnvironment, who: &[&str]) {
    daemon.wait_for(what, || {
        let mut proposers = proposers(environment);
        proposers.dedup();
        proposers == who
    });
}

fn out() -> Answer {
    Answer::error(503, "out of order")
}

fn revoked() -> Answer {
    Answer::error(401, "this key was revoked")
}

/// An edit that applies whatever the playbook did before.
fn idea() -> Answer {
    Answer::text(reply("idea", &[("smoke = ok", "smoke = well")]))
}

fn last_idea() -> Answer {
    Answer::text(reply("last idea", &[("build = ok", "build = well")]))
}

#[test]
fn the_playbook_proposes_while_the_endpoint_is_out_and_no_longer() {
    let environment = impatient();
    let end = Answer::text("end").held();
    let server = Server::start([idea(), out(), out(), out(), out().held(), last_idea(), end]);
    let mut daemon =
        environment.start(&mut asking(&environment, &server, &["--fallback", "playbook"]));
    wait_for(&mut daemon, "the playbook", &environment, &["llm:m", "playbook"]);
    daemon.wait_for_log("the fallback proposes meanwhile");
    server.release();
    wait_for(&mut daemon, "the model", &environment, &["llm:m", "playbook", "llm:m"]);
    daemon.signal(SIGINT);
    daemon.wait().code(0).says(&["the endpoint answers again", "out of order"]);
    assert!(environment.show(2).contains("playbook"), "{}", environment.show(2));
    server.finish();
}

#[test]
fn a_revoked_key_is_worked_around_too() {
    let environment = impatient();
    let script = [revoked(), revoked(), idea(), Answer::text("end").held()];
    let server = Server::start(script);
    let mut daemon =
        environment.start(&mut asking(&environment, &server, &["--fallback", "playbook"]));
    wait_for(&mut daemon, "the model", &environment, &["playbook", "llm:m"]);
    daemon.signal(SIGINT);
    daemon.wait().code(0).says(&["this key was revoked", "the endpoint answers again"]);
    server.finish();
}

/// Words that are no patch cost, and bring nothing: the machine works meanwhile.
#[test]
fn the_playbook_proposes_while_a_model_gives_nothing_that_can_be_used() {
    let environment = impatient();
    environment.write("repo/dfr.toml", "crash_limit = 1\nprobe_s = 600\n");
    let prose = || Answer::text("I would rather not.");
    let server = Server::start([prose(), prose(), prose()]);
    let two = ["--fallback", "playbook", "--max-experiments", "2"];
    environment.run(&mut asking(&environment, &server, &two)).code(0);
    assert_eq!(environment.verdicts().len(), 2);
    assert!(environment.show(2).contains("playbook"), "{}", environment.show(2));
    server.finish();
}

/// Not before it said, whoever asks.
#[test]
fn what_an_endpoint_asked_for_holds_after_a_restart() {
    let environment = impatient();
    let busy = Answer::Raw {
        status: 503,
        headers: vec![("retry-after", "3600".to_owned())],
        body: "out of order".to_owned(),
    };
    let server = Server::start([busy]);
    let mut daemon = environment.start(&mut asking(&environment, &server, &[]));
    daemon.wait_for_log("the loop waits and asks again");
    daemon.wait_for_status("paused, the endpoint does not answer");
    daemon.signal(SIGKILL);
    let _ = daemon.wait();
    let mut daemon = environment.start(&mut asking(&environment, &server, &["--resume"]));
    daemon.wait_for_log("it had asked for patience before the restart");
    daemon.signal(SIGINT);
    daemon.wait().code(0);
    assert_eq!(server.asked(), 1);
    let lists = server.finish().iter().filter(|request| request.path == "/v1/models").count();
    assert_eq!(lists, 1, "it was asked for its models while it was to be left alone");
}

#[test]
fn without_a_fallback_the_loop_waits_and_says_so() {
    let environment = impatient();
    let busy = Answer::Raw {
        status: 503,
        headers: vec![("retry-after", "6".to_owned())],
        body: "out of order".to_owned(),
    };
    let server = Server::start([busy, idea()]);
    let mut daemon = environment.start(&mut asking(&environment, &server, &[]));
    daemon.wait_for_log("the loop waits and asks again");
    daemon.wait_for_status("paused, the endpoint does not answer");
    daemon.signal(SIGINT);
    daemon.wait().code(0);
    let two = ["--resume", "--max-experiments", "2"];
    environment.run(&mut asking(&environment, &server, &two)).code(0);
    assert_eq!(environment.rows()[1][5], "idea");
    server.finish();
}

#[test]
fn a_key_that_was_revoked_in_the_night_is_waited_for() {
    let environment = impatient();
    let server = Server::start([idea(), revoked(), revoked().held(), last_idea()]);
    let three = ["--max-experiments", "3"];
    let mut daemon = environment.start(&mut asking(&environment, &server, &three));
    daemon.wait_for_log("paused: somebody has to mend this");
    daemon.wait_for_status("this key was revoked");
    server.release();
    let ended = daemon.wait();
    ended.code(0).says(&["the endpoint answers again"]);
    assert!(!ended.err.contains("sk-1"));
    assert_eq!(proposers(&environment), ["llm:m", "llm:m"]);
    server.finish();
}

#[test]
fn a_key_that_never_worked_is_told_at_once() {
    let environment = impatient();
    let server = Server::start_with_models(revoked(), []);
    for flags in [&[][..], &["--fallback", "playbook"]] {
        let ended = environment.run(&mut asking(&environment, &server, flags));
        ended.code(3).says(&["OPENAI_API_KEY", "this key was revoked"]);
        environment.assert_nothing_created();
    }
    assert_eq!(server.finish().len(), 2);
}

#[test]
fn a_key_that_lists_models_and_answers_nothing_is_told_before_anything_is_made() {
    let environment = impatient();
    for models in [Answer::models(), Answer::error(404, "no such route")] {
        let server = Server::start_with(models, revoked(), []);
        let ended = environment.run(&mut asking(&environment, &server, &[]));
        ended.code(3).says(&["OPENAI_API_KEY", "this key was revoked"]);
        environment.assert_nothing_created();
        server.finish();
    }
}

#[test]
fn a_restart_while_somebody_has_to_pay_or_renew_the_key_waits_for_them() {
    for refusal in [Answer::error(402, "pay first"), revoked()] {
        let environment = impatient();
        environment.run(&mut environment.session(&["--max-experiments", "1"])).code(0);
        let script = [refusal.clone(), refusal.clone(), idea()];
        let server = Server::start_with_models(refusal, script);
        let with = ["--resume", "--fallback", "playbook", "--max-experiments", "2"];
        let ended = environment.run(&mut asking(&environment, &server, &with));
        ended.code(0).says(&["the endpoint gives no answer", "the fallback proposes meanwhile"]);
        let without = ["--resume", "--max-experiments", "3"];
        let ended = environment.run(&mut asking(&environment, &server, &without));
        ended.code(0).says(&["paused: somebody has to mend this", "the endpoint answers again"]);
        assert_eq!(proposers(&environment), ["playbook", "llm:m"]);
        server.finish();
    }
}

#[test]
fn a_fallback_that_is_none_is_refused() {
    let environment = impatient();
    let ended = environment.run(&mut environment.session(&["--fallback", "oracle"]));
    ended.code(2).says(&["\"oracle\"", "playbook"]);
    environment.assert_nothing_created();
}

/// A proxy that answers with a page in which it quotes what it was sent.
#[test]
fn what_an_endpoint_quotes_of_the_key_stands_in_no_log() {
    let environment = impatient();
    let page = "<html>you sent: Authorization: Bearer sk-1</html>".to_owned();
    let page = Answer::Raw { status: 200, headers: Vec::new(), body: page };
    let server = Server::start([page, idea()]);
    let mut session = asking(&environment, &server, &["--max-experiments", "2"]);
    let ended = environment.run(session.env("RUST_LOG", "info,async_openai=trace"));
    ended.code(0);
    server.finish();
    let log = environment.read("repo/state/t/daemon.jsonl");
    for text in [&ended.err, &ended.out, &log] {
        assert!(!text.contains("sk-1"), "{text}");
    }
}
