//! The settings of an answer, made ready: paths parsed, patterns compiled, every problem named.

use leadyard_types::FieldProblem;
use regex::{Regex, RegexBuilder};
use serde_json::Value;

use crate::ping::config::{AnswerTest, OneOrMore, PingAnswerConfig, Place};
use crate::ping::document::{AnswerFormat, Document, DocumentProblem, Found, Path};
use crate::ping::price::{DecimalMark, PRICE_MINOR_MAX, PriceUnit, Writing};

/// The longest pattern: one that looks for a word or a number has thirty characters.
const PATTERN_CHARS_MAX: usize = 300;
/// The memory a compiled pattern may take: enough for any honest one, too little for `\w{1000}{1000}`.
const PATTERN_BYTES_MAX: usize = 1 << 20;
/// The most values a test compares with.
const EQUALS_MAX: usize = 20;
/// The most statuses a bid can come with.
const STATUSES_MAX: usize = 20;
/// The most numbers of buyers with a price of their own.
const SHARED_PRICES_MAX: usize = 8;
/// The longest reason that stands in for a missing one.
const REASON_CHARS_MAX: usize = 200;

/// Where a value stands.
#[derive(Debug)]
pub(super) struct Spot {
    path: Option<Path>,
    pattern: Option<Regex>,
}

impl Spot {
    /// The value, if the answer has it.
    pub(super) fn find(&self, document: &Document<'_>, all: &str) -> Result<Option<Found>, DocumentProblem> {
        let found = match &self.path {
            Some(path) => document.find(path)?,
            None => Some(Found::text(all)),
        };
        let (Some(found), Some(pattern)) = (&found, &self.pattern) else { return Ok(found) };
        let part = pattern.captures(&found.text).and_then(|groups| groups.get(1).or(groups.get(0)));
        Ok(part.map(|part| Found::text(part.as_str())))
    }
}

/// What a test came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tested {
    Yes,
    No,
    /// The value it looks at is not there.
    Absent,
}

/// A question to an answer.
#[derive(Debug)]
pub(super) struct Test {
    spot: Spot,
    equals: Option<Vec<String>>,
    pattern: Option<Regex>,
}

impl Test {
    pub(super) fn ask(&self, document: &Document<'_>, all: &str) -> Result<Tested, DocumentProblem> {
        let Some(found) = self.spot.find(document, all)? else { return Ok(Tested::Absent) };
        let equal = |known: &Vec<String>| known.contains(&found.text.to_lowercase());
        let yes = self.equals.as_ref().is_some_and(equal)
            || self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(&found.text));
        Ok(if yes { Tested::Yes } else { Tested::No })
    }
}

/// How a buyer's answers are read.
#[derive(Debug)]
pub(in crate::ping) struct Adapter {
    pub(super) format: AnswerFormat,
    pub(super) statuses: Vec<u16>,
    pub(super) success: Option<Test>,
    pub(super) duplicate: Option<Test>,
    pub(super) error: Option<Test>,
    pub(super) price: Option<Spot>,
    pub(super) shared_prices: Vec<Spot>,
    pub(super) default_price_minor: Option<i64>,
    pub(super) writing: Writing,
    pub(super) currency: Option<Spot>,
    pub(super) reference: Option<Spot>,
    pub(super) reason: Option<Spot>,
    pub(super) default_reason: Option<String>,
    pub(super) expires: Option<Spot>,
}

impl Adapter {
    /// Makes the settings ready, or names everything that is wrong with them.
    pub(in crate::ping) fn of(config: &PingAnswerConfig) -> Result<Self, Vec<FieldProblem>> {
        let mut maker = Maker { problems: Vec::new() };
        let adapter = Self {
            format: config.format.unwrap_or(AnswerFormat::Auto),
            statuses: config.statuses.clone(),
            success: maker.test("success", config.success.as_ref()),
            duplicate: maker.test("duplicate", config.duplicate.as_ref()),
            error: maker.test("error", config.error.as_ref()),
            price: maker.spot("price", config.price.as_ref()),
            shared_prices: maker.spots("shared_prices", &config.shared_prices),
            default_price_minor: config.default_price_minor,
            writing: Writing {
                unit: config.unit.unwrap_or(PriceUnit::Major),
                decimals: config.decimals.unwrap_or(DecimalMark::Auto),
            },
            currency: maker.spot("currency", config.currency.as_ref()),
            reference: maker.spot("reference", config.reference.as_ref()),
            reason: maker.spot("reason", config.reason.as_ref()),
            default_reason: config.default_reason.clone(),
            expires: maker.spot("expires", config.expires.as_ref()),
        };
        maker.check_values(config);
        if maker.problems.is_empty() { Ok(adapter) } else { Err(maker.problems) }
    }
}

