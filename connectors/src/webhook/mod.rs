//! Webhooks: a signed POST or PUT, as Standard Webhooks 1.0 describes it.
//!
//! The id of the message is the delivery's, the same for every attempt, so that a receiver recognises a repetition; the
//! time is that of the attempt.
//!
//! A buyer who answers posts can be asked later what became of a lead whose answer was lost, where the settings say how:
//!
//! ```json
//! {
//!   "url": "https://crm.example.com/leads",
//!   "status_query": {
//!     "url": "https://crm.example.com/leads/{{ delivery_id }}",
//!     "headers": [["authorization", "Bearer k"]],
//!     "answer": {
//!       "accepted": { "path": "lead.state", "equals": ["sold", "taken"] },
//!       "rejected": { "path": "lead.state", "equals": "refused", "statuses": [200, 422] },
//!       "duplicate": { "path": "lead.why", "pattern": "known" },
//!       "absent": { "statuses": [404] },
//!       "reference": "lead.id",
//!       "reason": "lead.why"
//!     },
//!     "absent_proves_after_minutes": 30
//!   }
//! }
//! ```

mod classify;
mod config;
mod sign;
mod status;
#[cfg(test)]
mod tests;
mod verdict;

use leadyard_types::{DeliveryOutcome, Timestamp};
use secrecy::SecretString;

pub use config::{WebhookConfig, WebhookMethod};
pub(crate) use config::{check_headers, is_content_type};
pub use sign::{InvalidSecret, TOLERANCE_SECONDS, Unverified, check_secret, new_secret, signature_headers, verify};
pub use status::{StatusMethod, StatusQuery, ask_status};

pub use verdict::is_reference;

use crate::attempted::Attempted;
use crate::http::{GuardedClient, OutboundAnswer, OutboundRequest};
use crate::package::DeliveryPackage;
use crate::redact::Redactor;
use crate::template::render;

/// Sends a lead that is sold already. Of the answer only the status counts.
pub async fn deliver(
    client: &GuardedClient,
    config: &WebhookConfig,
    secrets: &[SecretString],
    package: &DeliveryPackage,
    now: Timestamp,
) -> Attempted {
    let request = match request(config, secrets, package, now) {
        Ok(request) => request,
        Err(problem) => return Attempted::misconfigured(problem),
    };
    let started = tokio::time::Instant::now();
    match client.send(request).await {
        Ok(answer) => {
            let (outcome, error) = classify::outcome(&answer);
            let mut attempted = answered(outcome, &answer, package);
            attempted.retry_after = classify::retry_after(&answer, now);
            attempted.error = error.map(str::to_owned);
            attempted
        }
        Err(failure) => {
            Attempted::of(classify::failed(failure)).because(failure.to_string()).lasting(started.elapsed())
        }
    }
}

/// Asks a buyer who answers the post whether it takes the lead. The outcome is ACCEPTED, DUPLICATE, REJECTED, UNKNOWN,
/// RETRY (certainly not taken: asking again is safe) or MISCONFIGURED (certainly not sent).
pub async fn ask_verdict(
    client: &GuardedClient,
    config: &WebhookConfig,
    secrets: &[SecretString],
    package: &DeliveryPackage,
    now: Timestamp,
) -> Attempted {
    let request = match request(config, secrets, package, now) {
        Ok(request) => request,
        Err(problem) => return Attempted::misconfigured(problem),
    };
    let started = tokio::time::Instant::now();
    match client.send(request).await {
        Ok(answer) => {
            let verdict = verdict::read(&answer);
            let redactor = Redactor::of(package);
            let mut attempted = answered(verdict.outcome, &answer, package);
            attempted.retry_after = classify::retry_after(&answer, now);
            attempted.error = verdict.error.map(str::to_owned);
            attempted.reference = verdict.reference.filter(|reference| !redactor.finds(reference));
            attempted.reason = verdict.reason.map(|reason| redactor.text(&reason)).filter(|reason| !reason.is_empty());
            attempted
        }
        Err(failure) => {
            Attempted::of(verdict::without_answer(failure)).because(failure.to_string()).lasting(started.elapsed())
        }
    }
}

/// The signed request, or what is wrong with the settings.
fn request(
    config: &WebhookConfig,
    secrets: &[SecretString],
    package: &DeliveryPackage,
    now: Timestamp,
) -> Result<OutboundRequest, String> {
    if secrets.is_empty() {
        return Err("the destination has no signing secret".to_owned());
    }
    let body = match &config.template {
        Some(template) => render(template, config.format(), &package.context()).map_err(|error| error.to_string())?,
        None => package.default_body().to_string(),
    };
    let mut headers = config.headers.clone();
    headers.push(("content-type".to_owned(), config.content_type.clone()));
    let id = package.delivery_id.to_string();
    headers.extend(signature_headers(secrets, &id, now, body.as_bytes()).map_err(|error| error.to_string())?);
    Ok(OutboundRequest {
        method: config.method.into(),
        url: config.url.clone(),
        headers,
        body: body.into_bytes(),
        timeout: config.timeout(),
    })
}

fn answered(outcome: DeliveryOutcome, answer: &OutboundAnswer, package: &DeliveryPackage) -> Attempted {
    Attempted {
        status: Some(answer.status),
        answer_excerpt: Redactor::of(package).excerpt(&answer.body),
        answer_bytes: answer.body.len(),
        ..Attempted::of(outcome).lasting(answer.duration)
    }
}
