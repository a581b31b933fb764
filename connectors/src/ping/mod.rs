//! Asking buyers for bids: a ping carries what the vertical does not call personal, and hashes where a buyer asks for
//! them; the answer is read by an adapter that each destination describes.
//!
//! One ping is one exchange through the guarded client: no redirects, no compressed answers, at most 64 KiB of an answer,
//! and connecting, sending and reading all within the smaller of the destination's time and what is left of the auction's.
//! What comes of it is one of six words ([`PingVerdict`]): BID; NO_BID and DUPLICATE, which the buyer says (or an empty
//! answer); INVALID, an answer that cannot be taken, with the reason; LATE; FAILED, no connection or an error of HTTP.
//!
//! # Settings
//!
//! A destination of kind PING is configured by a JSON object, see [`PingConfig`]. All of it:
//!
//! ```json
//! {
//!   "url": "https://bids.example.com/ping",
//!   "format": "JSON",
//!   "mapping": [
//!     { "name": "key", "value": "{secret}" },
//!     { "name": "lead.id", "fact": "PING_ID" },
//!     { "name": "lead.zip", "field": "postal_code" },
//!     { "name": "lead", "fact": "FIELDS" }
//!   ],
//!   "headers": [["authorization", "Bearer {secret}"]],
//!   "timeout_ms": 1500,
//!   "hashes": [{ "field": "phone", "name": "lead.phone_sha256", "algorithm": "SHA256" }],
//!   "answer": {
//!     "format": "AUTO",
//!     "statuses": [200, 201],
//!     "success": { "path": "result.status", "equals": ["accepted", "matched"] },
//!     "duplicate": { "path": "result.reason", "pattern": "duplicate|known" },
//!     "error": { "path": "result.status", "equals": "error" },
//!     "price": "result.price|result.bids.0.price",
//!     "shared_prices": ["result.shared_2", "result.shared_3"],
//!     "unit": "MAJOR",
//!     "decimals": "COMMA",
//!     "currency": "result.currency",
//!     "reference": "result.token",
//!     "reason": { "path": "result.message", "pattern": "^reason: (.*)$" },
//!     "default_reason": "filtered",
//!     "expires": "result.expires"
//!   }
//! }
//! ```
//!
//! Instead of a `mapping` a `template` can make the payload; instead of naming everything, a `preset` fills in what is
//! not given.
//!
//! # Presets
//!
//! Our own shape, for a buyer who has none yet. It is sent every field a ping may show and answers, for example,
//! `{"bid":true,"price":"15.00","currency":"EUR","shared":["9.00","7.00"],"reference":"b-7","expires_in":60}` or
//! `{"bid":false,"reason":"full"}`, with `"duplicate":true` where it has the person:
//!
//! ```json
//! { "url": "https://bids.example.com/ping", "preset": "LEADYARD" }
//! ```
//!
//! Lead Distro AI names no price, so what is agreed on stands here:
//!
//! ```json
//! {
//!   "url": "https://example.leaddistro.example/api/v1/ping",
//!   "preset": "LEAD_DISTRO",
//!   "headers": [["x-api-key", "{secret}"]],
//!   "mapping": [{ "name": "flo_campaign_id", "value": "c-1" }, { "name": "flo_supplier_id", "value": "s-1" }],
//!   "answer": { "default_price_minor": 2500 }
//! }
//! ```
//!
//! boberdoo, `pingPostLead`:
//!
//! ```json
//! {
//!   "url": "https://example.leadportal.example/new_api/api.php",
//!   "preset": "BOBERDOO",
//!   "mapping": [
//!     { "name": "Key", "value": "{secret}" },
//!     { "name": "SRC", "value": "leadyard" },
//!     { "name": "TYPE", "value": "33" },
//!     { "name": "Homeowner", "field": "homeowner" }
//!   ]
//! }
//! ```
//!
//! LeadByte; all fields go out under their own keys:
//!
//! ```json
//! { "url": "https://example.leadbyte.example/ping", "preset": "LEADBYTE", "headers": [["x_key", "{secret}"]] }
//! ```
//!
//! PX, where the vertical's own questions are added by hand:
//!
//! ```json
//! {
//!   "url": "https://leadapi.px.example/api/lead/ping",
//!   "preset": "PX",
//!   "mapping": [
//!     { "name": "ApiToken", "value": "{secret}" },
//!     { "name": "Vertical", "value": "solar" },
//!     { "name": "SubId", "value": "ly1" },
//!     { "name": "Home.Ownership", "field": "homeowner" }
//!   ]
//! }
//! ```
//!
//! ClickDealer, which is told how long it has:
//!
//! ```json
//! {
//!   "url": "https://ping.clickdealer.example/",
//!   "preset": "CLICKDEALER",
//!   "timeout_ms": 1500,
//!   "mapping": [{ "name": "api_key", "value": "{secret}" }, { "name": "max_response_time", "value": 1 }]
//! }
//! ```
//!
//! Juiced; the first of its bids is read, which is its best:
//!
//! ```json
//! {
//!   "url": "https://juiced.example/api/ping",
//!   "preset": "JUICED",
//!   "headers": [["authorization", "Basic {secret}"]],
//!   "mapping": [{ "name": "is_test", "fact": "TEST" }]
//! }
//! ```
//!
//! PingTree names no price unless `price` is among its answers; then that counts:
//!
//! ```json
//! {
//!   "url": "https://api.pingtree.example/ping",
//!   "preset": "PINGTREE",
//!   "headers": [["authorization", "Bearer {secret}"]],
//!   "answer": { "default_price_minor": 1800 }
//! }
//! ```
//!
//! Synaptis:
//!
//! ```json
//! {
//!   "url": "https://buyer.synaptis.example/bid",
//!   "preset": "SYNAPTIS",
//!   "hashes": [{ "field": "email", "name": "email_sha256", "algorithm": "SHA256" }]
//! }
//! ```
//!
//! LeadConduit:
//!
//! ```json
//! { "url": "https://app.leadconduit.example/flows/1/sources/2/ping", "preset": "LEADCONDUIT" }
//! ```
//!
//! Ringba's bids hold for some seconds; a bid of zero is none. It wants the caller's number, which no ping carries:
//!
//! ```json
//! { "url": "https://rtb.ringba.example/v1/production/0123456789abcdef.json", "preset": "RINGBA" }
//! ```

