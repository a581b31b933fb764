//! Users: how they come in, who changes them, and how they are shut out.

use chrono::Duration;
use leadyard_tests::{TestApp, on_both};
use leadyard_types::{BuyerId, Role};
use serde_json::{Value, json};

use crate::people::{Asking, People, signed_in};

const INVITE: &str = "mutation($input: UserInviteInput!) { userInvite(input: $input) {
    invitation { id email role state buyer { name } invitedBy { role } } token userErrors { code field } } }";
const ACCEPT: &str = "mutation($input: InvitationAcceptInput!) { invitationAccept(input: $input) {
    email userErrors { code field } } }";
const USERS: &str = "{ users(first: 100) { nodes { id email role disabledAt buyer { name } } totalCount } }";
const PASSWORD: &str = "correct horse battery staple";
const OTHER_PASSWORD: &str = "another horse and no battery";

/// The first problem of an answer: its code and field.
fn problem(answer: &Value) -> (String, String) {
    let error = &answer["userErrors"][0];
    (error["code"].as_str().unwrap_or_default().to_owned(), error["field"][1].as_str().unwrap_or_default().to_owned())
}

fn wrong(code: &str, field: &str) -> (String, String) {
    (code.to_owned(), field.to_owned())
}

async fn invite(by: &Asking, email: &str, role: &str, buyer: Option<BuyerId>) -> Value {
    let buyer = buyer.map(|buyer| format!("Buyer:{buyer}"));
    let input = json!({ "input": { "email": email, "role": role, "buyerId": buyer } });
    by.ask(INVITE, input).await["userInvite"].take()
}

async fn anonymous(app: &TestApp, question: &str, input: Value) -> Value {
    let (_, mut answer) = app.client("").graphql(question, json!({ "input": input }), None).await.unwrap();
    assert!(answer["errors"].is_null(), "{answer}");
    answer["data"].take()
}

async fn accept(app: &TestApp, token: &Value, name: &str) -> Value {
    let input = json!({ "token": token, "name": name, "password": PASSWORD });
    anonymous(app, ACCEPT, input).await["invitationAccept"].take()
}

async fn on_user(by: &Asking, what: &str, user: &str) -> Value {
    let question = format!(
        "mutation($id: ID!) {{ {what}(input: {{ userId: $id }}) {{ user {{ id disabledAt }} userErrors {{ code field }} }} }}"
    );
    by.ask(&question, json!({ "id": user })).await[what].take()
}

async fn set_role(by: &Asking, user: &str, role: &str) -> Value {
    let question = "mutation($input: UserUpdateInput!) { userUpdate(input: $input) {
        user { role name } userErrors { code field } } }";
    by.ask(question, json!({ "input": { "userId": user, "role": role } })).await["userUpdate"].take()
}

/// The id of the user who asks.
async fn own_id(who: &Asking) -> String {
    let answer = who.ask("{ viewer { user { id } } }", json!({})).await;
    answer["viewer"]["user"]["id"].as_str().unwrap().to_owned()
}

async fn is_in(who: &Asking) -> bool {
    who.raw("{ viewer { user { id } } }", json!({})).await["errors"].is_null()
}

