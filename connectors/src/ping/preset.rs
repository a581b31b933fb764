//! The shapes of known systems: what a ping to them looks like, and what their answers mean.
//!
//! A preset is written like the settings it fills in. It knows the names that are the same for everybody; what differs
//! from account to account (a key, a campaign, a type of lead) is listed as needed and must be given. Fields that the
//! lead's vertical does not have are left out.

use std::sync::LazyLock;

use leadyard_types::words;
use serde::Deserialize;

use super::config::{MappingEntry, PingAnswerConfig, PingFormat};

words! {
    /// A system whose shape is known.
    pub enum Preset("ping preset") {
        /// Our own: what a buyer is told who has no system yet.
        Leadyard = "LEADYARD",
        /// Lead Distro AI: `accepted`, `ping_id`; no price, so a default price is needed.
        LeadDistro = "LEAD_DISTRO",
        /// boberdoo, `pingPostLead`: `response.status`, `lead_id`, `price`.
        Boberdoo = "BOBERDOO",
        /// LeadByte: `Success`, `Cost`.
        LeadByte = "LEADBYTE",
        /// PX: `Success`, `Payout`, `TransactionId`.
        Px = "PX",
        /// ClickDealer: `Result`, `Payout`, `LeadId`.
        ClickDealer = "CLICKDEALER",
        /// Juiced: the first of `bids`, `ping_id`.
        Juiced = "JUICED",
        /// PingTree: `status` is `ping_accept`, `transaction_id`; no price, so a default price is needed.
        PingTree = "PINGTREE",
        /// Synaptis: `bid` with `amount`, `currency` and `accept`.
        Synaptis = "SYNAPTIS",
        /// LeadConduit: `bid`, `price`.
        LeadConduit = "LEADCONDUIT",
        /// Ringba's real-time bidding: `bidAmount`, zero is no bid. The caller's number is never sent.
        Ringba = "RINGBA",
    }
}

/// What a preset fills in.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Shape {
    pub(super) format: Option<PingFormat>,
    pub(super) root: Option<String>,
    pub(super) mapping: Vec<MappingEntry>,
    /// Names of the payload that the operator must give.
    pub(super) needs: Vec<String>,
    /// Headers that the operator must give.
    pub(super) needs_headers: Vec<String>,
    pub(super) answer: PingAnswerConfig,
}

impl Preset {
    pub(super) fn shape(self) -> &'static Shape {
        static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
            // A test reads every one, so none is ever empty.
            Preset::ALL.iter().map(|preset| serde_json::from_str(preset.written()).unwrap_or_default()).collect()
        });
        static EMPTY: LazyLock<Shape> = LazyLock::new(Shape::default);
        Self::ALL.iter().position(|preset| *preset == self).and_then(|at| SHAPES.get(at)).unwrap_or(&EMPTY)
    }

    pub(super) fn written(self) -> &'static str {
        match self {
            Self::Leadyard => LEADYARD,
            Self::LeadDistro => LEAD_DISTRO,
            Self::Boberdoo => BOBERDOO,
            Self::LeadByte => LEADBYTE,
            Self::Px => PX,
            Self::ClickDealer => CLICKDEALER,
            Self::Juiced => JUICED,
            Self::PingTree => PINGTREE,
            Self::Synaptis => SYNAPTIS,
            Self::LeadConduit => LEADCONDUIT,
            Self::Ringba => RINGBA,
        }
    }
}

const LEADYARD: &str = r#"{
  "format": "JSON",
  "mapping": [
    { "name": "ping_id", "fact": "PING_ID" },
    { "name": "vertical", "fact": "VERTICAL" },
    { "name": "campaign", "fact": "CAMPAIGN" },
    { "name": "country", "fact": "COUNTRY" },
    { "name": "currency", "fact": "CURRENCY" },
    { "name": "places", "fact": "PLACES" },
    { "name": "test", "fact": "TEST" },
    { "name": "fields", "fact": "FIELDS" }
  ],
  "answer": {
    "success": { "path": "bid", "equals": true },
    "duplicate": { "path": "duplicate", "equals": true },
    "price": "price",
    "shared_prices": ["shared.0", "shared.1", "shared.2", "shared.3", "shared.4", "shared.5", "shared.6", "shared.7"],
    "currency": "currency",
    "reference": "reference",
    "reason": "reason",
    "expires": "expires_in|expires_at"
  }
}"#;

