//! Letters to people who sign in: invitations, and links to choose a new password, over real SMTP with its faults.

use chrono::Duration;
use leadyard_connectors::fake::{FakeSmtp, Mail, SmtpBehaviour};
use leadyard_connectors::{PostOffice, SmtpSettings, install_crypto};
use leadyard_entity::auth::{NewUser, code_at};
use leadyard_tests::{OPERATE, TestApp, TestDatabase, TestOptions, on_both};
use leadyard_types::{Clock as _, Role};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::people::{Asking, People, signed_in};

const PASSWORD: &str = "correct horse battery staple";
const OTHER_PASSWORD: &str = "another horse battery staple";
const INVITE: &str = "mutation($input: UserInviteInput!) { userInvite(input: $input) {
    invitation { id mail mailedAt } token mailed userErrors { code } } }";
const INVITATION: &str = "query($id: ID!) { invitation(id: $id) { mail mailedAt state } }";
const ACCEPT: &str = "mutation($input: InvitationAcceptInput!) { invitationAccept(input: $input) {
    email userErrors { code } } }";
const REQUEST: &str = "mutation($input: PasswordResetRequestInput!) { passwordResetRequest(input: $input) {
    accepted userErrors { code message field } } }";
const RESET: &str = "mutation($input: PasswordResetInput!) { passwordReset(input: $input) {
    changed userErrors { code } } }";

/// An application that sends letters by a mail server.
async fn app_with(database: TestDatabase, address: &str) -> TestApp {
    install_crypto();
    let settings = SmtpSettings::from_url(&format!("smtp+plain://{address}"), "Yard <no-reply@yard.example>").unwrap();
    let post = Some(PostOffice::new(&settings, "https://app.example/").unwrap());
    TestApp::start_with(database, TestOptions { post, ..TestOptions::default() }).await
}

pub(crate) async fn app_and_mail(database: TestDatabase) -> (TestApp, FakeSmtp) {
    let mail = FakeSmtp::start().await.unwrap();
    let app = app_with(database, &mail.address().to_string()).await;
    (app, mail)
}

/// The secret of a letter's link.
fn token(mail: &Mail, page: &str) -> String {
    let text = mail.data.replace("=\r\n", "");
    let link = format!("https://app.example/{page}#");
    let (_, rest) = text.split_once(&link).unwrap_or_else(|| panic!("no link in {text}"));
    rest.split_whitespace().next().unwrap().to_owned()
}

async fn anonymous(app: &TestApp, question: &str, input: Value) -> Value {
    let (_, mut answer) = app.client("").graphql(question, json!({ "input": input }), None).await.unwrap();
    answer["data"].take()
}

async fn invite(admin: &Asking, input: Value) -> Value {
    admin.ask(INVITE, json!({ "input": input })).await["userInvite"].take()
}

async fn invitation(admin: &Asking, id: &Value) -> Value {
    admin.ask(INVITATION, json!({ "id": id })).await["invitation"].take()
}

/// Everything that is stored, as text.
async fn stored(app: &TestApp) -> String {
    app.store().read(OPERATE).contents().await.unwrap().into_values().collect()
}

/// An invitation goes by mail where mail is configured; its secret is in the letter alone. Who wants to hand it on does so,
/// and without mail it is as it always was.
#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_goes_by_mail() {
    on_both(async |database| {
        let (app, mail) = app_and_mail(database).await;
        let admin = app.staff(Role::Admin).await;
        let made = invite(&admin, json!({ "email": "New@b.example", "role": "ANALYST" })).await;
        assert_eq!((&made["token"], &made["mailed"]), (&Value::Null, &json!(true)), "{made}");
        app.idle().await;
        let [letter] = &mail.mails()[..] else { panic!("{:?}", mail.mails()) };
        assert_eq!((letter.from.as_str(), &letter.to), ("no-reply@yard.example", &vec!["new@b.example".to_owned()]));
        assert_eq!(letter.header("Auto-Submitted").as_deref(), Some("auto-generated"));
        let secret = token(letter, "invitation");
        let text = stored(&app).await;
        assert!(!text.contains(&secret), "the secret is in no table");
        let sent = invitation(&admin, &made["invitation"]["id"]).await;
        assert_eq!((&sent["mail"], &sent["mailedAt"]), (&json!("SENT"), &json!("2026-07-01T10:00:00+00:00")), "{sent}");
        let accepted = json!({ "token": secret, "name": "New", "password": PASSWORD });
        assert_eq!(anonymous(&app, ACCEPT, accepted).await["invitationAccept"]["email"], "new@b.example");
        assert!(signed_in(&app, "new@b.example", PASSWORD).await.is_some());

        let by_hand = invite(&admin, json!({ "email": "b@b.example", "role": "ANALYST", "byHand": true })).await;
        assert!(by_hand["token"].is_string() && by_hand["mailed"] == false && by_hand["invitation"]["mail"].is_null());
        app.idle().await;
        assert_eq!(mail.received(), 1);
        app.finish().await;
    })
    .await;
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let admin = app.staff(Role::Admin).await;
        let made = invite(&admin, json!({ "email": "new@b.example", "role": "ANALYST" })).await;
        assert!(made["token"].is_string() && made["mailed"] == false, "{made}");
        for email in ["admin@staff.example", "nobody@staff.example"] {
            let answer = anonymous(&app, REQUEST, json!({ "email": email })).await;
            assert_eq!(answer["passwordResetRequest"]["userErrors"][0]["code"], "MAIL_NOT_CONFIGURED");
        }
        app.finish().await;
    })
    .await;
}

