use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{TypeKind, TypeSystemDefinition};

/// `schema.graphql` is what front-end teams generate their types from: it changes only on purpose.
#[test]
fn the_committed_schema_is_the_schema() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../schema.graphql");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == super::sdl(),
        "schema.graphql is not up to date: cargo run -- schema > schema.graphql, and look at the difference"
    );
}

/// A description says what a reader does not know yet: it is there, it is a sentence, and it is not the name again.
#[test]
fn everything_is_described() {
    let mut bad = Vec::new();
    let mut look = |path: String, description: Option<&str>| {
        let words = |text: &str| {
            let letters: String =
                text.chars().map(|c| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { ' ' }).collect();
            letters
                .split_whitespace()
                .filter(|word| !matches!(*word, "the" | "a" | "an" | "of"))
                .collect::<Vec<_>>()
                .join("")
        };
        let name = path.rsplit('.').next().unwrap_or_default().to_owned();
        let empty = description.is_none_or(|text| text.trim().len() < 8 || words(text) == words(&name));
        if empty {
            bad.push(path);
        }
    };
    for definition in parse_schema(super::sdl()).unwrap().definitions {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        let definition = definition.node;
        let name = definition.name.node.to_string();
        look(name.clone(), definition.description.as_ref().map(|text| text.node.as_str()));
        match definition.kind {
            TypeKind::Object(object) => object.fields.iter().for_each(|field| {
                let path = format!("{name}.{}", field.node.name.node);
                look(path.clone(), field.node.description.as_ref().map(|text| text.node.as_str()));
                for argument in &field.node.arguments {
                    let argument = &argument.node;
                    look(
                        format!("{path}.{}", argument.name.node),
                        argument.description.as_ref().map(|text| text.node.as_str()),
                    );
                }
            }),
            TypeKind::InputObject(object) => object.fields.iter().for_each(|field| {
                look(
                    format!("{name}.{}", field.node.name.node),
                    field.node.description.as_ref().map(|text| text.node.as_str()),
                );
            }),
            TypeKind::Enum(words) => words.values.iter().for_each(|value| {
                look(
                    format!("{name}.{}", value.node.value.node),
                    value.node.description.as_ref().map(|text| text.node.as_str()),
                );
            }),
            _ => {}
        }
    }
    assert!(bad.is_empty(), "without a useful description: {bad:#?}");
}
