//! Finance: money that people move by hand. Every movement is a transfer under a key of its own, so that asking twice
//! moves it once.
//!
//! Only finance and administrators are let in: whoever runs the market does not move its money.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use leadyard_entity::ledger::{AccountKey, NewTransfer, OPERATOR, TransferRefs};
use leadyard_entity::setup::{Current, Noun, Revised};
use leadyard_entity::{Store, StoreError, Write};
use leadyard_types::{
    AccountId, AccountKind, BuyerId, CampaignId, Currency, FieldProblem, Money, Principal, Role, SourceId, SupplierId,
    SystemTask, TransferKind,
};
use serde_json::json;
use uuid::Uuid;

use crate::waiting::wake_for;

/// The longest idempotency key and memo taken.
const TEXT_CHARS_MAX: usize = 200;
/// The most money one movement takes, minor units: a slip of the finger ends here, and sums of millions still fit.
const AMOUNT_MINOR_MAX: i64 = 1_000_000_000_000;

/// Why money was not moved. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum FinanceError {
    /// Only finance and administrators move money.
    #[error("only finance and administrators move money")]
    NotAllowed,
    /// The amount is not more than zero, or absurd.
    #[error("the amount must be more than zero and less than a trillion minor units")]
    Amount,
    /// The input is wrong; every problem is named.
    #[error("{}", .0.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; "))]
    Problems(Vec<FieldProblem>),
    /// Something that is referred to does not exist.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The same key moved other money before.
    #[error("this key was used for another movement")]
    KeyReused,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn allowed(principal: Principal) -> Result<(), FinanceError> {
    match principal {
        Principal::Staff { role: Role::Admin | Role::Finance, .. } | Principal::System(SystemTask::Operate) => Ok(()),
        _ => Err(FinanceError::NotAllowed),
    }
}

/// A movement of money that somebody asks for by hand.
struct Movement<'a> {
    kind: TransferKind,
    debit: AccountKey,
    credit: AccountKey,
    money: Money,
    refs: TransferRefs,
    key: &'a str,
    memo: &'a str,
}

/// Credits a buyer's wallet with money that came in. The same key credits once; answers whether it did now.
pub async fn top_up(
    store: &Store,
    principal: Principal,
    buyer: BuyerId,
    money: Money,
    key: &str,
    memo: &str,
) -> Result<bool, FinanceError> {
    credit_wallet(store, principal, (TransferKind::TopUp, AccountKind::Cash), buyer, (money, key, memo)).await
}

/// Gives a buyer money back as a gesture. The same key credits once; answers whether it did now.
pub async fn credit(
    store: &Store,
    principal: Principal,
    buyer: BuyerId,
    money: Money,
    key: &str,
    memo: &str,
) -> Result<bool, FinanceError> {
    credit_wallet(store, principal, (TransferKind::ManualCredit, AccountKind::Credits), buyer, (money, key, memo)).await
}

async fn credit_wallet(
    store: &Store,
    principal: Principal,
    (kind, from): (TransferKind, AccountKind),
    buyer: BuyerId,
    (money, key, memo): (Money, &str, &str),
) -> Result<bool, FinanceError> {
    let movement = Movement {
        kind,
        debit: (from, OPERATOR, money.currency),
        credit: (AccountKind::BuyerWallet, buyer.0, money.currency),
        money,
        refs: TransferRefs { buyer: Some(buyer), ..TransferRefs::default() },
        key,
        memo,
    };
    check(principal, &movement)?;
    let write = store.write(principal).await?;
    must_exist(&write, Noun::Buyer, buyer.0).await?;
    write.lock_wallets(&[buyer].into()).await?;
    move_money(write, &movement).await
}

/// Pays a supplier what it is owed, or a part. The same key pays once; answers whether it did now.
pub async fn settle_supplier(
    store: &Store,
    principal: Principal,
    supplier: SupplierId,
    money: Money,
    key: &str,
    memo: &str,
) -> Result<bool, FinanceError> {
    let movement = Movement {
        kind: TransferKind::Settlement,
        debit: (AccountKind::SupplierPayable, supplier.0, money.currency),
        credit: (AccountKind::Cash, OPERATOR, money.currency),
        money,
        refs: TransferRefs { supplier: Some(supplier), ..TransferRefs::default() },
        key,
        memo,
    };
    check(principal, &movement)?;
    let write = store.write(principal).await?;
    must_exist(&write, Noun::Supplier, supplier.0).await?;
    let owed = write.lock_account(&movement.debit).await?.map_or(0, |account| account.balance_minor);
    let known = write.transfer_of_key(&ledger_key(&movement)).await?.is_some();
    if !known && owed < money.amount_minor {
        let message = format!("the supplier is owed {}", Money::new(owed, money.currency));
        return Err(FinanceError::Problems(vec![FieldProblem::new("amount_minor", "MORE_THAN_OWED", message)]));
    }
    move_money(write, &movement).await
}

