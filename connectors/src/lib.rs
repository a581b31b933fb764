//! The outside world: one guarded HTTP client and a folder per remote system.
//!
//! A connector is stateless: it gets settings, secrets, a package and the time, makes one attempt, and says what came of
//! it in the words of [`leadyard_types::DeliveryOutcome`]. When to try again is [`schedule`]'s answer; storing is its
//! caller's business. Errors and excerpts hold neither personal values nor secrets.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod attempted;
mod crypto;
pub mod email;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
pub mod http;
pub mod load;
pub mod package;
pub mod ping;
pub mod redact;
pub mod schedule;
pub mod template;
pub mod webhook;
mod withheld;

use std::time::Duration;

use leadyard_types::{DeliveryOutcome, DestinationKind, FieldProblem, Timestamp};
use secrecy::SecretString;
use serde::de::DeserializeOwned;

pub use attempted::Attempted;
pub use crypto::install_crypto;
pub use email::{EmailConfig, Letter, Mailer, PostOffice, SmtpSecurity, SmtpSettings};
pub use http::{GuardedClient, OutboundPolicy, SendFailure, SetupFailure};
pub use load::LeadSender;
pub use package::{DeliveryPackage, Named, PingMark};
pub use ping::{PingAnswered, PingConfig, PingEndpoint, PingPackage};
pub use schedule::next_attempt;
pub use webhook::WebhookConfig;
pub use withheld::secret_places;

/// Every remote system behind one door. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Connectors {
    /// The way out over HTTP.
    pub http: GuardedClient,
    /// The way out of auctions, which run on threads of their own: the same, with connections of their own.
    pub auctions: GuardedClient,
    /// The operator's mail server, if one is configured.
    pub mailer: Option<Mailer>,
    /// By which letters go to people who sign in, if they do.
    pub post: Option<PostOffice>,
}

impl Connectors {
    /// Sets up the clients; nothing is connected yet. Called inside the runtime.
    pub fn new(policy: OutboundPolicy, smtp: Option<&SmtpSettings>) -> Result<Self, SetupFailure> {
        let http = GuardedClient::new(policy)?;
        let auctions = http.apart()?;
        Ok(Self { http, auctions, mailer: smtp.map(Mailer::new).transpose()?, post: None })
    }

    /// The same, with letters to people who sign in.
    #[must_use]
    pub fn with_post(self, office: PostOffice) -> Self {
        Self { post: Some(office), ..self }
    }

    /// Makes one attempt to bring a sold lead to a destination. `secrets` are a webhook's active signing secrets, the
    /// newest first.
    pub async fn deliver(
        &self,
        kind: DestinationKind,
        config_json: &str,
        secrets: &[SecretString],
        package: &DeliveryPackage,
        now: Timestamp,
    ) -> Attempted {
        match kind {
            DestinationKind::Portal => Attempted::of(DeliveryOutcome::Accepted),
            DestinationKind::Webhook => match read(config_json) {
                Ok(config) => webhook::deliver(&self.http, &config, secrets, package, now).await,
                Err(problem) => Attempted::misconfigured(problem.message),
            },
            DestinationKind::Email => match (read(config_json), &self.mailer) {
                (Ok(config), Some(mailer)) => mailer.deliver(&config, package, now).await,
                (Ok(_), None) => Attempted::misconfigured("no mail server is configured"),
                (Err(problem), _) => Attempted::misconfigured(problem.message),
            },
            DestinationKind::Ping => {
                Attempted::misconfigured("a ping destination is asked, nothing is delivered there")
            }
        }
    }

    /// Asks a buyer who answers the post; only a webhook can. See [`webhook::ask_verdict`].
    pub async fn ask_verdict(
        &self,
        kind: DestinationKind,
        config_json: &str,
        secrets: &[SecretString],
        package: &DeliveryPackage,
        now: Timestamp,
    ) -> Attempted {
        match (kind, read(config_json)) {
            (DestinationKind::Webhook, Ok(config)) => {
                webhook::ask_verdict(&self.http, &config, secrets, package, now).await
            }
            (DestinationKind::Webhook, Err(problem)) => Attempted::misconfigured(problem.message),
            _ => Attempted::misconfigured("only a webhook can answer for a buyer"),
        }
    }

    /// Asks a buyer what became of a lead whose answer was lost so long ago; only where the settings have a status query.
    /// See [`webhook::ask_status`].
    pub async fn ask_status(
        &self,
        config_json: &str,
        secrets: &[SecretString],
        package: &DeliveryPackage,
        unknown_for: chrono::Duration,
        now: Timestamp,
    ) -> Attempted {
        match read::<WebhookConfig>(config_json) {
            Ok(WebhookConfig { status_query: Some(query), .. }) => {
                webhook::ask_status(&self.http, &query, secrets, package, unknown_for, now).await
            }
            Ok(_) => Attempted::misconfigured("the destination has no status query"),
            Err(problem) => Attempted::misconfigured(problem.message),
        }
    }

    /// Asks a buyer for a bid, from where auctions run; ends when the budget ends, whatever the buyer does. See [`ping`].
    pub async fn ping(&self, endpoint: &PingEndpoint, package: &PingPackage, budget: Duration) -> PingAnswered {
        endpoint.ask(&self.auctions, package, budget).await
    }

    /// Asks in the same way, but not from where auctions run: a destination that is tried out.
    pub async fn try_ping(&self, endpoint: &PingEndpoint, package: &PingPackage, budget: Duration) -> PingAnswered {
        endpoint.ask(&self.http, package, budget).await
    }
}

/// Whether a buyer can be asked there what became of a lead.
#[must_use]
pub fn answers_status(kind: DestinationKind, config_json: &str) -> bool {
    let config = || read::<WebhookConfig>(config_json).ok();
    kind == DestinationKind::Webhook && config().is_some_and(|config| config.status_query.is_some())
}

/// Checks a destination's settings before they are stored: everything wrong is reported at once.
pub fn check_destination(
    kind: DestinationKind,
    config_json: &str,
    policy: &OutboundPolicy,
) -> Result<(), Vec<FieldProblem>> {
    let problems = match kind {
        DestinationKind::Webhook => read::<WebhookConfig>(config_json).map(|config| config.check(policy)),
        DestinationKind::Email => read::<EmailConfig>(config_json).map(|config| config.check()),
        DestinationKind::Ping => read::<PingConfig>(config_json).map(|config| config.check(policy)),
        DestinationKind::Portal => read::<NoSettings>(config_json).map(|_| Vec::new()),
    }
    .unwrap_or_else(|problem| vec![problem]);
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// A portal needs no settings.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct NoSettings {}

/// Reads settings. A parser's own message may quote a secret, so only its place is told.
fn read<Config: DeserializeOwned>(config_json: &str) -> Result<Config, FieldProblem> {
    serde_json::from_str(config_json).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        let message = format!("the settings of the destination cannot be read ({place})");
        FieldProblem::new("config", "INVALID_CONFIG", message)
    })
}

#[cfg(test)]
mod tests;