/// An invitation makes one user, once, however many accept it at the same moment; what was used, replaced, revoked or has
/// expired opens nothing, and all of these answer the same.
#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_makes_one_user_once() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let buyer = app.buyer("Buyer", 0, vec![]).await;
        let admin = app.staff(Role::Admin).await;
        for (role, of, expected) in [
            ("BUYER_USER", None, wrong("REQUIRED", "buyerId")),
            ("ANALYST", Some(buyer), wrong("NOT_ALLOWED", "buyerId")),
            ("BUYER_USER", Some(BuyerId(app.store().ids().uuid())), wrong("NOT_FOUND", "buyerId")),
        ] {
            assert_eq!(problem(&invite(&admin, "new@b.example", role, of).await), expected, "{role}");
        }
        let replaced = invite(&admin, "new@b.example", "BUYER_USER", Some(buyer)).await;
        let made = invite(&admin, " New@B.example ", "BUYER_ADMIN", Some(buyer)).await;
        assert_eq!(
            (&made["invitation"]["email"], &made["invitation"]["state"], &made["invitation"]["buyer"]["name"]),
            (&json!("new@b.example"), &json!("OPEN"), &json!("Buyer")),
            "{made}"
        );
        let gone = accept(&app, &replaced["token"], "New").await;
        assert_eq!(problem(&gone), wrong("LINK_INVALID", "token"));

        let twice = tokio::join!(accept(&app, &made["token"], "One"), accept(&app, &made["token"], "Two"));
        let emails = [&twice.0["email"], &twice.1["email"]];
        assert_eq!(emails.iter().filter(|email| **email == "new@b.example").count(), 1, "{twice:?}");
        let refused = if emails[0].is_null() { &twice.0 } else { &twice.1 };
        assert_eq!(refused, &gone, "what was used and what was replaced are told alike");
        let user = signed_in(&app, "new@b.example", PASSWORD).await.unwrap();
        let seen = user.ask("{ viewer { user { role } buyer { name } } }", json!({})).await;
        assert_eq!(
            (&seen["viewer"]["user"]["role"], &seen["viewer"]["buyer"]["name"]),
            (&json!("BUYER_ADMIN"), &json!("Buyer"))
        );
        assert_eq!(problem(&invite(&admin, "new@b.example", "ADMIN", None).await), wrong("TAKEN", "email"));

        // Two places invite the same address: whoever is accepted first makes the user.
        let (here, there) = (
            invite(&admin, "both@b.example", "BUYER_USER", Some(buyer)).await,
            invite(&admin, "both@b.example", "ANALYST", None).await,
        );
        let both = tokio::join!(accept(&app, &here["token"], "A"), accept(&app, &there["token"], "B"));
        assert_eq!([&both.0, &both.1].iter().filter(|made| made["email"].is_null()).count(), 1, "{both:?}");

        let revoked = invite(&admin, "r@b.example", "ANALYST", None).await;
        let revoke = "mutation($id: ID!) { invitationRevoke(input: { invitationId: $id }) {
            invitation { state } userErrors { code field } } }";
        let id = json!({ "id": revoked["invitation"]["id"] });
        assert_eq!(admin.ask(revoke, id.clone()).await["invitationRevoke"]["invitation"]["state"], "REVOKED");
        assert_eq!(problem(&admin.ask(revoke, id).await["invitationRevoke"]), wrong("NOT_FOUND", "invitationId"));
        assert_eq!(accept(&app, &revoked["token"], "R").await, gone);
        let late = invite(&admin, "late@b.example", "ANALYST", None).await;
        app.clock.advance(Duration::days(7));
        assert_eq!(accept(&app, &late["token"], "L").await, gone);
        assert_eq!(accept(&app, &json!("ly_invite_00"), "N").await, gone);
        app.finish().await;
    })
    .await;
}

/// A buyer's administrator administers the buyer's own users and nobody else: others answer as absent ones do.
#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_administers_its_own() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let (mine, theirs) = (app.buyer("Mine", 0, vec![]).await, app.buyer("Theirs", 0, vec![]).await);
        let admin = app.staff(Role::Admin).await;
        let made = invite(&admin, "boss@mine.example", "BUYER_ADMIN", Some(mine)).await;
        accept(&app, &made["token"], "Boss").await;
        let boss = signed_in(&app, "boss@mine.example", PASSWORD).await.unwrap();
        let (own, other) = (app.buyer_user(mine).await, app.buyer_user(theirs).await);
        let (own_id, other_id, admin_id) = (own_id(&own).await, own_id(&other).await, own_id(&admin).await);
        assert_eq!(boss.ask(USERS, json!({})).await["users"]["totalCount"], 2);
        assert_eq!(admin.ask(USERS, json!({})).await["users"]["totalCount"], 4);
        let one = "query($id: ID!) { user(id: $id) { email } node(id: $id) { id } }";
        let absent = "User:00000000-0000-0000-0000-000000000001";
        for foreign in [&other_id, &admin_id] {
            assert_eq!(boss.text(one, json!({ "id": foreign })).await, boss.text(one, json!({ "id": absent })).await);
            for what in ["userDisable", "userEnable"] {
                assert_eq!(on_user(&boss, what, foreign).await, on_user(&boss, what, absent).await);
            }
            assert_eq!(set_role(&boss, foreign, "BUYER_ADMIN").await, set_role(&boss, absent, "BUYER_ADMIN").await);
        }
        let foreign = invite(&boss, "x@mine.example", "BUYER_USER", Some(theirs)).await;
        let nobodys = BuyerId(app.store().ids().uuid());
        assert_eq!(foreign, invite(&boss, "x@mine.example", "BUYER_USER", Some(nobodys)).await);
        assert_eq!(problem(&foreign), wrong("NOT_FOUND", "buyerId"));
        // An address of somebody whom the administrator does not see is no different from a free one.
        let taken = invite(&boss, "admin@staff.example", "BUYER_USER", None).await;
        assert_eq!((taken["userErrors"].as_array().unwrap().len(), taken["token"].is_string()), (0, true), "{taken}");
        assert_eq!(problem(&invite(&boss, "y@mine.example", "ADMIN", None).await), wrong("NOT_ALLOWED", "buyerId"));
        assert_eq!(problem(&set_role(&boss, &own_id, "ADMIN").await), wrong("NOT_ALLOWED", "role"));
        assert_eq!(set_role(&boss, &own_id, "BUYER_ADMIN").await["user"]["role"], "BUYER_ADMIN");
        assert_eq!(own.ask(USERS, json!({})).await["users"]["totalCount"], 2, "a role counts at once");
        assert!(on_user(&boss, "userDisable", &own_id).await["user"]["disabledAt"].is_string());
        for outsider in [&other, &app.staff(Role::Manager).await, &app.staff(Role::Finance).await] {
            let answer = outsider.raw(USERS, json!({})).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{answer}");
            let question = "mutation($id: ID!) { userDisable(input: { userId: $id }) { userErrors { code } } }";
            let answer = outsider.raw(question, json!({ "id": own_id })).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{answer}");
        }
        app.finish().await;
    })
    .await;
}

