//! Sources.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use leadyard_entity::model::source;
use leadyard_entity::read::{self, SourceFilter as Filter};
use leadyard_entity::reports::SeriesOf;
use leadyard_types::{CostModel, SourceTerms, Timestamp};

use super::super::connection::connection;
use super::super::context::loader;
use super::super::id::Kind;
use super::super::loaders::{CampaignBy, SourceTermsOf};
use super::super::scalars::Money;
use super::super::words::Status;
use super::campaign::Campaign;
use super::finance::{AdSpendDay, ad_spend};
use super::profit_and_loss::DayRange;
use super::setup::source_key::SourceKey;
use super::statistics::{self, Statistics, StatisticsRange};
use super::supplier::Supplier;
use super::terms::{Cap, Margin, PriceRule, Schedule};
use super::{ids, int, many, money, name_part, of_row, one, queries, there, words};

of_row! {
    /// One channel of a supplier into one campaign.
    Source of source
}

/// For what a supplier is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum CostKind {
    /// A fixed amount per accepted lead, sold or not.
    PerLead,
    /// A fixed amount per sold lead, once, however often it is sold.
    PerSoldLead,
    /// A share of each sale's price.
    RevenueShare,
    /// Nothing per lead: an ad platform is paid.
    AdSpend,
}

/// How often a source may ping, apart from its caps on leads.
#[derive(Debug, SimpleObject)]
pub(crate) struct PingLimits {
    /// The most pings in a minute of the clock; absent means no limit.
    per_minute: Option<i32>,
    /// The most pings in a day of the campaign's; absent means no limit.
    per_day: Option<i32>,
}

/// Which sources. What is left out does not restrict.
#[derive(Debug, Default, InputObject)]
pub(crate) struct SourceFilter {
    /// In one of these statuses.
    status: Option<Vec<Status>>,
    /// With this text somewhere in the name, whatever the case; up to 100 characters.
    name: Option<String>,
    /// Sending into one of these campaigns.
    campaign_ids: Option<Vec<ID>>,
    /// Of one of these suppliers.
    supplier_ids: Option<Vec<ID>>,
}

impl SourceFilter {
    pub(crate) fn read(self) -> Result<Filter> {
        Ok(Filter {
            statuses: words(self.status),
            name: name_part(self.name)?,
            campaigns: ids(Kind::Campaign, self.campaign_ids)?,
            suppliers: ids(Kind::Supplier, self.supplier_ids)?,
        })
    }
}

impl Source {
    async fn terms(&self, ctx: &Context<'_>) -> Result<Arc<SourceTerms>> {
        there(loader(ctx)?.load_one(SourceTermsOf(self.0.revision_id.into())).await?)
    }

    /// The currency of its campaign.
    async fn currency(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(there(loader(ctx)?.load_one(CampaignBy(self.0.campaign_id)).await?)?.currency.clone())
    }
}

