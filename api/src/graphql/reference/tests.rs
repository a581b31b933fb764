use std::collections::BTreeSet;
use std::path::Path;

use super::*;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference");

/// The committed pages are those of the schema, and no others.
#[test]
fn the_committed_reference_is_the_schemas() {
    let committed: Pages = std::fs::read_dir(COMMITTED)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap()))
        .collect();
    let made = pages().unwrap();
    assert_eq!(
        committed.keys().collect::<Vec<_>>(),
        made.keys().collect::<Vec<_>>(),
        "docs/reference has other pages: cargo run -- schema --reference docs/reference"
    );
    for (name, text) in made {
        assert!(
            committed[&name] == text,
            "docs/reference/{name} is not up to date: cargo run -- schema --reference docs/reference"
        );
    }
}

/// Every root field, every type and every link's place is there, once.
#[test]
fn everything_has_its_place() {
    let made = pages().unwrap();
    let book = Book::open(&crate::graphql::sdl()).unwrap();
    let all: String = made.values().map(String::as_str).collect();
    for root in ["Query", "Mutation"] {
        for field in book.fields(root) {
            assert_eq!(all.matches(&format!("\n### `{}`\n", field.name.node)).count(), 1, "{root}.{}", field.name.node);
        }
    }
    let left_out = |name: &str| is_common(name) || ["Query", "Mutation"].contains(&name);
    for name in book.types.keys().filter(|name| !left_out(name)) {
        assert_eq!(all.matches(&format!("\n### {name}\n")).count(), 1, "{name}");
    }
    for link in all.split("](").skip(1).filter_map(|rest| rest.split(')').next()).filter(|link| link.contains(".md#")) {
        let (page, place) = link.split_once('#').unwrap();
        let found = made[page].lines().filter_map(|line| line.strip_prefix("### "));
        assert!(found.map(str::to_ascii_lowercase).any(|heading| heading == place), "{link}");
    }
}

/// Names find their page by their longest beginning, not by any.
#[test]
fn names_find_their_page() {
    for (name, page) in [
        ("leads", Some("leads")),
        ("LeadSubmitPayload", Some("leads")),
        ("deliveriesReplay", Some("deliveries")),
        ("UserError", Some("shared")),
        ("UserInput", Some("people")),
        ("territories", Some("planning")),
        ("Leadership", None),
    ] {
        assert_eq!(page_of_name(name), page, "{name}");
    }
}

/// Every code that the sources spell is in the table, sorted, with a meaning.
#[test]
fn every_code_is_explained() {
    /// Words of that spelling that are no codes of GraphQL.
    const OTHERS: [&str; 8] = [
        "HMAC_SHA256",
        "AD_SPEND",
        "LEADYARD_TEST_DATA",
        "SCREAMING_SNAKE_CASE",
        "NO_LEADS",
        "TEST_DATA",
        "TOO_OFTEN",
        "USER_DISABLED",
    ];
    let (requests, users) = CODES.split_once("---\n").unwrap();
    let mut known = BTreeSet::new();
    for part in [requests, users] {
        let codes: Vec<&str> = part.lines().filter_map(|line| line.split(':').next()).collect();
        assert!(codes.is_sorted(), "codes.txt is in order");
        known.extend(codes);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut missing = BTreeSet::new();
    for folder in [root.join("src/graphql"), root.join("../market/src")] {
        spelt(&folder, &mut |word| {
            if !known.contains(word) && !OTHERS.contains(&word) {
                missing.insert(word.to_owned());
            }
        });
    }
    assert!(missing.is_empty(), "not in reference/codes.txt: {missing:?}");
}

/// What is thrown stands among the errors of the request: those who look for it look there.
#[test]
fn what_is_thrown_is_told_as_thrown() {
    let (requests, _) = CODES.split_once("---\n").unwrap();
    let known: BTreeSet<&str> = requests.lines().filter_map(|line| line.split(':').next()).collect();
    let mut thrown = BTreeSet::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/graphql"), &mut |text| {
        let calls = text.split("fixed(").skip(1).filter_map(|call| call.trim_start().strip_prefix('"'));
        thrown.extend(calls.filter_map(|code| code.split('"').next()).map(str::to_owned));
    });
    assert!(thrown.len() > 10, "{thrown:?}");
    let missing: Vec<&String> = thrown.iter().filter(|code| !known.contains(code.as_str())).collect();
    assert!(missing.is_empty(), "not in the first part of reference/codes.txt: {missing:?}");
}

/// The words in capitals that the sources of a folder spell as texts; those of imports are told on the command line only.
fn spelt(folder: &Path, each: &mut impl FnMut(&str)) {
    sources(folder, &mut |text| {
        let code = |word: &&str| {
            word.contains('_')
                && word.starts_with(|letter: char| letter.is_ascii_uppercase())
                && word.chars().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_')
        };
        text.split('"').skip(1).filter(code).for_each(&mut *each);
    });
}

/// The sources of a folder, without tests and imports.
fn sources(folder: &Path, each: &mut impl FnMut(&str)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("import") || name.contains("tests") {
            continue;
        }
        if path.is_dir() {
            sources(&path, each);
        } else if name.ends_with(".rs") {
            each(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
