//! Campaigns.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result};
use leadyard_entity::model::campaign;
use leadyard_entity::read::{self, CampaignFilter as Filter, NameOrder as Order, OpenTerms};
use leadyard_entity::reports::SeriesOf;
use leadyard_market::experiment::asked;
use leadyard_types::{CampaignTerms, Currency, SaleMode, Timestamp};

use super::super::connection::{Paging, connection};
use super::super::context::loader;
use super::super::errors::internal;
use super::super::id::Kind;
use super::super::loaders::{CampaignTermsOf, Inside, OpenTermsOf, ProfitOfCampaign, SplitReportOf};
use super::super::order::NameOrder;
use super::super::scalars::{Money, TimeZone};
use super::super::words::Status;
use super::campaign_terms::{
    AgedPolicy, ComplaintPolicy, ConsentPolicy, DuplicatePolicy, Redirects, Stage, UnsoldPolicy,
};
use super::contract::ContractConnection;
use super::profit_and_loss::{DayRange, ProfitAndLossLine, ProfitBy};
use super::setup::campaign_input::SaleModeKind;
use super::source::SourceConnection;
use super::split_report::{Split, SplitReport};
use super::statistics::{self, Statistics, StatisticsRange};
use super::terms::{Cap, Margin};
use super::vertical::Vertical;
use super::{int, money, name_part, of_row, one, queries, there, words};

of_row! {
    /// The distribution pipeline inside a vertical: who may send, how leads are checked, and how they are sold.
    Campaign of campaign
}

/// Which campaigns. What is left out does not restrict.
#[derive(Debug, Default, InputObject)]
pub(crate) struct CampaignFilter {
    /// In one of these statuses.
    status: Option<Vec<Status>>,
    /// With this text somewhere in the name, whatever the case; up to 100 characters.
    name: Option<String>,
}

impl CampaignFilter {
    pub(crate) fn read(self) -> Result<Filter> {
        Ok(Filter { statuses: words(self.status), name: name_part(self.name)? })
    }
}

impl Campaign {
    async fn terms(&self, ctx: &Context<'_>) -> Result<Arc<CampaignTerms>> {
        there(loader(ctx)?.load_one(CampaignTermsOf(self.0.revision_id.into())).await?)
    }

    /// What of its terms whoever takes part in it may know.
    async fn open_terms(&self, ctx: &Context<'_>) -> Result<OpenTerms> {
        there(loader(ctx)?.load_one(OpenTermsOf(self.0.id)).await?)
    }

    fn currency(&self) -> Result<Currency> {
        self.0.currency.parse().map_err(internal)
    }
}

