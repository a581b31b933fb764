//! Status queries: asking a buyer what became of a lead whose answer was lost. Only ids and the buyer's own mark of its
//! bid go out, signed as the post was; the answer is read by tests that the settings name.

use std::time::Duration;

use leadyard_types::{DeliveryOutcome, FieldProblem, Timestamp};
use minijinja::value::{Serde, Value as TemplateValue};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::config::{check_headers, is_content_type, json};
use super::sign::signature_headers;
use super::{answered, classify, verdict};
use crate::attempted::Attempted;
use crate::http::{GuardedClient, Method, OutboundPolicy, OutboundRequest, SendFailure};
use crate::package::DeliveryPackage;
use crate::ping::{StatusAdapter, StatusAnswer, StatusTold, Told};
use crate::redact::Redactor;
use crate::template::{Format, check_against, render};

/// A buyer looks a lead up in a second or two.
const TIMEOUT_MS_DEFAULT: u64 = 10_000;
const TIMEOUT_MS_MIN: u64 = 500;
const TIMEOUT_MS_MAX: u64 = 30_000;

/// What is not known after a week was not on its way any more.
const ABSENT_MINUTES_MAX: u32 = 7 * 24 * 60;

/// The names that the address and the body of a query may use.
const NAMES: [&str; 4] = ["delivery_id", "sale_id", "lead_id", "ping"];

/// How a status is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StatusMethod {
    /// GET, without a body.
    #[default]
    Get,
    /// POST.
    Post,
}

/// Where and how a buyer is asked what became of a lead whose answer was lost. Its `Debug` form shows neither the address
/// nor the headers' values.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusQuery {
    /// Where; a template that sees `delivery_id`, `sale_id`, `lead_id` and `ping` (its `id` and the buyer's `reference`)
    /// after the host: `https://crm.example.com/leads/{{ delivery_id }}`.
    pub url: String,
    /// How.
    #[serde(default)]
    pub method: StatusMethod,
    /// Further headers, for example an authorisation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The content type of a POST; it also decides how a template's values are escaped.
    #[serde(default = "json")]
    pub content_type: String,
    /// The body of a POST, with the names of the address; absent = a JSON object of these names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// How long the whole exchange may take.
    #[serde(default = "timeout")]
    pub timeout_ms: u64,
    /// How the answer is read; absent = as the answer to a post is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<StatusAnswer>,
    /// From how many minutes after the lost answer on the buyer's word that it knows no such lead proves that it never
    /// got it: then the sale is rejected. Absent = it never proves that, and the sale stays unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent_proves_after_minutes: Option<u32>,
}

fn timeout() -> u64 {
    TIMEOUT_MS_DEFAULT
}

impl std::fmt::Debug for StatusQuery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StatusQuery")
            .field("method", &self.method)
            .field("headers", &self.headers.len())
            .field("answer", &self.answer)
            .field("absent_proves_after_minutes", &self.absent_proves_after_minutes)
            .finish_non_exhaustive()
    }
}

