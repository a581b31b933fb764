//! Pages by key: a page begins after a row, never after a count, so that rows which come and go meanwhile neither repeat
//! nor vanish, and the hundredth page costs as much as the first.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use leadyard_types::{Principal, Timestamp, time};
use sea_orm::sea_query::{Alias, Asterisk, Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, Condition, DbBackend, FromQueryResult, JoinType, ModelTrait, Order, PaginatorTrait, QueryFilter,
    QuerySelect, QueryTrait, Select, Statement, Value,
};
use uuid::Uuid;

use super::lists::{TimeOrder, TransferFilter};
use super::part::{Columns, Part, Parted};
use super::{ordered, uuid_of};
use crate::error::StoreResult;
use crate::model::ledger_transfer;
use crate::scope::Scoped;
use crate::sql::among;
use crate::store::Read;

/// The value a list is sorted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SortValue {
    /// A moment.
    Time(Timestamp),
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

impl From<SortValue> for Value {
    fn from(value: SortValue) -> Self {
        match value {
            SortValue::Time(time) => time.into(),
            SortValue::Number(number) => number.into(),
            SortValue::Text(text) => text.into(),
        }
    }
}

/// A place in a list: the value it is sorted by, and the row's id. As text it is opaque to callers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The value.
    pub value: SortValue,
    /// The row.
    pub id: Uuid,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            SortValue::Time(time) => write!(f, "{}t{}", self.id.simple(), time.timestamp_micros()),
            SortValue::Number(number) => write!(f, "{}n{number}", self.id.simple()),
            SortValue::Text(text) => write!(f, "{}s{text}", self.id.simple()),
        }
    }
}

impl FromStr for Cursor {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (id, rest) = text.split_at_checked(32).ok_or(())?;
        let mut rest = rest.chars();
        let (kind, value) = (rest.next().ok_or(())?, rest.as_str());
        let value = match kind {
            't' => SortValue::Time(moment_of(value).ok_or(())?),
            'n' => SortValue::Number(value.parse().map_err(|_| ())?),
            // PostgreSQL holds no such text, so no row has it.
            's' if !value.contains('\0') => SortValue::Text(value.to_owned()),
            _ => return Err(()),
        };
        Ok(Self { value, id: Uuid::try_parse(id).map_err(|_| ())? })
    }
}

/// The moment of a cursor, if it is one that both databases hold and sort alike.
pub(crate) fn moment_of(micros: &str) -> Option<Timestamp> {
    let moment = Timestamp::from_timestamp_micros(micros.parse().ok()?)?;
    time::is_storable(moment).then_some(moment)
}

/// Which part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PageArgs {
    /// How many rows, 1 to 100.
    pub limit: u32,
    /// Count from the end instead of the beginning.
    pub backward: bool,
    /// Only rows behind this place.
    pub after: Option<Cursor>,
    /// Only rows before this place.
    pub before: Option<Cursor>,
}

/// A part of a list, in the list's order.
#[derive(Debug, Clone)]
pub struct Page<M> {
    /// The rows.
    pub rows: Vec<M>,
    /// Whether there are rows behind them.
    pub has_next: bool,
    /// Whether there are rows before them.
    pub has_previous: bool,
}

impl<M> Page<M> {
    /// The same page of something made of each row.
    pub fn map<N>(self, make: impl FnMut(M) -> N) -> Page<N> {
        let Self { rows, has_next, has_previous } = self;
        Page { rows: rows.into_iter().map(make).collect(), has_next, has_previous }
    }

    pub(crate) fn of(mut rows: Vec<M>, args: &PageArgs) -> Self {
        let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        if args.backward {
            rows.reverse();
            return Self { rows, has_next: args.before.is_some(), has_previous: more };
        }
        Self { rows, has_next: more, has_previous: args.after.is_some() }
    }
}

/// A table that is listed: how it is filtered and in which orders.
pub trait Listed: Scoped {
    /// What a caller may ask for.
    type Filter: Clone + Default + Send + Sync + 'static;
    /// In which order.
    type Order: Copy + Eq + std::hash::Hash + Send + Sync + 'static;

