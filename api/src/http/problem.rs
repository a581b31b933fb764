//! Errors as RFC 9457 says: `application/problem+json` with a stable code, and the fields concerned.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use leadyard_market::{IntakeError, QuoteError};
use leadyard_types::FieldProblem;

use super::wire::ProblemBody;

/// An answer that says what was wrong and what would be right. It never repeats what was sent.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    problems: Vec<FieldProblem>,
    retry_after_seconds: Option<u64>,
}

impl Problem {
    /// A problem.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), problems: Vec::new(), retry_after_seconds: None }
    }

    /// With the fields concerned.
    #[must_use]
    pub fn with(mut self, problems: Vec<FieldProblem>) -> Self {
        self.problems = problems;
        self
    }

    /// With the time after which trying again makes sense, in whole seconds, at least one.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after_seconds = Some(after.as_secs().max(1));
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let body = ProblemBody::new(self.status.as_u16(), title, self.code, self.detail, self.problems);
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<IntakeError> for Problem {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::UnknownSource => {
                Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORISED", "a source's API key is expected")
            }
            IntakeError::KeyReused => Self::new(
                StatusCode::CONFLICT,
                "IDEMPOTENCY_KEY_REUSED",
                "this Idempotency-Key was used with another body; use a new key for another lead",
            ),
            IntakeError::Busy { retry_after } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "BUSY", "too many leads are waiting; try again")
                    .retry_after(retry_after)
            }
            IntakeError::Store(error) => {
                tracing::error!(%error, "a lead could not be stored");
                let detail = "the lead could not be stored; send it again with the same Idempotency-Key";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", detail).retry_after(Duration::from_secs(2))
            }
        }
    }
}

impl From<QuoteError> for Problem {
    fn from(error: QuoteError) -> Self {
        match error {
            QuoteError::Intake(error) => error.into(),
            QuoteError::TooManyPings { most, period, retry_after } => {
                let detail = format!("at most {most} pings a {} were agreed", period.as_str().to_ascii_lowercase());
                Self::new(StatusCode::TOO_MANY_REQUESTS, "PING_LIMIT", detail).retry_after(retry_after)
            }
            QuoteError::Unknown => {
                let detail = "there is no such ping of this source; send the ping_id that /v1/pings answered";
                Self::new(StatusCode::NOT_FOUND, "PING_UNKNOWN", detail)
            }
            QuoteError::Refused => {
                let detail = "nothing was promised for this ping; only a ping that was offered a price is posted";
                Self::new(StatusCode::CONFLICT, "PING_REFUSED", detail)
            }
            QuoteError::Expired { expired_at } => {
                let detail = format!("the promise held until {}; ping again", expired_at.to_rfc3339());
                Self::new(StatusCode::GONE, "PING_EXPIRED", detail)
            }
            QuoteError::Changed(problems) => {
                let detail = "what was priced in the ping has changed; nothing was stored, and the ping still stands";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "PING_CHANGED", detail).with(problems)
            }
            QuoteError::Used => {
                let detail = "another lead was posted for this ping; ping again for each lead";
                Self::new(StatusCode::CONFLICT, "PING_USED", detail)
            }
        }
    }
}

pub(super) async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "NOT_FOUND", "there is nothing at this address")
}

pub(super) async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "this address takes other methods: see Allow")
}
