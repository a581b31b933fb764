//! Cap counters: how much of a cap's bucket is used, kept equal to the sales log.
//!
//! A counter exists only for buckets somebody capped; a missing one is counted from the sales log when it is first
//! needed. Changing an owner's caps forgets its counters, so an edited cap acts at once and counts what was sold before.

use std::collections::{BTreeMap, HashMap};

use leadyard_types::{CapPeriod, Timestamp};
use sea_orm::{DbErr, FromQueryResult, QueryResult, Value};
use uuid::Uuid;

use crate::error::{StoreError, StoreResult};
use crate::sql::marks;
use crate::store::Write;

/// Who a cap belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CapOwner {
    /// A contract: counts its sales.
    Contract(Uuid),
    /// A buyer: counts the sales of all its contracts.
    Buyer(Uuid),
    /// A campaign: counts its sales.
    Campaign(Uuid),
    /// A source: counts its accepted leads.
    Source(Uuid),
}

impl CapOwner {
    /// The owner's id.
    #[must_use]
    pub const fn id(self) -> Uuid {
        match self {
            Self::Contract(id) | Self::Buyer(id) | Self::Campaign(id) | Self::Source(id) => id,
        }
    }

    /// The column of a sale that names the owner.
    pub(crate) const fn sale_column(self) -> &'static str {
        self.log().1
    }

    /// The table and column that hold what is counted, and the condition of counting.
    const fn log(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Contract(_) => ("sale", "contract_id", "sold_at", "counted"),
            Self::Buyer(_) => ("sale", "buyer_id", "sold_at", "counted"),
            Self::Campaign(_) => ("sale", "campaign_id", "sold_at", "counted"),
            Self::Source(_) => ("lead", "source_id", "received_at", "accepted"),
        }
    }
}

/// One bucket of one owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CounterKey {
    /// Whose.
    pub owner: CapOwner,
    /// The period.
    pub period: CapPeriod,
    /// Where the bucket begins.
    pub starts_at: Timestamp,
    /// Where it ends.
    pub ends_at: Timestamp,
}

/// What is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CounterUse {
    /// Sales or accepted leads.
    pub count: i64,
    /// Money, minor units.
    pub amount_minor: i64,
}

/// Counters by key.
pub type Counters = HashMap<CounterKey, CounterUse>;

/// Read by position: a batch reads thousands.
struct CounterRow {
    owner_id: Uuid,
    period: String,
    starts_at: Timestamp,
    count: i64,
    amount_minor: i64,
}

impl FromQueryResult for CounterRow {
    fn from_query_result(row: &QueryResult, _prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            owner_id: row.try_get_by_index(0)?,
            period: row.try_get_by_index(1)?,
            starts_at: row.try_get_by_index(2)?,
            count: row.try_get_by_index(3)?,
            amount_minor: row.try_get_by_index(4)?,
        })
    }
}

#[derive(FromQueryResult)]
struct Counted {
    owner_id: Uuid,
    count: i64,
    amount_minor: i64,
}

impl Write {
    /// The counters of these buckets, counted from the log where they are new. The caller holds the owners' locks.
    pub async fn counters(&self, keys: impl IntoIterator<Item = CounterKey>) -> StoreResult<Counters> {
        let mut wanted: BTreeMap<(Uuid, CapPeriod, Timestamp), CounterKey> =
            keys.into_iter().map(|key| ((key.owner.id(), key.period, key.starts_at), key)).collect();
        let mut counters = Counters::with_capacity(wanted.len());
        let Some(earliest_end) = wanted.values().map(|key| key.ends_at).min() else {
            return Ok(counters);
        };
        let owners: std::collections::BTreeSet<Uuid> = wanted.values().map(|key| key.owner.id()).collect();
        let sql = "SELECT owner_id, period, starts_at, count, amount_minor FROM cap_counter
                   WHERE ends_at >= ? AND owner_id IN ({})";
        let owners = owners.into_iter().map(Value::from).collect();
        for row in self.all_in_with::<CounterRow>(sql, &[earliest_end.into()], owners).await? {
            let period: CapPeriod = row.period.parse().map_err(StoreError::corrupt)?;
            if let Some(key) = wanted.remove(&(row.owner_id, period, row.starts_at)) {
                counters.insert(key, CounterUse { count: row.count, amount_minor: row.amount_minor });
            }
        }
        self.count_from_log(wanted.into_values().collect(), &mut counters).await?;
        Ok(counters)
    }

