//! Transfers: the lines of the ledger.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use leadyard_entity::model::ledger_transfer;
use leadyard_entity::read::{self, TransferFilter as Filter};
use leadyard_types::Timestamp;

use super::super::connection::connection;
use super::super::context::loader;
use super::super::errors::internal;
use super::super::id::Kind;
use super::super::loaders::WalletBy;
use super::super::scalars::{Date, Moment, Money};
use super::super::words::{AccountKind, TransferKind};
use super::buyer::Buyer;
use super::campaign::Campaign;
use super::complaint::Complaint;
use super::contract::Contract;
use super::lead::Lead;
use super::sale::Sale;
use super::source::Source;
use super::supplier::Supplier;
use super::user::User;
use super::wallet::Wallet;
use super::{ids, money, of_row, one, queries, words};

of_row! {
    /// A movement of money between two accounts of the ledger. It is never changed or deleted.
    Transfer of ledger_transfer
}

/// One side of a transfer: what it did to one account. Both sides of a transfer add up to zero.
#[derive(Debug, SimpleObject)]
pub(crate) struct TransferEntry {
    /// What the account stands for.
    account: AccountKind,
    /// The wallet, where the account is a buyer's.
    wallet: Option<Wallet>,
    /// The supplier, where the account is what it is owed.
    supplier: Option<Supplier>,
    /// What it added to the account; below zero, what it took.
    change: Money,
}

/// Which transfers. What is left out does not restrict.
#[derive(Debug, Default, InputObject)]
pub(crate) struct TransferFilter {
    /// For one of these reasons.
    kind: Option<Vec<TransferKind>>,
    /// Of money of one of these wallets.
    wallet_ids: Option<Vec<ID>>,
    /// About one of these buyers.
    buyer_ids: Option<Vec<ID>>,
    /// About one of these suppliers.
    supplier_ids: Option<Vec<ID>>,
    /// About one of these campaigns.
    campaign_ids: Option<Vec<ID>>,
    /// About one of these contracts.
    contract_ids: Option<Vec<ID>>,
    /// Posted at this moment or later.
    posted_since: Option<Moment>,
    /// Posted before this moment.
    posted_until: Option<Moment>,
}

impl TransferFilter {
    pub(crate) fn read(self) -> Result<Filter> {
        Ok(Filter {
            accounts: ids(Kind::Wallet, self.wallet_ids)?,
            kinds: words(self.kind),
            buyers: ids(Kind::Buyer, self.buyer_ids)?,
            suppliers: ids(Kind::Supplier, self.supplier_ids)?,
            campaigns: ids(Kind::Campaign, self.campaign_ids)?,
            contracts: ids(Kind::Contract, self.contract_ids)?,
            posted_since: self.posted_since.map(Moment::into),
            posted_until: self.posted_until.map(Moment::into),
        })
    }
}

/// `named!(ctx, self.0.buyer_id, BuyerBy => Buyer)`: what a row names, if it names one and the caller sees it.
macro_rules! named {
    ($ctx:expr, $id:expr, $by:ident => $noun:ident) => {
        match $id {
            Some(id) => one!($ctx, $by(id) => $noun),
            None => Ok(None),
        }
    };
}

#[Object(use_type_description)]
impl Transfer {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        Kind::Transfer.id(self.0.id)
    }

    /// Why money moved.
    fn kind(&self) -> Result<TransferKind> {
        TransferKind::read(&self.0.kind)
    }

    /// How much; always more than zero.
    fn amount(&self) -> Result<Money> {
        money(self.0.amount_minor, &self.0.currency)
    }

    /// Its two sides, first the account that loses, as far as they are yours to see.
    async fn entries(&self, ctx: &Context<'_>) -> Result<Vec<TransferEntry>> {
        let sides = [(self.0.debit_account_id, -1), (self.0.credit_account_id, 1)];
        let accounts = loader(ctx)?.load_many(sides.map(|(id, _)| WalletBy(id))).await?;
        let mut entries = Vec::new();
        for (id, sign) in sides {
            let Some(row) = accounts.get(&WalletBy(id)) else { continue };
            let change = money(sign * self.0.amount_minor, &row.currency)?;
            let account: leadyard_types::AccountKind = row.kind.parse().map_err(internal)?;
            let supplier = match account {
                leadyard_types::AccountKind::SupplierPayable => one!(ctx, SupplierBy(row.owner_id) => Supplier)?,
                _ => None,
            };
            let wallet = Some(Wallet(row.clone())).filter(Wallet::is_wallet);
            entries.push(TransferEntry { account: account.into(), wallet, supplier, change });
        }
        Ok(entries)
    }

    /// The sale it belongs to, if it belongs to one.
    async fn sale(&self, ctx: &Context<'_>) -> Result<Option<Sale>> {
        named!(ctx, self.0.sale_id, SaleBy => Sale)
    }

    /// The lead it is about, if it is about one.
    async fn lead(&self, ctx: &Context<'_>) -> Result<Option<Lead>> {
        named!(ctx, self.0.lead_id, LeadBy => Lead)
    }

    /// The complaint it settles, if it settles one.
    async fn complaint(&self, ctx: &Context<'_>) -> Result<Option<Complaint>> {
        named!(ctx, self.0.complaint_id, ComplaintBy => Complaint)
    }

    /// The buyer it is about, if any.
    async fn buyer(&self, ctx: &Context<'_>) -> Result<Option<Buyer>> {
        named!(ctx, self.0.buyer_id, BuyerBy => Buyer)
    }

    /// The contract it is about, if any.
    async fn contract(&self, ctx: &Context<'_>) -> Result<Option<Contract>> {
        named!(ctx, self.0.contract_id, ContractBy => Contract)
    }

    /// The campaign it is about, if any.
    async fn campaign(&self, ctx: &Context<'_>) -> Result<Option<Campaign>> {
        named!(ctx, self.0.campaign_id, CampaignBy => Campaign)
    }

    /// The source it is about, if any.
    async fn source(&self, ctx: &Context<'_>) -> Result<Option<Source>> {
        named!(ctx, self.0.source_id, SourceBy => Source)
    }

    /// The supplier it is about, if any.
    async fn supplier(&self, ctx: &Context<'_>) -> Result<Option<Supplier>> {
        named!(ctx, self.0.supplier_id, SupplierBy => Supplier)
    }

    /// The day it counts for in reports, in the campaign's time zone.
    fn day(&self) -> Result<Date> {
        Ok(Date(self.0.day.parse().map_err(internal)?))
    }

    /// What finance wrote to it.
    fn memo(&self) -> Option<&str> {
        self.0.memo.as_deref()
    }

    /// The user who moved the money by hand; absent where the market did by itself.
    async fn posted_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        named!(ctx, self.0.created_by.strip_prefix("user:").and_then(|id| id.parse().ok()), UserBy => User)
    }

    /// When it was posted.
    fn posted_at(&self) -> Timestamp {
        self.0.posted_at
    }
}

connection!(TransferConnection, TransferEdge, Transfer of ledger_transfer, "A page of transfers.", "A transfer in a list.", inside by TransfersPage);

queries! {
    TransferQueries, Transfer, TransferBy => Transfer,
    /// A transfer by its id.
    transfer,
    /// The lines of the ledger.
    transfers -> TransferConnection by TimeOrder of read::TimeOrder, filter TransferFilter
}
