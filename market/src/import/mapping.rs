//! Mappings: how a file's columns become a lead. Written by people in a small file, checked as a whole before the first
//! row is read.
//!
//! ```toml
//! external_id = "id"                       # a plain text names a column
//! empty = ["", "unknown"]                  # values that say nothing
//! enquired_at = { column = "created", format = "%d.%m.%Y %H:%M" }
//!
//! [fields]
//! email = "E-Mail"
//! postal_code = { column = "PLZ", pad = 5 }
//! roof = { column = "Dach", values = { Spitzdach = "pitched", Flachdach = "flat" } }
//! income = { column = "Einkommen", decimal = "COMMA" }
//! country = { value = "DE" }
//!
//! [consent]
//! basis = { value = "customers of ours who agreed to be called" }
//! purposes = ["contact_by_phone"]
//! ```

use std::collections::BTreeMap;

use chrono_tz::Tz;
use leadyard_types::words;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// How a file's columns become leads.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// What separates columns; found out where not given.
    pub delimiter: Option<char>,
    /// How the text is written, for example `windows-1252`; found out where not given.
    pub encoding: Option<String>,
    /// The columns' names, for files without a line of headings.
    pub columns: Option<Vec<String>>,
    /// Values that say nothing, beside the empty one.
    #[serde(default)]
    pub empty: Vec<String>,
    /// The zone of times that name none; the campaign's where not given.
    pub time_zone: Option<Tz>,
    /// What happens to columns that no field takes.
    #[serde(default)]
    pub unmapped: Unmapped,
    /// The supplier's own id of the lead.
    pub external_id: Option<Part>,
    /// The supplier's own mark.
    pub subid: Option<Part>,
    /// When the enquiry was made.
    pub enquired_at: Option<Part>,
    /// The lead's fields.
    #[serde(default)]
    pub fields: BTreeMap<String, Part>,
    /// The evidence that the leads may be passed on.
    pub consent: Option<ConsentMapping>,
    /// What became of the leads, for `import conversions`.
    pub conversion: Option<ConversionMapping>,
}

words! {
    /// What happens to columns that no field takes.
    #[derive(Default)]
    pub enum Unmapped("rule for unmapped columns") {
        /// They are left out.
        #[default]
        Drop = "DROP",
        /// They become fields of the column's name.
        Keep = "KEEP",
    }
}

words! {
    /// What happens to a value that a list of values does not name.
    #[derive(Default)]
    pub enum Other("rule for other values") {
        /// The row is refused.
        #[default]
        Refuse = "REFUSE",
        /// It stays as it is.
        Keep = "KEEP",
        /// It counts as not given.
        Drop = "DROP",
    }
}

words! {
    /// How decimals are written.
    pub enum DecimalMark("decimal mark") {
        /// `1.234,56`
        Comma = "COMMA",
        /// `1,234.56`
        Point = "POINT",
    }
}

/// Where a value comes from and how it is read. A plain text is the name of a column.
#[derive(Debug, Clone, Default)]
pub struct Part(pub PartTerms);

/// The long form of a [`Part`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartTerms {
    /// The column.
    pub column: Option<String>,
    /// Several columns, joined.
    #[serde(default)]
    pub columns: Vec<String>,
    /// What stands between joined columns; a blank where not given.
    pub join: Option<String>,
    /// The same value for every row.
    pub value: Option<String>,
    /// The file's word → our word; upper and lower case are the same.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    /// What happens to values not among them.
    #[serde(default)]
    pub other: Other,
    /// How decimals are written.
    pub decimal: Option<DecimalMark>,
    /// How a date is written, as `%d.%m.%Y`.
    pub date: Option<String>,
    /// How a moment is written, as `%d.%m.%Y %H:%M`.
    pub format: Option<String>,
    /// Digits are filled up with zeros in front to so many, for codes a spreadsheet has shortened.
    pub pad: Option<u8>,
    /// Put in front of the value.
    pub prefix: Option<String>,
}

/// Evidence of consent; every part may be a column or the same for all.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsentMapping {
    /// The text the person agreed to.
    pub text: Option<Part>,
    /// Its version.
    pub text_version: Option<Part>,
    /// When.
    pub given_at: Option<Part>,
    /// On which page.
    pub page_url: Option<Part>,
    /// From which address.
    pub ip: Option<Part>,
    /// A declared basis, where there is no recorded moment.
    pub basis: Option<Part>,
    /// What for.
    #[serde(default)]
    pub purposes: Vec<String>,
    /// Recipients named in the text.
    #[serde(default)]
    pub recipients: Vec<String>,
}

/// What became of a lead.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConversionMapping {
    /// CONTACTED, QUOTED, WON or LOST.
    pub kind: Part,
    /// What it was worth, in the campaign's currency.
    pub value: Option<Part>,
    /// When; now where not given.
    pub happened_at: Option<Part>,
    /// Which buyer reports it, by name or id; needed for leads with several buyers.
    pub buyer: Option<Part>,
}

impl Part {
    /// A column as it is.
    #[must_use]
    pub fn column(name: &str) -> Self {
        Self(PartTerms { column: Some(name.to_owned()), ..PartTerms::default() })
    }

    /// The same value for every row.
    #[must_use]
    pub fn constant(value: &str) -> Self {
        Self(PartTerms { value: Some(value.to_owned()), ..PartTerms::default() })
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Part;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the name of a column, or a table with `column`, `columns` or `value`")
            }
            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Part, E> {
                Ok(Part::column(name))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Part, A::Error> {
                let terms = PartTerms::deserialize(MapAccessDeserializer::new(map))?;
                let sources = usize::from(terms.column.is_some())
                    + usize::from(!terms.columns.is_empty())
                    + usize::from(terms.value.is_some());
                if sources == 1 {
                    Ok(Part(terms))
                } else {
                    Err(A::Error::custom("one of `column`, `columns` and `value` is expected"))
                }
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl Mapping {
    /// Every part, with the key it has in the mapping, for checking.
    pub(super) fn parts(&self) -> Vec<(String, &Part)> {
        let top = [("external_id", &self.external_id), ("subid", &self.subid), ("enquired_at", &self.enquired_at)];
        let mut parts: Vec<(String, &Part)> =
            top.into_iter().filter_map(|(key, part)| Some((key.to_owned(), part.as_ref()?))).collect();
        parts.extend(self.fields.iter().map(|(key, part)| (format!("fields.{key}"), part)));
        if let Some(consent) = &self.consent {
            let named = [
                ("text", &consent.text),
                ("text_version", &consent.text_version),
                ("given_at", &consent.given_at),
                ("page_url", &consent.page_url),
                ("ip", &consent.ip),
                ("basis", &consent.basis),
            ];
            parts.extend(named.into_iter().filter_map(|(key, part)| Some((format!("consent.{key}"), part.as_ref()?))));
        }
        parts
    }
}
