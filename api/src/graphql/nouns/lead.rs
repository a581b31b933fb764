//! Leads: what arrived, where it stands, what happened to it.

use std::sync::Arc;

use async_graphql::{Context, Description, ID, InputObject, Object, Result, SimpleObject};
use leadyard_entity::model::{lead, lead_event};
use leadyard_entity::read::{self, LeadContents, LeadFieldValue, LeadFilter as Filter};
use leadyard_market::rules::marks::MARK_CHARS_MAX;
use leadyard_types::terms::VerticalTerms;
use leadyard_types::{FieldDefinition, FieldKind, Timestamp};

use super::super::columns::{column, of_item, shown};
use super::super::connection::connection;
use super::super::context::loader;
use super::super::errors::internal;
use super::super::id::Kind;
use super::super::loaders::{CampaignBy, ContentsOfLead, SalesOfLead, VerticalBy, VerticalTermsOf};
use super::super::scalars::{EmailAddress, MinorUnits, Moment, NamedValue, PhoneNumber, PostalCode};
use super::super::words::{Check, Door, LeadEventKind, LeadState, Plan};
use super::campaign::Campaign;
use super::consent::Consent;
use super::decision::Decision;
use super::sale::Sale;
use super::source::Source;
use super::supplier::Supplier;
use super::{bounded, ids, int, many, one, queries, there, words};

shown! {
    /// A person's enquiry.
    Lead of lead {
        "campaign": [CampaignId],
        "source": [SourceId],
        "supplier": [SupplierId],
        "door": [Door],
        "state": [State],
        "reason": [Reason],
        // Which fields there are is the vertical's, and that the campaign's.
        "fields": [CampaignId],
        "consent": [],
        "erased": [],
        "subid": [Subid],
        "externalId": [ExternalId],
        "test": [Test],
        "score": [Score],
        "enquiredAt": [EnquiredAt],
        "receivedAt": [ReceivedAt],
        "stateSince": [StateSince],
        "retryUntil": [RetryUntil],
        "offeredAgainAt": [OfferAt],
        "split": [Split],
        "plan": [Plan],
        "timeline": [],
        "decision": [],
        "decisions": [],
        "sales": [],
    }
}

/// What a person answered to one field.
#[derive(Debug, Clone, Description)]
pub(crate) struct LeadField {
    key: String,
    found: LeadFieldValue,
    /// What the vertical says of its fields now, and where this one stands among them, if it still does.
    terms: Arc<VerticalTerms>,
    place: Option<usize>,
}

impl LeadField {
    fn definition(&self) -> Option<&FieldDefinition> {
        self.terms.fields.get(self.place?)
    }

    /// The value, if the vertical says now that it is of this kind: an answer to another question that had this key once is
    /// of none.
    fn of_kind(&self, kind: FieldKind) -> Option<String> {
        self.definition().filter(|field| field.kind == kind).and_then(|_| self.text())
    }

    fn text(&self) -> Option<String> {
        self.found.value.as_ref().map(ToString::to_string)
    }
}

#[Object(use_type_description)]
impl LeadField {
    /// The field's key.
    fn key(&self) -> &str {
        &self.key
    }

    /// What people read as its name.
    fn label(&self) -> &str {
        self.definition().map_or(&self.key, |field| &field.label)
    }

    /// The normalised value as text; absent where it is masked.
    fn value(&self) -> Option<String> {
        self.text()
    }

    /// The value, if the field is an e-mail address; absent where it is masked.
    fn email(&self) -> Option<EmailAddress> {
        self.of_kind(FieldKind::Email).as_deref().and_then(EmailAddress::of)
    }

    /// The value, if the field is a telephone number; absent where it is masked.
    fn phone(&self) -> Option<PhoneNumber> {
        self.of_kind(FieldKind::Phone).as_deref().and_then(PhoneNumber::of)
    }

    /// The value, if the field is a postal code; absent where it is masked.
    fn postal_code(&self) -> Option<PostalCode> {
        self.of_kind(FieldKind::PostalCode).as_deref().and_then(PostalCode::of)
    }

    /// Whether it says who the person is.
    fn personal(&self) -> bool {
        self.found.personal
    }

    /// Whether the value is withheld from you.
    fn masked(&self) -> bool {
        self.found.value.is_none()
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
        there(loader(ctx)?.load_one(ContentsOfLead(self.0.id())).await?)
    }

    /// What its vertical says of its fields now: for their names and order.
    async fn vertical(&self, ctx: &Context<'_>) -> Result<Arc<VerticalTerms>> {
        let loader = loader(ctx)?;
        let campaign = there(loader.load_one(CampaignBy(*column(self.0.campaign_id())?)).await?)?;
        let vertical = there(loader.load_one(VerticalBy(campaign.vertical_id)).await?)?;
        there(loader.load_one(VerticalTermsOf(vertical.revision_id.into())).await?)
    }
}

