//! On loopback, with limits that a test can wait for.

use std::time::Duration;

use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::*;

/// Limits that a test can wait for.
fn short() -> ServerLimits {
    ServerLimits {
        header_timeout: Duration::from_millis(300),
        body_timeout: Duration::from_millis(300),
        request_timeout: Duration::from_millis(600),
        drain: Duration::from_millis(800),
        ..ServerLimits::default()
    }
}

async fn start(limits: ServerLimits) -> Server {
    let slow = |millis: u64| async move {
        sleep(Duration::from_millis(millis)).await;
        "done"
    };
    let router = Router::new()
        .route("/", get(async || "ok"))
        .route("/1500", get(move || slow(1_500)))
        .route("/10000", get(move || slow(10_000)))
        .route("/echo", post(async |super::super::receive::Sent(body): super::super::receive::Sent| body))
        .route("/panic", get(async || -> &'static str { panic!("Zaphod-4711") }));
    Server::start_with("127.0.0.1:0".parse().unwrap(), router, limits).await.unwrap()
}

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address).await.unwrap()
}

/// Reads until the server closes; panics if it does not.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    read.expect("the server never closed").ok();
    String::from_utf8(answer).unwrap()
}

async fn ask(server: &Server, text: &str) -> String {
    let mut stream = connect(server).await;
    stream.write_all(text.as_bytes()).await.unwrap();
    read_to_end(&mut stream).await
}

const GET: &str = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

fn get_of(path: &str) -> String {
    GET.replacen("/ ", &format!("{path} "), 1)
}

