//! What a model is told of what was tried and of what a human wants, and what it is not let do again.

use std::fs;

use nix::sys::signal::Signal::SIGKILL;
use serde_json::{Value, json};

use crate::environment::{BETTER, EQUAL, TestEnvironment, reply};
use crate::llm::{last, session, told};
use crate::openai::{Answer, COMPLETION_TOKENS, PROMPT_TOKENS, Server};

#[test]
fn what_was_tried_is_refused_with_what_came_of_it() {
    let worse = (BETTER.0, "quality = 0.500");
    let answers = [
        reply("worse data", &[worse]),
        reply("worse data under another name", &[worse]),
        reply("more of it", &[EQUAL]),
    ];
    let (environment, requests) = told(3, answers.into_iter().map(Answer::text).collect());
    assert_eq!(environment.rows()[1][4..], ["discard", "worse data"]);
    assert_eq!(environment.rows()[2][5], "more of it");
    let problem = last(&requests[2]);
    for part in ["stage patch", "the change of experiment 1 (worse data)", "discard"] {
        assert!(problem.contains(part), "{part:?} is not in {problem}");
    }
}

#[test]
fn memory_above_the_soft_limit_is_told_and_decides_nothing() {
    let environment = TestEnvironment::new();
    environment.edit("task.toml", ("predict_s = 30", "predict_s = 30, soft_vram_gib = 4"));
    let heavy = (BETTER.0, format!("{}\nmib = 5120", BETTER.1));
    let answers = [reply("wider", &[(heavy.0, &heavy.1)]), reply("more of it", &[EQUAL])];
    let server = Server::start(answers.map(Answer::text));
    let ended = environment.run(&mut session(&environment, &server, 3));
    let told = "5.0 GiB of device memory, above the soft limit of 4; the incumbent takes 2.0";
    ended.code(0).says(&[told]);
    assert_eq!(environment.verdicts(), ["keep", "keep", "discard"]);
    assert!(environment.show(1).contains(told));
    let requests = server.finish();
    let limit = "above 4 GiB, only a clear gain is worth more than the incumbent takes";
    assert!(last(&requests[1]).contains(limit) && last(&requests[1]).contains("2.0 GiB of"));
    let question = last(&requests[2]);
    assert!(question.contains("better than the incumbent, 5.0 GiB of device memory"), "{question}");
}

#[test]
fn a_human_is_heard_while_the_loop_runs_and_answered() {
    let environment = TestEnvironment::new();
    let server = Server::start(vec![
        Answer::text(reply("better data", &[BETTER])),
        Answer::text(reply("more of it", &[EQUAL])),
    ]);
    environment.run(&mut session(&environment, &server, 1)).code(0);
    environment.write(INBOX, "# Inbox\n- try cleaner data\n");
    let state = environment.read("repo/state/t/STATE.md");
    fs::write(environment.path("repo/state/t/STATE.md"), state + "- the test set is small\n")
        .unwrap();
    fs::write(environment.path("repo/program.md"), "# Other orders\n").unwrap();
    let mut more = session(&environment, &server, 3);
    more.arg("--resume");
    environment.run(&mut more).code(0);
    let requests: Vec<_> =
        server.finish().into_iter().filter(|asked| asked.path != "/v1/models").collect();
    let asked = last(&requests[0]);
    for part in ["- try cleaner data\n- the test set is small\n", "# Other orders"] {
        assert!(asked.contains(part), "{part:?} is not in {asked}");
    }
    assert!(!last(&requests[1]).contains("The human asks"), "it was followed already");
    let state = environment.read("repo/state/t/STATE.md");
    for part in ["- \"try cleaner data\": #1 better data (keep)", "\"the test set is small\": #1"] {
        assert!(state.contains(part), "{part:?} is not in {state}");
    }
    assert_eq!(environment.read(INBOX), "# Inbox\n- try cleaner data\n");
}

const INBOX: &str = "repo/state/t/INBOX.md";
const WISH: &str = "try cleaner data";

/// What each completion was asked last, in order.
fn questions(server: Server) -> Vec<String> {
    let completions = server.finish().into_iter().filter(|asked| asked.path != "/v1/models");
    completions.map(|asked| last(&asked).to_owned()).collect()
}

/// Nobody was told of the wish before the question at this place, which brought this row.
#[track_caller]
fn assert_told((environment, server): (&TestEnvironment, Server), at: usize, row: &str) {
    let wish = format!("\n- {WISH}\n");
    let has_wish: Vec<_> = questions(server).iter().map(|asked| asked.contains(&wish)).collect();
    assert_eq!(has_wish.iter().position(|told| *told), Some(at), "{has_wish:?}");
    let state = environment.read("repo/state/t/STATE.md");
    assert!(state.contains(&format!("- \"{WISH}\": {row}")), "{state}");
}