    /// The condition of a filter that this caller gave: what it names but cannot see does not exist for it.
    fn condition(filter: &Self::Filter, who: Principal) -> Condition;
    /// The column of an order, and whether the greatest comes first.
    fn sorting(order: Self::Order) -> (Self::Column, bool);
    /// Where a row stands in an order.
    fn cursor(row: &Self::Model, order: Self::Order) -> Cursor;
    /// The column of the id.
    fn id() -> Self::Column;
    /// Whether a cursor was made by this order.
    fn fits(cursor: &Cursor, order: Self::Order) -> bool;
}

impl Read {
    /// A page of a list.
    pub async fn page<E: Listed>(
        &self,
        filter: &E::Filter,
        order: E::Order,
        args: &PageArgs,
    ) -> StoreResult<Page<E::Model>>
    where
        E::Model: Send,
    {
        Ok(Page::of(self.sorted::<E>(filter, order, args).all(self.connection()).await?, args))
    }

    /// A page of a list of wide rows: of each, what lists are sorted by and some columns more.
    pub async fn part_page<E: Parted>(
        &self,
        filter: &E::Filter,
        order: E::Order,
        args: &PageArgs,
        columns: Columns<E>,
    ) -> StoreResult<Page<Part<E>>> {
        let columns = columns.with(E::id()).with(E::sorting(order).0);
        let list = self.sorted::<E>(filter, order, args).into_query();
        Ok(Page::of(self.parts(list, columns).await?, args))
    }

    /// The rows of a page and one more, which tells whether there are more.
    fn sorted<E: Listed>(&self, filter: &E::Filter, order: E::Order, args: &PageArgs) -> Select<E> {
        let (column, descending) = E::sorting(order);
        let select = self.select::<E>().filter(E::condition(filter, self.principal)).filter(between::<E>(order, args));
        ordered(select, column, E::id(), descending != args.backward).limit(u64::from(args.limit) + 1)
    }

    /// How many rows a list has. It reads them all: asked for only where somebody wants the number.
    pub async fn count<E: Listed>(&self, filter: &E::Filter) -> StoreResult<u64>
    where
        E::Model: FromQueryResult + Sized + Send + Sync,
    {
        Ok(self.select::<E>().filter(E::condition(filter, self.principal)).count(self.connection()).await?)
    }

    /// How many rows several parents' lists have, in one statement.
    pub async fn counts_of<E: Listed>(&self, parent: E::Column, parents: &[Uuid]) -> StoreResult<HashMap<Uuid, u64>> {
        let select = self.select::<E>().filter(among(self.backend(), parent, parents));
        let counts: Vec<(Uuid, i64)> = select
            .select_only()
            .column_as(parent, "parent")
            .column_as(E::id().count(), "rows")
            .group_by(parent)
            .into_tuple()
            .all(self.connection())
            .await?;
        let counts: HashMap<Uuid, i64> = counts.into_iter().collect();
        let count = |id: &Uuid| u64::try_from(counts.get(id).copied().unwrap_or_default()).unwrap_or_default();
        Ok(parents.iter().map(|id| (*id, count(id))).collect())
    }

    /// The same page of several parents' lists, in one statement.
    pub async fn pages_of<E: Listed>(
        &self,
        (parent, parents): (E::Column, &[Uuid]),
        filter: &E::Filter,
        order: E::Order,
        args: &PageArgs,
    ) -> StoreResult<HashMap<Uuid, Page<E::Model>>>
    where
        E::Model: FromQueryResult + Send,
    {
        if parents.is_empty() {
            return Ok(HashMap::new());
        }
        let statement = self.each::<E>((parent, parents), filter, order, args, None);
        let rows = E::Model::find_by_statement(statement).all(self.connection()).await?;
        Ok(pages(rows, parents, args, |row| row.get(parent)))
    }

