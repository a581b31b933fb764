//! Statements of buyers' wallets and of what suppliers are owed.

use std::sync::Arc;

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};
use leadyard_entity::read::Page;
use leadyard_entity::statements::{EntryFilter, StatementEntry as Line, is_entry_cursor};
use leadyard_market::statement::{KindTotal, Period, Statement as Whole};
use leadyard_types::Timestamp;
use uuid::Uuid;

use super::super::connection::{PageInfo, Paging, count};
use super::super::context::loader;
use super::super::errors::internal;
use super::super::loaders::{EntriesOf, StatementOf};
use super::super::order::TimeOrder;
use super::super::scalars::{Money, TimeZone};
use super::super::words::TransferKind;
use super::hold::Hold;
use super::lead::Lead;
use super::profit_and_loss::DayRange;
use super::sale::Sale;
use super::transfer::Transfer;
use super::{int, money, one, there, words};

/// Which days a statement covers. A request asks for statements of at most 12 periods, days and time zone together.
#[derive(Debug, InputObject)]
pub(crate) struct StatementRange {
    /// The first and the last day, in the time zone below: at most 366 days.
    days: DayRange,
    /// The time zone in which days are meant, `Europe/Berlin`; left out, the buyer's own, and for suppliers UTC.
    time_zone: Option<TimeZone>,
}

impl StatementRange {
    /// The days, in the zone given or another.
    pub(super) fn period(&self, own: chrono_tz::Tz) -> Result<Period> {
        let (since, until) = self.days.within_a_year()?;
        Ok(Period { since, until, zone: self.time_zone.map_or(own, |zone| zone.0) })
    }
}

/// What a line of a statement is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "leadyard_entity::statements::EntryKind")]
pub(crate) enum StatementEntryKind {
    /// Money was reserved: the balance stays, less of it is available.
    Hold,
    /// A reservation ended because its money was taken; the transfer stands beside it.
    HoldPosted,
    /// A reservation ended and its money was let go.
    HoldVoided,
    /// Money moved.
    Transfer,
}

/// Which lines of a statement. What is left out does not restrict; balances are always those of all lines.
#[derive(Debug, Default, InputObject)]
pub(crate) struct StatementEntryFilter {
    /// Of these kinds.
    kind: Option<Vec<StatementEntryKind>>,
    /// Transfers for one of these reasons; lines of holds are left out then.
    transfer_kind: Option<Vec<TransferKind>>,
}

/// A statement of one account over some days, summed up from the ledger: what stood in it, everything that moved it, and
/// what stands in it then.
#[derive(Debug, async_graphql::Description)]
pub(crate) struct Statement {
    account: Uuid,
    currency: Arc<str>,
    period: Period,
    whole: Arc<Whole>,
}

/// What the transfers of one kind came to.
#[derive(Debug, SimpleObject)]
pub(crate) struct StatementTotal {
    /// Why money moved.
    transfer_kind: TransferKind,
    /// How many transfers there were.
    count: i32,
    /// What they added to the balance; below zero, what they took.
    change: Money,
}

#[Object(use_type_description)]
impl Statement {
    /// The account's currency, ISO 4217.
    fn currency(&self) -> &str {
        &self.currency
    }

    /// The first moment of its first day.
    fn since(&self) -> Timestamp {
        self.whole.span.0
    }

    /// The first moment behind its last day. Until then the statement can still grow.
    fn until(&self) -> Timestamp {
        self.whole.span.1
    }

    /// The balance before its first moment.
    fn opening(&self) -> Result<Money> {
        money(self.whole.opening.balance_minor, &self.currency)
    }

    /// The balance in the end: the opening balance and all changes.
    fn closing(&self) -> Result<Money> {
        money(self.whole.closing.balance_minor, &self.currency)
    }

    /// What was reserved before its first moment.
    fn opening_held(&self) -> Result<Money> {
        money(self.whole.opening.held_minor, &self.currency)
    }

    /// What is reserved in the end.
    fn closing_held(&self) -> Result<Money> {
        money(self.whole.closing.held_minor, &self.currency)
    }

    /// What moved the balance, by reason. Opening balance and totals add up to the closing balance.
    fn totals(&self) -> Result<Vec<StatementTotal>> {
        let total = |(kind, KindTotal { transfers, change_minor }): (&leadyard_types::TransferKind, &KindTotal)| {
            let change = money(*change_minor, &self.currency)?;
            Ok(StatementTotal { transfer_kind: (*kind).into(), count: int(*transfers), change })
        };
        self.whole.totals.iter().map(total).collect()
    }

    /// Its lines, each with how the account stood then.
    #[allow(clippy::too_many_arguments, reason = "the arguments of every list")]
    async fn entries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which of them; left out, all.")] filter: Option<StatementEntryFilter>,
        #[graphql(desc = "In which order; left out, the oldest first.", default_with = "TimeOrder::Oldest")]
        order_by: TimeOrder,
    ) -> Result<StatementEntryConnection> {
        let args = Paging { first, after, last, before }.places(is_entry_cursor)?;
        let filter = filter.unwrap_or_default();
        let filter = EntryFilter { kinds: words(filter.kind), transfers: words(filter.transfer_kind) };
        let total = self.whole.lines(&filter);
        let newest_first = order_by == TimeOrder::Newest;
        let key = EntriesOf { account: self.account, period: self.period, filter, newest_first, args: args.clone() };
        let page = there(loader(ctx)?.load_one(key).await?)?;
        Ok(StatementEntryConnection { page, total, currency: Arc::clone(&self.currency) })
    }
}