/// Whoever is disabled is out at once and comes back only by being enabled; an administrator always remains, even where
/// the last two shut each other out at the same moment.
#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_always_remains() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let one = app.staff(Role::Admin).await;
        let one_id = own_id(&one).await;
        for refused in [on_user(&one, "userDisable", &one_id).await, set_role(&one, &one_id, "ANALYST").await] {
            assert_eq!(problem(&refused), wrong("LAST_ADMIN", "userId"));
        }
        let made = invite(&one, "two@staff.example", "ADMIN", None).await;
        accept(&app, &made["token"], "Two").await;
        let two = signed_in(&app, "two@staff.example", PASSWORD).await.unwrap();
        let two_id = own_id(&two).await;
        let open = invite(&two, "three@staff.example", "ANALYST", None).await;
        assert!(on_user(&one, "userDisable", &two_id).await["user"]["disabledAt"].is_string());
        assert!(!is_in(&two).await, "a session ends with its user");
        assert!(signed_in(&app, "two@staff.example", PASSWORD).await.is_none());
        assert_eq!(problem(&accept(&app, &open["token"], "Three").await), wrong("LINK_INVALID", "token"));
        assert!(on_user(&one, "userEnable", &two_id).await["user"]["disabledAt"].is_null());
        assert!(!is_in(&two).await, "what ended stays ended");
        let two = signed_in(&app, "two@staff.example", PASSWORD).await.unwrap();

        let raw = "mutation($id: ID!) { userDisable(input: { userId: $id }) { user { id } userErrors { code } } }";
        let tried = tokio::join!(one.raw(raw, json!({ "id": two_id })), two.raw(raw, json!({ "id": one_id })));
        assert_eq!([is_in(&one).await, is_in(&two).await].iter().filter(|is_in| **is_in).count(), 1, "{tried:?}");
        app.finish().await;
    })
    .await;
}

/// A new password ends the other sessions; a reset works once and ends all of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_sessions() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let (admin, one) = (app.staff(Role::Admin).await, app.staff(Role::Analyst).await);
        let email = "analyst@staff.example";
        let other = signed_in(&app, email, PASSWORD).await.unwrap();
        let change = "mutation($input: PasswordChangeInput!) { passwordChange(input: $input) {
            changed userErrors { code field } } }";
        let set = async |current: &str, new: &str| {
            let input = json!({ "input": { "currentPassword": current, "newPassword": new } });
            one.ask(change, input).await["passwordChange"].take()
        };
        assert_eq!(problem(&set("wrong horse battery", OTHER_PASSWORD).await), wrong("WRONG", "currentPassword"));
        assert_eq!(problem(&set(PASSWORD, "short").await), wrong("TOO_SHORT", "newPassword"));
        assert_eq!(set(PASSWORD, OTHER_PASSWORD).await["changed"], true);
        assert!(is_in(&one).await && !is_in(&other).await);
        assert!(signed_in(&app, email, PASSWORD).await.is_none());

        let issue = "mutation($id: ID!) { passwordResetIssue(input: { userId: $id }) {
            reset { token expiresAt } userErrors { code } } }";
        let id = json!({ "id": own_id(&one).await });
        let mut tokens = Vec::new();
        for _ in 0..2 {
            tokens.push(admin.ask(issue, id.clone()).await["passwordResetIssue"]["reset"]["token"].take());
        }
        let reset = "mutation($input: PasswordResetInput!) { passwordReset(input: $input) {
            changed userErrors { code field } } }";
        let by = async |token: &Value, password: &str| {
            let input = json!({ "token": token, "password": password });
            anonymous(&app, reset, input).await["passwordReset"].take()
        };
        let gone = by(&tokens[0], PASSWORD).await;
        assert_eq!(problem(&gone), wrong("LINK_INVALID", "token"), "the newest link counts");
        assert_eq!(problem(&by(&tokens[1], "short").await), wrong("TOO_SHORT", "password"));
        let twice = tokio::join!(by(&tokens[1], PASSWORD), by(&tokens[1], OTHER_PASSWORD));
        let changed = [&twice.0, &twice.1].iter().filter(|answer| answer["changed"] == true).count();
        assert_eq!(changed, 1, "{twice:?}");
        assert!(!is_in(&one).await);
        let password = if twice.0["changed"] == true { PASSWORD } else { OTHER_PASSWORD };
        assert!(signed_in(&app, email, password).await.is_some());
        assert_eq!(by(&tokens[1], PASSWORD).await, gone);
        let late = admin.ask(issue, id).await["passwordResetIssue"]["reset"]["token"].take();
        app.clock.advance(Duration::hours(1));
        assert_eq!(by(&late, PASSWORD).await, gone);
        app.finish().await;
    })
    .await;
}
