//! One request and its answer, over a client whose safety is settled elsewhere: what went out, what came back, and
//! which failures certainly happened before anything was sent.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::resolve::ForbiddenName;

/// As much of an answer as is read (security page, section 3): verdicts are a few hundred bytes.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// An HTTP method a connector uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
}

impl From<Method> for reqwest::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::GET,
            Method::Post => Self::POST,
            Method::Put => Self::PUT,
            Method::Patch => Self::PATCH,
            Method::Delete => Self::DELETE,
        }
    }
}

/// A request to be sent outside. Its `Debug` form shows sizes, not contents.
#[derive(Clone)]
pub struct OutboundRequest {
    /// The method.
    pub method: Method,
    /// The absolute URL.
    pub url: String,
    /// Headers, beside the ones HTTP itself needs.
    pub headers: Vec<(String, String)>,
    /// The body; empty = none.
    pub body: Vec<u8>,
    /// How long the whole exchange may take, waiting for a free connection included.
    pub timeout: Duration,
}

impl std::fmt::Debug for OutboundRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutboundRequest")
            .field("method", &self.method)
            .field("headers", &self.headers.len())
            .field("body_bytes", &self.body.len())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// What came back. Its `Debug` form shows sizes, not contents.
#[derive(Clone)]
pub struct OutboundAnswer {
    /// The status code.
    pub status: u16,
    /// The headers, names in lower case; values that are not visible ASCII are left out.
    pub headers: Vec<(String, String)>,
    /// The body, at most [`ANSWER_BYTES_MAX`] from a guarded client.
    pub body: Vec<u8>,
    /// True if the body was longer, broke off, or did not end in time.
    pub truncated: bool,
    /// How long it took.
    pub duration: Duration,
}

impl OutboundAnswer {
    /// The first value of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl std::fmt::Debug for OutboundAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutboundAnswer")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .field("truncated", &self.truncated)
            .field("duration", &self.duration)
            .finish_non_exhaustive()
    }
}

