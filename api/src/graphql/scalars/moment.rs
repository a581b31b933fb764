//! Moments as they are sent. What is answered is the engine's own `DateTime`; this is the same scalar for input, so that a
//! value that is none is told before anything runs, as of every other scalar.

use std::borrow::Cow;
use std::sync::Arc;

use async_graphql::registry::{MetaType, Registry};
use async_graphql::{InputType, InputValueError, InputValueResult, Value};
use leadyard_types::{Timestamp, time};

/// A moment that was sent, of the years that both databases hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) Timestamp);

impl Moment {
    /// What would be right, for people.
    pub(crate) const EXPECTED: &str =
        "a moment as RFC 3339 of the years 0001 to 9999 is expected, for example 2026-11-21T10:00:00Z";

    fn read(value: &Value) -> Option<Timestamp> {
        let Value::String(text) = value else { return None };
        text.parse().ok().filter(|moment| time::is_storable(*moment))
    }
}

impl From<Moment> for Timestamp {
    fn from(moment: Moment) -> Self {
        moment.0
    }
}

impl InputType for Moment {
    type RawValueType = Self;

    fn type_name() -> Cow<'static, str> {
        <Timestamp as InputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        let qualified = <Timestamp as InputType>::create_type_info(registry);
        // The engine takes its own scalar for valid whatever it is.
        if let Some(MetaType::Scalar { is_valid, .. }) = registry.types.get_mut(&*Self::type_name()) {
            *is_valid = Some(Arc::new(|value| Self::read(value).is_some()));
        }
        qualified
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        let read = Self::read(&value.unwrap_or_default());
        read.map(Self).ok_or_else(|| InputValueError::custom(Self::EXPECTED))
    }

    fn to_value(&self) -> Value {
        <Timestamp as InputType>::to_value(&self.0)
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Moments of four-digit years are read, in whichever zone they are written; nothing else is.
    #[test]
    fn moments_are_of_years_that_are_held() {
        let read = |text: &str| Moment::read(&Value::from(text)).map(|moment| moment.to_rfc3339());
        for (sent, moment) in [
            ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00+00:00"),
            ("2026-11-21T10:00:00.5+01:00", "2026-11-21T09:00:00.500+00:00"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59+00:00"),
        ] {
            assert_eq!(read(sent).as_deref(), Some(moment));
        }
        for sent in [
            "",
            "yesterday",
            "2026-11-21",
            "2026-11-21T10:00:00",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
            "0000-12-31T23:59:59Z",
            "-0001-01-01T00:00:00Z",
            "+10000-01-01T00:00:00Z",
            "-99999-01-01T00:00:00Z",
        ] {
            assert_eq!(read(sent), None, "{sent}");
        }
        assert_eq!(Moment::read(&Value::from(1_800_000_000)), None);
    }
}
