//! The viewer: who is signed in.

use async_graphql::{Context, Object, Result};
use leadyard_types::Principal;

use super::super::context::{self, principal};
use super::super::errors::store;
use super::api_key::ApiKey;
use super::buyer::Buyer;
use super::one;
use super::session::Session;
use super::source::Source;
use super::supplier::Supplier;
use super::user::User;

/// Who is asking, and whose rows they see.
#[derive(Debug, Clone, Copy, async_graphql::Description)]
pub(crate) struct Viewer;

#[Object(use_type_description)]
impl Viewer {
    /// The person signed in; absent for a source's key.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match principal(ctx)?.user_id() {
            Some(user) => one!(ctx, UserBy(user.0) => User),
            None => Ok(None),
        }
    }

    /// The buyer they belong to, if they belong to one.
    async fn buyer(&self, ctx: &Context<'_>) -> Result<Option<Buyer>> {
        match principal(ctx)? {
            Principal::Buyer { buyer_id, .. } => one!(ctx, BuyerBy(buyer_id.0) => Buyer),
            _ => Ok(None),
        }
    }

    /// The supplier they belong to, if they belong to one.
    async fn supplier(&self, ctx: &Context<'_>) -> Result<Option<Supplier>> {
        match principal(ctx)? {
            Principal::Supplier { supplier_id, .. } => one!(ctx, SupplierBy(supplier_id.0) => Supplier),
            _ => Ok(None),
        }
    }

    /// The source whose key is used, if one is.
    async fn source(&self, ctx: &Context<'_>) -> Result<Option<Source>> {
        match principal(ctx)? {
            Principal::Source { source_id } => one!(ctx, SourceBy(source_id.0) => Source),
            _ => Ok(None),
        }
    }

    /// The key that asks, where one of the user's keys does.
    async fn api_key(&self, ctx: &Context<'_>) -> Result<Option<ApiKey>> {
        match principal(ctx)?.key() {
            Some(key) => one!(ctx, ApiKeyBy(key.0) => ApiKey),
            None => Ok(None),
        }
    }

    /// Where they are signed in: their sessions that still hold, the newest first, at most 100.
    async fn sessions(&self, ctx: &Context<'_>) -> Result<Vec<Session>> {
        let rows = context::read(ctx)?.own_sessions().await.map_err(store)?;
        Ok(rows.into_iter().map(Session::from).collect())
    }
}
