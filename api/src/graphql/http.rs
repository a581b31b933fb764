//! GraphQL over HTTP: POST and `application/json` only, one document at a time, 64 KiB. A stock handler would run
//! mutations by GET and by form, which any other site could send; it would read bodies of any size and echo what it
//! could not parse.

mod answer;
mod edge;

use std::sync::Arc;
use std::time::Duration;

use async_graphql::dataloader::DataLoader;
use async_graphql::http::GraphiQLSource;
use async_graphql::parser::parse_query;
use async_graphql::{Request, Variables};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::any;
use leadyard_connectors::OutboundPolicy;
use leadyard_entity::auth::Access;
use leadyard_market::Market;
use leadyard_types::Principal;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::GraphqlSchema;
use super::analysis::{Question, analyse};
use super::batches::{Batches, WithItsWave};
use super::context::{Caller, Loading, SessionToken};
use super::lane::{Lane, Turn};
use super::loaders::{Loaders, Periods};
use super::operations::{Operations, Unknown, Wanted};
use super::policy::{Audience, Shape};
use super::scan::{Unfit, nul_in, scan};
use super::views::Views;
use crate::http::rates::Origin;
use crate::http::receive::Trouble;
use answer::Answer;

pub(crate) use edge::{Edge, signed_in, signed_out};

/// The longest body taken.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// The longest a document may run.
const RUN_MAX: Duration = Duration::from_secs(30);

/// What the GraphQL door stands on.
#[derive(Clone)]
pub struct GraphqlState {
    schema: GraphqlSchema,
    shape: Arc<Shape>,
    market: Arc<Market>,
    operations: Arc<Operations>,
    lane: Lane,
    development: bool,
}

impl GraphqlState {
    /// The door to a market. In development anybody may ask the schema about itself, and a browser gets GraphiQL.
    pub fn new(
        market: Arc<Market>,
        policy: OutboundPolicy,
        development: bool,
        operations: Arc<Operations>,
    ) -> anyhow::Result<Self> {
        let schema = super::schema(Arc::clone(&market), policy);
        let shape = Arc::new(Shape::read(&schema.sdl())?);
        Ok(Self { schema, shape, market, operations, lane: Lane::default(), development })
    }
}

/// The routes of the door.
pub fn router(state: GraphqlState) -> Router {
    Router::new().route("/graphql", any(handle)).with_state(state)
}

/// A document as it is posted.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    query: Option<String>,
    /// Instead of a query: the document's hash, as the appendix on persisted documents has it: `sha256:…`.
    document_id: Option<String>,
    operation_name: Option<String>,
    variables: Option<Map<String, Value>>,
    /// Instead of a query: the document's hash, as Apollo's clients send it. Other extensions are taken and not used.
    extensions: Option<Map<String, Value>>,
}

impl Posted {
    /// What is to run: the document that was sent, or else the one that was named.
    fn wanted(&self) -> Option<Wanted<'_>> {
        if let Some(text) = self.query.as_deref().filter(|text| !text.is_empty()) {
            return Some(Wanted::Text(text));
        }
        if let Some(id) = self.document_id.as_deref() {
            return Some(Wanted::Hash(id.strip_prefix("sha256:").unwrap_or(id)));
        }
        let persisted = self.extensions.as_ref()?.get("persistedQuery")?;
        let hash = persisted.get("sha256Hash")?.as_str()?;
        (persisted.get("version")?.as_u64() == Some(1)).then_some(Wanted::Hash(hash))
    }
}

