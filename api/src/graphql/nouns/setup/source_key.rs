//! Keys of sources.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use leadyard_entity::model::api_key;
use leadyard_types::{ApiKeyId, SourceId, Timestamp};
use secrecy::ExposeSecret as _;

use super::super::super::context::loader;
use super::super::super::errors::UserError;
use super::super::super::id::Kind;
use super::super::super::loaders::SourceKeyBy;
use super::super::source::Source;
use super::super::{of_row, one, there};
use super::reading::named;
use super::{Spelling, payload, setup};

of_row! {
    /// A key by which a source sends leads. Only its first part is kept in clear.
    SourceKey of api_key
}

#[Object(use_type_description)]
impl SourceKey {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::SourceKey.id(self.0.id)
    }

    /// The source it opens.
    async fn source(&self, ctx: &Context<'_>) -> Result<Source> {
        there(one!(ctx, SourceBy(self.0.source_id.unwrap_or_default()) => Source)?)
    }

    /// What people call it.
    fn label(&self) -> &str {
        &self.0.label
    }

    /// How it begins, by which people recognise it: `ly_live_0a1b2c3d4e5f`.
    fn begins_with(&self) -> String {
        format!("ly_live_{}", self.0.public_id)
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
}

/// A key to be made for a source.
#[derive(Debug, InputObject)]
pub(crate) struct SourceKeyCreateInput {
    /// The source. Two of its keys may be active: the old one and its successor.
    source_id: ID,
    /// What people call the key, 1 to 200 characters.
    label: String,
}

/// A key to be ended.
#[derive(Debug, InputObject)]
pub(crate) struct SourceKeyRevokeInput {
    /// The key.
    source_key_id: ID,
}

/// What came of making a key.
#[derive(Debug, SimpleObject)]
pub(crate) struct SourceKeyCreatePayload {
    /// The key's row; absent if nothing was done.
    source_key: Option<SourceKey>,
    /// The whole key, for `Authorization: Bearer …`. It is shown this once and never again.
    secret: Option<String>,
    /// What to put right.
    user_errors: Vec<UserError>,
}

payload!(SourceKeyRevokePayload, source_key: SourceKey by SourceKeyBy, "What came of ending a key.", "The key as it stands now; absent if nothing was done.");

/// Mutations of sources' keys.
#[derive(Debug, Default)]
pub(crate) struct SourceKeyMutations;

#[Object]
impl SourceKeyMutations {
    /// Makes a key by which a source sends leads.
    async fn source_key_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The source, and what the key is called.")] input: SourceKeyCreateInput,
    ) -> Result<SourceKeyCreatePayload> {
        let refused = |user_errors| Ok(SourceKeyCreatePayload { source_key: None, secret: None, user_errors });
        let source: SourceId = named(Kind::Source, &input.source_id);
        match setup(ctx)?.create_source_key(source, &input.label).await {
            Ok(made) => {
                let source_key = loader(ctx)?.load_one(SourceKeyBy(made.id.0)).await?.map(SourceKey);
                let secret = Some(made.key.expose_secret().to_owned());
                Ok(SourceKeyCreatePayload { source_key, secret, user_errors: Vec::new() })
            }
            Err(error) => refused(Spelling::default().errors(error)?),
        }
    }

    /// Ends a key at once: whatever is sent with it from now on is refused.
    async fn source_key_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key.")] input: SourceKeyRevokeInput,
    ) -> Result<SourceKeyRevokePayload> {
        let key: ApiKeyId = named(Kind::SourceKey, &input.source_key_id);
        let done = setup(ctx)?.revoke_source_key(key).await;
        SourceKeyRevokePayload::of(ctx, done.map(|()| key.0), &Spelling::default()).await
    }
}