#[test]
fn words_written_while_a_run_trains_are_for_the_next_proposal_also_after_a_kill() {
    for is_killed in [false, true] {
        let environment = TestEnvironment::new();
        let go = environment.path("go");
        let waits = format!("[environment]\nFAKE_WAITS = {go:?}\n[score]");
        environment.edit("task.toml", ("[score]", &waits));
        let replies = [reply("better data", &[BETTER]), reply("more of it", &[EQUAL])];
        let server = Server::start(replies.map(Answer::text));
        environment.write("go", "");
        environment.run(&mut session(&environment, &server, 1)).code(0);
        fs::remove_file(&go).unwrap();
        let on = || {
            let mut on = session(&environment, &server, 3);
            on.arg("--resume");
            on
        };
        let mut daemon = environment.start(&mut on());
        daemon.wait_for_training(1);
        environment.write(INBOX, &format!("- {WISH}\n"));
        if is_killed {
            daemon.signal(SIGKILL);
            let _ = daemon.wait();
            let recovered = out(&environment, &["recover", "--tag", "t"], 0);
            assert!(recovered.contains(WISH), "{recovered}");
            daemon = environment.start(&mut on());
        }
        environment.write("go", "");
        daemon.wait().code(0);
        assert_told((&environment, server), 1, "#2 more of it (discard)");
    }
}

#[test]
fn words_written_while_an_endpoint_is_waited_for_are_in_the_question_that_it_answers() {
    let environment = TestEnvironment::new();
    environment.write("repo/dfr.toml", "endpoint_probe_s = 1\n");
    let refused = || Answer::error(503, "out of order");
    let answers = [refused(), refused().held(), Answer::text(reply("better data", &[BETTER]))];
    let server = Server::start(answers);
    let daemon = environment.start(&mut session(&environment, &server, 2));
    // The list of models, and two completions.
    server.wait_for(3);
    environment.write(INBOX, &format!("- {WISH}\n"));
    server.release();
    daemon.wait().code(0);
    assert_told((&environment, server), 2, "#1 better data (keep)");
}

/// What a command says that ends with this code.
#[track_caller]
fn out(environment: &TestEnvironment, arguments: &[&str], code: i32) -> String {
    let ended = environment.run(&mut environment.daemon(arguments));
    ended.code(code);
    ended.out + &ended.err
}

#[test]
fn a_search_that_stands_still_doubts_its_best_score_and_not_the_machine() {
    let worse = |n: u32| {
        let setting = format!("quality = 0.{}", 500 + n);
        reply(&format!("worse {n}"), &[("quality = 0.700", setting.as_str())])
    };
    let replies = std::iter::once(reply("better data", &[BETTER])).chain((0..15).map(worse));
    let (environment, _) = told(17, replies.map(Answer::text).collect());
    let best = environment.rows()[1][0].clone();
    let recovered = out(&environment, &["recover", "--tag", "t"], 0);
    let next = format!("next is experiment 17, which measures {best}");
    assert!(recovered.contains(&next), "{recovered}");
    let server = Server::start(Vec::new());
    let mut more = session(&environment, &server, 18);
    environment.run(more.arg("--resume")).code(0);
    server.finish();
    let shown = environment.show(17);
    assert!(shown.contains("no stroke of luck") && !shown.contains("crashes"), "{shown}");
}

#[test]
fn people_read_the_prompt_and_put_their_own_in_its_place() {
    let environment = TestEnvironment::new();
    environment.run(environment.session(&[]).args(["--max-experiments", "2"])).code(0);
    let prompt = ["prompt", "--tag", "t"];
    let shown = out(&environment, &prompt, 0);
    for part in ["===== system", "===== user", "lab/recipe.txt", "characters, about"] {
        assert!(shown.contains(part), "{part:?} is not in {shown}");
    }
    let own = environment.path("repo/prompts");
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("system.hbs"), "Make {{objective}} higher.").unwrap();
    let shown = out(&environment, &prompt, 0);
    assert!(shown.contains("Make sn34_score higher."), "{shown}");
    fs::write(own.join("system.hbs"), "{{#if}").unwrap();
    let failed = out(&environment, &prompt, 3);
    assert!(failed.contains("prompts/system.hbs is no template"), "{failed}");
    let server = Server::start(Vec::new());
    let mut more = session(&environment, &server, 3);
    let ended = environment.run(more.arg("--resume"));
    let failed = &ended.code(3).err;
    assert!(failed.contains("prompts/system.hbs is no template"), "{failed}");
}

/// A completion that calls tools.
fn calling(calls: &[(&str, Value)]) -> Answer {
    let call = |(name, arguments): &(&str, Value)| {
        let function = json!({ "name": name, "arguments": arguments.to_string() });
        json!({ "id": "c", "type": "function", "function": function })
    };
    let calls: Vec<_> = calls.iter().map(call).collect();
    let message = json!({ "role": "assistant", "content": null, "tool_calls": calls });
    let choice = json!({ "index": 0, "message": message, "finish_reason": "tool_calls" });
    let body = json!({
        "choices": [choice],
        "usage": { "prompt_tokens": PROMPT_TOKENS, "completion_tokens": COMPLETION_TOKENS },
    });
    Answer::Raw { status: 200, headers: Vec::new(), body: body.to_string() }
}

