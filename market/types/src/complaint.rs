//! Complaints and conversions: what buyers say about leads later.

use crate::{InvalidTransition, words};

words! {
    /// The catalogue of reasons a buyer may give.
    pub enum ComplaintReason("complaint reason") {
        /// The number does not exist or belongs to somebody else.
        WrongContact = "WRONG_CONTACT",
        /// The person could not be reached in several tries.
        Unreachable = "UNREACHABLE",
        /// The buyer had this person already.
        Duplicate = "DUPLICATE",
        /// The lead is outside what the contract asks for.
        OutsideTerms = "OUTSIDE_TERMS",
        /// The person never asked, or says so.
        NoInterest = "NO_INTEREST",
        /// Made-up or malicious data.
        Fraud = "FRAUD",
        /// Something else; the text says what.
        Other = "OTHER",
    }
}

words! {
    /// Where a complaint stands.
    pub enum ComplaintState("complaint state") {
        /// Awaits a decision.
        Open = "OPEN",
        /// Decided for the buyer; a credit was given.
        Upheld = "UPHELD",
        /// Decided against.
        Refused = "REFUSED",
    }
}

impl ComplaintState {
    /// Decides for the buyer.
    pub fn uphold(self) -> Result<Self, InvalidTransition> {
        self.decide(Self::Upheld)
    }

    /// Decides against the buyer.
    pub fn refuse(self) -> Result<Self, InvalidTransition> {
        self.decide(Self::Refused)
    }

    fn decide(self, to: Self) -> Result<Self, InvalidTransition> {
        match self {
            Self::Open => Ok(to),
            other => Err(InvalidTransition { noun: "complaint", from: other.as_str(), to: to.as_str() }),
        }
    }
}

words! {
    /// What a buyer reports about a lead later.
    pub enum ConversionKind("conversion") {
        /// The person was reached.
        Contacted = "CONTACTED",
        /// An offer was made.
        Quoted = "QUOTED",
        /// The person bought.
        Won = "WON",
        /// The person did not buy.
        Lost = "LOST",
    }
}
