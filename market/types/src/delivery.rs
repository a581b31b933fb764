//! Deliveries: bringing one sale to one destination.

use crate::words;

words! {
    /// What kind of place a lead goes to.
    pub enum DestinationKind("destination kind") {
        /// A signed HTTP POST (Standard Webhooks 1.0).
        Webhook = "WEBHOOK",
        /// A mail by SMTP.
        Email = "EMAIL",
        /// Nothing is sent; the buyer reads it in the portal.
        Portal = "PORTAL",
        /// Where a buyer is asked for a bid; nothing is delivered there.
        Ping = "PING",
    }
}

words! {
    /// Where a delivery stands.
    pub enum DeliveryState("delivery state") {
        /// Waits for its next attempt.
        Pending = "PENDING",
        /// The destination took it.
        Accepted = "ACCEPTED",
        /// The buyer answered no.
        Rejected = "REJECTED",
        /// The answer was lost, and sending again is not safe.
        Unknown = "UNKNOWN",
        /// Given up after the last attempt; staff can replay it.
        Dead = "DEAD",
    }
}

impl DeliveryState {
    /// Whether no further attempt is made by itself.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Pending)
    }

    /// Staff ask for it to be sent now: again where it had ended, sooner where it waits.
    #[must_use]
    pub const fn replay(self) -> Self {
        Self::Pending
    }
}

words! {
    /// What an attempt did.
    pub enum AttemptKind("attempt kind") {
        /// Sent the lead.
        Send = "SEND",
        /// Asked the buyer what became of a lead whose answer was lost.
        StatusQuery = "STATUS_QUERY",
    }
}

words! {
    /// What one attempt came to, grouped by what happens next.
    pub enum DeliveryOutcome("delivery outcome") {
        /// Taken: done.
        Accepted = "ACCEPTED",
        /// The destination had it already: done.
        Duplicate = "DUPLICATE",
        /// The buyer says no: done, without a retry.
        Rejected = "REJECTED",
        /// Not now: try again later.
        Retry = "RETRY",
        /// Our authorisation ended: the destination is parked and its owner told.
        AuthorisationExpired = "AUTHORISATION_EXPIRED",
        /// Sent, but the answer was lost or does not say what became of the lead.
        Unknown = "UNKNOWN",
        /// The destination cannot be asked as configured (a forbidden address, a template that fails): needs a person.
        Misconfigured = "MISCONFIGURED",
        /// The destination says it is gone for good (410): it is disabled.
        Gone = "GONE",
    }
}
