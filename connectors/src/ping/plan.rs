//! A ping destination's settings, filled up from its preset, and everything that can be wrong with them.

use leadyard_types::FieldProblem;
use minijinja::value::Value as TemplateValue;

use super::answer::Adapter;
use super::config::{MappingEntry, PingAnswerConfig, PingConfig, PingFact, PingFormat, PingMethod};
use super::config::{TIMEOUT_MS_MAX, TIMEOUT_MS_MIN};
use super::preset::{Preset, Shape};
use crate::http::OutboundPolicy;
use crate::template::{Format, check_against, every_field};
use crate::webhook::{check_headers, is_content_type};

/// The names a ping's template may use.
pub(super) const TEMPLATE_NAMES: [&str; 10] =
    ["ping_id", "vertical", "campaign", "country", "currency", "places", "test", "fields", "hashes", "secret"];

/// As many entries as a vertical has fields.
const MAPPING_MAX: usize = 200;
/// A telephone number and an address in three algorithms each, and some room.
const HASHES_MAX: usize = 20;
const NAME_CHARS_MAX: usize = 200;
/// The deepest nesting of a payload's names.
const NAME_STEPS_MAX: usize = 10;
const CONSTANT_CHARS_MAX: usize = 2_000;
const FIELD_CHARS_MAX: usize = 64;

/// The name of FIELDS whose fields stand beside the other entries.
pub(super) const BESIDE: &str = "*";

/// What is asked: the settings with everything filled in.
pub(super) struct Plan<'config> {
    pub(super) config: &'config PingConfig,
    pub(super) method: PingMethod,
    pub(super) format: PingFormat,
    pub(super) root: &'config str,
    pub(super) mapping: Vec<&'config MappingEntry>,
}

impl PingConfig {
    /// How the answer is read, with everything filled in.
    pub(super) fn answer(&self) -> PingAnswerConfig {
        match (&self.answer, self.preset.map(Preset::shape)) {
            (Some(answer), Some(shape)) => answer.or(shape.answer.clone()),
            (Some(answer), None) => answer.clone(),
            (None, shape) => shape.unwrap_or_else(|| Preset::Leadyard.shape()).answer.clone(),
        }
    }

    /// What is asked, with everything filled in.
    pub(super) fn plan(&self) -> Plan<'_> {
        let preset = self.preset.map(Preset::shape);
        let ours = || Preset::Leadyard.shape();
        let payload = preset.or_else(|| self.mapping.is_empty().then(ours));
        let format = self.format.or(preset.and_then(|shape| shape.format)).unwrap_or(PingFormat::Json);
        let method = match format {
            PingFormat::Query => PingMethod::Get,
            _ => PingMethod::Post,
        };
        Plan {
            config: self,
            method: self.method.unwrap_or(method),
            format,
            root: self.root.as_deref().or(preset.and_then(|shape| shape.root.as_deref())).unwrap_or("ping"),
            mapping: self.merged(payload.map_or(&[], |shape| &shape.mapping)),
        }
    }

    /// A preset's entries, each in its place unless there is one of ours of its name; then our others.
    fn merged<'entry>(&'entry self, preset: &'entry [MappingEntry]) -> Vec<&'entry MappingEntry> {
        let ours = |name: &str| self.mapping.iter().find(|entry| entry.name == name);
        let others = self.mapping.iter().filter(|entry| preset.iter().all(|other| other.name != entry.name));
        let all = preset.iter().map(|entry| ours(&entry.name).unwrap_or(entry)).chain(others);
        all.filter(|entry| entry.sources() > 0).collect()
    }

    /// Everything that is wrong with the settings, under these rules of outward requests.
    #[must_use]
    pub fn check(&self, policy: &OutboundPolicy) -> Vec<FieldProblem> {
        let plan = self.plan();
        let mut problems = Problems(Vec::new());
        if let Err(message) = policy.check_url(&self.url) {
            problems.add("url", "INVALID_URL", message);
        }
        problems.check_request(&plan);
        problems.check_headers(self);
        problems.check_payload(&plan);
        problems.check_hashes(&plan);
        if let Some(shape) = self.preset.map(Preset::shape) {
            problems.check_needs(&plan, shape);
        }
        if !(TIMEOUT_MS_MIN..=TIMEOUT_MS_MAX).contains(&self.timeout_ms) {
            let message = format!("between {TIMEOUT_MS_MIN} and {TIMEOUT_MS_MAX} milliseconds");
            problems.add("timeout_ms", "OUT_OF_RANGE", message);
        }
        problems.0.extend(Adapter::of(&self.answer()).err().unwrap_or_default());
        problems.0
    }
}

