//! The description of the HTTP doors: OpenAPI, written at the handlers and made of the very router that serves them, so that
//! a door cannot be opened without being described.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, Modify, OpenApi};

use super::wire::ProblemBody;

/// What stands above the doors.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "leadyard",
        description = "The doors of suppliers, visitors, and buyers who answer posts. Every stored lead is answered 200 and its status says what \
                       became of it; other codes mean that nothing was stored. The operator's, buyers' and suppliers' \
                       own questions go to /graphql; schema.graphql describes it.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(ProblemBody)),
    modifiers(&Keys),
    tags(
        (name = "leads", description = "Sending leads."),
        (name = "verdicts", description = "What buyers say of leads they were posted."),
        (name = "forms", description = "Web forms of sources."),
        (name = "operation", description = "Whether it runs, and what it does.")
    )
)]
pub(super) struct Head;

/// How a source shows who it is.
struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A source's API key: `ly_live_…`."))
            .build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let header = ApiKeyValue::with_description("x-api-key", "The same key in a header of its own.");
        components.add_security_scheme("key", SecurityScheme::ApiKey(ApiKey::Header(header)));
    }
}

/// The errors of one kind, by status.
fn problems(told: &[(&str, &str)]) -> BTreeMap<String, RefOr<Response>> {
    let response = |description: &str| {
        let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("ProblemBody"))).build();
        ResponseBuilder::new().description(description).content("application/problem+json", body).build()
    };
    told.iter().map(|(status, description)| ((*status).to_owned(), RefOr::T(response(description)))).collect()
}

/// The errors of every door.
pub(super) struct Everywhere;

impl IntoResponses for Everywhere {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[
            ("429", "Too often; `Retry-After` says when to come again (`RATE_LIMITED`, `PING_LIMIT`)."),
            ("503", "Busy, or the database is away; send it again after `Retry-After` with the same key."),
        ])
    }
}

/// The errors of the doors that take leads.
pub(super) struct Refused;

impl IntoResponses for Refused {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut all = Everywhere::responses();
        all.extend(problems(&[
            ("400", "The body or a header is not as expected: `code` and `problems` say what."),
            ("401", "No key, or one that opens nothing."),
            ("403", "The key is not a source's."),
            ("408", "The body did not arrive in time."),
            ("413", "The body is longer than 64 KiB."),
            ("415", "Neither JSON nor a form."),
        ]));
        all
    }
}

/// The errors of a post beside those of a lead.
pub(super) struct Unposted;

impl IntoResponses for Unposted {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut all = Refused::responses();
        all.extend(problems(&[
            ("404", "`PING_UNKNOWN`: this source made no such ping."),
            ("409", "`PING_REFUSED`: nothing was promised. `PING_USED`: another lead was posted for it."),
            ("410", "`PING_EXPIRED`: the promise has ended."),
            ("422", "`PING_CHANGED`: what was priced has changed; `problems` name the fields, and the ping stands."),
        ]));
        all
    }
}

/// The errors of a buyer's verdict.
pub(super) struct Unsettled;

impl IntoResponses for Unsettled {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut all = Everywhere::responses();
        all.extend(problems(&[
            ("400", "The body is not as expected: `code` and `problems` say what."),
            ("404", "`NOT_FOUND`: no sale is called back at this address."),
            ("408", "The body did not arrive in time."),
            (
                "409",
                "`SETTLED_OTHERWISE`: the sale was settled by another verdict. `NOT_COVERED`: the acceptance came after \
                 the window had ended, and the wallet does not cover it any more. Nothing has changed.",
            ),
            ("413", "The body is longer than 64 KiB."),
            ("415", "Not JSON."),
        ]));
        all
    }
}

/// The description.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    super::doors().into_openapi()
}

/// The description as text, as `openapi.json` holds it.
///
/// # Errors
/// If it cannot be written as JSON.
pub fn text() -> serde_json::Result<String> {
    Ok(document().to_pretty_json()? + "\n")
}

/// This description.
#[utoipa::path(
    get, path = "/v1/openapi.json", operation_id = "openapi", tag = "operation",
    responses((status = 200, description = "OpenAPI 3.1.", body = serde_json::Value), Everywhere)
)]
pub(super) async fn show() -> impl IntoResponse {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| text().unwrap_or_default());
    ([(header::CONTENT_TYPE, "application/json")], text.as_str())
}

#[cfg(test)]
#[path = "openapi_tests.rs"]
mod tests;
