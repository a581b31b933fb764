//! Bodies are read whole before anything is done with them: up to a limit, and within a time, so that nobody keeps a
//! handler waiting for a byte now and then.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::problem::Problem;

/// The longest body taken: far more than any lead needs.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// So much more is read and thrown away, so that the sender hears why it was refused: a connection closed while it
/// still sends would lose the answer.
const DISCARDED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    TooLarge,
    TooSlow,
    Broken,
}

impl Trouble {
    /// Status, code and what would be right.
    pub(crate) const fn told(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", "a body of at most 64 KiB is expected, sent whole")
            }
            Self::TooSlow => {
                (StatusCode::REQUEST_TIMEOUT, "BODY_TOO_SLOW", "the body did not arrive in time; send it again")
            }
            Self::Broken => (StatusCode::BAD_REQUEST, "BODY_BROKEN", "the body ended early; send it again"),
        }
    }
}

impl From<Trouble> for Problem {
    fn from(trouble: Trouble) -> Self {
        let (status, code, message) = trouble.told();
        Self::new(status, code, message)
    }
}

/// Reads the body, or remembers why there is none. Handlers take it as [`Sent`]; to those who read it themselves a
/// body that could not be had is one that breaks.
pub(super) async fn receive(State(timeout): State<Duration>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let body = match whole(body, Instant::now() + timeout).await {
        Ok(bytes) => Body::from(bytes),
        Err(trouble) => {
            parts.extensions.insert(trouble);
            let broken = std::io::Error::other("the body was not received");
            Body::from_stream(futures_util::stream::iter([Err::<Bytes, _>(broken)]))
        }
    };
    next.run(Request::from_parts(parts, body)).await
}

async fn whole(mut body: Body, deadline: Instant) -> Result<Bytes, Trouble> {
    let announced = hyper::body::Body::size_hint(&body).lower();
    let within = |limit: usize| usize::try_from(announced).is_ok_and(|announced| announced <= limit);
    if !within(DISCARDED_BYTES_MAX) {
        return Err(Trouble::TooLarge);
    }
    let mut received = Vec::new();
    let (mut length, mut kept) = (0_usize, within(BODY_BYTES_MAX));
    loop {
        let frame = timeout_at(deadline, body.frame()).await.map_err(|_| Trouble::TooSlow)?;
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(|_| Trouble::Broken)?.into_data() else { continue };
        length += data.len();
        kept = kept && length <= BODY_BYTES_MAX;
        if kept {
            received.extend_from_slice(&data);
        } else if length > DISCARDED_BYTES_MAX {
            break;
        } else {
            received = Vec::new();
        }
    }
    if kept { Ok(received.into()) } else { Err(Trouble::TooLarge) }
}

/// A body that was received whole.
#[derive(Debug)]
pub(super) struct Sent(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if let Some(trouble) = request.extensions().get::<Trouble>() {
            return Err((*trouble).into());
        }
        let bytes = to_bytes(request.into_body(), BODY_BYTES_MAX).await;
        bytes.map(Self).map_err(|_| Trouble::TooLarge.into())
    }
}
