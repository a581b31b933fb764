//! Scalars: values that fit in one text or number, each with its format.

mod formats;
mod moment;

use async_graphql::{InputValueError, InputValueResult, Object, Scalar, ScalarType, SimpleObject, Value};
use chrono::{Datelike as _, NaiveDate};
use leadyard_types::{Money as Amount, time};

pub(crate) use formats::{EmailAddress, PhoneNumber, PostalCode, TimeZone};
pub(crate) use moment::Moment;

/// What a value of a scalar looks like, for people; `None` for the scalars that the engine brings.
pub(crate) fn expected(scalar: &str) -> Option<&'static str> {
    Some(match scalar {
        "Date" => Date::EXPECTED,
        "DateTime" => Moment::EXPECTED,
        "EmailAddress" => EmailAddress::EXPECTED,
        "MinorUnits" => MinorUnits::EXPECTED,
        "PhoneNumber" => PhoneNumber::EXPECTED,
        "PostalCode" => PostalCode::EXPECTED,
        "TimeZone" => TimeZone::EXPECTED,
        "WholeNumber" => WholeNumber::EXPECTED,
        _ => return None,
    })
}

/// A whole amount in the smallest unit of its currency (cents), as a decimal text, `"1250"`: 64 bits do not fit the
/// numbers of every client. A whole JSON number is understood as input too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Description)]
pub(crate) struct MinorUnits(pub(crate) i64);

impl MinorUnits {
    const EXPECTED: &str = "a whole number of minor units is expected, for example \"1250\"";

    fn read(value: &Value) -> Option<i64> {
        match value {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => number.as_i64(),
            _ => None,
        }
    }
}

#[Scalar(name = "MinorUnits", use_type_description)]
impl ScalarType for MinorUnits {
    fn parse(value: Value) -> InputValueResult<Self> {
        Self::read(&value).map(Self).ok_or_else(|| InputValueError::custom(Self::EXPECTED))
    }

    fn is_valid(value: &Value) -> bool {
        Self::read(value).is_some()
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A whole number of up to 64 bits, as a decimal text, `"100000"`. A whole JSON number is understood as input too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Description)]
pub(crate) struct WholeNumber(pub(crate) i64);

impl WholeNumber {
    const EXPECTED: &str = "a whole number is expected, for example \"100\"";
}

#[Scalar(name = "WholeNumber", use_type_description)]
impl ScalarType for WholeNumber {
    fn parse(value: Value) -> InputValueResult<Self> {
        MinorUnits::read(&value).map(Self).ok_or_else(|| InputValueError::custom(Self::EXPECTED))
    }

    fn is_valid(value: &Value) -> bool {
        MinorUnits::read(value).is_some()
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A calendar date, `2026-11-21`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Description)]
pub(crate) struct Date(pub(crate) NaiveDate);

impl Date {
    const EXPECTED: &str = "a calendar date of the years 0001 to 9999 is expected, for example 2026-11-21";

    fn read(value: &Value) -> Option<NaiveDate> {
        let Value::String(text) = value else { return None };
        // As it is written here, too: without a sign, with all its digits.
        let day: NaiveDate = text.parse().ok().filter(|day: &NaiveDate| day.to_string() == *text)?;
        time::YEARS.contains(&day.year()).then_some(day)
    }
}

#[Scalar(name = "Date", use_type_description)]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        Self::read(&value).map(Self).ok_or_else(|| InputValueError::custom(Self::EXPECTED))
    }

    fn is_valid(value: &Value) -> bool {
        Self::read(value).is_some()
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
    fn amount_minor(&self) -> MinorUnits {
        MinorUnits(self.0.amount_minor)
    }

    /// The amount as people write it, with the currency's own number of digits: `12.50`.
    fn amount(&self) -> String {
        let text = self.0.to_string();
        text.split(' ').next().unwrap_or_default().to_owned()
    }

    /// The currency by ISO 4217: `EUR`.
    fn currency(&self) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Dates are those of four-digit years: all that both databases hold and sort alike.
    #[test]
    fn dates_are_of_years_that_are_held() {
        for day in ["0001-01-01", "2026-11-21", "9999-12-31"] {
            assert_eq!(Date::parse(Value::from(day)).unwrap().to_value(), Value::from(day));
        }
        for day in ["0000-12-31", "-99999-1-1", "-9999-01-1", "+9999-12-1", "99999-1-01", "2026-02-30", "2026-1-1", ""]
        {
            assert!(!Date::is_valid(&Value::from(day)), "{day}");
        }
    }
}
