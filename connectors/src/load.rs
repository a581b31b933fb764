//! Sending leads *at* leadyard: what the load generator and the demo use, so that they need no HTTP client of their own.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::time::Instant;
use url::{Host, Url};

use crate::http::{
    Method, OutboundAnswer, OutboundRequest, SendFailure, SetupFailure, build_client, client_builder, exchange,
};

/// Patience with a server under full load.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The largest answer read: a page of a report, from a server that is ours.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Idle connections kept: one for each of a few hundred clients.
const IDLE_CONNECTIONS: usize = 512;

/// How long an idle connection is used again: leadyard closes silent ones after five seconds, and what is sent at that very
/// moment is lost.
const IDLE_TIMEOUT: Duration = Duration::from_secs(2);

/// A client of one leadyard, bound to one address and port: the name is resolved once, here, and nothing else is ever
/// dialled. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct LeadSender {
    client: reqwest::Client,
    base: Url,
    address: SocketAddr,
    api_key: Option<SecretString>,
}

impl std::fmt::Debug for LeadSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LeadSender").field("address", &self.address).finish_non_exhaustive()
    }
}

impl LeadSender {
    /// A client for the leadyard at a base URL such as `http://127.0.0.1:8080`. Resolving its name may block for a moment.
    pub fn new(base_url: &str, api_key: Option<SecretString>) -> Result<Self, SetupFailure> {
        let wrong = |what: &str| SetupFailure(format!("the server's URL {what}"));
        let base = Url::parse(base_url).map_err(|_| wrong("is not a URL"))?;
        if !matches!(base.scheme(), "http" | "https") || !base.username().is_empty() || base.password().is_some() {
            return Err(wrong("must be http or https, without a user name"));
        }
        let port = base.port_or_known_default().ok_or_else(|| wrong("has no port"))?;
        let (address, name) = match base.host() {
            Some(Host::Ipv4(v4)) => (SocketAddr::new(v4.into(), port), None),
            Some(Host::Ipv6(v6)) => (SocketAddr::new(v6.into(), port), None),
            Some(Host::Domain(name)) => {
                let found = (name, port).to_socket_addrs().map_err(|_| wrong("has a host that is not found"))?;
                // IPv4 first: that is where `localhost` listens unless told otherwise.
                let address =
                    found.min_by_key(SocketAddr::is_ipv6).ok_or_else(|| wrong("has a host that is not found"))?;
                (address, Some(name.to_owned()))
            }
            None => return Err(wrong("has no host")),
        };
        let (client, _) = build_client(|| {
            let builder = client_builder()
                .pool_max_idle_per_host(IDLE_CONNECTIONS)
                .pool_idle_timeout(IDLE_TIMEOUT)
                .connect_timeout(TIMEOUT);
            match &name {
                Some(name) => builder.resolve(name, address),
                None => builder,
            }
        })?;
        Ok(Self { client, base, address, api_key })
    }

    /// The only address this client dials.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same client and connections with another key.
    #[must_use]
    pub fn with_api_key(&self, api_key: SecretString) -> Self {
        Self { api_key: Some(api_key), ..self.clone() }
    }

    /// Posts JSON to a path and reads the answer's JSON (`null` if it is none).
    pub async fn send_json(
        &self,
        path: &str,
        body: &Value,
        idempotency_key: Option<&str>,
    ) -> Result<(u16, Value), SendFailure> {
        let key = idempotency_key.map(|key| ("idempotency-key".to_owned(), key.to_owned()));
        let answer = self.post(path, "application/json", key.into_iter().collect(), body.to_string().into()).await?;
        Ok((answer.status, read_json(&answer)))
    }

