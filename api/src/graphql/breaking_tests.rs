use std::path::Path;

use super::super::sdl;
use super::*;

/// Where the schemas of releases stand: `schema-<version>.graphql`.
const RELEASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/releases");

/// A version in numbers, from a file's name.
fn version(path: &Path) -> Option<Vec<u32>> {
    let name = path.file_name()?.to_str()?;
    let version = name.strip_prefix("schema-")?.strip_suffix(".graphql")?;
    version.split('.').map(|part| part.parse().ok()).collect()
}

/// The API does what the last release promised: nothing goes away that was not `@deprecated` there, nothing gives less, nothing
/// wants more.
#[test]
fn nothing_that_was_released_breaks() {
    let files = std::fs::read_dir(RELEASES).unwrap().map(|entry| entry.unwrap().path());
    let (version, last) = files.filter_map(|path| Some((version(&path)?, path))).max().unwrap();
    let old = Surface::read(&std::fs::read_to_string(&last).unwrap()).unwrap();
    assert!(old.types.len() > 100, "{version:?} was read");
    let found = breaks(&old, &Surface::read(&sdl()).unwrap());
    assert!(
        found.is_empty(),
        "this breaks whoever uses {}:\n{}\nKeep it, and call it @deprecated for one release first. Is the break intended, and \
         this before 1.0? Say so in CHANGELOG.md under Changed, and let the next release begin from here: just release-schema",
        last.display(),
        found.join("\n")
    );
}

