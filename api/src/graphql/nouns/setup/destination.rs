//! Making and changing destinations.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, OneofObject, Result, SimpleObject};
use leadyard_connectors::{EmailConfig, PingConfig, WebhookConfig};
use leadyard_market::setup::{DestinationChange, NewDestination, SetupError};
use leadyard_types::{DestinationId, DestinationKind, FieldProblem};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::super::context::loader;
use super::super::super::errors::{UserError, internal};
use super::super::super::id::Kind;
use super::super::super::loaders::DestinationBy;
use super::super::super::words::Status;
use super::super::destination::Destination;
use super::ping_input::PingInput;
use super::reading::{Reading, named, plain};
use super::webhook_input::{EmailInput, WebhookInput};
use super::{Spelling, payload, setup, standing};

/// What kind of place it is, and its settings: exactly one of these.
#[derive(Debug, OneofObject)]
pub(crate) enum DestinationSettingsInput {
    /// A signed HTTP request (Standard Webhooks).
    Webhook(Box<WebhookInput>),
    /// A mail.
    Email(Box<EmailInput>),
    /// Where the buyer is asked for bids; nothing is delivered there.
    Ping(Box<PingInput>),
    /// Nothing is sent; the buyer reads it here. `true` is expected.
    Portal(bool),
}

impl DestinationSettingsInput {
    const fn kind(&self) -> DestinationKind {
        match self {
            Self::Webhook(_) => DestinationKind::Webhook,
            Self::Email(_) => DestinationKind::Email,
            Self::Ping(_) => DestinationKind::Ping,
            Self::Portal(_) => DestinationKind::Portal,
        }
    }

    /// Lays what is given over the settings that stand.
    fn lay(self, now: Option<Value>, reading: &mut Reading) -> Result<Value> {
        fn laid<T: DeserializeOwned + Serialize>(
            now: Option<Value>,
            none: T,
            lay: impl FnOnce(&mut T),
        ) -> Result<Value> {
            let mut config = now.map_or(Ok(none), serde_json::from_value).map_err(internal)?;
            lay(&mut config);
            serde_json::to_value(config).map_err(internal)
        }
        let mail = || EmailConfig { to: Vec::new(), subject: String::new(), body: String::new(), reply_to: None };
        match self {
            Self::Webhook(given) => laid(now, WebhookConfig::new(""), |config| given.lay(config, reading)),
            Self::Email(given) => laid(now, mail(), |config| given.lay(config, reading)),
            Self::Ping(given) => laid(now, PingConfig::new(""), |config| given.lay(config, reading)),
            Self::Portal(_) => Ok(json!({})),
        }
    }
}

/// The problems of settings stand below them.
fn below_settings(kind: DestinationKind, error: SetupError) -> SetupError {
    let place = kind.as_str().to_lowercase();
    let spelt = |found: FieldProblem| match found.field.as_str() {
        "name" => found,
        _ => FieldProblem { field: format!("settings.{place}.{}", found.field), ..found },
    };
    match error {
        SetupError::Problems(problems) => SetupError::Problems(problems.into_iter().map(spelt).collect()),
        other => other,
    }
}

/// A destination to be made. Its buyer and its kind stay for life.
#[derive(Debug, InputObject)]
pub(crate) struct DestinationCreateInput {
    /// Whose it is.
    buyer_id: ID,
    /// What people call it, 1 to 200 characters.
    name: String,
    /// What kind of place it is, and its settings.
    settings: DestinationSettingsInput,
}

/// What is changed of a destination. What is left out stays.
#[derive(Debug, InputObject)]
pub(crate) struct DestinationUpdateInput {
    /// The destination.
    destination_id: ID,
    /// Its version that this was decided by.
    version: i32,
    /// What people call it.
    name: MaybeUndefined<String>,
    /// Whether it is used. Resuming one that was set aside clears its notice, and what waited for it is sent.
    status: MaybeUndefined<Status>,
    /// Its settings, of its own kind; they are laid over what stands.
    settings: MaybeUndefined<DestinationSettingsInput>,
}

/// A webhook that gets a new secret.
#[derive(Debug, InputObject)]
pub(crate) struct DestinationSecretRotateInput {
    /// The destination, a webhook.
    destination_id: ID,
    /// Its version that this was decided by.
    version: i32,
}