async fn handle(
    State(state): State<GraphqlState>,
    method: Method,
    headers: HeaderMap,
    origin: Option<Extension<Origin>>,
    trouble: Option<Extension<Trouble>>,
    body: Body,
) -> Response {
    let wants_html = header_text(&headers, header::ACCEPT).contains("text/html");
    if method == Method::GET && wants_html && state.development {
        return Html(GraphiQLSource::build().endpoint("/graphql").title("leadyard").finish()).into_response();
    }
    let answer = Answer::for_accept(header_text(&headers, header::ACCEPT));
    if method != Method::POST {
        let mut response = answer.malformed(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "POST is expected");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    let kind = header_text(&headers, header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let message = "a body of application/json is expected";
        return answer.malformed(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message);
    }
    if let Some(Extension(trouble)) = trouble {
        let (status, code, message) = trouble.told();
        return answer.malformed(status, code, message);
    }
    let Ok(bytes) = to_bytes(body, BODY_BYTES_MAX).await else {
        let (status, code, message) = Trouble::TooLarge.told();
        return answer.malformed(status, code, message);
    };
    let posted = match read(&bytes) {
        Ok(posted) => posted,
        Err((code, message)) => return answer.malformed(StatusCode::BAD_REQUEST, code, message),
    };
    let edge = Edge::of(&headers, origin.map(|Extension(origin)| origin));
    match caller(&state, &headers, &edge).await {
        Ok(asking) => run(&state, posted, asking, edge, answer).await,
        Err(refused) => answer.refused(refused),
    }
}

fn header_text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The shape of a body, with fixed texts: nothing that was sent is repeated. A key that is there twice is no shape: which
/// of both was meant, others may see differently.
fn read(bytes: &[u8]) -> Result<Posted, (&'static str, &'static str)> {
    let malformed = |_| ("MALFORMED_JSON", "the body is not JSON in UTF-8");
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        serde_json::from_slice::<IgnoredAny>(bytes).map_err(malformed)?;
        return Err(("BATCH_NOT_SUPPORTED", "one document at a time is expected, not an array"));
    }
    let posted: Posted = serde_json::from_slice(bytes).map_err(|error| {
        if !error.is_data() {
            return malformed(error);
        }
        (
            "INVALID_REQUEST",
            "an object with query or documentId (a text), operationName (a text) and variables (an object) is expected",
        )
    })?;
    if posted.wanted().is_none() {
        return Err((
            "QUERY_MISSING",
            "query is expected: the GraphQL document as a text; or its hash as documentId or \
             extensions.persistedQuery (version 1, sha256Hash)",
        ));
    }
    Ok(posted)
}

/// Who asks, with what of their role, and by which token.
type Asking = Option<(Access, SessionToken)>;

/// Who asks. A token that opens nothing is refused, not taken for nobody's; a cookie that opens nothing any more is
/// nobody's, because the browser sends it with signing in again, too.
async fn caller(state: &GraphqlState, headers: &HeaderMap, edge: &Edge) -> Result<Asking, answer::Refusal> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        let Some(cookie) = &edge.cookie else { return Ok(None) };
        if !edge.is_own_page {
            let message = "a cookie counts only for pages of this server's own host: send the token as a header";
            return Err(answer::Refusal::new(StatusCode::FORBIDDEN, "CROSS_SITE", message));
        }
        let found = authenticated(state, cookie).await?;
        // A cookie holds a session and nothing else.
        let session = found.filter(|access| access.principal.user_id().is_some() && access.scopes.is_none());
        return Ok(session.map(|access| (access, SessionToken(cookie.clone()))));
    };
    let unauthenticated = || {
        answer::Refusal::new(
            StatusCode::UNAUTHORIZED,
            "UNAUTHENTICATED",
            "the token opens nothing (any more): sign in again",
        )
    };
    let token = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(unauthenticated)?;
    let access = authenticated(state, token).await?.ok_or_else(unauthenticated)?;
    Ok(Some((access, SessionToken(token.to_owned()))))
}

/// Messages and codes are those by which Apollo's clients know whether to send the text instead.
const fn unknown_operation(unknown: Unknown) -> answer::Refusal {
    match unknown {
        Unknown::Absent => answer::Refusal::request("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound"),
        Unknown::NoFile => answer::Refusal::request("PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported"),
        Unknown::Forbidden => {
            let message = "only the operations this server was started with run here";
            answer::Refusal::new(StatusCode::FORBIDDEN, "OPERATION_NOT_ALLOWED", message)
        }
    }
}

