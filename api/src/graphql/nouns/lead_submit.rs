//! `leadSubmit`: the GraphQL door for leads. Behind it is the same path as behind every other.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use leadyard_market::IntakeError;
use leadyard_types::{Consent as Evidence, Door, FieldProblem, LeadAnswer, LeadDraft, Principal, SourceId};
use serde_json::{Map, Value};

use super::super::context::{market, principal};
use super::super::errors::{UserError, fixed, store};
use super::super::id::Kind;
use super::super::loaders::SourceBy;
use super::super::scalars::{Moment, Money};
use super::super::words::{Check, LeadState};
use super::lead::Lead;
use super::one;

/// The longest idempotency key and mark of a supplier, in characters.
const MARK_CHARS_MAX: usize = 200;

/// An answer to one field of the vertical.
#[derive(Debug, InputObject)]
pub(crate) struct LeadFieldInput {
    /// The field's key.
    key: String,
    /// The value as text; numbers and yes/no are read from it as the field says.
    value: String,
}

/// The evidence that a lead may be passed on.
#[derive(Debug, InputObject)]
pub(crate) struct ConsentInput {
    /// The text the person agreed to, or a reference to it.
    text: Option<String>,
    /// The version of that text.
    text_version: Option<String>,
    /// When the person agreed.
    given_at: Option<Moment>,
    /// The page where.
    page_url: Option<String>,
    /// From which address.
    ip: Option<String>,
    /// What for: `contact_by_phone`.
    purposes: Option<Vec<String>>,
    /// Recipients named in the text.
    recipients: Option<Vec<String>>,
    /// Certificates of the moment.
    certificate_urls: Option<Vec<String>>,
    /// A declared basis where there is no recorded moment.
    basis: Option<String>,
}

impl From<ConsentInput> for Evidence {
    fn from(input: ConsentInput) -> Self {
        Self {
            text: input.text,
            text_version: input.text_version,
            given_at: input.given_at.map(Moment::into),
            page_url: input.page_url,
            ip: input.ip,
            purposes: input.purposes.unwrap_or_default(),
            recipients: input.recipients.unwrap_or_default(),
            certificate_urls: input.certificate_urls.unwrap_or_default(),
            basis: input.basis,
        }
    }
}

/// A lead as it is sent.
#[derive(Debug, InputObject)]
pub(crate) struct LeadSubmitInput {
    /// The source it comes from; not needed with a source's own key.
    source_id: Option<ID>,
    /// The answers to the vertical's fields, each key once.
    fields: Vec<LeadFieldInput>,
    /// The evidence that it may be passed on.
    consent: Option<ConsentInput>,
    /// A mark of your own, passed through to reports.
    subid: Option<String>,
    /// An id of your own, passed through.
    external_id: Option<String>,
    /// When the enquiry was made, where that is not now; never in the future.
    enquired_at: Option<Moment>,
    /// The same key gets the first answer again; without one, the same lead within 60 seconds does.
    idempotency_key: Option<String>,
}

/// A problem of one field of a lead.
#[derive(Debug, SimpleObject)]
pub(crate) struct LeadFieldProblem {
    /// The field's key, or a path such as `consent.given_at`.
    field: String,
    /// What is wrong, stable, for programs.
    code: String,
    /// What would be right, for people.
    message: String,
}

impl From<&FieldProblem> for LeadFieldProblem {
    fn from(problem: &FieldProblem) -> Self {
        Self { field: problem.field.clone(), code: problem.code.clone(), message: problem.message.clone() }
    }
}

/// What became of a lead that was sent. The lead is stored, whatever its state.
#[derive(Debug, async_graphql::Description)]
pub(crate) struct LeadSubmission(LeadAnswer);

#[Object(use_type_description)]
impl LeadSubmission {
    /// The lead, if you may see it.
    async fn lead(&self, ctx: &Context<'_>) -> Result<Option<Lead>> {
        one!(ctx, LeadBy(self.0.lead_id.0) => Lead)
    }

    /// Where it stands.
    fn state(&self) -> LeadState {
        self.0.state.into()
    }

    /// The check that refused it or set it aside, or why nobody bought it.
    fn check(&self) -> Option<Check> {
        self.0.check.map(Check::from)
    }

    /// What that check says, for people.
    fn message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// Every problem of the fields, if that was the check.
    fn problems(&self) -> Vec<LeadFieldProblem> {
        self.0.problems.iter().map(LeadFieldProblem::from).collect()
    }

