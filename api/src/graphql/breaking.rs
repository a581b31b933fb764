//! What of a schema's changes breaks those who use it: what was there is not there any more, gives less or wants more.
//! What is added breaks nobody. What the older schema called `@deprecated` may go.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::parser::types::{
    BaseType, ConstDirective, FieldDefinition, InputValueDefinition, Type, TypeDefinition, TypeKind,
    TypeSystemDefinition,
};
use async_graphql::{Positioned, parser};

/// An argument, or a field of an input.
#[derive(Debug, Clone)]
struct Input {
    of: Type,
    default: Option<String>,
    deprecated: bool,
}

/// A field of an object or an interface.
#[derive(Debug, Clone)]
struct Field {
    of: Type,
    args: BTreeMap<String, Input>,
    deprecated: bool,
}

/// A type. What its kind does not have is empty.
#[derive(Debug, Clone, Default)]
struct Definition {
    kind: &'static str,
    one_of: bool,
    fields: BTreeMap<String, Field>,
    inputs: BTreeMap<String, Input>,
    /// The values of an enum, and whether each is deprecated.
    values: BTreeMap<String, bool>,
    /// The members of a union.
    members: BTreeSet<String>,
    /// The interfaces of an object.
    implements: BTreeSet<String>,
}

/// A directive: its arguments, and where it may stand. (Whether several times, the parser does not tell: it takes all as such.)
#[derive(Debug, Clone, Default)]
struct Directive {
    args: BTreeMap<String, Input>,
    places: BTreeSet<String>,
}

/// A schema, without its descriptions.
#[derive(Debug, Clone, Default)]
struct Surface {
    types: BTreeMap<String, Definition>,
    directives: BTreeMap<String, Directive>,
    /// The types of the operations: `query`, `mutation` …
    roots: BTreeMap<&'static str, String>,
}

fn has(directives: &[Positioned<ConstDirective>], name: &str) -> bool {
    directives.iter().any(|found| found.node.name.node.as_str() == name)
}

fn inputs(found: &[Positioned<InputValueDefinition>]) -> BTreeMap<String, Input> {
    let input = |found: &InputValueDefinition| Input {
        of: found.ty.node.clone(),
        default: found.default_value.as_ref().map(|value| value.node.to_string()),
        deprecated: has(&found.directives, "deprecated"),
    };
    found.iter().map(|found| (found.node.name.node.to_string(), input(&found.node))).collect()
}

fn fields(found: &[Positioned<FieldDefinition>]) -> BTreeMap<String, Field> {
    let field = |found: &FieldDefinition| Field {
        of: found.ty.node.clone(),
        args: inputs(&found.arguments),
        deprecated: has(&found.directives, "deprecated"),
    };
    found.iter().map(|found| (found.node.name.node.to_string(), field(&found.node))).collect()
}

fn names<T: ToString>(found: &[Positioned<T>]) -> BTreeSet<String> {
    found.iter().map(|name| name.node.to_string()).collect()
}

fn definition(found: &TypeDefinition) -> Definition {
    let one_of = has(&found.directives, "oneOf");
    let kind = |kind| Definition { kind, one_of, ..Definition::default() };
    match &found.kind {
        TypeKind::Scalar => kind("scalar"),
        TypeKind::Object(object) => {
            Definition { fields: fields(&object.fields), implements: names(&object.implements), ..kind("type") }
        }
        TypeKind::Interface(interface) => Definition {
            fields: fields(&interface.fields),
            implements: names(&interface.implements),
            ..kind("interface")
        },
        TypeKind::Union(union) => Definition { members: names(&union.members), ..kind("union") },
        TypeKind::Enum(words) => {
            let value = |value: &Positioned<parser::types::EnumValueDefinition>| {
                (value.node.value.node.to_string(), has(&value.node.directives, "deprecated"))
            };
            Definition { values: words.values.iter().map(value).collect(), ..kind("enum") }
        }
        TypeKind::InputObject(object) => Definition { inputs: inputs(&object.fields), ..kind("input") },
    }
}

impl Surface {
    /// Reads a schema as it is written.
    fn read(text: &str) -> Result<Self, parser::Error> {
        let mut surface = Self::default();
        for definition_of in parser::parse_schema(text)?.definitions {
            match definition_of {
                TypeSystemDefinition::Type(found) => {
                    surface.types.insert(found.node.name.node.to_string(), definition(&found.node));
                }
                TypeSystemDefinition::Directive(found) => {
                    let places = found.node.locations.iter().map(|place| format!("{:?}", place.node)).collect();
                    let directive = Directive { args: inputs(&found.node.arguments), places };
                    surface.directives.insert(found.node.name.node.to_string(), directive);
                }
                TypeSystemDefinition::Schema(found) => {
                    let roots = [
                        ("query", &found.node.query),
                        ("mutation", &found.node.mutation),
                        ("subscription", &found.node.subscription),
                    ];
                    let known =
                        roots.into_iter().filter_map(|(root, name)| Some((root, name.as_ref()?.node.to_string())));
                    surface.roots.extend(known);
                }
            }
        }
        Ok(surface)
    }

