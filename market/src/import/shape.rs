//! A mapping made ready for a file: from a row's values to a lead's draft.

use std::collections::{BTreeMap, BTreeSet};

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use leadyard_types::field::UnknownFields;
use leadyard_types::terms::VerticalTerms;
use leadyard_types::{Consent, Door, FieldProblem, LeadDraft, Required, SourceId, Timestamp};
use serde_json::{Map, Value};

use super::mapping::{ConversionMapping, DecimalMark, Mapping, Other, Part, Unmapped};
use super::table::{namesakes, position};

/// The part of a row that a value comes from.
#[derive(Debug, Clone)]
enum From {
    Column(usize),
    Columns(Vec<usize>, String),
    Constant(String),
}

/// A part of a mapping, its columns found and its formats checked.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    key: String,
    from: From,
    values: BTreeMap<String, String>,
    other: Other,
    decimal: Option<DecimalMark>,
    date: Option<String>,
    format: Option<String>,
    pad: usize,
    prefix: String,
}

/// What all parts of a mapping share.
#[derive(Debug, Clone)]
pub(super) struct Common {
    empty: BTreeSet<String>,
    zone: Tz,
}

/// How rows become leads.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    common: Common,
    external_id: Option<Reader>,
    subid: Option<Reader>,
    enquired_at: Option<Reader>,
    fields: Vec<Reader>,
    kept: Vec<(String, usize)>,
    consent: Option<ConsentShape>,
}

#[derive(Debug, Clone)]
struct ConsentShape {
    parts: BTreeMap<&'static str, Reader>,
    purposes: Vec<String>,
    recipients: Vec<String>,
}

/// How rows say what became of leads.
#[derive(Debug, Clone)]
pub(super) struct ConversionShape {
    common: Common,
    kind: Reader,
    value: Option<Reader>,
    happened_at: Option<Reader>,
    buyer: Option<Reader>,
}

/// A row that says what became of a lead.
#[derive(Debug, Clone, Default)]
pub(super) struct ConversionRow {
    pub(super) kind: Option<String>,
    pub(super) value: Option<String>,
    pub(super) happened_at: Option<Timestamp>,
    pub(super) buyer: Option<String>,
}

/// Where the one column of a name stands, or why there is none.
fn found(columns: &[String], name: &str) -> Result<usize, (&'static str, String)> {
    if namesakes(columns, name) > 1 {
        let message = format!("several columns are headed `{name}`; each heading is expected once");
        return Err(("AMBIGUOUS_COLUMN", message));
    }
    position(columns, name).ok_or_else(|| ("UNKNOWN_COLUMN", format!("there is no column headed `{name}`")))
}

fn fold(text: &str) -> String {
    text.trim().to_lowercase()
}

impl Reader {
    pub(super) fn compile(key: &str, part: &Part, columns: &[String]) -> Result<Self, FieldProblem> {
        let Part(terms) = part;
        let find =
            |name: &String| found(columns, name).map_err(|(code, message)| FieldProblem::new(key, code, message));
        let from = match (&terms.column, &terms.value) {
            (Some(column), _) => From::Column(find(column)?),
            (None, Some(value)) => From::Constant(value.clone()),
            (None, None) => {
                let join = terms.join.clone().unwrap_or_else(|| " ".to_owned());
                From::Columns(terms.columns.iter().map(find).collect::<Result<_, _>>()?, join)
            }
        };
        for format in [&terms.date, &terms.format].into_iter().flatten() {
            if StrftimeItems::new(format).any(|item| matches!(item, Item::Error)) {
                let message = "a format such as %d.%m.%Y or %Y-%m-%d %H:%M is expected";
                return Err(FieldProblem::new(key, "INVALID_FORMAT", message));
            }
        }
        Ok(Self {
            key: key.rsplit_once("fields.").map_or(key, |(_, field)| field).to_owned(),
            from,
            values: terms.values.iter().map(|(theirs, ours)| (fold(theirs), ours.clone())).collect(),
            other: terms.other,
            decimal: terms.decimal,
            date: terms.date.clone(),
            format: terms.format.clone(),
            pad: usize::from(terms.pad.unwrap_or(0)),
            prefix: terms.prefix.clone().unwrap_or_default(),
        })
    }

