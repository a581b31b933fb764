//! Inputs with which mutations succeed that no input made from types alone brings to anything: they need a value from
//! elsewhere (a token, a code), or values that fit each other.
//!
//! A new mutation that succeeds with no generated input needs one entry in [`SAMPLES`], or its reason in [`NEVER`].

use std::collections::{BTreeMap, BTreeSet};

use leadyard_entity::auth::code_at;
use leadyard_tests::TestApp;
use leadyard_types::Clock as _;
use serde_json::{Value, json};

use crate::changing::Changing;
use crate::schema::Schema;
use crate::tally::Tally;
use crate::world::{Caller, PASSWORD, World};

/// Mutations that nobody can succeed with here, and why. One that does succeed must not stand here.
pub(crate) const NEVER: &[(&str, &str)] = &[
    ("passwordResetRequest", "needs a server that sends mail; `tests/graphql/mail` has one, and asks"),
    ("saleResolveUnknown", "needs a sale whose answer was lost; `tests/delivery` has them, and asks"),
];

/// One mutation that succeeds.
struct Sample {
    mutation: &'static str,
    /// Who calls it.
    by: &'static str,
    /// Whether by the session that `sessionCreate` began, for what ends sessions or belongs to one person.
    anew: bool,
    input: fn(&Known) -> Value,
}

const fn sample(mutation: &'static str, by: &'static str, input: fn(&Known) -> Value) -> Sample {
    Sample { mutation, by, anew: false, input }
}

const fn anew(mutation: &'static str, by: &'static str, input: fn(&Known) -> Value) -> Sample {
    Sample { mutation, by, anew: true, input }
}

/// In this order, before anything is tried with generated inputs. `known` tells ids and what earlier samples answered.
/// What a version guards is taken from the end of the lists: what is tried afterwards begins at their beginning.
const SAMPLES: &[Sample] = &[
    // Agreements.
    sample("campaignCreate", "manager", |known| {
        json!({ "verticalId": known.own("manager", "Vertical"), "name": "Sampled", "country": "DE", "currency": "EUR",
            "timeZone": "Europe/Berlin", "stages": [{ "key": "main", "method": "WATERFALL" }] })
    }),
    sample("sourceCreate", "manager", |known| {
        json!({ "supplierId": known.own("manager", "Supplier"), "campaignId": known.answer("campaignCreate", "/campaign/id"),
            "name": "Sampled", "cost": { "kind": "PER_LEAD", "amountMinor": "100" } })
    }),
    sample("destinationCreate", "manager", |known| {
        json!({ "buyerId": known.own("buyer_admin", "Buyer"), "name": "Sampled",
            "settings": { "webhook": { "url": "https://hook.example/sampled" } } })
    }),
    sample(
        "destinationSecretRotate",
        "manager",
        |known| json!({ "destinationId": known.answer("destinationCreate", "/destination/id"), "version": 1 }),
    ),
    sample("contractCreate", "manager", |known| {
        json!({ "campaignId": known.answer("campaignCreate", "/campaign/id"), "buyerId": known.own("buyer_admin", "Buyer"),
            "name": "Sampled", "stage": "main", "priceMinor": "4500" })
    }),
    sample(
        "contractUpdate",
        "manager",
        |known| json!({ "contractId": known.answer("contractCreate", "/contract/id"), "version": 1, "priceMinor": "4600" }),
    ),
    sample("contractBoundsSet", "manager", |known| {
        json!({ "contractId": known.own("buyer_admin", "Contract"),
            "bounds": { "pause": true, "caps": [{ "period": "DAY", "count": 8 }] } })
    }),
    sample(
        "contractCapsSet",
        "buyer_admin",
        |known| json!({ "contractId": known.own("buyer_admin", "Contract"), "caps": [{ "period": "DAY", "count": 5 }] }),
    ),
    sample("contractPause", "buyer_admin", |known| json!({ "contractId": known.own("buyer_admin", "Contract") })),
    sample("contractResume", "buyer_admin", |known| json!({ "contractId": known.own("buyer_admin", "Contract") })),
    // Who is not to be taken in.
    sample(
        "suppressionEntriesCreate",
        "manager",
        |_| json!({ "contacts": ["suppressed@mail.example.com"], "reason": "a sample" }),
    ),
    sample(
        "suppressionEntriesRemove",
        "manager",
        |known| json!({ "suppressionEntryIds": [known.answer("suppressionEntriesCreate", "/entries/0/id")], "reason": "a sample" }),
    ),
    // People.
    sample("userForgive", "admin", |known| json!({ "userId": known.user("other supplier") })),
    sample("userEnable", "admin", |known| json!({ "userId": known.user("other supplier") })),
    sample("passwordResetIssue", "admin", |known| json!({ "userId": known.user("other supplier") })),
    sample(
        "passwordReset",
        "anonymous",
        |known| json!({ "token": known.answer("passwordResetIssue", "/reset/token"), "password": PASSWORD }),
    ),
    sample("userInvite", "admin", |_| json!({ "email": SAMPLED, "role": "ANALYST" })),
    sample(
        "invitationAccept",
        "anonymous",
        |known| json!({ "token": known.answer("userInvite", "/token"), "name": "Sampled", "password": PASSWORD }),
    ),
    sample("sessionCreate", "anonymous", |_| json!({ "email": SAMPLED, "password": PASSWORD })),
    anew("totpBegin", "analyst", |_| Value::Null),
    anew("totpConfirm", "analyst", |known| json!({ "code": known.code(0) })),
    anew("totpDisable", "analyst", |known| json!({ "code": known.code(1) })),
    anew("sessionsRevokeOthers", "analyst", |_| Value::Null),
    anew("sessionEnd", "analyst", |_| Value::Null),
];

