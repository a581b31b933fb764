//! Contracts.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result};
use leadyard_entity::model::contract;
use leadyard_entity::read::{self, ContractFilter as Filter, SaleOrder as Sales};
use leadyard_entity::reports::SeriesOf;
use leadyard_market::rules::bounds::effective;
use leadyard_types::{ContractTerms, Currency, Timestamp};

use super::super::columns::{column, shown};
use super::super::connection::{Paging, connection};
use super::super::context::loader;
use super::super::errors::internal;
use super::super::id::Kind;
use super::super::loaders::{CampaignBy, ContractTermsOf, DestinationBy, Inside, SourceBy};
use super::super::order::SaleOrder;
use super::super::scalars::Money;
use super::super::words::{Exclusivity, OutsideHours, Status, Verdict};
use super::buyer::Buyer;
use super::campaign::Campaign;
use super::condition::Condition;
use super::contract_bounds::{ContractBounds, ContractSettings};
use super::destination::Destination;
use super::sale::SaleConnection;
use super::source::Source;
use super::statistics::{self, Statistics, StatisticsRange};
use super::terms::{Cap, Margin, PriceRule, Schedule};
use super::{ids, int, name_part, one, queries, there, words};

shown! {
    /// What one buyer wants and pays in one campaign.
    Contract of contract {
        "name": [Name],
        "campaign": [CampaignId],
        "buyer": [BuyerId],
        "status": [Status],
        "sales": [],
        "statistics": [CampaignId],
        "createdAt": [CreatedAt],
        "version": [Version],
    }
}

/// Which contracts. What is left out does not restrict.
#[derive(Debug, Default, InputObject)]
pub(crate) struct ContractFilter {
    /// In one of these statuses.
    status: Option<Vec<Status>>,
    /// With this text somewhere in the name, whatever the case; up to 100 characters.
    name: Option<String>,
    /// In one of these campaigns.
    campaign_ids: Option<Vec<ID>>,
    /// Of one of these buyers.
    buyer_ids: Option<Vec<ID>>,
}

impl ContractFilter {
    pub(crate) fn read(self) -> Result<Filter> {
        Ok(Filter {
            statuses: words(self.status),
            name: name_part(self.name)?,
            campaigns: ids(Kind::Campaign, self.campaign_ids)?,
            buyers: ids(Kind::Buyer, self.buyer_ids)?,
        })
    }
}

impl Contract {
    async fn terms(&self, ctx: &Context<'_>) -> Result<Arc<ContractTerms>> {
        there(loader(ctx)?.load_one(ContractTermsOf((*column(self.0.revision_id())?).into())).await?)
    }

    /// The currency of its campaign.
    async fn currency(&self, ctx: &Context<'_>) -> Result<Currency> {
        let campaign = there(loader(ctx)?.load_one(CampaignBy(*column(self.0.campaign_id())?)).await?)?;
        campaign.currency.parse().map_err(internal)
    }
}

