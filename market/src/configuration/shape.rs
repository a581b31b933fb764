//! The shape of entries: which fields a noun has, and what is wrong with their types. The terms themselves are asked, so
//! that a field they gain is a field of documents too.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use leadyard_types::terms::VerticalTerms;
use leadyard_types::{
    BuyerTerms, CampaignTerms, ContractTerms, DestinationKind, FieldProblem, Filter, SourceTerms, Status,
};
use serde::de::value::Error as Refused;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde::{Deserialize, Serialize, forward_to_deserialize_any};
use serde_json::{Map, Value, json};

use super::document::{Fields, Noun};

/// A supplier has no terms, but may be set aside.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SupplierFields {
    status: Status,
}

/// A group is a name.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupFields {}

/// A destination; its settings are its connector's to check.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DestinationFields {
    kind: DestinationKind,
    status: Status,
    config: Map<String, Value>,
}

/// What is known of a noun's fields.
pub(super) struct Shape {
    /// Beside the terms, in the order they are written.
    pub(super) head: &'static [&'static str],
    /// Of those, what refers to other things, or stays for life for another reason.
    pub(super) stays: &'static [&'static str],
    /// The fields of the terms, as they are declared.
    pub(super) terms: &'static [&'static str],
    /// The least that can be agreed, valid: by it single fields are tried.
    specimen: Fields,
    /// Fields that may be absent, and what a document says then.
    pub(super) absent: BTreeMap<&'static str, Absent>,
}

/// How a document says that a field has nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// By an empty list.
    List,
    /// By an empty table.
    Table,
    /// By `false`.
    False,
    /// By naming it in `none`.
    None,
    /// Not at all, unless somebody names it in `none`.
    Unsaid,
}

static SHAPES: LazyLock<BTreeMap<Noun, Shape>> =
    LazyLock::new(|| Noun::ALL.iter().map(|noun| (*noun, shape(*noun))).collect());

/// The shape of a noun.
pub(super) fn of(noun: Noun) -> &'static Shape {
    // Every noun is in the table: it was made from all of them.
    &SHAPES[&noun]
}

fn shape(noun: Noun) -> Shape {
    let (head, stays): (&[&str], &[&str]) = match noun {
        Noun::Vertical => (&["key", "name"], &[]),
        Noun::Supplier => (&["name", "email"], &[]),
        Noun::Campaign => (&["name", "vertical", "country", "currency"], &["vertical", "country", "currency"]),
        Noun::Source => (&["name", "campaign", "supplier"], &["campaign", "supplier"]),
        Noun::BuyerGroup => (&["name"], &[]),
        Noun::Buyer => (&["name", "email"], &[]),
        Noun::Destination => (&["name", "buyer"], &["buyer", "kind"]),
        Noun::Contract => (&["name", "campaign", "buyer"], &["campaign", "buyer"]),
    };
    let terms = declared(noun);
    let specimen = match specimen(noun) {
        Value::Object(fields) => fields,
        _ => Fields::new(),
    };
    let mut absent = BTreeMap::new();
    for field in terms {
        let mut without = specimen.clone();
        if without.remove(*field).is_some() && try_terms(noun, without.clone()).is_err() {
            continue;
        }
        let is_nothing = |value: Value| {
            let mut with = without.clone();
            with.insert((*field).to_owned(), value);
            rewritten(noun, with).is_some_and(|agreed| !agreed.contains_key(*field))
        };
        let how = match *field {
            // What buyers set by themselves is not taken from them by a file that is older than their word.
            "buyer_settings" => Absent::Unsaid,
            _ if is_nothing(json!({})) => Absent::Table,
            _ if is_nothing(json!([])) => Absent::List,
            _ if is_nothing(json!(false)) => Absent::False,
            _ => Absent::None,
        };
        absent.insert(*field, how);
    }
    if head.contains(&"email") {
        absent.insert("email", Absent::None);
    }
    Shape { head, stays, terms, specimen, absent }
}

/// The least that can be agreed.
fn specimen(noun: Noun) -> Value {
    match noun {
        Noun::Vertical => json!({ "fields": [], "unknown_fields": "KEEP" }),
        Noun::Supplier => json!({ "status": "ACTIVE" }),
        Noun::Campaign => json!({
            "status": "ACTIVE", "time_zone": "UTC", "sale_mode": { "mode": "EXCLUSIVE" }, "stages": [], "floor_minor": 0,
            "consent": { "required": false },
            "duplicates": { "fields": [], "matching": "ANY", "window_days": 0, "scope": "CAMPAIGN" },
            "unsold": { "retry_window_minutes": 0, "retry_every_minutes": 0 },
            "complaints": { "window_days": 0, "reasons": [], "clawback": false },
        }),
        Noun::Source => json!({ "status": "ACTIVE", "cost": { "model": "AD_SPEND" } }),
        Noun::BuyerGroup => json!({}),
        Noun::Buyer => json!({ "status": "ACTIVE", "time_zone": "UTC" }),
        Noun::Destination => json!({ "kind": "PORTAL", "status": "ACTIVE", "config": {} }),
        Noun::Contract => json!({
            "status": "ACTIVE", "stage": "", "priority": 0, "weight": 0, "exclusivity": "ANY", "price_minor": 0,
            "verdict": "NONE", "destinations": [],
        }),
    }
}

