//! Payload templates: what a destination receives, written by whoever runs it.
//!
//! A template sees the names of [`crate::package::CONTEXT_NAMES`], chooses with `if`, repeats with `for`, and escapes by
//! itself what it prints, by the format it produces. A name the lead does not have is an error unless `default` says what
//! to print instead. Work, size and nesting are bounded. Failures name the line and the kind, never a value.

mod filters;
mod scan;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::sync::Arc;

use leadyard_types::FieldProblem;
use minijinja::value::{Enumerator, Object, Serde, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, escape_formatter};

use crate::package::CONTEXT_NAMES;

/// The longest template: a page of text is 3 KB.
pub const TEMPLATE_BYTES_MAX: usize = 16 * 1024;

/// The longest result. Standard Webhooks asks for less than 20 KB; a lead with a long message still fits.
pub const OUTPUT_BYTES_MAX: usize = 128 * 1024;

/// Instructions one rendering may take: a long template needs a few hundred.
const FUEL: u64 = 20_000;

/// What a template produces, and so how the values it prints are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON: a printed value is a JSON value, quotes included; the result is checked.
    Json,
    /// XML or HTML: markup characters become references.
    Xml,
    /// `application/x-www-form-urlencoded`: values are percent-encoded.
    Form,
    /// Plain text: nothing is escaped.
    Text,
}

impl Format {
    /// The format of a content type, its parameters ignored.
    #[must_use]
    pub fn of_content_type(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.rsplit(['/', '+']).next() {
            Some("json") => Self::Json,
            Some("xml" | "html") => Self::Xml,
            Some("x-www-form-urlencoded") => Self::Form,
            _ => Self::Text,
        }
    }
}

/// A template could not be rendered for a lead. The message holds the line and the kind of problem, no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the template failed: {0}")]
pub struct TemplateFailure(pub String);

/// Checks a template of a delivery as far as that is possible without a lead.
pub fn check_template(field: &str, source: &str, format: Format) -> Result<(), FieldProblem> {
    check_against(field, source, format, &CONTEXT_NAMES, sample_context())
}

/// Checks a template that sees these names, by a trial with this context.
pub(crate) fn check_against(
    field: &str,
    source: &str,
    format: Format,
    names: &[&str],
    sample: Value,
) -> Result<(), FieldProblem> {
    let syntax = |message: String| FieldProblem::new(field, "TEMPLATE_SYNTAX", message);
    if source.len() > TEMPLATE_BYTES_MAX {
        return Err(FieldProblem::new(field, "TOO_LONG", "a template has at most 16 KiB"));
    }
    scan::check_tags(source).map_err(|(line, problem)| syntax(format!("line {line}: {problem}")))?;
    let env = environment(format);
    let template = env.template_from_named_str("template", source).map_err(|error| {
        let line = error.line().unwrap_or(1);
        syntax(format!("line {line}: {}", error.detail().unwrap_or("syntax error")))
    })?;
    let mut unknown: Vec<String> = template.undeclared_variables(false).into_iter().collect();
    unknown.retain(|name| !names.contains(&name.as_str()));
    unknown.sort();
    if let Some(name) = unknown.first() {
        let known = names.join(", ");
        let message = format!("`{name}` is not known; there are {known}");
        return Err(FieldProblem::new(field, "TEMPLATE_UNKNOWN_NAME", message));
    }
    // A trial with a lead that has every field. What only fails for want of real values is no problem yet.
    match rendered(&env, source, sample) {
        Ok(output) if format == Format::Json && !is_json(&output) => {
            let message = "the result is not JSON; print values without quotes around them: {{ fields.email }}";
            Err(FieldProblem::new(field, "TEMPLATE_NOT_JSON", message))
        }
        Ok(_) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::InvalidOperation | ErrorKind::NonPrimitive) => Ok(()),
        Err(error) => Err(syntax(describe(&error))),
    }
}

