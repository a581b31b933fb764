//! What an answer must not contain, and how two answers are compared.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

/// What one caller must never see.
#[derive(Debug, Clone, Default)]
pub(crate) struct Judge {
    /// Ids of others, as 32 digits, and what they are.
    pub(crate) ids: HashMap<String, String>,
    /// Marks that only others' texts carry, in small letters.
    pub(crate) marks: BTreeSet<String>,
    /// Values that only others' rows have, as a whole text.
    pub(crate) values: BTreeSet<String>,
}

impl Judge {
    /// What of others' is in an answer.
    pub(crate) fn leaks(&self, body: &str) -> Vec<String> {
        let mut found = Vec::new();
        for id in ids_in(body) {
            if let Some(what) = self.ids.get(&id) {
                found.push(format!("the id of {what}"));
            }
        }
        let small = body.to_lowercase();
        found.extend(self.marks.iter().filter(|mark| small.contains(*mark)).map(|mark| format!("the mark {mark}")));
        if let Ok(read) = serde_json::from_str::<Value>(body) {
            self.leaves(&read, &mut found);
        }
        found
    }

    fn leaves(&self, value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => fields.values().for_each(|inner| self.leaves(inner, found)),
            Value::Array(items) => items.iter().for_each(|inner| self.leaves(inner, found)),
            Value::String(text) if self.values.contains(text) => found.push(format!("the value {text}")),
            _ => {}
        }
    }
}

/// Every id in a text: written with hyphens, as global ids have them, or without, as cursors have them.
pub(crate) fn ids_in(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut digits = String::new();
    for letter in text.chars().chain(Some(' ')) {
        if letter.is_ascii_hexdigit() {
            digits.push(letter.to_ascii_lowercase());
        } else if letter != '-' {
            for at in 0..(digits.len() + 1).saturating_sub(32) {
                found.push(digits[at..at + 32].to_owned());
            }
            digits.clear();
        }
    }
    found
}

/// Whether two answers are the same byte for byte, but for the id that was asked for.
pub(crate) fn alike((asked, one): (&str, &str), (other_asked, other): (&str, &str)) -> bool {
    one.replace(asked, "ASKED") == other.replace(other_asked, "ASKED")
}

/// The stable code of a refused document and the field it names.
pub(crate) fn refusal(body: &str) -> (String, String) {
    let read: Value = serde_json::from_str(body).unwrap_or_default();
    let extensions = &read["errors"][0]["extensions"];
    let text = |key: &str| extensions[key].as_str().unwrap_or_default().to_owned();
    if read["data"].is_null() { (text("code"), text("field")) } else { (String::new(), String::new()) }
}

/// Whether something broke while a document was answered.
pub(crate) fn broke(body: &str) -> bool {
    let read: Value = serde_json::from_str(body).unwrap_or_default();
    read["errors"].as_array().into_iter().flatten().any(|error| error["extensions"]["code"] == "INTERNAL")
}

/// The lines that two states of the database do not share, by table.
pub(crate) fn changed(
    before: &std::collections::BTreeMap<String, String>,
    after: &std::collections::BTreeMap<String, String>,
) -> Vec<String> {
    let mut changes = Vec::new();
    for (table, rows) in after {
        let known = before.get(table).map(String::as_str).unwrap_or_default();
        if known != rows {
            let old: BTreeSet<&str> = known.lines().collect();
            let line = rows.lines().find(|line| !old.contains(line)).unwrap_or("a row less");
            changes.push(format!("{table}: {line}"));
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const ID: &str = "0198f0aa-1111-7222-8333-444455556666";

    fn judge() -> Judge {
        Judge {
            ids: HashMap::from([(ID.replace('-', ""), "Sale".to_owned())]),
            marks: BTreeSet::from(["mkbuyerb".to_owned()]),
            values: BTreeSet::from(["77.77".to_owned()]),
        }
    }

    /// Whatever of others' is planted in an answer is found: an id, open or in a cursor, a mark in any spelling, a value.
    #[test]
    fn planted_leaks_are_found() {
        let simple = ID.replace('-', "");
        for planted in [
            format!("{{\"data\":{{\"sale\":{{\"id\":\"Sale:{ID}\"}}}}}}"),
            format!("{{\"data\":{{\"sales\":{{\"pageInfo\":{{\"endCursor\":\"{simple}t17\"}}}}}}}}"),
            format!("{{\"errors\":[{{\"message\":\"not {}\"}}]}}", ID.to_uppercase()),
            "{\"data\":{\"name\":\"It is MkBuyerB GmbH\"}}".to_owned(),
            "{\"data\":{\"a\":[{\"amount\":\"77.77\"}]}}".to_owned(),
        ] {
            assert_eq!(judge().leaks(&planted).len(), 1, "{planted}");
        }
        let own =
            "{\"data\":{\"id\":\"Sale:0198f0aa-1111-7222-8333-444455556667\",\"name\":\"mkbuyera\",\"a\":\"177.77\"}}";
        assert_eq!(judge().leaks(own), Vec::<String>::new());
    }

    /// Foreign and absent are told apart by a letter, and not by the id that was asked for.
    #[test]
    fn planted_differences_are_found() {
        let body = |id: &str| format!("{{\"errors\":[{{\"message\":\"no {id}\"}}]}}");
        assert!(alike(("Sale:1", &body("Sale:1")), ("Sale:2", &body("Sale:2"))));
        assert!(!alike(("Sale:1", &body("Sale:1")), ("Sale:2", "{\"data\":null}")));
        assert!(!alike(("Sale:1", "{\"totalCount\":1}"), ("Sale:2", "{\"totalCount\":0}")));
    }

    /// A row that is new, other or gone is an effect.
    #[test]
    fn planted_effects_are_found() {
        let state = |rows: &str| BTreeMap::from([("sale".to_owned(), rows.to_owned())]);
        assert!(changed(&state("1,a\n2,b"), &state("1,a\n2,b")).is_empty());
        for after in ["1,a\n2,b\n3,c", "1,a\n2,x", "1,a"] {
            assert_eq!(changed(&state("1,a\n2,b"), &state(after)).len(), 1, "{after}");
        }
    }

    /// A refusal counts only where no value came with it.
    #[test]
    fn a_refusal_with_a_value_is_none() {
        let refused = "{\"errors\":[{\"extensions\":{\"code\":\"FORBIDDEN\",\"field\":\"Sale.payout\"}}]}";
        assert_eq!(refusal(refused), ("FORBIDDEN".to_owned(), "Sale.payout".to_owned()));
        let beside = "{\"data\":{\"a\":1},\"errors\":[{\"extensions\":{\"code\":\"FORBIDDEN\"}}]}";
        assert_eq!(refusal(beside), (String::new(), String::new()));
        assert!(broke("{\"errors\":[{\"extensions\":{\"code\":\"INTERNAL\"}}]}") && !broke(refused));
    }
}
