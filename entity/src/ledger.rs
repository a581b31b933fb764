//! The ledger: append-only double entry, with cached balances updated in the same transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::NaiveDate;
use leadyard_types::{
    AccountId, AccountKind, BuyerId, CampaignId, ComplaintId, ContractId, Currency, LeadId, Money, SaleId, SourceId,
    SupplierId, TransferKind,
};
use sea_orm::{DbErr, FromQueryResult, QueryResult, Value};
use uuid::Uuid;

use crate::error::{StoreError, StoreResult};
use crate::model::{ledger_account, ledger_transfer};
use crate::sql::summed;
use crate::store::Write;

/// What an account belongs to: kind, owner (nil for the operator's own) and currency.
pub type AccountKey = (AccountKind, Uuid, Currency);

/// The owner of the operator's own accounts.
pub const OPERATOR: Uuid = Uuid::nil();

/// What a transfer is about; every report is derived from these.
#[derive(Debug, Clone, Copy, Default)]
pub struct TransferRefs {
    /// The sale.
    pub sale: Option<SaleId>,
    /// The lead.
    pub lead: Option<LeadId>,
    /// The complaint.
    pub complaint: Option<ComplaintId>,
    /// The campaign.
    pub campaign: Option<CampaignId>,
    /// The source.
    pub source: Option<SourceId>,
    /// The supplier.
    pub supplier: Option<SupplierId>,
    /// The buyer.
    pub buyer: Option<BuyerId>,
    /// The contract.
    pub contract: Option<ContractId>,
}

/// A movement of money to be posted.
#[derive(Debug, Clone)]
pub struct NewTransfer {
    /// Why.
    pub kind: TransferKind,
    /// The account that loses.
    pub debit: AccountId,
    /// The account that gains.
    pub credit: AccountId,
    /// How much; more than zero.
    pub money: Money,
    /// What it is about.
    pub refs: TransferRefs,
    /// The day it belongs to, in the campaign's (or the operator's) time zone.
    pub day: NaiveDate,
    /// A note for people; never personal data.
    pub memo: Option<String>,
    /// The same key posts once.
    pub idempotency_key: String,
}

/// What a buyer may still spend in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalletBalance {
    /// The wallet.
    pub account: AccountId,
    /// Whose it is.
    pub buyer: BuyerId,
    /// Its currency.
    pub currency: Currency,
    /// Balance less what is held, and the credit limit: minor units.
    pub available_minor: i64,
}

/// Read by position: a batch reads hundreds.
struct BalanceRow(Uuid, Uuid, String, i64);

impl FromQueryResult for BalanceRow {
    fn from_query_result(row: &QueryResult, _prefix: &str) -> Result<Self, DbErr> {
        let at = QueryResult::try_get_by_index::<Uuid>;
        Ok(Self(at(row, 0)?, at(row, 1)?, row.try_get_by_index(2)?, row.try_get_by_index(3)?))
    }
}

/// A change of an account's cached figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// Added to the balance, minor units.
    pub balance_minor: i64,
    /// Added to what is held, minor units.
    pub held_minor: i64,
}

impl Write {
    /// All wallets of some buyers, locked in id order until the transaction ends. (Like all accounts, not against rows that
    /// only refer to them: whoever inserts a transfer holds its accounts so far, and two who then lock them would wait for
    /// each other.) Whoever holds a buyer's wallets may
    /// also change the buyer's and its contracts' caps.
    pub async fn lock_wallets(&self, buyers: &BTreeSet<BuyerId>) -> StoreResult<Vec<ledger_account::Model>> {
        let lock = if self.is_postgres() { " FOR NO KEY UPDATE" } else { "" };
        let sql = format!(
            "SELECT * FROM ledger_account WHERE kind = 'BUYER_WALLET' AND owner_id IN ({{}}) ORDER BY id{lock}"
        );
        self.all_in(&sql, buyers.iter().map(|buyer| Value::from(buyer.0)).collect()).await
    }

    /// What is in all wallets of some buyers, locked as [`Write::lock_wallets`] locks them.
    pub async fn lock_balances(&self, buyers: &BTreeSet<BuyerId>) -> StoreResult<Vec<WalletBalance>> {
        let lock = if self.locks() { " FOR NO KEY UPDATE" } else { "" };
        let sql = format!(
            "SELECT id, owner_id, currency, balance_minor - held_minor + credit_limit_minor FROM ledger_account
             WHERE kind = 'BUYER_WALLET' AND owner_id IN ({{}}) ORDER BY id{lock}"
        );
        let rows: Vec<BalanceRow> =
            self.all_in(&sql, buyers.iter().map(|buyer| Value::from(buyer.0)).collect()).await?;
        let balance = |BalanceRow(account, buyer, currency, available_minor)| {
            let currency = currency.parse().map_err(StoreError::corrupt)?;
            Ok(WalletBalance { account: AccountId(account), buyer: BuyerId(buyer), currency, available_minor })
        };
        rows.into_iter().map(balance).collect()
    }

