//! Leads: what arrives, where it stands, and what its sender is told.

use serde::{Deserialize, Serialize};

use crate::decision::Check;
use crate::field::FieldProblem;
use crate::id::{LeadId, SourceId};
use crate::money::Money;
use crate::time::Timestamp;
use crate::{InvalidTransition, words};

words! {
    /// Where a lead stands (`decisions` 12 of the design).
    pub enum LeadState("lead state") {
        /// Stored; a buyer's answer is still awaited.
        Received = "RECEIVED",
        /// A check refused it.
        Rejected = "REJECTED",
        /// Set aside for a person to look at.
        Quarantined = "QUARANTINED",
        /// Sold, once or several times.
        Sold = "SOLD",
        /// Nobody bought it, and it is not offered again by itself.
        Unsold = "UNSOLD",
        /// Nobody bought it yet; it is offered again until its window ends.
        Queued = "QUEUED",
    }
}

impl LeadState {
    /// Moves on, if the rules allow it.
    ///
    /// received → rejected | quarantined | sold | unsold | queued; quarantined → received (released) | rejected;
    /// queued → sold | unsold | received (offered again to a buyer who answers); unsold → sold | queued | received
    /// (reprocessed by staff).
    pub fn become_state(self, to: Self) -> Result<Self, InvalidTransition> {
        use LeadState::{Quarantined, Queued, Received, Rejected, Sold, Unsold};
        let allowed = match self {
            Received => to != Received,
            Quarantined => matches!(to, Received | Rejected),
            Queued => matches!(to, Sold | Unsold | Received | Queued),
            Unsold => matches!(to, Sold | Unsold | Queued | Received),
            Rejected | Sold => false,
        };
        if allowed { Ok(to) } else { Err(InvalidTransition { noun: "lead", from: self.as_str(), to: to.as_str() }) }
    }
}

words! {
    /// The door a lead came through. Behind every door is the same path.
    pub enum Door("door") {
        /// `POST /v1/leads`.
        Rest = "REST",
        /// GraphQL `leadSubmit`.
        Graphql = "GRAPHQL",
        /// A web form, `POST /f/{source}`.
        Form = "FORM",
        /// `POST /v1/posts`: a lead that was offered by a ping before.
        Post = "POST",
        /// A CSV file.
        Import = "IMPORT",
    }
}

/// The evidence that a lead may be passed on, as the supplier sends it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// The text the person agreed to, or a reference to it.
    pub text: Option<String>,
    /// The version of that text.
    pub text_version: Option<String>,
    /// When the person agreed.
    pub given_at: Option<Timestamp>,
    /// The page where.
    pub page_url: Option<String>,
    /// From which address.
    pub ip: Option<String>,
    /// What for, for example `contact_by_phone`.
    #[serde(default)]
    pub purposes: Vec<String>,
    /// Recipients named in the text.
    #[serde(default)]
    pub recipients: Vec<String>,
    /// Certificates of the moment (TrustedForm, Jornaya).
    #[serde(default)]
    pub certificate_urls: Vec<String>,
    /// A declared basis where there is no recorded moment, for example an existing customer relationship.
    pub basis: Option<String>,
}

/// A lead as it arrives, before any check. Every door makes one of these.
#[derive(Debug, Clone)]
pub struct LeadDraft {
    /// The source it came from; the door has authenticated it.
    pub source_id: SourceId,
    /// Which door.
    pub door: Door,
    /// The fields as sent.
    pub fields: serde_json::Map<String, serde_json::Value>,
    /// The consent as sent.
    pub consent: Option<Consent>,
    /// Problems the door itself found (a consent of the wrong shape, a field sent twice), reported with those of check 2.
    pub problems: Vec<FieldProblem>,
    /// The supplier's own mark, passed through to reports.
    pub subid: Option<String>,
    /// The supplier's own id of the lead, passed through.
    pub external_id: Option<String>,
    /// The sender's idempotency key; without one, the same body within 60 s counts as the same request.
    pub idempotency_key: Option<String>,
    /// When the enquiry was made, where that differs from now (imports). Never in the future.
    pub enquired_at: Option<Timestamp>,
}

/// What the sender is told. The same request gets the same answer again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeadAnswer {
    /// The lead's id.
    pub lead_id: LeadId,
    /// Where the lead stands.
    pub state: LeadState,
    /// The check that rejected or quarantined it, or why it is unsold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// What that check says, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Every problem of the fields, if that was the check.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<FieldProblem>,
    /// What the supplier earns for this lead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payout: Option<Money>,
    /// Where to send the visitor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_url: Option<String>,
    /// True if it was a test: nothing was billed, capped or counted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub test: bool,
    /// True if this is the first answer given again.
    #[serde(default)]
    pub repeated: bool,
}

words! {
    /// What happened in a lead's life, in its timeline.
    pub enum LeadEventKind("lead event") {
        /// Taken in.
        Received = "RECEIVED",
        /// A check refused it.
        Rejected = "REJECTED",
        /// Set aside.
        Quarantined = "QUARANTINED",
        /// Released from quarantine.
        Released = "RELEASED",
        /// Offered to a buyer who answers.
        Offered = "OFFERED",
        /// Sold to a contract.
        Sold = "SOLD",
        /// The buyer refused it.
        SaleRejected = "SALE_REJECTED",
        /// The buyer's answer was lost.
        SaleUnknown = "SALE_UNKNOWN",
        /// The window of a lost answer ended.
        SaleExpired = "SALE_EXPIRED",
        /// Nobody bought it; it will be offered again.
        Queued = "QUEUED",
        /// Nobody bought it.
        Unsold = "UNSOLD",
        /// Delivered to a destination.
        Delivered = "DELIVERED",
        /// A delivery was given up.
        DeliveryDead = "DELIVERY_DEAD",
        /// Sent again by staff.
        DeliveryReplayed = "DELIVERY_REPLAYED",
        /// A buyer complained.
        ComplaintOpened = "COMPLAINT_OPENED",
        /// A complaint was decided.
        ComplaintDecided = "COMPLAINT_DECIDED",
        /// A buyer reported what became of it.
        ConversionReported = "CONVERSION_REPORTED",
        /// Offered again by staff.
        Reprocessed = "REPROCESSED",
    }
}