impl StatusQuery {
    /// Everything that is wrong with the settings, under these rules of outward requests.
    pub(super) fn check(&self, policy: &OutboundPolicy) -> Vec<FieldProblem> {
        let mut problems = Vec::new();
        let mut add = |field: &str, code: &str, message: &str| {
            problems.push(FieldProblem::new(format!("status_query.{field}"), code, message));
        };
        if let Err(message) = self.checked_url(policy) {
            add("url", "INVALID_URL", &message);
        }
        check_headers(&self.headers, &mut add);
        if !is_content_type(&self.content_type) {
            add("content_type", "INVALID_CONTENT_TYPE", "a media type such as application/json is expected");
        }
        if !(TIMEOUT_MS_MIN..=TIMEOUT_MS_MAX).contains(&self.timeout_ms) {
            add("timeout_ms", "OUT_OF_RANGE", "between 500 and 30000 milliseconds");
        }
        if self.absent_proves_after_minutes.is_some_and(|minutes| minutes > ABSENT_MINUTES_MAX) {
            add("absent_proves_after_minutes", "OUT_OF_RANGE", "0 to 10080 minutes, a week");
        }
        let tells_absence = self.answer.as_ref().is_some_and(|answer| answer.absent.is_some());
        if self.absent_proves_after_minutes.is_some() && !tells_absence {
            add(
                "answer.absent",
                "REQUIRED",
                "where absence proves something, a test has to say what an absent lead is",
            );
        }
        match (&self.template, self.method) {
            (Some(_), StatusMethod::Get) => add("template", "NOT_ALLOWED", "GET has no body: use POST"),
            (None, StatusMethod::Post) if self.format() != Format::Json => {
                add("template", "REQUIRED", "a body that is not JSON needs a template");
            }
            (Some(template), StatusMethod::Post) => {
                let field = "status_query.template";
                problems.extend(check_against(field, template, self.format(), &NAMES, sample()).err());
            }
            (None, _) => {}
        }
        let answer = self.answer.as_ref().and_then(|answer| StatusAdapter::of(answer).err()).unwrap_or_default();
        problems.extend(
            answer
                .into_iter()
                .map(|problem| FieldProblem { field: format!("status_query.{}", problem.field), ..problem }),
        );
        problems
    }

    /// The address with a sample in its places must be one that may be asked, whatever stands in them.
    fn checked_url(&self, policy: &OutboundPolicy) -> Result<(), String> {
        let authority = self.url.split_once("://").map_or("", |(_, rest)| rest);
        if authority.split(['/', '?', '#']).next().unwrap_or_default().contains('{') {
            return Err("the host stands fast: placeholders come after it".to_owned());
        }
        check_against("url", &self.url, Format::Form, &NAMES, sample()).map_err(|problem| problem.message)?;
        let url = render(&self.url, Format::Form, &names("1", "1", "1", [Some("1"), Some("1")]))
            .map_err(|error| error.to_string())?;
        policy.check_url(&url).map(|_| ()).map_err(str::to_owned)
    }

    fn format(&self) -> Format {
        Format::of_content_type(&self.content_type)
    }

    fn request(
        &self,
        secrets: &[SecretString],
        package: &DeliveryPackage,
        now: Timestamp,
    ) -> Result<OutboundRequest, String> {
        if secrets.is_empty() {
            return Err("the destination has no signing secret".to_owned());
        }
        let context = context(package);
        let url = render(&self.url, Format::Form, &context).map_err(|error| error.to_string())?;
        let mut headers = self.headers.clone();
        let body = match (self.method, &self.template) {
            (StatusMethod::Get, _) => String::new(),
            (StatusMethod::Post, Some(template)) => {
                render(template, self.format(), &context).map_err(|error| error.to_string())?
            }
            (StatusMethod::Post, None) => context.to_string(),
        };
        if self.method == StatusMethod::Post {
            headers.push(("content-type".to_owned(), self.content_type.clone()));
        }
        let id = package.delivery_id.to_string();
        headers.extend(signature_headers(secrets, &id, now, body.as_bytes()).map_err(|error| error.to_string())?);
        let method = match self.method {
            StatusMethod::Get => Method::Get,
            StatusMethod::Post => Method::Post,
        };
        let timeout = Duration::from_millis(self.timeout_ms.clamp(TIMEOUT_MS_MIN, TIMEOUT_MS_MAX));
        Ok(OutboundRequest { method, url, headers, body: body.into_bytes(), timeout })
    }

    /// Whether a buyer that knows no such lead never got it, so long after the answer was lost.
    fn absence_proves(&self, unknown_for: chrono::Duration) -> bool {
        self.absent_proves_after_minutes.is_some_and(|minutes| unknown_for >= chrono::Duration::minutes(minutes.into()))
    }
}

