//! Consents: the evidence that leads may be passed on.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result};
use leadyard_entity::model::{consent, lead};
use leadyard_entity::read::{self, Columns, ConsentFilter as Filter};
use leadyard_market::rules::marks::CONSENT_CHARS_MAX;
use leadyard_types::{Consent as Evidence, Timestamp};

use super::super::columns::column;
use super::super::connection::connection;
use super::super::context::loader;
use super::super::errors::internal;
use super::super::id::Kind;
use super::super::loaders::{CampaignBy, CampaignTermsOf, ConsentContentsOfLead, LeadBy};
use super::super::scalars::Moment;
use super::lead::Lead;
use super::{bounded, ids, of_row, one, queries, there};

of_row! {
    /// The evidence that a lead may be passed on. It is never changed, and outlives the erasure of the person in what does
    /// not say who they were.
    Consent of consent
}

/// Which consents. What is left out does not restrict.
#[derive(Debug, Default, InputObject)]
pub(crate) struct ConsentFilter {
    /// Of leads of one of these campaigns.
    campaign_ids: Option<Vec<ID>>,
    /// To exactly this version of the text.
    text_version: Option<String>,
    /// On exactly this declared basis.
    basis: Option<String>,
    /// For exactly this purpose, among others: `contact_by_phone`.
    purpose: Option<String>,
    /// Given at this moment or later.
    given_since: Option<Moment>,
    /// Given before this moment.
    given_until: Option<Moment>,
    /// Stored at this moment or later.
    recorded_since: Option<Moment>,
    /// Stored before this moment.
    recorded_until: Option<Moment>,
}

impl ConsentFilter {
    pub(crate) fn read(self) -> Result<Filter> {
        Ok(Filter {
            campaigns: ids(Kind::Campaign, self.campaign_ids)?,
            text_version: bounded(self.text_version, CONSENT_CHARS_MAX)?,
            basis: bounded(self.basis, CONSENT_CHARS_MAX)?,
            purpose: bounded(self.purpose, CONSENT_CHARS_MAX)?,
            given_since: self.given_since.map(Moment::into),
            given_until: self.given_until.map(Moment::into),
            recorded_since: self.recorded_since.map(Moment::into),
            recorded_until: self.recorded_until.map(Moment::into),
        })
    }
}

impl Consent {
    /// What of it says who the person is, for those who may see that; empty for everybody else.
    async fn evidence(&self, ctx: &Context<'_>) -> Result<Arc<Evidence>> {
        there(loader(ctx)?.load_one(ConsentContentsOfLead(self.0.lead_id)).await?)
    }

    fn listed(json: &str) -> Result<Vec<String>> {
        serde_json::from_str(json).map_err(internal)
    }
}

#[Object(use_type_description)]
impl Consent {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::Consent.id(self.0.id)
    }

    /// The lead it came with.
    async fn lead(&self, ctx: &Context<'_>) -> Result<Lead> {
        there(one!(ctx, LeadBy(self.0.lead_id) => Lead)?)
    }

    /// The text the person agreed to. Withheld from those who do not see personal data.
    async fn text(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        Ok(self.evidence(ctx).await?.text.clone())
    }

    /// The version of that text.
    fn text_version(&self) -> Option<&str> {
        self.0.text_version.as_deref()
    }

    /// When the person agreed.
    fn given_at(&self) -> Option<Timestamp> {
        self.0.given_at
    }

    /// The page where. Withheld from those who do not see personal data.
    async fn page_url(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        Ok(self.evidence(ctx).await?.page_url.clone())
    }

    /// The internet address from which the person agreed. Withheld from those who do not see personal data.
    async fn ip(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        Ok(self.evidence(ctx).await?.ip.clone())
    }

    /// What for: `contact_by_phone`.
    fn purposes(&self) -> Result<Vec<String>> {
        Self::listed(&self.0.purposes)
    }

    /// Recipients named in the text.
    fn recipients(&self) -> Result<Vec<String>> {
        Self::listed(&self.0.recipients)
    }

    /// Certificates of the moment. Withheld from those who do not see personal data.
    async fn certificate_urls(&self, ctx: &Context<'_>) -> Result<Vec<String>> {
        Ok(self.evidence(ctx).await?.certificate_urls.clone())
    }

    /// A declared basis where there is no recorded moment.
    fn basis(&self) -> Option<&str> {
        self.0.basis.as_deref()
    }

    /// When it was stored with its lead.
    fn recorded_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// Until when it counts for the campaign, by the greatest age that the campaign takes now; absent where it takes any
    /// age, and where no moment is recorded.
    async fn counts_until(&self, ctx: &Context<'_>) -> Result<Option<Timestamp>> {
        let loader = loader(ctx)?;
        let lead =
            there(loader.load_one(LeadBy::with(self.0.lead_id, Columns::of(&[lead::Column::CampaignId]))).await?)?;
        let campaign = there(loader.load_one(CampaignBy(*column(lead.campaign_id())?)).await?)?;
        let terms = there(loader.load_one(CampaignTermsOf(campaign.revision_id.into())).await?)?;
        let age = terms.consent.max_age_hours.map(|hours| chrono::Duration::hours(hours.into()));
        Ok(self.0.given_at.zip(age).and_then(|(given, age)| given.checked_add_signed(age)))
    }
}

connection!(ConsentConnection, ConsentEdge, Consent of consent, "A page of consents.", "A consent in a list.");

queries! {
    ConsentQueries, Consent, ConsentBy => Consent,
    /// A consent by its id.
    consent,
    /// The consents that came with leads.
    consents -> ConsentConnection by TimeOrder of read::TimeOrder, filter ConsentFilter
}
