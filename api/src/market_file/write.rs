//! Document to text. The layout is made for people and for `diff`: a field a line, tables on one line where they fit,
//! long lists item by item. It keeps to TOML 1.0, in which a line ends within a table only inside a list.

use std::fmt::Write as _;

use leadyard_market::configuration::{Document, Entry, Noun, field_order};
use serde_json::{Map, Value};

/// Longer lines are broken where they can be.
const WIDTH: usize = 110;
/// By how much what belongs to something is moved in.
const STEP: usize = 2;

/// Where something nested begins: with what says what it is.
const FIRST: [&str; 16] = [
    "key",
    "name",
    "label",
    "op",
    "mode",
    "model",
    "kind",
    "url",
    "weekday",
    "time_zone",
    "period",
    "field",
    "postal_code",
    "required",
    "min",
    "max",
];

const HEAD: &str = "\
# The configuration of a market, as leadyard exports it. `leadyard config plan FILE` shows what it would change,
# `leadyard config apply FILE` changes it: all of it or nothing.
#
# - Only what is named is changed. A field that is left out stays as it is, and so does whatever has no entry; to take a
#   field's value away, name the field in `none` (lists: write []). What ends is set to status = \"ARCHIVED\".
# - A field that is named is replaced as a whole: a filter, a list of caps, a campaign's stages.
# - Things are known by their id; without one by their name, and where there is none of that name, it is made.
# - They refer to each other by name, or by id where several share a name.
# - Amounts are minor units (4900 is 49.00), percentages are texts (\"60\").
# - buyer_settings is what a contract's buyer set by itself; without the field its settings stay.
# - Secrets, money, API keys and users are not in here. What stands as { kept = true } stays as it is; something new takes
#   it from { env = \"NAME\" } or { file = \"PATH\" }, and its signing secret from secret_env or secret_file.
";

/// Writes a document.
#[must_use]
pub fn write(document: &Document) -> String {
    let mut text = HEAD.to_owned();
    let mut last = None;
    for entry in &document.entries {
        if last != Some(entry.noun) {
            let _ = write!(text, "\n\n# {}\n", heading(entry.noun));
            last = Some(entry.noun);
        }
        text.push_str(&written(entry));
    }
    text
}

const fn heading(noun: Noun) -> &'static str {
    match noun {
        Noun::Vertical => "Verticals: industries and their fields.",
        Noun::Supplier => "Suppliers: who sends leads.",
        Noun::Campaign => "Campaigns: how leads of a vertical are sold.",
        Noun::Source => "Sources: channels of suppliers into campaigns.",
        Noun::BuyerGroup => "Buyer groups: a group counts as one buyer.",
        Noun::Buyer => "Buyers: who pays.",
        Noun::Destination => "Destinations: where a buyer's leads go, and where it is asked for bids.",
        Noun::Contract => "Contracts: what buyers want and pay.",
    }
}

fn written(entry: &Entry) -> String {
    let mut text = format!("\n[[{}]]\n", entry.noun);
    let order = field_order(entry.noun);
    let mut names: Vec<&String> = entry.fields.keys().collect();
    names.sort_by_key(|name| (order.iter().position(|known| known == name).unwrap_or(usize::MAX), (*name).clone()));
    let settings = entry.fields.get("config").and_then(Value::as_object).filter(|_| entry.noun == Noun::Destination);
    for name in names.into_iter().filter(|name| settings.is_none() || *name != "config") {
        if let Some(value) = entry.fields.get(name).filter(|value| !value.is_null()) {
            field(&mut text, name, value);
        }
    }
    if let Some(settings) = settings {
        let _ = writeln!(text, "[{}.config]", entry.noun);
        for (name, value) in ordered(settings) {
            field(&mut text, name, value);
        }
    }
    text
}

fn field(text: &mut String, name: &str, value: &Value) {
    let name = key(name);
    let value = spread(value, 0, name.len() + 3);
    let _ = writeln!(text, "{name} = {value}");
}

/// A value on as many lines as it needs, of which the first begins after `before` characters.
fn spread(value: &Value, indent: usize, before: usize) -> String {
    let line = inline(value);
    let fits = indent + before + line.chars().count() <= WIDTH && !line.contains('\n');
    let space = |indent: usize| " ".repeat(indent);
    match value {
        // A list of tables is read item by item, however short it is.
        Value::Array(items) if !fits || items.len() > 1 && items.iter().all(Value::is_object) => {
            let mut text = "[\n".to_owned();
            let inner = indent + STEP;
            if items.iter().all(|item| !item.is_array() && !item.is_object()) {
                wrap(&mut text, items, inner);
            } else {
                for item in items {
                    let _ = writeln!(text, "{}{},", space(inner), spread(item, inner, 1));
                }
            }
            let _ = write!(text, "{}]", space(indent));
            text
        }
        Value::Object(fields) if !fits => {
            let fields = ordered(fields).map(|(name, value)| {
                let name = key(name);
                format!("{name} = {}", spread(value, indent, name.len() + 8))
            });
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        _ => line,
    }
}

/// Short values, as many to a line as fit.
fn wrap(text: &mut String, items: &[Value], indent: usize) {
    let mut line = String::new();
    for item in items {
        let item = inline(item);
        if !line.is_empty() && indent + line.chars().count() + item.chars().count() + 2 > WIDTH {
            let _ = writeln!(text, "{}{}", " ".repeat(indent), line.trim_end());
            line.clear();
        }
        let _ = write!(line, "{item}, ");
    }
    if !line.is_empty() {
        let _ = writeln!(text, "{}{}", " ".repeat(indent), line.trim_end());
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let fields = ordered(fields).map(|(name, value)| format!("{} = {}", key(name), inline(value)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// The fields of something nested, what says what it is first. What is null is left out: TOML has no word for it.
fn ordered(fields: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let mut ordered: Vec<(&String, &Value)> = fields.iter().filter(|(_, value)| !value.is_null()).collect();
    ordered.sort_by_key(|(name, _)| (FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()), *name));
    ordered.into_iter()
}

fn key(name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !name.is_empty() && name.bytes().all(bare) { name.to_owned() } else { escaped(name, false) }
}

fn quoted(text: &str) -> String {
    escaped(text, text.contains('\n'))
}

/// A text in quotes; one of several lines in three, with its lines as they are.
fn escaped(text: &str, lines: bool) -> String {
    let mut out = if lines { "\"\"\"\n".to_owned() } else { "\"".to_owned() };
    let mut quotes = 0;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        quotes = if character == '"' { quotes + 1 } else { 0 };
        match character {
            '\\' => out.push_str("\\\\"),
            '"' if !lines || quotes % 3 == 0 || characters.peek().is_none() => out.push_str("\\\""),
            '\n' if lines => out.push('\n'),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control.is_control() => {
                let _ = write!(out, "\\U{:08X}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push_str(if lines { "\"\"\"" } else { "\"" });
    out
}
