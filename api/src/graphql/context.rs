//! What every resolver may use: the caller, the scoped reader, the loaders.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use async_graphql::dataloader::{DataLoader, Loader};
use async_graphql::{Context, Error, Result};
use futures_util::future::BoxFuture;
use leadyard_connectors::OutboundPolicy;
use leadyard_entity::Read;
use leadyard_market::Market;
use leadyard_types::Principal;

use super::errors::fixed;
use super::http::Edge;
use super::loaders::Loaders;

/// What the whole schema stands on.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    /// The market.
    pub(crate) market: Arc<Market>,
    /// Which addresses destinations may have.
    pub(crate) policy: OutboundPolicy,
}

/// Who is asking; `None` before signing in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller(pub(crate) Option<Principal>);

/// The market.
pub(crate) fn market<'a>(ctx: &Context<'a>) -> Result<&'a Arc<Market>> {
    ctx.data::<Api>().map(|api| &api.market)
}

/// Who is asking, signed in.
pub(crate) fn principal(ctx: &Context<'_>) -> Result<Principal> {
    ctx.data::<Caller>()?.0.ok_or_else(not_signed_in)
}

/// The error of a caller who has to sign in first.
pub(crate) fn not_signed_in() -> Error {
    fixed("UNAUTHENTICATED", "sign in with sessionCreate and send its token as Authorization: Bearer …")
}

/// The reader of the caller's rows.
pub(crate) fn read(ctx: &Context<'_>) -> Result<Read> {
    Ok(market(ctx)?.store().read(principal(ctx)?))
}

/// The loaders of this request: what a level of a query needs is read together.
pub(crate) fn loader<'a>(ctx: &Context<'a>) -> Result<&'a Loading> {
    ctx.data::<Loading>().map_err(|_| not_signed_in())
}

/// Loaders that read in waves.
pub(crate) struct Loading(pub(crate) DataLoader<Loaders>);

impl Loading {
    /// Loads with all others of its wave. In a box: what the engine sets aside for a field is as large as the largest field
    /// of its type needs, and plain columns are most of what is asked for.
    pub(crate) fn load_one<K>(&self, key: K) -> BoxFuture<'_, Result<Option<<Loaders as Loader<K>>::Value>>>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Loaders: Loader<K, Error = Error>,
    {
        Box::pin(self.0.load_one(key))
    }

    /// The same for several keys: what is not there is not in the answer.
    pub(crate) fn load_many<K>(
        &self,
        keys: impl IntoIterator<Item = K> + Send,
    ) -> BoxFuture<'_, Result<HashMap<K, <Loaders as Loader<K>>::Value>>>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Loaders: Loader<K, Error = Error>,
    {
        let keys: Vec<K> = keys.into_iter().collect();
        Box::pin(self.0.load_many(keys))
    }
}

/// What the request brings beside its document.
pub(crate) fn edge<'a>(ctx: &Context<'a>) -> Result<&'a Edge> {
    ctx.data::<Edge>()
}

/// The token of the session that asks, where a session asks.
pub(crate) fn session_token<'a>(ctx: &Context<'a>) -> Option<&'a str> {
    ctx.data_opt::<SessionToken>().map(|token| token.0.as_str())
}

/// A session's bearer token. Not printed.
pub(crate) struct SessionToken(pub(crate) String);
