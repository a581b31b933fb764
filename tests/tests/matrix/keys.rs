//! The matrix once more by keys: a key with every scope answers as its user does, one with fewer answers as its user does
//! or refuses, and none whose scopes only read changes anything.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use futures_util::stream;
use leadyard_entity::auth::NewUserKey;
use leadyard_tests::{OPERATE, TestApp};
use leadyard_types::{KeyScope, KeyScopes};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::changing::{Changing, contents};
use crate::judge::{changed, refusal};
use crate::schema::Schema;
use crate::tally::Tally;
use crate::world::Caller;

/// How many questions of one caller are on their way at once.
const AT_ONCE: usize = 2;
/// How much of what its user asked for a key with every scope asks, from all over; and a key with one.
const ASKED_WITH_ALL: usize = 500;
const ASKED_WITH_ONE: usize = 60;
/// The scopes that only read.
const READING: [KeyScope; 5] =
    [KeyScope::Market, KeyScope::Leads, KeyScope::Persons, KeyScope::Books, KeyScope::People];
/// What everybody may send, with and without a key, and what is called a mutation and changes nothing.
const OPEN: [&str; 6] =
    ["sessionCreate", "sessionEnd", "invitationAccept", "passwordReset", "passwordResetRequest", "simulate"];
/// What differs between a person and a key, or from one moment to the next.
const THEIR_OWN: [&str; 3] = ["apiKey", "current", "lastUsedAt"];

/// The matrix of keys for one caller's user.
pub(crate) struct Keys<'a> {
    pub(crate) app: &'a TestApp,
    pub(crate) schema: &'a Schema,
    pub(crate) caller: &'a Caller,
    pub(crate) tally: &'a Tally,
}

impl Keys<'_> {
    /// The same user by a new key.
    async fn keyed(&self, scopes: KeyScopes) -> Option<Caller> {
        let user = self.caller.whose.user?.into();
        let write = self.app.store().write(OPERATE).await.unwrap();
        let new = NewUserKey { user, label: format!("{} {scopes}", self.caller.name), scopes, expires_at: None };
        let (_, key) = write.add_user_key(&new).await.unwrap();
        let _ = write.commit().await.unwrap();
        Some(self.caller.by(key.expose_secret()))
    }

    /// Keys of the user: with every scope, and with each alone. They are made before anybody asks: who administers others
    /// sees their keys.
    pub(crate) async fn made(&self) -> Vec<(KeyScopes, Caller)> {
        let mut made = Vec::new();
        for scopes in [KeyScopes::all()].into_iter().chain(KeyScope::ALL.iter().copied().map(KeyScopes::from)) {
            made.extend(self.keyed(scopes).await.map(|robot| (scopes, robot)));
        }
        made
    }

    /// What the user asked for, asked for again by keys.
    pub(crate) async fn read(&self, robots: &[(KeyScopes, Caller)]) {
        let asked = self.tally.questions(self.caller.name);
        for (scopes, robot) in robots {
            let is_whole = *scopes == KeyScopes::all();
            let wanted = if is_whole { ASKED_WITH_ALL } else { ASKED_WITH_ONE };
            let some = asked.iter().step_by(asked.len().div_ceil(wanted).max(1)).cloned();
            let compared = stream::iter(some).map(|(text, variables)| self.compare(robot, is_whole, text, variables));
            let answered: Vec<bool> = compared.buffer_unordered(AT_ONCE).collect().await;
            let refused = answered.iter().filter(|was_answered| !**was_answered).count();
            println!(
                "{} by a key of {scopes}: {} of {} asked, {refused} refused",
                self.caller.name,
                answered.len(),
                asked.len()
            );
            assert!(answered.len() > refused && (is_whole || refused > 0), "{} {scopes}", self.caller.name);
        }
    }

    /// Whether the key was answered; an answer is that of the person.
    async fn compare(&self, robot: &Caller, is_whole: bool, text: String, variables: Value) -> bool {
        let by_key = robot.ask(&text, &variables).await;
        let name = format!("{} by key", self.caller.name);
        self.tally.asked(&name);
        if refusal(&by_key).0 == "OUT_OF_SCOPE" {
            if is_whole {
                self.tally.leak(&name, format!("a key with every scope is refused {text} {variables}: {by_key}"));
            }
            return false;
        }
        let by_person = self.caller.ask(&text, &variables).await;
        if stripped(&by_key) != stripped(&by_person) {
            // What is written down about the one question may stand in the answer to the next.
            let (by_key, by_person) = (robot.ask(&text, &variables).await, self.caller.ask(&text, &variables).await);
            if stripped(&by_key) != stripped(&by_person) && !text.contains("audit") {
                self.tally.leak(&name, format!("{text} {variables} answers {by_key} and not {by_person}"));
            }
        }
        for leak in self.caller.judge.leaks(&by_key) {
            self.tally.leak(&name, format!("{leak} in the answer to {text} {variables}"));
        }
        true
    }

    /// Every mutation on the user's own things, by a key that only reads: all are refused, and nothing changes.
    pub(crate) async fn change_nothing(&self) {
        let Some(robot) = self.keyed(READING.into_iter().collect()).await else { return };
        let before: BTreeMap<String, String> = contents(self.app).await;
        let changing = Changing { app: self.app, schema: self.schema, caller: &robot, tally: self.tally };
        for field in &self.schema.get("Mutation").fields {
            if OPEN.contains(&field.name.as_str()) || !self.schema.allows(self.caller.name, "Mutation", &field.name) {
                continue;
            }
            for whole in [false, true] {
                let body = changing.try_own(field, whole).await;
                let wanted = ("OUT_OF_SCOPE".to_owned(), format!("Mutation.{}", field.name));
                if refusal(&body) != wanted {
                    let text = format!("{} is not refused to a key that only reads: {body}", field.name);
                    self.tally.leak(&format!("{} by key", self.caller.name), text);
                }
            }
        }
        for change in changed(&before, &contents(self.app).await) {
            // When a key was used is noted.
            if !change.starts_with("api_key") {
                self.tally.effect(&format!("{} by key", self.caller.name), change);
            }
        }
    }
}

/// An answer without what differs between a person and a key.
fn stripped(body: &str) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                THEIR_OWN.iter().for_each(|name| {
                    fields.remove(*name);
                });
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut read: Value = serde_json::from_str(body).unwrap_or_else(|_| json!(body));
    strip(&mut read);
    read
}
