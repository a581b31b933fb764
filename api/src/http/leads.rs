//! `POST /v1/leads`: the suppliers' door. Every stored lead is answered 200 and the status says what became of it;
//! other codes mean that nothing was stored.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use leadyard_types::{Door, LeadDraft, Principal, SourceId};

use super::body::{Expected, SentLead, from_form, from_json};
use super::openapi::Refused;
use super::receive::Sent;
use super::wire::{FormBody, LeadAnswered, LeadBody, ProblemBody};
use super::{HttpState, Problem};

/// The longest idempotency key taken.
const KEY_BYTES_MAX: usize = 200;

/// Sends a lead: it is stored, checked and placed before this answers.
#[utoipa::path(
    post, path = "/v1/leads", operation_id = "lead_submit", tag = "leads",
    security(("bearer" = []), ("key" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 200 characters. The same key gets the first             answer again; without one the same body within 60 seconds does.")),
    request_body(
        description = "One lead.",
        content((LeadBody = "application/json", example = json!({
            "fields": { "email": "ada@mail.example.com", "phone": "030 1234567", "postal_code": "10115" },
            "consent": { "text_version": "2026-01", "given_at": "2026-03-02T06:00:00Z", "purposes": ["contact_by_phone"] },
            "subid": "ad-3", "external_id": "A-1"
        })), (FormBody = "application/x-www-form-urlencoded"))
    ),
    responses(
        (status = 200, description = "The lead is stored; its status says what became of it.", body = LeadAnswered),
        (status = 409, description = "`IDEMPOTENCY_KEY_REUSED`: the key came with another body.", body = ProblemBody,
            content_type = "application/problem+json"),
        Refused
    )
)]
pub(super) async fn submit(
    State(state): State<HttpState>,
    headers: HeaderMap,
    body: Result<Sent, Problem>,
) -> Result<Json<LeadAnswered>, Problem> {
    let (principal, source_id) = source(&state, &headers).await?;
    let idempotency_key = idempotency_key(&headers)?;
    let sent = sent(&headers, body, Expected::Lead)?;
    let draft = draft(sent, source_id, Door::Rest, idempotency_key);
    let answer = state.market.submit(principal, draft).await?;
    Ok(Json(LeadAnswered::of(&answer)))
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
