use serde_json::json;

use super::*;
use crate::fake::{FakeReceiver, FakeSmtp};
use crate::package::sample;

fn moment() -> Timestamp {
    chrono::DateTime::from_timestamp(1_795_000_000, 0).unwrap()
}

#[tokio::test]
async fn one_door_for_every_kind() {
    let (http, smtp) = (FakeReceiver::start().await.unwrap(), FakeSmtp::start().await.unwrap());
    let settings = SmtpSettings {
        host: "127.0.0.1".into(),
        port: smtp.address().port(),
        security: SmtpSecurity::Plain,
        username: None,
        password: None,
        from: "leads@yard.example".into(),
    };
    let policy = OutboundPolicy::new(false).allowing(http.address());
    let connectors = Connectors::new(policy.clone(), Some(&settings)).unwrap();
    let webhook = json!({ "url": http.url("/in") }).to_string();
    let email = json!({ "to": ["buyer@example.net"], "subject": "Lead", "body": "{{ fields.phone }}" }).to_string();
    for (kind, config) in [
        (DestinationKind::Webhook, webhook.as_str()),
        (DestinationKind::Email, email.as_str()),
        (DestinationKind::Portal, "{}"),
    ] {
        assert_eq!(check_destination(kind, config, &policy), Ok(()));
        let secrets = [webhook::new_secret([1; 32])];
        let attempted = connectors.deliver(kind, config, &secrets, &sample(), moment()).await;
        assert_eq!(attempted.outcome, DeliveryOutcome::Accepted, "{kind}: {attempted:?}");
        let unreadable = connectors.deliver(kind, "{", &secrets, &sample(), moment()).await.outcome;
        assert_eq!(unreadable == DeliveryOutcome::Misconfigured, kind != DestinationKind::Portal);
        assert!(check_destination(kind, "{", &policy).is_err());
        assert!(check_destination(kind, r#"{"surprise":1}"#, &policy).is_err());
        let asked = connectors.ask_verdict(kind, config, &secrets, &sample(), moment()).await.outcome;
        assert_eq!(asked == DeliveryOutcome::Accepted, kind == DestinationKind::Webhook);
    }
    assert_eq!((http.received(), http.unique(), smtp.received()), (2, 1, 1));
}

/// A place where a buyer is asked takes no deliveries, and its settings are read like any other's.
#[tokio::test]
async fn a_ping_destination_is_asked_only() {
    let policy = OutboundPolicy::new(true);
    let connectors = Connectors::new(policy.clone(), None).unwrap();
    let config = r#"{"url":"https://bids.example.com/ping"}"#;
    assert_eq!(check_destination(DestinationKind::Ping, config, &policy), Ok(()));
    for wrong in ["{}", r#"{"url":"https://bids.example.com/","surprise":1}"#, r#"{"url":"http://127.0.0.1/"}"#] {
        assert!(check_destination(DestinationKind::Ping, wrong, &policy).is_err(), "{wrong}");
    }
    let delivered = connectors.deliver(DestinationKind::Ping, config, &[], &sample(), moment()).await;
    assert_eq!(delivered.outcome, DeliveryOutcome::Misconfigured);
}

#[tokio::test]
async fn no_mail_server_no_mail() {
    let connectors = Connectors::new(OutboundPolicy::new(true), None).unwrap();
    let email = r#"{"to":["buyer@example.net"],"subject":"Lead","body":""}"#;
    let attempted = connectors.deliver(DestinationKind::Email, email, &[], &sample(), moment()).await;
    assert_eq!(attempted.outcome, DeliveryOutcome::Misconfigured);
    assert_eq!(attempted.error.as_deref(), Some("no mail server is configured"));
}

/// A parser's message would quote what it found.
#[test]
fn unreadable_settings_are_not_quoted() {
    let config = r#"{"url":"https://x.example","headers":"Bearer hunter2"}"#;
    let problems = check_destination(DestinationKind::Webhook, config, &OutboundPolicy::new(true)).unwrap_err();
    assert!(!format!("{problems:?}").contains("hunter2"));
}
