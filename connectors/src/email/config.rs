//! The settings of the mail server, and of an e-mail destination.

use std::net::IpAddr;

use leadyard_types::FieldProblem;
use lettre::message::Mailbox;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};

use crate::template::{Format, check_template};

/// Enough for a sales team; more is a mailing list and belongs on the buyer's side.
const RECIPIENTS_MAX: usize = 10;

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SmtpSecurity {
    /// Begins in the clear and must change to TLS before anything is said (port 587).
    Starttls,
    /// TLS from the first byte (port 465).
    Tls,
    /// No protection; only to a server on the same machine.
    Plain,
}

/// The operator's mail server. Its `Debug` form shows no password.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpSettings {
    /// The server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: SmtpSecurity,
    /// The login, if the server wants one.
    #[serde(default)]
    pub username: Option<String>,
    /// Its password.
    #[serde(default, deserialize_with = "secret")]
    pub password: Option<SecretString>,
    /// The sender: `leads@example.com` or `Leads <leads@example.com>`.
    pub from: String,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(SecretString::from))
}

impl SmtpSettings {
    /// Everything that is wrong with the settings.
    #[must_use]
    pub fn check(&self) -> Vec<FieldProblem> {
        let mut problems = Vec::new();
        let host = !self.host.is_empty()
            && self.host.len() <= 253
            && self.host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':'));
        if !host {
            problems.push(FieldProblem::new("host", "INVALID_HOST", "a host name or an address is expected"));
        }
        if self.port == 0 {
            problems.push(FieldProblem::new("port", "OUT_OF_RANGE", "a port is expected, usually 587 or 465"));
        }
        if self.security == SmtpSecurity::Plain && !is_loopback(&self.host) {
            let message = "mail without TLS is only sent to a server on this machine";
            problems.push(FieldProblem::new("security", "NOT_ALLOWED", message));
        }
        if self.username.is_some() != self.password.is_some() {
            problems.push(FieldProblem::new("password", "REQUIRED", "a login needs both user name and password"));
        }
        if mailbox(&self.from).is_none() {
            problems.push(FieldProblem::new("from", "INVALID_EMAIL", "an e-mail address is expected"));
        }
        problems
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An e-mail destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// The recipients, together in one mail.
    pub to: Vec<String>,
    /// The subject, a plain-text template.
    pub subject: String,
    /// The body, a plain-text template.
    pub body: String,
    /// Where answers go, if not to the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
}

impl EmailConfig {
    /// Everything that is wrong with the settings.
    #[must_use]
    pub fn check(&self) -> Vec<FieldProblem> {
        let mut problems = Vec::new();
        if self.to.is_empty() || self.to.len() > RECIPIENTS_MAX {
            problems.push(FieldProblem::new("to", "OUT_OF_RANGE", "between one and ten recipients"));
        }
        for (index, recipient) in self.to.iter().enumerate() {
            if mailbox(recipient).is_none() {
                let message = "an e-mail address is expected";
                problems.push(FieldProblem::new(format!("to.{index}"), "INVALID_EMAIL", message));
            }
        }
        if self.reply_to.as_ref().is_some_and(|reply_to| mailbox(reply_to).is_none()) {
            problems.push(FieldProblem::new("reply_to", "INVALID_EMAIL", "an e-mail address is expected"));
        }
        if self.subject.chars().any(char::is_control) {
            problems.push(FieldProblem::new("subject", "INVALID_HEADER", "a subject is one line of text"));
        } else if self.subject.trim().is_empty() {
            problems.push(FieldProblem::new("subject", "REQUIRED", "a subject is needed"));
        }
        problems.extend(check_template("subject", &self.subject, Format::Text).err());
        problems.extend(check_template("body", &self.body, Format::Text).err());
        problems
    }
}

/// An address with or without a name, in one line, whose domain has a dot.
pub(super) fn mailbox(text: &str) -> Option<Mailbox> {
    own_mailbox(text).filter(|mailbox| mailbox.email.domain().contains('.'))
}

/// The address of somebody who signs in here: its domain may be a host of the operator's own network, without a dot.
pub(super) fn own_mailbox(text: &str) -> Option<Mailbox> {
    if text.chars().any(char::is_control) || text.len() > 320 {
        return None;
    }
    let mailbox: Mailbox = text.parse().ok()?;
    (!mailbox.email.domain().starts_with('[')).then_some(mailbox)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(problems: Vec<FieldProblem>) -> Vec<String> {
        problems.into_iter().map(|problem| format!("{} {}", problem.field, problem.code)).collect()
    }

    pub(crate) fn settings(json: serde_json::Value) -> SmtpSettings {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn servers_are_checked() {
        let good = settings(serde_json::json!({
            "host": "mail.example.com", "port": 587, "security": "STARTTLS",
            "username": "u", "password": "hunter2", "from": "Leads <leads@example.com>",
        }));
        assert!(good.check().is_empty());
        assert!(!format!("{good:?}").contains("hunter2"));
        let bad = settings(serde_json::json!({
            "host": "mail.example.com", "port": 0, "security": "PLAIN", "username": "u", "from": "leads",
        }));
        assert_eq!(
            codes(bad.check()),
            ["port OUT_OF_RANGE", "security NOT_ALLOWED", "password REQUIRED", "from INVALID_EMAIL"]
        );
        for (host, fine) in [("127.0.0.1", true), ("localhost", true), ("::1", true), ("10.0.0.1", false)] {
            let plain =
                settings(serde_json::json!({ "host": host, "port": 25, "security": "PLAIN", "from": "a@b.example" }));
            assert_eq!(plain.check().is_empty(), fine, "{host}");
        }
    }

    #[test]
    fn destinations_are_checked() {
        let mut config = EmailConfig {
            to: vec!["buyer@example.net".into(), "Ann <ann@example.net>".into()],
            subject: "Lead {{ fields.last_name }}".into(),
            body: "{{ fields.phone }}".into(),
            reply_to: None,
        };
        assert!(config.check().is_empty());
        config.reply_to = Some("a@example.net\r\nBcc: x@example.net".into());
        config.to = vec!["x@example.net\nBcc: y@example.net".into(), "root@localhost".into(), "nobody".into()];
        config.subject = "Hi\r\nBcc: x@example.net".into();
        config.body = "{{ fields.phone".into();
        assert_eq!(
            codes(config.check()),
            [
                "to.0 INVALID_EMAIL",
                "to.1 INVALID_EMAIL",
                "to.2 INVALID_EMAIL",
                "reply_to INVALID_EMAIL",
                "subject INVALID_HEADER",
                "body TEMPLATE_SYNTAX"
            ]
        );
        config.to.clear();
        config.subject = " ".into();
        assert_eq!(codes(config.check())[..3], ["to OUT_OF_RANGE", "reply_to INVALID_EMAIL", "subject REQUIRED"]);
    }
}
