//! The words of the ledger: accounts and the kinds of transfers between them.
//!
//! A transfer debits one account and credits another by the same positive amount. A balance is credits minus debits,
//! so per currency all balances sum to zero, always.

use crate::words;

words! {
    /// What an account stands for.
    pub enum AccountKind("account kind") {
        /// A buyer's money with the operator. Credit balance = the buyer may spend it.
        BuyerWallet = "BUYER_WALLET",
        /// What a supplier is owed.
        SupplierPayable = "SUPPLIER_PAYABLE",
        /// What sales earned.
        Revenue = "REVENUE",
        /// What credits for complaints and goodwill cost.
        Credits = "CREDITS",
        /// What payouts to suppliers cost.
        PayoutCost = "PAYOUT_COST",
        /// What ad platforms cost.
        AdSpendCost = "AD_SPEND_COST",
        /// Money outside the market: bank and payment provider.
        Cash = "CASH",
    }
}

words! {
    /// Why money moved.
    pub enum TransferKind("transfer kind") {
        /// Money came in: cash → wallet.
        TopUp = "TOP_UP",
        /// A sale was charged: wallet → revenue.
        Sale = "SALE",
        /// A complaint was upheld: credits → wallet.
        ComplaintCredit = "COMPLAINT_CREDIT",
        /// Finance gave money back by hand: credits → wallet.
        ManualCredit = "MANUAL_CREDIT",
        /// A supplier earned: payout cost → payable.
        Payout = "PAYOUT",
        /// A supplier's earning was taken back: payable → payout cost.
        Clawback = "CLAWBACK",
        /// An ad platform was paid: ad spend cost → cash.
        AdSpend = "AD_SPEND",
        /// A supplier was paid: payable → cash.
        Settlement = "SETTLEMENT",
        /// An earlier transfer was reversed.
        Reversal = "REVERSAL",
    }
}

words! {
    /// How a hold ended. It ends once.
    pub enum HoldEnd("hold end") {
        /// The money was taken.
        Posted = "POSTED",
        /// The money was let go.
        Voided = "VOIDED",
    }
}

words! {
    /// Where a hold stands.
    pub enum HoldState("hold state") {
        /// The money is held.
        Open = "OPEN",
        /// The money was taken.
        Posted = "POSTED",
        /// The money was let go.
        Voided = "VOIDED",
    }
}

impl From<Option<HoldEnd>> for HoldState {
    fn from(end: Option<HoldEnd>) -> Self {
        match end {
            None => Self::Open,
            Some(HoldEnd::Posted) => Self::Posted,
            Some(HoldEnd::Voided) => Self::Voided,
        }
    }
}