/// Collects problems while an adapter is made.
pub(super) struct Maker {
    pub(super) problems: Vec<FieldProblem>,
}

impl Maker {
    pub(super) fn problem(&mut self, name: &str, code: &str, message: impl Into<String>) {
        self.problems.push(FieldProblem::new(format!("answer.{name}"), code, message));
    }

    fn check_values(&mut self, config: &PingAnswerConfig) {
        if config.statuses.len() > STATUSES_MAX || !config.statuses.iter().all(|status| (200..500).contains(status)) {
            self.problem("statuses", "OUT_OF_RANGE", "at most 20 statuses between 200 and 499");
        }
        match config.default_price_minor {
            Some(price) if !(1..=PRICE_MINOR_MAX).contains(&price) => {
                self.problem("default_price_minor", "OUT_OF_RANGE", format!("between 1 and {PRICE_MINOR_MAX}"));
            }
            None if config.price.is_none() => {
                let message = "a `price` is needed, or a `default_price_minor` where the buyer names none";
                self.problem("price", "REQUIRED", message);
            }
            _ => {}
        }
        if config.success.is_none() && (config.price.is_none() || config.default_price_minor.is_some()) {
            self.problem(
                "success",
                "REQUIRED",
                "where the price may be missing, only a `success` tells whether there is a bid",
            );
        }
        if config.default_reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON_CHARS_MAX) {
            self.problem("default_reason", "TOO_LONG", format!("at most {REASON_CHARS_MAX} characters"));
        }
    }

    fn spots(&mut self, name: &str, places: &[Place]) -> Vec<Spot> {
        if places.len() > SHARED_PRICES_MAX {
            self.problem(name, "TOO_MANY", format!("at most {SHARED_PRICES_MAX} prices"));
        }
        let places = places.iter().take(SHARED_PRICES_MAX).enumerate();
        places.filter_map(|(index, place)| self.spot(&format!("{name}.{index}"), Some(place))).collect()
    }

    pub(super) fn spot(&mut self, name: &str, place: Option<&Place>) -> Option<Spot> {
        Some(match place? {
            Place::Path(path) => Spot { path: self.path(name, Some(path)), pattern: None },
            Place::Part(part) => {
                let path = self.path(&format!("{name}.path"), part.path.as_ref());
                Spot { path, pattern: self.pattern(&format!("{name}.pattern"), Some(&part.pattern)) }
            }
        })
    }

    pub(super) fn test(&mut self, name: &str, test: Option<&AnswerTest>) -> Option<Test> {
        let test = test?;
        if test.equals.is_none() && test.pattern.is_none() {
            self.problem(name, "REQUIRED", "a test needs `equals` or a `pattern`");
        }
        let path = self.path(&format!("{name}.path"), test.path.as_ref());
        Some(Test {
            spot: Spot { path, pattern: None },
            equals: test.equals.as_ref().map(|equals| self.equals(&format!("{name}.equals"), equals)),
            pattern: self.pattern(&format!("{name}.pattern"), test.pattern.as_ref()),
        })
    }

    fn equals(&mut self, name: &str, equals: &OneOrMore) -> Vec<String> {
        let all = equals.all();
        if all.is_empty() || all.len() > EQUALS_MAX || !all.iter().all(is_single) {
            self.problem(name, "INVALID_VALUE", "1 to 20 texts, numbers or truth values");
        }
        all.iter().take(EQUALS_MAX).map(|value| as_text(value).trim().to_lowercase()).collect()
    }

    fn path(&mut self, name: &str, path: Option<&String>) -> Option<Path> {
        let parsed = Path::parse(path?);
        if parsed.is_none() {
            let message = "at most 10 names or positions with dots between them, for example bids.0.price";
            self.problem(name, "INVALID_PATH", message);
        }
        parsed
    }

    fn pattern(&mut self, name: &str, pattern: Option<&String>) -> Option<Regex> {
        let pattern = pattern?;
        let mut builder = RegexBuilder::new(pattern);
        builder.case_insensitive(true).size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX);
        let compiled = builder.build().ok().filter(|_| pattern.chars().count() <= PATTERN_CHARS_MAX);
        if compiled.is_none() {
            let message = "a regular expression of at most 300 characters, without look-around and back-references";
            self.problem(name, "INVALID_PATTERN", message);
        }
        compiled
    }
}

fn is_single(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_))
}

/// A constant as it stands in a form or an answer.
pub(in crate::ping) fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
