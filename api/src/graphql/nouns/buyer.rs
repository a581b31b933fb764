//! Buyers and the groups they count with.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use leadyard_entity::model::{buyer, buyer_group};
use leadyard_entity::read::{self, BuyerFilter as Filter, NameOrder as Names, SaleOrder as Sales, TimeOrder as Times};
use leadyard_entity::reports::SeriesOf;
use leadyard_types::{AccountKind, BuyerTerms, Cap, Timestamp};

use super::super::connection::{Paging, connection};
use super::super::context::loader;
use super::super::id::Kind;
use super::super::loaders::{AccountsOf, BuyerTermsOf, Inside};
use super::super::order::{NameOrder, SaleOrder, TimeOrder};
use super::super::scalars::{EmailAddress, MinorUnits, TimeZone};
use super::super::words::{CapPeriod, Status};
use super::complaint::ComplaintConnection;
use super::contract::ContractConnection;
use super::destination::Destination;
use super::sale::SaleConnection;
use super::statement::{self, Statement, StatementRange};
use super::statistics::{Statistics, StatisticsRange, all};
use super::wallet::Wallet;
use super::{int, many, name_part, of_row, one, queries, there, words};

of_row! {
    /// Who pays for leads.
    Buyer of buyer
}

of_row! {
    /// Buyers that count as one: none of them gets a lead that another one has.
    BuyerGroup of buyer_group
}

#[Object(use_type_description)]
impl BuyerGroup {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::BuyerGroup.id(self.0.id)
    }

    /// What people call it.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// How often it was changed; a change names the version it was made from.
    fn version(&self) -> i32 {
        int(self.0.version)
    }
}

/// A limit over all contracts of a buyer. It is never overshot, whatever runs at once.
#[derive(Debug, SimpleObject)]
pub(crate) struct BuyerCap {
    /// The period, in the buyer's time zone.
    period: CapPeriod,
    /// The most sales in the period. `0` means closed, absent means no limit.
    count: Option<i32>,
    /// The most money in the period, in minor units of whatever its contracts pay in. `0` means closed, absent means no limit.
    amount_minor: Option<MinorUnits>,
}

impl From<&Cap> for BuyerCap {
    fn from(cap: &Cap) -> Self {
        Self { period: cap.period.into(), count: cap.count.map(int), amount_minor: cap.amount_minor.map(MinorUnits) }
    }
}

/// Which buyers. What is left out does not restrict.
#[derive(Debug, Default, InputObject)]
pub(crate) struct BuyerFilter {
    /// In one of these statuses.
    status: Option<Vec<Status>>,
    /// With this text somewhere in the name, whatever the case; up to 100 characters.
    name: Option<String>,
}

impl BuyerFilter {
    pub(crate) fn read(self) -> Result<Filter> {
        Ok(Filter { statuses: words(self.status), name: name_part(self.name)? })
    }
}

impl Buyer {
    async fn terms(&self, ctx: &Context<'_>) -> Result<Arc<BuyerTerms>> {
        there(loader(ctx)?.load_one(BuyerTermsOf(self.0.revision_id.into())).await?)
    }
}

