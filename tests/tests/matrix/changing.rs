//! Every mutation, for one caller: what it may not do is refused before any effect; what is not its own answers as nothing
//! does, and stays as it was.

use std::collections::BTreeMap;

use leadyard_tests::{OPERATE, TestApp};
use serde_json::{Value, json};

use crate::document::{Document, Writer, absent};
use crate::fill::{Filler, Slot, put};
use crate::judge::{alike, broke, changed, refusal};
use crate::schema::{Field, Schema};
use crate::tally::Tally;
use crate::world::Caller;

/// Others' ids that are tried at one place.
const FOREIGN: usize = 6;
/// One's own things that are tried.
const THINGS: usize = 4;
/// What is done last, because whoever did it may not ask any more.
const LAST: [&str; 6] = ["totp", "user", "password", "sessionR", "sessions", "session"];
/// Tables that change by asking alone: signs of life.
const SIGNS_OF_LIFE: [&str; 2] = ["session", "worker"];

/// The matrix of mutations for one caller.
pub(crate) struct Changing<'a> {
    pub(crate) app: &'a TestApp,
    pub(crate) schema: &'a Schema,
    pub(crate) caller: &'a Caller,
    pub(crate) tally: &'a Tally,
}

impl Changing<'_> {
    /// Everything on others' things and on nothing; no row may change.
    pub(crate) async fn others(&self) {
        let mut before = contents(self.app).await;
        for field in &self.schema.get("Mutation").fields {
            let did = if self.allowed(field) { self.foreign(field).await } else { self.refused(field).await };
            if !did {
                continue;
            }
            let after = contents(self.app).await;
            for change in changed(&before, &after) {
                self.tally.effect(self.caller.name, format!("{}: {change}", field.name));
            }
            before = after;
        }
    }

    /// Everything on the caller's own things. Answers the mutations that were done.
    pub(crate) async fn own(&self) -> Vec<String> {
        let mut done = Vec::new();
        let mut fields: Vec<&Field> =
            self.schema.get("Mutation").fields.iter().filter(|field| self.allowed(field)).collect();
        fields.sort_by_key(|field| {
            LAST.iter().position(|word| field.name.starts_with(word)).map_or(0, |place| place + 1)
        });
        for field in fields {
            for (whole, which) in (0..THINGS).flat_map(|which| [(false, which), (true, which)]) {
                let (arguments, slots) = self.filled(field, whole, Some(which));
                if which > 0 && slots.is_empty() {
                    break;
                }
                let body = self.ask(field, &arguments, "own").await;
                let read: Value = serde_json::from_str(&body).unwrap_or_default();
                if read["errors"].is_null() && read["data"][&field.name]["userErrors"] == json!([]) {
                    done.push(field.name.clone());
                }
            }
        }
        done.dedup();
        done
    }

    fn allowed(&self, field: &Field) -> bool {
        self.schema.allows(self.caller.name, "Mutation", &field.name)
    }

    /// The arguments, with ids of the caller's own things, one or another, wherever it has some, and where ids stand.
    fn filled(&self, field: &Field, whole: bool, own: Option<usize>) -> (Value, Vec<Slot>) {
        let mut filler =
            Filler { schema: self.schema, root: &field.name, answers: &self.noun_of(field), whole, slots: Vec::new() };
        let mut arguments = filler.arguments(&field.args);
        for slot in &filler.slots {
            let noun = slot.noun.as_deref().unwrap_or("Lead");
            let known = own.and_then(|which| self.caller.own[noun].iter().cycle().nth(which).cloned());
            let id = known.unwrap_or_else(|| absent(noun));
            put(&mut arguments, &slot.at, if slot.list { json!([id]) } else { json!(id) });
        }
        (arguments, filler.slots)
    }

    /// The noun that a mutation answers with.
    fn noun_of(&self, field: &Field) -> String {
        let payload = self.schema.get(&field.of.name);
        let nouns = self.schema.nouns();
        let found = payload.fields.iter().find(|part| nouns.contains(&part.of.name));
        found.map_or_else(String::new, |part| part.of.name.clone())
    }

    fn document(&self, field: &Field, arguments: &Value) -> Document {
        let writer = Writer { schema: self.schema, caller: self.caller.name };
        writer.documents("mutation", field, arguments, writer.all_of(&field.of.name, 1)).remove(0)
    }

    pub(crate) async fn ask(&self, field: &Field, arguments: &Value, object: &str) -> String {
        let (document, name) = (self.document(field, arguments), self.caller.name);
        let body = self.caller.ask(&document.text, &document.variables).await;
        self.tally.asked(name);
        document.asks.iter().for_each(|what| self.tally.cell(name, what, object));
        for leak in self.caller.judge.leaks(&body) {
            self.tally.leak(name, format!("{leak} in the answer to {} {}: {body}", document.text, document.variables));
        }
        if broke(&body) {
            self.tally.leak(name, format!("it broke: {body} for {} {}", document.text, document.variables));
        }
        body
    }

    /// A mutation on the caller's own things, as it is answered.
    pub(crate) async fn try_own(&self, field: &Field, whole: bool) -> String {
        let (arguments, _) = self.filled(field, whole, Some(0));
        let document = self.document(field, &arguments);
        self.caller.ask(&document.text, &document.variables).await
    }

    /// What is not for the caller is refused, with whatever arguments.
    async fn refused(&self, field: &Field) -> bool {
        let code = if self.caller.name == "anonymous" { "UNAUTHENTICATED" } else { "FORBIDDEN" };
        let what = format!("Mutation.{}", field.name);
        for (whole, own) in [(false, Some(0)), (true, Some(0)), (false, None)] {
            let (arguments, _) = self.filled(field, whole, own);
            let writer = Writer { schema: self.schema, caller: self.caller.name };
            let parts = vec![crate::document::Part::leaf("__typename")];
            let document = writer.documents("mutation", field, &arguments, parts).remove(0);
            let body = self.caller.ask(&document.text, &document.variables).await;
            self.tally.asked(self.caller.name);
            self.tally.cell(self.caller.name, &what, if own.is_some() { "refused own" } else { "refused absent" });
            if refusal(&body) != (code.to_owned(), what.clone()) {
                self.tally.leak(self.caller.name, format!("{what} is not refused: {body}"));
            }
        }
        true
    }

    /// Each id once as somebody else's and once as nobody's; everything else is the caller's own. Answers whether the
    /// mutation takes ids at all.
    async fn foreign(&self, field: &Field) -> bool {
        let (least, needed) = self.filled(field, false, Some(0));
        let (whole, slots) = self.filled(field, true, Some(0));
        for slot in &slots {
            let noun = slot.noun.as_deref().unwrap_or("Lead");
            let optional = !needed.iter().any(|known| known.at == slot.at);
            // What stands deep inside what may be left out stands there only in the whole.
            let bases = if optional && slot.at.split('/').count() > 3 { vec![&whole] } else { vec![&least, &whole] };
            for base in bases {
                let with = async |id: &str, object: &str| {
                    let mut arguments = self.renewed(field, base);
                    put(&mut arguments, &slot.at, if slot.list { json!([id]) } else { json!(id) });
                    self.ask(field, &arguments, &format!("{object} {}", slot.at)).await
                };
                let nothing = absent(noun);
                let as_absent = with(&nothing, "absent").await;
                for id in spread(&self.caller.foreign[noun]) {
                    let body = with(id, "foreign").await;
                    if !alike((id, &body), (&nothing, &as_absent)) {
                        let text = format!("{}{}: {id} answers {body}, and {nothing} {as_absent}", field.name, slot.at);
                        self.tally.leak(self.caller.name, text);
                    }
                }
                with("x", "malformed").await;
            }
        }
        !slots.is_empty()
    }

    /// The same arguments with an idempotency key of their own: nothing is answered from memory.
    fn renewed(&self, field: &Field, base: &Value) -> Value {
        let mut arguments = base.clone();
        let (fresh, _) = self.filled(field, true, Some(0));
        for at in ["/input/idempotencyKey", "/idempotencyKey"] {
            if let (Some(place), Some(key)) = (arguments.pointer_mut(at), fresh.pointer(at)) {
                *place = key.clone();
            }
        }
        arguments
    }
}

/// Some of many, from all over.
fn spread(ids: &[String]) -> impl Iterator<Item = &String> {
    let step = ids.len().div_ceil(FOREIGN).max(1);
    ids.iter().step_by(step)
}

/// Everything that is stored, but for signs of life.
pub(crate) async fn contents(app: &TestApp) -> BTreeMap<String, String> {
    let read = app.store().read(OPERATE);
    let mut contents = read.contents().await.unwrap();
    contents.retain(|table, _| !SIGNS_OF_LIFE.contains(&table.as_str()));
    // A session notes when it was used; whether it was ended is what counts.
    let sql = "SELECT CAST(count(*) AS TEXT) AS text FROM session WHERE revoked_at IS NOT NULL";
    contents.insert("session".to_owned(), read.texts(sql).await.unwrap().concat());
    contents
}