/// A letter is tried again while the server refuses it for now or goes away in the middle, always the same one with the
/// same link; one that is refused for good is told, and so is one that could not be sent in time.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_survives_its_server() {
    on_both(async |database| {
        let (app, mail) = app_and_mail(database).await;
        let admin = app.staff(Role::Admin).await;
        for fault in [
            SmtpBehaviour::RefuseRecipient(451),
            SmtpBehaviour::RefuseMail(452),
            SmtpBehaviour::DropAfterData,
            SmtpBehaviour::RefuseRecipient(535),
        ] {
            mail.next(fault);
        }
        let made = invite(&admin, json!({ "email": "new@b.example", "role": "ANALYST" })).await;
        for pause in [10, 20, 40, 80] {
            app.idle().await;
            assert_eq!(invitation(&admin, &made["invitation"]["id"]).await["mail"], "WAITING", "before {pause}");
            app.clock.advance(Duration::seconds(pause - 1));
            app.idle().await;
            assert_eq!(invitation(&admin, &made["invitation"]["id"]).await["mail"], "WAITING", "not before {pause}");
            app.clock.advance(Duration::seconds(1));
        }
        app.idle().await;
        assert_eq!(invitation(&admin, &made["invitation"]["id"]).await["mail"], "SENT");
        let mails = mail.mails();
        assert_eq!(
            (mails.len(), mail.unique()),
            (2, 1),
            "the one whose answer was lost came again, as the same letter"
        );
        assert_eq!(token(&mails[0], "invitation"), token(&mails[1], "invitation"));

        mail.next(SmtpBehaviour::RefuseRecipient(550));
        let made = invite(&admin, json!({ "email": "gone@b.example", "role": "ANALYST" })).await;
        app.idle().await;
        let failed = invitation(&admin, &made["invitation"]["id"]).await;
        assert_eq!((&failed["mail"], &failed["state"]), (&json!("FAILED"), &json!("OPEN")), "{failed}");

        // An invitation that ended meanwhile is not sent.
        mail.next(SmtpBehaviour::RefuseRecipient(451));
        let made = invite(&admin, json!({ "email": "late@b.example", "role": "ANALYST" })).await;
        app.idle().await;
        let revoke = "mutation($id: ID!) { invitationRevoke(input: { invitationId: $id }) { userErrors { code } } }";
        admin.ask(revoke, json!({ "id": made["invitation"]["id"] })).await;
        app.clock.advance(Duration::seconds(10));
        app.idle().await;
        assert_eq!(mail.unique(), 1);
        app.finish().await;
    })
    .await;
    // Nobody listens there.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let app = app_with(TestDatabase::sqlite(), &address).await;
    let admin = app.staff(Role::Admin).await;
    let made = invite(&admin, json!({ "email": "new@b.example", "role": "ANALYST" })).await;
    app.idle().await;
    assert_eq!(invitation(&admin, &made["invitation"]["id"]).await["mail"], "WAITING");
    app.clock.advance(Duration::days(7));
    app.idle().await;
    let admin = signed_in(&app, "admin@staff.example", PASSWORD).await.unwrap();
    assert_eq!(invitation(&admin, &made["invitation"]["id"]).await["mail"], "FAILED");
    app.finish().await;
}

