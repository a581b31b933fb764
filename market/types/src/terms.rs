//! Terms: what the people of a market agreed, as immutable revisions (`decisions` 1 of the design).
//!
//! A mutation never changes terms in place; it writes a new revision, and a decision names the revisions it used.

use chrono::Weekday;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::auction::{AuctionTerms, Margin, OnSold};
use crate::bounds::{BuyerBounds, BuyerSettings};
use crate::complaint::ComplaintReason;
use crate::field::{FieldDefinition, UnknownFields};
use crate::filter::Filter;
use crate::id::{BuyerGroupId, DestinationId, SourceId};
use crate::money::Percent;
use crate::quote::PingLimits;
use crate::sale::Verdict;
use crate::split::{Plan, StageSplit};
use crate::{InvalidTransition, words};

words! {
    /// Whether something takes part in the market.
    pub enum Status("status") {
        /// Takes part.
        Active = "ACTIVE",
        /// Set aside; can be resumed.
        Paused = "PAUSED",
        /// Ended for good; kept for the record.
        Archived = "ARCHIVED",
    }
}

impl Status {
    /// Takes part, is set aside, or ends. What has ended stays so.
    pub fn change(self, noun: &'static str, to: Self) -> Result<Self, InvalidTransition> {
        if self == Self::Archived && to != Self::Archived {
            return Err(InvalidTransition { noun, from: self.as_str(), to: to.as_str() });
        }
        Ok(to)
    }
}

words! {
    /// How a stage chooses among its contracts.
    pub enum Method("method") {
        /// By priority, 1 first.
        Waterfall = "WATERFALL",
        /// In turn: who was served longest ago comes first.
        RoundRobin = "ROUND_ROBIN",
        /// By earliest deadline of fair shares.
        Weighted = "WEIGHTED",
        /// By what buyers bid, fixed prices among them.
        Auction = "AUCTION",
    }
}

words! {
    /// The period over which a cap counts, in its owner's time zone.
    pub enum CapPeriod("cap period") {
        /// The clock hour.
        Hour = "HOUR",
        /// The calendar day (23 or 25 hours when clocks change).
        Day = "DAY",
        /// The week, Monday to Sunday.
        Week = "WEEK",
        /// The calendar month.
        Month = "MONTH",
        /// For ever.
        Total = "TOTAL",
    }
}

/// A limit per period: never overshot, whatever runs at once. No limit = absent, `0` = closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cap {
    /// The period.
    pub period: CapPeriod,
    /// The most sales (for a source: accepted leads) in the period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// The most money in the period, minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_minor: Option<i64>,
}

/// One weekly window, `from` included, `to` excluded; `to` of 24:00 (1440) reaches midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The weekday, local.
    pub weekday: Weekday,
    /// Minutes after local midnight, 0 to 1439.
    pub from_minute: u16,
    /// Minutes after local midnight, 1 to 1440, greater than `from_minute`.
    pub to_minute: u16,
}

/// Weekly hours in a time zone of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The IANA time zone the windows are read in.
    pub time_zone: Tz,
    /// The windows; several per weekday are fine, none at all means never.
    pub windows: Vec<Window>,
}

/// A price that holds where its filter matches; of several matching rules the *last* wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceRule {
    /// What people call the rule; shown in explanations.
    pub name: String,
    /// When it holds.
    pub when: Filter,
    /// The price then, minor units.
    pub price_minor: i64,
}

/// A vertical's field set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerticalTerms {
    /// The fields, in the order people see them.
    pub fields: Vec<FieldDefinition>,
    /// What happens to fields not defined.
    pub unknown_fields: UnknownFields,
}

/// How many buyers a lead is sold to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields)]
pub enum SaleMode {
    /// To one.
    Exclusive,
    /// To at most `max` different buyers (a buyer group counts as one).
    Shared {
        /// The most sales of one lead, at least 1.
        max: u8,
    },
    /// To one, or to at most `max`, whichever brings more. All its stages are auctions.
    Best {
        /// The most sales of one lead, at least 2.
        max: u8,
    },
}