fn names(delivery: &str, sale: &str, lead: &str, [ping, reference]: [Option<&str>; 2]) -> Value {
    json!({ "delivery_id": delivery, "sale_id": sale, "lead_id": lead, "ping": { "id": ping, "reference": reference } })
}

fn context(package: &DeliveryPackage) -> Value {
    let ping = package.ping.as_ref().map(|ping| ping.id.to_string());
    let reference = package.ping.as_ref().and_then(|ping| ping.reference.as_deref());
    let [delivery, sale, lead] =
        [package.delivery_id.to_string(), package.sale_id.to_string(), package.lead_id.to_string()];
    names(&delivery, &sale, &lead, [ping.as_deref(), reference])
}

fn sample() -> TemplateValue {
    TemplateValue::from(Serde(names("1", "1", "1", [Some("1"), Some("1")])))
}

/// Asks what became of a lead whose answer was lost so long ago. The outcome is ACCEPTED, DUPLICATE or REJECTED; anything
/// else settles nothing: UNKNOWN, RETRY (certainly not asked) or MISCONFIGURED.
pub async fn ask_status(
    client: &GuardedClient,
    query: &StatusQuery,
    secrets: &[SecretString],
    package: &DeliveryPackage,
    unknown_for: chrono::Duration,
    now: Timestamp,
) -> Attempted {
    let request = match query.request(secrets, package, now) {
        Ok(request) => request,
        Err(problem) => return Attempted::misconfigured(problem),
    };
    let adapter = match query.answer.as_ref().map(StatusAdapter::of).transpose() {
        Ok(adapter) => adapter,
        Err(_) => return Attempted::misconfigured("the settings of the status query's answer cannot be used"),
    };
    let started = tokio::time::Instant::now();
    let answer = match client.send(request).await {
        Ok(answer) => answer,
        Err(failure) => {
            let outcome = match failure {
                SendFailure::Forbidden(_) => DeliveryOutcome::Misconfigured,
                SendFailure::NotSent(_) => DeliveryOutcome::Retry,
                SendFailure::AnswerLost(_) => DeliveryOutcome::Unknown,
            };
            return Attempted::of(outcome).because(failure.to_string()).lasting(started.elapsed());
        }
    };
    let told = adapter.as_ref().map_or_else(|| as_a_post(&answer), |adapter| adapter.read(&answer));
    let (outcome, error) = match told.told {
        Told::Accepted => (DeliveryOutcome::Accepted, None),
        Told::Rejected => (DeliveryOutcome::Rejected, None),
        Told::Duplicate => (DeliveryOutcome::Duplicate, None),
        Told::Absent if query.absence_proves(unknown_for) => {
            (DeliveryOutcome::Rejected, Some("the buyer knows no such lead: it never got it"))
        }
        Told::Absent => (DeliveryOutcome::Unknown, Some("the buyer knows no such lead, which proves nothing yet")),
        Told::Nothing(why) => (DeliveryOutcome::Unknown, Some(why)),
    };
    let redactor = Redactor::of(package);
    let mut attempted = answered(outcome, &answer, package);
    attempted.retry_after = classify::retry_after(&answer, now);
    attempted.error = error.map(str::to_owned);
    attempted.reference =
        told.reference.filter(|reference| verdict::is_reference(reference) && !redactor.finds(reference));
    attempted.reason = told.reason.map(|reason| redactor.text(&reason)).filter(|reason| !reason.is_empty());
    attempted
}

