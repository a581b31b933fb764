//! The settings of a webhook destination.

use std::time::Duration;

use leadyard_types::FieldProblem;
use serde::{Deserialize, Serialize};

use super::status::StatusQuery;
use crate::http::{Method, OutboundPolicy};
use crate::template::{Format, check_template};

/// Where the answer is usually there in a second; Standard Webhooks asks for 15 to 30.
const TIMEOUT_MS_DEFAULT: u64 = 15_000;
/// Less than this no handshake over the sea ends in time.
const TIMEOUT_MS_MIN: u64 = 500;
/// More than this only holds a worker.
const TIMEOUT_MS_MAX: u64 = 30_000;

/// Enough for a key, a tenant and a few switches.
const HEADERS_MAX: usize = 20;
const HEADER_NAME_CHARS_MAX: usize = 100;
const HEADER_VALUE_CHARS_MAX: usize = 2_000;

/// Headers that belong to HTTP itself, to the connection, or to us.
const OUR_HEADERS: [&str; 17] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// How a lead is posted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum WebhookMethod {
    /// POST.
    #[default]
    Post,
    /// PUT.
    Put,
}

impl From<WebhookMethod> for Method {
    fn from(method: WebhookMethod) -> Self {
        match method {
            WebhookMethod::Post => Method::Post,
            WebhookMethod::Put => Method::Put,
        }
    }
}

/// A webhook destination. Its `Debug` form shows neither the URL's query nor the headers' values.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Where to.
    pub url: String,
    /// How.
    #[serde(default)]
    pub method: WebhookMethod,
    /// Further headers, for example an authorisation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The content type; it also decides how a template's values are escaped.
    #[serde(default = "json")]
    pub content_type: String,
    /// The body; absent = the standard event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// How long the whole exchange may take.
    #[serde(default = "timeout")]
    pub timeout_ms: u64,
    /// How the buyer is asked what became of a lead whose answer was lost; only where the buyer answers posts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_query: Option<StatusQuery>,
}

pub(super) fn json() -> String {
    "application/json".to_owned()
}

fn timeout() -> u64 {
    TIMEOUT_MS_DEFAULT
}

impl std::fmt::Debug for WebhookConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookConfig")
            .field("method", &self.method)
            .field("headers", &self.headers.len())
            .field("content_type", &self.content_type)
            .field("template_bytes", &self.template.as_ref().map(String::len))
            .field("timeout_ms", &self.timeout_ms)
            .field("status_query", &self.status_query)
            .finish_non_exhaustive()
    }
}

impl WebhookConfig {
    /// A destination with nothing special about it.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            method: WebhookMethod::Post,
            headers: Vec::new(),
            content_type: json(),
            template: None,
            timeout_ms: TIMEOUT_MS_DEFAULT,
            status_query: None,
        }
    }

    /// What the body is.
    #[must_use]
    pub fn format(&self) -> Format {
        Format::of_content_type(&self.content_type)
    }

    /// How long an exchange may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.clamp(TIMEOUT_MS_MIN, TIMEOUT_MS_MAX))
    }

    /// Everything that is wrong with the settings, under these rules of outward requests.
    #[must_use]
    pub fn check(&self, policy: &OutboundPolicy) -> Vec<FieldProblem> {
        let mut problems = Vec::new();
        if let Err(message) = policy.check_url(&self.url) {
            problems.push(FieldProblem::new("url", "INVALID_URL", message));
        }
        check_headers(&self.headers, |field, code, message| problems.push(FieldProblem::new(field, code, message)));
        if !is_content_type(&self.content_type) {
            let message = "a media type such as application/json is expected";
            problems.push(FieldProblem::new("content_type", "INVALID_CONTENT_TYPE", message));
        }
        match &self.template {
            Some(template) => problems.extend(check_template("template", template, self.format()).err()),
            None if self.format() != Format::Json => {
                let message = "a body that is not JSON needs a template";
                problems.push(FieldProblem::new("template", "REQUIRED", message));
            }
            None => {}
        }
        if !(TIMEOUT_MS_MIN..=TIMEOUT_MS_MAX).contains(&self.timeout_ms) {
            problems.push(FieldProblem::new("timeout_ms", "OUT_OF_RANGE", "between 500 and 30000 milliseconds"));
        }
        problems.extend(self.status_query.iter().flat_map(|query| query.check(policy)));
        problems
    }
}

