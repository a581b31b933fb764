//! Invitations: who may send how many letters to whom, and what becomes of one that cannot be sent.

use chrono::Duration;
use futures_util::future::join_all;
use leadyard_connectors::fake::SmtpBehaviour;
use leadyard_entity::auth::Belonging;
use leadyard_market::people::{Invitation, People as UseCases, PeopleError};
use leadyard_tests::{OPERATE, TestApp, on_both};
use leadyard_types::{Principal, Role};
use serde_json::{Value, json};

use crate::mail::app_and_mail;
use crate::people::{Asking, People};

const INVITE: &str = "mutation($input: UserInviteInput!) { userInvite(input: $input) {
    invitation { id mail } token mailed userErrors { code field message } } }";

async fn invite(who: &Asking, email: &str, role: &str) -> Value {
    who.ask(INVITE, json!({ "input": { "email": email, "role": role } })).await["userInvite"].take()
}

/// What was refused: its code and its field.
fn refusal(answer: &Value) -> (&str, &str) {
    let error = &answer["userErrors"][0];
    (error["code"].as_str().unwrap_or_default(), error["field"][1].as_str().unwrap_or_default())
}

const MANY: &str = "TOO_MANY_REQUESTS";
const NONE: (&str, &str) = ("", "");

/// An address is sent three invitations in an hour, whoever invites and however many at once; what is refused does not count.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_spared() {
    on_both(async |database| {
        let (app, mail) = app_and_mail(database).await;
        let admin = app.staff(Role::Admin).await;
        let boss = app.buyer_admin(app.buyer("Mine", 0, vec![]).await).await;
        let asked = join_all((0..5).map(|_| invite(&boss, "Spared@b.example", "BUYER_USER"))).await;
        let refused: Vec<_> = asked.iter().map(refusal).filter(|refusal| *refusal != NONE).collect();
        assert_eq!(refused, [(MANY, "email"), (MANY, "email")], "{asked:?}");
        assert_eq!(refusal(&invite(&admin, "spared@b.example", "ANALYST").await), (MANY, "email"), "staff neither");
        let by_hand = json!({ "input": { "email": "spared@b.example", "role": "ANALYST", "byHand": true } });
        assert!(admin.ask(INVITE, by_hand).await["userInvite"]["token"].is_string(), "no letter");
        assert_eq!(refusal(&invite(&boss, "other@b.example", "BUYER_USER").await), NONE, "others are not touched");
        app.clock.advance(Duration::hours(1));
        assert_eq!(refusal(&invite(&boss, "spared@b.example", "BUYER_USER").await), NONE);
        app.idle().await;
        let spared = mail.mails().iter().filter(|mail| mail.to == ["spared@b.example"]).count();
        assert!((1..=4).contains(&spared), "{spared}");
        app.finish().await;
    })
    .await;
}

/// A buyer's administrators send thirty letters in a day together, to whomever; the operator's, and other buyers', are not
/// touched by it.
#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_sends_so_many_letters() {
    on_both(async |database| {
        let (app, _mail) = app_and_mail(database).await;
        let (mine, theirs) = (app.buyer("Mine", 0, vec![]).await, app.buyer("Theirs", 0, vec![]).await);
        let (boss, other, admin) =
            (app.buyer_admin(mine).await, app.buyer_admin(theirs).await, app.staff(Role::Admin).await);
        let some = async |from: usize, to: usize| {
            let emails: Vec<String> = (from..to).map(|number| format!("n{number}@b.example")).collect();
            join_all(emails.iter().map(|email| invite(&boss, email, "BUYER_USER"))).await
        };
        let first = some(0, 28).await;
        assert!(first.iter().all(|answer| refusal(answer) == NONE), "{first:?}");
        let then = some(28, 33).await;
        let refused: Vec<_> = then.iter().map(refusal).filter(|refusal| *refusal != NONE).collect();
        assert_eq!(refused, [(MANY, "buyerId"); 3], "{then:?}");
        assert!(then.iter().any(|answer| answer.to_string().contains("try again in a day")));
        assert_eq!(refusal(&invite(&other, "n99@b.example", "BUYER_USER").await), NONE);
        let input = json!({ "email": "n98@b.example", "role": "BUYER_USER", "buyerId": format!("Buyer:{mine}") });
        assert_eq!(refusal(&admin.ask(INVITE, json!({ "input": input })).await["userInvite"]), NONE);
        app.clock.advance(Duration::days(1));
        let boss = app.buyer_admin(mine).await;
        assert_eq!(refusal(&invite(&boss, "n0@b.example", "BUYER_USER").await), NONE, "a day is over");
        app.idle().await;
        app.finish().await;
    })
    .await;
}