#[test]
fn a_model_looks_by_tools_before_it_answers_and_pays_for_it() {
    let calls = [("file", json!({ "path": "lab/recipe.txt" })), ("experiment", json!({ "n": 0 }))];
    let (environment, requests) =
        told(2, vec![calling(&calls), Answer::text(reply("better data", &[BETTER]))]);
    assert_eq!(environment.verdicts(), ["keep", "keep"]);
    assert_eq!(requests[0].body["tools"][0]["function"]["name"], "file");
    let found = last(&requests[1]);
    for part in ["lab/recipe.txt, lines 1 to", "quality = 0.600", "experiment 0, baseline: keep"] {
        assert!(found.contains(part), "{part:?} is not in {found}");
    }
    let meta: Value =
        serde_json::from_str(&environment.read("repo/state/t/exp/1/meta.json")).unwrap();
    assert_eq!(meta["prompt_tokens"], 2 * PROMPT_TOKENS);
    assert!(environment.show(1).contains("asked to look at something"));
}

#[test]
fn an_endpoint_without_tools_is_asked_in_plain_text() {
    let refused = || Answer::error(400, "this model does not support tools");
    let (environment, requests) = told(
        2,
        vec![
            refused(),
            Answer::text("LOOK: search quality\nLOOK: results\nLOOK: shell ls\n"),
            Answer::text(reply("better data", &[BETTER])),
        ],
    );
    assert_eq!(environment.verdicts(), ["keep", "keep"]);
    assert!(requests[0].body["tools"].is_array());
    assert!(requests[1..].iter().all(|request| request.body["tools"].is_null()));
    let found = last(&requests[2]);
    for part in ["lab/recipe.txt:", "| 0 |", "\"shell ls\" is none of: LOOK: file"] {
        assert!(found.contains(part), "{part:?} is not in {found}");
    }
}

#[test]
fn a_large_file_is_left_out_of_what_is_looked_at() {
    let environment = TestEnvironment::new();
    environment.write("repo/data.csv", &"quality\n".repeat(200_000));
    environment.commit_all("data");
    let looks = "LOOK: search quality\nLOOK: file data.csv\nLOOK: experiment 0\n";
    let server =
        Server::start(vec![Answer::text(looks), Answer::text(reply("better data", &[BETTER]))]);
    environment.run(&mut session(&environment, &server, 2)).code(0);
    let requests: Vec<_> =
        server.finish().into_iter().filter(|asked| asked.path != "/v1/models").collect();
    let found = last(&requests[1]);
    for part in [
        "too large to be searched: data.csv\n\"quality\" stands\n",
        "lab/recipe.txt:",
        "data.csv: too large to be shown",
        ": 1600000 bytes, too many to be shown",
    ] {
        assert!(found.contains(part), "{part:?} is not in {found}");
    }
}

#[test]
fn a_search_that_stands_still_goes_on_from_an_earlier_keep() {
    let miss = |n: u32| {
        let quality = format!("quality = 0.5{n:02}");
        Answer::text(reply(&format!("miss {n}"), &[("quality = 0.700", &quality)]))
    };
    let mut answers = vec![Answer::text(reply("better data", &[BETTER]))];
    answers.extend((0..15).map(miss));
    let other = (BETTER.0, "quality = 0.800");
    answers.push(Answer::text(reply("another way", &[other])));
    let (environment, requests) = told(19, answers);
    let asked = last(&requests[16]);
    assert!(asked.contains("begin at experiment 0, an earlier keep"), "{asked}");
    let rows = environment.rows();
    assert_eq!(rows[17][5], "the incumbent again");
    assert_eq!(rows[18][4..], ["keep", "another way"]);
    // The branch follows what a keep was made from; the keep that it left is there all the same.
    let git = |arguments: &[&str]| environment.git(arguments);
    let base = git(&["rev-parse", "main"]);
    assert_eq!(git(&["rev-parse", "autoresearch/t"]), git(&["rev-parse", "refs/dfr/t/exp/18"]));
    assert_eq!(git(&["rev-parse", "autoresearch/t^"]), base);
    assert_eq!(git(&["rev-parse", "refs/dfr/t/exp/1^"]), base);
}

#[test]
fn nobody_looks_for_ever() {
    let look = || Answer::text("LOOK: results\n");
    let answers = vec![look(), look(), look(), look(), Answer::text(reply("better", &[BETTER]))];
    let (environment, requests) = told(2, answers);
    assert_eq!(environment.verdicts(), ["keep", "keep"]);
    assert_eq!(requests.len(), 5);
    assert!(last(&requests[3]).contains("| 0 |"));
    assert!(last(&requests[4]).contains("stage patch"), "the fourth was no answer");
}