const SMALL: &str = "
    directive @mark(name: String) on FIELD | QUERY
    schema { query: Query mutation: Mutation }
    interface Node { id: ID! }
    type Lead implements Node { id: ID! name: String names: [String!]! old: Old @deprecated(reason: \"x\") }
    type Old { id: ID! }
    type Sale { id: ID! }
    union Thing = Lead | Sale
    enum State { OPEN CLOSED GONE @deprecated(reason: \"x\") }
    scalar Date
    input Filter { state: State since: Date! most: Int! = 10 gone: Int @deprecated(reason: \"x\") }
    input One { a: Int b: Int }
    type Query {
        lead(id: ID!, at: Date, gone: Int @deprecated(reason: \"x\")): Lead
        leads(filter: Filter, one: One, first: Int = 10): [Lead!]
        things: [Thing]
        node: Node
    }
    type Mutation { close(id: ID!): State! }";

/// A change of the small schema, and what it breaks: nothing where that is empty.
const CHANGES: &[(&str, &str, &str)] = &[
    // What is gone.
    ("name: String names", "names", "Lead.name is gone"),
    ("close(id: ID!): State!", "end: Int", "Mutation.close is gone"),
    ("(id: ID!, at: Date,", "(id: ID!,", "Query.lead.at is gone"),
    ("OPEN CLOSED", "OPEN", "State.CLOSED is gone"),
    ("state: State since", "since", "Filter.state is gone"),
    ("Lead | Sale", "Lead", "Thing is no Sale any more"),
    ("Lead implements Node", "Lead", "Lead implements no Node any more"),
    ("type Sale { id: ID! }", "", "Sale is gone"),
    ("query: Query mutation: Mutation", "query: Query", "mutation is not Mutation any more"),
    ("directive @mark(name: String) on FIELD | QUERY", "", "@mark is gone"),
    ("@mark(name: String)", "@mark", "@mark.name is gone"),
    ("on FIELD | QUERY", "on FIELD", "@mark stands at no Query any more"),
    // What is another thing now.
    ("scalar Date", "enum Date { TODAY }", "Date was scalar and is enum"),
    ("type Sale { id: ID! }", "type Sale { id: String! }", "Sale.id was ID! and is String!"),
    ("type Sale { id: ID! }", "type Sale { id: [ID!]! }", "Sale.id was ID! and is [ID!]!"),
    // What gives less.
    ("type Sale { id: ID! }", "type Sale { id: ID }", "Sale.id was ID! and is ID"),
    ("names: [String!]!", "names: [String!]", "Lead.names was [String!]! and is [String!]"),
    ("names: [String!]!", "names: [String]!", "Lead.names was [String!]! and is [String]!"),
    // What wants more.
    ("at: Date,", "at: Date!,", "Query.lead.at was Date and is Date!"),
    ("at: Date,", "at: Date, why: String!,", "Query.lead.why is new and must be given"),
    ("state: State since", "state: State! since", "Filter.state was State and is State!"),
    ("state: State since", "state: State why: Int! since", "Filter.why is new and must be given"),
    ("most: Int! = 10", "most: Int!", "Filter.most was 10 where it is left out and is none"),
    ("first: Int = 10", "first: Int = 20", "Query.leads.first was 10 where it is left out and is 20"),
    ("input One {", "input One @oneOf {", "One takes one of its fields only"),
    // What was called deprecated may go, and with it what is met through it alone.
    ("old: Old @deprecated(reason: \"x\")", "", ""),
    ("old: Old @deprecated(reason: \"x\") }\n    type Old { id: ID! }", "}", ""),
    (" GONE @deprecated(reason: \"x\")", "", ""),
    ("gone: Int @deprecated(reason: \"x\")): Lead", "): Lead", ""),
    ("gone: Int @deprecated(reason: \"x\") }", "}", ""),
    // What is added, gives more or wants less.
    ("name: String names", "name: String more(by: Int): Int names", ""),
    ("at: Date,", "at: Date, why: String, most: Int! = 5,", ""),
    ("OPEN CLOSED", "OPEN CLOSED HELD", ""),
    ("Lead | Sale", "Lead | Sale | Old", ""),
    ("type Sale {", "type Sale implements Node {", ""),
    ("scalar Date", "scalar Date scalar Time", ""),
    ("name: String names", "name: String! names", ""),
    ("since: Date!", "since: Date", ""),
    ("state: State since", "state: State why: Int since", ""),
    ("lead(id: ID!, at", "lead(id: ID, at", ""),
    ("name: String names", "name: String @deprecated(reason: \"y\") names", ""),
    ("on FIELD | QUERY", "on FIELD | QUERY | MUTATION", ""),
];

/// Every kind of change is seen for what it is.
#[test]
fn every_kind_of_change_is_seen() {
    let old = Surface::read(SMALL).unwrap();
    assert_eq!(breaks(&old, &old), [""; 0]);
    for (from, to, expected) in CHANGES {
        assert_eq!(SMALL.matches(from).count(), 1, "`{from}` stands once");
        let new = Surface::read(&SMALL.replacen(from, to, 1)).unwrap_or_else(|error| panic!("`{to}`: {error}"));
        let expected: Vec<&str> = [*expected].into_iter().filter(|text| !text.is_empty()).collect();
        assert_eq!(breaks(&old, &new), expected, "`{from}` → `{to}`");
    }
}

/// Of a type, everything that can be taken away: with each, the same type without it, and whether it was deprecated.
fn without_each(found: &Definition) -> Vec<(String, Definition)> {
    let mut all = Vec::new();
    let mut with = |name: String, change: &dyn Fn(&mut Definition)| {
        let mut less = found.clone();
        change(&mut less);
        all.push((name, less));
    };
    for (name, field) in &found.fields {
        with(name.clone(), &|less| drop(less.fields.remove(name)));
        if !field.of.nullable {
            with(name.clone(), &|less| less.fields.get_mut(name).unwrap().of.nullable = true);
        }
        for arg in field.args.keys() {
            with(format!("{name}.{arg}"), &|less| drop(less.fields.get_mut(name).unwrap().args.remove(arg)));
        }
    }
    for (name, input) in &found.inputs {
        with(name.clone(), &|less| drop(less.inputs.remove(name)));
        if input.of.nullable {
            with(name.clone(), &|less| less.inputs.get_mut(name).unwrap().of.nullable = false);
        }
    }
    for name in found.values.keys() {
        with(name.clone(), &|less| less.values.retain(|value, _| value != name));
    }
    all
}

/// Whatever is taken from the schema of today is missed, by its name and alone; called deprecated before, it is not. What it
/// had less before, nobody misses.
#[test]
fn whatever_is_taken_away_is_missed() {
    let schema = Surface::read(&sdl()).unwrap();
    let mut tried = 0;
    for (name, whole) in &schema.types {
        for (part, less) in without_each(whole) {
            let found = of_type(name, whole, &less);
            assert!(found.len() == 1 && found[0].starts_with(&format!("{name}.{part} ")), "{name}.{part}: {found:?}");
            tried += 1;
        }
        let mut deprecated = whole.clone();
        deprecated.values.values_mut().for_each(|value| *value = true);
        deprecated.inputs.values_mut().for_each(|input| input.deprecated = true);
        deprecated.fields.values_mut().for_each(|field| field.deprecated = true);
        let nothing = Definition {
            kind: whole.kind,
            implements: whole.implements.clone(),
            members: whole.members.clone(),
            ..Definition::default()
        };
        assert_eq!(of_type(name, &deprecated, &nothing), [""; 0], "{name}");
    }
    assert!(tried > 2_000, "{tried} tried");
    let mut less = schema.clone();
    for (name, whole) in &schema.types {
        less.types.remove(name);
        assert_eq!(breaks(&schema, &less), [format!("{name} is gone")]);
        assert_eq!(breaks(&less, &schema), [""; 0]);
        less.types.insert(name.clone(), whole.clone());
    }
}
