//! The adapter: what a buyer's answer to a ping means. Pure; it sees the answer, the settings and the currency.
//!
//! Nothing is guessed. A bid is a 2xx (or a status the settings name) whose success test holds and whose price is a
//! believable amount of the campaign's currency; *no bid* and *duplicate* are said by the buyer, or by an empty answer;
//! whatever is unclear is invalid, and says why without repeating what was sent. Errors of HTTP are failures.

mod adapter;
mod expiry;
#[cfg(test)]
mod tests;
mod verdicts;

use std::time::Duration;

use leadyard_types::{Currency, PingVerdict};

pub(super) use adapter::{Adapter, as_text};
use adapter::{Spot, Tested};
use expiry::ExpiryProblem;
pub(crate) use verdicts::{StatusAdapter, StatusTold, Told};
pub use verdicts::{StatusAnswer, VerdictTest};

use super::document::{Document, DocumentProblem, decoded};
use super::price::{self, PriceProblem};
use crate::http::OutboundAnswer;

/// The longest mark of a buyer's that is kept: some sign theirs.
pub(super) const REFERENCE_CHARS_MAX: usize = 2_000;

/// What an answer says; nothing in it is redacted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) verdict: PingVerdict,
    pub(super) price_minor: Option<i64>,
    pub(super) shared_minor: Vec<i64>,
    pub(super) reference: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) holds_for: Option<Duration>,
}

impl Said {
    pub(super) fn without_bid(verdict: PingVerdict, reason: impl Into<Option<String>>) -> Self {
        Self {
            verdict,
            price_minor: None,
            shared_minor: Vec::new(),
            reference: None,
            reason: reason.into(),
            holds_for: None,
        }
    }

    fn failed(reason: &str) -> Self {
        Self::without_bid(PingVerdict::Failed, reason.to_owned())
    }
}