async fn authenticated(state: &GraphqlState, token: &str) -> Result<Option<Access>, answer::Refusal> {
    state.market.store().access(token).await.map_err(|error| {
        tracing::error!(%error, "a caller could not be recognised");
        unavailable()
    })
}

const CROWDED: answer::Refusal = answer::Refusal::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "TOO_BUSY",
    "many large documents wait already; send it again in a few seconds",
);

fn unavailable() -> answer::Refusal {
    answer::Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "the database is not available; try again")
}

/// A document that nobody looks at any further.
const fn unscanned(unfit: Unfit) -> answer::Refusal {
    let (code, message) = match unfit {
        Unfit::Depth => ("DOCUMENT_TOO_DEEP", "brackets nest too deep: at most 48 are expected"),
        Unfit::Tokens => ("DOCUMENT_TOO_LARGE", "at most 10000 tokens are expected"),
        Unfit::Nul => ("NUL_CHARACTER", "texts without the character U+0000 are expected, also in variables"),
    };
    answer::Refusal::request(code, message)
}

async fn run(state: &GraphqlState, posted: Posted, asking: Asking, edge: Edge, answer: Answer) -> Response {
    let query = match posted.wanted().map(|wanted| state.operations.find(wanted)) {
        Some(Ok(query)) => query,
        Some(Err(unknown)) => return answer.refused(unknown_operation(unknown)),
        None => return answer.refused(answer::Refusal::request("QUERY_MISSING", "query is expected")),
    };
    let variables = posted.variables.unwrap_or_default();
    let tokens = match scan(&query) {
        Ok(tokens) => tokens,
        Err(unfit) => return answer.refused(unscanned(unfit)),
    };
    if nul_in(&variables) {
        return answer.refused(unscanned(Unfit::Nul));
    }
    let Ok(turn) = state.lane.turn(query.len(), tokens).await else {
        return answer.refused(CROWDED);
    };
    let document = match parse_query(&query) {
        Ok(document) => document,
        Err(error) => return answer.unparsed(&error),
    };
    let (access, token) = asking.unzip();
    let (principal, scopes) = (access.map(|access| access.principal), access.and_then(|access| access.scopes));
    let audience = Audience::of(principal);
    let staff = matches!(principal, Some(Principal::Staff { .. }));
    let introspection = state.development || staff;
    let question = Question { shape: &state.shape, audience, scopes, introspection, variables: &variables };
    let cost = match analyse(&document, posted.operation_name.as_deref(), &question) {
        Ok(cost) => cost,
        Err(refused) => return answer.refused(answer::Refusal::from(refused)),
    };
    let mut request = Request::new(&*query).variables(Variables::from_json(Value::Object(variables)));
    request.set_parsed_query(document);
    if let Some(name) = posted.operation_name {
        request = request.operation_name(name);
    }
    let mut request = request.data(Caller(principal)).data(edge);
    let batches = Batches::default();
    let views = Views::default();
    if let Some(principal) = principal {
        let (read, market) = (state.market.store().read(principal), Arc::clone(&state.market));
        let loaders = Loaders { read, market, views: views.clone(), periods: Periods::default() };
        request = request.data(Loading(DataLoader::new(loaders, batches.clone(), WithItsWave)));
    }
    if let Some(token) = token {
        request = request.data(token);
    }
    let running = Turn::until_it_waits(turn, batches.drive(state.schema.execute(request)));
    match tokio::time::timeout(RUN_MAX, running).await {
        Ok(response) => {
            // What nobody wrote down is not shown.
            if let Some(who) = principal
                && let Err(error) = views.record(state.market.store(), who).await
            {
                tracing::error!(%error, "what was seen could not be written down");
                return answer.refused(unavailable());
            }
            answer.answered(response, cost)
        }
        Err(_) => answer.refused(answer::Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "TIMEOUT",
            "this took longer than 30 seconds; ask for less",
        )),
    }
}
