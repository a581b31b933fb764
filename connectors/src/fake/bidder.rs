//! Buyers that are asked for bids: good ones, and every kind of bad one.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::behaviour::FakeBody;
use super::server;

/// Pings kept for looking at; the oldest goes first.
const ASKED_KEPT: usize = 1_024;

/// The longest ping read.
const PING_BYTES_MAX: usize = 1024 * 1024;

/// How long a dripping bidder pauses between two bytes.
const DRIP_PAUSE: Duration = Duration::from_secs(1);

/// A bid in leadyard's own shape (preset LEADYARD).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The price, as it is written.
    pub price: String,
    /// The prices where two, three … buy.
    pub shared: Vec<String>,
    /// The currency, if the bidder names one.
    pub currency: Option<String>,
    /// How many seconds it holds, if the bidder says so.
    pub expires_in: Option<u64>,
}

impl Offer {
    /// A bid of a price, in the currency it is asked in.
    pub fn of(price: impl Into<String>) -> Self {
        Self { price: price.into(), shared: Vec::new(), currency: None, expires_in: None }
    }

    fn answer(&self, number: u64) -> Value {
        let mut answer = json!({ "bid": true, "price": self.price, "reference": format!("bid-{number}") });
        if !self.shared.is_empty() {
            answer["shared"] = json!(self.shared);
        }
        if let Some(currency) = &self.currency {
            answer["currency"] = json!(currency);
        }
        if let Some(seconds) = self.expires_in {
            answer["expires_in"] = json!(seconds);
        }
        answer
    }
}

/// How a bidder finds its bid in a ping.
pub type Computing = dyn Fn(&Value) -> Option<Offer> + Send + Sync;

/// What a path of a [`FakeBidder`] does when it is asked. The answers are in leadyard's own shape.
#[derive(Clone)]
pub enum Bidding {
    /// Bids.
    Bid(Offer),
    /// Bids what it computes from the ping's JSON (`null` where it was sent something else), or not.
    Compute(Arc<Computing>),
    /// Does not want it.
    NoBid {
        /// Why.
        reason: String,
    },
    /// Has the person already.
    Duplicate,
    /// Does something else, but late.
    Slow {
        /// How long it waits.
        after: Duration,
        /// What it does then.
        then: Box<Bidding>,
    },
    /// Never answers.
    Silent,
    /// Answers 200 at once and then a byte per second, without end.
    Drip,
    /// Answers 200 and then as many bytes as the other side reads.
    Endless,
    /// Nine megabytes of spaces in 57 KB of gzip.
    GzipBomb,
    /// 307 to somewhere else.
    Redirect {
        /// Where to.
        to: String,
    },
    /// JSON that opens ten thousand lists and closes none.
    Deep,
    /// A bid that names its price twice.
    TwoPrices,
    /// A bid in a currency nobody asked for.
    WrongCurrency,
    /// A bid of `NaN`, as a bare word.
    NotANumber,
    /// An error.
    Fail {
        /// The status.
        status: u16,
    },
    /// Reads the ping and closes the connection.
    Close,
    /// Answers exactly this.
    Answer {
        /// The status.
        status: u16,
        /// The headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
}

impl std::fmt::Debug for Bidding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bid(offer) => f.debug_tuple("Bid").field(offer).finish(),
            Self::Slow { after, then } => f.debug_struct("Slow").field("after", after).field("then", then).finish(),
            Self::Fail { status } | Self::Answer { status, .. } => write!(f, "Answer({status})"),
            Self::Compute(_) => f.write_str("Compute"),
            Self::NoBid { .. } => f.write_str("NoBid"),
            Self::Duplicate => f.write_str("Duplicate"),
            Self::Silent => f.write_str("Silent"),
            Self::Drip => f.write_str("Drip"),
            Self::Endless => f.write_str("Endless"),
            Self::GzipBomb => f.write_str("GzipBomb"),
            Self::Redirect { .. } => f.write_str("Redirect"),
            Self::Deep => f.write_str("Deep"),
            Self::TwoPrices => f.write_str("TwoPrices"),
            Self::WrongCurrency => f.write_str("WrongCurrency"),
            Self::NotANumber => f.write_str("NotANumber"),
            Self::Close => f.write_str("Close"),
        }
    }
}

/// One ping that arrived.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// The path it came to.
    pub path: String,
    /// The query, without the question mark.
    pub query: String,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

#[derive(Default)]
struct State {
    paths: HashMap<String, Bidding>,
    asked: VecDeque<Asked>,
    count: u64,
}

/// A real HTTP server on loopback that is asked for bids. It stops when it is dropped. A path that was not programmed
/// makes no bid.
pub struct FakeBidder {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: watch::Sender<bool>,
}

impl std::fmt::Debug for FakeBidder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeBidder").field("address", &self.address).finish_non_exhaustive()
    }
}