    fn problem(&self, code: &str, message: impl Into<String>) -> FieldProblem {
        FieldProblem::new(&self.key, code, message)
    }

    /// The value in a row; `None` where the row says nothing.
    pub(super) fn read(&self, row: &[String], common: &Common) -> Result<Option<String>, FieldProblem> {
        let get = |at: &usize| {
            let value = row.get(*at).map_or("", |value| value.trim());
            (!common.empty.contains(&fold(value))).then_some(value)
        };
        let text = match &self.from {
            From::Column(at) => get(at).unwrap_or_default().to_owned(),
            From::Columns(all, join) => all.iter().filter_map(get).collect::<Vec<_>>().join(join),
            From::Constant(value) => value.clone(),
        };
        if text.is_empty() {
            return Ok(None);
        }
        let Some(text) = self.translated(text)? else { return Ok(None) };
        let text = match self.decimal {
            Some(mark) => self.decimal_point(&text, mark)?,
            None => text,
        };
        let text = match &self.date {
            Some(format) => {
                let date = NaiveDate::parse_from_str(&text, format);
                let wrong = |_| self.problem("INVALID_DATE", format!("a date written as {format} is expected"));
                date.map_err(wrong)?.to_string()
            }
            None => text,
        };
        let missing = self.pad.saturating_sub(text.chars().count());
        let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let zeros = if is_digits { "0".repeat(missing) } else { String::new() };
        Ok(Some(format!("{}{zeros}{text}", self.prefix)))
    }

    /// The file's word in our words, where the mapping lists them.
    fn translated(&self, text: String) -> Result<Option<String>, FieldProblem> {
        if self.values.is_empty() {
            return Ok(Some(text));
        }
        match (self.values.get(&fold(&text)), self.other) {
            (Some(ours), _) => Ok(Some(ours.clone())),
            (None, Other::Keep) => Ok(Some(text)),
            (None, Other::Drop) => Ok(None),
            (None, Other::Refuse) => {
                Err(self.problem("NOT_MAPPED", "a value that the mapping lists under `values` is expected"))
            }
        }
    }