/// Where nothing is said about the answer, it is that to a post.
fn as_a_post(answer: &crate::http::OutboundAnswer) -> StatusTold {
    let read = verdict::read(answer);
    let told = match read.outcome {
        DeliveryOutcome::Accepted => Told::Accepted,
        DeliveryOutcome::Rejected => Told::Rejected,
        DeliveryOutcome::Duplicate => Told::Duplicate,
        _ => Told::Nothing(read.error.unwrap_or("the buyer's answer names no verdict")),
    };
    StatusTold { told, reference: read.reference, reason: read.reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(config: Value) -> StatusQuery {
        serde_json::from_value(config).unwrap()
    }

    fn problems(config: Value) -> Vec<(String, String)> {
        let found = query(config).check(&OutboundPolicy::new(true));
        found.into_iter().map(|problem| (problem.field, problem.code)).collect()
    }

    /// Placeholders stand where they change neither host nor meaning, and every problem is named with its place.
    #[test]
    fn settings_are_checked() {
        let found =
            problems(json!({ "url": "https://crm.example.com/leads/{{ delivery_id }}?ref={{ ping.reference }}" }));
        assert!(found.is_empty(), "{found:?}");
        for url in [
            "https://{{ delivery_id }}.example.com/",
            "https://crm.example.com/{{ fields.email }}",
            "https://crm.example.com/{{ delivery_id",
            "http://127.0.0.1/{{ sale_id }}",
            "ftp://crm.example.com/",
        ] {
            assert_eq!(problems(json!({ "url": url })), [("status_query.url".into(), "INVALID_URL".into())], "{url}");
        }
        let all =
            problems(json!({ "url": "https://crm.example.com/", "headers": [["Host", "x"]], "content_type": "json",
            "template": "{}", "timeout_ms": 1, "absent_proves_after_minutes": 10_081, "answer": {} }));
        let all: Vec<(&str, &str)> = all.iter().map(|(field, code)| (field.as_str(), code.as_str())).collect();
        assert_eq!(
            all,
            [
                ("status_query.headers.0", "INVALID_HEADER"),
                ("status_query.content_type", "INVALID_CONTENT_TYPE"),
                ("status_query.timeout_ms", "OUT_OF_RANGE"),
                ("status_query.absent_proves_after_minutes", "OUT_OF_RANGE"),
                ("status_query.answer.absent", "REQUIRED"),
                ("status_query.template", "NOT_ALLOWED"),
                ("status_query.answer.accepted", "REQUIRED"),
            ]
        );
    }

    /// Ids fill the address; what the buyer called its bid cannot break out of its place.
    #[test]
    fn values_stay_in_their_places() {
        let mut package = crate::package::sample();
        let mark = Some("a/../b?c=1&d#é".to_owned());
        package.ping = Some(crate::package::PingMark { id: uuid::Uuid::from_u128(7).into(), reference: mark });
        let secrets = [super::super::new_secret([7; 32])];
        let url = "https://crm.example.com/{{ ping.reference }}/{{ lead_id }}";
        let request = query(json!({ "url": url })).request(&secrets, &package, package.sold_at).unwrap();
        let id = package.lead_id;
        assert_eq!(request.url, format!("https://crm.example.com/a%2F..%2Fb%3Fc%3D1%26d%23%C3%A9/{id}"));
        assert!(request.body.is_empty());
        let posted = query(json!({ "url": "https://crm.example.com/", "method": "POST" }));
        let body = posted.request(&secrets, &package, package.sold_at).unwrap().body;
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["delivery_id"], package.delivery_id.to_string());
        package.ping = None;
        let request = query(json!({ "url": url })).request(&secrets, &package, package.sold_at).unwrap();
        assert_eq!(request.url, format!("https://crm.example.com//{id}"));
    }

    /// "Not known there" proves nothing unless it was agreed from when on it does.
    #[test]
    fn absence_proves_only_what_was_agreed() {
        let url = "https://crm.example.com/";
        let minutes = chrono::Duration::minutes;
        assert!(!query(json!({ "url": url })).absence_proves(minutes(1_000_000)));
        let agreed = query(json!({ "url": url, "absent_proves_after_minutes": 10 }));
        assert!(!agreed.absence_proves(minutes(9)) && agreed.absence_proves(minutes(10)));
    }
}
