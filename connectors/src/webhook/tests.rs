use std::time::Duration;

use DeliveryOutcome::{Accepted, Duplicate, Gone, Misconfigured, Rejected, Retry, Unknown};
use leadyard_types::DeliveryId;
use uuid::Uuid;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::fake::{Behaviour, FakeReceiver};
use crate::http::OutboundPolicy;
use crate::package::sample;

fn moment() -> Timestamp {
    chrono::DateTime::from_timestamp(1_795_000_000, 0).unwrap()
}

struct Scene {
    fake: FakeReceiver,
    client: GuardedClient,
    secrets: Vec<SecretString>,
    config: WebhookConfig,
    package: DeliveryPackage,
}

impl Scene {
    async fn new() -> Self {
        let fake = FakeReceiver::start().await.unwrap();
        let client = GuardedClient::new(OutboundPolicy::new(false).allowing(fake.address())).unwrap();
        let secrets = vec![new_secret([9; 32])];
        fake.require_signature("/in", secrets.clone());
        let config = WebhookConfig { timeout_ms: 20_000, ..WebhookConfig::new(fake.url("/in")) };
        Self { fake, client, secrets, config, package: sample() }
    }

    async fn deliver(&self) -> Attempted {
        deliver(&self.client, &self.config, &self.secrets, &self.package, moment()).await
    }

    async fn ask(&self) -> Attempted {
        ask_verdict(&self.client, &self.config, &self.secrets, &self.package, moment()).await
    }
}

#[tokio::test]
async fn a_lead_arrives_signed() {
    let scene = Scene::new().await;
    let attempted = scene.deliver().await;
    assert_eq!((attempted.outcome, attempted.status, attempted.error.as_deref()), (Accepted, Some(200), None));
    let message = scene.fake.messages().pop().unwrap();
    let header = |name: &str| message.headers.iter().find(|(key, _)| key == name).unwrap().1.clone();
    assert_eq!(header("webhook-id"), scene.package.delivery_id.to_string());
    assert_eq!(header("webhook-timestamp"), "1795000000");
    assert_eq!(header("content-type"), "application/json");
    let body: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
    assert_eq!(body, scene.package.default_body());
    assert_eq!(scene.fake.forged(), 0);
}

