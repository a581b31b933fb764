//! Making and changing verticals.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result};
use leadyard_market::setup::{HeadChange, NewVertical};
use leadyard_types::terms::VerticalTerms;
use leadyard_types::{FieldDefinition, VerticalId};

use super::super::super::scalars::WholeNumber;
use super::super::super::words::{FieldKind, Requirement, UnknownFields};
use super::super::vertical::Vertical;
use super::reading::{Read, Reading, list, plain, whole};
use super::{Spelling, agreed, payload, setup, standing};

/// One field of a vertical: what suppliers send under a key.
#[derive(Debug, InputObject)]
pub(crate) struct FieldDefinitionInput {
    /// The key suppliers send: a letter, then lower-case letters, digits and underscores, up to 60.
    key: String,
    /// What people read; left out: the key with blanks.
    label: Option<String>,
    /// What it holds.
    kind: FieldKind,
    /// From which step on it must be given.
    #[graphql(default_with = "Requirement::Never")]
    required: Requirement,
    /// Whether it says who the person is: sealed at rest, masked for some roles, never in a ping.
    personal: bool,
    /// The values allowed, without regard to case; left out: any.
    allowed: Option<Vec<String>>,
    /// The least number allowed, for INTEGER and DECIMAL.
    min: Option<WholeNumber>,
    /// The greatest number allowed, for INTEGER and DECIMAL.
    max: Option<WholeNumber>,
    /// A regular expression that the whole value must match.
    pattern: Option<String>,
    /// The greatest length in characters; left out: 4000.
    max_length_chars: Option<i32>,
}

impl FieldDefinitionInput {
    fn read(self, path: &str) -> Read<FieldDefinition> {
        let max_length_chars = |given| whole(given, &format!("{path}.maxLengthChars"));
        let plain = FieldDefinition::new(&self.key, self.kind.into(), self.required.into(), self.personal);
        Ok(FieldDefinition {
            label: self.label.unwrap_or(plain.label),
            allowed: self.allowed.unwrap_or_default(),
            min: self.min.map(|min| min.0),
            max: self.max.map(|max| max.0),
            pattern: self.pattern,
            max_length_chars: self.max_length_chars.map(max_length_chars).transpose()?,
            key: plain.key,
            kind: plain.kind,
            required: plain.required,
            personal: plain.personal,
        })
    }
}

/// A vertical to be made.
#[derive(Debug, InputObject)]
pub(crate) struct VerticalCreateInput {
    /// The short key: 1 to 60 lower-case letters, digits, hyphens or underscores; no other vertical has it.
    key: String,
    /// What people call it, 1 to 200 characters.
    name: String,
    /// The fields, in the order people see them.
    fields: Vec<FieldDefinitionInput>,
    /// What happens to fields that are not defined.
    #[graphql(default_with = "UnknownFields::Refuse")]
    unknown_fields: UnknownFields,
}

/// What is changed of a vertical. What is left out stays.
#[derive(Debug, InputObject)]
pub(crate) struct VerticalUpdateInput {
    /// The vertical.
    vertical_id: ID,
    /// Its version that this was decided by.
    version: i32,
    /// The short key.
    key: MaybeUndefined<String>,
    /// What people call it.
    name: MaybeUndefined<String>,
    /// All of its fields. One by which a campaign recognises duplicates cannot go.
    fields: MaybeUndefined<Vec<FieldDefinitionInput>>,
    /// What happens to fields that are not defined.
    unknown_fields: MaybeUndefined<UnknownFields>,
}

payload!(VerticalPayload, vertical: Vertical by VerticalBy, "What came of making or changing a vertical.", "The vertical as it stands now; absent if nothing was done.");

/// Mutations of verticals.
#[derive(Debug, Default)]
pub(crate) struct VerticalMutations;

#[Object]
impl VerticalMutations {
    /// Makes a vertical: an industry with its own set of fields.
    async fn vertical_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its key, name and fields.")] input: VerticalCreateInput,
    ) -> Result<VerticalPayload> {
        let mut reading = Reading::default();
        let fields = reading.take(list(FieldDefinitionInput::read)(input.fields, "fields")).unwrap_or_default();
        let problems = reading.problems();
        if !problems.is_empty() {
            return Ok(VerticalPayload::refused(problems));
        }
        let terms = VerticalTerms { fields, unknown_fields: input.unknown_fields.into() };
        let done = setup(ctx)?.create_vertical(NewVertical { key: input.key, name: input.name, terms }).await;
        VerticalPayload::of(ctx, done.map(|id| id.0), &Spelling::default()).await
    }

    /// Changes a vertical. Acts from the next lead on.
    async fn vertical_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The vertical, and what is changed of it.")] input: VerticalUpdateInput,
    ) -> Result<VerticalPayload> {
        let row = standing!(ctx, input.vertical_id, Vertical by VerticalBy, "verticalId", "vertical", input.version, VerticalPayload);
        let mut terms = agreed!(ctx, row, VerticalTermsOf);
        let mut reading = Reading::default();
        let (key, name) = (reading.changed("key", input.key), reading.changed("name", input.name));
        reading.set("fields", input.fields, &mut terms.fields, list(FieldDefinitionInput::read));
        reading.set("unknownFields", input.unknown_fields, &mut terms.unknown_fields, plain);
        let problems = reading.problems();
        if !problems.is_empty() {
            return Ok(VerticalPayload::refused(problems));
        }
        let head = HeadChange { key, name, email: None };
        let done = setup(ctx)?.update_vertical(VerticalId(row.id), row.version, head, terms).await;
        VerticalPayload::of(ctx, done.map(|_| row.id), &Spelling::default()).await
    }
}
