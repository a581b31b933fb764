//! Values for arguments, from their types and names. Nothing is listed by field: a new argument is filled by what it
//! is, and one that cannot be filled stops the test with what to do.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value, json};

use crate::schema::{Input, Of, Schema};

/// How deep inputs are filled that contain themselves.
const DEPTH: u32 = 4;
/// The id of nothing.
pub(crate) const ABSENT: &str = "00000000-0000-4000-8000-000000000001";

/// Arguments that name a noun by another word.
const WORDS: [(&str, &str); 2] = [("group", "BuyerGroup"), ("owner", "User")];

/// Texts with a form, by the end of the argument's name.
const TEXTS: [(&str, &str); 17] = [
    ("currency", "EUR"),
    ("country", "DE"),
    ("countries", "DE"),
    ("from", "09:00"),
    ("to", "17:00"),
    ("postalPrefixes", "10"),
    ("states", "BE"),
    ("percent", "10"),
    ("password", "correct horse battery staple"),
    ("url", "https://hook.example/matrix"),
    ("change", ""),
    ("text", ""),
    ("value", "7"),
    ("config", "{}"),
    ("filterKeys", "score"),
    ("contact", "erika.muster@mail.example.com"),
    ("contacts", "erich.muster@mail.example.com"),
];

/// A place for an id in arguments, and which noun it names; `None`: any.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    /// Where, as a JSON pointer.
    pub(crate) at: String,
    pub(crate) noun: Option<String>,
    pub(crate) list: bool,
}

/// Fills the arguments of one root field.
pub(crate) struct Filler<'a> {
    pub(crate) schema: &'a Schema,
    /// The root field, whose name tells what `id` alone means.
    pub(crate) root: &'a str,
    /// What it answers with.
    pub(crate) answers: &'a str,
    /// Whether what may be left out is filled too.
    pub(crate) whole: bool,
    /// Where ids stand.
    pub(crate) slots: Vec<Slot>,
}

impl Filler<'_> {
    /// All arguments, with [`ABSENT`] for every id.
    pub(crate) fn arguments(&mut self, inputs: &[Input]) -> Value {
        self.object(inputs, "", 0)
    }

    fn object(&mut self, inputs: &[Input], at: &str, depth: u32) -> Value {
        let mut object = Map::new();
        for input in inputs {
            let wanted = input.of.required && !input.has_default;
            if wanted || (self.whole && depth < DEPTH && !is_paging(&input.name)) {
                let place = format!("{at}/{}", input.name);
                object.insert(input.name.clone(), self.value(input, &input.of, &place, depth));
            }
        }
        Value::Object(object)
    }

    /// A value of an argument.
    pub(crate) fn value(&mut self, input: &Input, of: &Of, at: &str, depth: u32) -> Value {
        if of.list {
            let inner = Of { list: false, ..of.clone() };
            if of.name == "ID" {
                self.slots.push(Slot { at: at.to_owned(), noun: self.noun(input), list: true });
                return json!([ABSENT]);
            }
            return json!([self.value(input, &inner, &format!("{at}/0"), depth)]);
        }
        let found = self.schema.get(&of.name);
        match found.kind.as_str() {
            "ENUM" => json!(found.values[0]),
            "INPUT_OBJECT" if found.one_of => {
                let simple = |part: &&Input| part.of.name != of.name;
                let part = found.inputs.iter().find(simple).unwrap();
                let place = format!("{at}/{}", part.name);
                json!({ part.name.clone(): self.value(part, &part.of, &place, depth + 1) })
            }
            "INPUT_OBJECT" => self.object(&found.inputs.clone(), at, depth + 1),
            _ => self.scalar(input, &of.name, at),
        }
    }

    fn scalar(&mut self, input: &Input, name: &str, at: &str) -> Value {
        match name {
            "ID" => {
                self.slots.push(Slot { at: at.to_owned(), noun: self.noun(input), list: false });
                json!(ABSENT)
            }
            "Boolean" => json!(true),
            "Int" => json!(if input.name == "version" { 1 } else { 10 }),
            "Float" => json!(0.5),
            "MinorUnits" | "WholeNumber" => json!("1000"),
            "Date" => json!("2026-07-01"),
            "DateTime" => json!("2026-07-01T09:00:00Z"),
            "EmailAddress" => json!(format!("{}@people.example", string(&input.name))),
            "PhoneNumber" => json!("+493020000000"),
            "PostalCode" => json!("10115"),
            "TimeZone" => json!("Europe/Berlin"),
            "String" => json!(string(&input.name)),
            other => panic!(
                "the matrix cannot fill {}{at}: it knows no value of the scalar {other}; give it one in matrix/fill.rs",
                self.root
            ),
        }
    }

    /// Which noun an id names: by the argument's name, then by what the root is about, then by its description.
    fn noun(&self, input: &Input) -> Option<String> {
        if self.root == "node" {
            return None;
        }
        let nouns = self.schema.nouns();
        let base = input.name.strip_suffix("Ids").or_else(|| input.name.strip_suffix("Id")).unwrap_or(&input.name);
        let base = singular(if base == "id" || base == "ids" { "" } else { base });
        // What an entry of the audit is about can be anything.
        if base == "subject" {
            return None;
        }
        if base.is_empty() {
            let about = nouns.iter().filter(|noun| self.root.starts_with(&small(noun)) || self.answers == **noun);
            if let Some(noun) = about.max_by_key(|noun| noun.len()) {
                return Some(noun.clone());
            }
        }
        let ends = |noun: &&String| !base.is_empty() && capital(&base).ends_with(noun.as_str());
        if let Some(noun) = nouns.iter().filter(ends).max_by_key(|noun| noun.len()) {
            return Some(noun.clone());
        }
        if let Some((_, noun)) = WORDS.iter().find(|(word, _)| *word == base) {
            return Some((*noun).to_owned());
        }
        let said: Vec<&String> = nouns
            .iter()
            .filter(|noun| {
                input.description.to_lowercase().split(|c: char| !c.is_alphabetic()).any(|w| w == small(noun))
            })
            .collect();
        match said[..] {
            [noun] => Some(noun.clone()),
            _ => panic!(
                "the matrix cannot tell which noun the id `{}` of {} names: end its name with the noun, or add its word to \
                 matrix/fill.rs",
                input.name, self.root
            ),
        }
    }
}

/// Whether an argument only turns pages: those are asked for by themselves.
pub(crate) fn is_paging(name: &str) -> bool {
    matches!(name, "first" | "last" | "after" | "before")
}

/// Puts a value in a place, making what leads there.
pub(crate) fn put(arguments: &mut Value, at: &str, value: Value) {
    let mut place = arguments;
    for part in at.split('/').skip(1) {
        place = match part.parse::<usize>() {
            Ok(index) if place.is_array() => &mut place[index],
            _ => &mut place[part],
        };
    }
    *place = value;
}

fn string(name: &str) -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let ends = |(end, _): &&(&str, &str)| name == *end || name.ends_with(&capital(end));
    TEXTS.iter().find(ends).map_or_else(|| format!("matrix_{number}"), |(_, value)| (*value).to_owned())
}

pub(crate) fn capital(name: &str) -> String {
    let (first, rest) = name.split_at(name.len().min(1));
    format!("{}{rest}", first.to_uppercase())
}

pub(crate) fn small(name: &str) -> String {
    let (first, rest) = name.split_at(name.len().min(1));
    format!("{}{rest}", first.to_lowercase())
}

fn singular(name: &str) -> String {
    match name.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None => name.strip_suffix('s').unwrap_or(name).to_owned(),
    }
}
