//! JSON as a tree, with the keys that were sent twice: JSON itself lets the last one win, silently.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Reads a JSON text; answers the paths of keys sent more than once, for example `consent.given_at`.
pub(super) fn parse(bytes: &[u8]) -> Result<(Value, Vec<String>), serde_json::Error> {
    let mut repeated = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Node { path: "", repeated: &mut repeated }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok((value, repeated))
}

struct Node<'a> {
    path: &'a str,
    repeated: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = access.next_element_seed(Node { path: self.path, repeated: &mut *self.repeated })? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            // A lead's fields go by their own names, wherever they stand.
            let path = match self.path {
                "" | "fields" => key.clone(),
                path => format!("{path}.{key}"),
            };
            let value = access.next_value_seed(Node { path: &path, repeated: &mut *self.repeated })?;
            if map.insert(key, value).is_some() {
                self.repeated.push(path);
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_serde_json_reads() {
        for text in [
            "null",
            " [1, -2, 3.5, true, null, \"x\\u0000\", {}] ",
            "{\"a\":{\"b\":[{\"c\":18446744073709551615}]},\"d\":-9223372036854775808,\"e\":1e300}",
        ] {
            let (value, repeated) = parse(text.as_bytes()).unwrap();
            assert_eq!((value, repeated.len()), (serde_json::from_str::<Value>(text).unwrap(), 0), "{text}");
        }
        for text in ["", "{", "{} {}", "[1,]", "\"\\ud800\"", "1e999", "{\"a\":01}", "\u{feff}{}"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
            assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
        }
        let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(parse(deep.as_bytes()).is_err());
    }

    #[test]
    fn repeated_keys_are_found_at_every_depth() {
        let text = r#"{"fields":{"a":1,"a":2},"consent":{"ip":"x","ip":"y"},"list":[{"z":1,"z":2}],"s":1,"s":2,"s":3}"#;
        let (value, repeated) = parse(text.as_bytes()).unwrap();
        assert_eq!(repeated, ["a", "consent.ip", "list.z", "s", "s"]);
        assert_eq!(value["s"], 3);
    }
}
