//! The settings of webhooks and mails as they are sent.

use async_graphql::{Enum, InputObject, MaybeUndefined};
use leadyard_connectors::webhook::WebhookMethod as Method;
use leadyard_connectors::{EmailConfig, WebhookConfig};
use leadyard_types::FieldProblem;

use super::reading::{Read, Reading, plain, whole};

/// How a lead is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum WebhookMethod {
    /// As usual.
    Post,
    /// For receivers that want it so.
    Put,
}

impl From<WebhookMethod> for Method {
    fn from(method: WebhookMethod) -> Self {
        match method {
            WebhookMethod::Post => Self::Post,
            WebhookMethod::Put => Self::Put,
        }
    }
}

impl From<Method> for WebhookMethod {
    fn from(method: Method) -> Self {
        match method {
            Method::Post => Self::Post,
            Method::Put => Self::Put,
        }
    }
}

/// A header of a request.
#[derive(Debug, InputObject)]
pub(crate) struct HeaderInput {
    /// Its name.
    name: String,
    /// Its value; left out: the one that the header of this name has. It is never shown again.
    value: Option<String>,
}

/// Headers, those without a value as they stand.
pub(super) fn headers(given: Vec<HeaderInput>, path: &str, now: &[(String, String)]) -> Read<Vec<(String, String)>> {
    let header = |(place, header): (usize, HeaderInput)| {
        let same = |(name, _): &&(String, String)| name.eq_ignore_ascii_case(&header.name);
        let kept = || now.iter().find(same).map(|(_, value)| value.clone());
        let missing =
            || FieldProblem::new(format!("{path}.{place}.value"), "REQUIRED", "no header of this name stands");
        let value = header.value.clone().or_else(kept).ok_or_else(missing)?;
        Ok((header.name, value))
    };
    given.into_iter().enumerate().map(header).collect()
}

/// A webhook: a signed HTTP request per lead. What is left out stays; of a new one it is the usual.
#[derive(Debug, InputObject)]
pub(crate) struct WebhookInput {
    /// Where to, an https address.
    url: MaybeUndefined<String>,
    /// How; null, and of a new one: POST.
    method: MaybeUndefined<WebhookMethod>,
    /// All further headers, at most 20, for example an authorisation.
    headers: MaybeUndefined<Vec<HeaderInput>>,
    /// The content type; null, and of a new one: `application/json`. It decides how a template's values are escaped.
    content_type: MaybeUndefined<String>,
    /// The body as a template, up to 16 KiB; null: the standard event.
    template: MaybeUndefined<String>,
    /// How long the whole exchange may take, 500 to 30000 milliseconds; null: as usual.
    timeout_ms: MaybeUndefined<i32>,
}

/// Where the settings of webhooks stand in the input.
const WEBHOOK: &str = "settings.webhook";

impl WebhookInput {
    pub(super) fn lay(self, config: &mut WebhookConfig, reading: &mut Reading) {
        let (at, usual) = (|name: &str| format!("{WEBHOOK}.{name}"), WebhookConfig::new(""));
        let now = config.headers.clone();
        reading.set(&at("url"), self.url, &mut config.url, plain);
        reading.set_or(&at("method"), self.method, (&mut config.method, usual.method), plain);
        let read = |given, path: &str| headers(given, path, &now);
        reading.set_or(&at("headers"), self.headers, (&mut config.headers, Vec::new()), read);
        reading.set_or(&at("contentType"), self.content_type, (&mut config.content_type, usual.content_type), plain);
        reading.optional(&at("template"), self.template, &mut config.template, plain);
        reading.set_or(&at("timeoutMs"), self.timeout_ms, (&mut config.timeout_ms, usual.timeout_ms), whole);
    }
}

/// A mail per lead. What is left out stays.
#[derive(Debug, InputObject)]
pub(crate) struct EmailInput {
    /// The recipients, 1 to 10, together in one mail; each an address with or without a name: `Sun <leads@sun.example>`.
    to: MaybeUndefined<Vec<String>>,
    /// The subject, a plain-text template of one line.
    subject: MaybeUndefined<String>,
    /// The body, a plain-text template.
    body: MaybeUndefined<String>,
    /// Where answers go, an address with or without a name; null: to the sender.
    reply_to: MaybeUndefined<String>,
}

impl EmailInput {
    pub(super) fn lay(self, config: &mut EmailConfig, reading: &mut Reading) {
        reading.set("settings.email.to", self.to, &mut config.to, plain);
        reading.set("settings.email.subject", self.subject, &mut config.subject, plain);
        reading.set("settings.email.body", self.body, &mut config.body, plain);
        reading.optional("settings.email.replyTo", self.reply_to, &mut config.reply_to, plain);
    }
}
