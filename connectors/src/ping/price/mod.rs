//! Prices as buyers write them, read exactly: `15`, `15.5`, `"15.00"`, `"15,00"`, `"$15"`, `"15 EUR"`, `"1.234,50"`.
//!
//! No float is ever made of a price. What reads in two ways, is no number, or does not fit the currency is refused.

#[cfg(test)]
mod tests;

use leadyard_types::{Currency, words};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// The highest price believed, minor units: a million euro. Nobody pays that for a lead, and whoever bids it wins every
/// auction by mistake or on purpose.
pub const PRICE_MINOR_MAX: i64 = 100_000_000;

/// The longest price looked at, in bytes: a million with its currency has fifteen.
const PRICE_BYTES_MAX: usize = 40;

/// More digits than any price has, and fewer than make an exact decimal overflow.
const DIGITS_MAX: usize = 20;

words! {
    /// The unit in which a buyer states prices.
    pub enum PriceUnit("price unit") {
        /// Euro, dollars: `15.50`.
        Major = "MAJOR",
        /// Cents: `1550`.
        Minor = "MINOR",
    }
}

words! {
    /// How a buyer who sends prices as text writes decimals. A number of JSON always has a point.
    pub enum DecimalMark("decimal mark") {
        /// Either; what reads in two ways (`1.234`) is refused.
        Auto = "AUTO",
        /// `1,234.50`.
        Dot = "DOT",
        /// `1.234,50`.
        Comma = "COMMA",
    }
}

/// How a buyer writes prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Writing {
    pub(super) unit: PriceUnit,
    pub(super) decimals: DecimalMark,
}

/// Why a price is refused. The texts repeat nothing of what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum PriceProblem {
    #[error("the price is empty")]
    Empty,
    #[error("the price is not a plain number")]
    NotANumber,
    #[error("the price is negative")]
    Negative,
    #[error("the price is absurdly high")]
    Absurd,
    #[error("the price has more decimals than its currency")]
    TooManyDecimals,
    #[error("the price can be read in two ways; `answer.decimals` says which")]
    Ambiguous,
    #[error("the price is in another currency than the campaign")]
    OtherCurrency,
}

/// Signs of currencies, and the currencies that are written with them.
const SIGNS: [(&str, &[&str]); 14] = [
    ("€", &["EUR"]),
    ("$", &["USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN", "ARS", "CLP", "COP"]),
    ("us$", &["USD"]),
    ("ca$", &["CAD"]),
    ("c$", &["CAD"]),
    ("a$", &["AUD"]),
    ("r$", &["BRL"]),
    ("£", &["GBP"]),
    ("¥", &["JPY", "CNY"]),
    ("₹", &["INR"]),
    ("zł", &["PLN"]),
    ("kč", &["CZK"]),
    ("kr", &["SEK", "NOK", "DKK", "ISK"]),
    ("fr.", &["CHF"]),
];

/// A number as JSON writes it, in minor units.
pub(super) fn of_number(number: &str, unit: PriceUnit, currency: Currency) -> Result<i64, PriceProblem> {
    if number.starts_with('-') {
        return Err(PriceProblem::Negative);
    }
    if number.len() > PRICE_BYTES_MAX {
        return Err(PriceProblem::Absurd);
    }
    let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
    if mantissa.bytes().filter(u8::is_ascii_digit).count() > DIGITS_MAX {
        return Err(PriceProblem::TooManyDecimals);
    }
    let exact =
        if mantissa.len() == number.len() { Decimal::from_str_exact(number) } else { Decimal::from_scientific(number) };
    in_minor_units(exact.map_err(|_| PriceProblem::Absurd)?, unit, currency)
}

/// A price as text, with or without a sign of its currency, in minor units.
pub(super) fn of_text(text: &str, writing: Writing, currency: Currency) -> Result<i64, PriceProblem> {
    let text = text.trim();
    if text.is_empty() {
        return Err(PriceProblem::Empty);
    }
    if text.len() > PRICE_BYTES_MAX {
        return Err(PriceProblem::NotANumber);
    }
    let (before, number, after) = parts(text).ok_or(PriceProblem::NotANumber)?;
    if before.contains(['-', '−']) {
        return Err(PriceProblem::Negative);
    }
    check_sign(before, currency)?;
    check_sign(after, currency)?;
    let mark = decimal_mark(number, writing.decimals)?;
    let (whole, fraction) = mark.map_or((number, ""), |at| (&number[..at], &number[at + 1..]));
    let plain = format!("{}.{}", ungrouped(whole)?, plain_fraction(fraction)?);
    if plain.len() > DIGITS_MAX {
        return Err(PriceProblem::Absurd);
    }
    let exact = Decimal::from_str_exact(plain.trim_end_matches('.')).map_err(|_| PriceProblem::NotANumber)?;
    in_minor_units(exact, writing.unit, currency)
}