    /// The accounts of these keys, opened where they do not exist yet.
    pub async fn ensure_accounts(
        &self,
        keys: &BTreeSet<AccountKey>,
    ) -> StoreResult<HashMap<AccountKey, ledger_account::Model>> {
        let mut found = self.accounts(keys).await?;
        let missing: Vec<&AccountKey> = keys.iter().filter(|key| !found.contains_key(*key)).collect();
        if missing.is_empty() {
            return Ok(found);
        }
        for (kind, owner, currency) in missing {
            self.run(
                "INSERT INTO ledger_account (id, kind, owner_id, currency, balance_minor, held_minor, credit_limit_minor, created_at)
                 VALUES (?, ?, ?, ?, 0, 0, 0, ?) ON CONFLICT (kind, owner_id, currency) DO NOTHING",
                vec![
                    self.store.ids().uuid().into(),
                    kind.as_str().into(),
                    (*owner).into(),
                    currency.as_str().into(),
                    self.store.clock().now().into(),
                ],
            )
            .await?;
        }
        found.extend(self.accounts(keys).await?);
        Ok(found)
    }

    /// The account of one key, opened if it does not exist yet.
    pub async fn ensure_account(
        &self,
        kind: AccountKind,
        owner: Uuid,
        currency: Currency,
    ) -> StoreResult<ledger_account::Model> {
        let key = (kind, owner, currency);
        let mut accounts = self.ensure_accounts(&BTreeSet::from([key])).await?;
        accounts.remove(&key).ok_or_else(|| StoreError::corrupt("ledger_account"))
    }

    async fn accounts(&self, keys: &BTreeSet<AccountKey>) -> StoreResult<HashMap<AccountKey, ledger_account::Model>> {
        let owners: BTreeSet<Uuid> = keys.iter().map(|(_, owner, _)| *owner).collect();
        // The index of accounts begins with their kind.
        let kinds: BTreeSet<&str> = keys.iter().map(|(kind, _, _)| kind.as_str()).collect();
        let kinds = kinds.into_iter().map(|kind| format!("'{kind}'")).collect::<Vec<_>>().join(",");
        let sql = format!("SELECT * FROM ledger_account WHERE kind IN ({kinds}) AND owner_id IN ({{}}) ORDER BY id");
        let rows: Vec<ledger_account::Model> = self.all_in(&sql, owners.into_iter().map(Value::from).collect()).await?;
        let mut found = HashMap::new();
        for row in rows {
            let key = account_key(&row)?;
            if keys.contains(&key) {
                found.insert(key, row);
            }
        }
        Ok(found)
    }

    /// An account, locked until the transaction ends, if it was opened.
    pub async fn lock_account(&self, key: &AccountKey) -> StoreResult<Option<ledger_account::Model>> {
        let lock = if self.is_postgres() { " FOR NO KEY UPDATE" } else { "" };
        let sql = format!("SELECT * FROM ledger_account WHERE kind = ? AND owner_id = ? AND currency = ?{lock}");
        let values = vec![key.0.as_str().into(), key.1.into(), key.2.as_str().into()];
        Ok(self.all(&sql, values).await?.into_iter().next())
    }

    /// The transfer that was posted under a key.
    pub async fn transfer_of_key(&self, key: &str) -> StoreResult<Option<ledger_transfer::Model>> {
        let sql = "SELECT * FROM ledger_transfer WHERE idempotency_key = ?";
        Ok(self.all(sql, vec![key.into()]).await?.into_iter().next())
    }

    /// Posts transfers whose keys were not posted before; answers how many were. Balances follow.
    pub async fn post(&self, transfers: &[NewTransfer]) -> StoreResult<usize> {
        #[derive(FromQueryResult)]
        struct Posted {
            idempotency_key: String,
        }
        let keys = transfers.iter().map(|transfer| Value::from(transfer.idempotency_key.as_str())).collect();
        let posted: Vec<Posted> =
            self.all_in("SELECT idempotency_key FROM ledger_transfer WHERE idempotency_key IN ({})", keys).await?;
        let mut seen: HashSet<String> = posted.into_iter().map(|row| row.idempotency_key).collect();
        let fresh: Vec<NewTransfer> =
            transfers.iter().filter(|transfer| seen.insert(transfer.idempotency_key.clone())).cloned().collect();
        let count = fresh.len();
        self.post_fresh(fresh, BTreeMap::new()).await?;
        Ok(count)
    }

