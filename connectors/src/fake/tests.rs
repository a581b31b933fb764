//! The fakes, proven by somebody else's clients.
#![allow(clippy::disallowed_methods, reason = "a raw client is the outside client that proves the fake")]

use std::time::Duration;

use lettre::{AsyncSmtpTransport, AsyncTransport, Message as Letter, Tokio1Executor};
use uuid::Uuid;

use super::*;
use crate::webhook::{new_secret, signature_headers};

fn client() -> reqwest::Client {
    crate::install_crypto();
    reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap()
}

async fn post(url: &str, id: &str) -> reqwest::Result<reqwest::Response> {
    client().post(url).header("webhook-id", id).body("{}").send().await
}

#[tokio::test]
async fn a_receiver_counts_what_arrives() {
    let fake = FakeReceiver::start().await.unwrap();
    let id = Uuid::from_u128(7);
    for _ in 0..3 {
        let answer = post(&fake.url("/a"), &id.to_string()).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.text().await.unwrap().contains("accepted"));
    }
    post(&fake.url("/b"), "other").await.unwrap();
    client().get(fake.url("/c")).send().await.unwrap();
    assert_eq!((fake.received(), fake.unique(), fake.taken(), fake.forged()), (5, 2, 2, 0));
    assert_eq!((fake.arrivals_of(id.into()), fake.taken_of(id.into())), (3, 3));
    assert_eq!(fake.arrivals_of(Uuid::from_u128(8).into()), 0);
    assert_eq!(fake.bodies()[0], b"{}");
    assert_eq!(fake.messages()[3].path, "/b");
}

#[tokio::test]
async fn a_receiver_remembers_a_bounded_number_of_messages() {
    let fake = FakeReceiver::start().await.unwrap();
    let client = client();
    for n in 0..300 {
        client.post(fake.url("/")).header("webhook-id", format!("m{n}")).body("x").send().await.unwrap();
    }
    assert_eq!((fake.received(), fake.unique(), fake.messages().len()), (300, 300, 256));
}

#[tokio::test]
async fn a_receiver_believes_signatures_only() {
    let fake = FakeReceiver::start().await.unwrap();
    let (right, wrong) = (new_secret([1; 32]), new_secret([2; 32]));
    fake.require_signature("/", vec![right.clone()]);
    let now = chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    for (secret, status) in [(right, 200), (wrong, 401)] {
        let mut request = client().post(fake.url("/")).body("hello");
        for (name, value) in signature_headers(&[secret], "m1", now, b"hello").unwrap() {
            request = request.header(name, value);
        }
        assert_eq!(request.send().await.unwrap().status().as_u16(), status);
    }
    assert_eq!(post(&fake.url("/"), "m1").await.unwrap().status(), 401);
    assert_eq!((fake.received(), fake.forged()), (1, 2));
}

#[tokio::test]
async fn a_receiver_does_what_it_is_told() {
    let fake = FakeReceiver::start().await.unwrap();
    let url = fake.url("/x");
    let statuses = |times| {
        let url = url.clone();
        async move {
            let mut statuses = Vec::new();
            for n in 0..times {
                statuses.push(post(&url, &n.to_string()).await.map_or(0, |answer| answer.status().as_u16()));
            }
            statuses
        }
    };
    fake.program("/x", Behaviour::Fail { status: 500, times: 2 });
    assert_eq!(statuses(4).await, [500, 500, 200, 200]);
    fake.program("/x", Behaviour::CloseAfterReading { times: 1 });
    assert_eq!(statuses(2).await, [0, 200]);
    fake.program("/x", Behaviour::Gone);
    assert_eq!(statuses(2).await, [410, 410]);
    fake.program("/x", Behaviour::Throttle { retry_after: "9".into(), times: 1 });
    let answer = post(&url, "t").await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (429, "9"));
    fake.program("/x", Behaviour::Reject { reason: "not \"mine\"".into() });
    let body: serde_json::Value = post(&url, "r").await.unwrap().json().await.unwrap();
    assert_eq!((&body["status"], &body["reason"]), (&"rejected".into(), &"not \"mine\"".into()));
    fake.program("/x", Behaviour::Duplicate);
    assert!(post(&url, "d").await.unwrap().text().await.unwrap().contains("duplicate"));

    let impatient = reqwest::Client::builder().timeout(Duration::from_millis(1_500)).build().unwrap();
    fake.program("/x", Behaviour::Hang);
    assert!(impatient.post(&url).body("x").send().await.unwrap_err().is_timeout());
    fake.program("/x", Behaviour::Drip);
    let drip = impatient.post(&url).body("x").send().await.unwrap();
    assert!(drip.bytes().await.is_err());
    fake.program("/x", Behaviour::Endless);
    let mut endless = impatient.post(&url).body("x").send().await.unwrap();
    let mut read = 0;
    while read < 1_000_000 {
        read += endless.chunk().await.unwrap().unwrap().len();
    }
}

