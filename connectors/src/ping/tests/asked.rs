//! One buyer at a time, over a real connection.

use PingVerdict::{Bid, Duplicate, Failed, Invalid, Late, NoBid};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::Connectors;
use crate::fake::{Bidding, FakeBidder, Offer};
use crate::http::OutboundPolicy;

/// More than a busy machine needs for one exchange on loopback.
const PATIENCE: Duration = Duration::from_secs(10);

struct Scene {
    bidder: FakeBidder,
    connectors: Connectors,
}

impl Scene {
    async fn new() -> Self {
        let bidder = FakeBidder::start().await.unwrap();
        let policy = OutboundPolicy::new(false).allowing(bidder.address());
        Self { connectors: Connectors::new(policy, None).unwrap(), bidder }
    }

    async fn ask(&self, bidding: Bidding, budget: Duration) -> PingAnswered {
        self.bidder.program("/ping", bidding);
        let config = json!({ "url": self.bidder.url("/ping"), "timeout_ms": 10_000 }).to_string();
        self.connectors.ping(&endpoint(&config), &package(), budget).await
    }
}

#[tokio::test]
async fn every_bidder_comes_to_its_word() {
    let scene = Scene::new().await;
    let other = FakeBidder::start().await.unwrap();
    let elsewhere = other.url("/ping");
    // Long enough for the head of a dripping answer on a busy machine.
    let brief = Duration::from_millis(1_500);
    let slow =
        |after| Bidding::Slow { after: Duration::from_millis(after), then: Box::new(Bidding::Bid(Offer::of("9"))) };
    let raw = |headers: &[(&str, &str)], body: &[u8]| Bidding::Answer {
        status: 200,
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: body.to_vec(),
    };
    for (bidding, budget, verdict, price, status) in [
        (Bidding::Bid(Offer::of("15.50")), PATIENCE, Bid, Some(1_550), Some(200)),
        (slow(50), PATIENCE, Bid, Some(900), Some(200)),
        (Bidding::NoBid { reason: "full".into() }, PATIENCE, NoBid, None, Some(200)),
        (Bidding::Duplicate, PATIENCE, Duplicate, None, Some(200)),
        (slow(5_000), brief, Late, None, None),
        (Bidding::Silent, brief, Late, None, None),
        (Bidding::Drip, brief, Late, None, Some(200)),
        (Bidding::Endless, PATIENCE, Invalid, None, Some(200)),
        (Bidding::GzipBomb, PATIENCE, Invalid, None, Some(200)),
        (Bidding::Deep, PATIENCE, Invalid, None, Some(200)),
        (Bidding::TwoPrices, PATIENCE, Invalid, None, Some(200)),
        (Bidding::WrongCurrency, PATIENCE, Invalid, None, Some(200)),
        (Bidding::NotANumber, PATIENCE, Invalid, None, Some(200)),
        (Bidding::Redirect { to: elsewhere }, PATIENCE, Failed, None, Some(307)),
        (Bidding::Fail { status: 500 }, PATIENCE, Failed, None, Some(500)),
        (Bidding::Fail { status: 429 }, PATIENCE, Failed, None, Some(429)),
        (Bidding::Close, PATIENCE, Failed, None, None),
        (
            raw(&[("content-type", "application/json")], b"{\"bid\":true,\"price\":\"5\xff\"}"),
            PATIENCE,
            Invalid,
            None,
            Some(200),
        ),
        (raw(&[], b""), PATIENCE, NoBid, None, Some(200)),
    ] {
        let answered = scene.ask(bidding.clone(), budget).await;
        assert_eq!((answered.verdict, answered.price_minor), (verdict, price), "{bidding:?}: {answered:?}");
        if status.is_some() {
            assert_eq!(answered.status_code, status, "{bidding:?}: {answered:?}");
        }
        let must_say_why = matches!(verdict, Invalid | Late | Failed);
        assert!(answered.reason.is_some() || !must_say_why, "{bidding:?}: {answered:?}");
        assert!(answered.reason.is_none() || verdict != Bid, "{bidding:?}: {answered:?}");
        assert!(answered.request.contains("\"vertical\":\"solar\""), "{answered:?}");
        assert!(answered.took < PATIENCE && !answered.took.is_zero(), "{answered:?}");
    }
    assert_eq!(other.count(), 0, "a redirect is not followed");
}

