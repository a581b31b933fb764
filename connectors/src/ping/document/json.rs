//! Values in JSON, found without building a tree: what is not on the way is passed over, however deep it nests.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{DocumentProblem, Found};

/// The value at the end of these steps. Arrays are entered by position, counted from 0.
pub(super) fn find(document: &RawValue, steps: &[String]) -> Result<Option<Found>, DocumentProblem> {
    let mut at = document;
    for step in steps {
        let next = match at.get().as_bytes().first() {
            Some(b'{') => member(at, step)?,
            Some(b'[') => element(at, step)?,
            _ => None,
        };
        match next {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    single(at)
}

fn single(value: &RawValue) -> Result<Option<Found>, DocumentProblem> {
    let written = value.get();
    match written.as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b'"') => {
            // A half of a surrogate pair is JSON and still no text.
            let text: String = serde_json::from_str(written).map_err(|_| DocumentProblem::NotUtf8)?;
            Ok(Some(Found::text(&text)))
        }
        Some(b'{' | b'[') => Err(DocumentProblem::NotSingle),
        Some(b't' | b'f') => Ok(Some(Found::text(written))),
        _ => Ok(Some(Found { text: written.to_owned(), number: true })),
    }
}

/// What an object's member of a name is; more than one is no answer.
fn member<'json>(object: &'json RawValue, name: &str) -> Result<Option<&'json RawValue>, DocumentProblem> {
    let mut reader = serde_json::Deserializer::from_str(object.get());
    let members = Member(name).deserialize(&mut reader).map_err(|_| DocumentProblem::NotJson)?;
    match members {
        (found, false) => Ok(found),
        (_, true) => Err(DocumentProblem::Twice),
    }
}

fn element<'json>(array: &'json RawValue, position: &str) -> Result<Option<&'json RawValue>, DocumentProblem> {
    let Ok(position) = position.parse() else { return Ok(None) };
    let mut reader = serde_json::Deserializer::from_str(array.get());
    Element(position).deserialize(&mut reader).map_err(|_| DocumentProblem::NotJson)
}

/// Reads an object, keeps the member of one name, and tells whether the name came again.
struct Member<'name>(&'name str);

impl<'json> DeserializeSeed<'json> for Member<'_> {
    type Value = (Option<&'json RawValue>, bool);

    fn deserialize<D: Deserializer<'json>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'json> Visitor<'json> for Member<'_> {
    type Value = (Option<&'json RawValue>, bool);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'json>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut found, mut again) = (None, false);
        while let Some(key) = map.next_key::<String>()? {
            if key.eq_ignore_ascii_case(self.0) {
                again |= found.is_some();
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok((found, again))
    }
}

/// Reads an array and keeps the element of one position.
struct Element(usize);

impl<'json> DeserializeSeed<'json> for Element {
    type Value = Option<&'json RawValue>;

    fn deserialize<D: Deserializer<'json>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'json> Visitor<'json> for Element {
    type Value = Option<&'json RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'json>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let (mut found, mut at) = (None, 0);
        while let Some(element) = seq.next_element::<&RawValue>()? {
            if at == self.0 {
                found = Some(element);
            }
            at += 1;
        }
        Ok(found)
    }
}