impl FakeBidder {
    /// Starts on a free port of 127.0.0.1.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State::default()));
        let (stop, stopped) = watch::channel(false);
        let answering = Arc::clone(&state);
        tokio::spawn(server::run(listener, stopped, move |request| answer(Arc::clone(&answering), request)));
        Ok(Self { address, state, stop })
    }

    /// Where it listens: the exact address for an outbound policy's exceptions.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path, which begins with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Programs a path, from its next ping on.
    pub fn program(&self, path: &str, bidding: Bidding) {
        self.state().paths.insert(path.to_owned(), bidding);
    }

    /// How many pings arrived.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.state().count
    }

    /// The last pings, at most 1,024, oldest first.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.state().asked.iter().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}

impl Drop for FakeBidder {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(state: Arc<Mutex<State>>, request: Request<Incoming>) -> io::Result<Response<FakeBody>> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, PING_BYTES_MAX).collect().await.map_err(io::Error::other)?.to_bytes();
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let asked = Asked {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes()))).collect(),
        body: body.to_vec(),
    };
    let ping: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let (mut bidding, number) = locked(&state).take(asked);
    while let Bidding::Slow { after, then } = bidding {
        tokio::time::sleep(after).await;
        bidding = *then;
    }
    bidding.respond(&ping, number).await
}

impl State {
    /// Counts a ping and says what is done with it.
    fn take(&mut self, asked: Asked) -> (Bidding, u64) {
        self.count += 1;
        let bidding = self.paths.get(&asked.path).cloned();
        if self.asked.len() >= ASKED_KEPT {
            self.asked.pop_front();
        }
        self.asked.push_back(asked);
        (bidding.unwrap_or(Bidding::NoBid { reason: "nothing is bought here".to_owned() }), self.count)
    }
}

impl Bidding {
    async fn respond(self, ping: &Value, number: u64) -> io::Result<Response<FakeBody>> {
        match self {
            Self::Bid(offer) => json_answer(&offer.answer(number).to_string()),
            Self::Compute(compute) => json_answer(
                &compute(ping).map_or_else(|| json!({ "bid": false }), |offer| offer.answer(number)).to_string(),
            ),
            Self::NoBid { reason } => json_answer(&json!({ "bid": false, "reason": reason }).to_string()),
            Self::Duplicate => json_answer("{\"bid\":false,\"duplicate\":true}"),
            Self::Slow { .. } | Self::Silent => std::future::pending().await,
            Self::Drip => response(200, &[], FakeBody::drip(DRIP_PAUSE)),
            Self::Endless => response(200, &[], FakeBody::Endless),
            Self::GzipBomb => {
                let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
                response(200, &headers, FakeBody::text(GZIP_BOMB.clone()))
            }
            Self::Redirect { to } => response(307, &[("location", &to)], FakeBody::text("")),
            Self::Deep => json_answer(&format!("{{\"bid\":true,\"price\":\"99.00\",\"x\":{}", "[".repeat(10_000))),
            Self::TwoPrices => json_answer("{\"bid\":true,\"price\":\"1.00\",\"price\":\"99.00\"}"),
            Self::WrongCurrency => json_answer("{\"bid\":true,\"price\":\"99.00\",\"currency\":\"XTS\"}"),
            Self::NotANumber => json_answer("{\"bid\":true,\"price\":NaN}"),
            Self::Fail { status } => response(status, &[], FakeBody::text("{}")),
            Self::Close => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
            Self::Answer { status, headers, body } => {
                let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                response(status, &headers, FakeBody::text(body))
            }
        }
    }
}

fn json_answer(body: &str) -> io::Result<Response<FakeBody>> {
    response(200, &[("content-type", "application/json")], FakeBody::text(body.to_owned()))
}

fn response(status: u16, headers: &[(&str, &str)], body: FakeBody) -> io::Result<Response<FakeBody>> {
    let builder = Response::builder().status(status);
    let builder = headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
    builder.body(body).map_err(io::Error::other)
}

/// How many times the bomb repeats the longest run that gzip knows: 258 bytes in 13 bits.
const BOMB_RUNS: usize = 35_000;

static GZIP_BOMB: LazyLock<Bytes> = LazyLock::new(|| gzip_bomb().into());

/// Just below what is read of an answer: a block of fixed codes (RFC 1951, 3.2.6) with one space and then runs of it. The
/// check sum at the end is left out, as a bomb would.
fn gzip_bomb() -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let (mut byte, mut filled) = (0_u8, 0);
    let mut put = |bits: &str| {
        for bit in bits.bytes() {
            byte |= (bit - b'0') << filled;
            filled += 1;
            if filled == 8 {
                bytes.push(byte);
                (byte, filled) = (0, 0);
            }
        }
    };
    // The last block, of fixed codes; a space; then runs of length 258 (code 285) at distance 1 (code 0).
    put("110");
    put("01010000");
    for _ in 0..BOMB_RUNS {
        put("1100010100000");
    }
    put("00000000000000");
    bytes
}
