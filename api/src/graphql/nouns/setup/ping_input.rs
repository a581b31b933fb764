//! The settings of a place where a buyer is asked for bids, as they are sent.

use async_graphql::{InputObject, MaybeUndefined, OneofObject};
use leadyard_connectors::PingConfig;
use leadyard_connectors::ping::{AnswerTest, MappingEntry, OneOrMore, PingAnswerConfig, PingHash, Place, PlacePart};
use leadyard_types::FieldProblem;
use serde_json::Value;

use super::super::super::scalars::{MinorUnits, WholeNumber};
use super::super::super::words::{
    AnswerFormat, DecimalMark, HashAlgorithm, PingFact, PingFormat, PingMethod, PingPreset, PriceUnit,
};
use super::reading::{Read, Reading, list, plain, whole};
use super::webhook_input::{HeaderInput, headers};

/// Where the value of an entry comes from: exactly one of these.
#[derive(Debug, OneofObject)]
pub(crate) enum PingValueInput {
    /// A field of ours that a ping may show. Left out of the ping where the lead does not have it.
    Field(String),
    /// A constant text. In it `{secret}` stands for the destination's newest secret.
    Text(String),
    /// A constant number.
    Number(WholeNumber),
    /// A constant truth value.
    Flag(bool),
    /// Something that a ping knows beside the fields.
    Fact(PingFact),
}

/// One entry of a ping's payload.
#[derive(Debug, InputObject)]
pub(crate) struct PingEntryInput {
    /// The buyer's name for it; dots nest in JSON and XML.
    name: String,
    /// Where its value comes from; left out: the preset's entry of this name is taken out.
    value: Option<PingValueInput>,
}

impl PingEntryInput {
    fn read(self, _: &str) -> Read<MappingEntry> {
        let none = MappingEntry { name: self.name, field: None, value: None, fact: None };
        Ok(match self.value {
            None => none,
            Some(PingValueInput::Field(field)) => MappingEntry { field: Some(field), ..none },
            Some(PingValueInput::Text(text)) => MappingEntry { value: Some(text.into()), ..none },
            Some(PingValueInput::Number(number)) => MappingEntry { value: Some(number.0.into()), ..none },
            Some(PingValueInput::Flag(flag)) => MappingEntry { value: Some(flag.into()), ..none },
            Some(PingValueInput::Fact(fact)) => MappingEntry { fact: Some(fact.into()), ..none },
        })
    }
}

/// A personal value that goes out hashed; no other ever does.
#[derive(Debug, InputObject)]
pub(crate) struct PingHashInput {
    /// Our field, for example `phone`.
    field: String,
    /// The buyer's name for it.
    name: String,
    /// How it is hashed.
    algorithm: HashAlgorithm,
}

impl PingHashInput {
    fn read(self, _: &str) -> Read<PingHash> {
        Ok(PingHash { field: self.field, name: self.name, algorithm: self.algorithm.into() })
    }
}

/// Where a value stands in an answer. One of path and pattern, or both.
#[derive(Debug, InputObject)]
pub(crate) struct AnswerPlaceInput {
    /// A path such as `bids.0.price`; alternatives are separated by `|`.
    path: Option<String>,
    /// A regular expression over what stands there, or over the whole answer; its first group is the value.
    pattern: Option<String>,
}

impl AnswerPlaceInput {
    fn read(self, at: &str) -> Read<Place> {
        match (self.path, self.pattern) {
            (path, Some(pattern)) => Ok(Place::Part(PlacePart { path, pattern })),
            (Some(path), None) => Ok(Place::Path(path)),
            (None, None) => Err(FieldProblem::new(at, "REQUIRED", "a path, a pattern or both are expected")),
        }
    }
}

/// A question to an answer.
#[derive(Debug, InputObject)]
pub(crate) struct AnswerTestInput {
    /// Of which value; left out: of the whole answer as text.
    path: Option<String>,
    /// Whether it is one of these, without regard to case; numbers and truth values as they are written.
    equals: Option<Vec<String>>,
    /// Whether a regular expression is found in it, without regard to case.
    pattern: Option<String>,
}

impl AnswerTestInput {
    fn read(self, _: &str) -> Read<AnswerTest> {
        let more = |texts: Vec<String>| OneOrMore::More(texts.into_iter().map(Value::from).collect());
        Ok(AnswerTest { path: self.path, equals: self.equals.map(more), pattern: self.pattern })
    }
}

