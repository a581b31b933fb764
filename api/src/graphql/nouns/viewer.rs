//! The viewer: who is signed in.

use async_graphql::{Context, ID, Object, Result};
use leadyard_entity::model::user_account;
use leadyard_types::{Principal, Timestamp};

use super::super::context::principal;
use super::super::id::Kind;
use super::super::words::Role;
use super::buyer::Buyer;
use super::of_row;
use super::one;
use super::source::Source;
use super::supplier::Supplier;

of_row! {
    /// A person who signs in.
    User of user_account
}

#[Object(use_type_description)]
impl User {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::User.id(self.0.id)
    }

    /// What people call them.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The address they sign in with.
    async fn email(&self) -> &str {
        &self.0.email
    }

    /// What they may do.
    async fn role(&self) -> Result<Role> {
        Role::read(&self.0.role)
    }

    /// Since when they may not sign in any more.
    async fn disabled_at(&self) -> Option<Timestamp> {
        self.0.disabled_at
    }
}

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
}
