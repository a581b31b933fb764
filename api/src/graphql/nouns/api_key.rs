//! API keys of users: what programs act with on a person's behalf.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use leadyard_entity::auth::scopes_of;
use leadyard_entity::model::api_key;
use leadyard_entity::read::{self, ApiKeyFilter as Filter};
use leadyard_market::people::{KeyRotation, MadeKey, NewKey, PeopleResult};
use leadyard_types::{ApiKeyId, Timestamp};
use secrecy::ExposeSecret as _;

use super::super::connection::{Paging, connection};
use super::super::context::{loader, market};
use super::super::errors::{self, UserError, store};
use super::super::id::Kind;
use super::super::loaders::ApiKeyBy;
use super::super::order::TimeOrder;
use super::super::scalars::Moment;
use super::super::words::ApiKeyScope;
use super::user::{User, people};
use super::{ids, of_row, one, there};

of_row! {
    /// A key by which a program acts on a user's behalf: what the user's role may do, as far as the key's scopes go.
    ApiKey of api_key
}

/// Where a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum ApiKeyState {
    /// It opens what it may.
    Active,
    /// It ended by itself, or its time beside a successor is over.
    Expired,
    /// Somebody ended it, or its user was shut out.
    Revoked,
}

#[Object(use_type_description)]
impl ApiKey {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::ApiKey.id(self.0.id)
    }

    /// On whose behalf it acts.
    async fn user(&self, ctx: &Context<'_>) -> Result<User> {
        there(one!(ctx, UserBy(self.0.user_id.unwrap_or_default()) => User)?)
    }

    /// What people call it.
    fn name(&self) -> &str {
        &self.0.label
    }

    /// What of the user's role it may do.
    fn scopes(&self) -> Result<Vec<ApiKeyScope>> {
        Ok(scopes_of(&self.0).map_err(store)?.iter().map(ApiKeyScope::from).collect())
    }

    /// How it begins, by which people recognise it: `ly_live_0a1b2c3d4e5f`.
    fn begins_with(&self) -> String {
        format!("ly_live_{}", self.0.public_id)
    }

    /// Where it stands.
    async fn state(&self, ctx: &Context<'_>) -> Result<ApiKeyState> {
        let now = market(ctx)?.clock().now();
        Ok(match &self.0 {
            row if row.revoked_at.is_some() => ApiKeyState::Revoked,
            row if row.expires_at.is_some_and(|end| end <= now) => ApiKeyState::Expired,
            _ => ApiKeyState::Active,
        })
    }

    /// When it was made.
    fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// When it ends by itself, if it does.
    fn expires_at(&self) -> Option<Timestamp> {
        self.0.expires_at
    }

    /// When it was revoked, if it was.
    fn revoked_at(&self) -> Option<Timestamp> {
        self.0.revoked_at
    }

    /// When it was used last, to the minute; absent if it never was.
    fn last_used_at(&self) -> Option<Timestamp> {
        self.0.last_used_at
    }
}

/// Which keys. What is left out does not restrict.
#[derive(Debug, Default, InputObject)]
pub(crate) struct ApiKeyFilter {
    /// Of one of these users.
    user_ids: Option<Vec<ID>>,
    /// Only those that open something now.
    #[graphql(default)]
    active: bool,
}

impl ApiKeyFilter {
    fn read(self, now: Timestamp) -> Result<Filter> {
        Ok(Filter { users: ids(Kind::User, self.user_ids)?, active_at: self.active.then_some(now) })
    }
}

connection!(ApiKeyConnection, ApiKeyEdge, ApiKey of api_key, "A page of keys.", "A key in a list.");

/// Root fields.
#[derive(Debug, Default)]
pub(crate) struct ApiKeyQueries;

#[Object]
impl ApiKeyQueries {
    /// A key by its id.
    async fn api_key(&self, ctx: &Context<'_>, #[graphql(desc = "Its global id.")] id: ID) -> Result<Option<ApiKey>> {
        match Kind::ApiKey.read(&id) {
            Some(id) => one!(ctx, ApiKeyBy(id) => ApiKey),
            None => Ok(None),
        }
    }

    /// Your keys, and those of the users you administer; those that ended are among them.
    #[allow(clippy::too_many_arguments, reason = "the arguments of every list")]
    async fn api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which of them; left out, all.")] filter: Option<ApiKeyFilter>,
        #[graphql(desc = "In which order.", default)] order_by: TimeOrder,
    ) -> Result<ApiKeyConnection> {
        let paging = Paging { first, after, last, before };
        let wanted = filter.unwrap_or_default().read(market(ctx)?.clock().now())?;
        ApiKeyConnection::load(ctx, wanted, read::TimeOrder::from(order_by), paging).await
    }
}

