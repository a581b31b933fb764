//! Sales and the verdicts of buyers.

use crate::{InvalidTransition, words};

words! {
    /// Whether the buyer answers a post (`decisions` 13 of the design).
    pub enum Verdict("verdict") {
        /// No answer is awaited: charged at placement.
        None = "NONE",
        /// The answer to the post accepts or rejects: charged at acceptance.
        Sync = "SYNC",
    }
}

words! {
    /// What a buyer says of a lead.
    pub enum BuyerVerdict("buyer's verdict") {
        /// It takes the lead and pays.
        Accepted = "ACCEPTED",
        /// It does not take the lead.
        Rejected = "REJECTED",
        /// It had the lead already, and does not take it.
        Duplicate = "DUPLICATE",
    }
}

words! {
    /// How it became known what a sale came to.
    pub enum SettledBy("way of settling") {
        /// The buyer's answer to the post, or that there was none.
        Answer = "ANSWER",
        /// The buyer's answer to a status query.
        StatusQuery = "STATUS_QUERY",
        /// The buyer said so by itself.
        Callback = "CALLBACK",
        /// Staff said so.
        Staff = "STAFF",
        /// The window of a lost answer ended.
        Window = "WINDOW",
    }
}

words! {
    /// Where a sale stands.
    pub enum SaleState("sale state") {
        /// Held; the buyer's answer is awaited.
        Pending = "PENDING",
        /// Final and charged.
        Sold = "SOLD",
        /// The buyer refused it; the hold was voided.
        Rejected = "REJECTED",
        /// The answer was lost; the hold stays.
        Unknown = "UNKNOWN",
        /// The window of an unknown answer ended; the hold was voided.
        UnknownExpired = "UNKNOWN_EXPIRED",
    }
}

impl SaleState {
    /// Whether the sale takes up its lead: another exclusive sale is impossible while this holds.
    #[must_use]
    pub const fn occupies(self) -> bool {
        matches!(self, Self::Pending | Self::Sold | Self::Unknown)
    }

    /// The buyer accepted. A late acceptance after the window is still taken (`decisions` 14).
    pub fn accept(self) -> Result<Self, InvalidTransition> {
        match self {
            Self::Pending | Self::Unknown | Self::UnknownExpired => Ok(Self::Sold),
            other => Err(other.cannot_become(Self::Sold)),
        }
    }

    /// The buyer rejected.
    pub fn reject(self) -> Result<Self, InvalidTransition> {
        match self {
            Self::Pending | Self::Unknown => Ok(Self::Rejected),
            other => Err(other.cannot_become(Self::Rejected)),
        }
    }

    /// The answer was lost.
    pub fn lose_answer(self) -> Result<Self, InvalidTransition> {
        match self {
            Self::Pending => Ok(Self::Unknown),
            other => Err(other.cannot_become(Self::Unknown)),
        }
    }

    /// The window of an unknown answer ended.
    pub fn expire(self) -> Result<Self, InvalidTransition> {
        match self {
            Self::Unknown => Ok(Self::UnknownExpired),
            other => Err(other.cannot_become(Self::UnknownExpired)),
        }
    }

    fn cannot_become(self, to: Self) -> InvalidTransition {
        InvalidTransition { noun: "sale", from: self.as_str(), to: to.as_str() }
    }
}