mod answer;
mod config;
mod document;
mod payload;
mod plan;
mod preset;
mod price;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use leadyard_types::{Currency, Fields, PingId, PingVerdict};
use secrecy::SecretString;
use tokio::time::Instant;

use answer::{Adapter, Said};
pub(crate) use answer::{StatusAdapter, StatusTold, Told};
pub use answer::{StatusAnswer, VerdictTest};
pub use config::{
    AnswerTest, HashAlgorithm, MappingEntry, OneOrMore, PingAnswerConfig, PingConfig, PingFact, PingFormat, PingHash,
    PingMethod, Place, PlacePart,
};
pub use document::AnswerFormat;
use payload::Payload;
pub use preset::Preset;
pub use price::{DecimalMark, PRICE_MINOR_MAX, PriceUnit};

use crate::http::{ANSWER_BYTES_MAX, GuardedClient, Method, OutboundAnswer, OutboundRequest, SendFailure};
use crate::redact::Redactor;

/// As much of a ping as is kept for whoever looks into an auction.
const SHOWN_CHARS_MAX: usize = 1_000;

/// Shorter personal values are words that occur in any token by chance.
const PERSONAL_CHARS_MIN: usize = 6;

/// What a buyer is asked about. Its `Debug` form shows ids and numbers only.
#[derive(Clone)]
pub struct PingPackage {
    /// The ping's id: the buyer gets it back with the post.
    pub id: PingId,
    /// The vertical's key.
    pub vertical: String,
    /// The campaign's name.
    pub campaign: String,
    /// ISO 3166, two letters.
    pub country: String,
    /// In which the buyer bids.
    pub currency: Currency,
    /// The fields that are not personal, normalised.
    pub fields: Fields,
    /// Normalised personal values by field, only ever sent as hashes and only where the destination names the field.
    pub contacts: BTreeMap<String, String>,
    /// The most buyers the lead goes to; 1 is exclusive.
    pub places: u8,
    /// Whether it is a test.
    pub test: bool,
}

