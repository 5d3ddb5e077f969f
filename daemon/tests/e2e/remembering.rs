//! What a model is told of what was tried and of what a human wants, and what it is not let do again.

use std::fs;

use crate::environment::{BETTER, EQUAL, TestEnvironment, reply};
use crate::llm::{last, session, told};
use crate::openai::{Answer, Server};

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
fn a_human_is_heard_while_the_loop_runs_and_answered() {
    let environment = TestEnvironment::new();
    let server = Server::start(vec![
        Answer::text(reply("better data", &[BETTER])),
        Answer::text(reply("more of it", &[EQUAL])),
    ]);
    environment.run(&mut session(&environment, &server, 1)).code(0);
    fs::write(environment.path("repo/state/t/INBOX.md"), "# Inbox\n- try cleaner data\n").unwrap();
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
    assert_eq!(environment.read("repo/state/t/INBOX.md"), "# Inbox\n- try cleaner data\n");
}

/// What a command says that ends with this code.
#[track_caller]
fn out(environment: &TestEnvironment, arguments: &[&str], code: i32) -> String {
    let ended = environment.run(&mut environment.daemon(arguments));
    ended.code(code);
    ended.out + &ended.err
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