/// A line of a statement: something that moved an account, and how it stood then.
#[derive(Debug, Clone, async_graphql::Description)]
pub(crate) struct StatementEntry {
    line: Line,
    currency: Arc<str>,
}

#[Object(use_type_description)]
impl StatementEntry {
    /// When it was booked.
    fn at(&self) -> Timestamp {
        self.line.at
    }

    /// What the line is about.
    fn kind(&self) -> Result<StatementEntryKind> {
        Ok(self.line.kind().map_err(internal)?.into())
    }

    /// Why money moved; absent for holds.
    fn transfer_kind(&self) -> Result<Option<TransferKind>> {
        Ok(self.line.transfer_kind().map_err(internal)?.map(TransferKind::from))
    }

    /// What it added to the balance; below zero, what it took. Zero for holds.
    fn change(&self) -> Result<Money> {
        money(self.line.change_minor, &self.currency)
    }

    /// The balance after it.
    fn balance(&self) -> Result<Money> {
        money(self.line.balance_minor, &self.currency)
    }

    /// What it added to what is reserved; below zero, what it let go.
    fn held_change(&self) -> Result<Money> {
        money(self.line.held_change_minor, &self.currency)
    }

    /// What is reserved after it.
    fn held(&self) -> Result<Money> {
        money(self.line.held_minor, &self.currency)
    }

    /// The transfer, where money moved.
    async fn transfer(&self, ctx: &Context<'_>) -> Result<Option<Transfer>> {
        if self.line.transfer_kind().map_err(internal)?.is_none() {
            return Ok(None);
        }
        one!(ctx, TransferBy(self.line.id) => Transfer)
    }

    /// The hold, where one began or ended.
    async fn hold(&self, ctx: &Context<'_>) -> Result<Option<Hold>> {
        if self.line.transfer_kind().map_err(internal)?.is_some() {
            return Ok(None);
        }
        one!(ctx, HoldBy(self.line.id) => Hold)
    }

    /// The sale it is about. Buyers see it once the sale is final.
    async fn sale(&self, ctx: &Context<'_>) -> Result<Option<Sale>> {
        match self.line.sale_id {
            Some(sale) => one!(ctx, SaleBy(sale) => Sale),
            None => Ok(None),
        }
    }

    /// The lead it is about. Buyers see it once the sale is final.
    async fn lead(&self, ctx: &Context<'_>) -> Result<Option<Lead>> {
        match self.line.lead_id {
            Some(lead) => one!(ctx, LeadBy(lead) => Lead),
            None => Ok(None),
        }
    }

    /// What finance wrote to it.
    fn memo(&self) -> Option<&str> {
        self.line.memo.as_deref()
    }
}

/// A page of a statement's lines.
#[derive(Debug, async_graphql::Description)]
pub(crate) struct StatementEntryConnection {
    page: Arc<Page<Line>>,
    total: u64,
    currency: Arc<str>,
}

/// A line in its statement.
#[derive(Debug, SimpleObject)]
pub(crate) struct StatementEntryEdge {
    /// The line itself.
    node: StatementEntry,
    /// Its place in this list and order, for `after` and `before`.
    cursor: String,
}

impl StatementEntryConnection {
    fn lines(&self) -> impl Iterator<Item = StatementEntry> {
        self.page.rows.iter().map(|line| StatementEntry { line: line.clone(), currency: Arc::clone(&self.currency) })
    }
}

#[Object(use_type_description)]
impl StatementEntryConnection {
    /// The lines of this page with their cursors.
    fn edges(&self) -> Vec<StatementEntryEdge> {
        self.lines().map(|node| StatementEntryEdge { cursor: node.line.cursor().to_string(), node }).collect()
    }

    /// The lines of this page without their cursors.
    fn nodes(&self) -> Vec<StatementEntry> {
        self.lines().collect()
    }

    /// Where this page stands in the list.
    fn page_info(&self) -> PageInfo {
        let cursor = |line: &Line| line.cursor().to_string();
        PageInfo {
            has_next_page: self.page.has_next,
            has_previous_page: self.page.has_previous,
            start_cursor: self.page.rows.first().map(cursor),
            end_cursor: self.page.rows.last().map(cursor),
        }
    }

    /// How many lines the whole statement has that fit the filter.
    fn total_count(&self) -> i32 {
        count(self.total)
    }
}

/// The statements of some accounts over the same days, one for each currency.
pub(super) async fn of_accounts(
    ctx: &Context<'_>,
    accounts: impl Iterator<Item = (Uuid, String)>,
    period: Period,
) -> Result<Vec<Statement>> {
    let accounts: Vec<(Uuid, String)> = accounts.collect();
    let keys = accounts.iter().map(|(account, _)| StatementOf { account: *account, period });
    let mut found = loader(ctx)?.load_many(keys).await?;
    let statement = |(account, currency): (Uuid, String)| {
        let whole = there(found.remove(&StatementOf { account, period }))?;
        Ok(Statement { account, currency: currency.into(), period, whole })
    };
    accounts.into_iter().map(statement).collect()
}
