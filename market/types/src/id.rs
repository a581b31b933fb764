//! Typed ids: a buyer's id never fits where a lead's is wanted.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { self.0.fmt(f) }
        }
        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(value: &str) -> Result<Self, Self::Err> { value.parse().map($name) }
        }
        impl From<Uuid> for $name { fn from(id: Uuid) -> Self { $name(id) } }
        impl From<$name> for Uuid { fn from(id: $name) -> Uuid { id.0 } }
    )+};
}

ids! {
    /// A vertical: an industry with its field set.
    VerticalId,
    /// A campaign: the distribution pipeline inside a vertical.
    CampaignId,
    /// A supplier of leads.
    SupplierId,
    /// One channel of a supplier into one campaign.
    SourceId,
    /// A buyer of leads.
    BuyerId,
    /// Buyers that count as one for exclusivity.
    BuyerGroupId,
    /// What one buyer wants and pays in one campaign.
    ContractId,
    /// Where sold leads are delivered.
    DestinationId,
    /// A person whose data is sealed under one key.
    PersonId,
    /// A person's enquiry.
    LeadId,
    /// Evidence that a lead may be passed on.
    ConsentId,
    /// The record of one routing run.
    DecisionId,
    /// A lead sold to one contract at one price.
    SaleId,
    /// Money and cap capacity reserved while an answer is awaited.
    HoldId,
    /// The duty to bring one sale to one destination.
    DeliveryId,
    /// One try of a delivery.
    AttemptId,
    /// A buyer's dispute of a sale.
    ComplaintId,
    /// A buyer asked for a bid.
    PingId,
    /// What a supplier was promised at a ping.
    QuoteId,
    /// What a buyer reports about a lead later.
    ConversionId,
    /// A ledger account.
    AccountId,
    /// A ledger transfer.
    TransferId,
    /// A person who signs in.
    UserId,
    /// An invitation to become a user.
    InvitationId,
    /// The right to choose a new password once.
    PasswordResetId,
    /// A signed-in session.
    SessionId,
    /// An API key.
    ApiKeyId,
    /// An immutable revision of terms.
    RevisionId,
    /// A piece of background work.
    TaskId,
}
