//! What finance sets by hand besides moving money, credit limits and what ads cost, and how the latter is read.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use leadyard_market::finance::{AdSpendLine, FinanceError, record_ad_spend, set_credit_limit};
use leadyard_types::{BuyerId, Currency, FieldProblem, Money as Amount, SourceId, Timestamp};

use super::super::context::{loader, market, principal};
use super::super::errors::{self, UserError, internal};
use super::super::id::Kind;
use super::super::loaders::{AccountsOf, AdSpendOf};
use super::super::scalars::{Date, MinorUnits, Money};
use super::money;
use super::profit_and_loss::DayRange;
use super::wallet::Wallet;

/// What an ad platform was paid for a source on a day, in all.
#[derive(Debug, SimpleObject)]
pub(crate) struct AdSpendDay {
    /// The day, in the campaign's time zone.
    day: Date,
    /// The day's total.
    amount: Money,
    /// When it was recorded last.
    recorded_at: Timestamp,
}

/// What ads cost for a source, day by day; days without any are left out.
pub(super) async fn ad_spend(
    ctx: &Context<'_>,
    source: uuid::Uuid,
    currency: &str,
    range: &DayRange,
) -> Result<Vec<AdSpendDay>> {
    let (since, until) = range.within_a_year()?;
    let rows = loader(ctx)?.load_one(AdSpendOf { source, since, until }).await?.unwrap_or_default();
    let told = |row: &leadyard_entity::model::ad_spend::Model| {
        Ok(AdSpendDay {
            day: Date(row.day.parse().map_err(internal)?),
            amount: money(row.amount_minor, currency)?,
            recorded_at: row.recorded_at,
        })
    };
    rows.iter().map(told).collect()
}

/// How far below zero a wallet may go.
#[derive(Debug, InputObject)]
pub(crate) struct WalletCreditLimitSetInput {
    /// Whose wallet.
    buyer_id: ID,
    /// The limit in minor units, 0 or more; not below what is used of it already.
    credit_limit_minor: MinorUnits,
    /// In which currency, ISO 4217: `EUR`.
    currency: String,
}

/// What came of setting a credit limit.
#[derive(Debug, SimpleObject)]
pub(crate) struct WalletCreditLimitSetPayload {
    /// The wallet as it stands now; absent if nothing was done.
    wallet: Option<Wallet>,
    /// What to put right.
    user_errors: Vec<UserError>,
}

/// What an ad platform was paid for a source on a day, in all.
#[derive(Debug, InputObject)]
pub(crate) struct AdSpendSetInput {
    /// The source whose leads the ads brought.
    source_id: ID,
    /// The day, in the campaign's time zone.
    day: Date,
    /// The day's total, in minor units of the campaign's currency; 0 or more.
    amount_minor: MinorUnits,
}

/// What came of setting ad spend.
#[derive(Debug, SimpleObject)]
pub(crate) struct AdSpendSetPayload {
    /// Whether the day's total is another one now; the difference is booked.
    changed: bool,
    /// What to put right.
    user_errors: Vec<UserError>,
}

/// Mutations of finance.
#[derive(Debug, Default)]
pub(crate) struct FinanceMutations;

#[Object]
impl FinanceMutations {
    /// Sets how far below zero a wallet may go.
    async fn wallet_credit_limit_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose limit, and how much.")] input: WalletCreditLimitSetInput,
    ) -> Result<WalletCreditLimitSetPayload> {
        let refused = |user_errors| Ok(WalletCreditLimitSetPayload { wallet: None, user_errors });
        let Some(buyer) = Kind::Buyer.read(&input.buyer_id) else {
            return refused(vec![UserError::not_found("buyerId", "buyer")]);
        };
        let Ok(currency) = input.currency.parse::<Currency>() else {
            return refused(vec![UserError::of("currency", "INVALID_CURRENCY", "a code of ISO 4217 is expected: EUR")]);
        };
        let limit = Amount::new(input.credit_limit_minor.0, currency);
        if let Err(error) = set_credit_limit(market(ctx)?.store(), principal(ctx)?, BuyerId(buyer), limit).await {
            return refused(errors::finance(renamed(error, "credit_limit", "credit_limit_minor"))?);
        }
        let accounts = loader(ctx)?.load_one(AccountsOf(buyer)).await?.unwrap_or_default();
        let of_currency = |wallet: &Wallet| wallet.is_wallet() && wallet.0.currency == currency.as_str();
        let wallet = accounts.into_iter().map(Wallet).find(of_currency);
        Ok(WalletCreditLimitSetPayload { wallet, user_errors: Vec::new() })
    }

    /// Sets what an ad platform was paid for a source on a day. Asked again with the same total it changes nothing; with
    /// another one only the difference is booked.
    async fn ad_spend_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "For which source and day, and how much.")] input: AdSpendSetInput,
    ) -> Result<AdSpendSetPayload> {
        let refused = |user_errors| Ok(AdSpendSetPayload { changed: false, user_errors });
        let Some(source) = Kind::Source.read(&input.source_id) else {
            return refused(vec![UserError::not_found("sourceId", "source")]);
        };
        let line = AdSpendLine { source_id: SourceId(source), day: input.day.0, amount_minor: input.amount_minor.0 };
        match record_ad_spend(market(ctx)?.store(), principal(ctx)?, &[line]).await {
            Ok(changed) => Ok(AdSpendSetPayload { changed: changed > 0, user_errors: Vec::new() }),
            Err(error) => refused(errors::finance(error)?),
        }
    }
}

/// Problems of one field under the name this input has for it.
fn renamed(error: FinanceError, from: &str, to: &str) -> FinanceError {
    let FinanceError::Problems(problems) = error else { return error };
    let rename = |problem: FieldProblem| {
        let field = if problem.field == from { to.to_owned() } else { problem.field };
        FieldProblem { field, ..problem }
    };
    FinanceError::Problems(problems.into_iter().map(rename).collect())
}