impl std::fmt::Debug for PingPackage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PingPackage")
            .field("id", &self.id)
            .field("vertical", &self.vertical)
            .field("fields", &self.fields.len())
            .field("contacts", &self.contacts.len())
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PingAnswered {
    /// In the published word.
    pub verdict: PingVerdict,
    /// The bid to be the only buyer (or at all), minor units.
    pub price_minor: Option<i64>,
    /// The bids where two, three … buy, minor units; the last holds for more.
    pub shared_minor: Vec<i64>,
    /// The buyer's mark of the ping; goes back with the post.
    pub reference: Option<String>,
    /// Why there is no bid.
    pub reason: Option<String>,
    /// How long the bid holds, where the buyer says so.
    pub holds_for: Option<Duration>,
    /// The HTTP status, where there was one.
    pub status_code: Option<u16>,
    /// How long it took.
    pub took: Duration,
    /// What was sent; no personal value is in it.
    pub request: String,
    /// The beginning of what was answered, without personal values and secrets.
    pub answer: Option<String>,
}

impl PingAnswered {
    /// An answer without a bid.
    #[must_use]
    pub fn without_bid(verdict: PingVerdict, reason: impl Into<String>) -> Self {
        Self {
            verdict,
            price_minor: None,
            shared_minor: Vec::new(),
            reference: None,
            reason: Some(reason.into()),
            holds_for: None,
            status_code: None,
            took: Duration::ZERO,
            request: String::new(),
            answer: None,
        }
    }
}

/// Where a buyer is asked, made ready once and asked many times: the settings read, the patterns of its answers compiled.
pub struct PingEndpoint {
    /// Or what stands in the way, in words that may be shown.
    ready: Result<Ready, String>,
    /// The newest first.
    secrets: Vec<SecretString>,
}

struct Ready {
    config: PingConfig,
    adapter: Adapter,
}

impl std::fmt::Debug for PingEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PingEndpoint").field("ready", &self.ready.is_ok()).finish_non_exhaustive()
    }
}

impl PingEndpoint {
    /// Makes the settings of a destination of kind PING ready. `secrets` are the destination's, the newest first. Settings
    /// that cannot be used fail whoever asks by them, and say why.
    #[must_use]
    pub fn new(config_json: &str, secrets: Vec<SecretString>) -> Self {
        let ready = crate::read(config_json).map_err(|problem| problem.message).and_then(|config: PingConfig| {
            let unusable = |_| "the settings of the answer cannot be used".to_owned();
            let adapter = Adapter::of(&config.answer()).map_err(unusable)?;
            Ok(Ready { config, adapter })
        });
        Self { ready, secrets }
    }

    /// A destination that cannot be asked, and why, in words that may be shown: it fails whoever asks.
    #[must_use]
    pub fn unusable(problem: impl Into<String>) -> Self {
        Self { ready: Err(problem.into()), secrets: Vec::new() }
    }

