//! `POST /v1/pings` and `POST /v1/posts`: a supplier asks what a lead would bring before it sends the person, and then
//! sends the lead by that promise.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use leadyard_types::{Door, FieldProblem, QuoteAnswer};
use serde_json::{Value, json};

use super::body::Expected;
use super::leads::{answer_json, draft, sent, source};
use super::receive::Sent;
use super::{HttpState, Problem};

/// Every ping is a new one: the same body again asks again.
pub(super) async fn ping(
    State(state): State<HttpState>,
    headers: HeaderMap,
    body: Result<Sent, Problem>,
) -> Result<Json<Value>, Problem> {
    let (principal, source_id) = source(&state, &headers).await?;
    let draft = draft(sent(&headers, body, Expected::Lead)?, source_id, Door::Post, None);
    let answer = state.market.ping(principal, draft).await?;
    Ok(Json(quote_json(&answer)))
}

/// The ping's id is the key by which the same post is recognised when it comes again.
pub(super) async fn post(
    State(state): State<HttpState>,
    headers: HeaderMap,
    body: Result<Sent, Problem>,
) -> Result<Json<Value>, Problem> {
    let (principal, source_id) = source(&state, &headers).await?;
    let mut sent = sent(&headers, body, Expected::Post)?;
    let Some(id) = sent.ping_id.take() else { return Err(no_ping_id("REQUIRED")) };
    let id = id.trim().parse().map_err(|_| no_ping_id("INVALID_ID"))?;
    let answer = state.market.post(principal, id, draft(sent, source_id, Door::Post, None)).await?;
    let mut told = answer_json(&answer);
    if let Value::Object(told) = &mut told {
        told.insert("ping_id".to_owned(), json!(id));
    }
    Ok(Json(told))
}

fn no_ping_id(code: &str) -> Problem {
    let message = "the ping_id that /v1/pings answered is expected";
    Problem::new(StatusCode::BAD_REQUEST, "PING_ID_EXPECTED", message)
        .with(vec![FieldProblem::new("ping_id", code, message)])
}

fn quote_json(answer: &QuoteAnswer) -> Value {
    let mut told = json!({
        "ping_id": answer.quote_id,
        "status": answer.state.as_str().to_ascii_lowercase(),
        "price": answer.price,
        "legs": answer.legs,
        "expires_at": answer.expires_at,
        "check": answer.check,
        "message": answer.message,
        "problems": answer.problems,
    });
    if answer.test {
        told["test"] = true.into();
    }
    told
}
