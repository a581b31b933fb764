//! What a fake receiver does with a message, and the bodies it answers with.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Interval;

/// What a path of a [`super::FakeReceiver`] does with what arrives. The `times` of a failure count per path; after them
/// the path accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// Takes it: 200 with `{"status":"accepted","reference":…}`, which also reads as a verdict.
    Accept,
    /// Says no: 200 with a verdict.
    Reject {
        /// The reason in the verdict.
        reason: String,
    },
    /// Says that it has the lead already: 200 with a verdict.
    Duplicate,
    /// Fails with a status.
    Fail {
        /// The status.
        status: u16,
        /// How often.
        times: u32,
    },
    /// 429 with `Retry-After`.
    Throttle {
        /// The header's value: seconds or an HTTP date.
        retry_after: String,
        /// How often.
        times: u32,
    },
    /// 410.
    Gone,
    /// Reads the message, *takes it*, and closes the connection without an answer.
    CloseAfterReading {
        /// How often.
        times: u32,
    },
    /// Reads the message and never answers.
    Hang,
    /// Reads the message, *takes it*, and accepts it once the receiver is told to let go: see
    /// [`super::FakeReceiver::let_go`].
    Hold,
    /// Says what became of the message whose id the question carries: `{"status":"accepted"}` with a reference if it was
    /// taken at another path, 404 if it never was. The question itself is no message.
    Known,
    /// Answers 200 at once and then a byte now and then, without end.
    Drip,
    /// Answers 200 and then as many bytes as the other side reads.
    Endless,
    /// Answers exactly this, and takes the message if the status is 2xx.
    Answer {
        /// The status.
        status: u16,
        /// The headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
}

/// How a message is answered, once it is known which time this is.
pub(super) enum Reaction {
    Answer {
        taken: bool,
        status: u16,
        headers: Vec<(String, String)>,
        body: FakeBody,
    },
    /// This answer, later.
    Hold(Box<Reaction>),
    Close,
    Hang,
}

impl Behaviour {
    /// The reaction to the `earlier`-th message (0 = the first) of a path; `number` makes references unique.
    pub(super) fn react(&self, earlier: u32, number: u64) -> Reaction {
        let json = |taken: bool, status: u16, body: String| Reaction::Answer {
            taken,
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: FakeBody::text(body),
        };
        let accept = || json(true, 200, format!("{{\"status\":\"accepted\",\"reference\":\"fake-{number}\"}}"));
        match self {
            Self::Accept => accept(),
            Self::Reject { reason } => {
                json(false, 200, serde_json::json!({ "status": "rejected", "reason": reason }).to_string())
            }
            Self::Duplicate => json(false, 200, "{\"status\":\"duplicate\"}".to_owned()),
            Self::Fail { status, times } if earlier < *times => json(false, *status, "{}".to_owned()),
            Self::Throttle { retry_after, times } if earlier < *times => Reaction::Answer {
                taken: false,
                status: 429,
                headers: vec![("retry-after".to_owned(), retry_after.clone())],
                body: FakeBody::text(String::new()),
            },
            Self::CloseAfterReading { times } if earlier < *times => Reaction::Close,
            Self::Fail { .. } | Self::Throttle { .. } | Self::CloseAfterReading { .. } => accept(),
            Self::Known => json(false, 404, "{\"error\":\"no such lead\"}".to_owned()),
            Self::Gone => json(false, 410, "{}".to_owned()),
            Self::Hang => Reaction::Hang,
            Self::Hold => Reaction::Hold(Box::new(accept())),
            Self::Drip => {
                Reaction::Answer { taken: true, status: 200, headers: Vec::new(), body: FakeBody::drip(DRIP_PAUSE) }
            }
            Self::Endless => {
                Reaction::Answer { taken: true, status: 200, headers: Vec::new(), body: FakeBody::Endless }
            }
            Self::Answer { status, headers, body } => Reaction::Answer {
                taken: (200..300).contains(status),
                status: *status,
                headers: headers.clone(),
                body: FakeBody::text(body.clone()),
            },
        }
    }
}

/// How long a dripping answer pauses between two bytes.
const DRIP_PAUSE: Duration = Duration::from_millis(50);

/// A body that ends, drips, or never ends.
pub(super) enum FakeBody {
    Text(Option<Bytes>),
    Drip(Interval),
    Endless,
}

impl FakeBody {
    pub(super) fn text(text: impl Into<Bytes>) -> Self {
        let bytes = text.into();
        Self::Text((!bytes.is_empty()).then_some(bytes))
    }

    /// Without end, a byte and then a pause.
    pub(super) fn drip(pause: Duration) -> Self {
        Self::Drip(tokio::time::interval(pause))
    }
}

impl Body for FakeBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Text(text) => Poll::Ready(text.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Drip(interval) => {
                interval.poll_tick(context).map(|_| Some(Ok(Frame::data(Bytes::from_static(b" ")))))
            }
            Self::Endless => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b' '; 8_192]))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Text(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text) => SizeHint::with_exact(text.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Drip(_) | Self::Endless => SizeHint::default(),
        }
    }
}