/// The fields that a noun's terms declare.
fn declared(noun: Noun) -> &'static [&'static str] {
    match noun {
        Noun::Vertical => fields_of::<VerticalTerms>(),
        Noun::Supplier => fields_of::<SupplierFields>(),
        Noun::Campaign => fields_of::<CampaignTerms>(),
        Noun::Source => fields_of::<SourceTerms>(),
        Noun::BuyerGroup => fields_of::<GroupFields>(),
        Noun::Buyer => fields_of::<BuyerTerms>(),
        Noun::Destination => fields_of::<DestinationFields>(),
        Noun::Contract => fields_of::<ContractTerms>(),
    }
}

fn try_terms(noun: Noun, terms: Fields) -> Result<(), String> {
    fn fits<T: DeserializeOwned>(terms: Fields) -> Result<(), String> {
        serde_json::from_value::<T>(Value::Object(terms)).map(|_| ()).map_err(|error| error.to_string())
    }
    match noun {
        Noun::Vertical => fits::<VerticalTerms>(terms),
        Noun::Supplier => fits::<SupplierFields>(terms),
        Noun::Campaign => fits::<CampaignTerms>(terms),
        Noun::Source => fits::<SourceTerms>(terms),
        Noun::BuyerGroup => fits::<GroupFields>(terms),
        Noun::Buyer => fits::<BuyerTerms>(terms),
        Noun::Destination => fits::<DestinationFields>(terms),
        Noun::Contract => fits::<ContractTerms>(terms),
    }
}

/// The part of an entry that is agreed as terms.
pub(super) fn terms_of(noun: Noun, fields: &Fields) -> Fields {
    let terms = of(noun).terms;
    let agreed = fields.iter().filter(|(name, _)| terms.contains(&name.as_str()));
    agreed.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Fields as the terms themselves write them: what is as if it had never been said is left out. `None` if they are no
/// terms.
pub(super) fn canonical(noun: Noun, fields: &Fields) -> Option<Fields> {
    let mut agreed = rewritten(noun, terms_of(noun, fields))?;
    let beside = of(noun).head.iter().filter_map(|name| Some(((*name).to_owned(), fields.get(*name)?.clone())));
    agreed.extend(beside);
    Some(agreed)
}

/// Terms, read and written again.
fn rewritten(noun: Noun, terms: Fields) -> Option<Fields> {
    fn again<T: Serialize + DeserializeOwned>(terms: Fields) -> Option<Value> {
        serde_json::to_value(serde_json::from_value::<T>(Value::Object(terms)).ok()?).ok()
    }
    let value = match noun {
        Noun::Vertical => again::<VerticalTerms>(terms),
        Noun::Campaign => again::<CampaignTerms>(terms),
        Noun::Source => again::<SourceTerms>(terms),
        Noun::Buyer => again::<BuyerTerms>(terms),
        Noun::Contract => again::<ContractTerms>(terms),
        Noun::Supplier => again::<SupplierFields>(terms),
        Noun::BuyerGroup => again::<GroupFields>(terms),
        Noun::Destination => again::<DestinationFields>(terms),
    };
    match value? {
        Value::Object(agreed) => Some(agreed),
        _ => None,
    }
}

/// The fields of an entry in the order people read them.
#[must_use]
pub fn field_order(noun: Noun) -> Vec<&'static str> {
    let shape = of(noun);
    let about = ["id"].into_iter().chain(shape.head.iter().chain(shape.terms).copied());
    about.chain(["secret_env", "secret_file", "none"]).collect()
}

/// A thing's terms as the type they are; what is stored passed this before.
pub(crate) fn typed<T: DeserializeOwned>(noun: Noun, fields: &Fields) -> Result<T, String> {
    serde_json::from_value(Value::Object(terms_of(noun, fields))).map_err(|error| error.to_string())
}

