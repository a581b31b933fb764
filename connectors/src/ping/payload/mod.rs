//! What a buyer is sent: the fields that are not personal, by the buyer's names, and hashes where it asks for them.

mod hash;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use url::Url;
use url::form_urlencoded::Serializer;

use super::PingPackage;
use super::answer::as_text;
use super::config::{MappingEntry, PingFact, PingFormat};
use super::plan::{BESIDE, Plan};
use crate::template::{OUTPUT_BYTES_MAX, render};

/// What stands for the destination's newest secret in headers and constants.
const SECRET: &str = "{secret}";
/// What is shown instead of a constant or a hash.
const MASK: &str = "***";
/// A part of a URL's path from this length on may be a key.
const KEY_IN_PATH_CHARS: usize = 16;
/// Shorter settings are words such as `ping`; they would be masked wherever they occur.
const SECRET_CHARS_MIN: usize = 6;

/// A ping as it goes out.
pub(super) struct Payload {
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// What was sent, with constants and hashes masked; not yet redacted.
    pub(super) shown: String,
    /// The hashes that were sent.
    pub(super) hashes: Vec<String>,
    /// Texts of the settings that no answer and no log may repeat.
    pub(super) secrets: Vec<String>,
}

/// One value of the payload.
#[derive(Clone)]
struct Entry {
    name: String,
    value: Value,
    /// Constants may be keys, and hashes are of persons.
    hidden: bool,
}

/// Writes a ping, or says what is missing for it.
pub(super) fn write(plan: &Plan<'_>, secrets: &[SecretString], package: &PingPackage) -> Result<Payload, String> {
    let newest = secrets.first().map(|secret| secret.expose_secret());
    let hashes = hash::all(&plan.config.hashes, newest, package)?;
    let entries = entries(plan, newest, package, &hashes)?;
    let (text, shown) = match &plan.config.template {
        Some(template) => {
            let context = context(package, &hashes, newest);
            let text = render(template, plan.format.of_template(), &context).map_err(|error| error.to_string())?;
            (text.clone(), text)
        }
        None => (written(plan, &entries), written(plan, &masked(&entries))),
    };
    if text.len() > OUTPUT_BYTES_MAX {
        return Err("the ping is longer than 128 KiB".to_owned());
    }
    let mut headers = Vec::new();
    for (name, value) in &plan.config.headers {
        headers.push((name.clone(), with_secret(value, newest)?));
    }
    let secrets = to_hide(plan, secrets, &headers, &entries);
    let hashes = hashes.into_iter().map(|(_, hash)| hash).collect();
    if plan.format == PingFormat::Query {
        let url = with_query(&plan.config.url, &text)?;
        return Ok(Payload { url, headers, body: Vec::new(), shown, hashes, secrets });
    }
    let content_type = plan.config.content_type.clone().unwrap_or_else(|| content_type(plan.format).to_owned());
    headers.push(("content-type".to_owned(), content_type));
    Ok(Payload { url: plan.config.url.clone(), headers, body: text.into_bytes(), shown, hashes, secrets })
}

fn content_type(format: PingFormat) -> &'static str {
    match format {
        PingFormat::Json => "application/json",
        PingFormat::Xml => "application/xml",
        PingFormat::Form | PingFormat::Query => "application/x-www-form-urlencoded",
    }
}

fn with_secret(text: &str, secret: Option<&str>) -> Result<String, String> {
    match secret {
        _ if !text.contains(SECRET) => Ok(text.to_owned()),
        Some(secret) => Ok(text.replace(SECRET, secret)),
        None => Err(NO_SECRET.to_owned()),
    }
}

const NO_SECRET: &str = "the destination has no secret";

fn with_query(url: &str, query: &str) -> Result<String, String> {
    let mut url = Url::parse(url).map_err(|_| "not an absolute URL".to_owned())?;
    let joined = match url.query() {
        Some(before) if !before.is_empty() => format!("{before}&{query}"),
        _ => query.to_owned(),
    };
    url.set_query((!joined.is_empty()).then_some(&joined));
    Ok(url.into())
}

/// What is sent, in order; a field the lead does not have is left out.
fn entries(
    plan: &Plan<'_>,
    secret: Option<&str>,
    package: &PingPackage,
    hashes: &[(String, String)],
) -> Result<Vec<Entry>, String> {
    let mut entries: Vec<Entry> = Vec::new();
    for entry in &plan.mapping {
        if entry.fact == Some(PingFact::Fields) {
            let taken = |name: &str| plan.mapping.iter().any(|other| other.name == name);
            let all = package.fields.iter().map(|(key, value)| (below(&entry.name, key), json!(value)));
            let free = all.filter(|(name, _)| !taken(name));
            entries.extend(free.map(|(name, value)| Entry { name, value, hidden: false }));
        } else if let Some(value) = value(entry, secret, package)? {
            entries.push(Entry { name: entry.name.clone(), value, hidden: entry.value.is_some() });
        }
    }
    let hash = |(name, hash): &(String, String)| Entry { name: name.clone(), value: json!(hash), hidden: true };
    entries.extend(hashes.iter().map(hash));
    Ok(entries)
}

fn below(name: &str, key: &str) -> String {
    if name == BESIDE { key.to_owned() } else { format!("{name}.{key}") }
}

