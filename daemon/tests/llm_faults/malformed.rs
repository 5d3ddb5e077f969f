//! Answers that are none: whatever comes, it is a text or a named error, and never a panic.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_openai::middleware::HttpRequestFactory;
use dfr_daemon::context::{Context, Now};
use dfr_daemon::experiment::History;
use dfr_daemon::patch;
use dfr_daemon::prompt::Size;
use dfr_daemon::proposer::{Proposer, ProposerError, Reply};
use dfr_daemon::task::Task;
use serde_json::json;

use crate::night::proposer;

/// What becomes of each of these bodies, each sent with status 200.
fn read(bodies: Vec<Vec<u8>>) -> Vec<Result<Reply, ProposerError>> {
    let count = bodies.len();
    let bodies = std::sync::Arc::new(Mutex::new(bodies.into_iter()));
    let transport = tower::service_fn(move |request: HttpRequestFactory| {
        let body = bodies.lock().unwrap().next().unwrap();
        async move {
            request.build().await?;
            Ok(http::Response::new(body).into())
        }
    });
    let mut llm = proposer(transport);
    let task = Task::load("video-sample").unwrap();
    let (history, files) = (History::default(), BTreeMap::new());
    let context = Context {
        task: &task,
        program: "p",
        state: "s",
        history: &history,
        files: &files,
        budget_s: 20,
        now: &Now::default(),
        looks: &[],
        repair: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut ask = || runtime.block_on(llm.propose(&context, Size::Small));
    (0..count).map(|_| ask()).collect()
}

/// A whole answer with this text.
fn completion(text: &str) -> Vec<u8> {
    let choice = json!({ "message": { "content": text }, "finish_reason": "stop" });
    json!({ "choices": [choice], "usage": { "prompt_tokens": 3 } }).to_string().into_bytes()
}

const TEXT: &str = "HYPOTHESIS: ü\nDESCRIPTION: d\n\na.rs\n<<<<<<< FILE\nx\n>>>>>>> FILE\n";

#[test]
fn an_answer_cut_at_any_byte_is_unreadable() {
    let whole = completion(TEXT);
    let cuts = (0..whole.len()).map(|end| whole[..end].to_vec()).collect();
    for (end, read) in read(cuts).into_iter().enumerate() {
        let is_named = matches!(&read, Err(ProposerError::Unreadable { usage, .. })
            if usage.prompt_tokens > 0);
        assert!(is_named, "cut at {end}: {read:?}");
    }
}

#[test]
fn a_text_cut_at_any_character_is_a_text() {
    let cuts: Vec<_> = TEXT.char_indices().map(|(end, _)| &TEXT[..end]).skip(1).collect();
    let replies = read(cuts.iter().map(|text| completion(text)).collect());
    for (text, reply) in cuts.iter().zip(replies) {
        assert_eq!(reply.unwrap().text, *text);
        // Understood or not, it does not panic; a block that is not closed is never a proposal.
        let is_whole = text.trim_end().ends_with(">>>>>>> FILE");
        assert_eq!(patch::parse(text).is_ok(), is_whole, "{text:?}");
    }
}

#[test]
fn strange_bytes_and_great_lengths_are_texts_or_named() {
    let long = "x".repeat(10 * 1024 * 1024);
    let texts = ["a\0b".to_owned(), "a\r\nb\r\n".to_owned(), "\u{202e}\u{feff}a".to_owned(), long];
    for (text, reply) in texts.iter().zip(read(texts.iter().map(|t| completion(t)).collect())) {
        assert!(reply.unwrap().text == *text);
        let _understood = patch::parse(text);
    }
    let mut crlf = completion("a");
    crlf.splice(1..1, *b"\r\n\r\n");
    assert_eq!(read(vec![crlf]).remove(0).unwrap().text, "a");
    let wrong = [
        b"\0".to_vec(),
        b"\xff\xfe{}".to_vec(),
        vec![b'['; 1 << 20],
        vec![b' '; 33 << 20],
        b"{\"choices\":[],\"usage\":{\"prompt_tokens\":-1}}".to_vec(),
        b"{\"choices\":[{\"message\":{\"content\":[1]}}]}".to_vec(),
        b"null".to_vec(),
    ];
    for (at, read) in read(wrong.to_vec()).into_iter().enumerate() {
        assert!(matches!(&read, Err(ProposerError::Unreadable { .. })), "{at}: {read:?}");
    }
}
