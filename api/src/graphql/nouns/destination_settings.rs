//! The settings of destinations as staff read them. What may be a secret is not shown.

use async_graphql::SimpleObject;
use leadyard_connectors::ping::{self, OneOrMore, Place};
use leadyard_connectors::{EmailConfig, PingConfig, WebhookConfig};
use serde_json::Value;

use super::super::scalars::MinorUnits;
use super::super::words::{
    AnswerFormat, DecimalMark, HashAlgorithm, PingFact, PingFormat, PingMethod, PingPreset, PriceUnit,
};
use super::int;
use super::setup::webhook_input::WebhookMethod;

/// The places of settings that are not shown, as JSON pointers.
pub(super) struct Withheld(pub(super) Vec<String>);

impl Withheld {
    fn shown<T>(&self, place: &str, value: T) -> Option<T> {
        (!self.0.iter().any(|withheld| withheld == place)).then_some(value)
    }

    fn headers(&self, headers: &[(String, String)]) -> Vec<Header> {
        let header = |(place, (name, value)): (usize, &(String, String))| Header {
            name: name.clone(),
            value: self.shown(&format!("/headers/{place}/1"), value.clone()),
        };
        headers.iter().enumerate().map(header).collect()
    }
}

/// A header of a request.
#[derive(Debug, SimpleObject)]
pub(crate) struct Header {
    /// Its name.
    name: String,
    /// Its value; absent where it may be a secret.
    value: Option<String>,
}

/// The settings of a webhook.
#[derive(Debug, SimpleObject)]
pub(crate) struct WebhookSettings {
    /// Where to; absent where the address may hold a key.
    url: Option<String>,
    /// By which HTTP method a lead is sent.
    method: WebhookMethod,
    /// Further headers.
    headers: Vec<Header>,
    /// What the body is, which decides how a template's values are escaped.
    content_type: String,
    /// The body as a template; absent: the standard event.
    template: Option<String>,
    /// How long the whole exchange may take, in milliseconds.
    timeout_ms: i32,
}

impl WebhookSettings {
    pub(super) fn of(config: WebhookConfig, withheld: &Withheld) -> Self {
        Self {
            url: withheld.shown("/url", config.url),
            method: config.method.into(),
            headers: withheld.headers(&config.headers),
            content_type: config.content_type,
            template: config.template,
            timeout_ms: int(config.timeout_ms),
        }
    }
}

/// The settings of a mail.
#[derive(Debug, SimpleObject)]
pub(crate) struct EmailSettings {
    /// The recipients, together in one mail; each an address with or without a name.
    to: Vec<String>,
    /// The subject, a plain-text template.
    subject: String,
    /// The body, a plain-text template.
    body: String,
    /// Where answers go, an address with or without a name; absent: to the sender.
    reply_to: Option<String>,
}

impl From<EmailConfig> for EmailSettings {
    fn from(config: EmailConfig) -> Self {
        Self { to: config.to, subject: config.subject, body: config.body, reply_to: config.reply_to }
    }
}

/// One entry of a ping's payload. One of field, constant and fact; none of them takes the preset's entry out.
#[derive(Debug, SimpleObject)]
pub(crate) struct PingEntry {
    /// The buyer's name for it.
    name: String,
    /// The field of ours.
    field: Option<String>,
    /// Whether it is a constant.
    is_constant: bool,
    /// The constant as text; absent where it may be a secret.
    constant: Option<String>,
    /// What a ping knows beside the fields.
    fact: Option<PingFact>,
}

/// A personal value that goes out hashed.
#[derive(Debug, SimpleObject)]
pub(crate) struct PingHash {
    /// Our field.
    field: String,
    /// The buyer's name for it.
    name: String,
    /// How it is hashed.
    algorithm: HashAlgorithm,
}

/// Where a value stands in an answer.
#[derive(Debug, SimpleObject)]
pub(crate) struct AnswerPlace {
    /// A path such as `bids.0.price`.
    path: Option<String>,
    /// A regular expression over what stands there, or over the whole answer.
    pattern: Option<String>,
}

impl From<Place> for AnswerPlace {
    fn from(place: Place) -> Self {
        match place {
            Place::Path(path) => Self { path: Some(path), pattern: None },
            Place::Part(part) => Self { path: part.path, pattern: Some(part.pattern) },
        }
    }
}

/// A question to an answer.
#[derive(Debug, SimpleObject)]
pub(crate) struct AnswerTest {
    /// Of which value; absent: of the whole answer as text.
    path: Option<String>,
    /// Whether it is one of these; none: not asked.
    equals: Vec<String>,
    /// Whether a regular expression is found in it.
    pattern: Option<String>,
}

