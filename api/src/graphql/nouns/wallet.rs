//! Wallets, and money that finance puts into them.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use leadyard_entity::model::ledger_account;
use leadyard_entity::read::TimeOrder as Order;
use leadyard_market::finance;
use leadyard_types::{AccountKind, BuyerId, Currency, Money as Amount};

use super::super::connection::Paging;
use super::super::context::{loader, market, principal};
use super::super::errors::{self, UserError};
use super::super::id::Kind;
use super::super::loaders::{AccountsOf, Inside};
use super::super::order::TimeOrder;
use super::super::scalars::{MinorUnits, Money};
use super::buyer::Buyer;
use super::hold::HoldConnection;
use super::transfer::TransferConnection;
use super::{money, of_row, one, there};

of_row! {
    /// A buyer's money with the operator, in one currency.
    Wallet of ledger_account
}

#[Object(use_type_description)]
impl Wallet {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::Wallet.id(self.0.id)
    }

    /// Whose money it is.
    async fn buyer(&self, ctx: &Context<'_>) -> Result<Buyer> {
        there(one!(ctx, BuyerBy(self.0.owner_id) => Buyer)?)
    }

    /// The currency, ISO 4217.
    fn currency(&self) -> &str {
        &self.0.currency
    }

    /// What was paid in less what was charged; below zero within the credit limit.
    fn balance(&self) -> Result<Money> {
        money(self.0.balance_minor, &self.0.currency)
    }

    /// What is reserved for posts whose answers are awaited.
    fn held(&self) -> Result<Money> {
        money(self.0.held_minor, &self.0.currency)
    }

    /// How far below zero the balance may go.
    fn credit_limit(&self) -> Result<Money> {
        money(self.0.credit_limit_minor, &self.0.currency)
    }

    /// What can be spent now: balance less holds, plus the credit limit.
    fn available(&self) -> Result<Money> {
        money(self.0.balance_minor - self.0.held_minor + self.0.credit_limit_minor, &self.0.currency)
    }

    /// What moved its money.
    async fn transfers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "In which order.", default)] order_by: TimeOrder,
    ) -> Result<TransferConnection> {
        let list = Inside::TransfersOfWallet(self.0.id);
        TransferConnection::inside(ctx, list, Order::from(order_by), Paging { first, after, last, before }).await
    }

    /// What is reserved of its money, and was.
    async fn holds(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "In which order.", default)] order_by: TimeOrder,
    ) -> Result<HoldConnection> {
        let list = Inside::HoldsOfWallet(self.0.id);
        HoldConnection::inside(ctx, list, Order::from(order_by), Paging { first, after, last, before }).await
    }
}

impl Wallet {
    /// Whether the account is a buyer's money, and not the operator's or a supplier's.
    pub(crate) fn is_wallet(&self) -> bool {
        self.0.kind == AccountKind::BuyerWallet.as_str()
    }
}

/// Money that finance puts into a wallet by hand.
#[derive(Debug, InputObject)]
pub(crate) struct WalletCreditInput {
    /// Whose wallet.
    buyer_id: ID,
    /// How much, in minor units; more than zero.
    amount_minor: MinorUnits,
    /// In which currency, ISO 4217: `EUR`.
    currency: String,
    /// The same key moves money once, however often it is asked: 1 to 200 characters.
    idempotency_key: String,
    /// What it is for; up to 200 characters, shown to the buyer.
    memo: Option<String>,
}

/// What came of putting money into a wallet.
#[derive(Debug, SimpleObject)]
pub(crate) struct WalletCreditPayload {
    /// The wallet as it stands now; absent if nothing was done.
    wallet: Option<Wallet>,
    /// Whether money moved now; false if this key moved it before.
    moved: bool,
    /// What to put right.
    user_errors: Vec<UserError>,
}

/// Mutations of wallets.
#[derive(Debug, Default)]
pub(crate) struct WalletMutations;

#[Object]
impl WalletMutations {
    /// Credits a wallet with money that came in.
    async fn wallet_top_up(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How much to whom.")] input: WalletCreditInput,
    ) -> Result<WalletCreditPayload> {
        move_money(ctx, &input, Movement::TopUp).await
    }

    /// Gives a buyer money back as a gesture, without a complaint.
    async fn wallet_credit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How much to whom.")] input: WalletCreditInput,
    ) -> Result<WalletCreditPayload> {
        move_money(ctx, &input, Movement::Gesture).await
    }
}

/// Why money is put into a wallet.
enum Movement {
    TopUp,
    Gesture,
}

async fn move_money(ctx: &Context<'_>, input: &WalletCreditInput, movement: Movement) -> Result<WalletCreditPayload> {
    let refused = |user_errors| Ok(WalletCreditPayload { wallet: None, moved: false, user_errors });
    let Some(buyer) = Kind::Buyer.read(&input.buyer_id) else {
        return refused(vec![UserError::not_found("buyerId", "buyer")]);
    };
    let Ok(currency) = input.currency.parse::<Currency>() else {
        return refused(vec![UserError::of("currency", "INVALID_CURRENCY", "a code of ISO 4217 is expected: EUR")]);
    };
    let (store, principal, money) =
        (market(ctx)?.store(), principal(ctx)?, Amount::new(input.amount_minor.0, currency));
    let (key, memo) = (input.idempotency_key.as_str(), input.memo.as_deref().unwrap_or_default());
    let moved = match movement {
        Movement::TopUp => finance::top_up(store, principal, BuyerId(buyer), money, key, memo).await,
        Movement::Gesture => finance::credit(store, principal, BuyerId(buyer), money, key, memo).await,
    };
    let moved = match moved {
        Ok(moved) => moved,
        Err(error) => return refused(errors::finance(error)?),
    };
    let accounts = loader(ctx)?.load_one(AccountsOf(buyer)).await?.unwrap_or_default();
    let of_currency = |wallet: &Wallet| wallet.is_wallet() && wallet.0.currency == currency.as_str();
    let wallet = accounts.into_iter().map(Wallet).find(of_currency);
    Ok(WalletCreditPayload { wallet, moved, user_errors: Vec::new() })
}
