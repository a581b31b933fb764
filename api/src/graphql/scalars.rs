//! Scalars: values that fit in one text or number, each with its format.

use async_graphql::{InputValueError, InputValueResult, Object, Scalar, ScalarType, SimpleObject, Value};
use chrono::NaiveDate;
use leadyard_types::Money as Amount;

/// A whole amount in the smallest unit of its currency (cents), as a decimal text, `"1250"`: 64 bits do not fit the
/// numbers of every client. A whole JSON number is understood as input too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Description)]
pub(crate) struct MinorUnits(pub(crate) i64);

#[Scalar(name = "MinorUnits", use_type_description)]
impl ScalarType for MinorUnits {
    fn parse(value: Value) -> InputValueResult<Self> {
        let amount = match &value {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => number.as_i64(),
            _ => None,
        };
        amount
            .map(MinorUnits)
            .ok_or_else(|| InputValueError::custom("a whole number of minor units is expected, for example \"1250\""))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A whole number of up to 64 bits, as a decimal text, `"100000"`. A whole JSON number is understood as input too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Description)]
pub(crate) struct WholeNumber(pub(crate) i64);

#[Scalar(name = "WholeNumber", use_type_description)]
impl ScalarType for WholeNumber {
    fn parse(value: Value) -> InputValueResult<Self> {
        let MinorUnits(number) = MinorUnits::parse(value).map_err(|_: InputValueError<MinorUnits>| {
            InputValueError::custom("a whole number is expected, for example \"100\"")
        })?;
        Ok(WholeNumber(number))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A calendar date, `2026-11-21`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Description)]
pub(crate) struct Date(pub(crate) NaiveDate);

#[Scalar(name = "Date", use_type_description)]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        let date = match &value {
            Value::String(text) if text.len() == 10 => text.parse().ok(),
            _ => None,
        };
        date.map(Date).ok_or_else(|| InputValueError::custom("a calendar date is expected, for example 2026-11-21"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// An amount of money. Never a floating point number.
#[derive(Debug, Clone, Copy, async_graphql::Description)]
pub(crate) struct Money(pub(crate) Amount);

#[Object(use_type_description)]
impl Money {
    /// The amount in the smallest unit of the currency: `1250` is 12.50 EUR.
    async fn amount_minor(&self) -> MinorUnits {
        MinorUnits(self.0.amount_minor)
    }

    /// The amount as people write it, with the currency's own number of digits: `12.50`.
    async fn amount(&self) -> String {
        let text = self.0.to_string();
        text.split(' ').next().unwrap_or_default().to_owned()
    }

    /// The currency by ISO 4217: `EUR`.
    async fn currency(&self) -> String {
        self.0.currency.to_string()
    }
}

/// A name and what was found under it.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct NamedValue {
    /// What was looked at, for example `sold today`.
    pub(crate) name: String,
    /// What was found, for example `50 of 50`.
    pub(crate) value: String,
}