/// A connection that says nothing, or says it slowly, or says nothing more, is closed; others are served meanwhile.
#[tokio::test]
async fn slow_heads_are_closed() {
    let server = start(short()).await;
    for (what, before) in [("silent", ""), ("half a head", "GET / HTTP/1.1\r\nhost: "), ("one line", "G")] {
        let mut slow = connect(&server).await;
        slow.write_all(before.as_bytes()).await.unwrap();
        let began = Instant::now();
        assert!(ask(&server, GET).await.starts_with("HTTP/1.1 200"), "beside {what}");
        read_to_end(&mut slow).await;
        let took = began.elapsed();
        assert!(took < Duration::from_secs(3), "{what} was held for {took:?}");
    }
    // Byte after byte, each well within the limit, is no way round it.
    let mut drip = connect(&server).await;
    let (mut read, mut write) = drip.split();
    let began = Instant::now();
    let dripping = async {
        loop {
            if write.write_all(b"x").await.is_err() {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let mut answer = Vec::new();
    tokio::select! {
        () = dripping => {}
        _ = read.read_to_end(&mut answer) => {}
    }
    assert!(began.elapsed() < Duration::from_secs(3));
    // Kept alive, it may be silent for as long and no longer.
    let mut kept = connect(&server).await;
    kept.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let answer = read_to_end(&mut kept).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    server.shutdown().await;
}

/// A body that trickles in is answered 408, and its connection closed.
#[tokio::test]
async fn slow_bodies_are_refused() {
    let server = start(short()).await;
    let mut slow = connect(&server).await;
    slow.write_all(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n").await.unwrap();
    let began = Instant::now();
    let (mut read, mut write) = slow.split();
    let dripping = async {
        for _ in 0..99 {
            if write.write_all(b"x").await.is_err() {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let mut answer = Vec::new();
    tokio::select! {
        () = dripping => panic!("it read everything"),
        _ = read.read_to_end(&mut answer) => {}
    }
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("BODY_TOO_SLOW"), "{answer}");
    assert!(began.elapsed() < Duration::from_secs(3));
    let whole = "POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
    assert!(ask(&server, whole).await.ends_with("\r\n\r\nok"));
    server.shutdown().await;
}

/// Long heads are refused, a body announced too long is refused before it is sent.
#[tokio::test]
async fn long_heads_and_bodies_are_refused() {
    let server = start(short()).await;
    let long = get_of("/").replacen("host", &format!("x-a: {}\r\nhost", "a".repeat(100_000)), 1);
    // Whoever still sends when the server hangs up may not hear why.
    let answer = ask(&server, &long).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    let right = get_of("/").replacen("host", &format!("x-a: {}\r\nhost", "a".repeat(20_000)), 1);
    assert!(ask(&server, &right).await.starts_with("HTTP/1.1 200"));
    let announced = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 99000000\r\n\r\n";
    let answer = ask(&server, announced).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("BODY_TOO_LARGE"), "{answer}");
    server.shutdown().await;
}

/// Beyond the most connections one waits until another ends, and is then served.
#[tokio::test]
async fn connections_wait_for_a_place() {
    let limits = ServerLimits { connections_max: 2, header_timeout: Duration::from_secs(2), ..short() };
    let server = start(limits).await;
    let mut open = [connect(&server).await, connect(&server).await];
    for stream in &mut open {
        // A whole exchange, so that both are known to have their places.
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
    let mut third = connect(&server).await;
    third.write_all(GET.as_bytes()).await.unwrap();
    let mut first = [0; 1];
    assert!(timeout(Duration::from_millis(200), third.read(&mut first)).await.is_err(), "it was served at once");
    drop(open);
    assert!(read_to_end(&mut third).await.starts_with("HTTP/1.1 200"));
    server.shutdown().await;
}

/// A request that takes too long is answered, so that its sender knows to try again.
#[tokio::test]
async fn long_requests_are_given_up() {
    let server = start(short()).await;
    let answer = ask(&server, &get_of("/10000")).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("TIMEOUT"), "{answer}");
    assert!(answer.contains("retry-after: 2"), "{answer}");
    server.shutdown().await;
}

/// A panic ends its request only; what was thrown is not told.
#[tokio::test]
async fn a_panic_ends_its_request_only() {
    let server = start(short()).await;
    let answer = ask(&server, &get_of("/panic")).await;
    assert!(answer.starts_with("HTTP/1.1 500") && answer.contains("\"FAULT\""), "{answer}");
    assert!(!answer.contains("4711"));
    assert!(ask(&server, GET).await.starts_with("HTTP/1.1 200"));
    server.shutdown().await;
}

/// An orderly end: what is under way is answered, nothing new is taken, and nobody is waited for without end.
#[tokio::test]
async fn the_end_waits_for_what_is_under_way() {
    let patient = Duration::from_secs(10);
    let server =
        start(ServerLimits { header_timeout: patient, request_timeout: patient, drain: patient, ..short() }).await;
    let address = server.address;
    let mut idle = connect(&server).await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut under_way = connect(&server).await;
    under_way.write_all(get_of("/1500").replace("close", "keep-alive").as_bytes()).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    let stopping = tokio::spawn(server.shutdown());
    assert!(read_to_end(&mut idle).await.starts_with("HTTP/1.1 200"));
    assert!(began.elapsed() < Duration::from_millis(1_200), "an idle connection was waited for");
    let answer = read_to_end(&mut under_way).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
    stopping.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "it still listens");

    let server = start(ServerLimits { request_timeout: Duration::from_secs(60), ..short() }).await;
    let mut endless = connect(&server).await;
    endless.write_all(get_of("/10000").as_bytes()).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    server.shutdown().await;
    assert!(began.elapsed() < Duration::from_secs(3), "the end took {:?}", began.elapsed());
    assert_eq!(read_to_end(&mut endless).await, "", "it is hung up on");
}

/// No more connections are taken than the process may have files open, with some left for the database.
#[test]
fn connections_leave_files_for_others() {
    let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                Max cpu time              unlimited            unlimited            seconds   \n\
                Max open files            1024                 524288               files     \n";
    assert_eq!(open_files_max(text), Some(1024));
    assert_eq!(open_files_max(&text.replace("1024  ", "unlimited  ")), None);
    assert_eq!(open_files_max(""), None);
    assert_eq!(places(4_096, Some(1_024)), 768);
    assert_eq!(places(4_096, Some(100)), PLACES_MIN);
    assert_eq!(places(500, Some(1_024)), 500);
    assert_eq!(places(4_096, None), 4_096);
}

/// The longest auctions that may be agreed end before their supplier's request is given up, with time left to place the
/// lead.
#[test]
fn auctions_end_before_the_request_does() {
    let asked = Duration::from_millis(leadyard_market::setup::AUCTIONS_MS_MAX.into());
    assert!(asked + Duration::from_secs(1) <= ServerLimits::default().request_timeout);
}
