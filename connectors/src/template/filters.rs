//! The filters of templates: those of the engine whose result is no longer than their input, and our own for the rest,
//! with a bound.

use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, filters, tests};

/// The longest text a filter may make.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Gives an empty environment its filters and tests.
pub(super) fn add(env: &mut Environment<'_>) {
    env.add_filter("lower", filters::lower);
    env.add_filter("upper", filters::upper);
    env.add_filter("title", filters::title);
    env.add_filter("capitalize", filters::capitalize);
    env.add_filter("trim", filters::trim);
    env.add_filter("default", filters::default);
    env.add_filter("d", filters::default);
    env.add_filter("length", filters::length);
    env.add_filter("first", filters::first);
    env.add_filter("last", filters::last);
    env.add_filter("int", filters::int);
    env.add_filter("float", filters::float);
    env.add_filter("round", filters::round);
    env.add_filter("abs", filters::abs);
    env.add_filter("string", filters::string);
    env.add_filter("bool", filters::bool);
    env.add_filter("tojson", tojson);
    env.add_filter("urlencode", urlencode);
    env.add_filter("join", join);
    env.add_filter("replace", replace);
    env.add_filter("truncate", truncate);
    env.add_filter("digits", digits);
    env.add_test("defined", tests::is_defined);
    env.add_test("undefined", tests::is_undefined);
    env.add_test("none", tests::is_none);
    env.add_test("string", tests::is_string);
    env.add_test("number", tests::is_number);
    env.add_test("boolean", tests::is_boolean);
    env.add_test("startingwith", tests::is_startingwith);
    env.add_test("endingwith", tests::is_endingwith);
}

fn too_long() -> Error {
    Error::new(ErrorKind::InvalidOperation, "a text grew too long")
}

fn bounded(text: String) -> Result<String, Error> {
    if text.len() > TEXT_BYTES_MAX { Err(too_long()) } else { Ok(text) }
}

/// The value as JSON; needed outside JSON templates only, but right in them, too.
fn tojson(value: &Value) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let text = serde_json::to_string(value).map_err(|_| Error::from(ErrorKind::BadSerialization))?;
    bounded(text).map(Value::from_safe_string)
}

/// The value as it stands in a query or form, percent-encoded.
fn urlencode(value: &Value) -> Result<String, Error> {
    bounded(percent_encoded(&value.to_string()))
}

/// `application/x-www-form-urlencoded`, one value.
pub(super) fn percent_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The items of a list, with something between them.
fn join(value: &Value, between: Option<String>) -> Result<String, Error> {
    let between = between.unwrap_or_default();
    let mut joined = String::new();
    for (index, item) in value.try_iter()?.enumerate() {
        if index > 0 {
            joined.push_str(&between);
        }
        joined.push_str(&item.to_string());
        if joined.len() > TEXT_BYTES_MAX {
            return Err(too_long());
        }
    }
    Ok(joined)
}

/// A text with one part replaced wherever it occurs.
fn replace(text: String, from: &str, to: &str) -> Result<String, Error> {
    let longest = text.matches(from).count().checked_mul(to.len()).and_then(|added| added.checked_add(text.len()));
    if longest.is_none_or(|length| length > TEXT_BYTES_MAX) {
        return Err(too_long());
    }
    Ok(text.replace(from, to))
}

/// At most so many characters of a text.
fn truncate(text: String, characters: usize) -> String {
    text.chars().take(characters).collect()
}

/// Only the digits of a text, for systems that want a telephone number without its plus sign.
fn digits(text: String) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}
