//! What a document says, and what can be wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use leadyard_types::words;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Map, Value};

words! {
    /// The tables of a document, in an order in which each refers to earlier ones only.
    pub enum Noun("table of the configuration") {
        /// An industry with its fields.
        Vertical = "vertical",
        /// Who sends leads.
        Supplier = "supplier",
        /// The pipeline inside a vertical.
        Campaign = "campaign",
        /// A channel of a supplier into a campaign.
        Source = "source",
        /// Buyers that count as one.
        BuyerGroup = "buyer_group",
        /// Who pays.
        Buyer = "buyer",
        /// Where a buyer's leads go.
        Destination = "destination",
        /// What a buyer wants and pays in a campaign.
        Contract = "contract",
    }
}

impl Noun {
    /// The field by which people call it.
    #[must_use]
    pub const fn naming(self) -> &'static str {
        match self {
            Self::Vertical => "key",
            _ => "name",
        }
    }
}

/// The fields of an entry, in the words of the terms.
pub type Fields = Map<String, Value>;

/// A document.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    /// Its entries, as they stand.
    pub entries: Vec<Entry>,
}

/// What a document says of one thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What it is.
    pub noun: Noun,
    /// The line it begins on, from 1.
    pub line: usize,
    /// What is said.
    pub fields: Fields,
    /// The lines of what is said, by path (`filter.of.1.km`).
    pub lines: BTreeMap<String, usize>,
}

impl Entry {
    /// The thing, as a person would point at it: `contract "Sonnendach standard"`.
    #[must_use]
    pub fn title(&self) -> String {
        let named = [self.noun.naming(), "id"].into_iter().find_map(|field| self.fields.get(field)?.as_str());
        named.map_or_else(|| format!("{} without a name", self.noun), |name| format!("{} \"{name}\"", self.noun))
    }

    /// The line of a path, or of the nearest thing around it.
    #[must_use]
    pub fn line_of(&self, path: &str) -> usize {
        let mut known = path;
        loop {
            if let Some(line) = self.lines.get(known) {
                return *line;
            }
            match known.rsplit_once('.') {
                Some((parent, _)) => known = parent,
                None => return self.line,
            }
        }
    }

    pub(super) fn problem(&self, field: &str, code: &str, message: impl Into<String>) -> Problem {
        let (line, message) = (Some(self.line_of(field)), message.into());
        Problem { line, at: self.title(), field: field.to_owned(), code: code.to_owned(), message }
    }
}

/// One thing that is wrong with a document, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The line, from 1, where there is one.
    pub line: Option<usize>,
    /// Of which thing, or an empty text for the document itself.
    pub at: String,
    /// Its field, as a path; empty where none is meant.
    pub field: String,
    /// A stable code: `REQUIRED`, `NOT_FOUND`, `UNKNOWN_FIELD` …
    pub code: String,
    /// What would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        for part in [&self.at, &self.field].into_iter().filter(|part| !part.is_empty()) {
            write!(f, "{part}: ")?;
        }
        write!(f, "{} ({})", self.message, self.code)
    }
}

/// Everything that is wrong with a document, in the order of its lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl Problems {
    /// Nothing, if nothing is wrong; otherwise all of it, by line, each said once.
    pub(super) fn refuse(mut self) -> Result<(), Self> {
        if self.0.is_empty() {
            return Ok(());
        }
        self.0.sort_by(|a, b| (a.line, &a.field, &a.code).cmp(&(b.line, &b.field, &b.code)));
        self.0.dedup();
        Err(self)
    }
}

/// Where a secret is taken from. A document never holds one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// A variable of the environment.
    Env(String),
    /// A file; its text without the line's end.
    File(String),
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment's {name}"),
            Self::File(path) => write!(f, "the file {path}"),
        }
    }
}

/// What was found where a document says that a secret is, or why it was not.
pub type Secrets = BTreeMap<Secret, Result<SecretString, String>>;

impl Document {
    /// Every secret that the document refers to.
    #[must_use]
    pub fn secrets(&self) -> BTreeSet<Secret> {
        let mut found = BTreeSet::new();
        for entry in self.entries.iter().filter(|entry| entry.noun == Noun::Destination) {
            found.extend(super::secrets::of_entry(&entry.fields));
            if let Some(config) = entry.fields.get("config") {
                super::secrets::within(config, &mut found);
            }
        }
        found
    }
}
