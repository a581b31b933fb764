//! Sessions: where one is signed in, how long, and by which browser.

use chrono::Duration;
use leadyard_tests::{TestApp, on_both};
use leadyard_types::Role;
use serde_json::{Value, json};

use crate::people::{Asking, People, signed_in};

const SESSIONS: &str = "{ viewer { sessions { id token current address agent createdAt lastUsedAt expiresAt } } }";
const PASSWORD: &str = "correct horse battery staple";
const EMAIL: &str = "analyst@staff.example";

async fn sessions(of: &Asking) -> Vec<Value> {
    of.ask(SESSIONS, json!({})).await["viewer"]["sessions"].as_array().unwrap().clone()
}

async fn is_in(who: &Asking) -> bool {
    who.raw("{ viewer { user { id } } }", json!({})).await["errors"].is_null()
}

/// Everybody sees and ends their own sessions; somebody else's answers as an absent one does, and no token is shown again.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_everybodys_own() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let one = app.staff(Role::Analyst).await;
        app.clock.advance(Duration::minutes(1));
        let two = signed_in(&app, EMAIL, PASSWORD).await.unwrap();
        let three = signed_in(&app, EMAIL, PASSWORD).await.unwrap();
        let seen = sessions(&two).await;
        assert_eq!(seen.len(), 3);
        assert_eq!(seen.iter().filter(|session| session["current"] == true).count(), 1);
        assert!(seen.iter().all(|session| session["token"].is_null()), "{seen:?}");
        let admin = app.staff(Role::Admin).await;
        assert_eq!(sessions(&admin).await.len(), 1);
        let revoke = "mutation($id: ID!) { sessionRevoke(input: { sessionId: $id }) {
            session { id } userErrors { code field } } }";
        let first = seen.last().unwrap()["id"].clone();
        let absent = json!({ "id": "Session:00000000-0000-0000-0000-000000000001" });
        let foreign = admin.text(revoke, json!({ "id": first })).await;
        assert_eq!(foreign, admin.text(revoke, absent).await);
        assert!(foreign.contains("NOT_FOUND"), "{foreign}");
        assert!(is_in(&one).await);
        two.ask(revoke, json!({ "id": first })).await;
        assert!(!is_in(&one).await && is_in(&three).await);
        let others = "mutation { sessionsRevokeOthers { ended userErrors { code } } }";
        assert_eq!(two.ask(others, json!({})).await["sessionsRevokeOthers"]["ended"], 1);
        assert!(is_in(&two).await && !is_in(&three).await && is_in(&admin).await);
        app.finish().await;
    })
    .await;
}

/// A session ends where it is not used for three hours, and after twelve however busy it is.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_end() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let (busy, idle) = (app.staff(Role::Analyst).await, app.staff(Role::Finance).await);
        for hour in 0..5 {
            assert!(is_in(&busy).await, "after {hour} times 2 h 20");
            if hour == 1 {
                assert!(is_in(&idle).await, "used once, after 2 h 20");
            }
            app.clock.advance(Duration::minutes(140));
            assert_eq!(sessions(&busy).await.len(), 1);
        }
        assert!(!is_in(&idle).await, "not used for three hours");
        app.clock.advance(Duration::minutes(20));
        assert!(!is_in(&busy).await, "twelve hours are over");
        app.finish().await;
    })
    .await;
}

/// A browser's cookie signs in for pages of this host alone: nobody else's page makes it ask, and no script reads it.
#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_is_for_our_own_pages() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        app.staff(Role::Analyst).await;
        let client = app.client("");
        let ask = async |question: &str, headers: &[(&str, &str)]| {
            let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let body = json!({ "query": question }).to_string().into_bytes();
            let answer = client.post("/graphql", "application/json", headers, body).await.unwrap();
            let cookie = answer.header("set-cookie").map(str::to_owned);
            (serde_json::from_slice::<Value>(&answer.body).unwrap(), cookie)
        };
        let sign_in = format!(
            "mutation {{ sessionCreate(input: {{ email: \"{EMAIL}\", password: \"{PASSWORD}\", cookie: true }}) {{
                session {{ id token }} userErrors {{ code }} }} }}"
        );
        let own = ("sec-fetch-site", "same-origin");
        for foreign in [&[("sec-fetch-site", "cross-site")][..], &[("sec-fetch-site", "same-site")], &[]] {
            let (answer, cookie) = ask(&sign_in, foreign).await;
            assert_eq!(answer["data"]["sessionCreate"]["userErrors"][0]["code"], "NOT_OWN_PAGE", "{answer}");
            assert_eq!(cookie, None);
        }
        let (answer, cookie) = ask(&sign_in, &[own]).await;
        assert!(answer["data"]["sessionCreate"]["session"]["token"].is_null(), "{answer}");
        let cookie = cookie.unwrap();
        assert!(cookie.starts_with("__Host-leadyard=ly_session_"), "{cookie}");
        for attribute in ["Path=/", "HttpOnly", "Secure", "SameSite=Lax", "Max-Age=43200"] {
            assert!(cookie.contains(attribute), "{attribute}: {cookie}");
        }
        let sent = cookie.split(';').next().unwrap();
        let viewer = "{ viewer { user { email } } }";
        let (answer, _) = ask(viewer, &[own, ("cookie", sent)]).await;
        assert_eq!(answer["data"]["viewer"]["user"]["email"], EMAIL, "{answer}");
        for foreign in [
            &[("sec-fetch-site", "cross-site"), ("cookie", sent)][..],
            &[("sec-fetch-site", "same-site"), ("cookie", sent)],
            &[("origin", "https://elsewhere.example"), ("cookie", sent)],
            &[("cookie", sent)],
        ] {
            let (answer, _) = ask("mutation { sessionEnd { ended } }", foreign).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "CROSS_SITE", "{foreign:?}: {answer}");
        }
        let (answer, cleared) = ask("mutation { sessionEnd { ended } }", &[own, ("cookie", sent)]).await;
        assert_eq!(answer["data"]["sessionEnd"]["ended"], true);
        assert!(cleared.unwrap().contains("Max-Age=0"));
        let (answer, _) = ask(viewer, &[own, ("cookie", sent)]).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
        let (answer, _) = ask(&sign_in, &[own, ("cookie", sent)]).await;
        assert!(answer["data"]["sessionCreate"]["session"]["id"].is_string(), "an old cookie hinders nobody: {answer}");
        app.finish().await;
    })
    .await;
}