    /// Posts anything to a path, with the API key.
    pub async fn post(
        &self,
        path: &str,
        content_type: &str,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Result<OutboundAnswer, SendFailure> {
        let bearer = self.api_key.as_ref().map(ExposeSecret::expose_secret);
        self.request(Method::Post, path, Some(content_type), headers, bearer, body).await
    }

    /// Asks a GraphQL question; `bearer` overrides the API key.
    pub async fn graphql(
        &self,
        query: &str,
        variables: Value,
        bearer: Option<&str>,
    ) -> Result<(u16, Value), SendFailure> {
        let body = json!({ "query": query, "variables": variables }).to_string().into();
        let bearer = bearer.or(self.api_key.as_ref().map(ExposeSecret::expose_secret));
        let answer = self.request(Method::Post, "/graphql", Some("application/json"), Vec::new(), bearer, body).await?;
        Ok((answer.status, read_json(&answer)))
    }

    /// Gets a path, for example `/health/ready`.
    pub async fn get(&self, path: &str) -> Result<OutboundAnswer, SendFailure> {
        let bearer = self.api_key.as_ref().map(ExposeSecret::expose_secret);
        self.request(Method::Get, path, None, Vec::new(), bearer, Vec::new()).await
    }

    /// Gets a path with headers of its own.
    pub async fn get_with(&self, path: &str, headers: Vec<(String, String)>) -> Result<OutboundAnswer, SendFailure> {
        let bearer = self.api_key.as_ref().map(ExposeSecret::expose_secret);
        self.request(Method::Get, path, None, headers, bearer, Vec::new()).await
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        mut headers: Vec<(String, String)>,
        bearer: Option<&str>,
        body: Vec<u8>,
    ) -> Result<OutboundAnswer, SendFailure> {
        // A path such as `//other.example` would lead away from the server.
        let elsewhere = SendFailure::Forbidden("the path does not belong to the server");
        if !path.starts_with('/') || path.starts_with("//") || path.starts_with("/\\") {
            return Err(elsewhere);
        }
        let url = self.base.join(path).map_err(|_| elsewhere)?;
        if url.origin() != self.base.origin() {
            return Err(elsewhere);
        }
        if let Some(content_type) = content_type {
            headers.push(("content-type".to_owned(), content_type.to_owned()));
        }
        if let Some(bearer) = bearer {
            headers.push(("authorization".to_owned(), format!("Bearer {bearer}")));
        }
        let request = OutboundRequest { method, url: String::new(), headers, body, timeout: TIMEOUT };
        exchange(&self.client, url, request, Instant::now(), ANSWER_BYTES_MAX).await
    }
}

fn read_json(answer: &OutboundAnswer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Behaviour, FakeReceiver};

    #[tokio::test]
    async fn leads_are_sent_over_few_connections() {
        let fake = FakeReceiver::start().await.unwrap();
        let sender = LeadSender::new(&fake.url(""), Some("ly_live_1_hunter2".into())).unwrap();
        assert_eq!(sender.address(), fake.address());
        let sending: Vec<_> = (0..64)
            .map(|n| {
                let sender = sender.clone();
                tokio::spawn(async move {
                    for m in 0..5 {
                        let key = format!("{n}-{m}");
                        let (status, body) =
                            sender.send_json("/v1/leads", &json!({ "n": n }), Some(&key)).await.unwrap();
                        assert_eq!((status, &body["status"]), (200, &"accepted".into()));
                    }
                })
            })
            .collect();
        for task in sending {
            task.await.unwrap();
        }
        assert_eq!(fake.received(), 320);
        let message = fake.messages().pop().unwrap();
        let header = |name: &str| message.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!(message.path, "/v1/leads");
        assert_eq!(header("authorization"), Some("Bearer ly_live_1_hunter2"));
        assert!(header("idempotency-key").is_some());
        assert!(!format!("{sender:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn questions_and_other_requests() {
        let fake = FakeReceiver::start().await.unwrap();
        let body = r#"{"data":{"ok":true}}"#.to_owned();
        fake.program("/graphql", Behaviour::Answer { status: 200, headers: Vec::new(), body });
        let sender = LeadSender::new(&fake.url("/"), None).unwrap();
        let (status, answer) = sender.graphql("{ ok }", json!({ "a": 1 }), Some("t")).await.unwrap();
        assert_eq!((status, &answer["data"]["ok"]), (200, &true.into()));
        let sent: Value = serde_json::from_slice(&fake.bodies()[0]).unwrap();
        assert_eq!(sent, json!({ "query": "{ ok }", "variables": { "a": 1 } }));
        assert_eq!(sender.get("/health/ready").await.unwrap().status, 200);
        for path in ["http://example.com/", "//example.com/", "/\\example.com/", "x"] {
            assert!(matches!(sender.get(path).await, Err(SendFailure::Forbidden(_))), "{path}");
        }
    }

    #[test]
    fn wrong_urls_are_refused() {
        for url in ["", "example.com", "ftp://127.0.0.1/", "http://u:p@127.0.0.1/", "http://no-such-host.invalid/"] {
            assert!(LeadSender::new(url, None).is_err(), "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_is_resolved_once() {
        let fake = FakeReceiver::start().await.unwrap();
        let url = format!("http://localhost:{}", fake.address().port());
        let sender = LeadSender::new(&url, None).unwrap();
        assert_eq!(sender.address(), fake.address());
        assert_eq!(sender.get("/").await.unwrap().status, 200);
    }
}