/// Everything that can be known to be wrong without the database.
fn check(principal: Principal, movement: &Movement<'_>) -> Result<(), FinanceError> {
    allowed(principal)?;
    if !(1..=AMOUNT_MINOR_MAX).contains(&movement.money.amount_minor) {
        return Err(FinanceError::Amount);
    }
    let mut problems = Vec::new();
    if !(1..=TEXT_CHARS_MAX).contains(&movement.key.trim().chars().count()) {
        let message = "an idempotency key of 1 to 200 characters is expected: the same key moves money once";
        problems.push(FieldProblem::new("idempotency_key", "REQUIRED", message));
    }
    if movement.memo.chars().count() > TEXT_CHARS_MAX {
        problems.push(FieldProblem::new("memo", "TOO_LONG", "at most 200 characters are expected"));
    }
    if problems.is_empty() { Ok(()) } else { Err(FinanceError::Problems(problems)) }
}

async fn must_exist(write: &Write, noun: Noun, id: Uuid) -> Result<(), FinanceError> {
    if write.existing(noun, [id]).await?.contains(&id) { Ok(()) } else { Err(FinanceError::NotFound(noun.as_str())) }
}

/// The key of the ledger: what two kinds of movements call the same stays apart.
fn ledger_key(movement: &Movement<'_>) -> String {
    format!("{}:{}", movement.kind.as_str().to_lowercase(), movement.key)
}

/// Posts a movement, unless it was posted before. What the caller had to lock is locked.
async fn move_money(mut write: Write, movement: &Movement<'_>) -> Result<bool, FinanceError> {
    let accounts = write.ensure_accounts(&[movement.debit, movement.credit].into()).await?;
    let account = |key| accounts.get(key).map(|row| AccountId(row.id)).ok_or_else(|| StoreError::corrupt("account"));
    let (debit, credit) = (account(&movement.debit)?, account(&movement.credit)?);
    let key = ledger_key(movement);
    if let Some(known) = write.transfer_of_key(&key).await? {
        let same = (known.debit_account_id, known.credit_account_id, known.amount_minor)
            == (debit.0, credit.0, movement.money.amount_minor);
        return if same { Ok(false) } else { Err(FinanceError::KeyReused) };
    }
    let transfer = NewTransfer {
        kind: movement.kind,
        debit,
        credit,
        money: movement.money,
        refs: movement.refs,
        day: write.store().clock().now().date_naive(),
        memo: Some(movement.memo.trim()).filter(|memo| !memo.is_empty()).map(str::to_owned),
        idempotency_key: key,
    };
    write.post(&[transfer]).await?;
    let (owner, noun) = match movement.debit.0 {
        AccountKind::SupplierPayable => (movement.debit.1, "supplier"),
        _ => (movement.credit.1, "buyer"),
    };
    // Movements take their place in the order of decisions, and the audit keeps it, so that history replays exactly.
    let no = write.next_decision_nos(1).await?;
    let detail = json!({ "kind": movement.kind, "amount_minor": movement.money.amount_minor,
        "currency": movement.money.currency, "no": no });
    write.audit("move_money", noun, Some(owner), &detail).await?;
    if movement.credit.0 == AccountKind::BuyerWallet {
        // Leads that wait may be affordable now.
        wake_for(&mut write, BuyerId(movement.credit.1)).await?;
    }
    let _ = write.commit().await?;
    Ok(true)
}

/// Changes how far a buyer's wallet may go below zero. It cannot go below what is used already.
pub async fn set_credit_limit(
    store: &Store,
    principal: Principal,
    buyer: BuyerId,
    limit: Money,
) -> Result<(), FinanceError> {
    allowed(principal)?;
    if !(0..=AMOUNT_MINOR_MAX).contains(&limit.amount_minor) {
        let problem = FieldProblem::new("credit_limit", "OUT_OF_RANGE", "0 or more minor units are expected");
        return Err(FinanceError::Problems(vec![problem]));
    }
    let write = store.write(principal).await?;
    must_exist(&write, Noun::Buyer, buyer.0).await?;
    write.ensure_account(AccountKind::BuyerWallet, buyer.0, limit.currency).await?;
    let wallets = write.lock_wallets(&[buyer].into()).await?;
    let wallet = wallets.into_iter().find(|wallet| wallet.currency == limit.currency.as_str());
    let wallet = wallet.ok_or_else(|| StoreError::corrupt("wallet"))?;
    let used = wallet.held_minor - wallet.balance_minor;
    if limit.amount_minor < used && limit.amount_minor < wallet.credit_limit_minor {
        let message = format!("{} of it are used: that is the least", Money::new(used, limit.currency));
        return Err(FinanceError::Problems(vec![FieldProblem::new("credit_limit", "IN_USE", message)]));
    }
    write.set_credit_limit(wallet.id, limit.amount_minor).await?;
    let no = write.next_decision_nos(1).await?;
    let detail = json!({ "before_minor": wallet.credit_limit_minor, "after_minor": limit.amount_minor,
        "currency": limit.currency, "no": no });
    write.audit("set_credit_limit", "buyer", Some(buyer.0), &detail).await?;
    let _ = write.commit().await?;
    Ok(())
}

