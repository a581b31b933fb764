//! Connections that are slow, or speak no HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use leadyard_tests::market::lead;
use leadyard_tests::{TestApp, TestDatabase};
use leadyard_types::field::UnknownFields;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::market;

/// Sends bytes as they are and reads until the server closes, which it does within its limits.
pub(crate) async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (mut read, mut write) = stream.split();
    let mut answer = Vec::new();
    // A server that refuses closes before everything is sent.
    let sending = async {
        let _ = write.write_all(bytes).await;
        let _ = write.shutdown().await;
    };
    let (_, done) = tokio::join!(sending, timeout(Duration::from_secs(20), read.read_to_end(&mut answer)));
    done.expect("the server never closed").ok();
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status of an HTTP answer; none where the connection was just closed.
pub(crate) fn status_of(answer: &str) -> Option<u16> {
    answer.strip_prefix("HTTP/1.1 ").or_else(|| answer.strip_prefix("HTTP/1.0 "))?.get(..3)?.parse().ok()
}

/// What is no HTTP is refused or hung up on, and the next request is served.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_is_hung_up_on() {
    let app = TestApp::start(TestDatabase::sqlite()).await;
    let market = market(&app, UnknownFields::Refuse).await;
    let client = app.client(&market.key);
    let address = app.server.as_ref().unwrap().address;
    let head = "POST /v1/leads HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let with = |more: &str| format!("{head}authorization: Bearer {}\r\n{more}", market.key).into_bytes();
    let without = |more: &str| format!("{head}{more}").into_bytes();
    let endless = format!("x-a: {}\r\n", "a".repeat(60_000));
    for (number, (what, bytes, wanted)) in [
        ("nothing", Vec::new(), None),
        ("noise", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), Some(400)),
        ("a line", b"hello\r\n\r\n".to_vec(), Some(400)),
        ("an old version", b"GET /\r\n\r\n".to_vec(), Some(400)),
        ("a new version", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), Some(400)),
        ("a NUL in the head", with("x-a: \0\r\n\r\n"), Some(400)),
        ("an endless head", with(&endless), Some(431)),
        ("endless heads", with(&format!("{}\r\n", "x-a: b\r\n".repeat(500))), Some(431)),
        ("two lengths", with("content-length: 2\r\ncontent-length: 3\r\n\r\n{}"), Some(400)),
        ("no length", with("content-length: x\r\n\r\n{}"), Some(400)),
        ("a negative length", with("content-length: -1\r\n\r\n{}"), Some(400)),
        ("a length beyond numbers", with("content-length: 99999999999999999999\r\n\r\n{}"), Some(400)),
        ("a terabyte announced", with("content-length: 1099511627776\r\n\r\n{}"), Some(413)),
        ("a length and chunks", with("content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}"), Some(400)),
        ("chunks that are none", with("transfer-encoding: chunked\r\n\r\nxyz\r\n{}"), Some(400)),
        ("half a body", with("content-length: 100\r\n\r\n{\"email\":"), Some(400)),
        ("no key", without("content-length: 2\r\n\r\n{}"), Some(401)),
        ("a key in no alphabet", without("authorization: Bearer \u{fc}\r\ncontent-length: 2\r\n\r\n{}"), Some(401)),
    ]
    .into_iter()
    .enumerate()
    {
        let good = lead(number);
        let (answer, good) = tokio::join!(raw(address, &bytes), client.send_json("/v1/leads", &good, None));
        let status = status_of(&answer);
        assert!(status == wanted || status.is_none(), "{what}: {answer}");
        assert!(status.is_some() || wanted.is_none() || answer.is_empty(), "{what}: {answer}");
        assert_eq!(good.unwrap().1["status"], "sold", "beside {what}");
    }
    app.finish().await;
}

/// 400 slow connections (silent, half a head, a body byte by byte): each is closed within ten seconds, and good leads
/// are sold meanwhile (security page of the design, figure R22).
#[tokio::test(flavor = "multi_thread")]
async fn slow_connections_keep_nobody_waiting() {
    const SLOW: usize = 400;
    let app = TestApp::start(TestDatabase::sqlite()).await;
    let market = market(&app, UnknownFields::Refuse).await;
    let address = app.server.as_ref().unwrap().address;
    let mut slow = tokio::task::JoinSet::new();
    for number in 0..SLOW {
        let head = "POST /v1/leads HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n";
        let (begin, drip) = match number % 3 {
            0 => (String::new(), ""),
            1 => (head.to_owned(), "x"),
            _ => (format!("{head}\r\n"), " "),
        };
        slow.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(begin.as_bytes()).await.unwrap();
            let began = Instant::now();
            let (mut read, mut write) = stream.split();
            let dripping = async {
                while write.write_all(drip.as_bytes()).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                std::future::pending::<()>().await;
            };
            let mut answer = Vec::new();
            tokio::select! {
                () = dripping => {}
                _ = read.read_to_end(&mut answer) => {}
                () = tokio::time::sleep(Duration::from_secs(60)) => {}
            }
            began.elapsed()
        });
    }
    let client = app.client(&market.key);
    let mut number = 0;
    while !slow.is_empty() {
        let (_, answer) = client.send_json("/v1/leads", &lead(number), None).await.unwrap();
        assert_eq!(answer["status"], "sold", "{answer}");
        number += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
        while let Some(took) = slow.try_join_next() {
            let took = took.unwrap();
            assert!(took < Duration::from_secs(11), "a slow connection was held for {took:?}");
        }
    }
    assert!(number >= 20, "only {number} leads were sold meanwhile");
    app.finish().await;
}
