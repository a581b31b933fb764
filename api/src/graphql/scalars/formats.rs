//! Texts with a form that is known beyond this API. What they look like is said once, by the market's own rules, and they
//! come to one spelling.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono_tz::Tz;
use leadyard_market::rules::value;
use leadyard_types::{FieldKind, FieldValue};

/// No country: a telephone number has its country code, a postal code any country's form.
const ANYWHERE: &str = "";

/// What was sent, in the one spelling of its kind.
fn normal(kind: FieldKind, sent: &Value) -> Option<String> {
    let Value::String(text) = sent else { return None };
    let sent = serde_json::Value::from(text.as_str());
    let text = value::as_text(kind, &sent).ok()??;
    match value::typed(kind, ANYWHERE, &sent, &text).ok()? {
        FieldValue::Text(normal) => Some(normal),
        FieldValue::Boolean(_) | FieldValue::Integer(_) => None,
    }
}

/// The address of somebody who works with the market, or of a lead, whose rule is the narrower one.
fn mailbox(sent: &Value) -> Option<String> {
    let Value::String(text) = sent else { return None };
    let text = value::as_text(FieldKind::Email, &serde_json::Value::from(text.as_str())).ok()??;
    value::mailbox(&text).ok()
}

fn phone(sent: &Value) -> Option<String> {
    normal(FieldKind::Phone, sent)
}

fn postal_code(sent: &Value) -> Option<String> {
    normal(FieldKind::PostalCode, sent)
}

/// A scalar whose values a function reads.
macro_rules! read_by {
    ($(#[$about:meta])* $name:ident, $read:ident, $expected:tt $(, $specification:tt)?) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, async_graphql::Description)]
        pub(crate) struct $name(pub(crate) String);

        impl $name {
            /// What would be right, for people.
            pub(crate) const EXPECTED: &str = $expected;

            /// What is stored of one, if it is one.
            pub(crate) fn of(text: &str) -> Option<Self> {
                $read(&Value::from(text)).map(Self)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        #[Scalar(use_type_description $(, specified_by_url = $specification)?)]
        impl ScalarType for $name {
            fn parse(value: Value) -> InputValueResult<Self> {
                $read(&value).map(Self).ok_or_else(|| InputValueError::custom(Self::EXPECTED))
            }

            fn is_valid(value: &Value) -> bool {
                $read(value).is_some()
            }

            fn to_value(&self) -> Value {
                Value::String(self.0.clone())
            }
        }
    };
}

read_by! {
    /// One e-mail address without a name, kept in lower case: `name@example.com`. Its domain may be a host without a dot,
    /// `admin@localhost`; that of a lead's has one.
    EmailAddress, mailbox, "an e-mail address is expected, for example name@example.com",
    "https://www.rfc-editor.org/rfc/rfc5321#section-4.1.2"
}

read_by! {
    /// A telephone number that can exist, in E.164: `+493020000000`. As input it may have blanks, brackets and hyphens, but
    /// always its country code: `+49 (30) 2000-0000`.
    PhoneNumber, phone, "a telephone number in E.164 with its country code is expected, for example +493020000000",
    "https://www.itu.int/rec/T-REC-E.164"
}

read_by! {
    /// A postal code with its leading zeros, 2 to 10 letters and digits: `01067`, `SW1A 1AA`. Of which form it is in a
    /// country, and whether it exists there, is for the place where it is used to say.
    PostalCode, postal_code, "a postal code of 2 to 10 letters and digits is expected, as a text, for example \"01067\""
}

/// A time zone by its name in the IANA database: `Europe/Berlin`, `UTC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Description)]
pub(crate) struct TimeZone(pub(crate) Tz);

impl TimeZone {
    /// What would be right, for people.
    pub(crate) const EXPECTED: &str = "a time zone of the IANA database is expected, for example Europe/Berlin";
}

impl From<TimeZone> for Tz {
    fn from(zone: TimeZone) -> Self {
        zone.0
    }
}

#[Scalar(use_type_description, specified_by_url = "https://www.iana.org/time-zones")]
impl ScalarType for TimeZone {
    fn parse(value: Value) -> InputValueResult<Self> {
        let zone = if let Value::String(name) = &value { name.parse().ok() } else { None };
        zone.map(TimeZone).ok_or_else(|| InputValueError::custom(Self::EXPECTED))
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::String(name) if name.parse::<Tz>().is_ok())
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.name().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: ScalarType>(sent: impl Into<Value>) -> Option<Value> {
        let sent = sent.into();
        let read = T::parse(sent.clone()).ok().map(|value| value.to_value());
        assert_eq!(T::is_valid(&sent), read.is_some(), "{sent}");
        read
    }

    fn spelt(text: &str) -> Option<Value> {
        Some(Value::from(text))
    }

    /// What is one comes to one spelling, and what is answered can be sent back.
    #[test]
    fn what_is_one_has_one_spelling() {
        for (written, normal) in [
            ("anna@example.com", "anna@example.com"),
            (" Anna.M+x@Example.COM ", "anna.m+x@example.com"),
            ("Admin@localhost", "admin@localhost"),
        ] {
            assert_eq!(read::<EmailAddress>(written), spelt(normal), "{written}");
        }
        for written in ["+493020000000", "+49 (30) 2000-0000", "tel:+49-30-20000000"] {
            assert_eq!(read::<PhoneNumber>(written), spelt("+493020000000"), "{written}");
        }
        for (written, normal) in [("01067", "01067"), ("sw1a  1aa", "SW1A 1AA"), ("02108-1234", "02108-1234")] {
            assert_eq!(read::<PostalCode>(written), spelt(normal), "{written}");
            assert_eq!(read::<PostalCode>(normal), spelt(normal), "{normal}");
        }
        for name in ["Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires"] {
            assert_eq!(read::<TimeZone>(name), spelt(name), "{name}");
        }
    }

    /// What is none is refused, whatever its type; the refusal says what is expected and nothing of what was sent.
    #[test]
    fn what_is_none_is_refused() {
        for sent in ["", "secret", "a@", "Anna <a@example.com>", "a@example.com\nBcc: b@example.com"] {
            assert_eq!(read::<EmailAddress>(sent), None, "{sent}");
        }
        for sent in ["", "secret", "030 20000000", "00493020000000", "+49", "+999123456", "+1 800 FLOWERS"] {
            assert_eq!(read::<PhoneNumber>(sent), None, "{sent}");
        }
        for sent in ["", "1", "10115!", "12345678901", "10115,10117", "radius:10115"] {
            assert_eq!(read::<PostalCode>(sent), None, "{sent}");
        }
        for sent in ["", "Berlin", "europe/berlin", "+01:00", "CEST", "Mars/Olympus"] {
            assert_eq!(read::<TimeZone>(sent), None, "{sent}");
        }
        for sent in [Value::from(10_115), Value::Boolean(true), Value::List(vec![])] {
            assert_eq!(read::<EmailAddress>(sent.clone()), None);
            assert_eq!(read::<PhoneNumber>(sent.clone()), None);
            assert_eq!(read::<PostalCode>(sent.clone()), None);
            assert_eq!(read::<TimeZone>(sent), None);
        }
        let told = EmailAddress::parse(Value::from("secret"))
            .err()
            .map(|error| error.into_server_error(async_graphql::Pos::default()));
        let told = told.map(|error| error.message).unwrap_or_default();
        assert!(told.contains(EmailAddress::EXPECTED) && !told.contains("secret"), "{told}");
    }
}