/// Renders a template for one lead.
pub fn render(source: &str, format: Format, context: &serde_json::Value) -> Result<String, TemplateFailure> {
    if source.len() > TEMPLATE_BYTES_MAX {
        return Err(TemplateFailure("it is longer than 16 KiB".to_owned()));
    }
    scan::check_tags(source).map_err(|(line, problem)| TemplateFailure(format!("line {line}: {problem}")))?;
    let env = environment(format);
    let output =
        rendered(&env, source, Value::from(Serde(context))).map_err(|error| TemplateFailure(describe(&error)))?;
    if format == Format::Json && !is_json(&output) {
        return Err(TemplateFailure("the result is not JSON".to_owned()));
    }
    Ok(output)
}

/// An environment for one template: making it takes microseconds, so none is kept.
fn environment<'source>(format: Format) -> Environment<'source> {
    let mut env = Environment::empty();
    env.set_debug(false);
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(50);
    env.set_auto_escape_callback(move |_| match format {
        Format::Json => AutoEscape::Json,
        Format::Xml => AutoEscape::Html,
        Format::Form | Format::Text => AutoEscape::None,
    });
    env.set_formatter(move |out, state, value| match format {
        Format::Json => escape_formatter(out, state, value),
        // Nothing is printed for nothing; "none" would end up in somebody's letter.
        _ if value.is_none() => Ok(()),
        Format::Form if !value.is_undefined() => {
            out.write_str(&filters::percent_encoded(&value.to_string())).map_err(Error::from)
        }
        _ => escape_formatter(out, state, value),
    });
    filters::add(&mut env);
    env
}

fn rendered(env: &Environment<'_>, source: &str, context: Value) -> Result<String, Error> {
    let template = env.template_from_named_str("template", source)?;
    let mut output = Bounded(Vec::new());
    template.render_captured_to(context, &mut output)?;
    String::from_utf8(output.0).map_err(|_| Error::from(ErrorKind::WriteFailure))
}

/// Takes what is written, up to [`OUTPUT_BYTES_MAX`].
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > OUTPUT_BYTES_MAX {
            return Err(std::io::Error::from(std::io::ErrorKind::StorageFull));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// The kind and line of an error. Its own detail may quote a value, so it is never used.
fn describe(error: &Error) -> String {
    let what = match error.kind() {
        ErrorKind::UndefinedError => "a name that is not there; use `default` if it may be missing",
        ErrorKind::UnknownFilter => "a filter that is not known",
        ErrorKind::UnknownTest => "a test that is not known",
        ErrorKind::UnknownFunction | ErrorKind::UnknownMethod => "functions cannot be called",
        ErrorKind::OutOfFuel => "it takes too many steps",
        ErrorKind::WriteFailure => "the result is too long",
        ErrorKind::SyntaxError => "syntax error",
        ErrorKind::TooManyArguments | ErrorKind::MissingArgument => "a filter with the wrong arguments",
        _ => "an operation that does not fit its values",
    };
    match error.line() {
        Some(line) => format!("line {line}: {what}"),
        None => what.to_owned(),
    }
}

/// A lead that has every field anybody asks for; a text of a digit passes for a number, too.
#[derive(Debug)]
struct EveryField;

impl Object for EveryField {
    fn get_value(self: &Arc<Self>, _: &Value) -> Option<Value> {
        Some(Value::from("1"))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Empty
    }
}

/// The fields of a trial run: all there are.
pub(crate) fn every_field() -> Value {
    Value::from_object(EveryField)
}

/// A context for a trial run.
fn sample_context() -> Value {
    let named = || Value::from_pairs([("id", "1"), ("name", "1")]);
    let price = Value::from_pairs([
        ("amount", Value::from("1.00")),
        ("amount_minor", Value::from(100)),
        ("currency", Value::from("EUR")),
    ]);
    Value::from_pairs(CONTEXT_NAMES.into_iter().map(|name| {
        let value = match name {
            "campaign" | "contract" | "buyer" => named(),
            "price" => price.clone(),
            "fields" | "consent" => every_field(),
            "attempt" => Value::from(1),
            "sold_at" | "received_at" => Value::from("2026-01-01T00:00:00Z"),
            _ => Value::from("1"),
        };
        (name, value)
    }))
}
