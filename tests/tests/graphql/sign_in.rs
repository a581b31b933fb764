//! Signing in: the second factor, and patience with those who guess.

use chrono::Duration;
use futures_util::FutureExt as _;
use leadyard_entity::StoreError;
use leadyard_entity::auth::{HashedFor, code_at};
use leadyard_tests::{TestApp, on_both};
use leadyard_types::{Clock as _, Role};
use serde_json::{Value, json};

use crate::people::{Asking, People, signed_in};

const PASSWORD: &str = "correct horse battery staple";
const WRONG: &str = "wrong horse battery staple";
const EMAIL: &str = "analyst@staff.example";
const SIGN_IN: &str = "mutation($input: SessionCreateInput!) { sessionCreate(input: $input) {
    session { id } userErrors { code message field } } }";

/// The whole answer to somebody who signs in from an address.
async fn answer(app: &TestApp, from: &str, email: &str, password: &str, code: Option<&str>) -> String {
    let input = json!({ "input": { "email": email, "password": password, "code": code } });
    let body = json!({ "query": SIGN_IN, "variables": input }).to_string().into_bytes();
    let headers = vec![("x-forwarded-for".to_owned(), from.to_owned())];
    let answer = app.client("").post("/graphql", "application/json", headers, body).await.unwrap();
    String::from_utf8(answer.body.to_vec()).unwrap()
}

async fn is_let_in(app: &TestApp, from: &str, password: &str, code: Option<&str>) -> bool {
    let answer: Value = serde_json::from_str(&answer(app, from, EMAIL, password, code).await).unwrap();
    answer["data"]["sessionCreate"]["session"]["id"].is_string()
}

fn now_code(app: &TestApp, secret: &str) -> String {
    code_at(secret, app.clock.now().timestamp().unsigned_abs()).unwrap()
}

async fn confirm(who: &Asking, code: &str) -> Value {
    let question = "mutation($input: TotpConfirmInput!) { totpConfirm(input: $input) {
        recoveryCodes userErrors { code field } } }";
    who.ask(question, json!({ "input": { "code": code } })).await["totpConfirm"].take()
}

async fn disable(who: &Asking, input: Value) -> Value {
    let question = "mutation($input: TotpDisableInput!) { totpDisable(input: $input) {
        disabled userErrors { code } } }";
    who.ask(question, json!({ "input": input })).await["totpDisable"].take()
}

/// A second factor that is confirmed is asked for; each of its codes opens once, even for two at the same moment, and so
/// does each recovery code. Whatever is wrong, the answer is byte for byte the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_counts_once() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let (admin, user) = (app.staff(Role::Admin).await, app.staff(Role::Analyst).await);
        let home = "198.51.100.1";
        let begin = "mutation { totpBegin { totp { secret url } userErrors { code } } }";
        let begun = user.ask(begin, json!({})).await["totpBegin"]["totp"].take();
        let secret = begun["secret"].as_str().unwrap();
        assert!(begun["url"].as_str().unwrap().contains(secret), "{begun}");
        assert!(is_let_in(&app, home, PASSWORD, None).await, "what is not confirmed is not asked for");
        let wrong = if now_code(&app, secret) == "000000" { "000001" } else { "000000" };
        assert_eq!(confirm(&user, wrong).await["userErrors"][0]["code"], "WRONG_CODE");
        let first = now_code(&app, secret);
        let codes = confirm(&user, &first).await["recoveryCodes"].take();
        assert_eq!(codes.as_array().unwrap().len(), 10);
        let again = user.ask(begin, json!({})).await;
        assert_eq!(again["totpBegin"]["userErrors"][0]["code"], "ALREADY_ON");

        let refused = answer(&app, home, EMAIL, PASSWORD, None).await;
        assert!(refused.contains("SIGN_IN_FAILED"), "{refused}");
        for (email, password, code) in [
            (EMAIL, PASSWORD, Some(wrong)),
            (EMAIL, PASSWORD, Some(first.as_str())),
            (EMAIL, WRONG, None),
            ("nobody@staff.example", PASSWORD, None),
        ] {
            assert_eq!(answer(&app, home, email, password, code).await, refused, "{email} {password} {code:?}");
        }
        app.clock.advance(Duration::seconds(30));
        let code = now_code(&app, secret);
        let both = tokio::join!(
            is_let_in(&app, home, PASSWORD, Some(&code)),
            is_let_in(&app, "198.51.100.2", PASSWORD, Some(&code))
        );
        assert!(both.0 != both.1, "{both:?}");
        let recovery = codes[0].as_str().unwrap().to_uppercase();
        assert!(is_let_in(&app, home, PASSWORD, Some(&recovery)).await);
        assert!(!is_let_in(&app, home, PASSWORD, Some(&recovery)).await, "a recovery code counts once");

        assert_eq!(disable(&user, json!({ "code": wrong })).await["userErrors"][0]["code"], "WRONG_CODE");
        assert_eq!(disable(&user, json!({ "code": codes[1] })).await["disabled"], true);
        assert!(is_let_in(&app, home, PASSWORD, None).await);
        assert!(!is_let_in(&app, home, WRONG, Some(codes[2].as_str().unwrap())).await, "it stands in for no password");

        // An administrator takes it away from somebody who lost it; nobody else does.
        let secret = user.ask(begin, json!({})).await["totpBegin"]["totp"]["secret"].take();
        app.clock.advance(Duration::seconds(30));
        confirm(&user, &now_code(&app, secret.as_str().unwrap())).await;
        let id = user.ask("{ viewer { user { id totpSince } } }", json!({})).await["viewer"]["user"].take();
        assert!(id["totpSince"].is_string());
        let of_user = json!({ "userId": id["id"] });
        let manager = app.staff(Role::Manager).await;
        assert_eq!(disable(&manager, of_user.clone()).await["userErrors"][0]["code"], "NOT_ALLOWED");
        assert_eq!(disable(&admin, of_user).await["disabled"], true);
        assert!(signed_in(&app, EMAIL, PASSWORD).await.is_some());
        app.finish().await;
    })
    .await;
}

