//! Secrets among a destination's settings: an export leaves them where they are, and a document says where to find them.
//!
//! Instead of a value stands `{ kept = true }` (as it is now), `{ env = "NAME" }` or `{ file = "PATH" }`.

use std::collections::BTreeSet;

use leadyard_connectors::secret_places;
use leadyard_types::DestinationKind;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::document::{Fields, Secret, Secrets};

/// What an entry says of the place of its signing secret.
pub(super) fn of_entry(fields: &Fields) -> Option<Secret> {
    let text = |field: &str| fields.get(field).and_then(Value::as_str).map(str::to_owned);
    text("secret_env").map(Secret::Env).or_else(|| text("secret_file").map(Secret::File))
}

/// What stands instead of a value.
enum Instead {
    Kept,
    Taken(Secret),
}

fn instead(value: &Value) -> Option<Instead> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    let (key, value) = object.iter().next()?;
    match (key.as_str(), value) {
        ("kept", Value::Bool(true)) => Some(Instead::Kept),
        ("env", Value::String(name)) => Some(Instead::Taken(Secret::Env(name.clone()))),
        ("file", Value::String(path)) => Some(Instead::Taken(Secret::File(path.clone()))),
        _ => None,
    }
}

/// The secrets that settings refer to.
pub(super) fn within(value: &Value, found: &mut BTreeSet<Secret>) {
    match (instead(value), value) {
        (Some(Instead::Taken(secret)), _) => {
            found.insert(secret);
        }
        (_, Value::Array(items)) => items.iter().for_each(|item| within(item, found)),
        (_, Value::Object(items)) => items.values().for_each(|item| within(item, found)),
        _ => {}
    }
}

/// The settings as they are written out: what may be a secret is said to be kept.
pub(super) fn withheld(kind: DestinationKind, config: &Value) -> Value {
    without_secrets(kind, config, &json!({ "kept": true }))
}

/// The settings as they are shown.
pub(super) fn hidden(kind: DestinationKind, config: &Value) -> Value {
    without_secrets(kind, config, &json!("(not shown)"))
}

fn without_secrets(kind: DestinationKind, config: &Value, instead: &Value) -> Value {
    let mut shown = config.clone();
    for place in secret_places(kind, config) {
        if let Some(value) = shown.pointer_mut(&place) {
            value.clone_from(instead);
        }
    }
    shown
}

/// A problem of the settings: path, code, message.
pub(super) type Unfilled = (String, &'static str, String);

/// The settings with every secret in its place: from what stands now, or from where the document says it is.
pub(super) fn filled(written: &Value, now: Option<&Value>, secrets: &Secrets) -> Result<Value, Vec<Unfilled>> {
    let mut problems = Vec::new();
    let value = fill(written, written, now, "", secrets, &mut problems);
    if problems.is_empty() { Ok(value) } else { Err(problems) }
}

fn fill(
    value: &Value,
    whole: &Value,
    now: Option<&Value>,
    pointer: &str,
    secrets: &Secrets,
    problems: &mut Vec<Unfilled>,
) -> Value {
    let path = || format!("config{}", pointer.replace('/', "."));
    match (instead(value), value) {
        (Some(Instead::Kept), _) => match now.and_then(|now| counterpart(whole, now, pointer)) {
            Some(kept) => kept,
            None => {
                let message =
                    "nothing is kept here: write the value, or say where it is, for example { env = \"NAME\" }";
                problems.push((path(), "REQUIRED", message.to_owned()));
                Value::Null
            }
        },
        (Some(Instead::Taken(secret)), _) => match secrets.get(&secret) {
            Some(Ok(found)) => Value::String(found.expose_secret().to_owned()),
            Some(Err(why)) => {
                problems.push((path(), "SECRET_MISSING", format!("{secret} cannot be read: {why}")));
                Value::Null
            }
            None => {
                let message = format!("{secret} is read on the command line of the machine only");
                problems.push((path(), "SECRET_MISSING", message));
                Value::Null
            }
        },
        (None, Value::Array(items)) => {
            let items = items.iter().enumerate();
            items.map(|(at, item)| fill(item, whole, now, &format!("{pointer}/{at}"), secrets, problems)).collect()
        }
        (None, Value::Object(items)) => {
            let items = items.iter();
            let filled = items.map(|(key, item)| {
                (key.clone(), fill(item, whole, now, &format!("{pointer}/{key}"), secrets, problems))
            });
            Value::Object(filled.collect())
        }
        _ => value.clone(),
    }
}

/// What stands now at the place of the same meaning: a header or a constant is found by its name, wherever it moved.
fn counterpart(whole: &Value, now: &Value, pointer: &str) -> Option<Value> {
    let parts: Vec<&str> = pointer.trim_start_matches('/').split('/').collect();
    if let Some(inner) = pointer.strip_prefix("/status_query/headers") {
        return counterpart(whole.get("status_query")?, now.get("status_query")?, &format!("/headers{inner}"));
    }
    let [list, at, last] = parts.as_slice() else { return now.pointer(pointer).cloned() };
    let name = |item: &Value| match *list {
        "headers" => item.get(0).and_then(Value::as_str).map(str::to_ascii_lowercase),
        _ => item.get("name").and_then(Value::as_str).map(str::to_owned),
    };
    let written = whole.get(*list)?.as_array()?;
    let wanted = name(written.get(at.parse::<usize>().ok()?)?)?;
    // Of several of one name the first is kept for the first, the second for the second.
    let earlier = written.iter().take(at.parse().ok()?).filter(|item| name(item).as_ref() == Some(&wanted)).count();
    let same = now.get(*list)?.as_array()?.iter().filter(|item| name(item).as_ref() == Some(&wanted));
    same.skip(earlier).find_map(|item| item.pointer(&format!("/{last}"))).cloned()
}
