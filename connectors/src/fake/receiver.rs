//! A buyer's webhook endpoint.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response};
use leadyard_types::DeliveryId;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use super::behaviour::{Behaviour, FakeBody, Reaction};
use super::server;
use crate::webhook::verify;

/// Messages kept for looking at; the oldest goes first.
const MESSAGES_KEPT: usize = 256;

/// Ids remembered; a million take about 60 MB.
const IDS_KEPT: usize = 2_000_000;

/// The longest message read.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// One message that arrived and was believed.
#[derive(Debug, Clone)]
pub struct Message {
    /// The path it came to.
    pub path: String,
    /// Its `webhook-id`, if it had one.
    pub id: Option<String>,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

#[derive(Default)]
struct Path {
    behaviour: Option<Behaviour>,
    secrets: Vec<SecretString>,
    messages: u32,
}

#[derive(Clone, Copy, Default)]
struct Arrivals {
    all: u32,
    taken: u32,
}

#[derive(Default)]
struct State {
    paths: HashMap<String, Path>,
    arrivals: HashMap<u128, Arrivals>,
    messages: VecDeque<Message>,
    received: u64,
    forged: u64,
}

/// A real HTTP server on loopback that takes webhooks. It stops when it is dropped.
///
/// Every path accepts unless it is programmed otherwise. Where a path was given secrets, what is not signed with one of
/// them is answered 401 and counted as forged. A message is *taken* when a real receiver would have stored it: when it was
/// answered 2xx without a refusal, or read before the connection was closed.
pub struct FakeReceiver {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: watch::Sender<bool>,
    letting_go: Arc<Notify>,
}

impl std::fmt::Debug for FakeReceiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeReceiver").field("address", &self.address).finish_non_exhaustive()
    }
}

impl FakeReceiver {
    /// Starts on a free port of 127.0.0.1.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State::default()));
        let (stop, stopped) = watch::channel(false);
        let letting_go = Arc::new(Notify::new());
        let (answering, going) = (Arc::clone(&state), Arc::clone(&letting_go));
        let handle = move |request| answer(Arc::clone(&answering), Arc::clone(&going), request);
        tokio::spawn(server::run(listener, stopped, handle));
        Ok(Self { address, state, stop, letting_go })
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

    /// Programs a path, from its next message on.
    pub fn program(&self, path: &str, behaviour: Behaviour) {
        let mut state = self.state();
        let entry = state.paths.entry(path.to_owned()).or_default();
        entry.behaviour = Some(behaviour);
        entry.messages = 0;
    }

    /// Makes a path verify signatures against these secrets.
    pub fn require_signature(&self, path: &str, secrets: Vec<SecretString>) {
        self.state().paths.entry(path.to_owned()).or_default().secrets = secrets;
    }

    /// Answers what is held ([`Behaviour::Hold`]) at this moment.
    pub fn let_go(&self) {
        self.letting_go.notify_waiters();
    }

    /// How many messages arrived, repetitions included, forged ones not.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.state().received
    }

    /// How many different messages arrived, by `webhook-id`.
    #[must_use]
    pub fn unique(&self) -> usize {
        self.state().arrivals.len()
    }

    /// How many different messages were taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.state().arrivals.values().filter(|arrivals| arrivals.taken > 0).count()
    }

    /// How many were refused because their signature did not fit.
    #[must_use]
    pub fn forged(&self) -> u64 {
        self.state().forged
    }

    /// How often a delivery arrived.
    #[must_use]
    pub fn arrivals_of(&self, delivery: DeliveryId) -> u32 {
        self.state().arrivals.get(&key(&delivery.to_string())).map_or(0, |arrivals| arrivals.all)
    }

    /// How often a delivery was taken; a receiver that knows repetitions keeps one of them.
    #[must_use]
    pub fn taken_of(&self, delivery: DeliveryId) -> u32 {
        self.state().arrivals.get(&key(&delivery.to_string())).map_or(0, |arrivals| arrivals.taken)
    }

    /// The last messages, at most 256, oldest first.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.state().messages.iter().cloned().collect()
    }

    /// How many messages came to a path since it was programmed last.
    #[must_use]
    pub fn received_at(&self, path: &str) -> u32 {
        self.state().paths.get(path).map_or(0, |path| path.messages)
    }

    /// The bodies of [`Self::messages`].
    #[must_use]
    pub fn bodies(&self) -> Vec<Vec<u8>> {
        self.state().messages.iter().map(|message| message.body.clone()).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}