/// An answer that breaks off is no bid, whatever its beginning says.
#[tokio::test]
async fn half_an_answer_is_none() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let _ = socket.read(&mut [0; 4_096]).await;
        let half = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"bid\":true,\"price\":5}";
        socket.write_all(half).await.unwrap();
    });
    let connectors = Connectors::new(OutboundPolicy::new(false).allowing(address), None).unwrap();
    let config = json!({ "url": format!("http://{address}/") }).to_string();
    let answered = connectors.ping(&endpoint(&config), &package(), PATIENCE).await;
    assert_eq!(
        (answered.verdict, answered.price_minor, answered.status_code),
        (Failed, None, Some(200)),
        "{answered:?}"
    );
}

#[tokio::test]
async fn a_bid_is_computed_from_what_a_ping_shows() {
    let scene = Scene::new().await;
    let compute = |ping: &Value| {
        let roof = ping["fields"]["roof_m2"].as_i64()?;
        Some(Offer { shared: vec!["4.00".to_owned()], expires_in: Some(30), ..Offer::of(format!("{}.25", roof / 10)) })
    };
    let answered = scene.ask(Bidding::Compute(std::sync::Arc::new(compute)), PATIENCE).await;
    assert_eq!((answered.verdict, answered.price_minor), (Bid, Some(825)), "{answered:?}");
    assert_eq!((answered.shared_minor, answered.holds_for), (vec![400], Some(Duration::from_secs(30))));
    assert_eq!(answered.reference.as_deref(), Some("bid-1"));
    let asked = scene.bidder.asked().pop().unwrap();
    assert_eq!((asked.method.as_str(), asked.path.as_str(), asked.query.as_str()), ("POST", "/ping", ""));
    assert!(asked.headers.contains(&("content-type".to_owned(), "application/json".to_owned())));
    assert!(!asked.headers.iter().any(|(name, _)| name == "accept-encoding"));
}

#[tokio::test]
async fn a_query_is_asked_by_get() {
    let scene = Scene::new().await;
    scene.bidder.program("/rtb", Bidding::Bid(Offer::of("3")));
    let config = json!({
        "url": format!("{}?v=1", scene.bidder.url("/rtb")),
        "format": "QUERY",
        "mapping": [{ "name": "zip", "field": "postal_code" }],
        "answer": { "price": "price" },
    });
    let answered = scene.connectors.ping(&endpoint(&config.to_string()), &package(), PATIENCE).await;
    assert_eq!((answered.verdict, answered.price_minor), (Bid, Some(300)), "{answered:?}");
    let asked = scene.bidder.asked().pop().unwrap();
    assert_eq!((asked.method.as_str(), asked.query.as_str(), asked.body.len()), ("GET", "v=1&zip=01067", 0));
    assert_eq!(answered.request, "zip=01067");
}

/// The destination's own time and the auction's: the smaller one ends it.
#[tokio::test]
async fn the_smaller_time_counts() {
    let scene = Scene::new().await;
    scene.bidder.program("/ping", Bidding::Silent);
    for (timeout_ms, budget) in [(60, PATIENCE), (10_000, Duration::from_millis(60))] {
        let config = json!({ "url": scene.bidder.url("/ping"), "timeout_ms": timeout_ms }).to_string();
        let answered = scene.connectors.ping(&endpoint(&config), &package(), budget).await;
        assert_eq!(answered.verdict, Late, "{answered:?}");
        assert!((Duration::from_millis(60)..Duration::from_secs(5)).contains(&answered.took), "{answered:?}");
    }
    // With a connection that stands ready a ping would be gone at once.
    assert_eq!(scene.ask(Bidding::Bid(Offer::of("9")), PATIENCE).await.verdict, Bid);
    let before = scene.bidder.count();
    let answered = scene.ask(Bidding::Bid(Offer::of("9")), Duration::ZERO).await;
    assert_eq!(answered.reason.as_deref(), Some("the auction's time was over"));
    assert_eq!((answered.verdict, scene.bidder.count()), (Late, before), "nobody is asked when the time is over");
}

