//! Differences between two states of a thing, field by field; nothing is left out.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::document::Fields;

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Which, as a path: `price_rules.large bill.price_minor`. Items that have a key or name are called by it.
    pub path: String,
    /// What stands; absent where nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What would stand; absent where nothing would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "{} {before} → {after}", self.path),
            (None, Some(after)) => write!(f, "{} {after}", self.path),
            (Some(before), None) => write!(f, "{} {before} → nothing", self.path),
            (None, None) => f.write_str(&self.path),
        }
    }
}

/// What differs between two states.
pub(super) fn differences(before: &Fields, after: &Fields) -> Vec<Difference> {
    let mut found = Vec::new();
    objects("", before, after, &mut found);
    found
}

fn below(path: &str, name: impl fmt::Display) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}

fn objects(path: &str, before: &Fields, after: &Fields, found: &mut Vec<Difference>) {
    let removed = before.keys().filter(|name| !after.contains_key(*name));
    for name in after.keys().chain(removed) {
        values(&below(path, name), before.get(name), after.get(name), found);
    }
}

fn values(path: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Difference>) {
    if before == after {
        return;
    }
    match (before, after) {
        // Of another kind (another condition, another cost model) it is another thing as a whole.
        (Some(Value::Object(one)), Some(Value::Object(other))) if kind(one) == kind(other) => {
            objects(path, one, other, found);
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) if one.iter().chain(other).all(Value::is_object) => {
            lists(path, one, other, found);
        }
        _ => found.push(Difference { path: path.to_owned(), before: before.cloned(), after: after.cloned() }),
    }
}

fn kind(fields: &Fields) -> Option<&Value> {
    ["op", "model", "mode", "kind"].into_iter().find_map(|tag| fields.get(tag))
}

fn lists(path: &str, before: &[Value], after: &[Value], found: &mut Vec<Difference>) {
    let (Some(one), Some(other)) = (called(before), called(after)) else {
        for at in 0..before.len().max(after.len()) {
            values(&below(path, at), before.get(at), after.get(at), found);
        }
        return;
    };
    let of = |names: &[&str], items: &[Value], name: &str| {
        names.iter().position(|known| *known == name).and_then(|at| items.get(at)).cloned()
    };
    for name in one.iter().chain(other.iter().filter(|name| !one.contains(name))) {
        let (was, is) = (of(&one, before, name), of(&other, after, name));
        values(&below(path, name), was.as_ref(), is.as_ref(), found);
    }
    let kept = |names: &[&str], others: &[&str]| -> Vec<String> {
        names.iter().filter(|name| others.contains(name)).map(|name| (*name).to_owned()).collect()
    };
    if kept(&one, &other) != kept(&other, &one) || comes_between(&one, &other) {
        let order = |names: &[&str]| Some(Value::from(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()));
        found.push(Difference { path: below(path, "order"), before: order(&one), after: order(&other) });
    }
}

/// Whether something new does not simply stand at the end: in most lists the order decides.
fn comes_between(before: &[&str], after: &[&str]) -> bool {
    let first_new = after.iter().position(|name| !before.contains(name));
    first_new.is_some_and(|first| after.iter().skip(first).any(|name| before.contains(name)))
}

/// The keys or names of a list's items, if each has one of its own.
fn called(items: &[Value]) -> Option<Vec<&str>> {
    let name = |item: &Value| ["key", "name"].into_iter().find_map(|field| item.get(field)).is_some();
    if !items.iter().all(name) {
        return None;
    }
    let names: Vec<&str> = items
        .iter()
        .filter_map(|item| ["key", "name"].into_iter().find_map(|field| item.get(field)?.as_str()))
        .collect();
    let alone = names.iter().enumerate().all(|(at, name)| !names.iter().take(at).any(|other| other == name));
    (names.len() == items.len() && alone).then_some(names)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(before: Value, after: Value) -> Vec<String> {
        let fields = |value: Value| value.as_object().cloned().unwrap_or_default();
        differences(&fields(before), &fields(after)).iter().map(ToString::to_string).collect()
    }

    /// Every difference is told where it is, and nothing else is.
    #[test]
    fn differences_are_told_field_by_field() {
        assert!(told(json!({ "a": [1, { "b": 2 }] }), json!({ "a": [1, { "b": 2 }] })).is_empty());
        assert_eq!(told(json!({ "price_minor": 4_500 }), json!({ "price_minor": 4_900 })), ["price_minor 4500 → 4900"]);
        assert_eq!(told(json!({}), json!({ "a": "x" })), ["a \"x\""]);
        assert_eq!(told(json!({ "a": "x" }), json!({})), ["a \"x\" → nothing"]);
        assert_eq!(
            told(json!({ "consent": { "required": true } }), json!({ "consent": {} })),
            ["consent.required true → nothing"]
        );
        assert_eq!(
            told(json!({ "caps": [{ "count": 1 }, { "count": 2 }] }), json!({ "caps": [{ "count": 3 }] })),
            ["caps.0.count 1 → 3", "caps.1 {\"count\":2} → nothing"]
        );
    }

    /// Items with a name are known by it: one that comes first does not change the others, but the order is told.
    #[test]
    fn items_are_known_by_name() {
        let before =
            json!({ "stages": [{ "key": "main", "method": "AUCTION" }, { "key": "rest", "method": "WEIGHTED" }] });
        let after = json!({ "stages": [{ "key": "best", "method": "AUCTION" }, { "key": "rest", "method": "WATERFALL" },
            { "key": "main", "method": "AUCTION" }] });
        assert_eq!(
            told(before, after),
            [
                "stages.rest.method \"WEIGHTED\" → \"WATERFALL\"",
                "stages.best {\"key\":\"best\",\"method\":\"AUCTION\"}",
                "stages.order [\"main\",\"rest\"] → [\"best\",\"rest\",\"main\"]",
            ]
        );
        let at_the_end = told(json!({ "r": [{ "name": "a" }] }), json!({ "r": [{ "name": "a" }, { "name": "b" }] }));
        assert_eq!(at_the_end, ["r.b {\"name\":\"b\"}"]);
    }

    /// Another condition is told as a whole: its parts have nothing in common.
    #[test]
    fn another_condition_is_another_thing() {
        let before = json!({ "filter": { "op": "exists", "field": "a" } });
        assert_eq!(told(before, json!({ "filter": { "op": "states", "states": ["BE"] } })).len(), 1);
    }
}
