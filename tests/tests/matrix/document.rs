//! Documents: selections of whatever a caller may ask for, cut so that each is affordable.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::fill::{ABSENT, is_paging};
use crate::schema::{Field, Schema};

/// What a document may cost here: less than the server's own bound.
const COST_MAX: u64 = 18_000;
/// The most fields of a document.
const FIELDS_MAX: u64 = 1_500;
/// How many items a list without a page is taken to have.
const LIST: u64 = 5;
/// The page size inside other things.
const FIRST: i64 = 3;

/// A part of a selection.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    head: String,
    /// `Type.field`, or nothing for the parts that only lead there.
    what: Option<String>,
    items: u64,
    children: Vec<Part>,
}

impl Part {
    pub(crate) fn leaf(head: &str) -> Self {
        Self { head: head.to_owned(), what: None, items: 1, children: Vec::new() }
    }

    /// A part with others in it.
    pub(crate) fn with(head: impl Into<String>, items: u64, children: Vec<Part>) -> Self {
        Self { head: head.into(), what: None, items, children }
    }

    fn cost(&self) -> u64 {
        self.items * self.children.iter().map(Part::cost).sum::<u64>() + 1
    }

    fn fields(&self) -> u64 {
        self.children.iter().map(Part::fields).sum::<u64>() + 1
    }

    fn text(&self) -> String {
        if self.children.is_empty() {
            return self.head.clone();
        }
        let inner: Vec<String> = self.children.iter().map(Part::text).collect();
        format!("{} {{ {} }}", self.head, inner.join(" "))
    }

    fn collect(&self, all: &mut BTreeSet<String>) {
        all.extend(self.what.clone());
        self.children.iter().for_each(|child| child.collect(all));
    }

    /// The same part in affordable pieces.
    fn cut(self, cost: u64, fields: u64) -> Vec<Part> {
        if self.children.is_empty() || (self.cost() <= cost && self.fields() <= fields) {
            return vec![self];
        }
        let (inner_cost, inner_fields) = ((cost - 1) / self.items, fields - 1);
        let mut groups: Vec<Vec<Part>> = vec![Vec::new()];
        let (mut sum_cost, mut sum_fields) = (0, 0);
        for piece in self.children.iter().cloned().flat_map(|child| child.cut(inner_cost, inner_fields)) {
            sum_cost += piece.cost();
            sum_fields += piece.fields();
            if (sum_cost > inner_cost || sum_fields > inner_fields)
                && groups.last().is_some_and(|last| !last.is_empty())
            {
                groups.push(Vec::new());
                (sum_cost, sum_fields) = (piece.cost(), piece.fields());
            }
            groups.last_mut().unwrap().push(piece);
        }
        groups.into_iter().map(|children| Part { children, ..self.clone() }).collect()
    }
}

/// A document with its variables.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) text: String,
    pub(crate) variables: Value,
    /// The fields it asks for, as `Type.field`.
    pub(crate) asks: BTreeSet<String>,
}

/// What a caller may ask for, laid out.
pub(crate) struct Writer<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) caller: &'a str,
}

