//! Letters to people who sign in: plain text with one link, by the operator's mail server.

use std::time::SystemTime;

use leadyard_types::{FieldProblem, Timestamp};
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message, SinglePart};
use secrecy::{ExposeSecret, SecretString};
use url::Url;
use uuid::Uuid;

use super::config::own_mailbox;
use super::{Mailer, SmtpSecurity, SmtpSettings, automatic};
use crate::attempted::Attempted;
use crate::http::SetupFailure;

/// The ports of mail servers: TLS from the first byte, and STARTTLS.
const TLS_PORT: u16 = 465;
const STARTTLS_PORT: u16 = 587;

/// A letter. Its id makes its Message-ID, the same for every attempt: people get it once, however often its answer is lost.
pub struct Letter {
    /// What it is about.
    pub id: Uuid,
    /// To whom.
    pub to: String,
    /// The subject, one line.
    pub subject: String,
    /// The text. It may hold a link with a secret.
    pub text: SecretString,
}

/// By which mail server letters go, and where their links lead.
#[derive(Debug, Clone)]
pub struct PostOffice {
    mailer: Mailer,
    links_to: String,
}

impl PostOffice {
    /// A post office; nothing is connected yet. Called inside the runtime.
    pub fn new(settings: &SmtpSettings, links_to: &str) -> Result<Self, SetupFailure> {
        let url = Url::parse(links_to).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let plain = url.filter(|url| url.fragment().is_none() && url.query().is_none() && url.username().is_empty());
        let plain = plain.ok_or_else(|| {
            let example = "https://app.example.com";
            SetupFailure(format!("mail.links_to: the address of the front end is expected, such as {example}"))
        })?;
        Ok(Self { mailer: Mailer::new(settings)?, links_to: plain.as_str().trim_end_matches('/').to_owned() })
    }

    /// Where people are sent to.
    #[must_use]
    pub fn links_to(&self) -> &str {
        &self.links_to
    }

    /// A link with a secret. It stands behind `#`: no browser sends that part anywhere.
    #[must_use]
    pub fn link(&self, page: &str, token: &SecretString) -> SecretString {
        format!("{}/{page}#{}", self.links_to, token.expose_secret()).into()
    }

    /// Makes one attempt to send a letter.
    pub async fn send(&self, letter: &Letter, now: Timestamp) -> Attempted {
        match message(&self.mailer.from, letter, now) {
            Ok(message) => self.mailer.send(message, |_| None).await,
            Err(problem) => Attempted::misconfigured(problem),
        }
    }
}

fn message(from: &Mailbox, letter: &Letter, now: Timestamp) -> Result<Message, &'static str> {
    let body = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(letter.text.expose_secret().to_owned());
    Message::builder()
        .from(from.clone())
        .to(own_mailbox(&letter.to).ok_or("the address is none that mail can be sent to")?)
        .subject(letter.subject.clone())
        .date(SystemTime::from(now))
        .message_id(Some(format!("<{}@{}>", letter.id, from.email.domain())))
        .raw_header(automatic())
        .singlepart(body)
        .map_err(|_| "the mail cannot be put together")
}

impl SmtpSettings {
    /// The settings in an address: `smtps://user:password@host` (TLS from the first byte), `smtp://host:587` (STARTTLS,
    /// which the server must know) or, for a server on this machine, `smtp+plain://127.0.0.1:25`.
    pub fn from_url(url: &str, from: &str) -> Result<Self, FieldProblem> {
        let problem = |message: &str| FieldProblem::new("url", "INVALID_URL", message);
        let url =
            Url::parse(url).map_err(|_| problem("an address such as smtps://user@mail.example.com is expected"))?;
        let (security, port) = match url.scheme() {
            "smtps" => (SmtpSecurity::Tls, TLS_PORT),
            "smtp" => (SmtpSecurity::Starttls, STARTTLS_PORT),
            "smtp+plain" => (SmtpSecurity::Plain, 25),
            _ => return Err(problem("smtps://, smtp:// or smtp+plain:// is expected")),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| problem("a host is expected"))?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(problem("nothing is expected behind the host and its port"));
        }
        let text = |text: &str| unescaped(text).ok_or_else(|| problem("the login is not UTF-8"));
        let username = Some(text(url.username())?).filter(|name| !name.is_empty());
        let password = url.password().map(text).transpose()?.map(SecretString::from);
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(port),
            security,
            username,
            password,
            from: from.to_owned(),
        })
    }
}

/// A part of an address without its percent signs.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An address says server, port, protection and login; what it cannot say is refused, and no password is printed.
    #[test]
    fn an_address_is_read() {
        let read = |url: &str| SmtpSettings::from_url(url, "a@b.example");
        let tls = read("smtps://lead%40yard:h%3Anter2@mail.example.com").unwrap();
        assert_eq!((tls.host.as_str(), tls.port, tls.security), ("mail.example.com", 465, SmtpSecurity::Tls));
        assert_eq!(tls.username.as_deref(), Some("lead@yard"));
        assert_eq!(tls.password.as_ref().map(|word| word.expose_secret()), Some("h:nter2"));
        assert!(!format!("{tls:?}").contains("nter2"));
        let starttls = read("smtp://mail.example.com:2587").unwrap();
        assert_eq!((starttls.port, starttls.security, starttls.username), (2587, SmtpSecurity::Starttls, None));
        let plain = read("smtp+plain://[::1]:2525").unwrap();
        assert_eq!((plain.host.as_str(), plain.security, plain.check().len()), ("::1", SmtpSecurity::Plain, 0));
        assert_eq!(read("smtp+plain://mail.example.com").unwrap().check()[0].code, "NOT_ALLOWED");
        for wrong in ["mail.example.com", "http://mail.example.com", "smtps://", "smtps://a/b", "smtp://a?tls=1"] {
            assert_eq!(read(wrong).unwrap_err().code, "INVALID_URL", "{wrong}");
        }
    }

    /// Links lead to the front end, and their secrets stand where browsers send nothing.
    #[tokio::test]
    async fn links_lead_to_the_front_end() {
        let settings = SmtpSettings::from_url("smtp+plain://127.0.0.1:25", "a@b.example").unwrap();
        let office = PostOffice::new(&settings, "https://app.example/portal/").unwrap();
        let link = office.link("invitation", &"ly_invite_1".to_owned().into());
        assert_eq!(link.expose_secret(), "https://app.example/portal/invitation#ly_invite_1");
        for wrong in ["", "app.example", "ftp://app.example", "https://app.example/?a=b", "https://a@app.example"] {
            assert!(PostOffice::new(&settings, wrong).is_err(), "{wrong}");
        }
    }
}