impl MappingEntry {
    /// How many of its three sources an entry has.
    fn sources(&self) -> usize {
        usize::from(self.field.is_some()) + usize::from(self.value.is_some()) + usize::from(self.fact.is_some())
    }
}

impl PingFormat {
    /// How a template of this format escapes.
    pub(super) fn of_template(self) -> Format {
        match self {
            Self::Json => Format::Json,
            Self::Xml => Format::Xml,
            Self::Form | Self::Query => Format::Form,
        }
    }
}

struct Problems(Vec<FieldProblem>);

impl Problems {
    fn add(&mut self, field: impl Into<String>, code: &str, message: impl Into<String>) {
        self.0.push(FieldProblem::new(field, code, message));
    }

    fn check_request(&mut self, plan: &Plan<'_>) {
        if plan.method == PingMethod::Get && plan.format != PingFormat::Query {
            self.add("method", "NOT_ALLOWED", "GET has no body: it goes with the format QUERY only");
        }
        match &plan.config.content_type {
            Some(_) if plan.format == PingFormat::Query => {
                self.add("content_type", "NOT_ALLOWED", "a QUERY has no body, so it has no content type");
            }
            Some(content_type) if !is_content_type(content_type) => {
                let message = "a media type such as text/xml is expected";
                self.add("content_type", "INVALID_CONTENT_TYPE", message);
            }
            _ => {}
        }
        if plan.format == PingFormat::Xml && !is_xml_name(plan.root) {
            self.add("root", "INVALID_NAME", "a name of XML is expected, for example ping");
        }
    }

    fn check_headers(&mut self, config: &PingConfig) {
        check_headers(&config.headers, |field, code, message| self.add(field, code, message));
    }

    fn check_payload(&mut self, plan: &Plan<'_>) {
        let config = plan.config;
        if let Some(template) = &config.template {
            if !config.mapping.is_empty() {
                self.add("mapping", "NOT_ALLOWED", "a template is the whole payload: there is no mapping beside it");
            }
            let format = plan.format.of_template();
            let checked = check_against("template", template, format, &TEMPLATE_NAMES, sample_context());
            self.0.extend(checked.err());
        }
        if config.mapping.len() > MAPPING_MAX {
            self.add("mapping", "TOO_MANY", "at most 200 entries");
        }
        for (index, entry) in config.mapping.iter().enumerate().take(MAPPING_MAX) {
            self.check_entry(&format!("mapping.{index}"), entry, plan.format);
            let every = |entry: &MappingEntry| entry.fact == Some(PingFact::Fields);
            let clash = |other: &MappingEntry| match every(entry) || every(other) {
                // Fields stand below their entry's name, and others may stand there with them.
                true => other.name == entry.name,
                false => collide(&other.name, &entry.name, plan.format),
            };
            if config.mapping[..index].iter().any(clash) {
                self.add(format!("mapping.{index}.name"), "DUPLICATE", "another entry has this name, or a part of it");
            }
        }
    }

