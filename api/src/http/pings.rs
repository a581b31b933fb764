//! `POST /v1/pings` and `POST /v1/posts`: a supplier asks what a lead would bring before it sends the person, and then
//! sends the lead by that promise.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use leadyard_types::{Door, FieldProblem, QuoteId};

use super::body::Expected;
use super::leads::{draft, sent, source};
use super::openapi::{Refused, Unposted};
use super::receive::Sent;
use super::wire::{FormBody, LeadAnswered, LeadBody, PingAnswered, PostBody};
use super::{HttpState, Problem};

/// Asks what a lead would bring, before the person is sent.
///
/// Every ping is a new one: the same body again asks again.
#[utoipa::path(
    post, path = "/v1/pings", operation_id = "ping", tag = "leads",
    security(("bearer" = []), ("key" = [])),
    request_body(
        description = "What is known of the lead, without the person.",
        content((LeadBody = "application/json", example = json!({ "fields": { "postal_code": "10115" }, "subid": "ad-3" })),
            (FormBody = "application/x-www-form-urlencoded"))
    ),
    responses((status = 200, description = "A price is promised, or not.", body = PingAnswered), Refused)
)]
pub(super) async fn ping(
    State(state): State<HttpState>,
    headers: HeaderMap,
    body: Result<Sent, Problem>,
) -> Result<Json<PingAnswered>, Problem> {
    let (principal, source_id) = source(&state, &headers).await?;
    let draft = draft(sent(&headers, body, Expected::Lead)?, source_id, Door::Post, None);
    let answer = state.market.ping(principal, draft).await?;
    Ok(Json(PingAnswered::of(&answer)))
}

/// Sends a lead by the promise of a ping.
///
/// The ping's id is the key by which the same post is recognised when it comes again.
#[utoipa::path(
    post, path = "/v1/posts", operation_id = "post", tag = "leads",
    security(("bearer" = []), ("key" = [])),
    request_body(
        description = "The lead, what was priced unchanged.",
        content((PostBody = "application/json", example = json!({
            "ping_id": "01890a5d-ac96-774b-bcce-b302099a8057",
            "fields": { "email": "ada@mail.example.com", "phone": "030 1234567", "postal_code": "10115" }
        })), (FormBody = "application/x-www-form-urlencoded"))
    ),
    responses(
        (status = 200, description = "The lead is stored; its status says what became of it.", body = LeadAnswered),
        Unposted
    )
)]
pub(super) async fn post(
    State(state): State<HttpState>,
    headers: HeaderMap,
    body: Result<Sent, Problem>,
) -> Result<Json<LeadAnswered>, Problem> {
    let (principal, source_id) = source(&state, &headers).await?;
    let mut sent = sent(&headers, body, Expected::Post)?;
    let Some(id) = sent.ping_id.take() else { return Err(no_ping_id("REQUIRED")) };
    let id: QuoteId = id.trim().parse().map_err(|_| no_ping_id("INVALID_ID"))?;
    let answer = state.market.post(principal, id, draft(sent, source_id, Door::Post, None)).await?;
    Ok(Json(LeadAnswered::of(&answer).posted(id.into())))
}

fn no_ping_id(code: &str) -> Problem {
    let message = "the ping_id that /v1/pings answered is expected";
    Problem::new(StatusCode::BAD_REQUEST, "PING_ID_EXPECTED", message)
        .with(vec![FieldProblem::new("ping_id", code, message)])
}
