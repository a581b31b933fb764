//! Finance: money that people move by hand. Every movement is a transfer under a key of its own.

use leadyard_entity::ledger::{NewTransfer, OPERATOR, TransferRefs};
use leadyard_entity::{Store, StoreError};
use leadyard_types::{AccountId, AccountKind, BuyerId, Money, Principal, Role, TransferKind};
use serde_json::json;

/// Why money was not moved.
#[derive(Debug, thiserror::Error)]
pub enum FinanceError {
    /// Only finance and administrators move money.
    #[error("only finance and administrators move money")]
    NotAllowed,
    /// The amount is not more than zero.
    #[error("the amount must be more than zero")]
    Amount,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
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
    credit_wallet(store, principal, (TransferKind::TopUp, AccountKind::Cash), buyer, money, key, memo).await
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
    credit_wallet(store, principal, (TransferKind::ManualCredit, AccountKind::Credits), buyer, money, key, memo).await
}

async fn credit_wallet(
    store: &Store,
    principal: Principal,
    (kind, from): (TransferKind, AccountKind),
    buyer: BuyerId,
    money: Money,
    key: &str,
    memo: &str,
) -> Result<bool, FinanceError> {
    match principal {
        Principal::Staff { role: Role::Admin | Role::Finance, .. } | Principal::System(_) => {}
        _ => return Err(FinanceError::NotAllowed),
    }
    if money.amount_minor <= 0 {
        return Err(FinanceError::Amount);
    }
    let write = store.write(principal).await?;
    write.lock_wallets(&[buyer].into()).await?;
    let wallet = write.ensure_account(AccountKind::BuyerWallet, buyer.0, money.currency).await?;
    let from = write.ensure_account(from, OPERATOR, money.currency).await?;
    let transfer = NewTransfer {
        kind,
        debit: AccountId(from.id),
        credit: AccountId(wallet.id),
        money,
        refs: TransferRefs { buyer: Some(buyer), ..TransferRefs::default() },
        day: store.clock().now().date_naive(),
        memo: Some(memo.to_owned()),
        idempotency_key: format!("{}:{key}", kind.as_str().to_lowercase()),
    };
    let posted = write.post(&[transfer]).await? == 1;
    if posted {
        let detail = json!({ "amount_minor": money.amount_minor, "currency": money.currency, "kind": kind });
        write.audit("credit", "wallet", Some(wallet.id), &detail).await?;
        // Wallet movements take their place in the order of decisions, so that history replays exactly.
        write.next_decision_nos(1).await?;
    }
    let _ = write.commit().await?;
    Ok(posted)
}
