//! Ideas from a language model behind any OpenAI-compatible endpoint.
//!
//! One question is one request: async-openai's retries are replaced by a plain transport, because
//! waiting for an endpoint is the supervisor's business. Answers are read leniently (nearly
//! compatible servers are many), failures strictly: each becomes the one [`ProposerError`] that
//! says what to do about it. The key is in no message and in no debug output.

use std::fmt;
use std::time::Duration;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::{HttpRequestFactory, ReqwestService};
use futures::future::{BoxFuture, FutureExt};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use tower::Service;

use super::{Proposer, ProposerError, Reply};
use crate::context::Context;
use crate::experiment::Usage;
use crate::prompt::{self, Message};

mod failure;

use failure::{Failure, HttpFailure};

/// Longest wait for the list of models: somebody is watching the start.
const CHECK_TIMEOUT: Duration = Duration::from_secs(15);

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
    /// Sampling temperature; the endpoint's own when absent.
    pub temperature: Option<f32>,
}

impl fmt::Debug for LlmSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LlmSettings")
            .field("base_url", &failure::without_password(&self.base_url))
            .field("model", &self.model)
            .field("timeout", &self.timeout)
            .field("temperature", &self.temperature)
            .finish_non_exhaustive()
    }
}

/// A proposer that asks a model.
pub struct Llm {
    settings: LlmSettings,
    client: Client<OpenAIConfig>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
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
}

impl Llm {
    /// A proposer for an endpoint; nothing is sent yet.
    ///
    /// # Errors
    /// A key that cannot be a header.
    pub fn new(mut settings: LlmSettings) -> Result<Self, ProposerError> {
        settings.base_url.truncate(settings.base_url.trim_end_matches('/').len());
        if !settings.api_key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(ProposerError::Unauthorized {
                endpoint: failure::without_password(&settings.base_url),
                reason: "it holds blanks or other characters that no key has".to_owned(),
            });
        }
        // Every field is set: what is not would be read from the environment.
        let config = OpenAIConfig::new()
            .with_api_base(&settings.base_url)
            .with_api_key(&settings.api_key)
            .with_org_id("")
            .with_project_id("");
        Ok(Self { client: without_retries(config), settings })
    }

    async fn ask(&self, messages: &[Message]) -> Result<Reply, ProposerError> {
        let LlmSettings { model, temperature, .. } = &self.settings;
        let request = Request { model, messages, temperature: *temperature };
        let chat = self.client.chat();
        let completion = within(self.settings.timeout, chat.create_byot(request)).await;
        read(completion.map_err(|failure| self.error(failure))?)
    }

    async fn list_models(&self) -> Result<(), ProposerError> {
        let models = self.client.models();
        let limit = CHECK_TIMEOUT.min(self.settings.timeout);
        match within(limit, models.list_byot::<IgnoredAny>()).await {
            Ok(_) => Ok(()),
            // It answers, and has no such route: several compatible servers do not.
            Err(Failure::Http(HttpFailure { status: 404 | 405, .. })) => Ok(()),
            Err(failure) => Err(self.error(failure)),
        }
    }

    fn error(&self, failure: Failure) -> ProposerError {
        failure.into_error(&self.settings.base_url, &self.settings.api_key)
    }
}

async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, OpenAIError>>,
) -> Result<T, Failure> {
    tokio::time::timeout(limit, answer)
        .await
        .map_or_else(|_| Err(Failure::Silent(limit)), |answer| answer.map_err(Failure::from))
}

/// A client that sends each request once and keeps status and headers of a refusal, which
/// async-openai's own error does not.
fn without_retries(config: OpenAIConfig) -> Client<OpenAIConfig> {
    let transport = ReqwestService::default();
    Client::with_config(config).with_http_service(tower::service_fn(
        move |request: HttpRequestFactory| {
            let mut transport = transport.clone();
            async move {
                let mut response = transport.call(request).await?;
                if response.status().is_success() {
                    return Ok(response);
                }
                let status = response.status().as_u16();
                let retry_after = response.headers().get("retry-after");
                let retry_after_s = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
                let mut body = Vec::new();
                while body.len() < failure::BODY_LIMIT
                    && let Some(chunk) = response.chunk().await?
                {
                    body.extend_from_slice(&chunk);
                }
                let body = String::from_utf8_lossy(&body).into_owned();
                let failure = HttpFailure { status, retry_after_s, body };
                Err(OpenAIError::Boxed(Box::new(failure)))
            }
        },
    ))
}

fn read(completion: Completion) -> Result<Reply, ProposerError> {
    let usage = completion.usage.unwrap_or_default();
    let Some(choice) = completion.choices.into_iter().next() else {
        return Err(ProposerError::Empty { usage });
    };
    if choice.finish_reason.as_deref() == Some("length") {
        return Err(ProposerError::Truncated { usage });
    }
    match choice.message.content {
        Some(text) if !text.trim().is_empty() => Ok(Reply { text, usage }),
        _ => Err(ProposerError::Empty { usage }),
    }
}

impl Proposer for Llm {
    fn name(&self) -> String {
        format!("llm:{}", self.settings.model)
    }

    fn check(&mut self) -> BoxFuture<'_, Result<(), ProposerError>> {
        self.list_models().boxed()
    }

    fn propose<'a>(
        &'a mut self,
        context: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Reply, ProposerError>> {
        let messages = prompt::messages(context);
        async move { self.ask(&messages?).await }.boxed()
    }
}
