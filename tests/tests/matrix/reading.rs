//! Every field and every argument of every question, for one caller.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::{Value, json};

use crate::document::{Document, Part, Writer, absent, page_of_ids, turns_pages, with_page};
use crate::fill::{Filler, Slot, is_paging, put};
use crate::judge::{alike, broke, refusal};
use crate::schema::{Field, Schema};
use crate::tally::Tally;
use crate::world::Caller;

/// How deep the selection goes that hangs on one's own things.
const DEEP: u32 = 2;
/// How deep it goes that hangs on lists and answers to single arguments.
const SHALLOW: u32 = 1;
/// How many questions are on their way at once.
const AT_ONCE: usize = 4;

/// Cursors that somebody else's pages handed out, by list.
pub(crate) type Cursors = BTreeMap<String, Vec<String>>;

/// The matrix of questions for one caller.
pub(crate) struct Reading<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) caller: &'a Caller,
    pub(crate) cursors: &'a Cursors,
    pub(crate) tally: &'a Tally,
}

impl Reading<'_> {
    /// Asks everything.
    pub(crate) async fn all(&self) {
        self.refused().await;
        self.own_things().await;
        self.others_things().await;
        for field in &self.schema.get("Query").fields {
            if self.schema.allows(self.caller.name, "Query", &field.name) {
                self.root(field).await;
            }
        }
    }

    fn writer(&self) -> Writer<'_> {
        Writer { schema: self.schema, caller: self.caller.name }
    }

    /// Asks, and looks for what must not be there.
    pub(crate) async fn ask(&self, document: &Document, object: &str) -> String {
        let name = self.caller.name;
        let body = self.caller.ask(&document.text, &document.variables).await;
        self.tally.asked(name);
        self.tally.question(name, &document.text, &document.variables);
        document.asks.iter().for_each(|what| self.tally.cell(name, what, object));
        for leak in self.caller.judge.leaks(&body) {
            self.tally.leak(name, format!("{leak} in the answer to {} {}", document.text, document.variables));
        }
        if broke(&body) {
            self.tally.leak(name, format!("it broke: {body} for {} {}", document.text, document.variables));
        }
        body
    }

    /// Every field that the table refuses is refused with the table's code, and no value.
    async fn refused(&self) {
        let name = self.caller.name;
        let mut asked = Vec::new();
        for (of, found) in self.schema.objects() {
            for field in found.fields.iter().filter(|field| !self.schema.allows(name, of, &field.name)) {
                let inner = if self.schema.is_leaf(&field.of.name) { "" } else { "{ __typename }" };
                let operation = if of == "Mutation" { "mutation" } else { "query" };
                let page = if field.args.iter().any(|arg| arg.name == "first") { "(first: 1)" } else { "" };
                asked.push((
                    format!("{of}.{}", field.name),
                    format!("{operation} {{ ... on {of} {{ {}{page} {inner} }} }}", field.name),
                ));
            }
        }
        let code = if name == "anonymous" { "UNAUTHENTICATED" } else { "FORBIDDEN" };
        stream::iter(asked)
            .for_each_concurrent(AT_ONCE, async |(what, text)| {
                let body = self.caller.ask(&text, &json!({})).await;
                self.tally.asked(name);
                self.tally.cell(name, &what, "refused");
                if refusal(&body) != (code.to_owned(), what.clone()) {
                    self.tally.leak(name, format!("{what} is not refused: {text}: {body}"));
                }
            })
            .await;
    }

    /// Everything that hangs on one's own things.
    async fn own_things(&self) {
        if self.caller.name == "anonymous" {
            return;
        }
        let node = self.field("node");
        for (noun, ids) in &self.caller.own {
            for (id, depth) in ids.iter().zip([DEEP, SHALLOW]) {
                let inner = vec![Part::with(format!("... on {noun}"), 1, self.writer().all_of(noun, depth))];
                for document in self.writer().documents("query", node, &json!({ "id": id }), inner) {
                    let body = self.ask(&document, "own").await;
                    let read: Value = serde_json::from_str(&body).unwrap_or_default();
                    if read["data"]["node"].is_null() || !read["errors"].is_null() {
                        self.tally.leak(self.caller.name, format!("its own {id} is not answered: {body}"));
                    }
                }
            }
            self.pages_inside(noun).await;
        }
    }

    /// The lists inside one's own things, in every order, and from others' cursors on.
    async fn pages_inside(&self, noun: &str) {
        let Some(id) = self.caller.own[noun].first() else { return };
        let allowed = |field: &&Field| self.schema.allows(self.caller.name, noun, &field.name);
        for field in self.schema.get(noun).fields.iter().filter(allowed).filter(|field| turns_pages(field)) {
            let mut variants = Vec::new();
            for arg in &field.args {
                let values = &self.schema.get(&arg.of.name).values;
                variants.extend(values.iter().map(|value| (arg.name.as_str(), value.clone())));
            }
            let listed = self.cursors.iter().filter(|(list, _)| list.starts_with(&field.of.name));
            variants.extend(listed.flat_map(|(_, cursors)| cursors.iter().map(|at| ("after", format!("\"{at}\"")))));
            for (argument, value) in variants {
                let head = format!("{}(first: 50, {argument}: {value})", field.name);
                let inner = Part::with(head, 50, page_of_ids());
                let inner = vec![Part::with(format!("... on {noun}"), 1, vec![inner])];
                for mut document in self.writer().documents("query", self.field("node"), &json!({ "id": id }), inner) {
                    document.asks = [format!("{noun}.{}({argument})", field.name)].into();
                    self.ask(&document, "own").await;
                }
            }
        }
    }

    /// What is not the caller's does not exist: by any kind of id it answers as nothing does.
    async fn others_things(&self) {
        let node = self.field("node");
        let parts = || vec![Part::leaf("__typename"), Part::leaf("id")];
        let ask = async |id: &str, object: &str| {
            let document = self.writer().documents("query", node, &json!({ "id": id }), parts()).remove(0);
            let object = format!("{object} {}", id.split(':').next().unwrap_or_default());
            self.ask(&document, &object).await
        };
        for (noun, ids) in &self.caller.foreign {
            let nothing = absent(noun);
            let as_absent = ask(&nothing, "absent").await;
            for id in ids {
                self.compare("node", (id, &ask(id, "foreign").await), (&nothing, &as_absent));
            }
        }
        for id in ["", "x", "Lead:", "Nobody:00000000-0000-4000-8000-000000000001"] {
            ask(id, "malformed").await;
        }
    }

    fn field(&self, name: &str) -> &Field {
        self.schema.get("Query").fields.iter().find(|field| field.name == name).unwrap()
    }

    fn compare(&self, what: &str, foreign: (&str, &str), nothing: (&str, &str)) {
        if !alike(foreign, nothing) {
            let text = format!("{what}: {} answers {}, and {} {}", foreign.0, foreign.1, nothing.0, nothing.1);
            self.tally.leak(self.caller.name, text);
        }
    }

    /// A root field with every one of its arguments.
    async fn root(&self, field: &Field) {
        let mut filler = self.filler(field, false);
        let mut base = filler.arguments(&field.args);
        let required = filler.slots;
        with_page(field, &mut base, 20);
        for slot in &required {
            self.place_own(&mut base, slot);
        }
        // What hangs on nouns was asked for by their ids.
        let noun = self.schema.nouns().contains(&field.of.name) || field.of.name.ends_with("Connection");
        let depth = if noun { SHALLOW } else { DEEP };
        for document in self.writer().documents("query", field, &base, self.parts(field, depth)) {
            let body = self.ask(&document, "own").await;
            // What asks for more than a page is a part of the list.
            if base.as_object().is_none_or(|given| given.keys().all(|name| is_paging(name))) {
                self.count_is_right(field, &body);
            }
        }
        let mut filler = self.filler(field, true);
        let whole = filler.arguments(&field.args);
        for slot in &filler.slots {
            self.slot(field, &base, slot).await;
        }
        self.others_values(field, &base, &whole).await;
        for cursor in self.cursors.get(&format!("{} {}", field.of.name, field.name)).into_iter().flatten() {
            let takes = |argument: &&str| field.args.iter().any(|arg| arg.name == **argument);
            for argument in ["after", "before"].into_iter().filter(takes) {
                let mut arguments = base.clone();
                arguments[argument] = json!(cursor);
                self.variant(field, &arguments, argument, "foreign").await;
            }
        }
    }

    fn filler<'f>(&'f self, field: &'f Field, whole: bool) -> Filler<'f> {
        Filler { schema: self.schema, root: &field.name, answers: &field.of.name, whole, slots: Vec::new() }
    }

    fn parts(&self, field: &Field, depth: u32) -> Vec<Part> {
        if self.schema.is_leaf(&field.of.name) { Vec::new() } else { self.writer().all_of(&field.of.name, depth) }
    }

    /// A whole list has as many items as the caller has things.
    fn count_is_right(&self, field: &Field, body: &str) {
        let Some(noun) = self.schema.listed(&field.of.name) else { return };
        let read: Value = serde_json::from_str(body).unwrap_or_default();
        let told = &read["data"][&field.name]["totalCount"];
        let has = self.caller.own[noun].len();
        if told.is_number() && *told != json!(has) {
            self.tally.leak(self.caller.name, format!("{} counts {told} of {has}", field.name));
        }
    }

    fn place_own(&self, arguments: &mut Value, slot: &Slot) {
        let noun = slot.noun.as_deref().unwrap_or("Lead");
        if let Some(id) = self.caller.own.get(noun).and_then(|ids| ids.first()) {
            put(arguments, &slot.at, if slot.list { json!([id]) } else { json!(id) });
        }
    }

    async fn variant(&self, field: &Field, arguments: &Value, argument: &str, object: &str) -> String {
        let listed = self.schema.listed(&field.of.name).is_some();
        let parts = if listed { page_of_ids() } else { self.parts(field, SHALLOW) };
        let mut bodies = String::new();
        for mut document in self.writer().documents("query", field, arguments, parts) {
            document.asks.insert(format!("Query.{}({argument})", field.name));
            bodies.push_str(&self.ask(&document, object).await);
        }
        bodies
    }

    /// One id among the arguments: own, foreign, absent, malformed, of another kind.
    async fn slot(&self, field: &Field, base: &Value, slot: &Slot) {
        let Some(noun) = slot.noun.as_deref() else { return };
        let with = async |id: &str, object: &str| {
            let mut arguments = base.clone();
            put(&mut arguments, &slot.at, if slot.list { json!([id]) } else { json!(id) });
            self.variant(field, &arguments, &slot.at, object).await
        };
        let nothing = absent(noun);
        let as_absent = with(&nothing, "absent").await;
        for id in &self.caller.foreign[noun] {
            self.compare(
                &format!("{}{}", field.name, slot.at),
                (id, &with(id, "foreign").await),
                (&nothing, &as_absent),
            );
        }
        for id in self.caller.own[noun].iter().take(2) {
            with(id, "own").await;
        }
        with("x", "malformed").await;
        with(&absent(if noun == "Lead" { "Sale" } else { "Lead" }), "of another kind").await;
    }

    /// Every other argument: each of its words, or a value as its type says. What a list is restricted by must not tell
    /// what the caller may not see of its items.
    async fn others_values(&self, field: &Field, base: &Value, whole: &Value) {
        let mut places = Vec::new();
        leaves(whole, "", &mut places);
        for (at, value) in places {
            let last = at.split('/').rfind(|part| part.parse::<usize>().is_err()).unwrap_or_default();
            let mut values = vec![value];
            for (_, found) in self.schema.types.iter().filter(|(_, found)| found.kind == "ENUM") {
                if values[0].as_str().is_some_and(|word| found.values.iter().any(|known| known == word)) {
                    values = found.values.iter().map(|word| json!(word)).collect();
                }
            }
            if last.ends_with("Id") || last.ends_with("Ids") || last == "id" {
                continue;
            }
            let mut answers = Vec::new();
            for value in values {
                let mut arguments = base.clone();
                put_whole(&mut arguments, whole, &at, value);
                answers.push(self.variant(field, &arguments, &at, "own").await);
            }
            self.hidden(field, base, whole, (&at, last)).await;
        }
    }

    /// A filter by a field that the caller may not see of the items answers as if no item had it.
    async fn hidden(&self, field: &Field, base: &Value, whole: &Value, (at, last): (&str, &str)) {
        let Some(noun) = self.schema.listed(&field.of.name) else { return };
        let known = self.schema.get(noun).fields.iter().any(|known| known.name == last);
        if !known || self.schema.allows(self.caller.name, noun, last) {
            return;
        }
        let mut answers = Vec::new();
        for value in ["nothing", "mksubid1x", "mkexternal1x", "mksubid3x", "mkexternal3x"] {
            let mut arguments = base.clone();
            put_whole(&mut arguments, whole, at, json!(value));
            answers.push((value, self.variant(field, &arguments, at, "hidden").await));
        }
        let (nothing, rest) = answers.split_first().unwrap();
        for (value, body) in rest {
            self.compare(&format!("{}{at}", field.name), (value, body), (nothing.0, &nothing.1));
        }
    }
}

