//! Leads: what arrived, where it stands, what happened to it.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use leadyard_entity::model::{lead, lead_event};
use leadyard_entity::read::{self, LeadContents, LeadFieldValue, LeadFilter as Filter};
use leadyard_market::rules::marks::MARK_CHARS_MAX;
use leadyard_types::{FieldDefinition, FieldKind, Timestamp};

use super::super::connection::connection;
use super::super::context::loader;
use super::super::errors::internal;
use super::super::id::Kind;
use super::super::loaders::{CampaignBy, ContentsOfLead, VerticalBy, VerticalTermsOf};
use super::super::scalars::{EmailAddress, MinorUnits, Moment, NamedValue, PhoneNumber, PostalCode};
use super::super::words::{Check, Door, LeadEventKind, LeadState, Plan};
use super::campaign::Campaign;
use super::consent::Consent;
use super::decision::Decision;
use super::sale::Sale;
use super::source::Source;
use super::supplier::Supplier;
use super::{bounded, ids, int, many, of_row, one, queries, there, words};

of_row! {
    /// A person's enquiry.
    Lead of lead
}

/// What a person answered to one field.
#[derive(Debug, SimpleObject)]
pub(crate) struct LeadField {
    /// The field's key.
    key: String,
    /// What people read as its name.
    label: String,
    /// The normalised value as text; absent where it is masked.
    value: Option<String>,
    /// The value, if the field is an e-mail address; absent where it is masked.
    email: Option<EmailAddress>,
    /// The value, if the field is a telephone number; absent where it is masked.
    phone: Option<PhoneNumber>,
    /// The value, if the field is a postal code; absent where it is masked.
    postal_code: Option<PostalCode>,
    /// Whether it says who the person is.
    personal: bool,
    /// Whether the value is withheld from you.
    masked: bool,
}

impl LeadField {
    /// What was answered, and its form by what the vertical says of the field now: an answer to another question that had
    /// this key once has none.
    fn of(key: &str, found: &LeadFieldValue, definition: Option<&FieldDefinition>) -> Self {
        let value = found.value.as_ref().map(ToString::to_string);
        let of_kind = |kind| value.as_deref().filter(|_| definition.is_some_and(|field| field.kind == kind));
        Self {
            key: key.to_owned(),
            label: definition.map_or(key, |field| &field.label).to_owned(),
            email: of_kind(FieldKind::Email).and_then(EmailAddress::of),
            phone: of_kind(FieldKind::Phone).and_then(PhoneNumber::of),
            postal_code: of_kind(FieldKind::PostalCode).and_then(PostalCode::of),
            personal: found.personal,
            masked: found.value.is_none(),
            value,
        }
    }
}

/// A step in a lead's life.
#[derive(Debug, SimpleObject)]
pub(crate) struct LeadEvent {
    /// What happened to the lead.
    kind: LeadEventKind,
    /// When it happened.
    at: Timestamp,
    /// The particulars: ids, amounts and reasons, never personal data.
    detail: Vec<NamedValue>,
}

impl LeadEvent {
    fn of(row: &lead_event::Model) -> Result<Self> {
        let detail: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&row.detail).map_err(internal)?;
        let text = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        let shown = detail.into_iter().filter(|(_, value)| !value.is_null());
        let detail = shown.map(|(name, value)| NamedValue { name, value: text(value) }).collect();
        Ok(Self { kind: LeadEventKind::read(&row.kind)?, at: row.at, detail })
    }
}

/// Which leads. What is left out does not restrict.
#[derive(Debug, Default, InputObject)]
pub(crate) struct LeadFilter {
    /// In one of these states.
    state: Option<Vec<LeadState>>,
    /// Of one of these campaigns.
    campaign_ids: Option<Vec<ID>>,
    /// From one of these sources.
    source_ids: Option<Vec<ID>>,
    /// From one of these suppliers.
    supplier_ids: Option<Vec<ID>>,
    /// Sold to one of these buyers.
    buyer_ids: Option<Vec<ID>>,
    /// Sold by one of these contracts.
    contract_ids: Option<Vec<ID>>,
    /// Sold at this price or more, in minor units.
    price_min_minor: Option<MinorUnits>,
    /// Sold at this price or less, in minor units.
    price_max_minor: Option<MinorUnits>,
    /// With this id of the supplier's own.
    external_id: Option<String>,
    /// With this mark of the supplier's own.
    subid: Option<String>,
    /// Received at this moment or later.
    received_since: Option<Moment>,
    /// Received before this moment.
    received_until: Option<Moment>,
}

impl LeadFilter {
    pub(crate) fn read(self) -> Result<Filter> {
        Ok(Filter {
            states: words(self.state),
            campaigns: ids(Kind::Campaign, self.campaign_ids)?,
            sources: ids(Kind::Source, self.source_ids)?,
            suppliers: ids(Kind::Supplier, self.supplier_ids)?,
            buyers: ids(Kind::Buyer, self.buyer_ids)?,
            contracts: ids(Kind::Contract, self.contract_ids)?,
            price_min_minor: self.price_min_minor.map(|price| price.0),
            price_max_minor: self.price_max_minor.map(|price| price.0),
            fingerprints: None,
            external_id: bounded(self.external_id, MARK_CHARS_MAX)?,
            subid: bounded(self.subid, MARK_CHARS_MAX)?,
            received_since: self.received_since.map(Moment::into),
            received_until: self.received_until.map(Moment::into),
        })
    }
}

impl Lead {
    async fn contents(&self, ctx: &Context<'_>) -> Result<Arc<LeadContents>> {
        there(loader(ctx)?.load_one(ContentsOfLead(self.0.id)).await?)
    }

