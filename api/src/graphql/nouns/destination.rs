//! Destinations.

use async_graphql::{Context, ID, Object, Result};
use leadyard_entity::model::destination;
use leadyard_types::Timestamp;

use super::super::id::Kind;
use super::super::words::{DestinationKind, Status};
use super::buyer::Buyer;
use super::{of_row, one, there};

of_row! {
    /// Where sold leads are delivered.
    Destination of destination
}

#[Object(use_type_description)]
impl Destination {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::Destination.id(self.0.id)
    }

    /// What people call it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Whose it is.
    async fn buyer(&self, ctx: &Context<'_>) -> Result<Buyer> {
        there(one!(ctx, BuyerBy(self.0.buyer_id) => Buyer)?)
    }

    /// What kind of place it is.
    async fn kind(&self) -> Result<DestinationKind> {
        DestinationKind::read(&self.0.kind)
    }

    /// Whether it is used. A destination that fails for days is set aside, and its owner is told.
    async fn status(&self) -> Result<Status> {
        Status::read(&self.0.status)
    }

    /// Since when every attempt has failed, if it has.
    async fn failing_since(&self) -> Option<Timestamp> {
        self.0.failing_since
    }

    /// Why it was set aside, if it was.
    async fn notice(&self) -> Option<&str> {
        self.0.notice.as_deref()
    }

    /// When it was set up.
    async fn created_at(&self) -> Timestamp {
        self.0.created_at
    }
}
