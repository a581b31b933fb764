//! Persisted operations: documents that the operator knows beforehand, by the SHA-256 of their text. Clients post the
//! hash instead of the document, and where only these are allowed nothing else runs.
//!
//! They come from a file alone. Nothing is registered while the server runs, so nobody can fill its memory or leave a
//! document for others to find.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use async_graphql::async_trait::async_trait;
use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute};
use async_graphql::parser::parse_query;
use async_graphql::{Request, Response, Value};
use sha2::{Digest, Sha256};

use super::GraphqlSchema;
use super::scan::scan;

/// The longest file taken: thousands of documents.
const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// How many wrong documents are named at once.
const NAMED_MAX: usize = 10;

/// The documents that are known beforehand.
#[derive(Debug, Clone, Default)]
pub struct Operations {
    by_hash: HashMap<String, Arc<str>>,
    texts: HashSet<Arc<str>>,
    /// Whether nothing else runs.
    only: bool,
}

/// What a request asked to run.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted<'a> {
    /// A document, as its text.
    Text(&'a str),
    /// A document by the SHA-256 of its text.
    Hash(&'a str),
}

/// Why a document does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// It is not in the file, and the client may send the text instead.
    Absent,
    /// There is no file.
    NoFile,
    /// It is not in the file, and nothing else is allowed.
    Forbidden,
}

impl Operations {
    /// Reads a file that maps the SHA-256 of each document to its text, as GraphQL Code Generator's client preset writes
    /// it (`persisted-documents.json`, with `hashAlgorithm: "sha256"`). Every document must fit the schema.
    pub async fn read(path: &Path, only: bool) -> anyhow::Result<Self> {
        let place = path.display();
        let size = std::fs::metadata(path).with_context(|| format!("{place} cannot be read"))?.len();
        ensure!(size <= FILE_BYTES_MAX, "{place} is longer than 32 MiB: no file of operations");
        let text = std::fs::read_to_string(path).with_context(|| format!("{place} cannot be read"))?;
        let documents: HashMap<String, String> = serde_json::from_str(&text)
            .with_context(|| format!("{place} is not an object of documents by their SHA-256"))?;
        let schema = super::builder().extension(OnlyChecked).finish();
        let mut problems = Vec::new();
        let mut known = Self { only, ..Self::default() };
        for (hash, document) in documents {
            if let Err(error) = check(&schema, &hash, &document).await {
                problems.push(format!("{}: {error:#}", named(&hash, &document)));
            }
            let document: Arc<str> = document.into();
            known.texts.insert(Arc::clone(&document));
            known.by_hash.insert(hash, document);
        }
        problems.sort();
        if !problems.is_empty() {
            let more = problems.len().saturating_sub(NAMED_MAX);
            problems.truncate(NAMED_MAX);
            if more > 0 {
                problems.push(format!("and {more} more"));
            }
            bail!("{place} has operations that cannot run:\n  {}", problems.join("\n  "));
        }
        Ok(known)
    }

    /// The text of what was asked for.
    pub(super) fn find(&self, wanted: Wanted<'_>) -> Result<Arc<str>, Unknown> {
        match wanted {
            Wanted::Text(text) if !self.only || self.texts.contains(text) => Ok(text.into()),
            Wanted::Text(_) => Err(Unknown::Forbidden),
            Wanted::Hash(hash) => self.by_hash.get(hash).cloned().ok_or(match self {
                Self { only: true, .. } => Unknown::Forbidden,
                Self { by_hash, .. } if by_hash.is_empty() => Unknown::NoFile,
                Self { .. } => Unknown::Absent,
            }),
        }
    }
}

/// How people find a document: by its operations' names, or where it does not even parse, by its hash.
fn named(hash: &str, document: &str) -> String {
    let parsed = parse_query(document).ok();
    let operations = parsed.iter().flat_map(|document| document.operations.iter());
    let mut names: Vec<&str> = operations.filter_map(|(name, _)| name.map(async_graphql::Name::as_str)).collect();
    names.sort_unstable();
    if names.is_empty() { format!("`{hash}`") } else { format!("{} (`{hash}`)", names.join(", ")) }
}

/// Whether a document is what its hash says, is GraphQL, and fits the schema. What its variables hold is not known yet.
async fn check(schema: &GraphqlSchema, hash: &str, document: &str) -> anyhow::Result<()> {
    let mut right = String::with_capacity(64);
    for byte in Sha256::digest(document.as_bytes()) {
        write!(right, "{byte:02x}")?;
    }
    ensure!(hash == right, "its key is not the SHA-256 of its text, {right} (hashAlgorithm: \"sha256\")");
    ensure!(scan(document).is_ok(), "it nests deeper than 48 brackets or has more than 10000 tokens");
    let parsed = parse_query(document)?;
    // Of several operations each is checked by the same rules; the engine only wants to know which one would run.
    let first = parsed.operations.iter().next().and_then(|(name, _)| name.map(ToString::to_string));
    let mut request = Request::new(document);
    request.operation_name = first;
    let errors = schema.execute(request).await.errors;
    if let Some(error) = errors.first() {
        let line = error.locations.first().map(|place| format!("line {}: ", place.line)).unwrap_or_default();
        bail!("{line}{}", error.message);
    }
    Ok(())
}

/// Lets a document be parsed and validated, and then answers nothing instead of running it.
struct OnlyChecked;

impl ExtensionFactory for OnlyChecked {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait]
impl Extension for OnlyChecked {
    async fn execute(&self, _: &ExtensionContext<'_>, _: Option<&str>, _: NextExecute<'_>) -> Response {
        Response::new(Value::Null)
    }
}