    fn decimal_point(&self, text: &str, mark: DecimalMark) -> Result<String, FieldProblem> {
        let (decimal, group) = if mark == DecimalMark::Comma { (',', '.') } else { ('.', ',') };
        let plain: String = text
            .chars()
            .filter(|c| *c != group && !c.is_whitespace() && !matches!(c, '\'' | '’' | '\u{a0}' | '\u{202f}'))
            .map(|c| if c == decimal { '.' } else { c })
            .collect();
        let (sign, digits) = plain.strip_prefix('-').map_or(("", plain.as_str()), |rest| ("-", rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_digits(whole) && is_digits(fraction) {
            return Ok(format!("{sign}{digits}"));
        }
        let example = if mark == DecimalMark::Comma { "1.234,56" } else { "1,234.56" };
        Err(self.problem("INVALID_DECIMAL", format!("a number written as {example} is expected")))
    }

    /// The value as a moment, read in the common zone where it names none.
    pub(super) fn moment(&self, row: &[String], common: &Common) -> Result<Option<Timestamp>, FieldProblem> {
        let Some(text) = self.read(row, common)? else { return Ok(None) };
        let expected = self.format.as_deref().unwrap_or("%Y-%m-%d %H:%M:%S, or RFC 3339");
        let wrong = || self.problem("INVALID_TIME", format!("a moment written as {expected} is expected"));
        let local = match &self.format {
            Some(format) => match DateTime::parse_from_str(&text, format) {
                Ok(moment) => return Ok(Some(moment.with_timezone(&Utc))),
                Err(_) => naive(&text, format),
            },
            None => match text.parse::<DateTime<Utc>>() {
                Ok(moment) => return Ok(Some(moment)),
                Err(_) => ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d"]
                    .iter()
                    .find_map(|format| naive(&text, format)),
            },
        };
        match common.zone.from_local_datetime(&local.ok_or_else(wrong)?) {
            LocalResult::Single(moment) | LocalResult::Ambiguous(moment, _) => Ok(Some(moment.with_timezone(&Utc))),
            LocalResult::None => {
                Err(self.problem("INVALID_TIME", "this hour did not exist: clocks were set forward over it"))
            }
        }
    }
}

/// A moment without a zone; a date alone begins at midnight.
fn naive(text: &str, format: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, format)
        .or_else(|_| NaiveDate::parse_from_str(text, format).map(|date| date.and_time(NaiveTime::MIN)))
        .ok()
}

fn common(mapping: &Mapping, zone: Tz) -> Common {
    let empty = mapping.empty.iter().map(|value| fold(value)).chain([String::new()]).collect();
    Common { empty, zone: mapping.time_zone.unwrap_or(zone) }
}

impl Shape {
    /// Makes a mapping ready for a file's columns; everything that is wrong is named at once.
    pub(super) fn compile(
        mapping: &Mapping,
        columns: &[String],
        vertical: &VerticalTerms,
        zone: Tz,
    ) -> Result<Self, Vec<FieldProblem>> {
        let mut problems: Vec<FieldProblem> = Vec::new();
        let mut readers: BTreeMap<String, Reader> = BTreeMap::new();
        for (key, part) in mapping.parts() {
            match Reader::compile(&key, part, columns) {
                Ok(reader) => drop(readers.insert(key, reader)),
                Err(problem) => problems.push(problem),
            }
        }
        if vertical.unknown_fields == UnknownFields::Refuse {
            let unknown = |key: &&String| !vertical.fields.iter().any(|field| field.key == **key);
            problems.extend(mapping.fields.keys().filter(unknown).map(|key| {
                FieldProblem::new(format!("fields.{key}"), "UNKNOWN_FIELD", "the vertical has no such field")
            }));
        }
        problems.extend(missing(mapping, columns, vertical));
        if !problems.is_empty() {
            return Err(problems);
        }
        let kept = if mapping.unmapped == Unmapped::Keep { unused(&readers, columns) } else { Vec::new() };
        let consent = mapping.consent.as_ref().map(|consent| ConsentShape {
            parts: CONSENT_PARTS
                .into_iter()
                .filter_map(|key| Some((key, readers.remove(&format!("consent.{key}"))?)))
                .collect(),
            purposes: consent.purposes.clone(),
            recipients: consent.recipients.clone(),
        });
        Ok(Self {
            common: common(mapping, zone),
            external_id: readers.remove("external_id"),
            subid: readers.remove("subid"),
            enquired_at: readers.remove("enquired_at"),
            fields: readers.into_values().collect(),
            kept,
            consent,
        })
    }