    /// The fields its vertical defines now: for their names and order.
    async fn definitions(&self, ctx: &Context<'_>) -> Result<Vec<FieldDefinition>> {
        let loader = loader(ctx)?;
        let campaign = there(loader.load_one(CampaignBy(self.0.campaign_id)).await?)?;
        let vertical = there(loader.load_one(VerticalBy(campaign.vertical_id)).await?)?;
        Ok(there(loader.load_one(VerticalTermsOf(vertical.revision_id.into())).await?)?.fields.clone())
    }
}

#[Object(use_type_description)]
impl Lead {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::Lead.id(self.0.id)
    }

    /// The campaign it came into.
    async fn campaign(&self, ctx: &Context<'_>) -> Result<Campaign> {
        there(one!(ctx, CampaignBy(self.0.campaign_id) => Campaign)?)
    }

    /// The channel it came through.
    async fn source(&self, ctx: &Context<'_>) -> Result<Source> {
        there(one!(ctx, SourceBy(self.0.source_id) => Source)?)
    }

    /// Who sent it.
    async fn supplier(&self, ctx: &Context<'_>) -> Result<Supplier> {
        there(one!(ctx, SupplierBy(self.0.supplier_id) => Supplier)?)
    }

    /// The door it came through.
    fn door(&self) -> Result<Door> {
        Door::read(&self.0.door)
    }

    /// Where it stands.
    fn state(&self) -> Result<LeadState> {
        LeadState::read(&self.0.state)
    }

    /// The check that refused it or set it aside, or why nobody bought it.
    fn reason(&self) -> Result<Option<Check>> {
        self.0.reason.as_deref().map(Check::read).transpose()
    }

    /// What the person entered, in the order of the vertical's fields. What you may not see of the person is masked.
    async fn fields(&self, ctx: &Context<'_>) -> Result<Vec<LeadField>> {
        let (contents, definitions) = (self.contents(ctx).await?, self.definitions(ctx).await?);
        let place = |key: &str| definitions.iter().position(|field| field.key == key).unwrap_or(usize::MAX);
        let mut keys: Vec<&String> = contents.fields.keys().collect();
        keys.sort_by_key(|key| place(key));
        let field = |key: &String| {
            let definition = definitions.iter().find(|field| field.key == *key);
            Some(LeadField::of(key, contents.fields.get(key)?, definition))
        };
        Ok(keys.into_iter().filter_map(field).collect())
    }

    /// The evidence that it may be passed on, if the supplier sent any.
    async fn consent(&self, ctx: &Context<'_>) -> Result<Option<Consent>> {
        Ok(many!(ctx, ConsentsOfLead(self.0.id) => Consent)?.pop())
    }

    /// Whether the person was erased: what said who they were is gone for everybody.
    async fn erased(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.contents(ctx).await?.erased)
    }

    /// The supplier's own mark.
    fn subid(&self) -> Option<&str> {
        self.0.subid.as_deref()
    }

    /// The supplier's own id of the lead.
    fn external_id(&self) -> Option<&str> {
        self.0.external_id.as_deref()
    }

    /// Whether it is a test: never billed, capped or counted.
    fn test(&self) -> bool {
        self.0.test
    }

    /// Its score, if it has one.
    fn score(&self) -> Option<i32> {
        self.0.score.map(int)
    }

    /// When the enquiry was made.
    fn enquired_at(&self) -> Timestamp {
        self.0.enquired_at
    }

    /// When it was taken in.
    fn received_at(&self) -> Timestamp {
        self.0.received_at
    }

    /// Since when it has stood where it stands.
    fn state_since(&self) -> Timestamp {
        self.0.state_since
    }

    /// Until when it is offered again, while it is queued.
    fn retry_until(&self) -> Option<Timestamp> {
        self.0.retry_until
    }

    /// When it is offered again next, while it waits.
    fn offered_again_at(&self) -> Option<Timestamp> {
        self.0.offer_at
    }

    /// The experiment it took part in, if any.
    fn split(&self) -> Option<&str> {
        self.0.split.as_deref()
    }

    /// The plan it got in that experiment.
    fn plan(&self) -> Result<Option<Plan>> {
        self.0.plan.as_deref().map(Plan::read).transpose()
    }

    /// Everything that happened to it, oldest first.
    async fn timeline(&self, ctx: &Context<'_>) -> Result<Vec<LeadEvent>> {
        let rows = loader(ctx)?.load_one(super::super::loaders::EventsOfLead(self.0.id)).await?;
        rows.unwrap_or_default().iter().map(|row| LeadEvent::of(row)).collect()
    }

    /// The latest routing run: every contract that was considered, and why each did or did not get it.
    async fn decision(&self, ctx: &Context<'_>) -> Result<Option<Decision>> {
        Ok(many!(ctx, DecisionsOfLead(self.0.id) => Decision)?.pop())
    }

    /// All routing runs, oldest first.
    async fn decisions(&self, ctx: &Context<'_>) -> Result<Vec<Decision>> {
        many!(ctx, DecisionsOfLead(self.0.id) => Decision)
    }

    /// To whom it was sold. Buyers see their own purchase only.
    async fn sales(&self, ctx: &Context<'_>) -> Result<Vec<Sale>> {
        many!(ctx, SalesOfLead(self.0.id) => Sale)
    }
}

connection!(LeadConnection, LeadEdge, Lead of lead, "A page of leads.", "A lead in a list.");

queries! {
    LeadQueries, Lead, LeadBy => Lead,
    /// A lead by its id.
    lead,
    /// The leads you may see: a buyer's are those it bought, a supplier's those it sent.
    leads -> LeadConnection by TimeOrder of read::TimeOrder, filter LeadFilter
}
