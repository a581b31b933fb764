//! A buyer's answer as a document in which values are found by path, whatever its format.
//!
//! The answer is hostile until it is understood: nesting is walked without recursion, entities are never expanded, and a
//! name that stands twice where only one is meant is refused instead of guessed. Names are compared without regard to the
//! case of ASCII letters, because every second buyer writes them otherwise than documented.

mod json;
#[cfg(test)]
mod tests;
mod xml;

use leadyard_types::words;
use serde_json::value::RawValue;

use xml::Tree;

words! {
    /// In which format a buyer answers.
    pub enum AnswerFormat("answer format") {
        /// By the content type; where that says nothing, by how the answer begins.
        Auto = "AUTO",
        /// JSON.
        Json = "JSON",
        /// XML.
        Xml = "XML",
        /// `application/x-www-form-urlencoded`.
        Form = "FORM",
        /// Plain text, read by patterns only.
        Text = "TEXT",
    }
}

/// The most steps of a path.
pub(super) const PATH_STEPS_MAX: usize = 10;
/// The longest path.
pub(super) const PATH_CHARS_MAX: usize = 200;

/// Why a document, or a value in it, cannot be taken. The texts repeat nothing of what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum DocumentProblem {
    #[error("the answer is not UTF-8")]
    NotUtf8,
    #[error("the answer is not JSON")]
    NotJson,
    #[error("the answer is not well-formed XML")]
    NotXml,
    #[error("the answer has a document type or entities of its own")]
    Doctype,
    #[error("the answer is nested too deeply")]
    TooDeep,
    #[error("the answer has too many parts")]
    TooMany,
    #[error("a value of the answer is there twice")]
    Twice,
    #[error("a value of the answer is a list or an object")]
    NotSingle,
}

/// One value of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// As text, trimmed; a number as it was written.
    pub(super) text: String,
    /// Whether it is a number of JSON.
    pub(super) number: bool,
}

impl Found {
    pub(super) fn text(text: &str) -> Self {
        Self { text: text.trim().to_owned(), number: false }
    }
}

/// The way to a value: names and positions with dots between them (`bids.0.price`), attributes of XML with an at sign
/// (`bid.@price`). Alternatives are separated by `|`; the first that is there counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path(Vec<Vec<String>>);

impl Path {
    /// Reads a path; `None` if it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.chars().count() > PATH_CHARS_MAX || text.chars().any(char::is_control) {
            return None;
        }
        let alternatives = text.split('|').map(|path| {
            let steps: Vec<String> = path.trim().split('.').map(|step| step.trim().to_owned()).collect();
            let fits = steps.len() <= PATH_STEPS_MAX && steps.iter().all(|step| !step.is_empty());
            fits.then_some(steps)
        });
        alternatives.collect::<Option<Vec<_>>>().map(Self)
    }
}

/// An answer that was understood as far as its format goes.
#[derive(Debug)]
pub(super) enum Document<'answer> {
    Json(&'answer RawValue),
    Xml(Tree),
    Form(Vec<(String, String)>),
    Text,
}

impl<'answer> Document<'answer> {
    /// Understands a text as a format; `content_type` decides where the format is AUTO.
    pub(super) fn parse(
        text: &'answer str,
        format: AnswerFormat,
        content_type: Option<&str>,
    ) -> Result<Self, DocumentProblem> {
        match format {
            AnswerFormat::Auto => Self::parse(text, guessed(text, content_type.unwrap_or_default()), None),
            AnswerFormat::Json => serde_json::from_str(text).map(Self::Json).map_err(|_| DocumentProblem::NotJson),
            AnswerFormat::Xml => xml::parse(text).map(Self::Xml),
            AnswerFormat::Form => Ok(Self::Form(url::form_urlencoded::parse(text.as_bytes()).into_owned().collect())),
            AnswerFormat::Text => Ok(Self::Text),
        }
    }

    /// The value at a path. What is absent or null is `None`; an empty text is a value.
    pub(super) fn find(&self, path: &Path) -> Result<Option<Found>, DocumentProblem> {
        for steps in &path.0 {
            let found = match self {
                Self::Json(document) => json::find(document, steps)?,
                Self::Xml(tree) => tree.find(steps)?,
                Self::Form(pairs) => in_form(pairs, &steps.join("."))?,
                Self::Text => None,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

/// An answer as text, without the mark some servers put before it.
pub(super) fn decoded(body: &[u8]) -> Result<&str, DocumentProblem> {
    let text = std::str::from_utf8(body).map_err(|_| DocumentProblem::NotUtf8)?;
    Ok(text.trim_start_matches('\u{feff}').trim())
}

/// Half of the servers send JSON as `text/html`, so only a type that says something is believed.
fn guessed(text: &str, content_type: &str) -> AnswerFormat {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.rsplit(['/', '+']).next() {
        Some("json") => AnswerFormat::Json,
        Some("xml") => AnswerFormat::Xml,
        Some("x-www-form-urlencoded") => AnswerFormat::Form,
        _ if text.starts_with(['{', '[']) => AnswerFormat::Json,
        _ if text.starts_with('<') => AnswerFormat::Xml,
        _ => AnswerFormat::Text,
    }
}

fn in_form(pairs: &[(String, String)], name: &str) -> Result<Option<Found>, DocumentProblem> {
    let mut found = pairs.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(DocumentProblem::Twice),
        (Some((_, value)), None) => Ok(Some(Found::text(value))),
        (None, _) => Ok(None),
    }
}
