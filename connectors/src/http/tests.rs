use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

fn post(url: impl Into<String>, timeout_ms: u64) -> OutboundRequest {
    OutboundRequest {
        method: Method::Post,
        url: url.into(),
        headers: vec![("Content-Type".into(), "application/json".into())],
        body: b"{\"a\":1}".to_vec(),
        timeout: Duration::from_millis(timeout_ms),
    }
}

fn trial() -> OutboundPolicy {
    OutboundPolicy::new(false)
}

/// A resolver that answers from a list and counts how often it was asked.
#[derive(Debug, Default)]
struct ListResolver {
    names: HashMap<String, Vec<IpAddr>>,
    asked: AtomicUsize,
}

impl ListResolver {
    fn of(names: &[(&str, &[&str])]) -> Arc<Self> {
        let names = names
            .iter()
            .map(|(name, ips)| ((*name).to_owned(), ips.iter().map(|ip| ip.parse().unwrap()).collect()))
            .collect();
        Arc::new(Self { names, asked: AtomicUsize::new(0) })
    }
}

impl NameResolver for ListResolver {
    fn addresses(&self, name: &str) -> NameAnswer {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let found = self.names.get(name).cloned().ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound));
        Box::pin(std::future::ready(found))
    }
}

/// A server that reads a little, writes `answer` and then keeps writing `more` until the other side is gone.
async fn raw_server(
    answer: &'static [u8],
    more: Option<(&'static [u8], Duration)>,
) -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut buffer = [0_u8; 4096];
                let _ = socket.read(&mut buffer).await;
                let _ = socket.write_all(answer).await;
                if let Some((piece, pause)) = more {
                    while socket.write_all(piece).await.is_ok() {
                        tokio::time::sleep(pause).await;
                    }
                }
            });
        }
    });
    (address, connections)
}

#[tokio::test]
async fn an_allowed_request_arrives_and_is_answered() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(202).insert_header("X-Reference", "r1").set_body_string("thanks"))
        .mount(&server)
        .await;
    let client = GuardedClient::new(trial().allowing(*server.address())).unwrap();
    let answer = client.send(post(server.uri(), 20_000)).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice(), answer.truncated), (202, b"thanks".as_slice(), false));
    assert_eq!(answer.header("x-reference"), Some("r1"));
    let received = server.received_requests().await.unwrap();
    assert_eq!(received[0].body, b"{\"a\":1}");
    assert_eq!(received[0].headers["content-length"], "7");
    assert!(!received[0].headers.contains_key("accept-encoding"));
}