/// Why there is no answer, grouped by what the caller does next. The reasons are fixed texts: no URL, no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendFailure {
    /// It may not be sent there: a person has to change the settings.
    #[error("the request is not allowed: {0}")]
    Forbidden(&'static str),
    /// Certainly not received: sending again is safe.
    #[error("the request was not sent: {0}")]
    NotSent(&'static str),
    /// It may have been received: sending again is safe only where the receiver knows repetitions.
    #[error("the answer was lost: {0}")]
    AnswerLost(&'static str),
}

const WAITING: u8 = 0;
const ASKED: u8 = 1;
const WITHDRAWN: u8 = 2;

/// Settles, once and for all, whether a request's body has begun to go out: either the connection asks for it first, or
/// we withdraw it first. A request whose body was withdrawn is at best half a head on the wire; no server acts on that.
#[derive(Clone)]
struct Sending(Arc<AtomicU8>);

impl Sending {
    fn new() -> Self {
        Self(Arc::new(AtomicU8::new(WAITING)))
    }

    /// The connection asks for the body; false if it was withdrawn before.
    fn ask(&self) -> bool {
        self.0.compare_exchange(WAITING, ASKED, Ordering::SeqCst, Ordering::SeqCst) != Err(WITHDRAWN)
    }

    /// Takes the body back; false if it may have gone out already.
    fn withdraw(&self) -> bool {
        self.0.compare_exchange(WAITING, WITHDRAWN, Ordering::SeqCst, Ordering::SeqCst) != Err(ASKED)
    }
}

/// A body that knows whether it was asked for. It cannot be cloned, so no layer below can repeat the request silently.
struct WatchedBody {
    bytes: Option<Bytes>,
    sending: Sending,
}

/// The body was withdrawn before it was sent.
#[derive(Debug, thiserror::Error)]
#[error("the request was withdrawn")]
struct Withdrawn;

impl From<Infallible> for Withdrawn {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl Body for WatchedBody {
    type Data = Bytes;
    type Error = Withdrawn;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Withdrawn>>> {
        if !self.sending.ask() {
            return Poll::Ready(Some(Err(Withdrawn)));
        }
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// What every client of this room has in common: it goes exactly where it is told, and takes what it is given.
#[allow(clippy::disallowed_methods, reason = "the guarded client is made here")]
pub(crate) fn client_builder() -> reqwest::ClientBuilder {
    crate::crypto::install_crypto();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .retry(reqwest::retry::never())
        .user_agent(concat!("leadyard/", env!("CARGO_PKG_VERSION")))
        // Answers to deliveries have a handful of headers; a receiver that sends more wants something else.
        .http1_max_headers(100)
        .http2_max_header_list_size(32 * 1024)
        .tcp_nodelay(true)
}

/// Sends one request and reads its answer, within its timeout, up to a number of bytes.
#[allow(clippy::disallowed_methods, reason = "the guarded client sends here, once its address was checked")]
pub(crate) async fn exchange(
    client: &reqwest::Client,
    url: Url,
    request: OutboundRequest,
    started: Instant,
    answer_bytes_max: usize,
) -> Result<OutboundAnswer, SendFailure> {
    let deadline = started + request.timeout;
    let sending = Sending::new();
    let mut builder = client.request(request.method.into(), url);
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    if request.body.is_empty() {
        // Nothing can be withdrawn where there is nothing to hold back.
        sending.ask();
    } else {
        let body = WatchedBody { bytes: Some(request.body.into()), sending: sending.clone() };
        builder = builder.body(reqwest::Body::wrap(body));
    }
    let request = builder.build().map_err(|_| SendFailure::Forbidden("a header is not valid"))?;
    // The future is dropped before the body is withdrawn, and the body, if it is asked for later, refuses.
    let outcome = by(deadline, client.execute(request)).await;
    let mut response = match outcome {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return Err(failure(&error, sending.withdraw())),
        Err(_) if sending.withdraw() => return Err(SendFailure::NotSent("no connection in time")),
        Err(_) => return Err(SendFailure::AnswerLost("no answer in time")),
    };
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let (body, truncated) = read_body(&mut response, deadline, answer_bytes_max).await;
    Ok(OutboundAnswer { status, headers, body, truncated, duration: started.elapsed() })
}

/// How often the other tasks have their turn before what did not answer by the deadline is given up.
const TURNS: usize = 1;

/// What comes until the deadline. Bytes that arrived in time may still be with the task that reads the connection when the
/// timer goes off, above all where the machine is busy: it has its turn, and who answered in time is heard.
async fn by<T>(deadline: Instant, work: impl Future<Output = T>) -> Result<T, Elapsed> {
    let mut work = pin!(work);
    match timeout_at(deadline, &mut work).await {
        Err(elapsed) => {
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
                if let Poll::Ready(done) = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await {
                    return Ok(done);
                }
            }
            Err(elapsed)
        }
        in_time => in_time,
    }
}

/// Reads at most so many bytes, until the deadline. The head has been received by now, so a body that
/// breaks off is a truncated answer and not a lost one.
async fn read_body(response: &mut reqwest::Response, deadline: Instant, bytes_max: usize) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        match by(deadline, response.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                let room = bytes_max - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if chunk.len() > room {
                    return (body, true);
                }
            }
            Ok(Ok(None)) => return (body, false),
            Ok(Err(_)) | Err(_) => return (body, true),
        }
    }
}

/// Groups an error of the client by what is certain about it.
fn failure(error: &reqwest::Error, withdrawn: bool) -> SendFailure {
    if let Some(ForbiddenName(what)) = find::<ForbiddenName>(error) {
        return SendFailure::Forbidden(what);
    }
    if error.is_builder() {
        return SendFailure::Forbidden("the request cannot be made");
    }
    if !(withdrawn || error.is_connect()) {
        return SendFailure::AnswerLost(if error.is_timeout() { "no answer in time" } else { "the connection broke" });
    }
    SendFailure::NotSent(if error.is_dns() {
        "the host name could not be resolved"
    } else if find::<rustls::Error>(error).is_some() {
        "TLS failed"
    } else if error.is_timeout() {
        "no connection in time"
    } else {
        "no connection"
    })
}

/// The first error of a type in a chain of causes.
fn find<'error, E: StdError + 'static>(error: &'error (dyn StdError + 'static)) -> Option<&'error E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        // An I/O error keeps what it wraps out of its own chain of causes.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
