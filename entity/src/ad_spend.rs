//! Ad spend: what a source's ads cost per day, kept beside the transfers that book it. A corrected figure books the
//! difference.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use leadyard_types::{AccountId, AccountKind, CampaignId, Currency, Money, SourceId, SupplierId, TransferKind};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::error::StoreResult;
use crate::ledger::{NewTransfer, OPERATOR, TransferRefs};
use crate::store::Write;

/// What a source's ads cost on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewAdSpend {
    /// The source.
    pub source_id: SourceId,
    /// Its campaign.
    pub campaign_id: CampaignId,
    /// Its supplier.
    pub supplier_id: SupplierId,
    /// The day, in the campaign's time zone.
    pub day: NaiveDate,
    /// The cost, zero or more.
    pub money: Money,
}

#[derive(FromQueryResult)]
struct Known {
    source_id: Uuid,
    day: String,
    amount_minor: i64,
}

impl Write {
    /// Keeps the figures and books what they differ from those known; answers how many differed. No source and day may
    /// come twice in one call.
    pub async fn record_ad_spend(&self, spends: &[NewAdSpend]) -> StoreResult<u64> {
        let mut ordered: BTreeMap<(SourceId, NaiveDate), &NewAdSpend> = BTreeMap::new();
        ordered.extend(spends.iter().map(|spend| ((spend.source_id, spend.day), spend)));
        let known = self.lock_ad_spend(ordered.keys().copied().collect()).await?;
        let now = self.store.clock().now();
        let mut transfers = Vec::new();
        for ((source, day), spend) in ordered {
            let before = known.get(&(source.0, day.to_string())).copied().unwrap_or(0);
            let after = spend.money.amount_minor;
            if before == after {
                continue;
            }
            let sql = "UPDATE ad_spend SET amount_minor = ?, recorded_at = ? WHERE source_id = ? AND day = ?";
            self.run(sql, vec![after.into(), now.into(), source.0.into(), day.to_string().into()]).await?;
            transfers.push((spend, after - before));
        }
        let differed = transfers.len() as u64;
        let accounts = self.ad_spend_accounts(transfers.iter().map(|(spend, _)| spend.money.currency)).await?;
        let posted: Vec<NewTransfer> = transfers
            .into_iter()
            .filter_map(|(spend, change)| {
                let key = self.store.ids().uuid();
                Some(transfer(spend, change, accounts.get(&spend.money.currency)?, key))
            })
            .collect();
        self.post(&posted).await?;
        Ok(differed)
    }

    /// Makes sure that a row stands for every source and day, and locks them in order; answers what is known.
    async fn lock_ad_spend(&self, keys: Vec<(SourceId, NaiveDate)>) -> StoreResult<HashMap<(Uuid, String), i64>> {
        let now = self.store.clock().now();
        let mut known = HashMap::new();
        for chunk in keys.chunks(2_000) {
            let rows = vec!["(?, ?, 0, ?)"; chunk.len()].join(", ");
            let sql = format!(
                "INSERT INTO ad_spend (source_id, day, amount_minor, recorded_at) VALUES {rows} ON CONFLICT (source_id, day) DO NOTHING"
            );
            let values = chunk
                .iter()
                .flat_map(|(source, day)| -> [Value; 3] { [source.0.into(), day.to_string().into(), now.into()] });
            self.run(&sql, values.collect()).await?;
            let lock = if self.is_postgres() { " FOR UPDATE" } else { "" };
            let pairs = vec!["(?, ?)"; chunk.len()].join(", ");
            let sql = format!(
                "SELECT source_id, day, amount_minor FROM ad_spend WHERE (source_id, day) IN (VALUES {pairs})
                 ORDER BY source_id, day{lock}"
            );
            let values = chunk.iter().flat_map(|(source, day)| [Value::from(source.0), day.to_string().into()]);
            let rows: Vec<Known> = self.all(&sql, values.collect()).await?;
            known.extend(rows.into_iter().map(|row| ((row.source_id, row.day), row.amount_minor)));
        }
        Ok(known)
    }

    /// The operator's cost and cash accounts of some currencies.
    async fn ad_spend_accounts(
        &self,
        currencies: impl Iterator<Item = Currency>,
    ) -> StoreResult<BTreeMap<Currency, (AccountId, AccountId)>> {
        let mut accounts = BTreeMap::new();
        for currency in currencies.collect::<std::collections::BTreeSet<_>>() {
            let cost = self.ensure_account(AccountKind::AdSpendCost, OPERATOR, currency).await?;
            let cash = self.ensure_account(AccountKind::Cash, OPERATOR, currency).await?;
            accounts.insert(currency, (AccountId(cost.id), AccountId(cash.id)));
        }
        Ok(accounts)
    }
}

/// Cost → cash for more, cash → cost for less.
fn transfer(spend: &NewAdSpend, change_minor: i64, (cost, cash): &(AccountId, AccountId), key: Uuid) -> NewTransfer {
    let more = change_minor > 0;
    let (debit, credit) = if more { (*cost, *cash) } else { (*cash, *cost) };
    NewTransfer {
        kind: if more { TransferKind::AdSpend } else { TransferKind::Reversal },
        debit,
        credit,
        money: Money::new(change_minor.abs(), spend.money.currency),
        refs: TransferRefs {
            campaign: Some(spend.campaign_id),
            source: Some(spend.source_id),
            supplier: Some(spend.supplier_id),
            ..TransferRefs::default()
        },
        day: spend.day,
        memo: None,
        // The figure's row is locked and only differences are booked: running an import again finds none.
        idempotency_key: format!("ad_spend:{}:{}:{key}", spend.source_id, spend.day),
    }
}
