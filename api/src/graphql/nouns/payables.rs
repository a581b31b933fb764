//! What suppliers are owed, piece of time by piece of time, and paying it.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use leadyard_entity::model::ledger_account;
use leadyard_market::finance;
use leadyard_market::statement::Owed;
use leadyard_types::{Currency, Money as Amount, SupplierId, Timestamp};

use super::super::context::{loader, market, principal};
use super::super::errors::{self, UserError};
use super::super::id::Kind;
use super::super::loaders::{PayablesOf, SupplierBy};
use super::super::scalars::{MinorUnits, Money};
use super::money;
use super::statistics::StatisticsRange;
use super::supplier::Supplier;

/// What a supplier is owed over time in one currency, from the ledger.
#[derive(Debug, SimpleObject)]
pub(crate) struct Payables {
    /// The currency, ISO 4217.
    currency: String,
    /// What it was owed before the first piece.
    opening: Money,
    /// All pieces together.
    total: PayableFigures,
    /// Every piece of the range, oldest first, with zeros where nothing happened.
    points: Vec<PayablePoint>,
}

/// What became of a supplier's claim in one piece of time.
#[derive(Debug, SimpleObject)]
pub(crate) struct PayablePoint {
    /// Its first moment.
    start: Timestamp,
    /// The first moment behind it.
    end: Timestamp,
    /// What became of the claim.
    figures: PayableFigures,
}

/// What changed a supplier's claim: figures above zero add to it, those below take from it.
#[derive(Debug)]
pub(crate) struct PayableFigures {
    owed: Owed,
    currency: Arc<str>,
}

impl PayableFigures {
    fn money(&self, amount_minor: i64) -> Result<Money> {
        money(amount_minor, &self.currency)
    }
}

/// What changed a supplier's claim: figures above zero add to it, those below take from it.
#[Object]
impl PayableFigures {
    /// What it earned by its leads.
    fn payouts(&self) -> Result<Money> {
        self.money(self.owed.payouts_minor)
    }

    /// What was taken back because buyers' complaints were upheld; zero or less.
    fn clawbacks(&self) -> Result<Money> {
        self.money(self.owed.clawbacks_minor)
    }

    /// What it was paid; zero or less.
    fn settlements(&self) -> Result<Money> {
        self.money(self.owed.settlements_minor)
    }

    /// Everything else, such as reversals.
    fn other(&self) -> Result<Money> {
        self.money(self.owed.other_minor)
    }

    /// What it is owed in the end.
    fn closing(&self) -> Result<Money> {
        self.money(self.owed.closing_minor)
    }
}

/// What a supplier is owed, one series for each currency.
pub(super) async fn of_accounts(
    ctx: &Context<'_>,
    accounts: Vec<Arc<ledger_account::Model>>,
    range: &StatisticsRange,
) -> Result<Vec<Payables>> {
    let pieces = range.pieces()?;
    let keys = accounts.iter().map(|account| PayablesOf { account: account.id, pieces });
    let found = loader(ctx)?.load_many(keys).await?;
    let told = |account: Arc<ledger_account::Model>| {
        let payables = super::there(found.get(&PayablesOf { account: account.id, pieces }))?;
        let currency: Arc<str> = account.currency.as_str().into();
        let figures = |owed: &Owed| PayableFigures { owed: *owed, currency: Arc::clone(&currency) };
        let points = payables.pieces.iter().map(|((start, end), owed)| PayablePoint {
            start: *start,
            end: *end,
            figures: figures(owed),
        });
        Ok(Payables {
            opening: money(payables.opening_minor, &account.currency)?,
            total: figures(&payables.total),
            points: points.collect(),
            currency: account.currency.clone(),
        })
    };
    accounts.into_iter().map(told).collect()
}

/// A payment to a supplier.
#[derive(Debug, InputObject)]
pub(crate) struct SupplierSettleInput {
    /// The supplier that was paid.
    supplier_id: ID,
    /// How much, in minor units; more than zero, at most what it is owed.
    amount_minor: MinorUnits,
    /// In which currency, ISO 4217: `EUR`.
    currency: String,
    /// The same key books a payment once, however often it is asked: 1 to 200 characters.
    idempotency_key: String,
    /// What it is for; up to 200 characters, shown to the supplier.
    memo: Option<String>,
}

/// What came of booking a payment to a supplier.
#[derive(Debug, SimpleObject)]
pub(crate) struct SupplierSettlePayload {
    /// The supplier, with what it is owed now; absent if nothing was done.
    supplier: Option<Supplier>,
    /// Whether it was booked now; false if this key booked it before.
    moved: bool,
    /// What to put right.
    user_errors: Vec<UserError>,
}

/// Mutations of what suppliers are owed.
#[derive(Debug, Default)]
pub(crate) struct PayableMutations;

#[Object]
impl PayableMutations {
    /// Books that a supplier was paid what it is owed, or a part.
    async fn supplier_settle(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How much was paid to whom.")] input: SupplierSettleInput,
    ) -> Result<SupplierSettlePayload> {
        let refused = |user_errors| Ok(SupplierSettlePayload { supplier: None, moved: false, user_errors });
        let Some(supplier) = Kind::Supplier.read(&input.supplier_id) else {
            return refused(vec![UserError::not_found("supplierId", "supplier")]);
        };
        let Ok(currency) = input.currency.parse::<Currency>() else {
            return refused(vec![UserError::of("currency", "INVALID_CURRENCY", "a code of ISO 4217 is expected: EUR")]);
        };
        let (key, memo) = (input.idempotency_key.as_str(), input.memo.as_deref().unwrap_or_default());
        let (store, amount) = (market(ctx)?.store(), Amount::new(input.amount_minor.0, currency));
        let id = SupplierId(supplier);
        match finance::settle_supplier(store, principal(ctx)?, id, amount, key, memo).await {
            Ok(moved) => {
                let supplier = loader(ctx)?.load_one(SupplierBy(supplier)).await?.map(Supplier);
                Ok(SupplierSettlePayload { supplier, moved, user_errors: Vec::new() })
            }
            Err(error) => refused(errors::finance(error)?),
        }
    }
}