/// Where letters are sent an address proves itself by its letter: only the operator's administrators hand a link on.
#[tokio::test(flavor = "multi_thread")]
async fn a_buyers_people_send_letters() {
    on_both(async |database| {
        let (app, _mail) = app_and_mail(database).await;
        let boss = app.buyer_admin(app.buyer("Mine", 0, vec![]).await).await;
        let input = json!({ "input": { "email": "new@b.example", "role": "BUYER_USER", "byHand": true } });
        let answer = boss.ask(INVITE, input).await["userInvite"].take();
        assert_eq!(refusal(&answer), ("NOT_ALLOWED", "byHand"), "{answer}");
        assert!(answer["token"].is_null() && answer["invitation"].is_null());
        app.idle().await;
        app.finish().await;
    })
    .await;
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let boss = app.buyer_admin(app.buyer("Mine", 0, vec![]).await).await;
        let input = json!({ "input": { "email": "new@b.example", "role": "BUYER_USER", "byHand": true } });
        assert!(boss.ask(INVITE, input).await["userInvite"]["token"].is_string(), "without mail it is as it was");
        app.finish().await;
    })
    .await;
}

/// Whoever invites must still be who they were when they asked: who was shut out or demoted meanwhile invites nobody, and no
/// letter counts.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_invites_is_still_who_they_were() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        let mine = app.buyer("Mine", 0, vec![]).await;
        let (boss, admin, second) =
            (app.buyer_admin(mine).await, app.staff(Role::Admin).await, app.staff(Role::Manager).await);
        let asks = async |who: &Asking| app.store().access(who.token()).await.unwrap().unwrap().principal;
        let plant = async |sql: String| {
            let write = app.store().write(OPERATE).await.unwrap();
            assert_eq!(write.plant(&sql).await.unwrap(), 1, "{sql}");
            let _ = write.commit().await.unwrap();
        };
        let tries = async |who: Principal, role: Role| {
            let buyer_id = role.is_buyer().then_some(mine);
            let belonging = Belonging { role, buyer_id, supplier_id: None };
            let new = Invitation { email: "new@b.example".to_owned(), belonging, by_hand: false };
            UseCases::new(app.store(), who).mailing(true).invite(new).await
        };
        let (boss, admin) = (asks(&boss).await, asks(&admin).await);
        assert!(tries(boss, Role::BuyerUser).await.is_ok() && tries(admin, Role::Analyst).await.is_ok());
        plant(format!("UPDATE user_account SET role = 'BUYER_USER' WHERE email = 'admin@{mine}.example'")).await;
        assert!(matches!(tries(boss, Role::BuyerUser).await, Err(PeopleError::NotAllowed)), "demoted");
        plant("UPDATE user_account SET role = 'MANAGER' WHERE email = 'admin@staff.example'".to_owned()).await;
        assert!(matches!(tries(admin, Role::Admin).await, Err(PeopleError::NotAllowed)), "demoted");
        plant("UPDATE user_account SET role = 'ADMIN' WHERE email = 'admin@staff.example'".to_owned()).await;
        let shut = "UPDATE user_account SET disabled_at = created_at WHERE email = 'admin@staff.example'";
        plant(shut.to_owned()).await;
        assert!(matches!(tries(admin, Role::Admin).await, Err(PeopleError::NotAllowed)), "shut out");
        plant("UPDATE user_account SET disabled_at = NULL WHERE email = 'admin@staff.example'".to_owned()).await;
        assert!(
            tries(admin, Role::Analyst).await.is_ok(),
            "the third to this address: what was refused does not count"
        );
        assert!(matches!(tries(asks(&second).await, Role::Analyst).await, Err(PeopleError::NotAllowed)));
        app.finish().await;
    })
    .await;
}

/// A letter that is given up by our own fault is told as one that will not come, so that somebody invites again.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_is_given_up_has_failed() {
    on_both(async |database| {
        let (app, mail) = app_and_mail(database).await;
        let admin = app.staff(Role::Admin).await;
        mail.next(SmtpBehaviour::RefuseRecipient(451));
        let made = invite(&admin, "new@b.example", "ANALYST").await["invitation"].take();
        app.idle().await;
        let question = "query($id: ID!) { invitation(id: $id) { mail mailedAt state } }";
        let stands = async || admin.ask(question, json!({ "id": made["id"] })).await["invitation"].take();
        assert_eq!(stands().await["mail"], "WAITING");
        // As after so many workers that went away in the middle of it.
        let write = app.store().write(OPERATE).await.unwrap();
        assert_eq!(write.plant("UPDATE task SET attempts = 60 WHERE lane = 'mail'").await.unwrap(), 1);
        let _ = write.commit().await.unwrap();
        app.clock.advance(Duration::seconds(10));
        app.idle().await;
        assert_eq!(app.store().read(OPERATE).dead_tasks(10).await.unwrap().len(), 1);
        let told = stands().await;
        assert_eq!(
            (&told["mail"], &told["mailedAt"], &told["state"]),
            (&json!("FAILED"), &Value::Null, &json!("OPEN"))
        );
        let again = invite(&admin, "new@b.example", "ANALYST").await["invitation"].take();
        app.idle().await;
        let told = admin.ask(question, json!({ "id": again["id"] })).await;
        assert_eq!((&told["invitation"]["mail"], mail.received()), (&json!("SENT"), 1));
        // Seen and swept away: no application leaves what was given up behind.
        let write = app.store().write(OPERATE).await.unwrap();
        assert_eq!(write.plant("DELETE FROM task WHERE dead_at IS NOT NULL").await.unwrap(), 1);
        let _ = write.commit().await.unwrap();
        app.finish().await;
    })
    .await;
}
