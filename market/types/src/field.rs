//! Fields: what a vertical asks about an enquiry, and what a lead answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::words;

words! {
    /// What a field holds, and so how it is normalised and checked.
    pub enum FieldKind("field kind") {
        /// Free text, trimmed, Unicode NFC.
        Text = "TEXT",
        /// A whole number.
        Integer = "INTEGER",
        /// A decimal number, kept as canonical text (`12.5`).
        Decimal = "DECIMAL",
        /// Yes or no.
        Boolean = "BOOLEAN",
        /// A calendar date, `2026-11-21`.
        Date = "DATE",
        /// An e-mail address, lower-cased.
        Email = "EMAIL",
        /// A telephone number, E.164.
        Phone = "PHONE",
        /// A postal code of the campaign's country; leading zeros stay.
        PostalCode = "POSTAL_CODE",
        /// A state or province code or name.
        State = "STATE",
        /// An ISO 3166 country code, two letters.
        Country = "COUNTRY",
        /// An http or https address.
        Url = "URL",
        /// An IPv4 or IPv6 address.
        Ip = "IP",
    }
}

words! {
    /// From which step on a field must be given.
    pub enum Required("requirement") {
        /// It may be left out.
        Never = "NEVER",
        /// Needed already when a lead is only offered.
        Ping = "PING",
        /// Needed when the full lead is sent.
        Post = "POST",
    }
}

words! {
    /// What happens to fields the vertical does not define.
    pub enum UnknownFields("rule for unknown fields") {
        /// They are stored with the lead (as personal data, since nobody knows what they hold).
        Keep = "KEEP",
        /// The lead is refused, naming them.
        Refuse = "REFUSE",
    }
}

/// One field of a vertical.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldDefinition {
    /// The key suppliers send, lower-case letters, digits and underscores.
    pub key: String,
    /// What people read.
    pub label: String,
    /// What it holds.
    pub kind: FieldKind,
    /// From which step on it must be given.
    pub required: Required,
    /// Whether it says who the person is: sealed at rest, masked for analysts, never in a ping.
    pub personal: bool,
    /// The values allowed (after trimming, case-insensitive); empty means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
    /// The least number allowed, for INTEGER and DECIMAL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// The greatest number allowed, for INTEGER and DECIMAL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    /// A regular expression the whole normalised value must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The greatest length in characters; [`MAX_LENGTH_CHARS`] where not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length_chars: Option<u32>,
}

/// The longest text taken for a field that names no length of its own: enough for a long message, too short for abuse.
pub const MAX_LENGTH_CHARS: u32 = 4_000;

impl FieldDefinition {
    /// A field with nothing special about it; set the rest with struct update syntax.
    #[must_use]
    pub fn new(key: &str, kind: FieldKind, required: Required, personal: bool) -> Self {
        Self {
            key: key.to_owned(),
            label: key.replace('_', " "),
            kind,
            required,
            personal,
            allowed: Vec::new(),
            min: None,
            max: None,
            pattern: None,
            max_length_chars: None,
        }
    }
}

/// A normalised value. Decimals and dates are canonical text, so that what is stored, compared and shown is one thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FieldValue {
    /// Yes or no.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Everything else, canonical.
    Text(String),
}

impl FieldValue {
    /// A text value.
    #[must_use]
    pub fn text(value: &str) -> Self {
        Self::Text(value.to_owned())
    }

    /// The value as text, as people would write it.
    #[must_use]
    pub fn to_text(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Boolean(true) => "true".into(),
            Self::Boolean(false) => "false".into(),
            Self::Integer(number) => number.to_string().into(),
            Self::Text(text) => text.as_str().into(),
        }
    }
}

impl std::fmt::Display for FieldValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_text())
    }
}

/// A lead's normalised fields by key.
pub type Fields = BTreeMap<String, FieldValue>;

/// One thing wrong with one field: which, a stable code, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldProblem {
    /// The field's key as it was sent, or a path such as `consent.given_at`.
    pub field: String,
    /// A stable code: `REQUIRED`, `UNKNOWN_FIELD`, `INVALID_EMAIL`, `NOT_ALLOWED`, `TOO_LONG`, `OUT_OF_RANGE` …
    pub code: String,
    /// What would be right, for a person; never repeats the value that was sent.
    pub message: String,
}

impl FieldProblem {
    /// A problem of a field.
    pub fn new(field: impl Into<String>, code: &str, message: impl Into<String>) -> Self {
        Self { field: field.into(), code: code.to_owned(), message: message.into() }
    }

    /// The code with its field, as lists of problems name it: `age: OUT_OF_RANGE`; the code alone where no one field is
    /// meant.
    #[must_use]
    pub fn named(&self) -> String {
        if self.field.is_empty() { self.code.clone() } else { format!("{}: {}", self.field, self.code) }
    }
}
