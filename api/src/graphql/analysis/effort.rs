//! How much work a document makes for the engine beside its fields. The engine goes through all operations with their
//! fragments put in place, copies a variable's value wherever it is named, and compares the fields that stand side by side
//! at every brace around them: each of that grows much faster than the document, so it is counted before.

use std::collections::HashMap;

use async_graphql::parser::types::{Directive, Field, OperationDefinition, VariableDefinition};
use async_graphql::{Name, Positioned, Value};
use serde_json::{Map, Value as Json};

use super::{FIELDS_MAX, Refused};

/// The most a document amounts to with fragments and variables put in place: selections and values. What fits a body, named
/// once, always fits.
const PARTS_MAX: u64 = 40_000;
/// The most comparisons of fields and their arguments: each field is compared at every fragment's brace around it.
const COMPARED_MAX: u64 = 30_000;
/// The most variables that all operations define together: each use is looked for among them.
const VARIABLES_MAX: usize = 200;
/// So many characters of a text make as much work as one value.
const TEXT_PART: usize = 32;

const TOO_LARGE: Refused = Refused::new(
    "DOCUMENT_TOO_LARGE",
    "at most 40000 selections and values are expected, fragments and variables put in place",
);

/// What a part of a document makes the engine do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Effort {
    /// Selections and values, fragments and variables put in place.
    parts: u64,
    /// Fields that stand side by side, fragments put in place.
    beside: u64,
    /// The most arguments that one of those has.
    arguments: u64,
    /// Mutations that are open to strangers.
    knocks: u64,
}

impl Effort {
    fn of_parts(parts: u64) -> Self {
        Self { parts, ..Self::default() }
    }

    /// Both, one beside the other.
    pub(super) fn add(&mut self, other: Self) {
        self.parts = self.parts.saturating_add(other.parts);
        self.beside = self.beside.saturating_add(other.beside);
        self.arguments = self.arguments.max(other.arguments);
        self.knocks = self.knocks.saturating_add(other.knocks);
    }

    /// How many fields stand side by side, fragments put in place.
    pub(super) const fn beside(&self) -> u64 {
        self.beside
    }

    /// A fragment's spread or brace with these directives.
    pub(super) fn of_selection(self) -> Self {
        Self::of_parts(self.parts.saturating_add(1))
    }

    /// A field with these directives and values, of so many arguments.
    pub(super) fn of_field(self, arguments: u64) -> Self {
        Self { parts: self.parts.saturating_add(1), beside: 1, arguments, knocks: self.knocks }
    }

    /// A field that strangers may ask to be done.
    pub(super) fn knocking(self) -> Self {
        Self { knocks: 1, ..self }
    }

    /// A field around these children: they stand beside each other, not beside the field.
    pub(super) fn around(self, children: Self) -> Self {
        let knocks = self.knocks.saturating_add(children.knocks);
        Self { parts: self.parts.saturating_add(children.parts), knocks, ..self }
    }
}

/// What a document was found to amount to so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spent {
    fields: u64,
    parts: u64,
    compared: u64,
    knocks: u64,
    variables: usize,
}

impl Spent {
    /// The same with more.
    pub(super) fn with(mut self, fields: u64, effort: Effort) -> Self {
        self.fields = self.fields.saturating_add(fields);
        self.parts = self.parts.saturating_add(effort.parts);
        self.knocks = self.knocks.saturating_add(effort.knocks);
        self
    }

    /// Whether that is too much.
    pub(super) fn check(&self) -> Result<(), Refused> {
        if self.fields > FIELDS_MAX {
            return Err(Refused::new("DOCUMENT_TOO_LARGE", "at most 3000 fields are expected, fragments put in place"));
        }
        // Each compares or makes a password's hash, which takes a core and 19 MiB.
        if self.knocks > 1 {
            let message = "one mutation that takes a password or a link is expected in a document";
            return Err(Refused::new("DOCUMENT_TOO_LARGE", message));
        }
        if self.parts > PARTS_MAX { Err(TOO_LARGE) } else { Ok(()) }
    }

