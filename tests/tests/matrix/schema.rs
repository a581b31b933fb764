//! The running schema, as introspection tells it, and the table of who may ask for which of its fields.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use leadyard_connectors::LeadSender;
use serde_json::{Value, json};

/// The table, read here a second time and by other code than the server's.
const POLICY: &str = include_str!("../../../api/src/graphql/policy.txt");

/// Everybody who may ask.
pub(crate) const CALLERS: [&str; 9] =
    ["anonymous", "admin", "manager", "finance", "analyst", "buyer_admin", "buyer_user", "supplier", "source"];

const INTROSPECTION: &str = "{ __schema { types { kind name isOneOf possibleTypes { name } enumValues { name }
    fields { name args { ...Input } type { ...Of } } inputFields { ...Input } } } }
    fragment Input on __InputValue { name description defaultValue type { ...Of } }
    fragment Of on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } }";

/// A type as it stands at a field or an argument.
#[derive(Debug, Clone)]
pub(crate) struct Of {
    /// As the schema writes it: `[ID!]!`.
    pub(crate) text: String,
    /// Its name alone.
    pub(crate) name: String,
    /// Whether it is a list.
    pub(crate) list: bool,
    /// Whether it must be given.
    pub(crate) required: bool,
}

/// An argument, or a field of an input.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) of: Of,
    pub(crate) has_default: bool,
}

/// A field.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) args: Vec<Input>,
    pub(crate) of: Of,
}

/// A type.
#[derive(Debug, Clone, Default)]
pub(crate) struct Type {
    pub(crate) kind: String,
    pub(crate) one_of: bool,
    pub(crate) fields: Vec<Field>,
    pub(crate) inputs: Vec<Input>,
    pub(crate) values: Vec<String>,
    pub(crate) possible: Vec<String>,
}

/// The schema and its table.
pub(crate) struct Schema {
    pub(crate) types: BTreeMap<String, Type>,
    rules: HashMap<(String, String), BTreeSet<String>>,
}

impl Schema {
    /// Asks the server.
    pub(crate) async fn of(client: &LeadSender) -> Self {
        let (_, answer) = client.graphql(INTROSPECTION, json!({}), None).await.unwrap();
        let types = list(&answer["data"]["__schema"]["types"])
            .iter()
            .map(|found| (text(&found["name"]), read_type(found)))
            .filter(|(name, _)| !name.starts_with("__"))
            .collect();
        Self { types, rules: rules(POLICY) }
    }

    pub(crate) fn get(&self, name: &str) -> &Type {
        self.types.get(name).unwrap_or_else(|| panic!("the schema has no type {name}"))
    }

    /// Whether the table lets a caller ask for a field.
    pub(crate) fn allows(&self, caller: &str, of: &str, field: &str) -> bool {
        let rule = |field: &str| self.rules.get(&(of.to_owned(), field.to_owned()));
        rule(field).or_else(|| rule("*")).unwrap_or_else(|| panic!("{of}.{field} has no rule")).contains(caller)
    }

    /// The types that have global ids.
    pub(crate) fn nouns(&self) -> &[String] {
        &self.get("Node").possible
    }

    /// Every object with its fields, the roots among them.
    pub(crate) fn objects(&self) -> impl Iterator<Item = (&String, &Type)> {
        self.types.iter().filter(|(_, found)| found.kind == "OBJECT")
    }

    /// Whether a type is a value: nothing hangs on it but scalars.
    pub(crate) fn is_value(&self, name: &str) -> bool {
        self.get(name).fields.iter().all(|field| self.is_leaf(&field.of.name))
    }

    pub(crate) fn is_leaf(&self, name: &str) -> bool {
        matches!(self.get(name).kind.as_str(), "SCALAR" | "ENUM")
    }

    /// The noun that a connection lists.
    pub(crate) fn listed(&self, connection: &str) -> Option<&str> {
        let name = connection.strip_suffix("Connection")?;
        self.nouns().iter().map(String::as_str).find(|noun| *noun == name)
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn names(value: &Value) -> Vec<String> {
    list(value).iter().map(|one| text(&one["name"])).collect()
}

fn read_type(found: &Value) -> Type {
    let field = |one: &Value| Field {
        name: text(&one["name"]),
        args: list(&one["args"]).iter().map(input).collect(),
        of: of(&one["type"]),
    };
    Type {
        kind: text(&found["kind"]),
        one_of: found["isOneOf"] == json!(true),
        fields: list(&found["fields"]).iter().map(field).collect(),
        inputs: list(&found["inputFields"]).iter().map(input).collect(),
        values: names(&found["enumValues"]),
        possible: names(&found["possibleTypes"]),
    }
}

fn input(one: &Value) -> Input {
    Input {
        name: text(&one["name"]),
        description: text(&one["description"]),
        of: of(&one["type"]),
        has_default: !one["defaultValue"].is_null(),
    }
}

fn of(found: &Value) -> Of {
    match found["kind"].as_str() {
        Some("NON_NULL") => {
            let inner = of(&found["ofType"]);
            Of { text: format!("{}!", inner.text), required: true, ..inner }
        }
        Some("LIST") => {
            let inner = of(&found["ofType"]);
            Of { text: format!("[{}]", inner.text), list: true, required: false, ..inner }
        }
        _ => {
            let name = text(&found["name"]);
            Of { text: name.clone(), name, list: false, required: false }
        }
    }
}

fn rules(table: &str) -> HashMap<(String, String), BTreeSet<String>> {
    let mut rules = HashMap::new();
    for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (fields, callers) = line.split_once(':').unwrap();
        let callers: BTreeSet<String> = callers.split_whitespace().flat_map(members).collect();
        let mut of = "";
        for field in fields.split(',').map(str::trim) {
            let (name, field) = field.split_once('.').unwrap_or((of, field));
            of = name;
            rules.insert((name.to_owned(), field.to_owned()), callers.clone());
        }
    }
    rules
}

fn members(name: &str) -> Vec<String> {
    let members = match name {
        "everyone" => &CALLERS[..],
        "members" => &CALLERS[1..],
        "staff" => &CALLERS[1..5],
        "buyer" => &CALLERS[5..7],
        known => return vec![known.to_owned()],
    };
    members.iter().map(|member| (*member).to_owned()).collect()
}