#[tokio::test]
async fn a_template_makes_the_body() {
    let mut scene = Scene::new().await;
    scene.config.template = Some("{\"mail\": {{ fields.email }}, \"paid\": {{ price.amount }}}".into());
    scene.config.headers.push(("X-Key".into(), "k".into()));
    scene.config.method = WebhookMethod::Put;
    assert_eq!(scene.deliver().await.outcome, Accepted);
    let message = scene.fake.messages().pop().unwrap();
    assert_eq!(message.body, br#"{"mail": "annegret.mueller@example.org", "paid": "42.50"}"#);
    assert!(message.headers.contains(&("x-key".to_owned(), "k".to_owned())));
    scene.config.template = Some("{{ fields.unheard_of }}".into());
    assert_eq!(scene.deliver().await.outcome, Misconfigured);
    assert_eq!(scene.fake.received(), 1);
}

#[tokio::test]
async fn what_cannot_be_signed_or_reached_needs_a_person() {
    let mut scene = Scene::new().await;
    let secrets = std::mem::take(&mut scene.secrets);
    assert_eq!(scene.deliver().await.outcome, Misconfigured);
    scene.secrets = vec!["whsec_nonsense".into()];
    let attempted = scene.deliver().await;
    assert_eq!(attempted.outcome, Misconfigured);
    assert!(!format!("{attempted:?}").contains("nonsense"));
    scene.secrets = secrets;
    scene.config.url = "http://169.254.169.254/latest".into();
    assert_eq!(scene.deliver().await.outcome, Misconfigured);
    assert_eq!(scene.ask().await.outcome, Misconfigured);
}

/// Little where the timeout itself is looked at, much where a busy machine must not matter.
fn patience(behaviour: &Behaviour) -> u64 {
    if matches!(behaviour, Behaviour::Hang | Behaviour::Drip) { 1_500 } else { 20_000 }
}

#[tokio::test]
async fn behaviours_without_a_verdict() {
    let mut scene = Scene::new().await;
    for (behaviour, outcome, status) in [
        (Behaviour::Accept, Accepted, Some(200)),
        (Behaviour::Fail { status: 500, times: 1 }, Retry, Some(500)),
        (Behaviour::Fail { status: 404, times: 1 }, Retry, Some(404)),
        (Behaviour::Throttle { retry_after: "30".into(), times: 1 }, Retry, Some(429)),
        (Behaviour::Gone, Gone, Some(410)),
        (Behaviour::CloseAfterReading { times: 1 }, Retry, None),
        (Behaviour::Hang, Retry, None),
        (Behaviour::Drip, Accepted, Some(200)),
        (Behaviour::Endless, Accepted, Some(200)),
        (Behaviour::Answer { status: 409, headers: Vec::new(), body: "duplicate".into() }, Duplicate, Some(409)),
    ] {
        scene.fake.program("/in", behaviour.clone());
        scene.config.timeout_ms = patience(&behaviour);
        let attempted = scene.deliver().await;
        assert_eq!((attempted.outcome, attempted.status), (outcome, status), "{behaviour:?}");
        assert_eq!(attempted.retry_after, (status == Some(429)).then_some(Duration::from_secs(30)));
        assert_eq!(attempted.error.is_none(), matches!(outcome, Accepted | Duplicate), "{behaviour:?}");
    }
    assert_eq!((scene.fake.unique(), scene.fake.forged()), (1, 0));
}

#[tokio::test]
async fn behaviours_with_a_verdict() {
    let mut scene = Scene::new().await;
    for (behaviour, outcome) in [
        (Behaviour::Accept, Accepted),
        (Behaviour::Reject { reason: "filtered".into() }, Rejected),
        (Behaviour::Duplicate, Duplicate),
        (Behaviour::Fail { status: 500, times: 1 }, Unknown),
        (Behaviour::Throttle { retry_after: "1".into(), times: 1 }, Retry),
        (Behaviour::CloseAfterReading { times: 1 }, Unknown),
        (Behaviour::Hang, Unknown),
        (Behaviour::Drip, Unknown),
        (Behaviour::Endless, Unknown),
        (Behaviour::Answer { status: 200, headers: Vec::new(), body: "[".repeat(10_000) }, Unknown),
    ] {
        scene.fake.program("/in", behaviour.clone());
        scene.config.timeout_ms = patience(&behaviour);
        let attempted = scene.ask().await;
        assert_eq!(attempted.outcome, outcome, "{behaviour:?}");
        match outcome {
            Accepted => assert!(attempted.reference.unwrap().starts_with("fake-")),
            Rejected => assert_eq!(attempted.reason.as_deref(), Some("filtered")),
            _ => assert_eq!(attempted.reference, None),
        }
    }
    let address = scene.fake.address();
    drop(scene.fake);
    let gone = GuardedClient::new(OutboundPolicy::new(false).allowing(address)).unwrap();
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let attempted = ask_verdict(&gone, &scene.config, &scene.secrets, &scene.package, moment()).await;
    assert_eq!(attempted.outcome, Retry, "nothing was sent, so asking again is safe");
}

/// A receiver that lost its answer gets the same id again, and can tell.
#[tokio::test]
async fn repetitions_are_recognisable() {
    let mut scene = Scene::new().await;
    scene.fake.program("/in", Behaviour::CloseAfterReading { times: 2 });
    let mut outcomes = Vec::new();
    for attempt in 1..=3 {
        scene.package.attempt = attempt;
        outcomes.push(scene.deliver().await.outcome);
    }
    assert_eq!(outcomes, [Retry, Retry, Accepted]);
    let id: DeliveryId = scene.package.delivery_id;
    assert_eq!((scene.fake.arrivals_of(id), scene.fake.unique(), scene.fake.taken()), (3, 1, 1));
    let bodies = scene.fake.bodies();
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    scene.package.delivery_id = Uuid::from_u128(77).into();
    assert_eq!(scene.deliver().await.outcome, Accepted);
    assert_eq!(scene.fake.unique(), 2);
}

/// An answer that repeats everything about the person leaves nothing of it behind.
#[tokio::test]
async fn an_echo_is_redacted() {
    let server = MockServer::start().await;
    let mut scene = Scene::new().await;
    scene.client = GuardedClient::new(OutboundPolicy::new(false).allowing(*server.address())).unwrap();
    scene.config.url = server.uri();
    let echo = format!(
        "{{\"status\":\"rejected\",\"reference\":\"01067\",\"reason\":\"known: Annegret M\\u00fcller-L\\u00fcdenscheid, +49 151 23456789\",\"you_sent\":{}}}",
        scene.package.default_body()
    );
    Mock::given(any()).respond_with(ResponseTemplate::new(200).set_body_string(echo)).mount(&server).await;
    for attempted in [scene.deliver().await, scene.ask().await] {
        let kept = format!("{attempted:?}");
        for value in ["Annegret", "ller", "denscheid", "2345", "01067", "example.org", "93.184"] {
            assert!(!kept.contains(value), "{value} in {kept}");
        }
        assert!(attempted.answer_excerpt.unwrap().contains("status"));
        assert!(attempted.answer_bytes > 500);
    }
    assert_eq!(scene.ask().await.reason.as_deref(), Some("known: *** ***, +***"));
    assert_eq!(scene.ask().await.reference, None);
}
