//! The language-model proposer against a real HTTP server: one test per way to fail.

#![expect(clippy::unwrap_used, reason = "all of this is test code")]

use std::collections::BTreeMap;
use std::time::Duration;

use dfr_daemon::context::{Context, Now, Repair};
use dfr_daemon::experiment::{History, Stage, Usage};
use dfr_daemon::prompt::Size;
use dfr_daemon::proposer::{Llm, LlmSettings, Proposer, ProposerError, Reply};
use dfr_daemon::task::Task;

#[path = "support/openai.rs"]
pub mod openai;

use openai::{Answer, COMPLETION_TOKENS, PROMPT_TOKENS, Request, Server};

const KEY: &str = "sk-very-secret-1234567890";
const COST: Usage = Usage { prompt_tokens: PROMPT_TOKENS, completion_tokens: COMPLETION_TOKENS };

fn settings(base_url: &str) -> LlmSettings {
    LlmSettings {
        base_url: base_url.to_owned(),
        api_key: KEY.to_owned(),
        model: "m".to_owned(),
        max_answer_tokens: None,
        timeout: Duration::from_secs(60),
    }
}

async fn propose(
    settings: LlmSettings,
    repair: Option<Repair<'_>>,
) -> Result<Reply, ProposerError> {
    ask(&mut Llm::new(settings)?, repair).await
}

async fn ask(llm: &mut Llm, repair: Option<Repair<'_>>) -> Result<Reply, ProposerError> {
    let task = Task::load("video-sample").unwrap();
    let files = BTreeMap::from([(task.edit.recipe.clone(), "lr: 1".to_owned())]);
    let history = History::default();
    let context = Context {
        task: &task,
        program: "the program",
        state: "the state",
        history: &history,
        files: &files,
        budget_s: 20,
        now: &Now::default(),
        looks: &[],
        repair,
    };
    let reply = llm.propose(&context, Size::Whole).await;
    if let Err(error) = &reply {
        assert!(!format!("{error} {error:?}").contains(KEY), "{error}");
    }
    reply
}

/// The error that one answer of the server becomes, after exactly one request, once it answered.
async fn failure(answer: Answer) -> ProposerError {
    let server = Server::start([Answer::text("HYPOTHESIS: h"), answer]);
    let mut llm = Llm::new(settings(server.base_url())).unwrap();
    ask(&mut llm, None).await.unwrap();
    let error = ask(&mut llm, None).await.unwrap_err();
    assert_eq!(server.finish().len(), 2);
    error
}

async fn check(models: Answer) -> Result<(), ProposerError> {
    let server = Server::start_with_models(models, []);
    let checked = Llm::new(settings(server.base_url())).unwrap().check().await;
    let requests = server.finish();
    assert_eq!(requests.iter().map(|r| r.path.as_str()).collect::<Vec<_>>(), ["/v1/models"]);
    checked
}

/// An address where nobody listens.
fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/v1", listener.local_addr().unwrap())
}

#[tokio::test]
async fn an_answer_with_its_cost() {
    let server = Server::start([Answer::text("HYPOTHESIS: h")]);
    let reply = propose(settings(server.base_url()), None).await.unwrap();
    assert_eq!(reply, Reply { text: "HYPOTHESIS: h".to_owned(), usage: COST });
    let [Request { key, body, .. }] = <[Request; 1]>::try_from(server.finish()).unwrap();
    assert_eq!(key, KEY);
    assert_eq!(body["model"], "m");
    let question = body["messages"][1]["content"].as_str().unwrap();
    assert!(question.contains("the program") && question.contains("the state"), "{question}");
}

#[tokio::test]
async fn a_repair_turn_repeats_the_answer_and_names_the_problem() {
    let server = Server::start([Answer::text("better")]);
    let repair =
        Repair { stage: Stage::Build, reply: "bad answer", problem: "no `x`", turns_left: 1 };
    propose(settings(&format!("{}/", server.base_url())), Some(repair)).await.unwrap();
    let messages = server.finish()[0].body["messages"].clone();
    assert_eq!(messages[2]["role"], "assistant");
    assert_eq!(messages[2]["content"], "bad answer");
    assert!(messages[3]["content"].as_str().unwrap().contains("no `x`"));
}