    /// The types that somebody can meet without anything deprecated on the way.
    fn in_use(&self) -> BTreeSet<&str> {
        let (mut known, mut next): (BTreeSet<&str>, Vec<&str>) =
            (BTreeSet::new(), self.roots.values().map(String::as_str).collect());
        while let Some(name) = next.pop() {
            let Some(found) = self.types.get(name).filter(|_| known.insert(name)) else { continue };
            let live = found.fields.values().filter(|field| !field.deprecated);
            for field in live {
                next.push(named(&field.of));
                next.extend(field.args.values().filter(|arg| !arg.deprecated).map(|arg| named(&arg.of)));
            }
            next.extend(found.inputs.values().filter(|input| !input.deprecated).map(|input| named(&input.of)));
            next.extend(found.members.iter().chain(&found.implements).map(String::as_str));
            // Whoever meets an interface may meet whatever implements it.
            if found.kind == "interface" {
                let implementing = self.types.iter().filter(|(_, other)| other.implements.contains(name));
                next.extend(implementing.map(|(name, _)| name.as_str()));
            }
        }
        known
    }
}

fn named(of: &Type) -> &str {
    match &of.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => named(inner),
    }
}

/// Whether who reads the one can read the other: what was never null is not null now.
fn reads_as(new: &Type, old: &Type) -> bool {
    (old.nullable || !new.nullable) && alike(new, old, reads_as)
}

/// Whether who sends the one can send the other: what could be left out still can.
fn takes(new: &Type, old: &Type) -> bool {
    (new.nullable || !old.nullable) && alike(new, old, takes)
}

fn alike(new: &Type, old: &Type, inside: fn(&Type, &Type) -> bool) -> bool {
    match (&new.base, &old.base) {
        (BaseType::Named(new), BaseType::Named(old)) => new == old,
        (BaseType::List(new), BaseType::List(old)) => inside(new, old),
        _ => false,
    }
}

/// What breaks of arguments, or of the fields of an input.
fn of_inputs(path: &str, old: &BTreeMap<String, Input>, new: &BTreeMap<String, Input>, found: &mut Vec<String>) {
    for (name, old) in old {
        match new.get(name) {
            None if old.deprecated => {}
            None => found.push(format!("{path}.{name} is gone")),
            Some(new) if !takes(&new.of, &old.of) => {
                found.push(format!("{path}.{name} was {} and is {}", old.of, new.of));
            }
            Some(new) if old.default.is_some() && new.default != old.default => {
                let default = new.default.as_deref().unwrap_or("none");
                let was = old.default.as_deref().unwrap_or("none");
                found.push(format!("{path}.{name} was {was} where it is left out and is {default}"));
            }
            Some(_) => {}
        }
    }
    let wanted = |input: &Input| !input.of.nullable && input.default.is_none();
    let more = new.iter().filter(|(name, input)| wanted(input) && !old.contains_key(*name));
    found.extend(more.map(|(name, _)| format!("{path}.{name} is new and must be given")));
}

/// What breaks of a type that both schemas have.
fn of_type(name: &str, old: &Definition, new: &Definition) -> Vec<String> {
    if old.kind != new.kind {
        return vec![format!("{name} was {} and is {}", old.kind, new.kind)];
    }
    let mut found = Vec::new();
    for (field, old) in &old.fields {
        let path = format!("{name}.{field}");
        match new.fields.get(field) {
            None if old.deprecated => {}
            None => found.push(format!("{path} is gone")),
            Some(new) => {
                if !reads_as(&new.of, &old.of) {
                    found.push(format!("{path} was {} and is {}", old.of, new.of));
                }
                of_inputs(&path, &old.args, &new.args, &mut found);
            }
        }
    }
    of_inputs(name, &old.inputs, &new.inputs, &mut found);
    if new.one_of && !old.one_of {
        found.push(format!("{name} takes one of its fields only"));
    }
    let gone = old.values.iter().filter(|(value, deprecated)| !**deprecated && !new.values.contains_key(*value));
    found.extend(gone.map(|(value, _)| format!("{name}.{value} is gone")));
    found.extend(old.members.difference(&new.members).map(|member| format!("{name} is no {member} any more")));
    found.extend(
        old.implements.difference(&new.implements).map(|other| format!("{name} implements no {other} any more")),
    );
    found
}

fn of_directive(name: &str, old: &Directive, new: &Directive) -> Vec<String> {
    let mut found = Vec::new();
    of_inputs(&format!("@{name}"), &old.args, &new.args, &mut found);
    found.extend(old.places.difference(&new.places).map(|place| format!("@{name} stands at no {place} any more")));
    found
}

/// Everything that breaks whoever uses the older schema.
fn breaks(old: &Surface, new: &Surface) -> Vec<String> {
    let in_use = old.in_use();
    let mut found = Vec::new();
    for (root, name) in &old.roots {
        if new.roots.get(root) != Some(name) {
            found.push(format!("{root} is not {name} any more"));
        }
    }
    for (name, old) in &old.types {
        match new.types.get(name) {
            Some(new) => found.extend(of_type(name, old, new)),
            None if in_use.contains(name.as_str()) => found.push(format!("{name} is gone")),
            None => {}
        }
    }
    for (name, old) in &old.directives {
        match new.directives.get(name) {
            Some(new) => found.extend(of_directive(name, old, new)),
            None => found.push(format!("@{name} is gone")),
        }
    }
    found
}

#[path = "breaking_tests.rs"]
mod tests;
