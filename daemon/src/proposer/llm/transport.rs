//! One request, sent once, and its answer read whole within bounds.
//!
//! Stands between async-openai and the network in place of its retries, and keeps status, headers
//! and body of a refusal, which async-openai's own error does not.

use std::time::Duration;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use http::HeaderMap;
use tower::{Service, ServiceExt as _};

use super::failure::{self, Failure};
use super::refusal::HttpFailure;
use crate::clock;

/// Bytes of an error's body that are read.
const REFUSAL_LIMIT: usize = 16 * 1024;
/// Bytes of an answer that are read: far more than any model writes.
const ANSWER_LIMIT: usize = 32 * 1024 * 1024;
/// Longest wait for a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);

/// The network.
///
/// # Errors
/// A system without usable certificates.
pub fn network() -> Result<reqwest::Client, Failure> {
    let client = reqwest::Client::builder().connect_timeout(CONNECT_LIMIT).build();
    client.map_err(failure::from_reqwest)
}

/// A client that makes each request with `http` and sends it once over the transport.
pub fn client<S>(config: OpenAIConfig, http: reqwest::Client, transport: S) -> Client<OpenAIConfig>
where
    S: Service<HttpRequestFactory, Response = reqwest::Response, Error = OpenAIError>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let send = move |request| send(transport.clone(), request);
    Client::build(http, config).with_http_service(tower::service_fn(send))
}

async fn send<S>(transport: S, request: HttpRequestFactory) -> Result<reqwest::Response, Failure>
where
    S: Service<HttpRequestFactory, Response = reqwest::Response, Error = OpenAIError>,
{
    let mut response = transport.oneshot(request).await?;
    let mut body = Vec::new();
    if response.status().is_success() {
        read(&mut response, &mut body, ANSWER_LIMIT).await?;
        if body.len() > ANSWER_LIMIT {
            return Err(Failure::Unreadable(format!("more than {ANSWER_LIMIT} bytes")));
        }
        return Ok(http::Response::new(body).into());
    }
    // A refusal cut in its body is that refusal all the same.
    let _ = read(&mut response, &mut body, REFUSAL_LIMIT).await;
    let (status, retry_after) = (response.status().as_u16(), retry_after(response.headers()));
    let body = String::from_utf8_lossy(&body).into_owned();
    Err(Failure::Http(HttpFailure { status, retry_after, body }))
}

/// Reads to the end, or until there is more than `limit`.
async fn read(
    response: &mut reqwest::Response,
    body: &mut Vec<u8>,
    limit: usize,
) -> Result<(), Failure> {
    while body.len() <= limit
        && let Some(chunk) = response.chunk().await.map_err(failure::from_reqwest)?
    {
        body.extend_from_slice(&chunk);
    }
    Ok(())
}

/// The header `Retry-After`: seconds, or a date, which is read against the server's own clock if it
/// tells that.
///
/// # Source
/// RFC 9110, sections 10.2.3 and 5.6.7.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let value = text("retry-after")?;
    value.parse().map(Duration::from_secs).ok().or_else(|| {
        let now_ms = text("date").and_then(clock::http_date_ms).unwrap_or_else(clock::wall_ms);
        let wait_ms = clock::http_date_ms(value)?.saturating_sub(now_ms);
        Some(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(retry_after_text: &str, date: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", retry_after_text.parse().unwrap());
        if let Some(date) = date {
            headers.insert("date", date.parse().unwrap());
        }
        retry_after(&headers).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_wait_is_seconds_or_a_date() {
        let now = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        for (text, seconds) in [
            ("17", Some(17)),
            (" 0 ", Some(0)),
            ("99999999999999", Some(99_999_999_999_999)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", Some(0)),
            ("Mon, 07 Nov 1994 08:49:38 GMT", Some(24 * 3600 + 1)),
            ("soon", None),
            ("-3", None),
            ("", None),
        ] {
            assert_eq!(wait(text, now), seconds, "{text:?}");
        }
        // Without the server's clock ours has to do: long past is no wait.
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT", None), Some(0));
        assert!(wait("Tue, 31 Dec 2999 23:59:59 GMT", Some("never")) > Some(365 * 24 * 3600));
    }
}