#[tokio::test]
async fn the_same_server_is_out_of_reach_without_the_exception() {
    let server = MockServer::start().await;
    let client = GuardedClient::new(trial()).unwrap();
    let failure = client.send(post(server.uri(), 1_000)).await.unwrap_err();
    assert!(matches!(failure, SendFailure::Forbidden(_)), "{failure}");
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_an_order() {
    let target = MockServer::start().await;
    let server = MockServer::start().await;
    for code in [301, 302, 303, 307, 308] {
        server.reset().await;
        Mock::given(any())
            .respond_with(ResponseTemplate::new(code).insert_header("Location", target.uri()))
            .mount(&server)
            .await;
        let policy = trial().allowing(*server.address()).allowing(*target.address());
        let answer = GuardedClient::new(policy).unwrap().send(post(server.uri(), 20_000)).await.unwrap();
        assert_eq!(answer.status, code);
    }
    assert!(target.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn names_that_resolve_inside_are_forbidden_and_never_dialled() {
    let (address, connections) = raw_server(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", None).await;
    let resolver = ListResolver::of(&[
        ("inside.example.com", &["127.0.0.1"]),
        ("mixed.example.com", &["93.184.216.34", "127.0.0.1"]),
        ("meta.example.com", &["169.254.169.254"]),
        ("mapped.example.com", &["::ffff:127.0.0.1"]),
        ("ula.example.com", &["fd00::1"]),
        ("nat64.example.com", &["64:ff9b::7f00:1"]),
    ]);
    // Even the exact exception helps no name: only the literal address is excepted.
    let client = GuardedClient::with_resolver(trial().allowing(address), resolver.clone()).unwrap();
    for name in ["inside", "mixed", "meta", "mapped", "ula", "nat64"] {
        for scheme in ["http", "https"] {
            let failure = client.send(post(format!("{scheme}://{name}.example.com:8080/"), 20_000)).await.unwrap_err();
            assert!(matches!(failure, SendFailure::Forbidden(_)), "{name}: {failure}");
        }
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
    let before = resolver.asked.load(Ordering::SeqCst);
    assert!(before >= 12);
    assert!(client.send(post("http://localhost:8080/", 20_000)).await.is_err());
    assert_eq!(resolver.asked.load(Ordering::SeqCst), before, "a literal or inner name is not even resolved");
}

#[tokio::test]
async fn failures_before_sending_are_told_apart() {
    let client = GuardedClient::with_resolver(trial(), ListResolver::of(&[])).unwrap();
    let unknown = client.send(post("https://nowhere.example.com/", 20_000)).await.unwrap_err();
    assert_eq!(unknown, SendFailure::NotSent("the host name could not be resolved"));

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let client = GuardedClient::new(trial().allowing(closed)).unwrap();
    let refused = client.send(post(format!("http://{closed}/"), 20_000)).await.unwrap_err();
    assert_eq!(refused, SendFailure::NotSent("no connection"));

    let (plain, _) = raw_server(b"HTTP/1.1 200 OK\r\n\r\n", None).await;
    let client = GuardedClient::new(trial().allowing(plain)).unwrap();
    let no_tls = client.send(post(format!("https://{plain}/"), 20_000)).await.unwrap_err();
    assert!(matches!(no_tls, SendFailure::NotSent(_)), "{no_tls}");
}

/// A host that takes the connection but never finishes the TLS handshake has not received anything, even when our own
/// time runs out first.
#[tokio::test]
async fn a_handshake_that_hangs_counts_as_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = GuardedClient::new(trial().allowing(address)).unwrap();
    let failure = client.send(post(format!("https://{address}/"), 300)).await.unwrap_err();
    assert_eq!(failure, SendFailure::NotSent("no connection in time"));
    drop(listener);
}

#[tokio::test]
async fn after_the_request_went_out_the_answer_is_lost() {
    let (silent, _) = raw_server(b"", Some((b"", Duration::from_millis(50)))).await;
    let (closing, _) = raw_server(b"", None).await;
    let (garbage, _) = raw_server(b"ceci n'est pas une reponse\r\n\r\n", None).await;
    for (address, timeout_ms) in [(silent, 2_000), (closing, 20_000), (garbage, 20_000)] {
        let client = GuardedClient::new(trial().allowing(address)).unwrap();
        let failure = client.send(post(format!("http://{address}/"), timeout_ms)).await.unwrap_err();
        assert!(matches!(failure, SendFailure::AnswerLost(_)), "{failure}");
    }
}

#[tokio::test]
async fn endless_and_dripping_bodies_are_cut() {
    let (endless, _) = raw_server(b"HTTP/1.1 200 OK\r\n\r\n", Some((&[b'x'; 16 * 1024], Duration::ZERO))).await;
    let client = GuardedClient::new(trial().allowing(endless)).unwrap();
    let answer = client.send(post(format!("http://{endless}/"), 60_000)).await.unwrap();
    assert_eq!((answer.body.len(), answer.truncated), (ANSWER_BYTES_MAX, true));
    assert!(answer.duration < Duration::from_secs(30), "the rest is not waited for");

    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n";
    let (drip, _) = raw_server(head, Some((b"x", Duration::from_millis(20)))).await;
    let client = GuardedClient::new(trial().allowing(drip)).unwrap();
    let answer = client.send(post(format!("http://{drip}/"), 1_500)).await.unwrap();
    assert!(answer.truncated && answer.status == 200 && answer.body.len() < 1_000);
    assert!(answer.duration < Duration::from_secs(30));
}

#[tokio::test]
async fn a_compressed_answer_stays_compressed() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\x00";
    let (address, _) = raw_server(head, None).await;
    let client = GuardedClient::new(trial().allowing(address)).unwrap();
    let answer = client.send(post(format!("http://{address}/"), 20_000)).await.unwrap();
    assert_eq!(answer.body, b"\x1f\x8b\x08\x00");
}

#[tokio::test]
async fn a_host_gets_no_more_requests_at_once_than_allowed() {
    let server = MockServer::start().await;
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(60));
    Mock::given(any()).respond_with(slow).mount(&server).await;
    let policy = trial().allowing(*server.address()).with_per_host_concurrency(2);
    let client = GuardedClient::new(policy).unwrap();
    let under_way: Vec<_> = (0..2)
        .map(|_| {
            let (client, request) = (client.clone(), post(server.uri(), 60_000));
            tokio::spawn(async move { client.send(request).await })
        })
        .collect();
    while server.received_requests().await.unwrap().len() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let third = client.send(post(server.uri(), 200)).await.unwrap_err();
    assert_eq!(third, SendFailure::NotSent("too many requests to this host are under way"));
    under_way.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_broken_header_is_refused_without_sending() {
    let (address, connections) = raw_server(b"", None).await;
    let client = GuardedClient::new(trial().allowing(address)).unwrap();
    for (name, value) in [("bad name", "x"), ("x", "a\r\nb: c"), ("x", "\0")] {
        let mut request = post(format!("http://{address}/"), 1_000);
        request.headers.push((name.into(), value.into()));
        assert_eq!(client.send(request).await.unwrap_err(), SendFailure::Forbidden("a header is not valid"));
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

/// What failures and requests print holds no URL, header or body.
#[test]
fn debug_forms_hold_no_contents() {
    let mut request = post("https://example.com/?token=hunter2", 1);
    request.headers.push(("authorization".into(), "hunter2".into()));
    request.body = b"hunter2".to_vec();
    let answer = OutboundAnswer {
        status: 200,
        headers: vec![("x".into(), "hunter2".into())],
        body: b"hunter2".to_vec(),
        truncated: false,
        duration: Duration::ZERO,
    };
    assert!(!format!("{request:?}{answer:?}").contains("hunter2"));
}
