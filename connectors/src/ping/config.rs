//! The settings of a ping destination, as an operator writes them.

use std::time::Duration;

use leadyard_types::words;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::document::AnswerFormat;
use super::preset::Preset;
use super::price::{DecimalMark, PriceUnit};

/// Most bidders answer in a few hundred milliseconds; the campaign's deadline holds besides.
pub(super) const TIMEOUT_MS_DEFAULT: u64 = 2_000;
/// Less than this is over before a connection stands.
pub(super) const TIMEOUT_MS_MIN: u64 = 50;
/// More than this no visitor waits.
pub(super) const TIMEOUT_MS_MAX: u64 = 10_000;

words! {
    /// How a buyer is asked.
    pub enum PingMethod("ping method") {
        /// POST.
        Post = "POST",
        /// GET; only with [`PingFormat::Query`].
        Get = "GET",
    }
}

words! {
    /// What a ping is written in.
    pub enum PingFormat("ping format") {
        /// A JSON object; a dot in a name nests.
        Json = "JSON",
        /// `application/x-www-form-urlencoded`.
        Form = "FORM",
        /// XML below one root element; a dot in a name nests.
        Xml = "XML",
        /// The query of the URL, after what stands there already.
        Query = "QUERY",
    }
}

words! {
    /// What a ping knows beside the fields.
    pub enum PingFact("ping fact") {
        /// The ping's id; the buyer gets it back with the post.
        PingId = "PING_ID",
        /// The vertical's key.
        Vertical = "VERTICAL",
        /// The campaign's name.
        Campaign = "CAMPAIGN",
        /// Two letters of ISO 3166.
        Country = "COUNTRY",
        /// Three letters of ISO 4217.
        Currency = "CURRENCY",
        /// The most buyers the lead goes to.
        Places = "PLACES",
        /// Whether it is a test.
        Test = "TEST",
        /// Every field a ping may show, by its own key, below the entry's name (`*`: beside the other entries).
        Fields = "FIELDS",
    }
}

words! {
    /// How a personal value is hashed: over the normalised value in UTF-8, as lower-case hexadecimal digits.
    pub enum HashAlgorithm("hash algorithm") {
        /// SHA-256.
        Sha256 = "SHA256",
        /// MD5, for buyers whose lists are made of it. It hides nothing from somebody who tries all numbers.
        Md5 = "MD5",
        /// HMAC-SHA-256; the key is the text of the destination's newest secret, as it was entered.
        HmacSha256 = "HMAC_SHA256",
    }
}

/// One entry of a ping's payload: a name of the buyer's, and where its value comes from. A name alone takes the entry of
/// that name out of the preset.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappingEntry {
    /// The buyer's name; dots nest in JSON and XML (`ContactData.ZipCode`).
    pub name: String,
    /// A field of ours that a ping may show. Left out where the lead does not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// A constant: text, number or truth value. In a text `{secret}` stands for the destination's newest secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Something a ping knows beside the fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fact: Option<PingFact>,
}

/// A constant may be a key, so only the name is shown.
impl std::fmt::Debug for MappingEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MappingEntry")
            .field("name", &self.name)
            .field("field", &self.field)
            .field("constant", &self.value.is_some())
            .field("fact", &self.fact)
            .finish()
    }
}

/// A personal value that a buyer wants to see hashed, to find its own customers by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PingHash {
    /// Our field, for example `phone`.
    pub field: String,
    /// The buyer's name; dots nest in JSON and XML.
    pub name: String,
    /// How.
    pub algorithm: HashAlgorithm,
}

/// Where a value stands in an answer: a path, or a pattern over what a path leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Place {
    /// A path such as `bids.0.price`; alternatives are separated by `|`.
    Path(String),
    /// A part of a value, or of the whole answer.
    Part(PlacePart),
}

/// A part of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlacePart {
    /// Where; absent = the whole answer as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// A regular expression, case-insensitive; its first group is the value, or all of it where there is none.
    pub pattern: String,
}

/// A question to an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerTest {
    /// Of which value; absent = the whole answer as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Whether it is one of these, without regard to case; numbers and truth values as they are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<OneOrMore>,
    /// Whether a regular expression is found in it, case-insensitive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

/// One value, or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMore {
    /// Several.
    More(Vec<Value>),
    /// One.
    One(Value),
}

impl OneOrMore {
    pub(super) fn all(&self) -> &[Value] {
        match self {
            Self::More(values) => values,
            Self::One(value) => std::slice::from_ref(value),
        }
    }
}