    fn check_entry(&mut self, place: &str, entry: &MappingEntry, format: PingFormat) {
        let every = entry.fact == Some(PingFact::Fields);
        if !(is_name(&entry.name, format) || every && entry.name == BESIDE) {
            self.add(format!("{place}.name"), "INVALID_NAME", name_message(format));
        }
        if entry.sources() > 1 {
            let message = "a value comes from one of `field`, `value` and `fact`";
            self.add(place, "NOT_ALLOWED", message);
        }
        if entry.field.as_ref().is_some_and(|field| !is_field(field)) {
            self.add(format!("{place}.field"), "INVALID_FIELD", "the key of one of our fields is expected");
        }
        let single = |value: &serde_json::Value| match value {
            serde_json::Value::String(text) => text.chars().count() <= CONSTANT_CHARS_MAX,
            serde_json::Value::Number(_) | serde_json::Value::Bool(_) => true,
            _ => false,
        };
        if entry.value.as_ref().is_some_and(|value| !single(value)) {
            let message = "a text of at most 2000 characters, a number or a truth value";
            self.add(format!("{place}.value"), "INVALID_VALUE", message);
        }
    }

    fn check_hashes(&mut self, plan: &Plan<'_>) {
        let hashes = &plan.config.hashes;
        if hashes.len() > HASHES_MAX {
            self.add("hashes", "TOO_MANY", "at most 20 hashes");
        }
        for (index, hash) in hashes.iter().enumerate().take(HASHES_MAX) {
            let place = format!("hashes.{index}");
            let plain = plan.config.template.is_none() || !hash.name.contains('.');
            if !is_name(&hash.name, plan.format) || !plain {
                self.add(format!("{place}.name"), "INVALID_NAME", name_message(plan.format));
            }
            if !is_field(&hash.field) {
                self.add(format!("{place}.field"), "INVALID_FIELD", "the key of one of our fields is expected");
            }
            let others = hashes[..index].iter().map(|other| &other.name);
            let mapped = plan.mapping.iter().filter(|entry| entry.fact != Some(PingFact::Fields));
            if others.chain(mapped.map(|entry| &entry.name)).any(|name| collide(name, &hash.name, plan.format)) {
                self.add(format!("{place}.name"), "DUPLICATE", "another entry has this name, or a part of it");
            }
        }
    }

    /// What a preset cannot know.
    fn check_needs(&mut self, plan: &Plan<'_>, shape: &Shape) {
        for name in &shape.needs_headers {
            if !plan.config.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name)) {
                self.add("headers", "REQUIRED", format!("the preset needs the header `{name}`"));
            }
        }
        for name in shape.needs.iter().filter(|_| plan.config.template.is_none()) {
            if !plan.mapping.iter().any(|entry| entry.name == *name) {
                self.add("mapping", "REQUIRED", format!("the preset needs an entry `{name}`"));
            }
        }
    }
}

/// Whether two names cannot stand side by side: the same, or one that would have to hold the other.
fn collide(one: &str, other: &str, format: PingFormat) -> bool {
    let holds = |outer: &str, inner: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'));
    let nests = matches!(format, PingFormat::Json | PingFormat::Xml);
    one == other || nests && (holds(one, other) || holds(other, one))
}

fn is_name(name: &str, format: PingFormat) -> bool {
    let steps = name.split('.').count();
    let step = |step: &str| match format {
        PingFormat::Xml => is_xml_name(step),
        _ => !step.is_empty() && step != BESIDE && !step.chars().any(char::is_control),
    };
    name.chars().count() <= NAME_CHARS_MAX && steps <= NAME_STEPS_MAX && name.split('.').all(step)
}

fn name_message(format: PingFormat) -> &'static str {
    match format {
        PingFormat::Xml => "at most 10 names of XML with dots between them",
        _ => "at most 10 names with dots between them, 200 characters together",
    }
}

/// A name that needs no thought in XML: letters, digits, hyphens and underscores of ASCII.
fn is_xml_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && name.len() <= NAME_CHARS_MAX
}

fn is_field(key: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !key.is_empty() && key.len() <= FIELD_CHARS_MAX && key.bytes().all(usual)
}

/// A context for the trial of a template.
fn sample_context() -> TemplateValue {
    TemplateValue::from_pairs(TEMPLATE_NAMES.into_iter().map(|name| {
        let value = match name {
            "fields" | "hashes" => every_field(),
            "places" => TemplateValue::from(1),
            "test" => TemplateValue::from(true),
            _ => TemplateValue::from("1"),
        };
        (name, value)
    }))
}
