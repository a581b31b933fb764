//! Answers as the GraphQL-over-HTTP specification says: `application/graphql-response+json` with a status of its own for
//! those who accept it, `application/json` with 200 for everybody else.

use async_graphql::parser::Error as ParseError;
use async_graphql::{Pos, Response as Executed, ServerError};
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::analysis::{COST_MAX, Refused};
use super::super::scalars::expected;

/// Of a document that does not fit the schema so many errors are told: who writes it mends the first ones first.
const ERRORS_TOLD: usize = 20;

/// A request that does not run.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
    field: Option<String>,
}

impl Refusal {
    pub(super) const fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self { status, code, message, field: None }
    }

    /// A document that is not as it should be.
    pub(super) const fn request(code: &'static str, message: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let status = match refused.code {
            "UNAUTHENTICATED" => StatusCode::UNAUTHORIZED,
            "FORBIDDEN" | "OUT_OF_SCOPE" => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        };
        Self { status, code: refused.code, message: refused.message, field: refused.field }
    }
}

/// How this caller is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// With `application/graphql-response+json`.
    Own,
    /// With `application/json`.
    Json,
}

impl Answer {
    pub(super) fn for_accept(accept: &str) -> Self {
        let own = accept.split(',').any(|part| {
            part.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/graphql-response+json")
        });
        if own { Self::Own } else { Self::Json }
    }

    fn respond(self, status: StatusCode, body: &impl Serialize) -> Response {
        let mut response = (status, Body::from(serde_json::to_vec(body).unwrap_or_default())).into_response();
        let kind = match self {
            Self::Own => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        };
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// A request that is not GraphQL over HTTP at all: the status says so to everybody.
    pub(super) fn malformed(self, status: StatusCode, code: &str, message: &str) -> Response {
        self.respond(status, &json!({ "errors": [{ "message": message, "extensions": { "code": code } }] }))
    }

    /// A document that does not run.
    pub(super) fn refused(self, refusal: Refusal) -> Response {
        let mut extensions = Map::from_iter([("code".to_owned(), Value::from(refusal.code))]);
        if let Some(field) = refusal.field {
            extensions.insert("field".to_owned(), field.into());
        }
        let body = json!({ "errors": [{ "message": refusal.message, "extensions": extensions }] });
        // Who is not let in, and what broke, is no matter of the document: those statuses hold for everybody.
        let plain = refusal.status == StatusCode::BAD_REQUEST || refusal.status == StatusCode::FORBIDDEN;
        let status = if self == Self::Json && plain { StatusCode::OK } else { refusal.status };
        self.respond(status, &body)
    }

    /// A document that is not GraphQL. Only the place is told: the parser's own words repeat the line.
    pub(super) fn unparsed(self, error: &ParseError) -> Response {
        let locations: Vec<Value> = error.positions().map(location).collect();
        let body = json!({ "errors": [{
            "message": "the document is not GraphQL",
            "locations": locations,
            "extensions": { "code": "GRAPHQL_PARSE_FAILED" },
        }] });
        self.respond(if self == Self::Own { StatusCode::BAD_REQUEST } else { StatusCode::OK }, &body)
    }

    /// What a document came to.
    pub(super) fn answered(self, executed: Executed, cost: u64) -> Response {
        // Errors without a path were found before anything ran: then there is no data at all.
        let ran = executed.errors.is_empty() || executed.errors.iter().any(|error| !error.path.is_empty());
        let told = if ran { executed.errors.len() } else { ERRORS_TOLD };
        let body = Answered {
            errors: executed.errors.iter().take(told).map(|error| shown(error, ran)).collect(),
            data: ran.then_some(&executed.data),
            extensions: json!({ "cost": { "requested": cost, "limit": COST_MAX } }),
        };
        let status = if ran || self == Self::Json { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        let mut response = self.respond(status, &body);
        // A cookie, where a browser signs in or out.
        response.headers_mut().extend(executed.http_headers);
        response
    }
}

/// An answer, written as it is: the data keeps the order of the question.
#[derive(Serialize)]
struct Answered<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a async_graphql::Value>,
    extensions: Value,
}

fn location(place: Pos) -> Value {
    json!({ "line": place.line, "column": place.column })
}

/// An error as it is told. Our own errors carry a code and a fixed text; the engine's may repeat what was sent.
fn shown(error: &ServerError, ran: bool) -> Value {
    let own = error.extensions.as_ref().and_then(|extensions| extensions.get("code")).is_some();
    let (message, extensions) = if own {
        (error.message.clone(), serde_json::to_value(&error.extensions).unwrap_or_default())
    } else if ran {
        let message = "an argument is not as its type says".to_owned();
        (message, json!({ "code": "BAD_USER_INPUT" }))
    } else if let Some((argument, expected)) = misfit(&error.message) {
        (expected.to_owned(), json!({ "code": "BAD_USER_INPUT", "argument": argument }))
    } else {
        (without_values(&error.message), json!({ "code": "GRAPHQL_VALIDATION_FAILED" }))
    };
    let mut told = Map::from_iter([("message".to_owned(), Value::from(message))]);
    if !error.locations.is_empty() {
        told.insert("locations".to_owned(), error.locations.iter().copied().map(location).collect());
    }
    if !error.path.is_empty() {
        told.insert("path".to_owned(), serde_json::to_value(&error.path).unwrap_or_default());
    }
    told.insert("extensions".to_owned(), extensions);
    Value::Object(told)
}

/// Where a value stands that is none of its scalar, and what would be one. The engine says it with names of the schema
/// only: `… argument "input.email", expected type "EmailAddress"`.
fn misfit(message: &str) -> Option<(Vec<&str>, &'static str)> {
    let (path, scalar) = message.strip_prefix("Invalid value for argument \"")?.split_once("\", expected type \"")?;
    Some((path.split('.').collect(), expected(scalar.strip_suffix('"')?)?))
}

/// What the engine says of an invalid document, without the values it repeats: names of the schema stay.
fn without_values(message: &str) -> String {
    if message.contains("does not contain the value") || message.contains("default value") {
        return "a value is not as its type says".to_owned();
    }
    // Scalars say what they found, and what they found is what was sent.
    let end = message.find(" found").or_else(|| message.find("Failed to parse")).unwrap_or(message.len());
    message.get(..end).unwrap_or_default().trim_end_matches([',', ' ', ':']).to_owned()
}
