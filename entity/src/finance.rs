//! Rows of finance besides the ledger: credit limits and what ad platforms were paid.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use leadyard_types::SourceId;
use sea_orm::{ColumnTrait, EntityTrait as _, FromQueryResult, QueryFilter, QueryOrder, Value};
use uuid::Uuid;

use crate::error::{StoreError, StoreResult};
use crate::model::{ad_spend, source};
use crate::read::ByParent;
use crate::sql::{among, marks};
use crate::store::{Read, Write};

/// A source's ad spend of one day.
pub type AdSpendKey = (SourceId, NaiveDate);

#[derive(FromQueryResult)]
struct Recorded {
    source_id: Uuid,
    day: String,
    amount_minor: i64,
}

impl Read {
    /// What ads cost for sources that the caller sees, day by day from a day to a day, oldest first.
    pub async fn ad_spend_of(
        &self,
        sources: &[Uuid],
        since: NaiveDate,
        until: NaiveDate,
    ) -> StoreResult<ByParent<ad_spend::Model>> {
        let seen = self.by_ids::<source::Entity>(sources).await?;
        let seen: Vec<Uuid> = seen.into_keys().collect();
        let rows = ad_spend::Entity::find()
            .filter(among(self.backend(), ad_spend::Column::SourceId, &seen))
            .filter(ad_spend::Column::Day.gte(since.to_string()))
            .filter(ad_spend::Column::Day.lte(until.to_string()))
            .order_by_asc(ad_spend::Column::Day)
            .all(self.connection())
            .await?;
        let mut lists: ByParent<ad_spend::Model> = sources.iter().map(|id| (*id, Vec::new())).collect();
        for row in rows {
            lists.entry(row.source_id).or_default().push(row);
        }
        Ok(lists)
    }
}

impl Write {
    /// Changes a wallet's credit limit.
    pub async fn set_credit_limit(&self, account: Uuid, limit_minor: i64) -> StoreResult<()> {
        if limit_minor < 0 {
            return Err(StoreError::Conflict("a credit limit is not negative".to_owned()));
        }
        let sql = "UPDATE ledger_account SET credit_limit_minor = ? WHERE id = ?";
        self.run(sql, vec![limit_minor.into(), account.into()]).await.map(|_| ())
    }

    /// Records what ad platforms were paid per source and day, and answers what was recorded before. The rows stay
    /// locked until the transaction ends, so that the same file read twice at once books its difference once.
    pub async fn record_ad_spend(&self, spent: &BTreeMap<AdSpendKey, i64>) -> StoreResult<BTreeMap<AdSpendKey, i64>> {
        let entries: Vec<(&AdSpendKey, &i64)> = spent.iter().collect();
        let now = self.store.clock().now();
        let mut before = BTreeMap::new();
        for chunk in entries.chunks(5_000) {
            let values = |amount: fn(i64) -> i64| -> Vec<Value> {
                let row = |((source, day), spent): &(&AdSpendKey, &i64)| {
                    [Value::from(source.0), day.to_string().into(), amount(**spent).into(), now.into()]
                };
                chunk.iter().flat_map(row).collect()
            };
            let insert = format!(
                "INSERT INTO ad_spend (source_id, day, amount_minor, recorded_at) VALUES {}",
                vec!["(?,?,?,?)"; chunk.len()].join(",")
            );
            let sql = format!("{insert} ON CONFLICT (source_id, day) DO NOTHING");
            self.run(&sql, values(|_| 0)).await?;
            before.extend(self.locked_ad_spend(chunk).await?);
            let sql = format!(
                "{insert} ON CONFLICT (source_id, day) DO UPDATE SET amount_minor = excluded.amount_minor,
                 recorded_at = excluded.recorded_at"
            );
            self.run(&sql, values(|spent| spent)).await?;
        }
        before.retain(|key, _| spent.contains_key(key));
        Ok(before)
    }

    async fn locked_ad_spend(&self, chunk: &[(&AdSpendKey, &i64)]) -> StoreResult<Vec<(AdSpendKey, i64)>> {
        let sources: BTreeSet<Uuid> = chunk.iter().map(|((source, _), _)| source.0).collect();
        let days: BTreeSet<String> = chunk.iter().map(|((_, day), _)| day.to_string()).collect();
        let lock = if self.is_postgres() { " FOR UPDATE" } else { "" };
        let sql = format!(
            "SELECT source_id, day, amount_minor FROM ad_spend WHERE source_id IN ({}) AND day IN ({})
             ORDER BY source_id, day{lock}",
            marks(sources.len()),
            marks(days.len())
        );
        let values = sources.into_iter().map(Value::from).chain(days.into_iter().map(Value::from)).collect();
        let rows: Vec<Recorded> = self.all(&sql, values).await?;
        rows.into_iter()
            .map(|row| {
                let day = row.day.parse().map_err(StoreError::corrupt)?;
                Ok(((SourceId(row.source_id), day), row.amount_minor))
            })
            .collect()
    }
}