    /// What the supplier earns for it.
    fn payout(&self) -> Option<Money> {
        self.0.payout.map(Money)
    }

    /// Where to send the visitor.
    fn redirect_url(&self) -> Option<&str> {
        self.0.redirect_url.as_deref()
    }

    /// Whether this is the first answer given again.
    fn repeated(&self) -> bool {
        self.0.repeated
    }
}

/// What came of sending a lead.
#[derive(Debug, SimpleObject)]
pub(crate) struct LeadSubmitPayload {
    /// What became of it; absent if nothing was stored.
    submission: Option<LeadSubmission>,
    /// What to put right before sending it again. Problems of the lead itself stand in the submission.
    user_errors: Vec<UserError>,
}

impl LeadSubmitPayload {
    fn refused(error: UserError) -> Self {
        Self { submission: None, user_errors: vec![error] }
    }
}

/// Mutations of leads.
#[derive(Debug, Default)]
pub(crate) struct LeadMutations;

#[Object]
impl LeadMutations {
    /// Sends a lead: it is stored, checked and placed before this answers.
    async fn lead_submit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The lead.")] input: LeadSubmitInput,
    ) -> Result<LeadSubmitPayload> {
        let principal = principal(ctx)?;
        let Some(source_id) = source(ctx, principal, input.source_id.as_ref()).await? else {
            return Ok(LeadSubmitPayload::refused(UserError::not_found("sourceId", "source")));
        };
        if let Some(error) = too_long(&input) {
            return Ok(LeadSubmitPayload::refused(error));
        }
        match market(ctx)?.submit(principal, draft(input, source_id)).await {
            Ok(answer) => Ok(LeadSubmitPayload { submission: Some(LeadSubmission(answer)), user_errors: Vec::new() }),
            Err(IntakeError::UnknownSource) => {
                Ok(LeadSubmitPayload::refused(UserError::not_found("sourceId", "source")))
            }
            Err(IntakeError::KeyReused) => Ok(LeadSubmitPayload::refused(UserError::of(
                "idempotencyKey",
                "IDEMPOTENCY_KEY_REUSED",
                "this key was used with another lead; use a new key for another lead",
            ))),
            Err(IntakeError::Busy { .. }) => Err(fixed("BUSY", "too many leads are waiting; try again in a second")),
            Err(IntakeError::Store(error)) => Err(store(error)),
        }
    }
}

/// The source a lead is sent for, if the caller sees it.
async fn source(ctx: &Context<'_>, principal: Principal, named: Option<&ID>) -> Result<Option<SourceId>> {
    let id = match (named, principal) {
        (Some(id), _) => Kind::Source.read(id),
        (None, Principal::Source { source_id }) => Some(source_id.0),
        (None, _) => None,
    };
    let Some(id) = id else { return Ok(None) };
    Ok(super::super::context::loader(ctx)?.load_one(SourceBy(id)).await?.map(|row| SourceId(row.id)))
}

fn too_long(input: &LeadSubmitInput) -> Option<UserError> {
    let marks =
        [("subid", &input.subid), ("externalId", &input.external_id), ("idempotencyKey", &input.idempotency_key)];
    let long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.chars().count() > MARK_CHARS_MAX);
    if input.idempotency_key.as_ref().is_some_and(String::is_empty) {
        return Some(UserError::of("idempotencyKey", "TOO_SHORT", "1 to 200 characters are expected"));
    }
    let (field, _) = marks.into_iter().find(|(_, text)| long(text))?;
    Some(UserError::of(field, "TOO_LONG", "at most 200 characters are expected"))
}

fn draft(input: LeadSubmitInput, source_id: SourceId) -> LeadDraft {
    let (mut fields, mut problems) = (Map::new(), Vec::new());
    for field in input.fields {
        if fields.insert(field.key.clone(), Value::String(field.value)).is_some() {
            problems.push(FieldProblem::new(field.key, "REPEATED", "each key is expected once"));
        }
    }
    LeadDraft {
        source_id,
        door: Door::Graphql,
        fields,
        consent: input.consent.map(Evidence::from),
        problems,
        subid: input.subid,
        external_id: input.external_id,
        idempotency_key: input.idempotency_key,
        enquired_at: input.enquired_at.map(Moment::into),
    }
}
