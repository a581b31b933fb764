//! Making and changing campaigns.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result};
use leadyard_market::setup::{HeadChange, NewCampaign};
use leadyard_types::{CampaignId, Currency, FieldProblem};

use super::super::super::id::Kind;
use super::super::campaign::Campaign;
use super::campaign_input::{CampaignTermsInput, unsaid};
use super::reading::{Read, Reading, named};
use super::{Spelling, agreed, payload, setup, standing};

/// A campaign to be made. Its vertical, country and currency stay for life.
#[derive(Debug, InputObject)]
pub(crate) struct CampaignCreateInput {
    /// The vertical whose fields its leads have.
    vertical_id: ID,
    /// What people call it, 1 to 200 characters; no other campaign is called so.
    name: String,
    /// The country of its leads, ISO 3166: `DE`.
    country: String,
    /// The currency of its prices and payouts, ISO 4217: `EUR`.
    currency: String,
    #[graphql(flatten)]
    terms: CampaignTermsInput,
}

/// What is changed of a campaign. What is left out stays; objects are laid over what stands, lists replace it.
#[derive(Debug, InputObject)]
pub(crate) struct CampaignUpdateInput {
    /// The campaign.
    campaign_id: ID,
    /// Its version that this was decided by.
    version: i32,
    /// What people call it.
    name: MaybeUndefined<String>,
    #[graphql(flatten)]
    terms: CampaignTermsInput,
}

payload!(CampaignPayload, campaign: Campaign by CampaignBy, "What came of making or changing a campaign.", "The campaign as it stands now; absent if nothing was done.");

const SPELLING: Spelling =
    Spelling::renaming(&[("sale_mode.max", "saleMode.maxSales"), ("complaints", "complaintPolicy")]);

/// A currency by its code.
pub(super) fn currency(code: &str, path: &str) -> Read<Currency> {
    code.parse().map_err(|_| FieldProblem::new(path, "INVALID_CURRENCY", "a code of ISO 4217 is expected: EUR"))
}

/// Mutations of campaigns.
#[derive(Debug, Default)]
pub(crate) struct CampaignMutations;

#[Object]
impl CampaignMutations {
    /// Makes a campaign.
    async fn campaign_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where it stands, and what is agreed.")] input: CampaignCreateInput,
    ) -> Result<CampaignPayload> {
        let (mut reading, mut terms) = (Reading::default(), unsaid());
        let vertical_id = named(Kind::Vertical, &input.vertical_id);
        let currency = reading.take(currency(&input.currency, "currency"));
        input.terms.lay(&mut terms, &mut reading);
        let problems = reading.problems();
        let (Some(currency), true) = (currency, problems.is_empty()) else {
            return Ok(CampaignPayload::refused(problems));
        };
        let new = NewCampaign { vertical_id, name: input.name, country: input.country, currency, terms };
        let done = setup(ctx)?.create_campaign(new).await;
        CampaignPayload::of(ctx, done.map(|id| id.0), &SPELLING).await
    }

    /// Changes a campaign. Acts from the next placement on; what is under way is decided by what was agreed before.
    async fn campaign_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The campaign, and what is changed of it.")] input: CampaignUpdateInput,
    ) -> Result<CampaignPayload> {
        let row = standing!(ctx, input.campaign_id, Campaign by CampaignBy, "campaignId", "campaign", input.version, CampaignPayload);
        let mut terms = agreed!(ctx, row, CampaignTermsOf);
        let mut reading = Reading::default();
        let head = HeadChange { name: reading.changed("name", input.name), ..HeadChange::default() };
        input.terms.lay(&mut terms, &mut reading);
        let problems = reading.problems();
        if !problems.is_empty() {
            return Ok(CampaignPayload::refused(problems));
        }
        let done = setup(ctx)?.update_campaign(CampaignId(row.id), row.version, head, terms).await;
        CampaignPayload::of(ctx, done.map(|_| row.id), &SPELLING).await
    }
}