/// Why an answer cannot be taken. The texts repeat nothing of what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Unclear {
    #[error("{0}")]
    Document(#[from] DocumentProblem),
    #[error("{0}")]
    Price(#[from] PriceProblem),
    #[error("{0}")]
    Expiry(#[from] ExpiryProblem),
    #[error("the answer is compressed, which was not asked for")]
    Compressed,
    #[error("the answer does not have the value by which a bid is known")]
    NoVerdict,
    #[error("the answer is a bid and a refusal at once")]
    Contradiction,
    #[error("the buyer bids with an error status")]
    ErrorStatus,
    #[error("the buyer bids but names no price")]
    NoPrice,
    #[error("the buyer's reference is too long or not printable")]
    Reference,
}

/// Reads an answer that arrived in full.
pub(super) fn read(adapter: &Adapter, currency: Currency, answer: &OutboundAnswer) -> Said {
    let wanted = adapter.statuses.contains(&answer.status);
    match answer.status {
        _ if wanted => {}
        204 | 205 => return Said::without_bid(PingVerdict::NoBid, adapter.default_reason.clone()),
        200..=299 => {}
        300..=399 => return Said::failed("the buyer redirects; redirects are not followed"),
        401 | 403 | 407 => return Said::failed("the buyer refused our authorisation"),
        429 => return Said::failed("the buyer asks for fewer requests"),
        400..=499 => {}
        _ => return Said::failed("the buyer answered with an error"),
    }
    let success = (200..300).contains(&answer.status) || wanted;
    let reading = Reading { adapter, currency, answer, success };
    match reading.said() {
        Ok(said) => said,
        Err(_) if !success => Said::failed("the buyer did not take the ping"),
        Err(unclear) => Said::without_bid(PingVerdict::Invalid, unclear.to_string()),
    }
}

/// One answer on its way to a verdict.
struct Reading<'answer> {
    adapter: &'answer Adapter,
    currency: Currency,
    answer: &'answer OutboundAnswer,
    /// Whether the status allows a bid.
    success: bool,
}

impl Reading<'_> {
    fn said(&self) -> Result<Said, Unclear> {
        if self.answer.header("content-encoding").is_some_and(|coding| !coding.trim().eq_ignore_ascii_case("identity"))
        {
            return Err(Unclear::Compressed);
        }
        let text = decoded(&self.answer.body)?;
        if text.is_empty() {
            return if self.success { Ok(self.no_bid(None)) } else { Err(Unclear::NoVerdict) };
        }
        let document = Document::parse(text, self.adapter.format, self.answer.header("content-type"))?;
        let ask = |test: &Option<adapter::Test>| match test {
            Some(test) => test.ask(&document, text).map(Some),
            None => Ok(None),
        };
        let bids = ask(&self.adapter.success)?;
        if ask(&self.adapter.duplicate)? == Some(Tested::Yes) {
            return self.refused(PingVerdict::Duplicate, bids, &document, text);
        }
        if ask(&self.adapter.error)? == Some(Tested::Yes) {
            return self.refused(PingVerdict::Failed, bids, &document, text);
        }
        match bids {
            Some(Tested::No) => self.refused(PingVerdict::NoBid, bids, &document, text),
            Some(Tested::Absent) => Err(Unclear::NoVerdict),
            Some(Tested::Yes) if !self.success => Err(Unclear::ErrorStatus),
            None if !self.success => Err(Unclear::NoVerdict),
            // Statuses were named, and this is not one of them.
            _ if !self.adapter.statuses.is_empty() && !self.adapter.statuses.contains(&self.answer.status) => {
                self.refused(PingVerdict::NoBid, None, &document, text)
            }
            Some(Tested::Yes) | None => self.bid(bids.is_some(), &document, text),
        }
    }

    fn no_bid(&self, reason: Option<String>) -> Said {
        Said::without_bid(PingVerdict::NoBid, reason.or_else(|| self.adapter.default_reason.clone()))
    }

    fn refused(
        &self,
        verdict: PingVerdict,
        bids: Option<Tested>,
        document: &Document<'_>,
        text: &str,
    ) -> Result<Said, Unclear> {
        if bids == Some(Tested::Yes) {
            return Err(Unclear::Contradiction);
        }
        // A reason that cannot be read changes nothing about the refusal.
        let spot = self.adapter.reason.as_ref();
        let reason = spot.and_then(|spot| spot.find(document, text).ok().flatten()).map(|found| found.text);
        let reason = reason.filter(|reason| !reason.is_empty());
        Ok(Said { verdict, ..self.no_bid(reason) })
    }

    fn bid(&self, said_so: bool, document: &Document<'_>, text: &str) -> Result<Said, Unclear> {
        let found = |spot: &Option<Spot>| match spot {
            Some(spot) => spot.find(document, text),
            None => Ok(None),
        };
        let price = match self.price(self.adapter.price.as_ref(), document, text)? {
            Some(price) => price,
            // Only who says yes can leave the price to what was agreed on.
            None if said_so => self.adapter.default_price_minor.ok_or(Unclear::NoPrice)?,
            None => 0,
        };
        if price == 0 {
            return self.refused(PingVerdict::NoBid, None, document, text);
        }
        if found(&self.adapter.currency)?.is_some_and(|found| !price::is_written(&found.text, self.currency)) {
            return Err(PriceProblem::OtherCurrency.into());
        }
        let mut shared_minor = Vec::new();
        for spot in &self.adapter.shared_prices {
            match self.price(Some(spot), document, text)? {
                Some(price) if price > 0 => shared_minor.push(price),
                _ => break,
            }
        }
        let reference = found(&self.adapter.reference)?.map(|found| found.text).filter(|text| !text.is_empty());
        if reference.as_ref().is_some_and(|reference| !is_reference(reference)) {
            return Err(Unclear::Reference);
        }
        let holds_for = match found(&self.adapter.expires)? {
            Some(expires) => expiry::holds_for(&expires.text, self.answer.header("date"))?,
            None => None,
        };
        let verdict = PingVerdict::Bid;
        Ok(Said { verdict, price_minor: Some(price), shared_minor, reference, reason: None, holds_for })
    }

    fn price(&self, spot: Option<&Spot>, document: &Document<'_>, text: &str) -> Result<Option<i64>, Unclear> {
        let Some(spot) = spot else { return Ok(None) };
        let Some(found) = spot.find(document, text)? else { return Ok(None) };
        let price = if found.number {
            price::of_number(&found.text, self.adapter.writing.unit, self.currency)
        } else {
            price::of_text(&found.text, self.adapter.writing, self.currency)
        };
        Ok(Some(price?))
    }
}

/// A reference goes back to the buyer as it came, so it must be a text that survives every format.
fn is_reference(text: &str) -> bool {
    text.chars().count() <= REFERENCE_CHARS_MAX && text.chars().all(|c| c == ' ' || c.is_ascii_graphic())
}
