//! Ideas from a language model behind any OpenAI-compatible endpoint.
//!
//! One question is one request: async-openai's retries are replaced by a plain transport, because
//! waiting for an endpoint is [`Patient`](super::Patient)'s business. Answers are read leniently
//! (nearly compatible servers are many), failures strictly: each becomes the one [`ProposerError`]
//! that says what to do about it. The key is in no message and in no debug output.

use std::fmt;
use std::mem;
use std::time::Duration;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::{HttpRequestFactory, ReqwestService};
use futures::future::{BoxFuture, FutureExt};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower::Service;

use super::{Proposer, ProposerError, Reply};
use crate::context::Context;
use crate::experiment::Usage;
use crate::look;
use crate::prompt::{self, Message, Role, Size, Templates};

mod failure;
mod refusal;
mod transport;

use failure::{Failure, Told};
use refusal::HttpFailure;

/// Longest wait for the list of models, and for one token: somebody is watching the start.
const CHECK_TIMEOUT: Duration = Duration::from_secs(15);

/// Tokens of an answer that never came, when none has come yet: a whole recipe with some thoughts.
const USUAL_ANSWER_TOKENS: u64 = 4096;

/// What an endpoint needs to be told.
#[derive(Clone)]
pub struct LlmSettings {
    /// Base address, with its version: `https://api.openai.com/v1`.
    pub base_url: String,
    /// Sent as bearer token.
    pub api_key: String,
    /// Name of the model.
    pub model: String,
    /// Longest wait for one answer, all of it.
    pub timeout: Duration,
    /// Tokens of one answer at most, where that is asked for.
    pub max_answer_tokens: Option<u32>,
}

impl fmt::Debug for LlmSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LlmSettings")
            .field("base_url", &failure::without_password(&self.base_url))
            .field("model", &self.model)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// What the endpoint makes of tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tools {
    /// They are offered, and no question with them was answered yet.
    Untried,
    /// A question with them was answered.
    Taken,
    /// They are not offered any more: the orders name the plain form too.
    Refused,
}

/// A proposer that asks a model.
pub struct Llm {
    settings: LlmSettings,
    templates: Templates,
    tools: Tools,
    client: Client<OpenAIConfig>,
    /// What the request under way costs if its answer never comes.
    at_stake: Usage,
    /// Tokens of the longest answer so far.
    longest: u64,
}

impl fmt::Debug for Llm {
    // Without the client, which shows the address with its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Llm").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: &'a [Message],
    /// Tokens of the answer at most, by the name that all servers know.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    /// The same, thoughts included, by the name that newer ones want for models that think.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    /// What may be called before an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Value>,
}

/// The part of a chat completion that is looked at.
#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: Answer,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<Call>>,
}

#[derive(Deserialize)]
struct Call {
    function: Function,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    #[serde(default)]
    arguments: Value,
}

impl Llm {
    /// A proposer for an endpoint; nothing is sent yet.
    ///
    /// # Errors
    /// A key that cannot be a header; a system without usable certificates.
    pub fn new(settings: LlmSettings) -> Result<Self, ProposerError> {
        let network = transport::network();
        let http = network.map_err(|failure| error(&settings, failure, Usage::default()))?;
        Self::over(ReqwestService::new(http.clone()), http, settings)
    }

