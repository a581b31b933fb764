//! Which settings of destinations may be secrets, so that whoever writes settings out leaves them where they are.

use leadyard_types::DestinationKind;
use serde_json::Value;

/// What stands for the destination's newest secret in headers and constants: the settings themselves hold none then.
const SECRET: &str = "{secret}";

/// A part of an address's path from this length on may be a key, if it has a digit.
const KEY_IN_PATH_CHARS: usize = 16;

/// The places of settings whose values may be secrets, as JSON pointers: the values of headers, the constants of pings,
/// and an address with a user, a query or something like a key in its path.
#[must_use]
pub fn secret_places(kind: DestinationKind, config: &Value) -> Vec<String> {
    if !matches!(kind, DestinationKind::Webhook | DestinationKind::Ping) {
        return Vec::new();
    }
    let mut places = Vec::new();
    if config.get("url").and_then(Value::as_str).is_some_and(may_hold_a_key) {
        places.push("/url".to_owned());
    }
    let list = |name: &str| config.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default().iter();
    let secret = |value: Option<&Value>| match value {
        Some(Value::String(text)) => !text.contains(SECRET),
        Some(Value::Number(_)) => true,
        _ => false,
    };
    let headers = list("headers").enumerate().filter(|(_, header)| secret(header.get(1)));
    places.extend(headers.map(|(at, _)| format!("/headers/{at}/1")));
    let constants = list("mapping").enumerate().filter(|(_, entry)| secret(entry.get("value")));
    places.extend(constants.map(|(at, _)| format!("/mapping/{at}/value")));
    places.extend(config.get("status_query").map(in_status_query).unwrap_or_default());
    places
}

/// Those of a status query; in its address only what stands there itself can be a key, not what is filled in.
fn in_status_query(query: &Value) -> Vec<String> {
    let mut places = Vec::new();
    if query.get("url").and_then(Value::as_str).is_some_and(|url| may_hold_a_key(&without_placeholders(url))) {
        places.push("/status_query/url".to_owned());
    }
    let headers = query.get("headers").and_then(Value::as_array).map(Vec::len).unwrap_or_default();
    places.extend((0..headers).map(|at| format!("/status_query/headers/{at}/1")));
    places
}

/// An address without its placeholders, and without the names of a query whose values are nothing else.
fn without_placeholders(address: &str) -> String {
    let (mut bare, mut rest) = (String::new(), address);
    while let Some((before, tag)) = rest.split_once("{{") {
        bare.push_str(before);
        rest = tag.split_once("}}").map_or("", |(_, after)| after);
    }
    bare.push_str(rest);
    match bare.split_once('?') {
        Some((path, query)) if query.split('&').all(|pair| pair.ends_with('=')) => path.to_owned(),
        _ => bare,
    }
}

fn may_hold_a_key(address: &str) -> bool {
    let Ok(url) = url::Url::parse(address) else { return true };
    let key = |part: &str| part.len() >= KEY_IN_PATH_CHARS && part.bytes().any(|byte| byte.is_ascii_digit());
    let user = !url.username().is_empty() || url.password().is_some();
    user || url.query().is_some() || url.fragment().is_some() || url.path().split('/').any(key)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Values of headers, constants and keys in addresses are withheld; plain addresses and `{secret}` are not.
    #[test]
    fn secrets_are_found() {
        let config = json!({
            "url": "https://crm.example.com/leads",
            "headers": [["Authorization", "Bearer x"], ["X-Key", "{secret}"]],
            "mapping": [{ "name": "key", "value": "abc" }, { "name": "zip", "field": "postal_code" }],
        });
        assert_eq!(secret_places(DestinationKind::Ping, &config), ["/headers/0/1", "/mapping/0/value"]);
        assert!(secret_places(DestinationKind::Email, &config).is_empty());
        for (address, secret) in [
            ("https://crm.example.com/restposten-energie-und-mehr", false),
            ("https://hooks.example.com/catch/12345/a8f3bc02d9e1f7a6", true),
            ("https://crm.example.com/leads?key=1", true),
            ("https://me:pass@crm.example.com/", true),
            ("no address", true),
        ] {
            let places = secret_places(DestinationKind::Webhook, &json!({ "url": address }));
            assert_eq!(!places.is_empty(), secret, "{address}");
        }
        for (address, secret) in [
            ("https://crm.example.com/leads/{{ delivery_id }}", false),
            ("https://crm.example.com/leads?id={{ delivery_id }}&bid={{ ping.reference }}", false),
            ("https://crm.example.com/leads?id={{ delivery_id }}&key=abc", true),
            ("https://crm.example.com/a8f3bc02d9e1f7a6/{{ delivery_id }}", true),
        ] {
            let query = json!({ "url": address, "headers": [["X-Key", "k"]] });
            let places = secret_places(DestinationKind::Webhook, &json!({ "status_query": query }));
            assert_eq!(places.len(), 1 + usize::from(secret), "{address}: {places:?}");
        }
    }
}