#[Object(use_type_description)]
impl Contract {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::Contract.id(self.0.id())
    }

    /// What people call it.
    fn name(&self) -> Result<&str> {
        Ok(column(self.0.name())?)
    }

    /// The campaign it buys in.
    async fn campaign(&self, ctx: &Context<'_>) -> Result<Campaign> {
        there(one!(ctx, CampaignBy(*column(self.0.campaign_id())?) => Campaign)?)
    }

    /// Who buys.
    async fn buyer(&self, ctx: &Context<'_>) -> Result<Buyer> {
        there(one!(ctx, BuyerBy(*column(self.0.buyer_id())?) => Buyer)?)
    }

    /// Whether it buys.
    fn status(&self) -> Result<Status> {
        Status::read(column(self.0.status())?)
    }

    /// The key of the campaign's step it takes part in.
    async fn stage(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(self.terms(ctx).await?.stage.clone())
    }

    /// Its place in a waterfall, 1 first.
    async fn priority(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(int(self.terms(ctx).await?.priority))
    }

    /// Its share in a weighted step; 0 means none.
    async fn weight(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(int(self.terms(ctx).await?.weight))
    }

    /// Whether it shares leads with others.
    async fn exclusivity(&self, ctx: &Context<'_>) -> Result<Exclusivity> {
        Ok(self.terms(ctx).await?.exclusivity.into())
    }

    /// The price where no rule matches.
    async fn price(&self, ctx: &Context<'_>) -> Result<Money> {
        let amount_minor = self.terms(ctx).await?.price_minor;
        Ok(Money(leadyard_types::Money::new(amount_minor, self.currency(ctx).await?)))
    }

    /// Exceptions from the price; of several that match, the last holds.
    async fn price_rules(&self, ctx: &Context<'_>) -> Result<Vec<PriceRule>> {
        let currency = self.currency(ctx).await?;
        Ok(PriceRule::all(&self.terms(ctx).await?.price_rules, currency))
    }

    /// Limits on its sales, in the buyer's time zone.
    async fn caps(&self, ctx: &Context<'_>) -> Result<Vec<Cap>> {
        let currency = self.currency(ctx).await?;
        Ok(Cap::all(&self.terms(ctx).await?.caps, currency))
    }

    /// When it buys; absent means always.
    async fn schedule(&self, ctx: &Context<'_>) -> Result<Option<Schedule>> {
        Ok(self.terms(ctx).await?.schedule.as_ref().map(Schedule::from))
    }

    /// Whether it buys aged leads too.
    async fn buys_aged(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.terms(ctx).await?.buys_aged)
    }

    /// What it pays for aged leads, where a rule matches; else its ordinary price by the campaign's steps.
    async fn aged_price_rules(&self, ctx: &Context<'_>) -> Result<Vec<PriceRule>> {
        let currency = self.currency(ctx).await?;
        Ok(PriceRule::all(&self.terms(ctx).await?.aged_price_rules, currency))
    }

    /// What happens to a lead outside its hours.
    async fn outside_hours(&self, ctx: &Context<'_>) -> Result<OutsideHours> {
        Ok(self.terms(ctx).await?.outside_hours.into())
    }

    /// How many minutes after it came in a lead waits for its hours; absent: as long as the campaign offers unsold leads.
    async fn wait_at_most_minutes(&self, ctx: &Context<'_>) -> Result<Option<i32>> {
        Ok(self.terms(ctx).await?.wait_at_most_minutes.map(int))
    }

    /// What its buyer may set by itself, and within which limits; absent means nothing.
    async fn bounds(&self, ctx: &Context<'_>) -> Result<Option<ContractBounds>> {
        let currency = self.currency(ctx).await?;
        Ok(self.terms(ctx).await?.buyer_bounds.as_ref().map(|bounds| ContractBounds::of(bounds, currency)))
    }

    /// What its buyer set.
    async fn own_settings(&self, ctx: &Context<'_>) -> Result<ContractSettings> {
        let currency = self.currency(ctx).await?;
        Ok(ContractSettings::of(&self.terms(ctx).await?.buyer_settings, currency))
    }

    /// What of its buyer's settings holds within the bounds as they are now, and the price that is paid where no price
    /// rule matches.
    async fn effective(&self, ctx: &Context<'_>) -> Result<ContractSettings> {
        let currency = self.currency(ctx).await?;
        Ok(ContractSettings::held(&effective(&*self.terms(ctx).await?), currency))
    }

    /// Whether the buyer answers when a lead is posted.
    async fn verdict(&self, ctx: &Context<'_>) -> Result<Verdict> {
        Ok(self.terms(ctx).await?.verdict.into())
    }

    /// Where its leads go.
    async fn destinations(&self, ctx: &Context<'_>) -> Result<Vec<Destination>> {
        let terms = self.terms(ctx).await?;
        let keys = terms.destinations.iter().map(|id| DestinationBy(id.0));
        let mut rows = loader(ctx)?.load_many(keys).await?;
        Ok(terms.destinations.iter().filter_map(|id| rows.remove(&DestinationBy(id.0))).map(Destination).collect())
    }

    /// Which leads it buys; absent means all.
    async fn filter(&self, ctx: &Context<'_>) -> Result<Option<Condition>> {
        Ok(self.terms(ctx).await?.filter.clone().map(Condition))
    }

    /// If there are any, only these sources.
    async fn sources_allowed(&self, ctx: &Context<'_>) -> Result<Vec<Source>> {
        let terms = self.terms(ctx).await?;
        let keys = terms.sources_allowed.iter().map(|id| SourceBy(id.0));
        let mut rows = loader(ctx)?.load_many(keys).await?;
        Ok(terms.sources_allowed.iter().filter_map(|id| rows.remove(&SourceBy(id.0))).map(Source).collect())
    }

    /// Never these sources.
    async fn sources_denied(&self, ctx: &Context<'_>) -> Result<Vec<Source>> {
        let terms = self.terms(ctx).await?;
        let keys = terms.sources_denied.iter().map(|id| SourceBy(id.0));
        let mut rows = loader(ctx)?.load_many(keys).await?;
        Ok(terms.sources_denied.iter().filter_map(|id| rows.remove(&SourceBy(id.0))).map(Source).collect())
    }

    /// What it pays of its price where a BEST sale has 2, 3 … buyers, in percent; the last holds for more. None: the full
    /// price.
    async fn shared_percents(&self, ctx: &Context<'_>) -> Result<Vec<String>> {
        Ok(self.terms(ctx).await?.shared_percents.iter().map(|share| share.0.normalize().to_string()).collect())
    }

    /// Where its buyer is asked for bids; absent: its fixed price is its bid.
    async fn ping_destination(&self, ctx: &Context<'_>) -> Result<Option<Destination>> {
        match self.terms(ctx).await?.ping {
            Some(id) => one!(ctx, DestinationBy(id.0) => Destination),
            None => Ok(None),
        }
    }

    /// What the operator keeps of its price when a supplier is quoted; absent: as the campaign says.
    async fn margin(&self, ctx: &Context<'_>) -> Result<Option<Margin>> {
        let currency = self.currency(ctx).await?;
        Ok(self.terms(ctx).await?.margin.map(|margin| Margin::of(margin, currency)))
    }

    /// Whether it gets tests and nothing else.
    async fn test(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.terms(ctx).await?.test)
    }

    /// Whether the consent must name its buyer as a recipient.
    async fn consent_names_buyer(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.terms(ctx).await?.consent_names_buyer)
    }

    /// Whether a credited complaint gives the cap's count back.
    async fn credit_frees_cap(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.terms(ctx).await?.credit_frees_cap)
    }

    /// How many minutes an unclear answer keeps money held.
    async fn unknown_window_minutes(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(int(self.terms(ctx).await?.unknown_window_minutes))
    }

    /// What it bought.
    async fn sales(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "In which order.", default)] order_by: SaleOrder,
    ) -> Result<SaleConnection> {
        let list = Inside::SalesOfContract(self.0.id());
        SaleConnection::inside(ctx, list, Sales::from(order_by), Paging { first, after, last, before }).await
    }

    /// What was bought by it over time.
    async fn statistics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which time, and cut into which pieces.")] range: StatisticsRange,
    ) -> Result<Statistics> {
        let currency =
            there(loader(ctx)?.load_one(CampaignBy(*column(self.0.campaign_id())?)).await?)?.currency.clone();
        statistics::one(ctx, (SeriesOf::Contract, self.0.id()), currency, &range).await
    }

    /// When it was set up.
    fn created_at(&self) -> Result<Timestamp> {
        Ok(*column(self.0.created_at())?)
    }

    /// How often its terms were revised; a change names the version it was made from.
    fn version(&self) -> Result<i32> {
        Ok(int(*column(self.0.version())?))
    }
}

connection!(ContractConnection, ContractEdge, Contract of parts of contract, "A page of contracts.", "A contract in a list.", inside by ContractsPage);

queries! {
    ContractQueries, Contract, ContractBy => Contract,
    /// A contract by its id.
    contract,
    /// The contracts you may see.
    contracts -> ContractConnection by NameOrder of read::NameOrder, filter ContractFilter
}