    /// Counts a brace's comparisons of what stands in it.
    pub(super) fn compare(&mut self, inside: Effort) -> Result<(), Refused> {
        self.compared = self.compared.saturating_add(inside.beside.saturating_mul(1 + inside.arguments));
        if self.compared > COMPARED_MAX {
            let message = "fewer fields are expected side by side within nested fragments";
            return Err(Refused::new("DOCUMENT_TOO_LARGE", message));
        }
        Ok(())
    }

    /// Counts an operation's variables.
    pub(super) fn definitions(
        &mut self,
        defined: &[Positioned<VariableDefinition>],
        variables: &mut Variables<'_>,
    ) -> Result<Effort, Refused> {
        self.variables += defined.len();
        if self.variables > VARIABLES_MAX {
            return Err(Refused::new("DOCUMENT_TOO_LARGE", "at most 200 variables are expected"));
        }
        let parts = defined.iter().map(|defined| variables.size(&defined.node.name.node).saturating_add(1)).sum();
        Ok(Effort::of_parts(parts))
    }
}

/// The sizes of an operation's variables: as they were sent, else as they are defined.
pub(super) struct Variables<'a> {
    sent: &'a Map<String, Json>,
    defaults: HashMap<&'a Name, &'a Value>,
    sizes: HashMap<Name, u64>,
}

impl<'a> Variables<'a> {
    pub(super) fn of(operation: &'a OperationDefinition, sent: &'a Map<String, Json>) -> Self {
        let defaults = operation.variable_definitions.iter().map(|defined| &defined.node);
        let defaults = defaults.filter_map(|defined| Some((&defined.name.node, &defined.default_value.as_ref()?.node)));
        Self { sent, defaults: defaults.collect(), sizes: HashMap::new() }
    }

    fn size(&mut self, name: &Name) -> u64 {
        if let Some(known) = self.sizes.get(name) {
            return *known;
        }
        let sent = self.sent.get(name.as_str()).map(of_json);
        let size = sent.or_else(|| self.defaults.get(name).map(|value| of_value(value))).unwrap_or(1);
        self.sizes.insert(name.clone(), size);
        size
    }

    /// What a field's arguments amount to.
    pub(super) fn of_field(&mut self, field: &Field) -> Effort {
        let mut parts = 0_u64;
        for (_, value) in &field.arguments {
            let put = value.node.clone().into_const_with(|name| self.put(&name, &mut parts));
            parts = parts.saturating_add(put.as_ref().map_or(1, of_value));
        }
        Effort::of_parts(parts)
    }

    /// What a directive's arguments amount to.
    pub(super) fn of_directive(&mut self, directive: &Directive) -> Effort {
        let mut parts = 1_u64;
        for (_, value) in &directive.arguments {
            let put = value.node.clone().into_const_with(|name| self.put(&name, &mut parts));
            parts = parts.saturating_add(put.as_ref().map_or(1, of_value));
        }
        Effort::of_parts(parts)
    }

    /// Counts a variable in its place.
    fn put(&mut self, name: &Name, parts: &mut u64) -> Result<Value, std::convert::Infallible> {
        *parts = parts.saturating_add(self.size(name));
        Ok(Value::Null)
    }
}

fn of_text(text: &str) -> u64 {
    (text.len() / TEXT_PART) as u64
}

fn of_json(value: &Json) -> u64 {
    1 + match value {
        Json::String(text) => of_text(text),
        Json::Array(values) => values.iter().map(of_json).sum(),
        Json::Object(values) => values.iter().map(|(key, value)| of_text(key) + of_json(value)).sum(),
        _ => 0,
    }
}

fn of_value(value: &Value) -> u64 {
    1 + match value {
        Value::String(text) => of_text(text),
        Value::Enum(name) => of_text(name),
        Value::List(values) => values.iter().map(of_value).sum(),
        Value::Object(values) => values.iter().map(|(key, value)| of_text(key) + of_value(value)).sum(),
        _ => 0,
    }
}