/// A key to be made for yourself.
#[derive(Debug, InputObject)]
pub(crate) struct ApiKeyCreateInput {
    /// What people call it, 1 to 200 characters: the program that will use it.
    name: String,
    /// What of your role it may do.
    scopes: Vec<ApiKeyScope>,
    /// When it ends by itself, within ten years; left out, it goes on until it is revoked.
    expires_at: Option<Moment>,
}

/// A key to be replaced.
#[derive(Debug, InputObject)]
pub(crate) struct ApiKeyRotateInput {
    /// The key, one of your own.
    api_key_id: ID,
    /// Until when the old key goes on, within 30 days and never longer than it was made for; left out, for a day.
    old_until: Option<Moment>,
    /// When the new key ends by itself; left out, it lives as long as the old one was made for, whatever time that one has
    /// beside it.
    expires_at: Option<Moment>,
}

/// A key to be ended.
#[derive(Debug, InputObject)]
pub(crate) struct ApiKeyRevokeInput {
    /// The key: your own, or one of a user you administer.
    api_key_id: ID,
}

/// What came of making a key.
#[derive(Debug, SimpleObject)]
pub(crate) struct ApiKeyCreatePayload {
    /// The new key's row; absent if nothing was done.
    api_key: Option<ApiKey>,
    /// The whole key, for `Authorization: Bearer …`. It is shown this once and never again.
    secret: Option<String>,
    /// What to put right.
    user_errors: Vec<UserError>,
}

/// What came of ending a key.
#[derive(Debug, SimpleObject)]
pub(crate) struct ApiKeyRevokePayload {
    /// The key as it stands now; absent if nothing was done.
    api_key: Option<ApiKey>,
    /// What to put right.
    user_errors: Vec<UserError>,
}

impl ApiKeyCreatePayload {
    async fn of(ctx: &Context<'_>, made: PeopleResult<MadeKey>) -> Result<Self> {
        Ok(match made {
            Ok(made) => Self {
                api_key: loader(ctx)?.load_one(ApiKeyBy(made.id.0)).await?.map(ApiKey),
                secret: Some(made.key.expose_secret().to_owned()),
                user_errors: Vec::new(),
            },
            Err(error) => Self { api_key: None, secret: None, user_errors: errors::people(error)? },
        })
    }
}

/// Mutations of users' keys.
#[derive(Debug, Default)]
pub(crate) struct ApiKeyMutations;

fn key_id(id: &ID) -> ApiKeyId {
    ApiKeyId(Kind::ApiKey.read(id).unwrap_or_default())
}

#[Object]
impl ApiKeyMutations {
    /// Makes a key by which a program acts on your behalf. Keys make no keys: this needs a session.
    async fn api_key_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is called and may do.")] input: ApiKeyCreateInput,
    ) -> Result<ApiKeyCreatePayload> {
        let scopes = input.scopes.into_iter().map(Into::into).collect();
        let new = NewKey { name: input.name, scopes, expires_at: input.expires_at.map(Moment::into) };
        ApiKeyCreatePayload::of(ctx, people(ctx)?.create_key(new).await).await
    }

    /// Replaces one of your keys by one of the same name and scopes; the old one goes on until a stated moment, so that
    /// no program stands still meanwhile. A key has one successor: another only when that one was revoked or has ended.
    async fn api_key_rotate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key, and until when it goes on.")] input: ApiKeyRotateInput,
    ) -> Result<ApiKeyCreatePayload> {
        let rotation = KeyRotation {
            old_until: input.old_until.map(Moment::into),
            expires_at: input.expires_at.map(Moment::into),
        };
        ApiKeyCreatePayload::of(ctx, people(ctx)?.rotate_key(key_id(&input.api_key_id), rotation).await).await
    }

    /// Ends a key at once: whatever is sent with it from now on is refused.
    async fn api_key_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key.")] input: ApiKeyRevokeInput,
    ) -> Result<ApiKeyRevokePayload> {
        let id = key_id(&input.api_key_id);
        Ok(match people(ctx)?.revoke_key(id).await {
            Ok(()) => {
                let api_key = loader(ctx)?.load_one(ApiKeyBy(id.0)).await?.map(ApiKey);
                ApiKeyRevokePayload { api_key, user_errors: Vec::new() }
            }
            Err(error) => ApiKeyRevokePayload { api_key: None, user_errors: errors::people(error)? },
        })
    }
}