#[tokio::test]
async fn who_cannot_be_asked_has_failed() {
    let scene = Scene::new().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let connectors = Connectors::new(OutboundPolicy::new(false).allowing(closed), None).unwrap();
    let config = json!({ "url": format!("http://{closed}/") }).to_string();
    let refused = connectors.ping(&endpoint(&config), &package(), PATIENCE).await;
    assert_eq!((refused.verdict, refused.reason.as_deref()), (Failed, Some("the request was not sent: no connection")));
    for config in [
        json!({ "url": "http://169.254.169.254/latest/meta-data" }),
        json!({ "url": "http://127.0.0.1:1/" }),
        json!({ "url": "https://metadata.google.internal/" }),
        json!({ "url": scene.bidder.url("/ping"), "headers": [["x", "{secret}"]] }),
        json!({ "url": scene.bidder.url("/ping"), "answer": { "price": { "pattern": "(" } } }),
        json!({ "url": scene.bidder.url("/ping"), "template": "{{ fields.unheard_of }}" }),
        json!({ "url": scene.bidder.url("/ping"), "surprise": "hunter2" }),
    ] {
        let answered = scene.connectors.ping(&endpoint(&config.to_string()), &package(), PATIENCE).await;
        assert_eq!(answered.verdict, Failed, "{config}: {answered:?}");
        assert!(answered.reason.is_some() && !format!("{answered:?}").contains("hunter2"), "{answered:?}");
    }
    assert_eq!(scene.bidder.count(), 0);
}

/// A buyer that knows the person from elsewhere and says so, in every place there is, leaves nothing of it behind.
#[tokio::test]
async fn nothing_personal_and_no_key_is_kept() {
    let scene = Scene::new().await;
    let hash = "663a4322addcdcc2be9435bfd2505066dc1048b89d33e48f363119f18bdd71e8";
    let known = CONTACTS.iter().map(|(_, value)| *value).collect::<Vec<_>>().join(" ");
    let echo = format!("{known} +49 (151) 23456789 {hash} s3cr3t-k3y k3y-in-body");
    let config = json!({
        "url": scene.bidder.url("/ping"),
        "headers": [["x-key", "{secret}"]],
        "mapping": [{ "name": "key", "value": "k3y-in-body" }, { "name": "zip", "field": "postal_code" }],
        "hashes": [{ "field": "phone", "name": "p", "algorithm": "SHA256" }],
        "answer": { "success": { "path": "bid", "equals": true }, "price": "price", "reference": "reference", "reason": "reason" },
    });
    let endpoint = PingEndpoint::new(&config.to_string(), vec!["s3cr3t-k3y".into()]);
    for answer in [
        json!({ "bid": false, "reason": echo, "you": echo }),
        json!({ "bid": true, "price": 5, "note": echo }),
        json!({ "bid": true, "price": echo }),
        json!({ "bid": echo, "price": 5 }),
        json!({ "bid": true, "price": 5, "reference": "p:49-1512 3456789" }),
        json!({ "bid": true, "price": 5, "reference": "annegret.mueller@example.org" }),
        json!({ "bid": true, "price": 5, "reference": hash.to_uppercase() }),
        json!([echo]),
        json!(echo),
    ] {
        let body = answer.to_string().into_bytes();
        scene.bidder.program("/ping", Bidding::Answer { status: 200, headers: Vec::new(), body });
        let answered = scene.connectors.ping(&endpoint, &package(), PATIENCE).await;
        let kept = format!("{answered:?}");
        assert_eq!(personal_in(&kept), None, "{kept}");
        for mark in [&hash[..20], "23456789", "s3cr3t", "k3y-in-body"] {
            assert!(!kept.to_lowercase().contains(mark), "{mark} in {kept}");
        }
        assert_eq!(answered.verdict == Bid, answer["note"].is_string(), "{answered:?}");
        assert!(answered.answer.is_some());
    }
    for asked in scene.bidder.asked() {
        let sent = format!("{:?} {}", asked.headers, String::from_utf8_lossy(&asked.body));
        assert_eq!(personal_in(&sent), None, "{sent}");
        assert!(sent.contains(hash) && sent.contains("s3cr3t-k3y") && sent.contains("k3y-in-body"), "{sent}");
    }
    let long = json!({ "bid": true, "price": 5, "reference": format!("tok-{}", "Ab9".repeat(200)) }).to_string();
    scene.bidder.program("/ping", Bidding::Answer { status: 200, headers: Vec::new(), body: long.into_bytes() });
    let answered = scene.connectors.ping(&endpoint, &package(), PATIENCE).await;
    assert_eq!(answered.reference.map(|reference| reference.len()), Some(604), "a signed token goes back as it came");
}