/// What came of making a destination, or of giving it a new secret.
#[derive(Debug, SimpleObject)]
pub(crate) struct DestinationSecretPayload {
    /// The destination as it stands now; absent if nothing was done.
    destination: Option<Destination>,
    /// The signing secret of a webhook or a ping. It is shown this once and never again.
    secret: Option<String>,
    /// What to put right.
    user_errors: Vec<UserError>,
}

impl DestinationSecretPayload {
    const fn refused(user_errors: Vec<UserError>) -> Self {
        Self { destination: None, secret: None, user_errors }
    }

    async fn done(ctx: &Context<'_>, id: DestinationId, secret: Option<String>) -> Result<Self> {
        let destination = loader(ctx)?.load_one(DestinationBy(id.0)).await?.map(Destination);
        Ok(Self { destination, secret, user_errors: Vec::new() })
    }
}

payload!(DestinationPayload, destination: Destination by DestinationBy, "What came of changing a destination.", "The destination as it stands now; absent if nothing was done.");

/// Mutations of destinations.
#[derive(Debug, Default)]
pub(crate) struct DestinationMutations;

#[Object]
impl DestinationMutations {
    /// Makes a destination: where a buyer's leads go, or where it is asked for bids. Contracts name it.
    async fn destination_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose it is, and its settings.")] input: DestinationCreateInput,
    ) -> Result<DestinationSecretPayload> {
        let (mut reading, kind) = (Reading::default(), input.settings.kind());
        let config = input.settings.lay(None, &mut reading)?;
        let problems = reading.problems();
        if !problems.is_empty() {
            return Ok(DestinationSecretPayload::refused(problems));
        }
        let new = NewDestination { buyer_id: named(Kind::Buyer, &input.buyer_id), name: input.name, kind, config };
        match setup(ctx)?.create_destination(new).await {
            Ok(made) => DestinationSecretPayload::done(ctx, made.id, made.secret).await,
            Err(error) => {
                let told = Spelling::default().errors(below_settings(kind, error))?;
                Ok(DestinationSecretPayload::refused(told))
            }
        }
    }

    /// Changes a destination. Acts from the next attempt on.
    async fn destination_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The destination, and what is changed of it.")] input: DestinationUpdateInput,
    ) -> Result<DestinationPayload> {
        let row = standing!(ctx, input.destination_id, Destination by DestinationBy, "destinationId", "destination", input.version, DestinationPayload);
        let kind: DestinationKind = row.kind.parse().map_err(internal)?;
        let (mut reading, mut status) = (Reading::default(), None);
        let name = reading.changed("name", input.name);
        reading.set("status", input.status, &mut status, |given, path| plain(given, path).map(Some));
        let config = match reading.changed("settings", input.settings) {
            None => None,
            Some(given) if given.kind() != kind => {
                let message = format!("a destination stays what it is: settings of the kind {kind} are expected");
                return Ok(DestinationPayload::refused(vec![UserError::of("settings", "NOT_ALLOWED", message)]));
            }
            Some(given) => {
                let now = serde_json::from_str(&row.config).map_err(internal)?;
                Some(given.lay(Some(now), &mut reading)?)
            }
        };
        let problems = reading.problems();
        if !problems.is_empty() {
            return Ok(DestinationPayload::refused(problems));
        }
        let change = DestinationChange { name, status, config };
        let done = setup(ctx)?.revise_destination(DestinationId(row.id), row.version, change).await;
        let done = done.map(|_| row.id).map_err(|error| below_settings(kind, error));
        DestinationPayload::of(ctx, done, &Spelling::default()).await
    }

    /// Gives a webhook a new signing secret. The old one signs beside it until the next rotation, so that the receiver can
    /// change over in its own time; rotating twice ends it.
    async fn destination_secret_rotate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The destination.")] input: DestinationSecretRotateInput,
    ) -> Result<DestinationSecretPayload> {
        let id: DestinationId = named(Kind::Destination, &input.destination_id);
        match setup(ctx)?.rotate_destination_secret(id, input.version.into()).await {
            Ok(secret) => DestinationSecretPayload::done(ctx, id, Some(secret.expose_secret().to_owned())).await,
            Err(error) => {
                let spelling = Spelling::renaming(&[("kind", "destinationId")]);
                Ok(DestinationSecretPayload::refused(spelling.errors(error)?))
            }
        }
    }
}