/// A step of a campaign: its contracts are tried together, by one method, before the next stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// The key that contracts name in [`ContractTerms::stage`].
    pub key: String,
    /// How it chooses.
    pub method: Method,
    /// What happens after it sold.
    #[serde(default = "default_on_sold", skip_serializing_if = "stops")]
    pub on_sold: OnSold,
    /// The most sales of one lead in this stage; absent = as many as the campaign allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_sales: Option<u8>,
    /// Whether a WATERFALL holds a lead back from the contracts behind one that says WAIT and is outside its hours.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hold_for_window: bool,
    /// What holds for an AUCTION.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auction: Option<AuctionTerms>,
}

impl Stage {
    /// A stage with nothing special about it.
    #[must_use]
    pub fn new(key: &str, method: Method) -> Self {
        Self {
            key: key.to_owned(),
            method,
            on_sold: OnSold::Stop,
            max_sales: None,
            hold_for_window: false,
            auction: None,
        }
    }
}

const fn default_on_sold() -> OnSold {
    OnSold::Stop
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the serialiser asks by reference")]
fn stops(on_sold: &OnSold) -> bool {
    *on_sold == OnSold::Stop
}

words! {
    /// Whether one matching field makes a duplicate, or all must match.
    pub enum DuplicateMatch("duplicate rule") {
        /// One of the fields is enough.
        Any = "ANY",
        /// All of them must match one earlier lead.
        All = "ALL",
    }
}

words! {
    /// Where earlier leads are looked for.
    pub enum DuplicateScope("duplicate scope") {
        /// In the same campaign.
        Campaign = "CAMPAIGN",
        /// In every campaign of the operator.
        Operator = "OPERATOR",
    }
}

/// Check 5: what counts as the same enquiry again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DuplicatePolicy {
    /// The field keys compared; empty values never match, an empty list finds no duplicates.
    pub fields: Vec<String>,
    /// One or all.
    pub matching: DuplicateMatch,
    /// How far back, in days.
    pub window_days: u32,
    /// Where.
    pub scope: DuplicateScope,
}

/// Check 4: how strict the campaign is about consent. What is required is always enforced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsentPolicy {
    /// Whether a lead without consent is rejected.
    pub required: bool,
    /// The greatest age of a consent, in hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_hours: Option<u32>,
    /// Purposes the consent must name, for example `contact_by_phone`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub purposes: Vec<String>,
}

/// What happens to a lead nobody bought at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnsoldPolicy {
    /// For how long it is queued and offered again; 0 = not at all.
    pub retry_window_minutes: u32,
    /// How often it is offered again within the window.
    pub retry_every_minutes: u32,
}

/// What an unsold lead costs from an age on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgedStep {
    /// From this age on, in days since it came in.
    pub after_days: u32,
    /// What it costs of a contract's ordinary price.
    pub percent: Percent,
}

/// What happens to leads that stayed unsold: they are offered for less to contracts that buy aged leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgedPolicy {
    /// How old an unsold lead is when it counts as aged, in minutes since it came in.
    pub after_minutes: u32,
    /// For how many days since it came in it is offered.
    pub until_days: u32,
    /// No aged lead sells below, minor units; the campaign's own floor does not hold for them.
    #[serde(default)]
    pub floor_minor: i64,
    /// How often it is offered; also whenever its price falls.
    #[serde(default = "default_offer_every_minutes")]
    pub offer_every_minutes: u32,
    /// Prices by age; none at all = the ordinary ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<AgedStep>,
}

/// A day: by then caps have room again.
fn default_offer_every_minutes() -> u32 {
    24 * 60
}

/// When and why buyers may complain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComplaintPolicy {
    /// How long after the sale a complaint may be opened, in days.
    pub window_days: u32,
    /// The reasons accepted.
    pub reasons: Vec<ComplaintReason>,
    /// Whether an upheld complaint takes back the supplier's payout in the same proportion.
    pub clawback: bool,
    /// How long after the sale the supplier's payout may be taken back, in days: at least the window. `None`: whenever a
    /// complaint is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clawback_days: Option<u32>,
}

/// Where a web form's visitor is sent afterwards, and what the lead door answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redirects {
    /// After a sold lead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sold_url: Option<String>,
    /// After any other stored lead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_url: Option<String>,
}