    /// Asks for a bid, within a budget that is what is left of the auction's time.
    pub(crate) async fn ask(&self, client: &GuardedClient, package: &PingPackage, budget: Duration) -> PingAnswered {
        let started = Instant::now();
        let Ready { config, adapter } = match &self.ready {
            Ok(ready) => ready,
            Err(problem) => return PingAnswered::without_bid(PingVerdict::Failed, problem),
        };
        let plan = config.plan();
        let payload = match payload::write(&plan, &self.secrets, package) {
            Ok(payload) => payload,
            Err(problem) => return PingAnswered::without_bid(PingVerdict::Failed, problem),
        };
        let redactor = redactor(package, &payload);
        let timeout = config.timeout().min(budget);
        if timeout.is_zero() {
            return PingAnswered::without_bid(PingVerdict::Late, "the auction's time was over");
        }
        let method = match plan.method {
            PingMethod::Post => Method::Post,
            PingMethod::Get => Method::Get,
        };
        let Payload { url, headers, body, hashes, shown, .. } = payload;
        // What is kept of the question is made while the buyer thinks.
        let keeping = async { redactor.text_up_to(&shown, SHOWN_CHARS_MAX) };
        let sending = client.send(OutboundRequest { method, url, headers, body, timeout });
        let (sent, request) = tokio::join!(sending, keeping);
        let late = started.elapsed() >= timeout;
        let mut answered = match sent {
            Err(failure) => unanswered(failure, late),
            Ok(answer) => {
                let said = match cut(&answer, late) {
                    Some(said) => said,
                    None => answer::read(adapter, package.currency, &answer),
                };
                answered(said, &answer, &redactor, package, &hashes)
            }
        };
        answered.request = request;
        answered.took = started.elapsed();
        answered
    }
}

fn redactor(package: &PingPackage, payload: &Payload) -> Redactor {
    let secret = payload.secrets.iter().chain(&payload.hashes).map(String::as_str);
    Redactor::of_values(package.contacts.values().map(String::as_str), secret)
}

/// What it means that there is no answer. Whatever was under way when the time ended is late.
fn unanswered(failure: SendFailure, late: bool) -> PingAnswered {
    let verdict = match failure {
        SendFailure::NotSent(_) | SendFailure::AnswerLost(_) if late => PingVerdict::Late,
        _ => PingVerdict::Failed,
    };
    PingAnswered::without_bid(verdict, failure.to_string())
}

/// What an answer means that did not arrive in full.
fn cut(answer: &OutboundAnswer, late: bool) -> Option<Said> {
    let (verdict, reason) = match answer.truncated {
        false => return None,
        true if answer.body.len() >= ANSWER_BYTES_MAX => (PingVerdict::Invalid, "the answer is longer than 64 KiB"),
        true if late => (PingVerdict::Late, "the answer was not complete in time"),
        true => (PingVerdict::Failed, "the connection broke before the answer was complete"),
    };
    Some(Said::without_bid(verdict, reason.to_owned()))
}

/// What may be kept of what an answer says.
fn answered(
    mut said: Said,
    answer: &OutboundAnswer,
    redactor: &Redactor,
    package: &PingPackage,
    hashes: &[String],
) -> PingAnswered {
    if said.reference.as_ref().is_some_and(|reference| is_personal(reference, package, hashes)) {
        let reason = "the buyer's reference repeats a personal value".to_owned();
        said = Said::without_bid(PingVerdict::Invalid, reason);
    }
    PingAnswered {
        verdict: said.verdict,
        price_minor: said.price_minor,
        shared_minor: said.shared_minor,
        reference: said.reference,
        reason: said.reason.map(|reason| redactor.text(&reason)).filter(|reason| !reason.is_empty()),
        holds_for: said.holds_for,
        status_code: Some(answer.status),
        took: Duration::ZERO,
        request: String::new(),
        answer: redactor.excerpt(&answer.body),
    }
}

/// Whether a buyer's mark of the ping says who the person is. It is kept as it came, so it cannot be redacted.
fn is_personal(reference: &str, package: &PingPackage, hashes: &[String]) -> bool {
    let plain =
        |text: &str| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let reference = plain(reference);
    let mut values = package.contacts.values().chain(hashes).map(|value| plain(value));
    values.any(|value| {
        let long = value.chars().count() >= PERSONAL_CHARS_MIN;
        !value.is_empty() && if long { reference.contains(&value) } else { reference == value }
    })
}
