//! E-mail, by the operator's own mail server.
//!
//! The Message-ID is made of the delivery's id, the same for every attempt: sending again after a lost connection is safe,
//! because mail systems drop a second mail with the same id, and people recognise it.

mod config;
mod letter;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use leadyard_types::{DeliveryOutcome, Timestamp};
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::{Error as SmtpError, PoolConfig};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use secrecy::ExposeSecret;
use tokio::time::Instant;

use config::mailbox;
pub use config::{EmailConfig, SmtpSecurity, SmtpSettings};
pub use letter::{Letter, PostOffice};

use crate::attempted::Attempted;
use crate::http::SetupFailure;
use crate::package::DeliveryPackage;
use crate::redact::Redactor;
use crate::template::{Format, render};

/// A mail server answers a command in seconds; some look at a mail for half a minute before they take it.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest a whole mail may take.
const MAIL_TIMEOUT: Duration = Duration::from_secs(60);

/// What common mail servers allow one client without complaint.
const CONNECTIONS_MAX: u32 = 4;

/// The longest subject: what a line of a mail may hold, with room for the encoding.
const SUBJECT_CHARS_MAX: usize = 200;

/// Refusals of our login or of the connection's protection: the operator's matter, not the buyer's.
const LOGIN_CODES: [u16; 6] = [454, 530, 532, 534, 535, 538];

/// The operator's mail server, with a few connections kept open. Cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailer").field("from", &self.from).finish_non_exhaustive()
    }
}

impl Mailer {
    /// A mailer for these settings; nothing is connected yet. Called inside the runtime.
    pub fn new(settings: &SmtpSettings) -> Result<Self, SetupFailure> {
        crate::crypto::install_crypto();
        if let Some(problem) = settings.check().into_iter().next() {
            return Err(SetupFailure(format!("smtp.{}: {}", problem.field, problem.message)));
        }
        let from = mailbox(&settings.from).ok_or_else(|| SetupFailure("smtp.from: no e-mail address".to_owned()))?;
        let no_tls = |_| SetupFailure("smtp: TLS cannot be set up on this machine".to_owned());
        let builder = match settings.security {
            SmtpSecurity::Starttls => {
                AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(&settings.host).map_err(no_tls)?
            }
            SmtpSecurity::Tls => AsyncSmtpTransport::<Tokio1Executor>::relay(&settings.host).map_err(no_tls)?,
            SmtpSecurity::Plain => AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host),
        };
        let mut builder = builder
            .port(settings.port)
            .timeout(Some(COMMAND_TIMEOUT))
            .pool_config(PoolConfig::new().max_size(CONNECTIONS_MAX));
        if let (Some(username), Some(password)) = (&settings.username, &settings.password) {
            builder = builder.credentials(Credentials::new(username.clone(), password.expose_secret().to_owned()));
        }
        Ok(Self { transport: builder.build(), from })
    }

    /// Sends a lead by mail.
    pub async fn deliver(&self, config: &EmailConfig, package: &DeliveryPackage, now: Timestamp) -> Attempted {
        let message = match message(&self.from, config, package, now) {
            Ok(message) => message,
            Err(problem) => return Attempted::misconfigured(problem),
        };
        self.send(message, |answer| Redactor::of(package).excerpt(answer)).await
    }

    /// Sends a mail. `excerpt` says what of the server's answer is kept.
    async fn send(&self, message: Message, excerpt: impl Fn(&[u8]) -> Option<String>) -> Attempted {
        let started = Instant::now();
        let sent = tokio::time::timeout(MAIL_TIMEOUT, self.transport.send(message)).await;
        let attempted = match sent {
            Ok(Ok(response)) => {
                let text: Vec<&str> = response.message().collect();
                let mut attempted = Attempted::of(DeliveryOutcome::Accepted);
                attempted.status = Some(response.code().into());
                attempted.answer_bytes = text.iter().map(|line| line.len()).sum();
                attempted.answer_excerpt = excerpt(text.join(" ").as_bytes());
                attempted
            }
            Ok(Err(error)) => failed(&error, excerpt),
            Err(_) => Attempted::of(DeliveryOutcome::Retry).because("the mail server did not answer in time"),
        };
        attempted.lasting(started.elapsed())
    }
}

/// What an error of the mail server means. A connection that broke, even after the mail was handed over, is tried again:
/// the Message-ID makes it the same mail.
fn failed(error: &SmtpError, excerpt: impl Fn(&[u8]) -> Option<String>) -> Attempted {
    let code = error.status().map(u16::from);
    let (outcome, text) = if code.is_some_and(|code| LOGIN_CODES.contains(&code)) {
        (DeliveryOutcome::Retry, "the mail server refused our login")
    } else if error.is_permanent() {
        (DeliveryOutcome::Rejected, "the mail server refused the mail for good")
    } else if error.is_transient() {
        (DeliveryOutcome::Retry, "the mail server refused the mail for now")
    } else if error.is_client() {
        (DeliveryOutcome::Misconfigured, "the mail server cannot take such a mail or login")
    } else if error.is_tls() {
        (DeliveryOutcome::Retry, "TLS with the mail server failed")
    } else {
        (DeliveryOutcome::Retry, "the connection to the mail server failed")
    };
    let mut attempted = Attempted::of(outcome).because(text);
    attempted.status = code;
    if code.is_some() {
        let answer = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        attempted.answer_bytes = answer.len();
        attempted.answer_excerpt = excerpt(answer.as_bytes());
    }
    attempted
}

/// The mail, or what is wrong with the settings.
fn message(from: &Mailbox, config: &EmailConfig, package: &DeliveryPackage, now: Timestamp) -> Result<Message, String> {
    let context = package.context();
    let text = |template: &str| render(template, Format::Text, &context).map_err(|error| error.to_string());
    let subject = text(&config.subject)?;
    // A line break in a header would begin another header.
    if subject.chars().any(char::is_control) {
        return Err("the subject would hold a line break".to_owned());
    }
    let subject: String = subject.trim().chars().take(SUBJECT_CHARS_MAX).collect();
    let id = format!("<{}@{}>", package.delivery_id, from.email.domain());
    let mut builder = Message::builder()
        .from(from.clone())
        .subject(subject)
        .date(SystemTime::from(now))
        .message_id(Some(id))
        .raw_header(automatic());
    for recipient in &config.to {
        builder = builder.to(mailbox(recipient).ok_or("a recipient is no e-mail address")?);
    }
    if let Some(reply_to) = &config.reply_to {
        builder = builder.reply_to(mailbox(reply_to).ok_or("the address for answers is no e-mail address")?);
    }
    let body = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(text(&config.body)?);
    builder.singlepart(body).map_err(|_| "the mail cannot be put together".to_owned())
}

/// Tells vacation notices and other robots not to answer (RFC 3834).
fn automatic() -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned())
}
