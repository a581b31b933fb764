//! Money: whole minor units and an ISO 4217 code. No floats, no silent exchange.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

/// An ISO 4217 currency code, three upper-case letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// Text that is no currency code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a currency: three upper-case letters of ISO 4217 are expected, for example EUR")]
pub struct InvalidCurrency(pub String);

impl Currency {
    /// The euro.
    pub const EUR: Currency = Currency(*b"EUR");
    /// The United States dollar.
    pub const USD: Currency = Currency(*b"USD");

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// Digits after the decimal point, by ISO 4217 (the list of exceptions; everything else has two).
    #[must_use]
    pub fn minor_digits(&self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG" | b"RWF" | b"UGX"
            | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            _ => 2,
        }
    }
}

impl FromStr for Currency {
    type Err = InvalidCurrency;
    fn from_str(value: &str) -> Result<Self, Self::Err> {
        match value.as_bytes() {
            [a, b, c] if [a, b, c].iter().all(|byte| byte.is_ascii_uppercase()) => Ok(Currency([*a, *b, *c])),
            _ => Err(InvalidCurrency(value.chars().take(16).collect())),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = InvalidCurrency;
    fn try_from(value: String) -> Result<Self, Self::Error> {
        value.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> String {
        currency.as_str().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount in minor units (cents) of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// The amount in minor units; may be negative in balances, never in a transfer.
    pub amount_minor: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// An amount of a currency.
    #[must_use]
    pub const fn new(amount_minor: i64, currency: Currency) -> Self {
        Self { amount_minor, currency }
    }
}

impl fmt::Display for Money {
    /// `12.50 EUR`: a plain decimal with the currency's digits, for logs and terminals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Decimal::new(self.amount_minor, self.currency.minor_digits()), self.currency)
    }
}

/// A percentage, kept as an exact decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Percent(pub Decimal);

impl Percent {
    /// The share of an amount, rounded half to even once; the remainder stays with whoever keeps the rest
    /// (domain page, section 4). `None` when the result does not fit.
    #[must_use]
    pub fn of(self, amount_minor: i64) -> Option<i64> {
        let exact = Decimal::from(amount_minor).checked_mul(self.0)?.checked_div(Decimal::ONE_HUNDRED)?;
        exact.round_dp_with_strategy(0, rust_decimal::RoundingStrategy::MidpointNearestEven).to_i64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Percentages round half to even, once per line (domain page, section 4).
    #[test]
    fn percentages_round_half_to_even() {
        let half = Percent(Decimal::new(5, 1) * Decimal::from(100) / Decimal::from(100));
        assert_eq!(Percent(Decimal::from(50)).of(5), Some(2));
        assert_eq!(Percent(Decimal::from(50)).of(7), Some(4));
        assert_eq!(half.of(100), Some(0));
        assert_eq!(half.of(300), Some(2));
        assert_eq!(Percent(Decimal::from(100)).of(i64::MAX), Some(i64::MAX));
        assert_eq!(Percent(Decimal::from(200)).of(i64::MAX), None);
    }

    /// Money prints with its currency's own number of digits.
    #[test]
    fn money_prints_with_its_currencys_digits() {
        assert_eq!(Money::new(1250, Currency::EUR).to_string(), "12.50 EUR");
        assert_eq!(Money::new(-5, Currency::USD).to_string(), "-0.05 USD");
        assert_eq!("JPY".parse().map(|jpy| Money::new(1250, jpy).to_string()), Ok("1250 JPY".to_owned()));
        assert!("eur".parse::<Currency>().is_err());
        assert!("EURO".parse::<Currency>().is_err());
    }
}