impl Writer<'_> {
    /// Everything the caller may ask of a type, so many levels deep.
    pub(crate) fn all_of(&self, of: &str, depth: u32) -> Vec<Part> {
        let found = self.schema.get(of);
        if found.kind == "INTERFACE" {
            return vec![Part::leaf("__typename"), Part::leaf("id")];
        }
        let mut parts = vec![Part::leaf("__typename")];
        for field in found.fields.iter().filter(|field| self.schema.allows(self.caller, of, &field.name)) {
            parts.extend(self.part(of, field, depth));
        }
        parts
    }

    fn part(&self, of: &str, field: &Field, depth: u32) -> Option<Part> {
        let what = Some(format!("{of}.{}", field.name));
        let head = self.head(field);
        let to = field.of.name.as_str();
        if self.schema.is_leaf(to) {
            return Some(Part { head, what, items: 1, children: Vec::new() });
        }
        let through = to.ends_with("Connection") || to.ends_with("Edge") || self.schema.is_value(to);
        if depth == 0 && !through {
            return None;
        }
        let children = if of.ends_with("Edge") {
            // The same things stand in `nodes`.
            vec![Part::leaf("__typename")]
        } else {
            self.all_of(to, if through { depth } else { depth - 1 })
        };
        let paged = field.args.iter().any(|arg| arg.name == "first");
        let items = match (paged, field.of.list) {
            (true, _) => FIRST.unsigned_abs(),
            (false, true) if !of.ends_with("Connection") => LIST,
            _ => 1,
        };
        Some(Part { head, what, items, children })
    }

    /// A field inside other things with its arguments, written out.
    fn head(&self, field: &Field) -> String {
        let mut given = Vec::new();
        for arg in &field.args {
            if arg.name == "first" {
                given.push(format!("first: {FIRST}"));
            } else if arg.of.required && !arg.has_default {
                let mut filler = crate::fill::Filler {
                    schema: self.schema,
                    root: &field.name,
                    answers: &field.of.name,
                    whole: false,
                    slots: Vec::new(),
                };
                let value = filler.value(arg, &arg.of, "", 0);
                given.push(format!("{}: {}", arg.name, literal(self.schema, &arg.of.name, &value)));
            }
        }
        if given.is_empty() { field.name.clone() } else { format!("{}({})", field.name, given.join(", ")) }
    }

    /// The documents that ask a root field with these arguments for these parts.
    pub(crate) fn documents(
        &self,
        operation: &str,
        field: &Field,
        arguments: &Value,
        parts: Vec<Part>,
    ) -> Vec<Document> {
        let given: Vec<(&String, &Value)> = arguments.as_object().into_iter().flatten().collect();
        let of = |name: &str| {
            &field
                .args
                .iter()
                .find(|arg| arg.name == name)
                .unwrap_or_else(|| panic!("{} takes no {name}", field.name))
                .of
                .text
        };
        let defined: Vec<String> = given.iter().map(|(name, _)| format!("${name}: {}", of(name))).collect();
        let passed: Vec<String> = given.iter().map(|(name, _)| format!("{name}: ${name}")).collect();
        let (defined, passed) = match given.is_empty() {
            true => (String::new(), String::new()),
            false => (format!("({})", defined.join(", ")), format!("({})", passed.join(", "))),
        };
        let page = arguments.get("first").or_else(|| arguments.get("last")).and_then(Value::as_u64);
        let items = page.unwrap_or(if field.of.list { LIST } else { 1 });
        let root = if operation == "mutation" { "Mutation" } else { "Query" };
        let part = Part {
            head: format!("{}{passed}", field.name),
            what: Some(format!("{root}.{}", field.name)),
            items,
            children: parts,
        };
        // What is done is done once: only questions are cut.
        let pieces = if operation == "mutation" { vec![part] } else { part.cut(COST_MAX, FIELDS_MAX) };
        let variables: Map<String, Value> = given.into_iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        let document = |piece: Part| {
            let mut asks = BTreeSet::new();
            piece.collect(&mut asks);
            let text = format!("{operation}{defined} {{ {} }}", piece.text());
            Document { text, variables: Value::Object(variables.clone()), asks }
        };
        pieces.into_iter().map(document).collect()
    }
}

/// A value as a document writes it.
fn literal(schema: &Schema, of: &str, value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let inputs = &schema.get(of).inputs;
            let inner =
                |name: &str| inputs.iter().find(|input| input.name == name).map_or("String", |i| i.of.name.as_str());
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}: {}", literal(schema, inner(name), value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| literal(schema, of, item)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::String(text) if schema.get(of).kind == "ENUM" => text.clone(),
        other => other.to_string(),
    }
}

/// A page of ids and cursors: enough to tell two lists apart.
pub(crate) fn page_of_ids() -> Vec<Part> {
    let info = ["hasNextPage", "hasPreviousPage", "startCursor", "endCursor"].map(Part::leaf).to_vec();
    vec![
        Part::leaf("totalCount"),
        Part::with("nodes", 1, vec![Part::leaf("id")]),
        Part::with("edges", 1, vec![Part::leaf("cursor")]),
        Part::with("pageInfo", 1, info),
    ]
}

/// The least arguments of a root field: a page where it has pages.
pub(crate) fn with_page(field: &Field, arguments: &mut Value, first: u64) {
    if field.args.iter().any(|arg| arg.name == "first") {
        arguments["first"] = json!(first);
    }
}

/// The arguments that turn pages.
pub(crate) fn turns_pages(field: &Field) -> bool {
    field.args.iter().any(|arg| is_paging(&arg.name))
}

/// The global id of nothing.
pub(crate) fn absent(noun: &str) -> String {
    format!("{noun}:{ABSENT}")
}