    /// A proposer over any transport; `http` only makes the requests. A transport that speaks of a
    /// lost connection does so with an [`std::io::Error`] in [`OpenAIError::Boxed`].
    ///
    /// # Errors
    /// A key that cannot be a header.
    pub fn over<S>(
        transport: S,
        http: reqwest::Client,
        mut settings: LlmSettings,
    ) -> Result<Self, ProposerError>
    where
        S: Service<HttpRequestFactory, Response = reqwest::Response, Error = OpenAIError>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        settings.base_url.truncate(settings.base_url.trim_end_matches('/').len());
        if !settings.api_key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(ProposerError::Unauthorized {
                endpoint: failure::without_password(&settings.base_url),
                reason: "it holds blanks or other characters that no key has".to_owned(),
                retry_after: None,
            });
        }
        // Every field is set: what is not would be read from the environment.
        let config = OpenAIConfig::new()
            .with_api_base(&settings.base_url)
            .with_api_key(&settings.api_key)
            .with_org_id("")
            .with_project_id("");
        let client = transport::client(config, http, transport);
        let templates = Templates::default();
        Ok(Self {
            client,
            settings,
            templates,
            tools: Tools::Untried,
            at_stake: Usage::default(),
            longest: 0,
        })
    }

    /// With a human's templates in place of our own.
    #[must_use]
    pub fn with_templates(mut self, templates: Templates) -> Self {
        self.templates = templates;
        self
    }

    async fn ask(
        &mut self,
        messages: &[Message],
        (max_tokens, limit): (Option<u32>, Duration),
    ) -> Result<Reply, ProposerError> {
        let LlmSettings { model, max_answer_tokens, .. } = &self.settings;
        let max_completion_tokens = max_answer_tokens.filter(|_| max_tokens.is_none());
        let has_tools = self.tools != Tools::Refused && max_tokens.is_none();
        let tools = has_tools.then(look::tools);
        let request = Request { model, messages, max_tokens, max_completion_tokens, tools };
        let answer_tokens = max_tokens.map_or_else(|| self.answer_tokens(), u64::from);
        self.at_stake = estimate(messages, answer_tokens);
        let chat = self.client.chat();
        let completion = within(limit, chat.create_byot(request)).await;
        let at_stake = mem::take(&mut self.at_stake);
        let completion = completion.map_err(|failure| self.failed(failure, has_tools, at_stake))?;
        if has_tools {
            self.tools = Tools::Taken;
        }
        self.longest = self.longest.max(cost(&completion, at_stake).completion_tokens);
        read(completion, at_stake)
    }

    /// The error of a failed question. One that tools are at fault for is put without them from now on.
    fn failed(&mut self, failure: Failure, has_tools: bool, at_stake: Usage) -> ProposerError {
        let is_first = self.tools == Tools::Untried;
        let is_of_tools = has_tools
            && matches!(&failure, Failure::Http(http) if refusal::is_of_tools(http, is_first));
        let error = error(&self.settings, failure, at_stake);
        if !is_of_tools {
            return error;
        }
        self.tools = Tools::Refused;
        ProposerError::ToolsRefused(Box::new(error))
    }

    /// Tokens that an answer may be billed which never came: what it is limited to, or as many as the
    /// longest so far.
    fn answer_tokens(&self) -> u64 {
        let limit = self.settings.max_answer_tokens;
        limit.map_or_else(|| self.longest.max(USUAL_ANSWER_TOKENS), u64::from)
    }

    /// One token: several servers list their models for everybody, or not at all.
    async fn ask_for_a_token(&mut self) -> Result<Usage, ProposerError> {
        let message = |role, content: &str| Message { role, content: content.to_owned() };
        let question =
            [message(Role::System, "Answer with one word."), message(Role::User, "Are you there?")];
        let limit = CHECK_TIMEOUT.min(self.settings.timeout);
        match self.ask(&question, (Some(1), limit)).await {
            Ok(reply) => Ok(reply.usage),
            Err(error) if error.is_for_a_human() || error.is_outage() => Err(error),
            // The key is good; the answer is cut, of course, or this question is not to its taste.
            Err(error) => Ok(error.usage()),
        }
    }

    async fn list_models(&self) -> Result<(), ProposerError> {
        let models = self.client.models();
        let limit = CHECK_TIMEOUT.min(self.settings.timeout);
        match within(limit, models.list_byot::<IgnoredAny>()).await {
            Ok(_) => Ok(()),
            // It answers, and has no such route: several compatible servers do not.
            Err(Failure::Http(HttpFailure { status: 404 | 405, .. })) => Ok(()),
            Err(failure) => Err(error(&self.settings, failure, Usage::default())),
        }
    }
}

fn error(settings: &LlmSettings, failure: Failure, at_stake: Usage) -> ProposerError {
    let LlmSettings { base_url, api_key, .. } = settings;
    failure.into_error(&Told { base_url, api_key, at_stake })
}

