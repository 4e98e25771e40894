//! One request to head office and its answer, over a connection that is safe for a secret: TLS pinned by the claim
//! code, or plain HTTP that does not leave this machine.

use std::net::IpAddr;
use std::sync::PoisonError;
use std::time::Duration;

use protocol::enroll::{ClaimCode, EnrollReply, EnrollRequest};
use serde::Deserialize;

use crate::error::EnrollError;
use crate::trust;

const CONNECT: Duration = Duration::from_secs(10);
const TOTAL: Duration = Duration::from_secs(30);
/// An answer has some 6 KiB of certificates and settings.
const ANSWER_BYTES: usize = 256 << 10;

/// A URL that may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HqUrl {
    base: String,
    tls: bool,
}

impl HqUrl {
    /// Reads `--hq`.
    ///
    /// # Errors
    /// [`EnrollError::Url`] for what is no URL, and for plain HTTP beyond this machine.
    pub(crate) fn parse(text: &str) -> Result<Self, EnrollError> {
        let refuse = |reason| EnrollError::Url { url: text.to_owned(), reason };
        if !firmware_config::network::is_base_url(text) {
            return Err(refuse("write https://host[:port], or http://127.0.0.1:port on the machine of head office"));
        }
        let base = text.trim_end_matches('/').to_owned();
        let url = reqwest::Url::parse(&base).map_err(|_| refuse("this is no URL"))?;
        let tls = url.scheme() == "https";
        let host = url.host_str().unwrap_or_default();
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        if !tls && host != "localhost" && !address.is_ok_and(|address| address.is_loopback()) {
            return Err(refuse(
                "the claim must not cross a network in clear: use the TLS door of head office (https://)",
            ));
        }
        Ok(Self { base, tls })
    }

    /// As it is written into the configuration.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }
}

#[derive(Deserialize)]
struct Success {
    data: EnrollReply,
}

#[derive(Deserialize)]
struct Failure {
    error: FailureDetail,
}

#[derive(Deserialize)]
struct FailureDetail {
    message: String,
    details: Option<serde_json::Value>,
}

/// Asks head office to make this box a node.
///
/// # Errors
/// [`EnrollError`], by who can do something about it.
pub(crate) async fn send(hq: &HqUrl, code: ClaimCode, request: &EnrollRequest) -> Result<EnrollReply, EnrollError> {
    let unreachable = |reason: String| EnrollError::Unreachable { url: hq.base.clone(), reason };
    let (tls, verdict) = trust::client(code).map_err(|error| unreachable(error.to_string()))?;
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .timeout(TOTAL)
        .user_agent(concat!("provision/", env!("CARGO_PKG_VERSION")));
    // A proxy is for the way out; loopback is no way out.
    let builder = if hq.tls { builder } else { builder.no_proxy() };
    let client = builder.build().map_err(|error| unreachable(chain(&error)))?;
    let sent = client
        .post(format!("{}/v1/enroll", hq.base))
        .header("content-type", "application/json")
        .body(serde_json::to_vec(request).map_err(|error| EnrollError::Answer(error.to_string()))?)
        .send()
        .await;
    let mut response = match sent {
        Ok(response) => response,
        Err(error) => {
            let reason = verdict.lock().unwrap_or_else(PoisonError::into_inner).take();
            return Err(match reason {
                Some(reason) => {
                    let reason = format!("{reason}; the code was not shown to it");
                    EnrollError::NotOurs { url: hq.base.clone(), reason }
                }
                None => unreachable(chain(&error)),
            });
        }
    };
    let status = response.status();
    let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let after = header.and_then(|seconds| seconds.parse().ok());
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| unreachable(chain(&error)))? {
        body.extend_from_slice(&part);
        if body.len() > ANSWER_BYTES {
            return Err(EnrollError::Answer("it is far too long".to_owned()));
        }
    }
    if status.is_success() {
        let answer: Success = serde_json::from_slice(&body).map_err(|error| EnrollError::Answer(error.to_string()))?;
        return Ok(answer.data);
    }
    Err(refusal(status.as_u16(), after, &body))
}

/// What a refusal means.
fn refusal(status: u16, after: Option<u64>, body: &[u8]) -> EnrollError {
    let Ok(Failure { error }) = serde_json::from_slice::<Failure>(body) else {
        return EnrollError::Answer(format!("status {status}, and nothing that head office would say"));
    };
    if status == 429 || status >= 500 {
        return EnrollError::NotNow { message: error.message, after };
    }
    let details = error.details.as_ref().and_then(|details| details.get("reason"));
    let reason = details.and_then(serde_json::Value::as_str).unwrap_or("refused");
    EnrollError::Refused { reason: reason.to_owned(), message: error.message }
}

/// An error with its causes, without the URL that reqwest repeats.
fn chain(error: &dyn std::error::Error) -> String {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes.last().cloned().unwrap_or_else(|| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_does_not_cross_a_network_in_clear() {
        for good in ["http://127.0.0.1:8080", "http://localhost:8080/", "http://[::1]:8080", "https://hq.example.org"] {
            assert!(HqUrl::parse(good).is_ok(), "{good}");
        }
        for bad in ["http://hq.example.org", "http://192.168.1.9:8080", "hq.example.org", "https://hq/v1/enroll", ""] {
            let error = HqUrl::parse(bad).unwrap_err();
            assert!(error.to_string().contains("https://"), "{error}");
            assert_eq!(error.exit(), Some(crate::Exit::Usage));
        }
    }

    #[test]
    fn refusals_are_sorted_by_who_can_do_something() {
        let body = br#"{"error":{"code":"CONFLICT","message":"used","details":{"reason":"claim_used"}}}"#;
        assert!(matches!(refusal(409, None, body), EnrollError::Refused { reason, .. } if reason == "claim_used"));
        let later = refusal(429, Some(7), br#"{"error":{"code":"RATE_LIMIT","message":"slow down"}}"#);
        assert!(later.to_string().ends_with("in 7 seconds"), "{later}");
        assert!(matches!(refusal(404, None, b"<html>"), EnrollError::Answer(_)));
    }
}
