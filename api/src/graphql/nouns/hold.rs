//! Holds: money reserved while an answer is awaited.

use async_graphql::{Context, ID, InputObject, Object, Result};
use leadyard_entity::model::hold;
use leadyard_entity::read::{self, HoldFilter as Filter};
use leadyard_types::{HoldEnd, Timestamp};

use super::super::connection::connection;
use super::super::context::loader;
use super::super::errors::internal;
use super::super::id::Kind;
use super::super::loaders::{HoldEndBy, TransfersOfSale};
use super::super::scalars::{Moment, Money};
use super::super::words::HoldState;
use super::sale::Sale;
use super::transfer::Transfer;
use super::wallet::Wallet;
use super::{ids, money, of_row, one, queries, there, words};

of_row! {
    /// Money of a wallet that is reserved while a buyer's answer is awaited. It ends once: taken, or let go.
    Hold of hold
}

/// Which holds. What is left out does not restrict.
#[derive(Debug, Default, InputObject)]
pub(crate) struct HoldFilter {
    /// In one of these states.
    state: Option<Vec<HoldState>>,
    /// On one of these wallets.
    wallet_ids: Option<Vec<ID>>,
    /// On wallets of one of these buyers.
    buyer_ids: Option<Vec<ID>>,
    /// Made at this moment or later.
    created_since: Option<Moment>,
    /// Made before this moment.
    created_until: Option<Moment>,
}

impl HoldFilter {
    pub(crate) fn read(self) -> Result<Filter> {
        Ok(Filter {
            states: words(self.state),
            wallets: ids(Kind::Wallet, self.wallet_ids)?,
            buyers: ids(Kind::Buyer, self.buyer_ids)?,
            created_since: self.created_since.map(Moment::into),
            created_until: self.created_until.map(Moment::into),
        })
    }
}

impl Hold {
    /// How it ended and when, if it has.
    async fn end(&self, ctx: &Context<'_>) -> Result<Option<(HoldEnd, Timestamp)>> {
        let Some(row) = loader(ctx)?.load_one(HoldEndBy(self.0.id)).await? else { return Ok(None) };
        Ok(Some((row.kind.parse().map_err(internal)?, row.resolved_at)))
    }
}

#[Object(use_type_description)]
impl Hold {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::Hold.id(self.0.id)
    }

    /// The wallet whose money it reserves.
    async fn wallet(&self, ctx: &Context<'_>) -> Result<Wallet> {
        there(one!(ctx, WalletBy(self.0.account_id) => Wallet)?)
    }

    /// How much is reserved, or was.
    async fn amount(&self, ctx: &Context<'_>) -> Result<Money> {
        let wallet = there(one!(ctx, WalletBy(self.0.account_id) => Wallet)?)?;
        money(self.0.amount_minor, &wallet.0.currency)
    }

    /// Whether it stands, and how it ended.
    async fn state(&self, ctx: &Context<'_>) -> Result<HoldState> {
        let end = self.end(ctx).await?.map(|(end, _)| end);
        Ok(leadyard_types::HoldState::from(end).into())
    }

    /// The sale whose answer is awaited. Buyers see it once the sale is final.
    async fn sale(&self, ctx: &Context<'_>) -> Result<Option<Sale>> {
        one!(ctx, SaleBy(self.0.sale_id) => Sale)
    }

    /// The transfers that moved the wallet's money because of this sale, oldest first; none while the hold stands.
    async fn transfers(&self, ctx: &Context<'_>) -> Result<Vec<Transfer>> {
        let rows = loader(ctx)?.load_one(TransfersOfSale(self.0.sale_id)).await?.unwrap_or_default();
        let account = self.0.account_id;
        let own = rows.into_iter().filter(|row| [row.debit_account_id, row.credit_account_id].contains(&account));
        Ok(own.map(Transfer).collect())
    }

    /// When it was made.
    fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// When it ended, if it has.
    async fn ended_at(&self, ctx: &Context<'_>) -> Result<Option<Timestamp>> {
        Ok(self.end(ctx).await?.map(|(_, at)| at))
    }
}

connection!(HoldConnection, HoldEdge, Hold of hold, "A page of holds.", "A hold in a list.", inside by HoldsPage);

queries! {
    HoldQueries, Hold, HoldBy => Hold,
    /// A hold by its id.
    hold,
    /// The holds you may see.
    holds -> HoldConnection by TimeOrder of read::TimeOrder, filter HoldFilter
}