/// Puts a value in a place; what must stand beside it is taken from `whole`.
fn put_whole(arguments: &mut Value, whole: &Value, at: &str, value: Value) {
    let root = at.split('/').nth(1).unwrap_or_default();
    let lists = whole.pointer(at.rsplit_once('/').map_or("", |(parent, _)| parent)).is_some_and(Value::is_array);
    let depth = at.split('/').count();
    if depth > 3 && !lists || (depth > 4 && lists) {
        arguments[root] = whole[root].clone();
        put(arguments, at, value);
    } else if lists {
        put(arguments, at.rsplit_once('/').map_or("", |(parent, _)| parent), json!([value]));
    } else {
        put(arguments, at, value);
    }
}

/// The places of all values that hold no others.
fn leaves(value: &Value, at: &str, places: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, inner)| leaves(inner, &format!("{at}/{name}"), places)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, inner)| leaves(inner, &format!("{at}/{n}"), places));
        }
        leaf => places.push((at.to_owned(), leaf.clone())),
    }
}

/// Pages of a caller who sees everything: their cursors name others' rows.
pub(crate) async fn cursors(schema: &Schema, caller: &Caller) -> Cursors {
    let mut found = Cursors::new();
    for field in schema.get("Query").fields.iter().filter(|field| turns_pages(field)) {
        let answers = field.of.name.as_str();
        let mut filler = Filler { schema, root: &field.name, answers, whole: false, slots: Vec::new() };
        let mut arguments = filler.arguments(&field.args);
        arguments["first"] = json!(50);
        let given: Vec<_> = field.args.iter().filter(|arg| arguments.get(&arg.name).is_some()).collect();
        let defined: Vec<String> = given.iter().map(|arg| format!("${}: {}", arg.name, arg.of.text)).collect();
        let passed: Vec<String> = given.iter().map(|arg| format!("{0}: ${0}", arg.name)).collect();
        let (defined, passed) = (defined.join(", "), passed.join(", "));
        let text = format!("query({defined}) {{ {}({passed}) {{ edges {{ cursor }} }} }}", field.name);
        let read: Value = serde_json::from_str(&caller.ask(&text, &arguments).await).unwrap();
        let edges = read["data"][&field.name]["edges"].as_array().unwrap_or_else(|| panic!("{text}: {read}")).clone();
        let every: Vec<String> = edges.iter().filter_map(|edge| edge["cursor"].as_str().map(str::to_owned)).collect();
        let middle = every.len() / 2;
        let some = [every.first(), every.get(middle), every.last()].into_iter().flatten().cloned().collect();
        found.insert(format!("{} {}", field.of.name, field.name), some);
    }
    found
}