    /// Posts transfers known to be new, and changes held amounts, in one go. A repeated key is a conflict.
    pub(crate) async fn post_fresh(
        &self,
        transfers: Vec<NewTransfer>,
        mut changes: BTreeMap<AccountId, AccountChange>,
    ) -> StoreResult<()> {
        let now = self.store.clock().now();
        let created_by = self.principal.audit_name();
        let mut rows = Vec::with_capacity(transfers.len());
        for transfer in transfers {
            if transfer.money.amount_minor <= 0 {
                return Err(StoreError::Conflict("a transfer must move more than zero".to_owned()));
            }
            changes.entry(transfer.debit).or_default().balance_minor -= transfer.money.amount_minor;
            changes.entry(transfer.credit).or_default().balance_minor += transfer.money.amount_minor;
            rows.push(transfer_row(transfer, self.store.ids().uuid(), &created_by, now));
        }
        self.insert_all::<ledger_transfer::Entity>(rows).await?;
        self.change_accounts(&changes).await
    }

    /// Changes cached balances and held amounts, rows locked in id order.
    pub async fn change_accounts(&self, changes: &BTreeMap<AccountId, AccountChange>) -> StoreResult<()> {
        let changes: Vec<(&AccountId, &AccountChange)> =
            changes.iter().filter(|(_, change)| **change != AccountChange::default()).collect();
        if changes.is_empty() {
            return Ok(());
        }
        self.lock_accounts(changes.iter().map(|(id, _)| **id).collect()).await?;
        let rows = changes.iter().flat_map(|(id, change)| {
            [Value::from(id.0), Value::from(change.balance_minor), Value::from(change.held_minor)]
        });
        let sql = "WITH change (id, balance_minor, held_minor) AS ({})
             UPDATE ledger_account SET balance_minor = ledger_account.balance_minor + change.balance_minor,
             held_minor = ledger_account.held_minor + change.held_minor FROM change WHERE ledger_account.id = change.id";
        self.run_over(sql, 3, rows.collect()).await.map(|_| ())
    }

    /// Locks accounts in id order, so that transactions never wait for each other in a ring.
    pub(crate) async fn lock_accounts(&self, accounts: BTreeSet<AccountId>) -> StoreResult<()> {
        if self.is_postgres() {
            let ids = accounts.into_iter().map(|id| Value::from(id.0)).collect();
            self.all_in::<LockedRow>(
                "SELECT id FROM ledger_account WHERE id IN ({}) ORDER BY id FOR NO KEY UPDATE",
                ids,
            )
            .await?;
        }
        Ok(())
    }

    /// Changes held amounts only.
    pub async fn change_held(&self, changes: impl IntoIterator<Item = (AccountId, i64)>) -> StoreResult<()> {
        let changes = summed(changes)
            .into_iter()
            .map(|(id, held_minor)| (id, AccountChange { balance_minor: 0, held_minor }))
            .collect();
        self.change_accounts(&changes).await
    }
}

#[derive(FromQueryResult)]
struct LockedRow {
    #[allow(dead_code, reason = "read only to lock the row")]
    id: Uuid,
}

/// The key of an account row.
pub fn account_key(row: &ledger_account::Model) -> StoreResult<AccountKey> {
    let kind = row.kind.parse().map_err(StoreError::corrupt)?;
    let currency = row.currency.parse().map_err(StoreError::corrupt)?;
    Ok((kind, row.owner_id, currency))
}

fn transfer_row(
    transfer: NewTransfer,
    id: Uuid,
    created_by: &str,
    now: leadyard_types::Timestamp,
) -> ledger_transfer::Model {
    let refs = transfer.refs;
    ledger_transfer::Model {
        id,
        kind: transfer.kind.as_str().to_owned(),
        debit_account_id: transfer.debit.0,
        credit_account_id: transfer.credit.0,
        amount_minor: transfer.money.amount_minor,
        currency: transfer.money.currency.as_str().to_owned(),
        sale_id: refs.sale.map(Uuid::from),
        lead_id: refs.lead.map(Uuid::from),
        complaint_id: refs.complaint.map(Uuid::from),
        campaign_id: refs.campaign.map(Uuid::from),
        source_id: refs.source.map(Uuid::from),
        supplier_id: refs.supplier.map(Uuid::from),
        buyer_id: refs.buyer.map(Uuid::from),
        contract_id: refs.contract.map(Uuid::from),
        day: transfer.day.to_string(),
        memo: transfer.memo,
        created_by: created_by.to_owned(),
        posted_at: now,
        idempotency_key: transfer.idempotency_key,
    }
}
