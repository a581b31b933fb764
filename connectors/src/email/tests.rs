use DeliveryOutcome::{Accepted, Misconfigured, Rejected, Retry};

use super::*;
use crate::fake::{FakeSmtp, SmtpBehaviour};
use crate::package::sample;

fn moment() -> Timestamp {
    chrono::DateTime::from_timestamp(1_795_000_000, 0).unwrap()
}

fn settings(fake: &FakeSmtp) -> SmtpSettings {
    SmtpSettings {
        host: fake.address().ip().to_string(),
        port: fake.address().port(),
        security: SmtpSecurity::Plain,
        username: None,
        password: None,
        from: "Leadyard <leads@yard.example>".into(),
    }
}

fn config() -> EmailConfig {
    EmailConfig {
        to: vec!["buyer@example.net".into(), "Ann <ann@example.net>".into()],
        subject: "Lead {{ fields.last_name }} ({{ campaign.name }})".into(),
        body: "{{ fields.first_name }} {{ fields.last_name }}\nCall: {{ fields.phone }}\n.\n".into(),
        reply_to: Some("desk@yard.example".into()),
    }
}

#[tokio::test]
async fn a_lead_arrives_by_mail() {
    let fake = FakeSmtp::start().await.unwrap();
    let mailer = Mailer::new(&settings(&fake)).unwrap();
    let attempted = mailer.deliver(&config(), &sample(), moment()).await;
    assert_eq!((attempted.outcome, attempted.status, attempted.error.as_deref()), (Accepted, Some(250), None));
    let mail = &fake.mails()[0];
    assert_eq!(mail.from, "leads@yard.example");
    assert_eq!(mail.to, ["buyer@example.net", "ann@example.net"]);
    let header = |name: &str| mail.header(name).unwrap_or_default();
    assert_eq!(header("Message-ID"), format!("<{}@yard.example>", sample().delivery_id));
    assert_eq!(header("Auto-Submitted"), "auto-generated");
    assert_eq!(header("Reply-To"), "desk@yard.example");
    assert_eq!(header("Date"), "Wed, 18 Nov 2026 11:06:40 +0000");
    assert!(header("Subject").contains("=?utf-8?"), "{}", header("Subject"));
    assert!(mail.data.contains("+4915123456789"));
}

#[tokio::test]
async fn answers_are_grouped_by_what_happens_next() {
    let fake = FakeSmtp::start().await.unwrap();
    let mailer = Mailer::new(&settings(&fake)).unwrap();
    for (behaviour, outcome, status) in [
        (SmtpBehaviour::RefuseRecipient(451), Retry, Some(451)),
        (SmtpBehaviour::RefuseRecipient(550), Rejected, Some(550)),
        (SmtpBehaviour::RefuseMail(452), Retry, Some(452)),
        (SmtpBehaviour::RefuseMail(554), Rejected, Some(554)),
        (SmtpBehaviour::RefuseRecipient(530), Retry, Some(530)),
    ] {
        fake.next(behaviour);
        let attempted = mailer.deliver(&config(), &sample(), moment()).await;
        assert_eq!((attempted.outcome, attempted.status), (outcome, status), "{behaviour:?}");
        assert!(!attempted.answer_excerpt.unwrap_or_default().contains('@'));
    }
    assert_eq!(fake.received(), 0);
}

/// The connection breaks after the mail was handed over: it is sent again, and is the same mail.
#[tokio::test]
async fn a_lost_answer_is_repeated_under_the_same_id() {
    let fake = FakeSmtp::start().await.unwrap();
    let mailer = Mailer::new(&settings(&fake)).unwrap();
    fake.next(SmtpBehaviour::DropAfterData);
    let mut package = sample();
    assert_eq!(mailer.deliver(&config(), &package, moment()).await.outcome, Retry);
    package.attempt = 2;
    let later = moment() + chrono::Duration::seconds(5);
    assert_eq!(mailer.deliver(&config(), &package, later).await.outcome, Accepted);
    assert_eq!((fake.received(), fake.unique()), (2, 1));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_again() {
    let fake = FakeSmtp::start().await.unwrap();
    let mailer = Mailer::new(&settings(&fake)).unwrap();
    drop(fake);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let attempted = mailer.deliver(&config(), &sample(), moment()).await;
    assert_eq!((attempted.outcome, attempted.status), (Retry, None));
}

#[tokio::test]
async fn the_login_is_the_operators_matter() {
    let fake = FakeSmtp::start().await.unwrap();
    fake.require_login("yard", "hunter2");
    let mut settings = settings(&fake);
    for (password, outcome) in [("wrong-hunter3", Retry), ("hunter2", Accepted)] {
        settings.username = Some("yard".into());
        settings.password = Some(password.into());
        let attempted = Mailer::new(&settings).unwrap().deliver(&config(), &sample(), moment()).await;
        assert_eq!(attempted.outcome, outcome);
        assert!(!format!("{attempted:?}").contains("hunter"));
    }
}

#[tokio::test]
async fn a_lead_cannot_write_headers() {
    let fake = FakeSmtp::start().await.unwrap();
    let mailer = Mailer::new(&settings(&fake)).unwrap();
    for value in ["x\r\nBcc: evil@example.org", "x\nBcc: evil@example.org", "x\rBcc: evil@example.org", "x\0"] {
        let mut package = sample();
        package.fields.insert("last_name".into(), value.into());
        let attempted = mailer.deliver(&config(), &package, moment()).await;
        assert_eq!(attempted.outcome, Misconfigured);
        assert!(!format!("{attempted:?}").contains("evil"));
    }
    // In the body a line break is only a line break, and a lone dot does not end the mail.
    let mut package = sample();
    package.fields.insert("first_name".into(), "x\r\n.\r\nRCPT TO:<evil@example.org>\r\nDATA".into());
    assert_eq!(mailer.deliver(&config(), &package, moment()).await.outcome, Accepted);
    assert_eq!(fake.mails().len(), 1);
    assert_eq!(fake.mails()[0].to, ["buyer@example.net", "ann@example.net"]);
}

#[tokio::test]
async fn many_mails_go_through_a_few_connections() {
    let fake = FakeSmtp::start().await.unwrap();
    let mailer = Mailer::new(&settings(&fake)).unwrap();
    let sending: Vec<_> = (0..40_u128)
        .map(|n| {
            let (mailer, mut package) = (mailer.clone(), sample());
            package.delivery_id = uuid::Uuid::from_u128(n).into();
            tokio::spawn(async move { mailer.deliver(&config(), &package, moment()).await.outcome })
        })
        .collect();
    for outcome in sending {
        assert_eq!(outcome.await.unwrap(), Accepted);
    }
    assert_eq!((fake.received(), fake.unique()), (40, 40));
}

#[tokio::test]
async fn wrong_settings_make_no_mailer() {
    let fake = FakeSmtp::start().await.unwrap();
    let mut wrong = settings(&fake);
    wrong.from = "nobody".into();
    assert!(Mailer::new(&wrong).is_err());
    let mut remote = settings(&fake);
    remote.host = "mail.example.com".into();
    assert!(Mailer::new(&remote).is_err());
}
