//! `POST /v1/sales/{reference}/verdict`: a buyer who was posted a lead says later what became of it, at the address that
//! came with the post.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use leadyard_entity::StoreError;
use leadyard_market::delivery::{ToldVerdict, VerdictRefused};
use leadyard_types::{BuyerVerdict, FieldProblem, SaleState};
use serde_json::{Map, Value};

use super::body::object;
use super::openapi::Unsettled;
use super::receive::Sent;
use super::wire::{VerdictAnswered, VerdictBody};
use super::{HttpState, Problem};

/// A sentence or two.
const REASON_CHARS_MAX: usize = 500;

/// Says what became of a lead that was posted.
///
/// The address is the `callback_url` of the post: it is a secret of this sale. The same verdict again is answered alike and
/// changes nothing; another one is refused once the sale is settled. It may come before the post itself was answered.
#[utoipa::path(
    post, path = "/v1/sales/{reference}/verdict", operation_id = "sale_verdict", tag = "verdicts",
    params(("reference" = String, Path, description = "As it stands in the `callback_url` of the post.")),
    request_body(
        description = "The verdict.",
        content((VerdictBody = "application/json", example = json!({ "verdict": "accepted", "reference": "CRM-4711" })))
    ),
    responses(
        (status = 200, description = "The sale stands so.", body = VerdictAnswered),
        Unsettled
    )
)]
pub(super) async fn tell(
    State(state): State<HttpState>,
    Path(reference): Path<String>,
    headers: HeaderMap,
    body: Result<Sent, Problem>,
) -> Result<Json<VerdictAnswered>, Problem> {
    // First of all: who does not know the address learns nothing about the body either.
    let sale = state.market.called_back(&reference).await.map_err(unavailable)?.ok_or_else(nowhere)?;
    let told = told(&headers, body)?;
    let stands = state.market.take_verdict(sale, told).await?;
    Ok(Json(VerdictAnswered::of(sale.sale_id(), stands)))
}

fn told(headers: &HeaderMap, body: Result<Sent, Problem>) -> Result<ToldVerdict, Problem> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        let detail = "application/json is expected";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", detail));
    }
    let (map, repeated) = object(&body?.0, "one JSON object with a `verdict` is expected")?;
    read(map, &repeated).map_err(|problems| {
        let detail = "a `verdict` is expected, with a `reason` and a `reference` where there are any";
        Problem::new(StatusCode::BAD_REQUEST, "VERDICT_EXPECTED", detail).with(problems)
    })
}

fn read(mut map: Map<String, Value>, repeated: &[String]) -> Result<ToldVerdict, Vec<FieldProblem>> {
    let mut problems = Vec::new();
    if !repeated.is_empty() {
        problems.push(FieldProblem::new("", "REPEATED", "each key is expected once"));
    }
    let word = text(&mut map, "verdict", &mut problems);
    let verdict = word.as_deref().and_then(|word| word.trim().to_ascii_uppercase().parse::<BuyerVerdict>().ok());
    if verdict.is_none() {
        let code = if word.is_some() { "INVALID_VALUE" } else { "REQUIRED" };
        problems.push(FieldProblem::new("verdict", code, "accepted, rejected or duplicate is expected"));
    }
    let reason = text(&mut map, "reason", &mut problems);
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON_CHARS_MAX) {
        problems.push(FieldProblem::new("reason", "TOO_LONG", "at most 500 characters"));
    }
    let reference = text(&mut map, "reference", &mut problems);
    if !map.is_empty() {
        problems.push(FieldProblem::new("", "UNKNOWN_KEY", "only verdict, reason and reference are expected"));
    }
    match verdict {
        Some(verdict) if problems.is_empty() => Ok(ToldVerdict { verdict, reason, reference }),
        _ => Err(problems),
    }
}

/// A text, if there is one; null is none.
fn text(map: &mut Map<String, Value>, key: &str, problems: &mut Vec<FieldProblem>) -> Option<String> {
    match map.remove(key)? {
        Value::Null => None,
        // PostgreSQL takes no NUL; other control characters break terminals.
        Value::String(text) if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) => {
            problems.push(FieldProblem::new(key, "CONTROL_CHARACTER", "send plain text without control characters"));
            None
        }
        Value::String(text) => Some(text),
        _ => {
            problems.push(FieldProblem::new(key, "INVALID_TYPE", "a text is expected"));
            None
        }
    }
}

/// Wrong, foreign and absent addresses are the same.
fn nowhere() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "NOT_FOUND", "no sale is called back at this address")
}

fn unavailable(error: StoreError) -> Problem {
    tracing::error!(%error, "a buyer's verdict could not be taken");
    let detail = "the verdict could not be taken; send it again";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", detail).retry_after(Duration::from_secs(2))
}

impl From<VerdictRefused> for Problem {
    fn from(refused: VerdictRefused) -> Self {
        let conflict = |code, detail| Self::new(StatusCode::CONFLICT, code, detail);
        match refused {
            VerdictRefused::Gone => nowhere(),
            VerdictRefused::Contradicts(SaleState::Sold) => conflict(
                "SETTLED_OTHERWISE",
                "this sale is accepted and charged already; nothing has changed: complain about it instead",
            ),
            VerdictRefused::Contradicts(_) => {
                conflict("SETTLED_OTHERWISE", "this sale is rejected already and the lead went on; nothing has changed")
            }
            VerdictRefused::NotCovered => conflict(
                "NOT_COVERED",
                "the window of this sale had ended and the wallet does not cover it any more; nothing has changed: top it \
                 up and say it again",
            ),
            VerdictRefused::Reference => {
                let message = "1 to 100 letters, digits and - _ . : / # are expected";
                Self::new(StatusCode::BAD_REQUEST, "VERDICT_EXPECTED", "the reference cannot be kept")
                    .with(vec![FieldProblem::new("reference", "INVALID_VALUE", message)])
            }
            VerdictRefused::Store(error) => unavailable(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(body: Value) -> Vec<(String, String)> {
        let Value::Object(map) = body else { panic!() };
        let named = read(map, &[]).err().unwrap_or_default();
        named.into_iter().map(|problem| (problem.field, problem.code)).collect()
    }

    /// Every problem is named with its field, and nothing is guessed.
    #[test]
    fn wrong_verdicts_are_named() {
        let named = |field: &str, code: &str| (field.to_owned(), code.to_owned());
        assert!(problems(json!({ "verdict": "Duplicate", "reason": null })).is_empty());
        assert_eq!(problems(json!({})), [named("verdict", "REQUIRED")]);
        assert_eq!(problems(json!({ "verdict": "maybe" })), [named("verdict", "INVALID_VALUE")]);
        let long = "x".repeat(501);
        assert_eq!(
            problems(json!({ "verdict": "rejected", "reason": long, "reference": 7, "price": 1 })),
            [named("reason", "TOO_LONG"), named("reference", "INVALID_TYPE"), named("", "UNKNOWN_KEY")]
        );
        assert_eq!(problems(json!({ "verdict": true })).len(), 2);
    }
}