/// A text beside the terms.
pub(crate) fn head_text<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// What is wrong with the types of an entry's fields, each with its path; nothing, if they are terms.
pub(super) fn type_problems(noun: Noun, fields: &Fields) -> Vec<FieldProblem> {
    let terms = terms_of(noun, fields);
    let Err(whole) = try_terms(noun, terms.clone()) else { return Vec::new() };
    let shape = of(noun);
    let mut problems = Vec::new();
    for (name, value) in &terms {
        let tried = |value: &Value| {
            let mut specimen = shape.specimen.clone();
            specimen.insert(name.clone(), value.clone());
            try_terms(noun, specimen)
        };
        if let Err(message) = tried(value) {
            problems.extend(narrowed(name, value, &message, &tried));
        }
    }
    for name in shape.terms.iter().filter(|name| !terms.contains_key(**name)) {
        if !shape.absent.contains_key(name) {
            let expected = expected(noun, name);
            problems.push(FieldProblem::new(*name, "REQUIRED", format!("a new {noun} needs this field{expected}")));
        }
    }
    if problems.is_empty() {
        problems.push(FieldProblem::new("", "INVALID", whole));
    }
    problems
}

/// An example of a field, as a hint.
fn expected(noun: Noun, field: &str) -> String {
    let example = of(noun).specimen.get(field).filter(|value| value.is_string() && value.as_str() != Some(""));
    example.map(|value| format!(", for example {value}")).unwrap_or_default()
}

/// The parts of a value that are to blame: a list is tried item by item, a filter part by part.
fn narrowed(
    path: &str,
    value: &Value,
    message: &str,
    tried: &dyn Fn(&Value) -> Result<(), String>,
) -> Vec<FieldProblem> {
    let mut found = Vec::new();
    match value {
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                if let Err(message) = tried(&json!([item])) {
                    found.extend(blamed(&format!("{path}.{at}"), item, &message));
                }
            }
        }
        other => found.extend(blamed(path, other, message)),
    }
    if found.is_empty() {
        found.push(FieldProblem::new(path, "WRONG_TYPE", message));
    }
    found
}

fn blamed(path: &str, value: &Value, message: &str) -> Vec<FieldProblem> {
    let within = match value.get("when") {
        Some(when) => filter_problems(&format!("{path}.when"), when),
        None if value.get("op").is_some() => filter_problems(path, value),
        None => Vec::new(),
    };
    if within.is_empty() { vec![FieldProblem::new(path, "WRONG_TYPE", message)] } else { within }
}

fn filter_problems(path: &str, value: &Value) -> Vec<FieldProblem> {
    let Err(error) = serde_json::from_value::<Filter>(value.clone()) else { return Vec::new() };
    let parts = match value.get("of") {
        Some(Value::Array(parts)) => {
            let parts = parts.iter().enumerate();
            parts.flat_map(|(at, part)| filter_problems(&format!("{path}.of.{at}"), part)).collect()
        }
        Some(part @ Value::Object(_)) => filter_problems(&format!("{path}.of"), part),
        _ => Vec::new(),
    };
    if parts.is_empty() { vec![FieldProblem::new(path, "WRONG_TYPE", error.to_string())] } else { parts }
}

/// The names of a struct's fields, in the order they are declared, without the names they are read by only.
fn fields_of<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // It always refuses: it has been told what it wanted to know.
    let _ = T::deserialize(Ask(&mut fields));
    fields
}

/// A deserialiser that has nothing to give, and only listens to what it is asked for.
struct Ask<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Ask<'_> {
    type Error = Refused;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Refused> {
        Err(Refused::custom("nothing to give"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Refused> {
        *self.0 = fields;
        Err(Refused::custom("nothing to give"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every specimen can be agreed, and the fields are those that the terms declare: without either, a document could
    /// not say everything.
    #[test]
    fn shapes_are_those_of_the_terms() {
        for noun in Noun::ALL {
            let shape = of(*noun);
            assert_eq!(try_terms(*noun, shape.specimen.clone()), Ok(()), "{noun}");
            assert!(!shape.terms.is_empty() || *noun == Noun::BuyerGroup, "{noun}");
            for field in shape.head {
                assert!(!shape.terms.contains(field), "{noun}.{field} would mean two things");
            }
        }
        let contract = of(Noun::Contract);
        assert_eq!(contract.terms.first(), Some(&"status"));
        assert_eq!(contract.absent.get("caps"), Some(&Absent::List));
        assert_eq!(contract.absent.get("filter"), Some(&Absent::None));
        assert_eq!(contract.absent.get("price_minor"), None);
        assert_eq!(contract.absent.get("buyer_bounds"), Some(&Absent::None));
        assert_eq!(contract.absent.get("test"), Some(&Absent::False));
        assert_eq!(of(Noun::Source).absent.get("ping_limits"), Some(&Absent::Table));
    }
}