/// What a question costs to which nothing was written.
fn assert_estimated(usage: Usage) {
    assert!(usage.prompt_tokens > 500 && usage.completion_tokens == 0, "{usage:?}");
}

/// What a question costs whose answer never comes: it may have been written all the same.
fn assert_charged(usage: Usage, completion_tokens: u64) {
    assert_eq!(usage.completion_tokens, completion_tokens, "{usage:?}");
    assert_estimated(Usage { completion_tokens: 0, ..usage });
}

/// A usual answer, when none has come yet.
const USUAL: u64 = 4096;

fn raw(status: u16, headers: Vec<(&'static str, String)>, body: &str) -> Answer {
    Answer::Raw { status, headers, body: body.to_owned() }
}

#[tokio::test]
async fn a_server_error_is_an_outage_and_asked_once() {
    let error = failure(Answer::error(500, "overloaded")).await;
    assert!(
        matches!(&error, ProposerError::Overloaded { reason, retry_after: None, .. }
            if reason == "status 500: overloaded"),
        "{error:?}"
    );
    for (status, is_charged) in [(502, true), (503, false), (524, true), (529, false)] {
        let error = failure(raw(status, vec![("retry-after", "3".to_owned())], "<b>x</b>")).await;
        assert!(
            matches!(error, ProposerError::Overloaded { retry_after: Some(wait), .. }
                if wait == Duration::from_secs(3)),
            "{error:?}"
        );
        match is_charged {
            true => assert_charged(error.usage(), USUAL),
            false => assert_eq!(error.usage(), Usage::default()),
        }
    }
}

#[tokio::test]
async fn a_rate_limit_names_its_wait() {
    let [now, then] = ["Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:54 GMT"];
    for headers in [
        vec![("retry-after", "17".to_owned())],
        vec![("date", now.to_owned()), ("retry-after", then.to_owned())],
    ] {
        let error = failure(raw(429, headers, "")).await;
        assert!(
            matches!(error, ProposerError::RateLimited { retry_after: Some(wait), .. }
                if wait == Duration::from_secs(17)),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_spent_credit_is_no_rate_limit() {
    for (status, body) in [
        (402, ""),
        (429, r#"{"error":{"code":"insufficient_quota","message":"x"}}"#),
        (429, r#"{"error":{"type":"enforced_spend_limit_reached","message":"x"}}"#),
        (403, r#"{"error":{"code":"billing_hard_limit_reached","message":"x"}}"#),
    ] {
        let error = failure(raw(status, vec![("retry-after", "9".to_owned())], body)).await;
        assert!(matches!(error, ProposerError::SpendLimit { .. }), "{error:?}");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(9)));
    }
}

#[tokio::test]
async fn a_question_too_long_is_told_from_a_bad_one() {
    for body in [
        r#"{"error":{"code":"context_length_exceeded","message":"x"}}"#,
        r#"{"error":{"message":"prompt is too long: 300000 tokens > 200000 maximum"}}"#,
    ] {
        let error = failure(raw(400, vec![], body)).await;
        assert!(matches!(error, ProposerError::Overflow { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn content_is_refused_by_a_filter_or_by_the_model() {
    let filter = r#"{"error":{"code":"content_filter","message":"no"}}"#;
    let error = failure(raw(400, vec![], filter)).await;
    assert!(matches!(error, ProposerError::ContentRefused { .. }), "{error:?}");
    for choice in [
        r#"{"message":{"content":null,"refusal":"I will not"},"finish_reason":"stop"}"#,
        r#"{"message":{"content":"HYPOTHESIS: h"},"finish_reason":"content_filter"}"#,
    ] {
        let body = format!(r#"{{"choices":[{choice}],"usage":{{"prompt_tokens":7}}}}"#);
        let error = failure(raw(200, vec![], &body)).await;
        assert!(
            matches!(error, ProposerError::Declined { usage, .. } if usage.prompt_tokens == 7),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_refused_key_is_not_repeated_even_when_the_server_does() {
    for status in [401, 403] {
        let error = failure(Answer::error(status, &format!("wrong key {KEY}"))).await;
        assert!(
            matches!(&error, ProposerError::Unauthorized { reason, .. }
                if reason.ends_with("wrong key [key]")),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_refused_request_comes_with_the_servers_words() {
    for status in [400, 422] {
        let error = failure(Answer::error(status, "no such field")).await;
        assert!(
            matches!(&error, ProposerError::Refused { reason, .. } if reason.contains("no such field")),
            "{error:?}"
        );
    }
    let error = failure(Answer::error(404, "no model m")).await;
    assert!(
        matches!(&error, ProposerError::UnknownModel { reason, .. } if reason.contains("no model m")),
        "{error:?}"
    );
}

#[tokio::test]
async fn tools_that_are_refused_are_left_out_of_the_next_question() {
    for (status, words) in [
        (400, "this model does not support tools"),
        (404, "No endpoints found that support tool use"),
        (500, "tools param requires --jinja flag"),
        (400, "bad request"),
        (404, ""),
        (422, ""),
        (500, ""),
    ] {
        let refused = raw(status, vec![("retry-after", "7".to_owned())], words);
        let answers = [refused, Answer::text("x"), Answer::error(500, "")];
        let server = Server::start(answers);
        let mut llm = Llm::new(settings(server.base_url())).unwrap();
        let error = ask(&mut llm, None).await.unwrap_err();
        assert!(matches!(error, ProposerError::ToolsRefused(_)), "{error:?}");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)), "{error:?}");
        assert!(error.to_string().contains(&format!("status {status}: {words}")), "{error}");
        assert_eq!(ask(&mut llm, None).await.unwrap().text, "x");
        let error = ask(&mut llm, None).await.unwrap_err();
        assert!(matches!(error, ProposerError::Overloaded { .. }), "{error:?}");
        let requests = server.finish();
        let has_tools: Vec<_> = requests.iter().map(|r| r.body["tools"].is_array()).collect();
        assert_eq!(has_tools, [true, false, false], "{status} {words}");
    }
    // Once they were taken, only words tell.
    let error = failure(Answer::error(404, "no endpoints found that support tool use")).await;
    assert!(matches!(error, ProposerError::ToolsRefused(_)), "{error:?}");
    let error = failure(Answer::error(401, "no tools for this key")).await;
    assert!(matches!(error, ProposerError::Unauthorized { .. }), "{error:?}");
}

#[tokio::test]
async fn the_arguments_of_a_tool_are_a_string_or_an_object_or_nothing() {
    for (function, asked) in [
        (r#"{"name":"file","arguments":"{\"path\":\"a.rs\"}"}"#, "LOOK: file a.rs"),
        (r#"{"name":"file","arguments":{"path":"a.rs"}}"#, "LOOK: file a.rs"),
        (r#"{"name":"results","arguments":null}"#, "LOOK: results"),
        (r#"{"name":"results"}"#, "LOOK: results"),
        (r#"{"name":"results","arguments":[1]}"#, "LOOK: results"),
    ] {
        let body = format!(
            r#"{{"choices":[{{"message":{{"tool_calls":[{{"function":{function}}}]}}}}]}}"#
        );
        let server = Server::start([raw(200, vec![], &body)]);
        let reply = propose(settings(server.base_url()), None).await.unwrap();
        assert_eq!(reply.text, asked, "{function}");
        server.finish();
    }
}

#[tokio::test]
async fn a_page_in_place_of_json_is_refused() {
    let page = "<html>welcome</html>".to_owned();
    let error = failure(Answer::Raw { status: 200, headers: vec![], body: page }).await;
    assert!(
        matches!(&error, ProposerError::Unreadable { reason, .. } if reason.contains("welcome")),
        "{error:?}"
    );
    assert_estimated(error.usage());
}

#[tokio::test]
async fn a_connection_cut_in_the_body_may_have_cost() {
    let error = failure(Answer::Cut).await;
    assert!(matches!(error, ProposerError::Cut { .. }), "{error:?}");
    assert_charged(error.usage(), USUAL);
}

/// The limit that it was asked to keep, which the server is told of; else as many as the longest had.
#[tokio::test]
async fn an_answer_that_never_comes_costs_as_much_as_it_may() {
    let long = format!(
        r#"{{"choices":[{{"message":{{"content":"x"}}}}],"usage":{{"prompt_tokens":9,"completion_tokens":{}}}}}"#,
        2 * USUAL
    );
    for (max_answer_tokens, charged) in [(Some(700), 700), (None, 2 * USUAL)] {
        let server = Server::start([raw(200, vec![], &long), Answer::Cut]);
        let settings = LlmSettings { max_answer_tokens, ..settings(server.base_url()) };
        let mut llm = Llm::new(settings).unwrap();
        let ask = async |llm: &mut Llm| {
            let task = Task::load("video-sample").unwrap();
            let (files, history) = (BTreeMap::new(), History::default());
            let context = Context {
                task: &task,
                program: &"the program ".repeat(200),
                state: "the state",
                history: &history,
                files: &files,
                budget_s: 20,
                now: &Now::default(),
                looks: &[],
                repair: None,
            };
            llm.propose(&context, Size::Whole).await
        };
        ask(&mut llm).await.unwrap();
        assert_charged(ask(&mut llm).await.unwrap_err().usage(), charged);
        let asked = server.finish().pop().unwrap().body;
        assert_eq!(asked["max_completion_tokens"].as_u64(), max_answer_tokens.map(u64::from));
    }
}

#[tokio::test]
async fn a_connection_cut_in_the_headers_may_have_cost() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
    let hang_up = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"}]}") {
            stream.read_buf(&mut heard).await.unwrap();
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-le").await.unwrap();
    };
    let (asked, ()) = tokio::join!(propose(settings(&base_url), None), hang_up);
    let error = asked.unwrap_err();
    assert!(matches!(error, ProposerError::Cut { .. }), "{error:?}");
    assert_charged(error.usage(), USUAL);
}

#[tokio::test]
async fn an_answer_cut_by_its_length_is_not_used() {
    let error = failure(Answer::CutByLength("HYPOTHESIS: h".to_owned())).await;
    assert!(matches!(error, ProposerError::Truncated { usage } if usage == COST), "{error:?}");
}

#[tokio::test]
async fn an_answer_without_text_is_empty() {
    let error = failure(Answer::text(" \n")).await;
    assert!(matches!(error, ProposerError::Empty { usage } if usage == COST), "{error:?}");
    let nothing = r#"{"choices":[{"message":{"content":null},"finish_reason":"eos"}]}"#;
    let error = failure(raw(200, vec![], nothing)).await;
    assert!(matches!(error, ProposerError::Empty { .. }), "{error:?}");
    assert_estimated(error.usage());
}

#[tokio::test]
async fn an_answer_that_names_no_cost_is_estimated() {
    let text = "HYPOTHESIS: h";
    for usage in [
        "",
        r#","usage":null"#,
        r#","usage":{}"#,
        r#","usage":{"prompt_tokens":0,"completion_tokens":0}"#,
    ] {
        let body = format!(r#"{{"choices":[{{"message":{{"content":"{text}"}}}}]{usage}}}"#);
        let server = Server::start([raw(200, vec![], &body)]);
        let reply = propose(settings(server.base_url()), None).await.unwrap();
        assert_eq!(reply.text, text);
        assert_eq!(reply.usage.completion_tokens, 4, "{usage}");
        assert_estimated(Usage { completion_tokens: 0, ..reply.usage });
    }
}

#[tokio::test]
async fn silence_is_an_outage() {
    let server = Server::start([Answer::text("never").held()]);
    let settings =
        LlmSettings { timeout: Duration::from_millis(50), ..settings(server.base_url()) };
    let error = propose(settings, None).await.unwrap_err();
    assert!(
        matches!(&error, ProposerError::Timeout { .. }) && error.to_string().contains("0.05 s"),
        "{error:?}"
    );
    assert_charged(error.usage(), USUAL);
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_answer_comes_when_it_is_released() {
    let server = Server::start([Answer::text("at last").held()]);
    let settings = settings(server.base_url());
    let asked = tokio::spawn(async move { propose(settings, None).await });
    tokio::task::block_in_place(|| server.wait_for(1));
    assert!(!asked.is_finished());
    server.release();
    assert_eq!(asked.await.unwrap().unwrap().text, "at last");
    assert_eq!(server.finish().len(), 1);
}

#[tokio::test]
async fn nobody_there_is_an_outage_that_names_the_address() {
    let address = nowhere();
    let error = propose(settings(&address), None).await.unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, ProposerError::Unreachable { .. }), "{message}");
    assert_eq!(error.usage(), Usage::default());
    assert!(message.contains(&address) && message.contains("refused"), "{message}");
    let checked = Llm::new(settings(&address)).unwrap().check().await;
    assert!(matches!(checked, Err(ProposerError::Unreachable { .. })), "{checked:?}");
}

#[tokio::test]
async fn an_address_that_is_none_is_refused() {
    let error = propose(settings("not an address"), None).await.unwrap_err();
    assert!(matches!(error, ProposerError::Refused { .. }), "{error:?}");
}

#[tokio::test]
async fn a_check_asks_for_the_models() {
    check(Answer::models()).await.unwrap();
    check(Answer::error(404, "no such route")).await.unwrap();
    let unauthorized = check(Answer::error(401, "who are you")).await;
    assert!(matches!(unauthorized, Err(ProposerError::Unauthorized { .. })), "{unauthorized:?}");
    let down = check(Answer::error(503, "later")).await;
    assert!(matches!(down, Err(ProposerError::Overloaded { .. })), "{down:?}");
}

#[tokio::test]
async fn a_trial_asks_for_a_token_and_hears_only_what_a_human_has_to_mend() {
    for (answer, expected) in [
        (Answer::CutByLength("Yes".to_owned()), Ok(COST)),
        (Answer::error(400, "max_tokens is not supported"), Ok(Usage::default())),
        (Answer::error(503, "later"), Ok(Usage::default())),
        (Answer::error(401, "who are you"), Err(())),
        (Answer::error(402, "pay first"), Err(())),
        (Answer::error(404, "no model m"), Err(())),
        (Answer::error(400, "model_not_found"), Err(())),
    ] {
        let server = Server::start_with(Answer::models(), answer, []);
        let tried = Llm::new(settings(server.base_url())).unwrap().try_out().await;
        let tried = tried.map_err(|error| assert!(error.is_for_a_human(), "{error}"));
        assert_eq!(tried, expected);
        server.finish();
    }
}

#[test]
fn a_key_with_a_line_break_is_refused_before_it_is_sent() {
    let settings = LlmSettings { api_key: format!("{KEY}\n"), ..settings("http://x/v1") };
    assert!(matches!(Llm::new(settings), Err(ProposerError::Unauthorized { .. })));
}

#[test]
fn no_secret_is_shown() {
    let llm = Llm::new(settings("http://me:password@host/v1")).unwrap();
    let shown = format!("{llm:?} {:?}", settings("http://me:password@host/v1"));
    assert!(!shown.contains(KEY) && !shown.contains("password"), "{shown}");
    assert_eq!(llm.name(), "llm:m");
}

#[tokio::test]
#[should_panic(expected = "the first is not the system's")]
async fn the_server_reports_a_request_that_breaks_the_protocol() {
    let server = Server::start([Answer::text("x")]);
    let body =
        serde_json::json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }] });
    post(server.base_url(), &body.to_string()).await;
    server.finish();
}

/// A completion request as no good client makes it.
async fn post(base_url: &str, body: &str) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let host = base_url.trim_start_matches("http://").trim_end_matches("/v1");
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
         content-type: application/json\r\nauthorization: Bearer k\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.read_to_end(&mut Vec::new()).await.unwrap();
}