#[tokio::test]
async fn a_receiver_stops_when_dropped() {
    let fake = FakeReceiver::start().await.unwrap();
    let url = fake.url("/");
    fake.program("/", Behaviour::Hang);
    let waiting = tokio::spawn({
        let url = url.clone();
        async move { post(&url, "1").await }
    });
    while fake.received() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(fake);
    assert!(waiting.await.unwrap().is_err());
    for _ in 0..100 {
        if post(&url, "2").await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("still there");
}

#[tokio::test]
async fn a_bidder_bids_as_it_is_told() {
    let fake = FakeBidder::start().await.unwrap();
    let url = fake.url("/b");
    let ask = || async { client().post(&url).body(r#"{"fields":{"age":41}}"#).send().await };
    let body = || async { ask().await.unwrap().json::<serde_json::Value>().await.unwrap() };
    assert_eq!(body().await["bid"], false, "who was not programmed does not bid");
    let offer =
        Offer { shared: vec!["7".into()], currency: Some("EUR".into()), expires_in: Some(9), ..Offer::of("15.00") };
    fake.program("/b", Bidding::Bid(offer));
    let expected = serde_json::json!({
        "bid": true, "price": "15.00", "shared": ["7"], "currency": "EUR", "expires_in": 9, "reference": "bid-2",
    });
    assert_eq!(body().await, expected);
    fake.program(
        "/b",
        Bidding::Compute(std::sync::Arc::new(|ping| Some(Offer::of(ping["fields"]["age"].to_string())))),
    );
    assert_eq!(body().await["price"], "41");
    fake.program("/b", Bidding::NoBid { reason: "full".into() });
    assert_eq!(body().await["reason"], "full");
    fake.program("/b", Bidding::Duplicate);
    assert_eq!(body().await["duplicate"], true);
    fake.program("/b", Bidding::Fail { status: 503 });
    assert_eq!(ask().await.unwrap().status(), 503);
    fake.program("/b", Bidding::Close);
    assert!(ask().await.is_err());
    for bidding in [Bidding::Deep, Bidding::NotANumber] {
        fake.program("/b", bidding);
        assert!(ask().await.unwrap().json::<serde_json::Value>().await.is_err());
    }
    fake.program("/b", Bidding::GzipBomb);
    let bomb = ask().await.unwrap();
    assert_eq!(bomb.headers()["content-encoding"], "gzip");
    assert_eq!(
        bomb.bytes().await.unwrap().len(),
        56_888,
        "as long as when it was proven to unpack to 9,030,001 spaces"
    );
    let (asked, count) = (fake.asked(), fake.count());
    assert_eq!((asked.len(), count, asked[0].method.as_str(), asked[0].path.as_str()), (10, 10, "POST", "/b"));
    assert_eq!(asked[0].body, br#"{"fields":{"age":41}}"#);
}

#[tokio::test]
async fn a_bidder_can_keep_somebody_waiting() {
    let fake = FakeBidder::start().await.unwrap();
    let url = fake.url("/b");
    let impatient = reqwest::Client::builder().timeout(Duration::from_millis(1_500)).build().unwrap();
    let ask = || impatient.post(&url).body("{}").send();
    fake.program("/b", Bidding::Silent);
    assert!(ask().await.unwrap_err().is_timeout());
    fake.program("/b", Bidding::Slow { after: Duration::from_secs(60), then: Box::new(Bidding::Duplicate) });
    assert!(ask().await.unwrap_err().is_timeout());
    fake.program("/b", Bidding::Slow { after: Duration::from_millis(20), then: Box::new(Bidding::Duplicate) });
    assert_eq!(ask().await.unwrap().status(), 200);
    fake.program("/b", Bidding::Drip);
    assert!(ask().await.unwrap().bytes().await.is_err());
    fake.program("/b", Bidding::Endless);
    let mut endless = ask().await.unwrap();
    let mut read = 0;
    while read < 1_000_000 {
        read += endless.chunk().await.unwrap().unwrap().len();
    }
    fake.program("/b", Bidding::Redirect { to: fake.url("/elsewhere") });
    assert_eq!(ask().await.unwrap().status(), 200, "this client follows");
    assert_eq!(fake.asked().pop().unwrap().path, "/elsewhere");
}

fn letter(body: &str) -> Letter {
    Letter::builder()
        .from("yard@example.com".parse().unwrap())
        .to("buyer@example.net".parse().unwrap())
        .subject("A lead")
        .message_id(Some("<m1@example.com>".to_owned()))
        .body(body.to_owned())
        .unwrap()
}

fn transport(fake: &FakeSmtp) -> AsyncSmtpTransport<Tokio1Executor> {
    AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(fake.address().ip().to_string())
        .port(fake.address().port())
        .timeout(Some(Duration::from_secs(20)))
        .build()
}

#[tokio::test]
async fn a_mail_server_keeps_mails() {
    let fake = FakeSmtp::start().await.unwrap();
    let transport = transport(&fake);
    for _ in 0..2 {
        transport.send(letter("Hello\n.\n..dots\nbye")).await.unwrap();
    }
    let mails = fake.mails();
    assert_eq!((fake.received(), fake.unique(), mails.len()), (2, 1, 2));
    assert_eq!(
        (mails[0].from.as_str(), mails[0].to.as_slice()),
        ("yard@example.com", ["buyer@example.net".to_owned()].as_slice())
    );
    assert_eq!(mails[0].header("Subject").as_deref(), Some("A lead"));
    assert!(mails[0].data.contains("\r\n.\r\n..dots\r\nbye"), "{}", mails[0].data);
}

#[tokio::test]
async fn a_mail_server_does_what_it_is_told() {
    let fake = FakeSmtp::start().await.unwrap();
    let transport = transport(&fake);
    fake.next(SmtpBehaviour::RefuseRecipient(451));
    fake.next(SmtpBehaviour::RefuseMail(550));
    fake.next(SmtpBehaviour::DropAfterData);
    assert!(transport.send(letter("1")).await.unwrap_err().is_transient());
    assert!(transport.send(letter("2")).await.unwrap_err().is_permanent());
    assert_eq!(fake.received(), 0);
    let lost = transport.send(letter("3")).await.unwrap_err();
    assert!(!lost.is_transient() && !lost.is_permanent());
    assert!(transport.send(letter("4")).await.is_ok());
    assert_eq!((fake.received(), fake.unique()), (2, 1));
}