/// Passwords are hashed one behind the other, and one network has some of the waiting places: where it has them all, the
/// next from there is told to come again, and nothing is looked at.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_told_to_come_again() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let user = app.staff(Role::Analyst).await;
        let here = "198.51.100.1";
        let hash = app.store().hash_password(HashedFor::Network(None), PASSWORD.to_owned()).await.unwrap();
        let checked = || app.store().verify_password(HashedFor::Network(Some(here)), WRONG.to_owned(), hash.clone());
        let mut waiting: Vec<_> = std::iter::repeat_with(|| Box::pin(checked())).take(8).collect();
        assert!(waiting.iter_mut().all(|checked| checked.now_or_never().is_none()));
        // The first is done; of the others nobody goes on, so that the places stay taken.
        assert!(!waiting.remove(0).await.unwrap());
        waiting.push(Box::pin(checked()));
        assert!(waiting[7].as_mut().now_or_never().is_none());
        assert!(matches!(checked().await, Err(StoreError::Crowded)));
        for password in [PASSWORD, WRONG] {
            let answer = answer(&app, here, EMAIL, password, None).await;
            assert!(answer.contains("TOO_BUSY") && answer.contains("in a few seconds"), "{answer}");
        }
        // One whose places are free is served in turn.
        let elsewhere = is_let_in(&app, "203.0.113.9", PASSWORD, None);
        let (answers, elsewhere) = tokio::join!(futures_util::future::join_all(waiting), elsewhere);
        assert!(elsewhere && answers.into_iter().all(|answer| !answer.unwrap()));
        assert!(is_let_in(&app, here, PASSWORD, None).await, "places are free again, and nobody was paused");
        assert!(user.ask("{ viewer { user { id } } }", json!({})).await["viewer"].is_object());
        app.finish().await;
    })
    .await;
}

/// Whoever guesses pauses the place they guess from, and nobody else's: the right user comes in from where they were
/// before, and from anywhere new at the first try, however many guess.
#[tokio::test(flavor = "multi_thread")]
async fn guessing_shuts_nobody_else_out() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let (admin, user) = (app.staff(Role::Admin).await, app.staff(Role::Analyst).await);
        let (home, attacker) = ("198.51.100.1", "203.0.113.9");
        assert!(is_let_in(&app, home, PASSWORD, None).await);
        let guesses = futures_util::future::join_all((0..12).map(|_| is_let_in(&app, attacker, WRONG, None)));
        assert!(guesses.await.into_iter().all(|is_in| !is_in));
        let paused = answer(&app, attacker, EMAIL, PASSWORD, None).await;
        assert_eq!(
            paused,
            answer(&app, attacker, EMAIL, WRONG, None).await,
            "a pause answers as a wrong password does"
        );
        assert!(paused.contains("SIGN_IN_FAILED"));
        assert!(is_let_in(&app, home, PASSWORD, None).await, "a place that is known");
        app.clock.advance(Duration::seconds(3));
        assert!(is_let_in(&app, attacker, PASSWORD, None).await, "a pause ends");

        // Many places guess: a new one has one try, which is enough for whoever knows the password.
        for place in 1..=25 {
            assert!(!is_let_in(&app, &format!("192.0.2.{place}"), WRONG, None).await);
        }
        assert!(is_let_in(&app, "192.0.2.100", PASSWORD, None).await, "the first try of a new place");
        for _ in 0..2 {
            assert!(!is_let_in(&app, "192.0.2.101", WRONG, None).await);
        }
        assert!(!is_let_in(&app, "192.0.2.101", PASSWORD, None).await, "it had its free try");
        for _ in 0..5 {
            assert!(!is_let_in(&app, home, WRONG, None).await);
        }
        assert!(is_let_in(&app, home, PASSWORD, None).await, "a known place has five, whatever others do");
        let forgive = "mutation($id: ID!) { userForgive(input: { userId: $id }) { user { id } userErrors { code } } }";
        let id = user.ask("{ viewer { user { id } } }", json!({})).await["viewer"]["user"]["id"].take();
        assert_eq!(admin.ask(forgive, json!({ "id": id })).await["userForgive"]["user"]["id"], id);
        assert!(is_let_in(&app, "192.0.2.101", PASSWORD, None).await, "forgiven");
        // Of IPv6 a whole network is one place.
        for host in 1..=6 {
            assert!(!is_let_in(&app, &format!("2001:db8:1:2::{host}"), WRONG, None).await);
        }
        assert!(!is_let_in(&app, "2001:db8:1:2::99", PASSWORD, None).await);
        app.finish().await;
    })
    .await;
}