#[Object(use_type_description)]
impl Campaign {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::Campaign.id(self.0.id)
    }

    /// What people call it.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// The industry whose fields its leads have.
    async fn vertical(&self, ctx: &Context<'_>) -> Result<Vertical> {
        there(one!(ctx, VerticalBy(self.0.vertical_id) => Vertical)?)
    }

    /// The country of its leads, ISO 3166: `DE`.
    fn country(&self) -> &str {
        &self.0.country
    }

    /// The currency of its prices and payouts, ISO 4217: `EUR`.
    #[graphql(name = "currency")]
    fn currency_code(&self) -> &str {
        &self.0.currency
    }

    /// Whether it takes leads.
    fn status(&self) -> Result<Status> {
        Status::read(&self.0.status)
    }

    /// The time zone of its days and caps.
    async fn time_zone(&self, ctx: &Context<'_>) -> Result<TimeZone> {
        self.open_terms(ctx).await?.time_zone.parse().map(TimeZone).map_err(internal)
    }

    /// To how many buyers one lead is sold at most; 1 means exclusively.
    async fn max_sales(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(match self.terms(ctx).await?.sale_mode {
            SaleMode::Exclusive => 1,
            SaleMode::Shared { max } | SaleMode::Best { max } => i32::from(max),
        })
    }

    /// The steps, in the order in which they are tried.
    async fn stages(&self, ctx: &Context<'_>) -> Result<Vec<Stage>> {
        let currency = self.currency()?;
        Ok(self.terms(ctx).await?.stages.iter().map(|stage| Stage::of(stage, currency)).collect())
    }

    /// What happens to leads that stayed unsold; absent: nothing.
    async fn aged(&self, ctx: &Context<'_>) -> Result<Option<AgedPolicy>> {
        let currency = self.currency()?;
        Ok(self.terms(ctx).await?.aged.as_ref().map(|policy| AgedPolicy::of(policy, currency)))
    }

    /// The experiment that divides its leads between these steps and others; absent without one.
    async fn split(&self, ctx: &Context<'_>) -> Result<Option<Split>> {
        let currency = self.currency()?;
        Ok(self.terms(ctx).await?.split.as_ref().map(|split| Split::of(split, currency)))
    }

    /// What each plan of an experiment brought, and whether the difference could be chance; absent where none is named
    /// and none runs.
    async fn split_report(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which leads: those received on these days of the campaign's time zone.")] range: DayRange,
        #[graphql(desc = "The experiment's name; the one that runs, where none is given.")] split: Option<String>,
    ) -> Result<Option<SplitReport>> {
        let (since, until) = range.ordered()?;
        let terms = self.terms(ctx).await?;
        let running = || terms.split.as_ref().map(|split| split.key.clone());
        let Some(split) = split.or_else(running) else { return Ok(None) };
        let asked = asked((self.0.id.into(), &terms), split, Some(since), Some(until));
        let report = there(loader(ctx)?.load_one(SplitReportOf(asked)).await?)?;
        SplitReport::of(&report, &self.0.currency).map(Some)
    }

    /// The price below which nothing is sold.
    async fn floor(&self, ctx: &Context<'_>) -> Result<Money> {
        money(self.terms(ctx).await?.floor_minor, &self.0.currency)
    }

    /// Limits on its sales.
    async fn caps(&self, ctx: &Context<'_>) -> Result<Vec<Cap>> {
        Ok(Cap::all(&self.terms(ctx).await?.caps, self.currency()?))
    }

    /// When and why buyers may complain.
    async fn complaint_policy(&self, ctx: &Context<'_>) -> Result<ComplaintPolicy> {
        Ok(ComplaintPolicy::from(&self.open_terms(ctx).await?.complaints))
    }

    /// To one buyer, or to several.
    async fn sale_mode(&self, ctx: &Context<'_>) -> Result<SaleModeKind> {
        Ok(match self.terms(ctx).await?.sale_mode {
            SaleMode::Exclusive => SaleModeKind::Exclusive,
            SaleMode::Shared { .. } => SaleModeKind::Shared,
            SaleMode::Best { .. } => SaleModeKind::Best,
        })
    }

    /// How strict it is about consent.
    async fn consent(&self, ctx: &Context<'_>) -> Result<ConsentPolicy> {
        Ok(ConsentPolicy::from(&self.terms(ctx).await?.consent))
    }

    /// What counts as the same enquiry again.
    async fn duplicates(&self, ctx: &Context<'_>) -> Result<DuplicatePolicy> {
        Ok(DuplicatePolicy::from(&self.terms(ctx).await?.duplicates))
    }

    /// What happens to leads that nobody bought at once.
    async fn unsold(&self, ctx: &Context<'_>) -> Result<UnsoldPolicy> {
        Ok(UnsoldPolicy::from(self.terms(ctx).await?.unsold))
    }

    /// What the operator keeps of a price when a supplier is quoted; absent means nothing.
    async fn margin(&self, ctx: &Context<'_>) -> Result<Option<Margin>> {
        let currency = self.currency()?;
        Ok(self.terms(ctx).await?.margin.map(|margin| Margin::of(margin, currency)))
    }

    /// For how many seconds a supplier's quote holds; absent means 300.
    async fn quote_holds_seconds(&self, ctx: &Context<'_>) -> Result<Option<i32>> {
        Ok(self.terms(ctx).await?.quote_holds_seconds.map(int))
    }

    /// Where visitors of its web forms are sent.
    async fn redirects(&self, ctx: &Context<'_>) -> Result<Redirects> {
        Ok(Redirects::from(&self.terms(ctx).await?.redirects))
    }

    /// The contracts that buy in it.
    async fn contracts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "In which order.", default)] order_by: NameOrder,
    ) -> Result<ContractConnection> {
        let list = Inside::ContractsOfCampaign(self.0.id);
        ContractConnection::inside(ctx, list, Order::from(order_by), Paging { first, after, last, before }).await
    }

    /// The sources that send into it.
    async fn sources(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "In which order.", default)] order_by: NameOrder,
    ) -> Result<SourceConnection> {
        let list = Inside::SourcesOfCampaign(self.0.id);
        SourceConnection::inside(ctx, list, Order::from(order_by), Paging { first, after, last, before }).await
    }

    /// What came in and what was sold over time.
    async fn statistics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which time, and cut into which pieces.")] range: StatisticsRange,
    ) -> Result<Statistics> {
        statistics::one(ctx, (SeriesOf::Campaign, self.0.id), self.0.currency.clone(), &range).await
    }

    /// Its profit and loss of a span of days, from the ledger: one line per group.
    async fn profit_and_loss(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which days, of its time zone.")] range: DayRange,
        #[graphql(desc = "By what the lines are grouped.")] by: ProfitBy,
    ) -> Result<Vec<ProfitAndLossLine>> {
        let (since, until) = range.ordered()?;
        let key = ProfitOfCampaign { id: self.0.id, since, until, by: by.into() };
        let lines = loader(ctx)?.load_one(key).await?.unwrap_or_default();
        lines.iter().map(|line| ProfitAndLossLine::of(line, by.into())).collect()
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

connection!(CampaignConnection, CampaignEdge, Campaign of campaign, "A page of campaigns.", "A campaign in a list.");

queries! {
    CampaignQueries, Campaign, CampaignBy => Campaign,
    /// A campaign by its id.
    campaign,
    /// The campaigns you take part in.
    campaigns -> CampaignConnection by NameOrder of read::NameOrder, filter CampaignFilter
}