/// How a buyer's answer is read. What is not given is the preset's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PingAnswerConfig {
    /// In which format; absent = AUTO.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<AnswerFormat>,
    /// Statuses with which a bid can come; empty = every 2xx.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<u16>,
    /// Whether the buyer bids. Without it every price above zero is a bid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success: Option<AnswerTest>,
    /// Whether the buyer has the person already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<AnswerTest>,
    /// Whether the buyer says that the ping itself is wrong (a key, a missing field).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<AnswerTest>,
    /// The price to be the only buyer (or at all).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Place>,
    /// The prices where two, three … buy. The list ends at the first that an answer does not have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shared_prices: Vec<Place>,
    /// Minor units of the campaign's currency: what a buyer pays who bids without naming a price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_price_minor: Option<i64>,
    /// In which unit prices are; absent = MAJOR.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<PriceUnit>,
    /// How decimals are written in a price that is text; absent = AUTO.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimals: Option<DecimalMark>,
    /// The currency of the prices; where an answer has none, it is the campaign's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Place>,
    /// The buyer's mark of the ping, which goes back with the post.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<Place>,
    /// Why there is no bid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Place>,
    /// The reason where an answer has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_reason: Option<String>,
    /// How long the bid holds: seconds, or a time of RFC 3339, which is compared with the answer's own `Date`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Place>,
}

impl PingAnswerConfig {
    /// These settings, filled up from others.
    pub(super) fn or(&self, other: Self) -> Self {
        let of = self.clone();
        let list = |ours: Vec<Place>, others| if ours.is_empty() { others } else { ours };
        Self {
            format: of.format.or(other.format),
            statuses: if of.statuses.is_empty() { other.statuses } else { of.statuses },
            success: of.success.or(other.success),
            duplicate: of.duplicate.or(other.duplicate),
            error: of.error.or(other.error),
            price: of.price.or(other.price),
            shared_prices: list(of.shared_prices, other.shared_prices),
            default_price_minor: of.default_price_minor.or(other.default_price_minor),
            unit: of.unit.or(other.unit),
            decimals: of.decimals.or(other.decimals),
            currency: of.currency.or(other.currency),
            reference: of.reference.or(other.reference),
            reason: of.reason.or(other.reason),
            default_reason: of.default_reason.or(other.default_reason),
            expires: of.expires.or(other.expires),
        }
    }
}

/// A ping destination: where a buyer is asked for a bid, what it is sent, and how its answer is read. Its `Debug` form
/// shows neither the URL nor the values of headers and constants.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PingConfig {
    /// Where to.
    pub url: String,
    /// A known system whose shape fills in what is not given here. Without it and without an `answer` it is LEADYARD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// How; absent = GET for a QUERY, POST for everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<PingMethod>,
    /// In what the ping is written; absent = the preset's, or JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<PingFormat>,
    /// Another content type than the format's own, for example `text/xml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The name of XML's root element; absent = the preset's, or `ping`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// The whole payload as a template of the operator's, instead of a mapping. It sees `ping_id`, `vertical`,
    /// `campaign`, `country`, `currency`, `places`, `test`, `fields`, `hashes` and `secret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The payload's entries; they replace the preset's of the same name and come after its others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mapping: Vec<MappingEntry>,
    /// Further headers. In a value `{secret}` stands for the destination's newest secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// How long the buyer has, in milliseconds; the auction's own deadline holds besides.
    #[serde(default = "timeout")]
    pub timeout_ms: u64,
    /// Personal values that go out hashed; no other ever does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hashes: Vec<PingHash>,
    /// How the answer is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<PingAnswerConfig>,
}

fn timeout() -> u64 {
    TIMEOUT_MS_DEFAULT
}

impl std::fmt::Debug for PingConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PingConfig")
            .field("preset", &self.preset)
            .field("method", &self.method)
            .field("format", &self.format)
            .field("template_bytes", &self.template.as_ref().map(String::len))
            .field("mapping", &self.mapping)
            .field("headers", &self.headers.len())
            .field("timeout_ms", &self.timeout_ms)
            .field("hashes", &self.hashes)
            .field("answer", &self.answer)
            .finish_non_exhaustive()
    }
}

impl PingConfig {
    /// A destination that speaks leadyard's own shape.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            preset: None,
            method: None,
            format: None,
            content_type: None,
            root: None,
            template: None,
            mapping: Vec::new(),
            headers: Vec::new(),
            timeout_ms: TIMEOUT_MS_DEFAULT,
            hashes: Vec::new(),
            answer: None,
        }
    }

    /// How long an exchange may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.clamp(TIMEOUT_MS_MIN, TIMEOUT_MS_MAX))
    }
}
