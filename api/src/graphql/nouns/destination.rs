//! Destinations.

use async_graphql::{Context, ID, Object, Result};
use leadyard_connectors::{EmailConfig, secret_places};
use leadyard_entity::model::destination;
use leadyard_types::{DestinationKind as DestinationTerms, Timestamp};
use serde::de::DeserializeOwned;

use super::super::errors::internal;
use super::super::id::Kind;
use super::super::words::{DestinationKind, Status};
use super::buyer::Buyer;
use super::destination_settings::{EmailSettings, PingSettings, WebhookSettings, Withheld};
use super::{int, of_row, one, there};

of_row! {
    /// Where sold leads are delivered.
    Destination of destination
}

impl Destination {
    /// Its settings, if it is of this kind.
    fn settings<T: DeserializeOwned>(&self, kind: DestinationTerms) -> Result<Option<T>> {
        let own = self.0.kind == kind.as_str();
        own.then(|| serde_json::from_str(&self.0.config)).transpose().map_err(internal)
    }

    /// What of its settings is not shown.
    fn withheld(&self) -> Withheld {
        let read = (self.0.kind.parse(), serde_json::from_str(&self.0.config));
        Withheld(if let (Ok(kind), Ok(config)) = read { secret_places(kind, &config) } else { Vec::new() })
    }
}

#[Object(use_type_description)]
impl Destination {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::Destination.id(self.0.id)
    }

    /// What people call it.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Whose it is.
    async fn buyer(&self, ctx: &Context<'_>) -> Result<Buyer> {
        there(one!(ctx, BuyerBy(self.0.buyer_id) => Buyer)?)
    }

    /// What kind of place it is.
    fn kind(&self) -> Result<DestinationKind> {
        DestinationKind::read(&self.0.kind)
    }

    /// Whether it is used. A destination that fails for days is set aside, and its owner is told.
    fn status(&self) -> Result<Status> {
        Status::read(&self.0.status)
    }

    /// Since when every attempt has failed, if it has.
    fn failing_since(&self) -> Option<Timestamp> {
        self.0.failing_since
    }

    /// Why it was set aside, if it was.
    fn notice(&self) -> Option<&str> {
        self.0.notice.as_deref()
    }

    /// Its settings, if it is a webhook.
    fn webhook(&self) -> Result<Option<WebhookSettings>> {
        let config = self.settings(DestinationTerms::Webhook)?;
        Ok(config.map(|config| WebhookSettings::of(config, &self.withheld())))
    }

    /// Its settings, if it is a mail.
    fn email(&self) -> Result<Option<EmailSettings>> {
        Ok(self.settings::<EmailConfig>(DestinationTerms::Email)?.map(EmailSettings::from))
    }

    /// Its settings, if the buyer is asked there for bids.
    fn ping(&self) -> Result<Option<PingSettings>> {
        let config = self.settings(DestinationTerms::Ping)?;
        Ok(config.map(|config| PingSettings::of(config, &self.withheld())))
    }

    /// How often it was changed; a change names the version it was made from.
    fn version(&self) -> i32 {
        int(self.0.version)
    }

    /// When it was set up.
    fn created_at(&self) -> Timestamp {
        self.0.created_at
    }
}