/// The digits, what stands before them, and what stands after them.
fn parts(text: &str) -> Option<(&str, &str, &str)> {
    let mut start = text.find(|c: char| c.is_ascii_digit())?;
    let last = text.rfind(|c: char| c.is_ascii_digit())?;
    // Some databases print `.5`.
    if text[..start].ends_with(['.', ',']) && (start == 1 || !text[..start - 1].ends_with(char::is_alphanumeric)) {
        start -= 1;
    }
    Some((text[..start].trim(), &text[start..=last], text[last + 1..].trim()))
}

/// Whether a text names a currency; an empty one names none, and then the campaign's is meant.
pub(super) fn is_written(text: &str, currency: Currency) -> bool {
    check_sign(text, currency).is_ok()
}

/// Nothing, the campaign's currency, or a sign it is written with.
fn check_sign(sign: &str, currency: Currency) -> Result<(), PriceProblem> {
    if sign.is_empty() || sign.eq_ignore_ascii_case(currency.as_str()) {
        return Ok(());
    }
    if sign.len() == 3 && sign.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err(PriceProblem::OtherCurrency);
    }
    let lower = sign.to_lowercase();
    match SIGNS.iter().find(|(known, _)| *known == lower) {
        Some((_, currencies)) if currencies.contains(&currency.as_str()) => Ok(()),
        Some(_) => Err(PriceProblem::OtherCurrency),
        None => Err(PriceProblem::NotANumber),
    }
}

/// Where the decimal mark stands, if there is one.
fn decimal_mark(number: &str, decimals: DecimalMark) -> Result<Option<usize>, PriceProblem> {
    let (dot, comma) = (number.rfind('.'), number.rfind(','));
    let (mark, other) = match decimals {
        DecimalMark::Dot => (dot, comma),
        DecimalMark::Comma => (comma, dot),
        DecimalMark::Auto if dot > comma => (dot, comma),
        DecimalMark::Auto => (comma, dot),
    };
    let Some(at) = mark else { return Ok(None) };
    let sign = &number[at..=at];
    let once = number.matches(sign).count() == 1;
    if decimals != DecimalMark::Auto || other.is_some() {
        // Thousands are never marked behind the decimals, and decimals only once.
        return if once && other.is_none_or(|other| other < at) { Ok(Some(at)) } else { Err(PriceProblem::NotANumber) };
    }
    if !once {
        return Ok(None);
    }
    // `1.234` and `1,234` are a thousand for some and hardly more than one for others.
    let (before, after) = (&number[..at], &number[at + 1..]);
    let a_group = after.len() == 3 && (1..=3).contains(&before.len()) && !before.starts_with('0');
    if a_group { Err(PriceProblem::Ambiguous) } else { Ok(Some(at)) }
}

/// The digits of the whole part: plain, or in groups of three with one mark between them.
fn ungrouped(whole: &str) -> Result<String, PriceProblem> {
    let Some(mark) = whole.chars().find(|c| !c.is_ascii_digit()) else { return Ok(whole.to_owned()) };
    if !matches!(mark, '.' | ',' | '\'' | '’' | ' ' | '\u{a0}' | '\u{202f}') {
        return Err(PriceProblem::NotANumber);
    }
    let digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let mut groups = whole.split(mark);
    let first = groups.next().filter(|first| (1..=3).contains(&first.len()) && digits(first));
    let mut plain = first.ok_or(PriceProblem::NotANumber)?.to_owned();
    for group in groups {
        if group.len() != 3 || !digits(group) {
            return Err(PriceProblem::NotANumber);
        }
        plain.push_str(group);
    }
    Ok(plain)
}

/// The digits behind the mark that mean something.
fn plain_fraction(fraction: &str) -> Result<&str, PriceProblem> {
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PriceProblem::NotANumber);
    }
    Ok(fraction.trim_end_matches('0'))
}

/// `15.00` has as many decimals as `15`: none.
fn in_minor_units(exact: Decimal, unit: PriceUnit, currency: Currency) -> Result<i64, PriceProblem> {
    let digits = match unit {
        PriceUnit::Major => currency.minor_digits(),
        PriceUnit::Minor => 0,
    };
    let exact = exact.normalize();
    if exact.scale() > digits {
        return Err(PriceProblem::TooManyDecimals);
    }
    let minor = exact.checked_mul(Decimal::from(10_i64.pow(digits))).and_then(|minor| minor.to_i64());
    minor.filter(|minor| (0..=PRICE_MINOR_MAX).contains(minor)).ok_or(PriceProblem::Absurd)
}