/// Whoever asks for a new password is answered alike and in about the same time, whether anybody signs in with the
/// address; whoever gets the letter chooses one once, which ends all sessions and other links and leaves the second factor
/// asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_is_chosen_anew() {
    on_both(async |database| {
        let (app, mail) = app_and_mail(database).await;
        let (admin, analyst) = (app.staff(Role::Admin).await, app.staff(Role::Analyst).await);
        let disable = "mutation($id: ID!) { userDisable(input: { userId: $id }) { userErrors { code } } }";
        let finance = app.staff(Role::Finance).await;
        let id = finance.ask("{ viewer { user { id } } }", json!({})).await["viewer"]["user"]["id"].take();
        admin.ask(disable, json!({ "id": id })).await;
        let mut answers = Vec::new();
        for email in
            ["analyst@staff.example", "nobody@staff.example", "finance@staff.example", "ANALYST@staff.example "]
        {
            let began = Instant::now();
            answers.push(anonymous(&app, REQUEST, json!({ "email": email })).await);
            let took = began.elapsed();
            assert!(took >= std::time::Duration::from_millis(300), "{email}: {took:?}");
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert_eq!(answers[0]["passwordResetRequest"], json!({ "accepted": true, "userErrors": [] }));
        app.idle().await;
        let mails = mail.mails();
        assert!(mails.len() == 2 && mails.iter().all(|mail| mail.to == ["analyst@staff.example"]), "{mails:?}");
        let tokens: Vec<String> = mails.iter().map(|mail| token(mail, "password-reset")).collect();
        assert!(tokens[0] != tokens[1] && !tokens.iter().any(|token| mails[0].to.contains(token)));
        let text = stored(&app).await;
        assert!(!tokens.iter().any(|token| text.contains(token)), "no secret is in a table");

        let totp = analyst.ask("mutation { totpBegin { totp { secret } } }", json!({})).await;
        let secret = totp["totpBegin"]["totp"]["secret"].as_str().unwrap();
        let now = |app: &TestApp| code_at(secret, app.clock.now().timestamp().unsigned_abs()).unwrap();
        let confirm = "mutation($code: String!) { totpConfirm(input: { code: $code }) { userErrors { code } } }";
        analyst.ask(confirm, json!({ "code": now(&app) })).await;
        let reset = async |token: &str| {
            let input = json!({ "token": token, "password": OTHER_PASSWORD });
            anonymous(&app, RESET, input).await["passwordReset"].take()
        };
        assert_eq!(reset(&tokens[0]).await["changed"], true, "an older link goes on beside a newer one");
        let gone = analyst.raw("{ viewer { user { id } } }", json!({})).await;
        assert_eq!(gone["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "all sessions end");
        for token in [&tokens[0], &tokens[1]] {
            assert_eq!(reset(token).await["userErrors"][0]["code"], "LINK_INVALID", "and all other links");
        }
        assert!(
            signed_in(&app, "analyst@staff.example", OTHER_PASSWORD).await.is_none(),
            "the code is still asked for"
        );
        app.clock.advance(Duration::seconds(60));
        let sign_in = "mutation($input: SessionCreateInput!) { sessionCreate(input: $input) { session { id } } }";
        let input = json!({ "email": "analyst@staff.example", "password": OTHER_PASSWORD, "code": now(&app) });
        assert!(anonymous(&app, sign_in, input).await["sessionCreate"]["session"]["id"].is_string());
        let told = "{ auditEntries(first: 50) { nodes { action detail } } }";
        let told = admin.ask(told, json!({})).await.to_string();
        for (action, times) in [("\"request_reset\"", 2), ("\"request_reset_refused\"", 2), ("\"reset_password\"", 1)] {
            assert_eq!(told.matches(action).count(), times, "{action}: {told}");
        }
        assert!(told.contains("UNKNOWN") && told.contains("DISABLED") && !told.contains("nobody@"), "{told}");

        // A link is as short-lived as it says, and the last administrator gets in by one too.
        anonymous(&app, REQUEST, json!({ "email": "admin@staff.example" })).await;
        app.idle().await;
        app.clock.advance(Duration::hours(1));
        assert_eq!(reset(&token(mail.mails().last().unwrap(), "password-reset")).await["changed"], false);
        anonymous(&app, REQUEST, json!({ "email": "admin@staff.example" })).await;
        app.idle().await;
        assert_eq!(reset(&token(mail.mails().last().unwrap(), "password-reset")).await["changed"], true);
        assert!(signed_in(&app, "admin@staff.example", OTHER_PASSWORD).await.is_some());
        app.finish().await;
    })
    .await;
}

/// Whoever has an address that new ones may not look like signs in with it and is sent a link to it all the same.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_address_gets_its_letter() {
    on_both(async |database| {
        let (app, mail) = app_and_mail(database).await;
        let admin = app.staff(Role::Admin).await;
        let write = app.store().write(OPERATE).await.unwrap();
        for email in ["ada@localhost", "root"] {
            let new = NewUser {
                email: email.into(),
                name: email.into(),
                role: Role::Analyst,
                buyer_id: None,
                supplier_id: None,
                password: PASSWORD.into(),
            };
            write.create_user(new).await.unwrap();
        }
        let _ = write.commit().await.unwrap();
        for email in ["ada@localhost", " Ada@LOCALHOST ", "root"] {
            assert!(signed_in(&app, email, PASSWORD).await.is_some(), "{email}");
            let answer = anonymous(&app, REQUEST, json!({ "email": email })).await;
            assert_eq!(answer["passwordResetRequest"], json!({ "accepted": true, "userErrors": [] }), "{email}");
        }
        for email in ["", " ", &"x".repeat(1_025)] {
            assert!(signed_in(&app, email, PASSWORD).await.is_none());
            let answer = anonymous(&app, REQUEST, json!({ "email": email })).await["passwordResetRequest"].take();
            assert_eq!((&answer["accepted"], &answer["userErrors"][0]["code"]), (&json!(false), &json!("LENGTH")));
        }
        app.idle().await;
        assert!(mail.mails().iter().any(|mail| mail.to == ["ada@localhost"]), "{:?}", mail.mails());
        // A new one needs a domain, which may be a host of their own network.
        let made = invite(&admin, json!({ "email": "Grace@intranet", "role": "ANALYST" })).await;
        assert!(made["userErrors"][0].is_null(), "{made}");
        let listed = admin.ask("{ users(first: 10) { nodes { email } } }", json!({})).await.to_string();
        assert!(listed.contains("\"ada@localhost\"") && listed.contains("\"root\""), "{listed}");
        app.finish().await;
    })
    .await;
}

/// Nobody's mailbox is filled: an address is sent three letters in an hour, however many ask from wherever, and the answer
/// does not tell. A place asks ten times in an hour, and other places are not touched by it.
#[tokio::test(flavor = "multi_thread")]
async fn requests_are_counted_by_address_and_place() {
    on_both(async |database| {
        let (app, mail) = app_and_mail(database).await;
        app.staff(Role::Analyst).await;
        let ask = async |from: &str, email: &str| {
            let body =
                json!({ "query": REQUEST, "variables": { "input": { "email": email } } }).to_string().into_bytes();
            let headers = vec![("x-forwarded-for".to_owned(), from.to_owned())];
            let answer = app.client("").post("/graphql", "application/json", headers, body).await.unwrap();
            let mut answer: Value = serde_json::from_slice(&answer.body).unwrap();
            answer["data"]["passwordResetRequest"].take()
        };
        let taken = json!({ "accepted": true, "userErrors": [] });
        for number in 0..5 {
            let (here, there) = (format!("198.51.100.{number}"), format!("203.0.113.{number}"));
            let (known, nobody) =
                tokio::join!(ask(&here, "analyst@staff.example"), ask(&there, "nobody@staff.example"));
            assert_eq!((&known, &nobody), (&taken, &taken), "{number}");
        }
        app.idle().await;
        assert_eq!(mail.received(), 3);
        // Ten at once: each is counted, on both databases.
        let some: Vec<String> = (0..12).map(|number| format!("n{number}@staff.example")).collect();
        let asked = futures_util::future::join_all(some.iter().map(|email| ask("192.0.2.9", email))).await;
        let refused: Vec<&Value> = asked.iter().filter(|answer| **answer != taken).collect();
        assert_eq!(refused.len(), 2, "{asked:?}");
        assert_eq!(refused[0]["userErrors"][0]["code"], "TOO_MANY_REQUESTS");
        assert_eq!(ask("192.0.2.9", "analyst@staff.example").await, *refused[0]);
        assert_eq!(ask("192.0.2.8", "nobody@staff.example").await, taken, "other places are not touched");
        app.clock.advance(Duration::hours(1));
        assert_eq!(ask("192.0.2.9", "analyst@staff.example").await, taken);
        app.idle().await;
        assert_eq!(mail.received(), 4);
        app.finish().await;
    })
    .await;
}