    /// The same of wide rows: of each, its parent, what lists are sorted by, and some columns more.
    pub async fn part_pages_of<E: Parted>(
        &self,
        (parent, parents): (E::Column, &[Uuid]),
        filter: &E::Filter,
        order: E::Order,
        args: &PageArgs,
        columns: Columns<E>,
    ) -> StoreResult<HashMap<Uuid, Page<Part<E>>>> {
        if parents.is_empty() {
            return Ok(HashMap::new());
        }
        let columns = columns.with(E::id()).with(parent).with(E::sorting(order).0);
        let named: Vec<E::Column> = columns.named().collect();
        let rows =
            self.run_parts(self.each::<E>((parent, parents), filter, order, args, Some(&named)), columns).await?;
        Ok(pages(rows, parents, args, |row| row.value(parent)))
    }

    /// The statement of some parents' lists.
    fn each<E: Listed>(
        &self,
        parents: (E::Column, &[Uuid]),
        filter: &E::Filter,
        order: E::Order,
        args: &PageArgs,
        columns: Option<&[E::Column]>,
    ) -> Statement {
        let list = self.select::<E>().filter(E::condition(filter, self.principal)).filter(between::<E>(order, args));
        let statement = self.backend().build(&each_list::<E>(self.backend(), list, parents, order, args, columns));
        #[cfg(feature = "testing")]
        self.store.faults().ran(&statement.sql);
        statement
    }
}

/// Rows of several lists, each in its parent's page. `owner` tells whose a row is.
fn pages<R>(rows: Vec<R>, parents: &[Uuid], args: &PageArgs, owner: impl Fn(&R) -> Value) -> HashMap<Uuid, Page<R>> {
    let mut lists: HashMap<Uuid, Vec<R>> = parents.iter().map(|id| (*id, Vec::new())).collect();
    for row in rows {
        if let Some(list) = uuid_of(owner(&row)).and_then(|owner| lists.get_mut(&owner)) {
            list.push(row);
        }
    }
    lists.into_iter().map(|(owner, rows)| (owner, Page::of(rows, args))).collect()
}

impl Read {
    /// A page of the transfers that touch each account, on either side. Two statements.
    pub async fn transfers_of(
        &self,
        accounts: &[Uuid],
        order: TimeOrder,
        args: &PageArgs,
    ) -> StoreResult<HashMap<Uuid, Page<ledger_transfer::Model>>> {
        use ledger_transfer::{Column, Entity};
        let filter = TransferFilter::default();
        let mut debits = self.pages_of::<Entity>((Column::DebitAccountId, accounts), &filter, order, args).await?;
        let mut credits = self.pages_of::<Entity>((Column::CreditAccountId, accounts), &filter, order, args).await?;
        let empty = || Page { rows: Vec::new(), has_next: false, has_previous: false };
        let page = |account: &Uuid| {
            let (debits, credits) = (debits.remove(account), credits.remove(account));
            (*account, merged(debits.unwrap_or_else(empty), credits.unwrap_or_else(empty), order, args))
        };
        Ok(accounts.iter().map(page).collect())
    }

    /// How many transfers touch each account.
    pub async fn counts_of_transfers(&self, accounts: &[Uuid]) -> StoreResult<HashMap<Uuid, u64>> {
        use ledger_transfer::{Column, Entity};
        let mut counts = self.counts_of::<Entity>(Column::DebitAccountId, accounts).await?;
        for (account, count) in self.counts_of::<Entity>(Column::CreditAccountId, accounts).await? {
            *counts.entry(account).or_default() += count;
        }
        Ok(counts)
    }
}

/// One page of two: each holds all that could stand in it.
fn merged(
    one: Page<ledger_transfer::Model>,
    other: Page<ledger_transfer::Model>,
    order: TimeOrder,
    args: &PageArgs,
) -> Page<ledger_transfer::Model> {
    let more = if args.backward { one.has_previous || other.has_previous } else { one.has_next || other.has_next };
    let mut rows: Vec<ledger_transfer::Model> = one.rows.into_iter().chain(other.rows).collect();
    rows.sort_by_key(|row| (row.posted_at, row.id));
    // In the order of the page's own reading: backward pages begin at their end.
    if (order == TimeOrder::Newest) != args.backward {
        rows.reverse();
    }
    let mut page = Page::of(rows, args);
    if args.backward {
        page.has_previous |= more;
    } else {
        page.has_next |= more;
    }
    page
}