/// About what a question costs with an answer of so many tokens: four bytes to a token, rounded up.
fn estimate(messages: &[Message], completion_tokens: u64) -> Usage {
    let bytes: usize = messages.iter().map(|message| message.content.len()).sum();
    Usage { prompt_tokens: tokens(bytes), completion_tokens }
}

fn tokens(bytes: usize) -> u64 {
    bytes.div_ceil(4) as u64
}

async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, OpenAIError>>,
) -> Result<T, Failure> {
    tokio::time::timeout(limit, answer)
        .await
        .map_or_else(|_| Err(Failure::Silent(limit)), |answer| answer.map_err(Failure::from))
}

/// What an answer cost: as the server counts it, or about, where it does not count. Nothing is never
/// what it cost, or no limit would ever be reached.
fn cost(completion: &Completion, at_stake: Usage) -> Usage {
    let counted = completion.usage.filter(|usage| *usage != Usage::default());
    let texts = completion.choices.iter().filter_map(|choice| choice.message.content.as_ref());
    let completion_tokens = tokens(texts.map(String::len).sum());
    counted.unwrap_or(Usage { completion_tokens, ..at_stake })
}

fn read(completion: Completion, at_stake: Usage) -> Result<Reply, ProposerError> {
    let usage = cost(&completion, at_stake);
    let Some(choice) = completion.choices.into_iter().next() else {
        return Err(ProposerError::Empty { usage });
    };
    let Answer { content, refusal, tool_calls } = choice.message;
    let calls = tool_calls.unwrap_or_default();
    let calls =
        calls.iter().map(|Call { function }| look::line(&function.name, &function.arguments));
    let calls = Some(calls.collect::<Vec<_>>().join("\n")).filter(|calls| !calls.is_empty());
    let text = calls.or(content.filter(|text| !text.trim().is_empty()));
    match (choice.finish_reason.as_deref(), text) {
        // What was cut is never applied, however whole it looks.
        (Some("length"), _) => Err(ProposerError::Truncated { usage }),
        (Some(finish @ "content_filter"), _) => Err(declined(finish, usage)),
        (_, Some(text)) => Ok(Reply { text, usage }),
        (_, None) => Err(match refusal.filter(|words| !words.trim().is_empty()) {
            Some(words) => declined(&words, usage),
            None => ProposerError::Empty { usage },
        }),
    }
}

fn declined(reason: &str, usage: Usage) -> ProposerError {
    ProposerError::Declined { reason: failure::one_line(reason), usage }
}

impl Proposer for Llm {
    fn name(&self) -> String {
        format!("llm:{}", self.settings.model)
    }

    fn check(&mut self) -> BoxFuture<'_, Result<(), ProposerError>> {
        self.list_models().boxed()
    }

    fn try_out(&mut self) -> BoxFuture<'_, Result<Usage, ProposerError>> {
        let tried = self.ask_for_a_token().map(|tried| match tried {
            // The loop has patience for the rest.
            Err(error) if !error.is_for_a_human() => Ok(error.usage()),
            tried => tried,
        });
        tried.boxed()
    }

    fn probe(&mut self) -> BoxFuture<'_, Result<Usage, ProposerError>> {
        self.ask_for_a_token().boxed()
    }

    fn propose<'a>(
        &'a mut self,
        context: &'a Context<'a>,
        size: Size,
    ) -> BoxFuture<'a, Result<Reply, ProposerError>> {
        let messages = prompt::messages(&self.templates, context, size);
        let limit = self.settings.timeout;
        async move { self.ask(&messages?, (None, limit)).await }.boxed()
    }

    fn stake(&self, context: &Context<'_>, size: Size) -> Usage {
        let asked = prompt::messages(&self.templates, context, size);
        asked.map_or_else(|_| Usage::default(), |asked| estimate(&asked, self.answer_tokens()))
    }

    fn abandoned(&mut self) -> Usage {
        mem::take(&mut self.at_stake)
    }
}