const LEAD_DISTRO: &str = r#"{
  "format": "JSON",
  "mapping": [{ "name": "state", "field": "state" }],
  "needs": ["flo_campaign_id", "flo_supplier_id"],
  "needs_headers": ["x-api-key"],
  "answer": {
    "success": { "path": "accepted", "equals": true },
    "duplicate": { "path": "reason", "pattern": "duplicate" },
    "reference": "ping_id",
    "reason": "reason|message|error"
  }
}"#;

const BOBERDOO: &str = r#"{
  "format": "FORM",
  "root": "Request",
  "mapping": [
    { "name": "API_Action", "value": "pingPostLead" },
    { "name": "Mode", "value": "ping" },
    { "name": "Format", "value": "JSON" },
    { "name": "Return_Best_Price", "value": "1" },
    { "name": "Zip", "field": "postal_code" },
    { "name": "State", "field": "state" }
  ],
  "needs": ["Key", "SRC", "TYPE"],
  "answer": {
    "success": { "path": "response.status|status", "equals": "Matched" },
    "error": { "path": "response.status|status", "equals": "Error" },
    "duplicate": { "path": "response.error|response.reason|error", "pattern": "duplicate" },
    "price": "response.price|price",
    "reference": "response.lead_id|lead_id",
    "reason": "response.error|response.reason|error|reason"
  }
}"#;

const LEADBYTE: &str = r#"{
  "format": "JSON",
  "mapping": [{ "name": "*", "fact": "FIELDS" }],
  "answer": {
    "success": { "path": "Success", "equals": true },
    "price": "Cost",
    "reference": "PingId|Id",
    "reason": "Message|Error"
  }
}"#;

const PX: &str = r#"{
  "format": "JSON",
  "root": "Lead",
  "mapping": [
    { "name": "ContactData.ZipCode", "field": "postal_code" },
    { "name": "ContactData.State", "field": "state" }
  ],
  "needs": ["ApiToken", "Vertical", "SubId"],
  "answer": {
    "success": { "path": "Success", "equals": true },
    "duplicate": { "path": "Message", "pattern": "duplicate" },
    "price": "Payout",
    "reference": "TransactionId",
    "reason": "Message"
  }
}"#;

const CLICKDEALER: &str = r#"{
  "format": "FORM",
  "mapping": [{ "name": "*", "fact": "FIELDS" }],
  "answer": {
    "success": { "path": "Result", "equals": "Success" },
    "duplicate": { "path": "Message", "pattern": "duplicate" },
    "price": "Payout",
    "reference": "LeadId",
    "reason": "Message|Response_code"
  }
}"#;

const JUICED: &str = r#"{
  "format": "JSON",
  "mapping": [
    { "name": "zip", "field": "postal_code" },
    { "name": "state", "field": "state" }
  ],
  "needs_headers": ["authorization"],
  "answer": {
    "success": { "path": "result|message", "equals": "Match found" },
    "duplicate": { "path": "result|message", "equals": "Duplicate" },
    "price": "bids.0.price",
    "reference": "ping_id",
    "reason": "result|message"
  }
}"#;

const PINGTREE: &str = r#"{
  "format": "JSON",
  "mapping": [{ "name": "*", "fact": "FIELDS" }],
  "needs_headers": ["authorization"],
  "answer": {
    "success": { "path": "status", "equals": "ping_accept" },
    "duplicate": { "path": "status|message", "pattern": "duplicate" },
    "price": "price|bid",
    "reference": "transaction_id",
    "reason": "message|status"
  }
}"#;

const SYNAPTIS: &str = r#"{
  "format": "JSON",
  "mapping": [
    { "name": "ping_id", "fact": "PING_ID" },
    { "name": "vertical", "fact": "VERTICAL" },
    { "name": "fields", "fact": "FIELDS" }
  ],
  "answer": {
    "success": { "path": "bid.accept", "equals": true },
    "price": "bid.amount",
    "currency": "bid.currency",
    "reference": "buyer_reference",
    "reason": "bid.reason|reason"
  }
}"#;

const LEADCONDUIT: &str = r#"{
  "format": "JSON",
  "mapping": [{ "name": "*", "fact": "FIELDS" }],
  "answer": {
    "success": { "path": "bid", "equals": true },
    "price": "price",
    "reference": "reference|buyer_id",
    "reason": "reason"
  }
}"#;

const RINGBA: &str = r#"{
  "format": "JSON",
  "mapping": [
    { "name": "exposeCallerId", "value": "no" },
    { "name": "zipcode", "field": "postal_code" }
  ],
  "answer": {
    "price": "bidAmount",
    "reference": "bidId",
    "reason": "rejectReason",
    "expires": "expireInSeconds"
  }
}"#;