/// The first rows of each parent's list, all columns or some: every list is read from its own beginning by the index it
/// has, and no further than the page. All rows together stand in the list's order.
fn each_list<E: Listed>(
    backend: DbBackend,
    list: Select<E>,
    (parent, parents): (E::Column, &[Uuid]),
    order: E::Order,
    args: &PageArgs,
    columns: Option<&[E::Column]>,
) -> SelectStatement {
    let (column, descending) = E::sorting(order);
    let direction = if descending == args.backward { Order::Asc } else { Order::Desc };
    // What both databases call the first column of a list of values.
    let of = || Expr::col((Alias::new("parents"), Alias::new("column1")));
    // Filled up to a power of two, so that few statements are prepared, with parents that have no list.
    let nobody = parents.len()..parents.len().next_power_of_two();
    let ids = parents.iter().copied().map(Some).chain(nobody.map(|_| None)).map(Value::from);
    let mut list = list.into_query();
    list.and_where(Expr::col((E::default(), parent)).eq(of()))
        .order_by((E::default(), column), direction.clone())
        .order_by((E::default(), E::id()), direction.clone())
        .limit(u64::from(args.limit) + 1);
    let listed = || Alias::new("listed");
    let mut each = Query::select();
    match columns {
        Some(columns) => {
            each.columns(columns.iter().map(|column| (listed(), *column)));
            list.clear_selects().columns(columns.iter().map(|column| (E::default(), *column)));
        }
        None => {
            each.column((listed(), Asterisk));
        }
    }
    each.from_values(ids, Alias::new("parents"));
    if backend == DbBackend::Postgres {
        each.join_lateral(JoinType::InnerJoin, list, listed(), Expr::cust("TRUE"));
    } else {
        // SQLite has no LATERAL, but asks a list of ids anew for each parent.
        list.clear_selects().column((E::default(), E::id()));
        let among = Expr::col((listed(), E::id())).in_subquery(list);
        // A cross join's own condition would be left out of the statement.
        each.join_as(JoinType::CrossJoin, E::default().table_ref(), listed(), Condition::all()).and_where(among);
    }
    each.order_by((listed(), column), direction.clone()).order_by((listed(), E::id()), direction);
    each
}

/// The rows behind one place and before another, in a list's order.
fn between<E: Listed>(order: E::Order, args: &PageArgs) -> Condition {
    let (column, descending) = E::sorting(order);
    let place = || Expr::tuple([Expr::col((E::default(), column)), Expr::col((E::default(), E::id()))]);
    let values =
        |cursor: &Cursor| Expr::tuple([Expr::value(Value::from(cursor.value.clone())), Expr::value(cursor.id)]);
    let mut condition = Condition::all();
    for (cursor, behind) in [(&args.after, true), (&args.before, false)] {
        let Some(cursor) = cursor else { continue };
        let greater = behind != descending;
        let values = values(cursor);
        condition = condition.add(if greater { place().gt(values) } else { place().lt(values) });
    }
    condition
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cursor survives its way through a client; anything else is refused, not guessed at.
    #[test]
    fn cursors_come_back_as_they_were() {
        let id = Uuid::from_u128(7);
        let values = [
            SortValue::Number(-3),
            SortValue::Text("Ä, ö t1".into()),
            SortValue::Time(Timestamp::from_timestamp_micros(1_700_000_000_000_001).unwrap()),
            SortValue::Time(Timestamp::from_timestamp_micros(-62_135_596_800_000_000).unwrap()),
            SortValue::Time(Timestamp::from_timestamp_micros(253_402_300_799_999_999).unwrap()),
        ];
        for value in values {
            let cursor = Cursor { value, id };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for bad in [
            "",
            "x",
            "00000000000000000000000000000007",
            "00000000000000000000000000000007t",
            "ä0000000000000000000000000000007n1",
            // A text that PostgreSQL cannot hold, and moments beyond the years that both databases sort.
            "00000000000000000000000000000007sa\0",
            "00000000000000000000000000000007t-62135596800000001",
            "00000000000000000000000000000007t253402300800000000",
            "00000000000000000000000000000007t9223372036854775807",
        ] {
            assert_eq!(bad.parse::<Cursor>(), Err(()));
        }
    }
}