#[Object(use_type_description)]
impl Lead {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::Lead.id(self.0.id())
    }

    /// The campaign it came into.
    async fn campaign(&self, ctx: &Context<'_>) -> Result<Campaign> {
        there(one!(ctx, CampaignBy(*column(self.0.campaign_id())?) => Campaign)?)
    }

    /// The channel it came through.
    async fn source(&self, ctx: &Context<'_>) -> Result<Source> {
        there(one!(ctx, SourceBy(*column(self.0.source_id())?) => Source)?)
    }

    /// Who sent it.
    async fn supplier(&self, ctx: &Context<'_>) -> Result<Supplier> {
        there(one!(ctx, SupplierBy(*column(self.0.supplier_id())?) => Supplier)?)
    }

    /// The door it came through.
    fn door(&self) -> Result<Door> {
        Door::read(column(self.0.door())?)
    }

    /// Where it stands.
    fn state(&self) -> Result<LeadState> {
        LeadState::read(column(self.0.state())?)
    }

    /// The check that refused it or set it aside, or why nobody bought it.
    fn reason(&self) -> Result<Option<Check>> {
        column(self.0.reason())?.as_deref().map(Check::read).transpose()
    }

    /// What the person entered, in the order of the vertical's fields. What you may not see of the person is masked.
    async fn fields(&self, ctx: &Context<'_>) -> Result<Vec<LeadField>> {
        let (contents, terms) = (self.contents(ctx).await?, self.vertical(ctx).await?);
        let field = |(key, found): (&String, &LeadFieldValue)| {
            let place = terms.fields.iter().position(|field| field.key == *key);
            LeadField { key: key.clone(), found: found.clone(), terms: Arc::clone(&terms), place }
        };
        let mut fields: Vec<LeadField> = contents.fields.iter().map(field).collect();
        // Those that the vertical defines no more come last.
        fields.sort_by_key(|field| field.place.unwrap_or(usize::MAX));
        Ok(fields)
    }

    /// The evidence that it may be passed on, if the supplier sent any.
    async fn consent(&self, ctx: &Context<'_>) -> Result<Option<Consent>> {
        Ok(many!(ctx, ConsentsOfLead(self.0.id()) => Consent)?.pop())
    }

    /// Whether the person was erased: what said who they were is gone for everybody.
    async fn erased(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.contents(ctx).await?.erased)
    }

    /// The supplier's own mark.
    fn subid(&self) -> Result<Option<&str>> {
        Ok(column(self.0.subid())?.as_deref())
    }

    /// The supplier's own id of the lead.
    fn external_id(&self) -> Result<Option<&str>> {
        Ok(column(self.0.external_id())?.as_deref())
    }

    /// Whether it is a test: never billed, capped or counted.
    fn test(&self) -> Result<bool> {
        Ok(*column(self.0.test())?)
    }

    /// Its score, if it has one.
    fn score(&self) -> Result<Option<i32>> {
        Ok(column(self.0.score())?.map(int))
    }

    /// When the enquiry was made.
    fn enquired_at(&self) -> Result<Timestamp> {
        Ok(*column(self.0.enquired_at())?)
    }

    /// When it was taken in.
    fn received_at(&self) -> Result<Timestamp> {
        Ok(*column(self.0.received_at())?)
    }

    /// Since when it has stood where it stands.
    fn state_since(&self) -> Result<Timestamp> {
        Ok(*column(self.0.state_since())?)
    }

    /// Until when it is offered again, while it is queued.
    fn retry_until(&self) -> Result<Option<Timestamp>> {
        Ok(*column(self.0.retry_until())?)
    }

    /// When it is offered again next, while it waits.
    fn offered_again_at(&self) -> Result<Option<Timestamp>> {
        Ok(*column(self.0.offer_at())?)
    }

    /// The experiment it took part in, if any.
    fn split(&self) -> Result<Option<&str>> {
        Ok(column(self.0.split())?.as_deref())
    }

    /// The plan it got in that experiment.
    fn plan(&self) -> Result<Option<Plan>> {
        column(self.0.plan())?.as_deref().map(Plan::read).transpose()
    }

    /// Everything that happened to it, oldest first.
    async fn timeline(&self, ctx: &Context<'_>) -> Result<Vec<LeadEvent>> {
        let rows = loader(ctx)?.load_one(super::super::loaders::EventsOfLead(self.0.id())).await?;
        rows.unwrap_or_default().iter().map(|row| LeadEvent::of(row)).collect()
    }

    /// The latest routing run: every contract that was considered, and why each did or did not get it.
    async fn decision(&self, ctx: &Context<'_>) -> Result<Option<Decision>> {
        Ok(many!(ctx, DecisionsOfLead(self.0.id()) => Decision)?.pop())
    }

    /// All routing runs, oldest first.
    async fn decisions(&self, ctx: &Context<'_>) -> Result<Vec<Decision>> {
        many!(ctx, DecisionsOfLead(self.0.id()) => Decision)
    }

    /// To whom it was sold. Buyers see their own purchase only.
    async fn sales(&self, ctx: &Context<'_>) -> Result<Vec<Sale>> {
        let key = SalesOfLead { lead: self.0.id(), columns: of_item::<Sale>(ctx) };
        let rows = loader(ctx)?.load_one(key).await?;
        Ok(rows.unwrap_or_default().into_iter().map(Sale).collect())
    }
}

connection!(LeadConnection, LeadEdge, Lead of parts of lead, "A page of leads.", "A lead in a list.");

queries! {
    LeadQueries, Lead, LeadBy => Lead,
    /// A lead by its id.
    lead,
    /// The leads you may see: a buyer's are those it bought, a supplier's those it sent.
    leads -> LeadConnection by TimeOrder of read::TimeOrder, filter LeadFilter
}