impl From<ping::AnswerTest> for AnswerTest {
    fn from(test: ping::AnswerTest) -> Self {
        let equals = match test.equals {
            None => Vec::new(),
            Some(OneOrMore::One(value)) => vec![value],
            Some(OneOrMore::More(values)) => values,
        };
        Self { path: test.path, equals: equals.iter().map(text).collect(), pattern: test.pattern }
    }
}

/// A value of JSON as it is written, a text without its quotes.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// How an answer is read, where it differs from the preset.
#[derive(Debug, SimpleObject)]
pub(crate) struct PingAnswer {
    /// In which format it is.
    format: Option<AnswerFormat>,
    /// Statuses with which a bid can come; none: every 2xx.
    statuses: Vec<i32>,
    /// Whether the buyer bids.
    success: Option<AnswerTest>,
    /// Whether the buyer has the person already.
    duplicate: Option<AnswerTest>,
    /// Whether the buyer says that the ping itself is wrong.
    error: Option<AnswerTest>,
    /// The price to be the only buyer, or at all.
    price: Option<AnswerPlace>,
    /// The prices where two, three … buy.
    shared_prices: Vec<AnswerPlace>,
    /// What a buyer pays who bids without naming a price, in minor units of the campaign's currency.
    default_price_minor: Option<MinorUnits>,
    /// In which unit prices are.
    unit: Option<PriceUnit>,
    /// How decimals are written in a price that is text.
    decimals: Option<DecimalMark>,
    /// The currency of the prices.
    currency: Option<AnswerPlace>,
    /// The buyer's mark of the ping.
    reference: Option<AnswerPlace>,
    /// Why there is no bid.
    reason: Option<AnswerPlace>,
    /// The reason where an answer has none.
    default_reason: Option<String>,
    /// How long the bid holds.
    expires: Option<AnswerPlace>,
}

impl From<ping::PingAnswerConfig> for PingAnswer {
    fn from(of: ping::PingAnswerConfig) -> Self {
        Self {
            format: of.format.map(Into::into),
            statuses: of.statuses.into_iter().map(int).collect(),
            success: of.success.map(Into::into),
            duplicate: of.duplicate.map(Into::into),
            error: of.error.map(Into::into),
            price: of.price.map(Into::into),
            shared_prices: of.shared_prices.into_iter().map(Into::into).collect(),
            default_price_minor: of.default_price_minor.map(MinorUnits),
            unit: of.unit.map(Into::into),
            decimals: of.decimals.map(Into::into),
            currency: of.currency.map(Into::into),
            reference: of.reference.map(Into::into),
            reason: of.reason.map(Into::into),
            default_reason: of.default_reason,
            expires: of.expires.map(Into::into),
        }
    }
}

/// The settings of a place where a buyer is asked for bids.
#[derive(Debug, SimpleObject)]
pub(crate) struct PingSettings {
    /// Where to; absent where the address may hold a key.
    url: Option<String>,
    /// A known system whose shape fills in what is not given here.
    preset: Option<PingPreset>,
    /// How; absent: as usual for the format.
    method: Option<PingMethod>,
    /// In what the ping is written; absent: the preset's, or JSON.
    format: Option<PingFormat>,
    /// Another content type than the format's own.
    content_type: Option<String>,
    /// The name of XML's root element.
    root: Option<String>,
    /// The whole payload as a template.
    template: Option<String>,
    /// Entries of the payload beside the preset's.
    mapping: Vec<PingEntry>,
    /// Further headers.
    headers: Vec<Header>,
    /// How many milliseconds the buyer has.
    timeout_ms: i32,
    /// Personal values that go out hashed.
    hashes: Vec<PingHash>,
    /// How the answer is read; absent: as the preset says.
    answer: Option<PingAnswer>,
}

impl PingSettings {
    pub(super) fn of(config: PingConfig, withheld: &Withheld) -> Self {
        let entry = |(place, entry): (usize, ping::MappingEntry)| PingEntry {
            name: entry.name,
            field: entry.field,
            is_constant: entry.value.is_some(),
            constant: entry.value.and_then(|value| withheld.shown(&format!("/mapping/{place}/value"), text(&value))),
            fact: entry.fact.map(Into::into),
        };
        let hash =
            |hash: ping::PingHash| PingHash { field: hash.field, name: hash.name, algorithm: hash.algorithm.into() };
        Self {
            url: withheld.shown("/url", config.url),
            preset: config.preset.map(Into::into),
            method: config.method.map(Into::into),
            format: config.format.map(Into::into),
            content_type: config.content_type,
            root: config.root,
            template: config.template,
            headers: withheld.headers(&config.headers),
            mapping: config.mapping.into_iter().enumerate().map(entry).collect(),
            timeout_ms: int(config.timeout_ms),
            hashes: config.hashes.into_iter().map(hash).collect(),
            answer: config.answer.map(Into::into),
        }
    }
}