/// What an ad platform was paid for a source on a day, in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdSpendLine {
    /// The source.
    pub source_id: SourceId,
    /// The day, in the campaign's time zone.
    pub day: NaiveDate,
    /// The day's total, minor units of the campaign's currency.
    pub amount_minor: i64,
}

/// Records ad spend. A line is the day's total: only its difference to what was recorded before is booked, so that the
/// same file, or a corrected one, can be read again. Of several lines for a source and day the last counts. Answers
/// how many totals changed.
pub async fn record_ad_spend(
    store: &Store,
    principal: Principal,
    lines: &[AdSpendLine],
) -> Result<usize, FinanceError> {
    allowed(principal)?;
    let wrong = |line: &&AdSpendLine| !(0..=AMOUNT_MINOR_MAX).contains(&line.amount_minor);
    if lines.iter().any(|line| wrong(&line)) {
        let problem = FieldProblem::new("amount_minor", "OUT_OF_RANGE", "0 or more minor units are expected");
        return Err(FinanceError::Problems(vec![problem]));
    }
    let spent: BTreeMap<(SourceId, NaiveDate), i64> =
        lines.iter().map(|line| ((line.source_id, line.day), line.amount_minor)).collect();
    let write = store.write(principal).await?;
    let owners = SpendOwners::load(&write, spent.keys().map(|(source, _)| *source)).await?;
    let before = write.record_ad_spend(&spent).await?;
    let mut transfers = Vec::new();
    for ((source, day), after) in &spent {
        let difference = after - before.get(&(*source, *day)).copied().unwrap_or(0);
        if difference != 0 {
            transfers.push(owners.transfer(&write, *source, *day, difference)?);
        }
    }
    write.post(&transfers).await?;
    if !transfers.is_empty() {
        write.audit("record_ad_spend", "source", None, &json!({ "totals": transfers.len() })).await?;
    }
    let _ = write.commit().await?;
    Ok(transfers.len())
}

/// The sources of ad spend, with their campaigns' currencies.
struct SpendOwners {
    sources: std::collections::HashMap<Uuid, Current>,
    currencies: BTreeMap<Uuid, Currency>,
    accounts: std::collections::HashMap<AccountKey, AccountId>,
}

impl SpendOwners {
    async fn load(write: &Write, sources: impl Iterator<Item = SourceId>) -> Result<Self, FinanceError> {
        let wanted: Vec<Uuid> = sources.map(Uuid::from).collect();
        let sources = write.current(Revised::Source, wanted.iter().copied()).await?;
        if wanted.iter().any(|id| !sources.contains_key(id)) {
            return Err(FinanceError::NotFound("source"));
        }
        let campaigns = write.current(Revised::Campaign, sources.values().filter_map(|head| head.parent_id)).await?;
        let mut currencies = BTreeMap::new();
        for campaign in campaigns.values() {
            let currency = campaign.currency.as_deref().unwrap_or_default().parse().map_err(StoreError::corrupt)?;
            currencies.insert(campaign.id, currency);
        }
        let keys = currencies.values().flat_map(|currency| {
            [(AccountKind::AdSpendCost, OPERATOR, *currency), (AccountKind::Cash, OPERATOR, *currency)]
        });
        let accounts = write.ensure_accounts(&keys.collect()).await?;
        let accounts = accounts.into_iter().map(|(key, row)| (key, AccountId(row.id))).collect();
        Ok(Self { sources, currencies, accounts })
    }

    /// More was spent: cost → cash. Less: the difference is reversed.
    fn transfer(
        &self,
        write: &Write,
        source: SourceId,
        day: NaiveDate,
        difference: i64,
    ) -> Result<NewTransfer, FinanceError> {
        let missing = || StoreError::corrupt("a source without its campaign");
        let head = self.sources.get(&source.0).ok_or_else(missing)?;
        let campaign = head.parent_id.ok_or_else(missing)?;
        let currency = *self.currencies.get(&campaign).ok_or_else(missing)?;
        let account = |kind| self.accounts.get(&(kind, OPERATOR, currency)).copied().ok_or_else(missing);
        let (cost, cash) = (account(AccountKind::AdSpendCost)?, account(AccountKind::Cash)?);
        let more = difference > 0;
        let (debit, credit) = if more { (cost, cash) } else { (cash, cost) };
        Ok(NewTransfer {
            kind: if more { TransferKind::AdSpend } else { TransferKind::Reversal },
            debit,
            credit,
            money: Money::new(difference.abs(), currency),
            refs: TransferRefs {
                campaign: Some(CampaignId(campaign)),
                source: Some(source),
                supplier: head.owner_id.map(SupplierId),
                ..TransferRefs::default()
            },
            day,
            memo: None,
            // The locked row of the day is what makes this happen once; the key only has to be new.
            idempotency_key: format!("ad_spend:{source}:{day}:{}", write.store().ids().uuid()),
        })
    }
}