/// Who becomes a user.
const SAMPLED: &str = "sampled@people.example";
/// For how long a code of an authenticator holds.
const CODE_SECONDS: u64 = 30;

/// What a sample can be made of.
struct Known<'a> {
    app: &'a TestApp,
    world: &'a World,
    answers: BTreeMap<&'static str, Value>,
}

impl Known<'_> {
    /// One of a caller's own things, the last of them.
    fn own(&self, caller: &str, noun: &str) -> &str {
        self.world.caller(caller).own[noun].last().unwrap_or_else(|| panic!("{caller} has no {noun}"))
    }

    /// Who a caller is.
    fn user(&self, caller: &str) -> String {
        format!("User:{}", self.world.caller(caller).whose.user.unwrap())
    }

    /// What an earlier sample answered, as a JSON pointer into its payload.
    fn answer(&self, mutation: &str, at: &str) -> &str {
        let found = self.answers.get(mutation).and_then(|answer| answer.pointer(at)).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("{mutation} answered nothing at {at}: its sample must come before, and succeed"))
    }

    /// The code of the authenticator that was begun, so many steps from now. Each counts once.
    fn code(&self, steps: u64) -> String {
        let at = self.app.clock.now().timestamp().unsigned_abs() + steps * CODE_SECONDS;
        code_at(self.answer("totpBegin", "/totp/secret"), at).unwrap()
    }
}

/// Sends every sample, looks at the answers as at all others, and tells which mutations were done. All of them must be.
pub(crate) async fn all(app: &TestApp, schema: &Schema, world: &World, tally: &Tally) -> BTreeSet<String> {
    let mut known = Known { app, world, answers: BTreeMap::new() };
    let mut done = BTreeSet::new();
    for sample in SAMPLES {
        let field = schema.get("Mutation").fields.iter().find(|field| field.name == sample.mutation);
        let field = field.unwrap_or_else(|| panic!("matrix/samples.rs: there is no mutation {}", sample.mutation));
        let input = (sample.input)(&known);
        let arguments = if input.is_null() { json!({}) } else { json!({ "input": input }) };
        let caller = world.caller(sample.by);
        let session = sample.anew.then(|| known.answer("sessionCreate", "/session/token").to_owned());
        let again = session.map(|token| Caller { client: caller.client.with_api_key(token.into()), ..caller.clone() });
        let caller = again.as_ref().unwrap_or(caller);
        let body = Changing { app, schema, caller, tally }.ask(field, &arguments, "sample").await;
        let mut answer: Value = serde_json::from_str(&body).unwrap_or_default();
        let payload = answer["data"][sample.mutation].take();
        assert!(
            answer["errors"].is_null() && payload["userErrors"] == json!([]),
            "matrix/samples.rs: {} by {} with {arguments} did not succeed: {payload} {}",
            sample.mutation,
            sample.by,
            answer["errors"]
        );
        known.answers.insert(sample.mutation, payload);
        done.insert(sample.mutation.to_owned());
    }
    done
}

/// Fails where a mutation succeeded for nobody without a reason, or has one and succeeded.
pub(crate) fn assert_complete<'a>(mutations: impl Iterator<Item = &'a String>, done: &BTreeSet<String>) {
    let left: BTreeSet<&str> = mutations.filter(|name| !done.contains(*name)).map(String::as_str).collect();
    let never: BTreeSet<&str> = NEVER.iter().map(|(name, _)| *name).collect();
    let new: Vec<&&str> = left.difference(&never).collect();
    assert!(
        new.is_empty(),
        "nobody succeeded with {new:?}: give each a sample in matrix/samples.rs, or a reason in its NEVER"
    );
    let stale: Vec<&&str> = never.difference(&left).collect();
    assert!(stale.is_empty(), "matrix/samples.rs: {stale:?} can be done, and has no place in NEVER");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(mutations: &[&str], done: &[&str]) -> std::thread::Result<()> {
        let mutations: Vec<String> = mutations.iter().map(|&name| name.to_owned()).collect();
        let done = done.iter().map(|&name| name.to_owned()).collect();
        std::panic::catch_unwind(|| assert_complete(mutations.iter(), &done))
    }

    /// A mutation that nobody succeeds with is found, and so is a reason that does not hold any more.
    #[test]
    fn a_mutation_without_success_is_found() {
        let all = |more: &[&'static str]| [NEVER.iter().map(|(name, _)| *name).collect(), more.to_vec()].concat();
        assert!(complete(&all(&["leadSubmit"]), &["leadSubmit"]).is_ok());
        assert!(complete(&all(&["leadSubmit", "leadPaint"]), &["leadSubmit"]).is_err());
        assert!(complete(&all(&["leadSubmit"]), &["leadSubmit", NEVER[0].0]).is_err());
    }
}
