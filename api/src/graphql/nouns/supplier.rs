//! Suppliers.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result};
use leadyard_entity::model::{ledger_account, supplier};
use leadyard_entity::read::{self, NameOrder as Order, SupplierFilter as Filter};
use leadyard_types::{AccountKind, Timestamp};

use super::super::connection::{Paging, connection};
use super::super::context::loader;
use super::super::id::Kind;
use super::super::loaders::{AccountsOf, Inside};
use super::super::order::NameOrder;
use super::super::scalars::{EmailAddress, Money};
use super::super::words::Status;
use super::payables::{self, Payables};
use super::source::SourceConnection;
use super::statement::{self, Statement, StatementRange};
use super::statistics::StatisticsRange;
use super::{int, money, name_part, of_row, queries, words};

of_row! {
    /// Who sends leads.
    Supplier of supplier
}

/// Which suppliers. What is left out does not restrict.
#[derive(Debug, Default, InputObject)]
pub(crate) struct SupplierFilter {
    /// In one of these statuses.
    status: Option<Vec<Status>>,
    /// With this text somewhere in the name, whatever the case; up to 100 characters.
    name: Option<String>,
}

impl SupplierFilter {
    pub(crate) fn read(self) -> Result<Filter> {
        Ok(Filter { statuses: words(self.status), name: name_part(self.name)? })
    }
}

impl Supplier {
    /// What it is owed, by currency.
    async fn accounts(&self, ctx: &Context<'_>) -> Result<Vec<Arc<ledger_account::Model>>> {
        let mut accounts = loader(ctx)?.load_one(AccountsOf(self.0.id)).await?.unwrap_or_default();
        accounts.retain(|account| account.kind == AccountKind::SupplierPayable.as_str());
        Ok(accounts)
    }
}

#[Object(use_type_description)]
impl Supplier {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::Supplier.id(self.0.id)
    }

    /// What people call it.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Where it is written to.
    fn email(&self) -> Option<EmailAddress> {
        self.0.email.clone().map(EmailAddress)
    }

    /// Whether it takes part.
    fn status(&self) -> Result<Status> {
        Status::read(&self.0.status)
    }

    /// What it is owed, one amount per currency.
    async fn owed(&self, ctx: &Context<'_>) -> Result<Vec<Money>> {
        let accounts = self.accounts(ctx).await?;
        accounts.iter().map(|account| money(account.balance_minor, &account.currency)).collect()
    }

    /// What it is owed, piece of time by piece of time, one series for each currency.
    async fn payables(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which time, and cut into which pieces.")] range: StatisticsRange,
    ) -> Result<Vec<Payables>> {
        payables::of_accounts(ctx, self.accounts(ctx).await?, &range).await
    }

    /// What it earned, gave back and was paid, line by line, one statement for each currency.
    async fn statement(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which days.")] range: StatementRange,
    ) -> Result<Vec<Statement>> {
        let accounts = self.accounts(ctx).await?.into_iter().map(|account| (account.id, account.currency.clone()));
        statement::of_accounts(ctx, accounts, range.period(chrono_tz::Tz::UTC)?).await
    }

    /// Its channels.
    async fn sources(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "In which order.", default)] order_by: NameOrder,
    ) -> Result<SourceConnection> {
        let list = Inside::SourcesOfSupplier(self.0.id);
        SourceConnection::inside(ctx, list, Order::from(order_by), Paging { first, after, last, before }).await
    }

    /// When it was set up.
    fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// How often it was changed; a change names the version it was made from.
    fn version(&self) -> i32 {
        int(self.0.version)
    }
}

connection!(SupplierConnection, SupplierEdge, Supplier of supplier, "A page of suppliers.", "A supplier in a list.");

queries! {
    SupplierQueries, Supplier, SupplierBy => Supplier,
    /// A supplier by its id.
    supplier,
    /// The suppliers you may see.
    suppliers -> SupplierConnection by NameOrder of read::NameOrder, filter SupplierFilter
}