/// How an answer is read, where it differs from the preset. What is left out is the preset's.
#[derive(Debug, InputObject)]
pub(crate) struct PingAnswerInput {
    /// In which format it is.
    format: Option<AnswerFormat>,
    /// Statuses with which a bid can come; none: every 2xx.
    statuses: Option<Vec<i32>>,
    /// Whether the buyer bids. Without it every price above zero is a bid.
    success: Option<AnswerTestInput>,
    /// Whether the buyer has the person already.
    duplicate: Option<AnswerTestInput>,
    /// Whether the buyer says that the ping itself is wrong.
    error: Option<AnswerTestInput>,
    /// The price to be the only buyer, or at all.
    price: Option<AnswerPlaceInput>,
    /// The prices where two, three … buy.
    shared_prices: Option<Vec<AnswerPlaceInput>>,
    /// What a buyer pays who bids without naming a price, in minor units of the campaign's currency.
    default_price_minor: Option<MinorUnits>,
    /// In which unit prices are.
    unit: Option<PriceUnit>,
    /// How decimals are written in a price that is text.
    decimals: Option<DecimalMark>,
    /// The currency of the prices; where an answer has none, it is the campaign's.
    currency: Option<AnswerPlaceInput>,
    /// The buyer's mark of the ping, which goes back with the post.
    reference: Option<AnswerPlaceInput>,
    /// Why there is no bid.
    reason: Option<AnswerPlaceInput>,
    /// The reason where an answer has none.
    default_reason: Option<String>,
    /// How long the bid holds: seconds, or a time of RFC 3339.
    expires: Option<AnswerPlaceInput>,
}

impl PingAnswerInput {
    fn read(self, at: &str) -> Read<PingAnswerConfig> {
        let path = |name: &str| format!("{at}.{name}");
        let place =
            |given: Option<AnswerPlaceInput>, name: &str| given.map(|given| given.read(&path(name))).transpose();
        let test = |given: Option<AnswerTestInput>, name: &str| given.map(|given| given.read(&path(name))).transpose();
        Ok(PingAnswerConfig {
            format: self.format.map(Into::into),
            statuses: list(whole)(self.statuses.unwrap_or_default(), &path("statuses"))?,
            success: test(self.success, "success")?,
            duplicate: test(self.duplicate, "duplicate")?,
            error: test(self.error, "error")?,
            price: place(self.price, "price")?,
            shared_prices: list(AnswerPlaceInput::read)(self.shared_prices.unwrap_or_default(), &path("sharedPrices"))?,
            default_price_minor: self.default_price_minor.map(|price| price.0),
            unit: self.unit.map(Into::into),
            decimals: self.decimals.map(Into::into),
            currency: place(self.currency, "currency")?,
            reference: place(self.reference, "reference")?,
            reason: place(self.reason, "reason")?,
            default_reason: self.default_reason,
            expires: place(self.expires, "expires")?,
        })
    }
}

/// A place where a buyer is asked for bids. What is left out stays; of a new one it is the preset's.
#[derive(Debug, InputObject)]
pub(crate) struct PingInput {
    /// Where to, an https address.
    url: MaybeUndefined<String>,
    /// A known system whose shape fills in what is not given here; null, and without an `answer`: LEADYARD.
    preset: MaybeUndefined<PingPreset>,
    /// How; null: GET for a QUERY, POST for everything else.
    method: MaybeUndefined<PingMethod>,
    /// In what the ping is written; null: the preset's, or JSON.
    format: MaybeUndefined<PingFormat>,
    /// Another content type than the format's own; null: the format's.
    content_type: MaybeUndefined<String>,
    /// The name of XML's root element; null: the preset's, or `ping`.
    root: MaybeUndefined<String>,
    /// The whole payload as a template, instead of a mapping; null: none.
    template: MaybeUndefined<String>,
    /// All entries of the payload; they replace the preset's of the same name and come after its others.
    mapping: MaybeUndefined<Vec<PingEntryInput>>,
    /// All further headers. In a value `{secret}` stands for the destination's newest secret.
    headers: MaybeUndefined<Vec<HeaderInput>>,
    /// How long the buyer has, 50 to 10000 milliseconds; null: 2000. The auction's own deadline holds besides.
    timeout_ms: MaybeUndefined<i32>,
    /// All personal values that go out hashed.
    hashes: MaybeUndefined<Vec<PingHashInput>>,
    /// How the answer is read; replaces what stands. Null: as the preset says.
    answer: MaybeUndefined<PingAnswerInput>,
}

/// Where the settings of pings stand in the input.
const PING: &str = "settings.ping";

impl PingInput {
    pub(super) fn lay(self, config: &mut PingConfig, reading: &mut Reading) {
        let (at, usual) = (|name: &str| format!("{PING}.{name}"), PingConfig::new(""));
        let now = config.headers.clone();
        reading.set(&at("url"), self.url, &mut config.url, plain);
        reading.optional(&at("preset"), self.preset, &mut config.preset, plain);
        reading.optional(&at("method"), self.method, &mut config.method, plain);
        reading.optional(&at("format"), self.format, &mut config.format, plain);
        reading.optional(&at("contentType"), self.content_type, &mut config.content_type, plain);
        reading.optional(&at("root"), self.root, &mut config.root, plain);
        reading.optional(&at("template"), self.template, &mut config.template, plain);
        let mapping = (&mut config.mapping, Vec::new());
        reading.set_or(&at("mapping"), self.mapping, mapping, list(PingEntryInput::read));
        let read = |given, path: &str| headers(given, path, &now);
        reading.set_or(&at("headers"), self.headers, (&mut config.headers, Vec::new()), read);
        reading.set_or(&at("timeoutMs"), self.timeout_ms, (&mut config.timeout_ms, usual.timeout_ms), whole);
        reading.set_or(&at("hashes"), self.hashes, (&mut config.hashes, Vec::new()), list(PingHashInput::read));
        reading.optional(&at("answer"), self.answer, &mut config.answer, PingAnswerInput::read);
    }
}