/// A campaign's terms. Vertical, country and currency stay with the campaign for life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignTerms {
    /// Whether it takes leads.
    pub status: Status,
    /// The time zone of its caps and days.
    pub time_zone: Tz,
    /// How many buyers a lead is sold to.
    pub sale_mode: SaleMode,
    /// The stages, tried in order.
    pub stages: Vec<Stage>,
    /// An experiment: a share of the leads is sold by other stages; absent = all by the campaign's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<StageSplit>,
    /// Nothing sells below, minor units.
    pub floor_minor: i64,
    /// Check 4.
    pub consent: ConsentPolicy,
    /// Check 5.
    pub duplicates: DuplicatePolicy,
    /// Limits on the campaign's sales.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<Cap>,
    /// What happens to unsold leads.
    pub unsold: UnsoldPolicy,
    /// What happens to them later; absent = nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aged: Option<AgedPolicy>,
    /// Complaints.
    pub complaints: ComplaintPolicy,
    /// What the operator keeps of a price when a supplier is quoted; a contract's and a source's margin come before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<Margin>,
    /// For how long a supplier's quote holds, in seconds; absent = five minutes. No longer than the bids it is made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote_holds_seconds: Option<u32>,
    /// Redirects of the web form and the lead door.
    #[serde(default)]
    pub redirects: Redirects,
}

impl CampaignTerms {
    /// The stages of a plan; without an experiment both plans are the campaign's own.
    #[must_use]
    pub fn stages_of(&self, plan: Plan) -> &[Stage] {
        match (plan, &self.split) {
            (Plan::B, Some(split)) => &split.stages,
            _ => &self.stages,
        }
    }

    /// The stages of both plans, the campaign's own first.
    pub fn all_stages(&self) -> impl Iterator<Item = &Stage> {
        self.stages.iter().chain(self.split.iter().flat_map(|split| &split.stages))
    }
}

/// What a supplier is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields)]
pub enum CostModel {
    /// A fixed amount per accepted lead (one that passed checks 1–7), sold or not.
    PerLead {
        /// Minor units.
        amount_minor: i64,
    },
    /// A fixed amount per sold lead, once, however often it is sold.
    PerSoldLead {
        /// Minor units.
        amount_minor: i64,
    },
    /// A share of each sale's price.
    RevenueShare {
        /// The supplier's share.
        percent: Percent,
    },
    /// Nothing per lead: the cost is what an ad platform was paid, booked per day.
    AdSpend,
}

/// A source's terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceTerms {
    /// Whether it may send.
    pub status: Status,
    /// What the supplier is paid.
    pub cost: CostModel,
    /// Exceptions from a fixed cost; the last that matches wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payout_rules: Vec<PriceRule>,
    /// Limits on accepted leads, read in the campaign's time zone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<Cap>,
    /// When it may send; absent = always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// What the operator keeps of a price when this supplier is quoted; comes before contract and campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<Margin>,
    /// The least this supplier sells for, minor units: below it nothing is quoted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_payout_minor: Option<i64>,
    /// Whether all it sends are tests: answered by their postal codes, never billed, capped or counted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub test: bool,
    /// How often it may ping.
    #[serde(default, skip_serializing_if = "PingLimits::are_none")]
    pub ping_limits: PingLimits,
}

impl SourceTerms {
    /// A source that may send whatever it has, at a cost: with nothing special about it.
    #[must_use]
    pub fn new(cost: CostModel) -> Self {
        Self {
            status: Status::Active,
            cost,
            payout_rules: Vec::new(),
            caps: Vec::new(),
            schedule: None,
            margin: None,
            least_payout_minor: None,
            test: false,
            ping_limits: PingLimits::default(),
        }
    }
}

/// A buyer's terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuyerTerms {
    /// Whether it buys.
    pub status: Status,
    /// The time zone of its caps and its contracts' caps.
    pub time_zone: Tz,
    /// The group it counts with for exclusivity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<BuyerGroupId>,
    /// Limits over all its contracts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<Cap>,
}

words! {
    /// Whether a contract shares leads with others.
    pub enum Exclusivity("exclusivity") {
        /// Buys exclusive and shared leads.
        Any = "ANY",
        /// Buys only leads nobody else gets; never joins a shared sale.
        ExclusiveOnly = "EXCLUSIVE_ONLY",
        /// Buys only where at least two buy.
        AtLeastTwo = "AT_LEAST_TWO",
    }
}

words! {
    /// What a contract outside its hours does with a lead it would buy.
    pub enum OutsideHours("rule outside hours") {
        /// Lets it go to the next contract.
        Next = "NEXT",
        /// Lets it wait for the window, if nobody else buys it at once.
        Wait = "WAIT",
    }
}