/// Everything that is wrong with the headers of a request: the place in the settings, code and message.
pub(crate) fn check_headers(headers: &[(String, String)], mut add: impl FnMut(&str, &str, &str)) {
    if headers.len() > HEADERS_MAX {
        add("headers", "TOO_MANY", "at most 20 headers");
    }
    for (index, (name, value)) in headers.iter().enumerate() {
        if let Some(message) = header_problem(name, value) {
            add(&format!("headers.{index}"), "INVALID_HEADER", message);
        }
    }
}

/// What is wrong with a header of a destination.
fn header_problem(name: &str, value: &str) -> Option<&'static str> {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let lower = name.to_ascii_lowercase();
    if name.is_empty() || name.len() > HEADER_NAME_CHARS_MAX || !name.chars().all(token) {
        return Some("a header's name has 1 to 100 letters, digits and hyphens");
    }
    if OUR_HEADERS.contains(&lower.as_str()) {
        return Some("this header is set by leadyard itself");
    }
    if lower.starts_with("webhook-") {
        return Some("headers that begin with webhook- carry the signature");
    }
    if value.len() > HEADER_VALUE_CHARS_MAX || !value.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        return Some("a header's value has at most 2000 visible ASCII characters");
    }
    None
}

/// Whether a text is a media type.
pub(crate) fn is_content_type(text: &str) -> bool {
    let visible = text.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    let essence = text.split(';').next().unwrap_or_default().trim();
    let part =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c));
    visible && text.len() <= 200 && essence.split_once('/').is_some_and(|(kind, sub)| part(kind) && part(sub))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(config: &WebhookConfig) -> Vec<String> {
        config.check(&OutboundPolicy::new(true)).into_iter().map(|problem| problem.code).collect()
    }

    #[test]
    fn the_least_settings_are_enough() {
        let config: WebhookConfig = serde_json::from_str(r#"{"url":"https://hooks.example.com/in"}"#).unwrap();
        assert_eq!(config, WebhookConfig::new("https://hooks.example.com/in"));
        assert!(codes(&config).is_empty());
        assert!(serde_json::from_str::<WebhookConfig>(r#"{"url":"https://x.example","secret":"y"}"#).is_err());
    }

    #[test]
    fn everything_wrong_is_reported_at_once() {
        let config = WebhookConfig {
            url: "http://127.0.0.1/".into(),
            headers: vec![("Host".into(), "x".into())],
            content_type: "json".into(),
            template: Some("{{ fields.email".into()),
            timeout_ms: 0,
            ..WebhookConfig::new("")
        };
        assert_eq!(
            codes(&config),
            ["INVALID_URL", "INVALID_HEADER", "INVALID_CONTENT_TYPE", "TEMPLATE_SYNTAX", "OUT_OF_RANGE"]
        );
        let mut form = WebhookConfig::new("https://hooks.example.com/");
        form.content_type = "application/x-www-form-urlencoded".into();
        assert_eq!(codes(&form), ["REQUIRED"]);
    }

    #[test]
    fn headers_cannot_touch_http_or_the_signature() {
        for (name, value) in [
            ("Content-Length", "5"),
            ("transfer-encoding", "chunked"),
            ("Connection", "close"),
            ("Webhook-Signature", "v1,x"),
            ("webhook-id", "x"),
            ("", "x"),
            ("a b", "x"),
            ("x\r\ny", "x"),
            ("x", "a\r\nHost: y"),
            ("x", "\u{fc}"),
        ] {
            let mut config = WebhookConfig::new("https://hooks.example.com/");
            config.headers.push((name.into(), value.into()));
            assert_eq!(codes(&config), ["INVALID_HEADER"], "{name}");
        }
        let mut config = WebhookConfig::new("https://hooks.example.com/");
        config.headers.push(("Authorization".into(), "Bearer hunter2".into()));
        assert!(codes(&config).is_empty());
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
