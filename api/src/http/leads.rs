//! `POST /v1/leads`: the suppliers' door. Every stored lead is answered 200 and the status says what became of it;
//! other codes mean that nothing was stored.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use leadyard_types::{Door, LeadAnswer, LeadDraft, LeadState, Principal, SourceId};
use serde_json::{Value, json};

use super::body::{Expected, SentLead, from_form, from_json};
use super::receive::Sent;
use super::{HttpState, Problem};

/// The longest idempotency key taken.
const KEY_BYTES_MAX: usize = 200;

pub(super) async fn submit(
    State(state): State<HttpState>,
    headers: HeaderMap,
    body: Result<Sent, Problem>,
) -> Result<Json<Value>, Problem> {
    let (principal, source_id) = source(&state, &headers).await?;
    let idempotency_key = idempotency_key(&headers)?;
    let sent = sent(&headers, body, Expected::Lead)?;
    let draft = draft(sent, source_id, Door::Rest, idempotency_key);
    let answer = state.market.submit(principal, draft).await?;
    Ok(Json(answer_json(&answer)))
}

/// The source whose key came along.
pub(super) async fn source(state: &HttpState, headers: &HeaderMap) -> Result<(Principal, SourceId), Problem> {
    let principal = authenticate(state, headers).await?;
    let Principal::Source { source_id } = principal else {
        return Err(Problem::new(StatusCode::FORBIDDEN, "NOT_A_SOURCE", "leads are sent with a source's API key"));
    };
    Ok((principal, source_id))
}

/// What the body says, JSON or a form.
pub(super) fn sent(headers: &HeaderMap, body: Result<Sent, Problem>, expected: Expected) -> Result<SentLead, Problem> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/json" => from_json(&body?.0, expected),
        "application/x-www-form-urlencoded" => from_form(&body?.0, expected),
        _ => {
            let detail = "application/json or application/x-www-form-urlencoded is expected";
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", detail))
        }
    }
}

/// The key in `Authorization: Bearer` (in any case, as RFC 9110 has it) or `x-api-key`.
pub(super) fn token(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    bearer.or_else(|| headers.get("x-api-key").and_then(|value| value.to_str().ok()))
}

async fn authenticate(state: &HttpState, headers: &HeaderMap) -> Result<Principal, Problem> {
    let unauthorised = || Problem::from(leadyard_market::IntakeError::UnknownSource);
    let token = token(headers).ok_or_else(unauthorised)?;
    let principal = state.market.store().authenticate(token).await.map_err(leadyard_market::IntakeError::from)?;
    principal.ok_or_else(unauthorised)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| (1..=KEY_BYTES_MAX).contains(&key.len()));
    key.map(|key| Some(key.to_owned())).ok_or_else(|| {
        Problem::new(StatusCode::BAD_REQUEST, "INVALID_IDEMPOTENCY_KEY", "1 to 200 printable characters are expected")
    })
}

/// The draft every door makes.
pub(super) fn draft(sent: SentLead, source_id: SourceId, door: Door, idempotency_key: Option<String>) -> LeadDraft {
    LeadDraft {
        source_id,
        door,
        fields: sent.fields,
        consent: sent.consent,
        problems: sent.problems,
        subid: sent.subid,
        external_id: sent.external_id,
        idempotency_key,
        enquired_at: sent.enquired_at,
    }
}

pub(super) fn answer_json(answer: &LeadAnswer) -> Value {
    let mut told = json!({
        "lead_id": answer.lead_id,
        "status": status(answer.state),
        "check": answer.check,
        "message": answer.message,
        "problems": answer.problems,
        "price": answer.payout,
        "redirect_url": answer.redirect_url,
        "repeated": answer.repeated,
    });
    if answer.test {
        told["test"] = true.into();
    }
    told
}

/// A lead's state in the words of this interface.
fn status(state: LeadState) -> String {
    state.as_str().to_ascii_lowercase()
}