const fn default_outside_hours() -> OutsideHours {
    OutsideHours::Next
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the serialiser asks by reference")]
fn lets_go(outside_hours: &OutsideHours) -> bool {
    *outside_hours == OutsideHours::Next
}

/// A contract's terms: what the buyer wants and pays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractTerms {
    /// Whether it buys.
    pub status: Status,
    /// The key of the campaign's stage it takes part in, in either plan of an experiment.
    pub stage: String,
    /// 1 comes first in a waterfall.
    pub priority: u32,
    /// The share in a weighted stage; 0 = none.
    pub weight: u32,
    /// Whether it shares.
    pub exclusivity: Exclusivity,
    /// The price where no rule matches, minor units.
    pub price_minor: i64,
    /// Exceptions; the last that matches wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub price_rules: Vec<PriceRule>,
    /// What it pays of its price where a BEST sale has 2, 3 … buyers; the last holds for more. Empty = the full price.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_percents: Vec<Percent>,
    /// Where its buyer is asked for a bid (a destination of kind PING); absent = its fixed price. Only auctions ask: in a
    /// stage of another method its fixed price holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping: Option<DestinationId>,
    /// What the operator keeps of its price when a supplier is quoted; comes before the campaign's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<Margin>,
    /// Whether it gets tests and nothing else: never billed, capped or counted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub test: bool,
    /// Which leads; absent = all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// If not empty, only these sources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources_allowed: Vec<SourceId>,
    /// Never these sources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources_denied: Vec<SourceId>,
    /// Limits on the contract's sales, read in the buyer's time zone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<Cap>,
    /// When it buys; absent = always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// What happens to a lead outside its hours.
    #[serde(default = "default_outside_hours", skip_serializing_if = "lets_go")]
    pub outside_hours: OutsideHours,
    /// How long after it came in a lead waits for the window, minutes; absent = as long as the campaign offers unsold
    /// leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_at_most_minutes: Option<u32>,
    /// Whether it buys aged leads too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub buys_aged: bool,
    /// What it pays for aged leads, where one matches (the last wins); else its ordinary price by the campaign's steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aged_price_rules: Vec<PriceRule>,
    /// Whether the consent must name this buyer as a recipient.
    #[serde(default)]
    pub consent_names_buyer: bool,
    /// Whether the buyer answers the post.
    pub verdict: Verdict,
    /// Where its leads go. With a synchronous verdict the first is asked for it.
    pub destinations: Vec<DestinationId>,
    /// Whether a credited complaint gives the cap's count back.
    #[serde(default)]
    pub credit_frees_cap: bool,
    /// How long an unclear answer keeps its hold, in minutes, unless the buyer (asked, or by calling back) or staff say
    /// before what became of the lead.
    #[serde(default = "default_unknown_window_minutes")]
    pub unknown_window_minutes: u32,
    /// What its buyer may set by itself, and within which limits; absent = nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buyer_bounds: Option<BuyerBounds>,
    /// What its buyer set; it holds as far as the bounds let it.
    #[serde(default, skip_serializing_if = "BuyerSettings::is_empty")]
    pub buyer_settings: BuyerSettings,
}

impl ContractTerms {
    /// A contract that buys every lead at a price, in a stage, and delivers nowhere: with nothing special about it.
    #[must_use]
    pub fn new(stage: &str, price_minor: i64) -> Self {
        Self {
            status: Status::Active,
            stage: stage.to_owned(),
            priority: 1,
            weight: 1,
            exclusivity: Exclusivity::Any,
            price_minor,
            price_rules: Vec::new(),
            shared_percents: Vec::new(),
            ping: None,
            margin: None,
            test: false,
            filter: None,
            sources_allowed: Vec::new(),
            sources_denied: Vec::new(),
            caps: Vec::new(),
            schedule: None,
            outside_hours: default_outside_hours(),
            wait_at_most_minutes: None,
            buys_aged: false,
            aged_price_rules: Vec::new(),
            consent_names_buyer: false,
            verdict: Verdict::None,
            destinations: Vec::new(),
            credit_frees_cap: false,
            unknown_window_minutes: default_unknown_window_minutes(),
            buyer_bounds: None,
            buyer_settings: BuyerSettings::default(),
        }
    }
}

/// A day: long enough for a person at the buyer's to look, short enough not to freeze money for a weekend.
fn default_unknown_window_minutes() -> u32 {
    24 * 60
}