#[Object(use_type_description)]
impl Source {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::Source.id(self.0.id)
    }

    /// What people call it.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Whose channel it is.
    async fn supplier(&self, ctx: &Context<'_>) -> Result<Supplier> {
        there(one!(ctx, SupplierBy(self.0.supplier_id) => Supplier)?)
    }

    /// The campaign it sends into.
    async fn campaign(&self, ctx: &Context<'_>) -> Result<Campaign> {
        there(one!(ctx, CampaignBy(self.0.campaign_id) => Campaign)?)
    }

    /// Whether it may send.
    fn status(&self) -> Result<Status> {
        Status::read(&self.0.status)
    }

    /// The last part of the path of its web form, `/f/{formKey}`.
    fn form_key(&self) -> &str {
        &self.0.form_key
    }

    /// For what the supplier is paid.
    async fn cost_kind(&self, ctx: &Context<'_>) -> Result<CostKind> {
        Ok(match self.terms(ctx).await?.cost {
            CostModel::PerLead { .. } => CostKind::PerLead,
            CostModel::PerSoldLead { .. } => CostKind::PerSoldLead,
            CostModel::RevenueShare { .. } => CostKind::RevenueShare,
            CostModel::AdSpend => CostKind::AdSpend,
        })
    }

    /// The fixed amount, where the supplier is paid one.
    async fn cost_amount(&self, ctx: &Context<'_>) -> Result<Option<Money>> {
        match self.terms(ctx).await?.cost {
            CostModel::PerLead { amount_minor } | CostModel::PerSoldLead { amount_minor } => {
                Ok(Some(money(amount_minor, &self.currency(ctx).await?)?))
            }
            CostModel::RevenueShare { .. } | CostModel::AdSpend => Ok(None),
        }
    }

    /// The supplier's share of a price in percent, as an exact decimal, where it is paid one: `35.5`.
    async fn cost_percent(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        Ok(match self.terms(ctx).await?.cost {
            CostModel::RevenueShare { percent } => Some(percent.0.normalize().to_string()),
            _ => None,
        })
    }

    /// Limits on its accepted leads.
    async fn caps(&self, ctx: &Context<'_>) -> Result<Vec<Cap>> {
        let currency = self.currency(ctx).await?.parse().map_err(super::internal)?;
        Ok(Cap::all(&self.terms(ctx).await?.caps, currency))
    }

    /// When it may send; absent means always.
    async fn schedule(&self, ctx: &Context<'_>) -> Result<Option<Schedule>> {
        Ok(self.terms(ctx).await?.schedule.as_ref().map(Schedule::from))
    }

    /// Exceptions from a fixed cost; of several that match, the last holds.
    async fn payout_rules(&self, ctx: &Context<'_>) -> Result<Vec<PriceRule>> {
        let currency = self.currency(ctx).await?.parse().map_err(super::internal)?;
        Ok(PriceRule::all(&self.terms(ctx).await?.payout_rules, currency))
    }

    /// What the operator keeps of a price when this supplier is quoted; absent: as contract and campaign say.
    async fn margin(&self, ctx: &Context<'_>) -> Result<Option<Margin>> {
        let currency = self.currency(ctx).await?.parse().map_err(super::internal)?;
        Ok(self.terms(ctx).await?.margin.map(|margin| Margin::of(margin, currency)))
    }

    /// The least this supplier sells for; absent: anything.
    async fn least_payout(&self, ctx: &Context<'_>) -> Result<Option<Money>> {
        let least = self.terms(ctx).await?.least_payout_minor;
        let currency = self.currency(ctx).await?;
        least.map(|least| money(least, &currency)).transpose()
    }

    /// Whether all it sends are tests.
    async fn test(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.terms(ctx).await?.test)
    }

    /// How often it may ping.
    async fn ping_limits(&self, ctx: &Context<'_>) -> Result<PingLimits> {
        let limits = self.terms(ctx).await?.ping_limits;
        Ok(PingLimits { per_minute: limits.per_minute.map(int), per_day: limits.per_day.map(int) })
    }

    /// Its keys, the newest first, those that were revoked among them.
    async fn keys(&self, ctx: &Context<'_>) -> Result<Vec<SourceKey>> {
        many!(ctx, KeysOfSource(self.0.id) => SourceKey)
    }

    /// What came in by it over time, and what was sold of it.
    async fn statistics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which time, and cut into which pieces.")] range: StatisticsRange,
    ) -> Result<Statistics> {
        let currency = self.currency(ctx).await?;
        statistics::one(ctx, (SeriesOf::Source, self.0.id), currency, &range).await
    }

    /// What ads cost for it, day by day, at most 366 days at once; days without any are left out.
    async fn ad_spend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which days, in the campaign's time zone.")] range: DayRange,
    ) -> Result<Vec<AdSpendDay>> {
        ad_spend(ctx, self.0.id, &self.currency(ctx).await?, &range).await
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

connection!(SourceConnection, SourceEdge, Source of source, "A page of sources.", "A source in a list.", inside by SourcesPage);

queries! {
    SourceQueries, Source, SourceBy => Source,
    /// A source by its id.
    source,
    /// The sources you may see.
    sources -> SourceConnection by NameOrder of read::NameOrder, filter SourceFilter
}
