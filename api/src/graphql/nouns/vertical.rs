//! Verticals and their fields.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use leadyard_entity::model::vertical;
use leadyard_entity::read;
use leadyard_types::terms::VerticalTerms;
use leadyard_types::{FieldDefinition as Definition, Timestamp};

use super::super::connection::connection;
use super::super::context::loader;
use super::super::id::Kind;
use super::super::loaders::VerticalTermsOf;
use super::super::scalars::WholeNumber;
use super::super::words::{FieldKind, Requirement, UnknownFields};
use super::{int, of_row, queries, there};

of_row! {
    /// An industry with its own set of fields.
    Vertical of vertical
}

/// One field of a vertical: what suppliers send under a key.
#[derive(Debug, SimpleObject)]
pub(crate) struct FieldDefinition {
    /// The key suppliers send.
    key: String,
    /// What people read.
    label: String,
    /// What it holds.
    kind: FieldKind,
    /// From which step on it must be given.
    required: Requirement,
    /// Whether it says who the person is: sealed at rest, masked for some roles.
    personal: bool,
    /// The values allowed; empty means any.
    allowed: Vec<String>,
    /// The least number allowed, for INTEGER and DECIMAL; absent means none.
    min: Option<WholeNumber>,
    /// The greatest number allowed, for INTEGER and DECIMAL; absent means none.
    max: Option<WholeNumber>,
    /// A regular expression that the whole value must match; absent means any.
    pattern: Option<String>,
    /// The greatest length in characters, where it differs from the usual.
    max_length_chars: Option<i32>,
}

impl From<&Definition> for FieldDefinition {
    fn from(field: &Definition) -> Self {
        Self {
            key: field.key.clone(),
            label: field.label.clone(),
            kind: field.kind.into(),
            required: field.required.into(),
            personal: field.personal,
            allowed: field.allowed.clone(),
            min: field.min.map(WholeNumber),
            max: field.max.map(WholeNumber),
            pattern: field.pattern.clone(),
            max_length_chars: field.max_length_chars.map(int),
        }
    }
}

impl Vertical {
    async fn terms(&self, ctx: &Context<'_>) -> Result<Arc<VerticalTerms>> {
        there(loader(ctx)?.load_one(VerticalTermsOf(self.0.revision_id.into())).await?)
    }
}

#[Object(use_type_description)]
impl Vertical {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::Vertical.id(self.0.id)
    }

    /// The short key: `solar`.
    fn key(&self) -> &str {
        &self.0.key
    }

    /// What people call it.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// The fields, in the order people see them.
    async fn fields(&self, ctx: &Context<'_>) -> Result<Vec<FieldDefinition>> {
        Ok(self.terms(ctx).await?.fields.iter().map(FieldDefinition::from).collect())
    }

    /// What happens to fields that are not defined.
    async fn unknown_fields(&self, ctx: &Context<'_>) -> Result<UnknownFields> {
        Ok(self.terms(ctx).await?.unknown_fields.into())
    }

    /// When it was set up.
    fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// How often its terms were revised; a change names the version it was made from.
    fn version(&self) -> i32 {
        int(self.0.version)
    }
}

connection!(VerticalConnection, VerticalEdge, Vertical of vertical, "A page of verticals.", "A vertical in a list.");

queries! {
    VerticalQueries, Vertical, VerticalBy => Vertical,
    /// A vertical by its id.
    vertical,
    /// The verticals you take part in.
    verticals -> VerticalConnection by NameOrder of read::NameOrder
}