fn value(entry: &MappingEntry, secret: Option<&str>, package: &PingPackage) -> Result<Option<Value>, String> {
    if let Some(field) = &entry.field {
        return Ok(package.fields.get(field).map(|value| json!(value)));
    }
    if let Some(constant) = &entry.value {
        return Ok(Some(match constant {
            Value::String(text) => with_secret(text, secret)?.into(),
            other => other.clone(),
        }));
    }
    Ok(entry.fact.and_then(|fact| self::fact(fact, package)))
}

fn fact(fact: PingFact, package: &PingPackage) -> Option<Value> {
    Some(match fact {
        PingFact::PingId => package.id.to_string().into(),
        PingFact::Vertical => package.vertical.clone().into(),
        PingFact::Campaign => package.campaign.clone().into(),
        PingFact::Country => package.country.clone().into(),
        PingFact::Currency => package.currency.as_str().into(),
        PingFact::Places => package.places.into(),
        PingFact::Test => package.test.into(),
        PingFact::Fields => return None,
    })
}

/// What a template sees.
fn context(package: &PingPackage, hashes: &[(String, String)], secret: Option<&str>) -> Value {
    let fields: Map<String, Value> = package.fields.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    let hashes: Map<String, Value> = hashes.iter().map(|(name, hash)| (name.clone(), json!(hash))).collect();
    let mut context = json!({
        "ping_id": package.id.to_string(),
        "vertical": package.vertical,
        "campaign": package.campaign,
        "country": package.country,
        "currency": package.currency.as_str(),
        "places": package.places,
        "test": package.test,
        "fields": fields,
        "hashes": hashes,
    });
    // Absent, so that a template which needs it fails instead of sending nothing for it.
    if let (Some(secret), Value::Object(context)) = (secret, &mut context) {
        context.insert("secret".to_owned(), secret.into());
    }
    context
}

fn masked(entries: &[Entry]) -> Vec<Entry> {
    let masked =
        |entry: &Entry| if entry.hidden { Entry { value: json!(MASK), ..entry.clone() } } else { entry.clone() };
    entries.iter().map(masked).collect()
}

fn written(plan: &Plan<'_>, entries: &[Entry]) -> String {
    match plan.format {
        PingFormat::Form | PingFormat::Query => {
            let pairs = entries.iter().map(|entry| (entry.name.as_str(), as_text(&entry.value)));
            Serializer::new(String::new()).extend_pairs(pairs).finish()
        }
        PingFormat::Json => Node::of(entries).json().to_string(),
        PingFormat::Xml => {
            let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>".to_owned();
            Node::of(entries).xml(plan.root, &mut text);
            text
        }
    }
}

/// A payload that nests, in the order of its entries: XML's readers may mind it.
enum Node {
    Value(Value),
    Parts(Vec<(String, Node)>),
}

impl Node {
    fn of(entries: &[Entry]) -> Self {
        let mut root = Self::Parts(Vec::new());
        for entry in entries {
            root.put(&entry.name.split('.').collect::<Vec<_>>(), &entry.value);
        }
        root
    }

    /// Puts a value at the end of a name's steps. What stands there already stays.
    fn put(&mut self, steps: &[&str], value: &Value) {
        let (Self::Parts(parts), Some((step, rest))) = (self, steps.split_first()) else { return };
        match parts.iter_mut().find(|(name, _)| name == step) {
            Some((_, node)) => node.put(rest, value),
            None => {
                let mut node = if rest.is_empty() { Self::Value(value.clone()) } else { Self::Parts(Vec::new()) };
                node.put(rest, value);
                parts.push(((*step).to_owned(), node));
            }
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Value(value) => value.clone(),
            Self::Parts(parts) => parts.iter().map(|(name, node)| (name.clone(), node.json())).collect(),
        }
    }

    fn xml(&self, name: &str, text: &mut String) {
        // A field's key may begin with a digit, an element may not.
        let mark = if name.starts_with(|c: char| c.is_ascii_digit()) { "_" } else { "" };
        text.push_str(&format!("<{mark}{name}>"));
        match self {
            Self::Value(value) => {
                let plain: String = as_text(value).chars().filter(|c| is_xml_char(*c)).collect();
                text.push_str(&quick_xml::escape::escape(plain));
            }
            Self::Parts(parts) => parts.iter().for_each(|(name, node)| node.xml(name, text)),
        }
        text.push_str(&format!("</{mark}{name}>"));
    }
}

/// Characters that XML 1.0 can hold at all.
fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..) && !matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// Every text of the settings that may be a key.
fn to_hide(plan: &Plan<'_>, secrets: &[SecretString], headers: &[(String, String)], entries: &[Entry]) -> Vec<String> {
    let mut hide: Vec<String> = Vec::new();
    for (_, value) in headers {
        hide.extend(value.split_whitespace().map(str::to_owned));
        hide.push(value.clone());
    }
    hide.extend(entries.iter().filter(|entry| entry.hidden).map(|entry| as_text(&entry.value)));
    if let Ok(url) = Url::parse(&plan.config.url) {
        hide.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
        let parts = url.path_segments().into_iter().flatten();
        hide.extend(parts.filter(|part| part.len() >= KEY_IN_PATH_CHARS).map(str::to_owned));
    }
    hide.retain(|text| text.chars().count() >= SECRET_CHARS_MIN);
    hide.extend(secrets.iter().map(|secret| secret.expose_secret().to_owned()));
    hide
}