impl Drop for FakeReceiver {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ids are kept as 128 bits: a delivery's id is that long, and any other text is shortened to it.
fn key(id: &str) -> u128 {
    id.parse::<uuid::Uuid>().map_or_else(
        |_| {
            let digest = Sha256::digest(id.as_bytes());
            digest.iter().take(16).fold(0, |key, byte| (key << 8) | u128::from(*byte))
        },
        |uuid| uuid.as_u128(),
    )
}

async fn answer(
    state: Arc<Mutex<State>>,
    letting_go: Arc<Notify>,
    request: Request<Incoming>,
) -> io::Result<Response<FakeBody>> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MESSAGE_BYTES_MAX).collect().await.map_err(io::Error::other)?.to_bytes();
    let headers: Vec<(String, String)> = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let path = head.uri.path().to_owned();
    // Waits from before the message counts as arrived, so that nobody lets go in between.
    let mut let_go = std::pin::pin!(letting_go.notified());
    let_go.as_mut().enable();
    let mut reaction = locked(&state).take(Message { path, id: None, headers, body: body.to_vec() });
    if let Reaction::Hold(later) = reaction {
        let_go.await;
        reaction = *later;
    }
    match reaction {
        Reaction::Close => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
        Reaction::Hang | Reaction::Hold(_) => std::future::pending().await,
        Reaction::Answer { status, headers, body, .. } => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(body).map_err(io::Error::other)
        }
    }
}

impl State {
    /// Counts a message and says how it is answered.
    fn take(&mut self, mut message: Message) -> Reaction {
        let header = |name: &str| message.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        // Paths nobody programmed are not remembered, so that no client can fill the map.
        let mut unknown = Path::default();
        let path = self.paths.get_mut(&message.path).unwrap_or(&mut unknown);
        if !path.secrets.is_empty() && verify(&path.secrets, header, &message.body, None).is_err() {
            self.forged += 1;
            let forged = Behaviour::Answer { status: 401, headers: Vec::new(), body: String::new() };
            return forged.react(0, 0);
        }
        message.id = header("webhook-id").map(str::to_owned);
        self.received += 1;
        let earlier = path.messages;
        path.messages = path.messages.saturating_add(1);
        let behaviour = path.behaviour.as_ref().unwrap_or(&Behaviour::Accept);
        let asked = *behaviour == Behaviour::Known;
        let arrived = message.id.as_ref().and_then(|id| self.arrivals.get(&key(id)));
        let known = arrived.is_some_and(|arrivals| arrivals.taken > 0);
        let behaviour = if asked && known { &Behaviour::Accept } else { behaviour };
        let reaction = behaviour.react(earlier, self.received);
        if let Some(id) = message.id.as_ref().filter(|_| !asked) {
            let key = key(id);
            if self.arrivals.len() < IDS_KEPT || self.arrivals.contains_key(&key) {
                let arrivals = self.arrivals.entry(key).or_default();
                arrivals.all += 1;
                let taken =
                    matches!(reaction, Reaction::Answer { taken: true, .. } | Reaction::Close | Reaction::Hold(_));
                arrivals.taken += u32::from(taken);
            }
        }
        if self.messages.len() >= MESSAGES_KEPT {
            self.messages.pop_front();
        }
        self.messages.push_back(message);
        reaction
    }
}