    /// Counts new buckets from the log and stores them; who only looks leaves that to who writes.
    async fn count_from_log(&self, missing: Vec<CounterKey>, counters: &mut Counters) -> StoreResult<()> {
        let mut groups: BTreeMap<(&str, Timestamp, Timestamp), Vec<CounterKey>> = BTreeMap::new();
        for key in &missing {
            groups.entry((key.owner.log().1, key.starts_at, key.ends_at)).or_default().push(*key);
        }
        for ((column, starts_at, ends_at), keys) in groups {
            let Some((table, _, moment, condition)) = keys.first().map(|key| key.owner.log()) else { continue };
            let amount = if table == "sale" { "COALESCE(SUM(price_minor), 0)" } else { "0" };
            let sql = format!(
                "SELECT {column} AS owner_id, COUNT(*) AS count, CAST({amount} AS BIGINT) AS amount_minor FROM {table}
                 WHERE {condition} AND {moment} >= ? AND {moment} < ? AND {column} IN ({{}}) GROUP BY {column}"
            );
            let owners = keys.iter().map(|key| Value::from(key.owner.id())).collect();
            let counted: Vec<Counted> = self.all_in_with(&sql, &[starts_at.into(), ends_at.into()], owners).await?;
            let counted: HashMap<Uuid, Counted> = counted.into_iter().map(|row| (row.owner_id, row)).collect();
            for key in keys {
                let used = counted.get(&key.owner.id()).map_or_else(CounterUse::default, |row| CounterUse {
                    count: row.count,
                    amount_minor: row.amount_minor,
                });
                counters.insert(key, used);
            }
        }
        if self.looks() {
            return Ok(());
        }
        let rows = missing.iter().filter_map(|key| Some((*key, *counters.get(key)?)));
        self.add_to_counters(rows.collect()).await
    }

    /// Adds to counters, creating those that do not exist.
    pub async fn add_to_counters(&self, additions: BTreeMap<CounterKey, CounterUse>) -> StoreResult<()> {
        let rows = additions.iter().flat_map(|(key, used)| {
            [
                Value::from(key.owner.id()),
                key.period.as_str().into(),
                key.starts_at.into(),
                key.ends_at.into(),
                used.count.into(),
                used.amount_minor.into(),
            ]
        });
        let sql = "INSERT INTO cap_counter (owner_id, period, starts_at, ends_at, count, amount_minor) {}
             ON CONFLICT (owner_id, period, starts_at) DO UPDATE SET count = cap_counter.count + excluded.count,
             amount_minor = cap_counter.amount_minor + excluded.amount_minor";
        self.run_over(sql, 6, rows.collect()).await.map(|_| ())
    }

    /// Gives capacity back to the buckets that a moment lies in: the original ones, whatever the time is now.
    pub async fn give_back(&self, owners: &[Uuid], moment: Timestamp, used: CounterUse) -> StoreResult<()> {
        let sql = format!(
            "UPDATE cap_counter SET count = count - ?, amount_minor = amount_minor - ?
             WHERE starts_at <= ? AND ends_at > ? AND owner_id IN ({})",
            marks(owners.len())
        );
        let mut values: Vec<Value> = vec![used.count.into(), used.amount_minor.into(), moment.into(), moment.into()];
        values.extend(owners.iter().map(|owner| Value::from(*owner)));
        self.run(&sql, values).await.map(|_| ())
    }
}