#[Object(use_type_description)]
impl Buyer {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::Buyer.id(self.0.id)
    }

    /// What people call it.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Where it is written to.
    fn email(&self) -> Option<EmailAddress> {
        self.0.email.clone().map(EmailAddress)
    }

    /// Whether it buys.
    fn status(&self) -> Result<Status> {
        Status::read(&self.0.status)
    }

    /// The time zone of its caps and of its contracts' caps.
    async fn time_zone(&self, ctx: &Context<'_>) -> Result<TimeZone> {
        Ok(TimeZone(self.terms(ctx).await?.time_zone))
    }

    /// The group it counts with for exclusivity.
    async fn group(&self, ctx: &Context<'_>) -> Result<Option<BuyerGroup>> {
        match self.terms(ctx).await?.group {
            Some(group) => one!(ctx, BuyerGroupBy(group.0) => BuyerGroup),
            None => Ok(None),
        }
    }

    /// Limits over all its contracts, in its time zone.
    async fn caps(&self, ctx: &Context<'_>) -> Result<Vec<BuyerCap>> {
        Ok(self.terms(ctx).await?.caps.iter().map(BuyerCap::from).collect())
    }

    /// Its prepaid money and credit, one wallet per currency.
    async fn wallets(&self, ctx: &Context<'_>) -> Result<Vec<Wallet>> {
        let accounts = loader(ctx)?.load_one(AccountsOf(self.0.id)).await?.unwrap_or_default();
        let wallets = accounts.into_iter().filter(|account| account.kind == AccountKind::BuyerWallet.as_str());
        Ok(wallets.map(Wallet).collect())
    }

    /// What it wants and pays, by campaign.
    async fn contracts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "In which order.", default)] order_by: NameOrder,
    ) -> Result<ContractConnection> {
        let list = Inside::ContractsOfBuyer(self.0.id);
        ContractConnection::inside(ctx, list, Names::from(order_by), Paging { first, after, last, before }).await
    }

    /// Where its leads can be delivered.
    async fn destinations(&self, ctx: &Context<'_>) -> Result<Vec<Destination>> {
        many!(ctx, DestinationsOfBuyer(self.0.id) => Destination)
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
        let list = Inside::SalesOfBuyer(self.0.id);
        SaleConnection::inside(ctx, list, Sales::from(order_by), Paging { first, after, last, before }).await
    }

    /// What it complained about.
    async fn complaints(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "In which order.", default)] order_by: TimeOrder,
    ) -> Result<ComplaintConnection> {
        let list = Inside::ComplaintsOfBuyer(self.0.id);
        ComplaintConnection::inside(ctx, list, Times::from(order_by), Paging { first, after, last, before }).await
    }

    /// What it bought over time, one series for each currency of its wallets.
    async fn statistics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which time, and cut into which pieces.")] range: StatisticsRange,
    ) -> Result<Vec<Statistics>> {
        let accounts = loader(ctx)?.load_one(AccountsOf(self.0.id)).await?.unwrap_or_default();
        let wallets = accounts.into_iter().filter(|account| account.kind == AccountKind::BuyerWallet.as_str());
        all(ctx, (SeriesOf::Buyer, self.0.id), wallets.map(|wallet| wallet.currency.clone()).collect(), &range).await
    }

    /// Everything that moved its money, line by line, one statement for each currency of its wallets.
    async fn statement(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which days.")] range: StatementRange,
    ) -> Result<Vec<Statement>> {
        let period = range.period(self.terms(ctx).await?.time_zone)?;
        let accounts = loader(ctx)?.load_one(AccountsOf(self.0.id)).await?.unwrap_or_default();
        let wallets = accounts.into_iter().filter(|account| account.kind == AccountKind::BuyerWallet.as_str());
        statement::of_accounts(ctx, wallets.map(|wallet| (wallet.id, wallet.currency.clone())), period).await
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

connection!(BuyerConnection, BuyerEdge, Buyer of buyer, "A page of buyers.", "A buyer in a list.");

queries! {
    BuyerQueries, Buyer, BuyerBy => Buyer,
    /// A buyer by its id.
    buyer,
    /// The buyers you may see.
    buyers -> BuyerConnection by NameOrder of read::NameOrder, filter BuyerFilter
}

connection!(BuyerGroupConnection, BuyerGroupEdge, BuyerGroup of buyer_group, "A page of buyer groups.", "A buyer group in a list.");

queries! {
    BuyerGroupQueries, BuyerGroup, BuyerGroupBy => BuyerGroup,
    /// A buyer group by its id.
    buyer_group,
    /// All groups within which buyers count as one.
    buyer_groups -> BuyerGroupConnection by NameOrder of read::NameOrder
}