    /// The lead of a row. What cannot be read is a problem of the draft, reported with those of check 2.
    pub(super) fn draft(&self, row: &[String], source_id: SourceId, idempotency_key: String) -> LeadDraft {
        let mut problems = Vec::new();
        let mut fields = Map::new();
        for reader in &self.fields {
            match reader.read(row, &self.common) {
                Ok(Some(text)) => drop(fields.insert(reader.key.clone(), Value::String(text))),
                Ok(None) => {}
                Err(problem) => problems.push(problem),
            }
        }
        for (key, at) in &self.kept {
            if let Some(text) = row.get(*at).filter(|text| !self.common.empty.contains(&fold(text))) {
                fields.insert(key.clone(), Value::String(text.clone()));
            }
        }
        let mut text = |reader: &Option<Reader>| {
            mark(reader.as_ref(), row, &self.common).map_err(|problem| problems.push(problem)).ok().flatten()
        };
        let (external_id, subid) = (text(&self.external_id), text(&self.subid));
        let enquired_at = self.enquired_at.as_ref().map_or(Ok(None), |reader| reader.moment(row, &self.common));
        let enquired_at = enquired_at.map_err(|problem| problems.push(problem)).ok().flatten();
        let consent = self.consent.as_ref().map(|shape| shape.read(row, &self.common, &mut problems));
        LeadDraft {
            source_id,
            door: Door::Import,
            fields,
            consent,
            problems,
            subid,
            external_id,
            idempotency_key: Some(idempotency_key),
            enquired_at,
        }
    }
}

/// Fields that every lead must have and no column gives: every single row would be refused for them.
fn missing(mapping: &Mapping, columns: &[String], vertical: &VerticalTerms) -> Vec<FieldProblem> {
    let required = vertical.fields.iter().filter(|field| field.required != Required::Never);
    let is_given = |key: &String| {
        mapping.fields.contains_key(key) || (mapping.unmapped == Unmapped::Keep && columns.contains(key))
    };
    required
        .filter(|field| !is_given(&field.key))
        .map(|field| {
            let message = format!("the vertical requires it: name its column, as in {} = \"HEADING\"", field.key);
            FieldProblem::new(format!("fields.{}", field.key), "REQUIRED", message)
        })
        .collect()
}

/// The longest mark of a supplier, in characters, as at the other doors.
const MARK_CHARS_MAX: usize = 200;

/// A supplier's own mark: a short text.
fn mark(reader: Option<&Reader>, row: &[String], common: &Common) -> Result<Option<String>, FieldProblem> {
    let Some(reader) = reader else { return Ok(None) };
    let text = reader.read(row, common)?;
    if text.as_ref().is_some_and(|text| text.chars().count() > MARK_CHARS_MAX) {
        return Err(reader.problem("TOO_LONG", "at most 200 characters are expected"));
    }
    Ok(text)
}

const CONSENT_PARTS: [&str; 6] = ["text", "text_version", "given_at", "page_url", "ip", "basis"];

/// The columns no part of the mapping reads.
fn unused(readers: &BTreeMap<String, Reader>, columns: &[String]) -> Vec<(String, usize)> {
    let mut used = BTreeSet::new();
    for reader in readers.values() {
        match &reader.from {
            From::Column(at) => drop(used.insert(*at)),
            From::Columns(all, _) => used.extend(all.iter().copied()),
            From::Constant(_) => {}
        }
    }
    let named = columns.iter().enumerate().filter(|(at, name)| !used.contains(at) && !name.is_empty());
    named.map(|(at, name)| (name.clone(), at)).collect()
}

impl ConsentShape {
    fn read(&self, row: &[String], common: &Common, problems: &mut Vec<FieldProblem>) -> Consent {
        let mut text = |key: &str| {
            let read = self.parts.get(key).map_or(Ok(None), |reader| reader.read(row, common));
            read.map_err(|problem| problems.push(problem)).ok().flatten()
        };
        let consent = Consent {
            text: text("text"),
            text_version: text("text_version"),
            page_url: text("page_url"),
            ip: text("ip"),
            basis: text("basis"),
            purposes: self.purposes.clone(),
            recipients: self.recipients.clone(),
            ..Consent::default()
        };
        let given_at = self.parts.get("given_at").map_or(Ok(None), |reader| reader.moment(row, common));
        Consent { given_at: given_at.map_err(|problem| problems.push(problem)).ok().flatten(), ..consent }
    }
}

impl ConversionShape {
    /// Makes the conversion part of a mapping ready for a file's columns.
    pub(super) fn compile(
        mapping: &Mapping,
        conversion: &ConversionMapping,
        columns: &[String],
    ) -> Result<Self, Vec<FieldProblem>> {
        let mut problems = Vec::new();
        let mut reader = |key: &str, part: Option<&Part>| {
            let compiled = part.map(|part| Reader::compile(&format!("conversion.{key}"), part, columns)).transpose();
            compiled.map_err(|problem| problems.push(problem)).ok().flatten()
        };
        let kind = reader("kind", Some(&conversion.kind));
        let value = reader("value", conversion.value.as_ref());
        let happened_at = reader("happened_at", conversion.happened_at.as_ref());
        let buyer = reader("buyer", conversion.buyer.as_ref());
        match kind {
            Some(kind) if problems.is_empty() => {
                Ok(Self { common: common(mapping, Tz::UTC), kind, value, happened_at, buyer })
            }
            _ => Err(problems),
        }
    }

    pub(super) fn common(&self) -> &Common {
        &self.common
    }

    /// What a row says.
    pub(super) fn read(&self, row: &[String]) -> Result<ConversionRow, FieldProblem> {
        let text = |reader: &Option<Reader>| match reader {
            Some(reader) => reader.read(row, &self.common),
            None => Ok(None),
        };
        Ok(ConversionRow {
            kind: self.kind.read(row, &self.common)?,
            value: text(&self.value)?,
            happened_at: match &self.happened_at {
                Some(reader) => reader.moment(row, &self.common)?,
                None => None,
            },
            buyer: text(&self.buyer)?,
        })
    }
}
