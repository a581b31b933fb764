//! The terms of a campaign as they are sent.

use async_graphql::{Enum, InputObject, MaybeUndefined};
use leadyard_types::split::StageSplit;
use leadyard_types::terms::{
    AgedPolicy, AgedStep, ComplaintPolicy, ConsentPolicy, DuplicatePolicy, Redirects, UnsoldPolicy,
};
use leadyard_types::{AuctionTerms, CampaignTerms, ComplaintReason as Reason, FieldProblem, SaleMode, Stage};

use super::super::super::scalars::{MinorUnits, TimeZone};
use super::super::super::words::{ComplaintReason, DuplicateMatch, DuplicateScope, Method, OnSold, Pricing, Status};
use super::super::terms::{CapInput, MarginInput};
use super::reading::{Read, Reading, list, minor, percent, plain, whole};

/// How many buyers one lead is sold to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum SaleModeKind {
    /// To one buyer and nobody else.
    Exclusive,
    /// To several different ones; a buyer group counts as one.
    Shared,
    /// To one or to several, whichever brings more; all stages are auctions.
    Best,
}

/// How many buyers one lead is sold to.
#[derive(Debug, InputObject)]
pub(crate) struct SaleModeInput {
    /// To one, or to several.
    mode: SaleModeKind,
    /// The most buyers of one lead: 1 or more for SHARED, 2 or more for BEST, at most 255; not for EXCLUSIVE.
    max_sales: Option<i32>,
}

impl SaleModeInput {
    fn read(self, path: &str) -> Read<SaleMode> {
        let at = format!("{path}.maxSales");
        let max = || {
            let missing = || FieldProblem::new(&at, "REQUIRED", "to how many buyers one lead is sold at most");
            self.max_sales.ok_or_else(missing).and_then(|max| whole(max, &at))
        };
        Ok(match self.mode {
            SaleModeKind::Exclusive if self.max_sales.is_some_and(|max| max != 1) => {
                return Err(FieldProblem::new(&at, "NOT_ALLOWED", "an EXCLUSIVE lead is sold to one"));
            }
            SaleModeKind::Exclusive => SaleMode::Exclusive,
            SaleModeKind::Shared => SaleMode::Shared { max: max()? },
            SaleModeKind::Best => SaleMode::Best { max: max()? },
        })
    }
}

/// What holds for the auction of a stage.
#[derive(Debug, InputObject)]
pub(crate) struct AuctionInput {
    /// What the winner pays.
    #[graphql(default_with = "Pricing::First")]
    pricing: Pricing,
    /// Added to a second price, in minor units; left out: 0.
    increment_minor: Option<MinorUnits>,
    /// The least that a second price comes to, in minor units; left out: 0. The floor holds besides.
    reserve_minor: Option<MinorUnits>,
    /// How long buyers have to answer, 50 to 29000 milliseconds; left out: 3000. The auctions of all stages together take
    /// at most 29000.
    deadline_ms: Option<i32>,
}

impl AuctionInput {
    fn read(self, path: &str) -> Read<AuctionTerms> {
        let usual = AuctionTerms::default();
        let deadline = self.deadline_ms.map(|given| whole(given, &format!("{path}.deadlineMs"))).transpose()?;
        Ok(AuctionTerms {
            pricing: self.pricing.into(),
            increment_minor: self.increment_minor.map_or(0, |amount| amount.0),
            reserve_minor: self.reserve_minor.map_or(0, |amount| amount.0),
            deadline_ms: deadline.unwrap_or(usual.deadline_ms),
        })
    }
}

/// A step of a campaign: its contracts are tried together, before those of the next step.
#[derive(Debug, InputObject)]
pub(crate) struct StageInput {
    /// The key by which contracts name it, 1 to 60 characters.
    key: String,
    /// How it chooses among its contracts.
    method: Method,
    /// What happens after it sold.
    #[graphql(default_with = "OnSold::Stop")]
    on_sold: OnSold,
    /// The most sales of one lead in this step; left out: as many as the campaign allows.
    max_sales: Option<i32>,
    /// Whether a WATERFALL that sells to one holds a lead back from the contracts behind one that says WAIT.
    #[graphql(default)]
    hold_for_window: bool,
    /// What holds for an AUCTION, and only there.
    auction: Option<AuctionInput>,
}

impl StageInput {
    fn read(self, path: &str) -> Read<Stage> {
        Ok(Stage {
            on_sold: self.on_sold.into(),
            max_sales: self.max_sales.map(|most| whole(most, &format!("{path}.maxSales"))).transpose()?,
            hold_for_window: self.hold_for_window,
            auction: self.auction.map(|auction| auction.read(&format!("{path}.auction"))).transpose()?,
            ..Stage::new(&self.key, self.method.into())
        })
    }
}

/// An experiment: a share of the leads is sold by other stages, plan B. What is left out stays.
#[derive(Debug, InputObject)]
pub(crate) struct SplitInput {
    /// The experiment's name, 1 to 60 characters; under another one leads are divided anew.
    key: MaybeUndefined<String>,
    /// The share of plan B, 1 to 99 percent.
    percent: MaybeUndefined<i32>,
    /// Plan B's stages, in the order in which they are tried.
    stages: MaybeUndefined<Vec<StageInput>>,
}

/// How strict a campaign is about consent. What is left out stays.
#[derive(Debug, InputObject)]
pub(crate) struct ConsentPolicyInput {
    /// Whether a lead without consent is rejected.
    required: MaybeUndefined<bool>,
    /// The greatest age of a consent in hours; null: any.
    max_age_hours: MaybeUndefined<i32>,
    /// Purposes that the consent must name, for example `contact_by_phone`.
    purposes: MaybeUndefined<Vec<String>>,
}

/// What counts as the same enquiry again. What is left out stays.
#[derive(Debug, InputObject)]
pub(crate) struct DuplicatePolicyInput {
    /// The fields that are compared; none finds no duplicates.
    fields: MaybeUndefined<Vec<String>>,
    /// Whether one of them is enough.
    matching: MaybeUndefined<DuplicateMatch>,
    /// How many days back.
    window_days: MaybeUndefined<i32>,
    /// Where earlier leads are looked for.
    scope: MaybeUndefined<DuplicateScope>,
}

/// What happens to a lead that nobody bought at once. What is left out stays.
#[derive(Debug, InputObject)]
pub(crate) struct UnsoldPolicyInput {
    /// For how many minutes it is offered again; 0 means not at all.
    retry_window_minutes: MaybeUndefined<i32>,
    /// How often within that, in minutes; at least 1 where it is offered again.
    retry_every_minutes: MaybeUndefined<i32>,
}

/// What an aged lead costs from an age on.
#[derive(Debug, InputObject)]
pub(crate) struct AgedStepInput {
    /// From this age on, in days since it came in.
    after_days: i32,
    /// What it costs of the ordinary price, more than 0 and up to 100 percent: `"12.5"`.
    percent: String,
}

/// What happens to leads that stayed unsold. What is left out stays.
#[derive(Debug, InputObject)]
pub(crate) struct AgedPolicyInput {
    /// How old an unsold lead is when it counts as aged, in minutes.
    after_minutes: MaybeUndefined<i32>,
    /// For how many days since it came in it is offered, up to 732.
    until_days: MaybeUndefined<i32>,
    /// No aged lead sells below, in minor units; null: 0.
    floor_minor: MaybeUndefined<MinorUnits>,
    /// How often it is offered, in minutes, at least 30; null: 1440.
    offer_every_minutes: MaybeUndefined<i32>,
    /// Prices by growing age, at most 50; none: the ordinary ones.
    steps: MaybeUndefined<Vec<AgedStepInput>>,
}

/// When and why buyers may complain. What is left out stays.
#[derive(Debug, InputObject)]
pub(crate) struct ComplaintPolicyInput {
    /// How many days after the sale a complaint may be opened; 0 means not at all.
    window_days: MaybeUndefined<i32>,
    /// The reasons that are accepted.
    reasons: MaybeUndefined<Vec<ComplaintReason>>,
    /// Whether an upheld complaint takes back the supplier's earning in the same proportion.
    clawback: MaybeUndefined<bool>,
    /// How many days after the sale that may be, at least the window; null: whenever a complaint is decided.
    clawback_days: MaybeUndefined<i32>,
}

/// Where a web form's visitor is sent afterwards. What is left out stays.
#[derive(Debug, InputObject)]
pub(crate) struct RedirectsInput {
    /// After a sold lead, an https address; null: nowhere.
    sold_url: MaybeUndefined<String>,
    /// After any other lead that was stored; null: nowhere.
    other_url: MaybeUndefined<String>,
}

/// What is agreed of a campaign. What is left out stays; of a new campaign it is the usual.
#[derive(Debug, InputObject)]
pub(crate) struct CampaignTermsInput {
    /// Whether it takes leads; of a new one ACTIVE.
    status: MaybeUndefined<Status>,
    /// The time zone of its days and caps; of a new one UTC.
    time_zone: MaybeUndefined<TimeZone>,
    /// How many buyers one lead is sold to; of a new one EXCLUSIVE.
    sale_mode: MaybeUndefined<SaleModeInput>,
    /// All steps, in the order in which they are tried, 1 to 50. One that contracts take part in cannot go.
    stages: MaybeUndefined<Vec<StageInput>>,
    /// An experiment; null: none.
    split: MaybeUndefined<SplitInput>,
    /// The price below which nothing is sold, in minor units; null: 0.
    floor_minor: MaybeUndefined<MinorUnits>,
    /// How strict it is about consent.
    consent: MaybeUndefined<ConsentPolicyInput>,
    /// What counts as the same enquiry again.
    duplicates: MaybeUndefined<DuplicatePolicyInput>,
    /// All limits on its sales, one per period, in its time zone.
    caps: MaybeUndefined<Vec<CapInput>>,
    /// What happens to leads that nobody bought at once.
    unsold: MaybeUndefined<UnsoldPolicyInput>,
    /// What happens to them later; null: nothing.
    aged: MaybeUndefined<AgedPolicyInput>,
    /// When and why buyers may complain.
    complaint_policy: MaybeUndefined<ComplaintPolicyInput>,
    /// What the operator keeps of a price when a supplier is quoted; null: nothing. Contracts' and sources' come before it.
    margin: MaybeUndefined<MarginInput>,
    /// For how many seconds a quote holds, 10 to 86400; null: 300.
    quote_holds_seconds: MaybeUndefined<i32>,
    /// Where visitors of its web forms are sent.
    redirects: MaybeUndefined<RedirectsInput>,
}

/// A campaign of which nothing was said yet.
pub(super) fn unsaid() -> CampaignTerms {
    use leadyard_types::terms::{DuplicateMatch as Match, DuplicateScope as Scope};
    CampaignTerms {
        status: leadyard_types::Status::Active,
        time_zone: Default::default(),
        sale_mode: SaleMode::Exclusive,
        stages: Vec::new(),
        split: None,
        floor_minor: 0,
        consent: ConsentPolicy { required: false, max_age_hours: None, purposes: Vec::new() },
        duplicates: DuplicatePolicy {
            fields: Vec::new(),
            matching: Match::Any,
            window_days: 0,
            scope: Scope::Campaign,
        },
        caps: Vec::new(),
        unsold: UnsoldPolicy { retry_window_minutes: 0, retry_every_minutes: 0 },
        aged: None,
        complaints: ComplaintPolicy { window_days: 0, reasons: Vec::new(), clawback: false, clawback_days: None },
        margin: None,
        quote_holds_seconds: None,
        redirects: Redirects::default(),
    }
}

impl CampaignTermsInput {
    /// Lays what is given over the terms.
    pub(super) fn lay(self, terms: &mut CampaignTerms, reading: &mut Reading) {
        reading.set("status", self.status, &mut terms.status, plain);
        reading.set("timeZone", self.time_zone, &mut terms.time_zone, plain);
        reading.set("saleMode", self.sale_mode, &mut terms.sale_mode, SaleModeInput::read);
        reading.set("stages", self.stages, &mut terms.stages, list(StageInput::read));
        reading.set_or("floorMinor", self.floor_minor, (&mut terms.floor_minor, 0), minor);
        reading.set_or("caps", self.caps, (&mut terms.caps, Vec::new()), CapInput::all);
        reading.optional("margin", self.margin, &mut terms.margin, MarginInput::read);
        reading.optional("quoteHoldsSeconds", self.quote_holds_seconds, &mut terms.quote_holds_seconds, whole);
        laid("split", self.split, &mut terms.split, reading, none_split, SplitInput::lay);
        laid("aged", self.aged, &mut terms.aged, reading, none_aged, AgedPolicyInput::lay);
        over("consent", self.consent, &mut terms.consent, reading, ConsentPolicyInput::lay);
        over("duplicates", self.duplicates, &mut terms.duplicates, reading, DuplicatePolicyInput::lay);
        over("unsold", self.unsold, &mut terms.unsold, reading, UnsoldPolicyInput::lay);
        over("complaintPolicy", self.complaint_policy, &mut terms.complaints, reading, ComplaintPolicyInput::lay);
        over("redirects", self.redirects, &mut terms.redirects, reading, RedirectsInput::lay);
    }
}

/// Lays an object over one that is always there.
pub(super) fn over<G, T>(
    path: &str,
    given: MaybeUndefined<G>,
    place: &mut T,
    reading: &mut Reading,
    lay: impl FnOnce(G, &mut T, &mut Reading),
) {
    if let Some(given) = reading.changed(path, given) {
        lay(given, place, reading);
    }
}

/// Lays an object over one that may be absent, or takes it away.
fn laid<G, T>(
    path: &str,
    given: MaybeUndefined<G>,
    place: &mut Option<T>,
    reading: &mut Reading,
    none: impl FnOnce() -> T,
    lay: impl FnOnce(G, &mut T, &mut Reading),
) {
    match given {
        MaybeUndefined::Null => *place = None,
        other => over(path, other, place, reading, |given, place, reading| {
            lay(given, place.get_or_insert_with(none), reading);
        }),
    }
}

fn none_split() -> StageSplit {
    StageSplit { key: String::new(), percent: 0, stages: Vec::new() }
}

fn none_aged() -> AgedPolicy {
    AgedPolicy { after_minutes: 0, until_days: 0, floor_minor: 0, offer_every_minutes: OFFER_EVERY, steps: Vec::new() }
}

/// A day, in minutes: by then caps have room again.
const OFFER_EVERY: u32 = 24 * 60;

impl SplitInput {
    fn lay(self, split: &mut StageSplit, reading: &mut Reading) {
        reading.set("split.key", self.key, &mut split.key, plain);
        reading.set("split.percent", self.percent, &mut split.percent, whole);
        reading.set("split.stages", self.stages, &mut split.stages, list(StageInput::read));
    }
}

impl AgedPolicyInput {
    fn lay(self, aged: &mut AgedPolicy, reading: &mut Reading) {
        let step = |step: AgedStepInput, path: &str| {
            Ok(AgedStep {
                after_days: whole(step.after_days, &format!("{path}.afterDays"))?,
                percent: percent(step.percent, &format!("{path}.percent"))?,
            })
        };
        let every = (&mut aged.offer_every_minutes, OFFER_EVERY);
        reading.set("aged.afterMinutes", self.after_minutes, &mut aged.after_minutes, whole);
        reading.set("aged.untilDays", self.until_days, &mut aged.until_days, whole);
        reading.set_or("aged.floorMinor", self.floor_minor, (&mut aged.floor_minor, 0), minor);
        reading.set_or("aged.offerEveryMinutes", self.offer_every_minutes, every, whole);
        reading.set_or("aged.steps", self.steps, (&mut aged.steps, Vec::new()), list(step));
    }
}

impl ConsentPolicyInput {
    fn lay(self, consent: &mut ConsentPolicy, reading: &mut Reading) {
        reading.set("consent.required", self.required, &mut consent.required, plain);
        reading.optional("consent.maxAgeHours", self.max_age_hours, &mut consent.max_age_hours, whole);
        reading.set_or("consent.purposes", self.purposes, (&mut consent.purposes, Vec::new()), plain);
    }
}

impl DuplicatePolicyInput {
    fn lay(self, duplicates: &mut DuplicatePolicy, reading: &mut Reading) {
        reading.set_or("duplicates.fields", self.fields, (&mut duplicates.fields, Vec::new()), plain);
        reading.set("duplicates.matching", self.matching, &mut duplicates.matching, plain);
        reading.set("duplicates.windowDays", self.window_days, &mut duplicates.window_days, whole);
        reading.set("duplicates.scope", self.scope, &mut duplicates.scope, plain);
    }
}

impl UnsoldPolicyInput {
    fn lay(self, unsold: &mut UnsoldPolicy, reading: &mut Reading) {
        let (window, every) = (&mut unsold.retry_window_minutes, &mut unsold.retry_every_minutes);
        reading.set_or("unsold.retryWindowMinutes", self.retry_window_minutes, (window, 0), whole);
        reading.set_or("unsold.retryEveryMinutes", self.retry_every_minutes, (every, 0), whole);
    }
}

impl ComplaintPolicyInput {
    fn lay(self, policy: &mut ComplaintPolicy, reading: &mut Reading) {
        let reasons = |given: Vec<ComplaintReason>, _: &str| Ok(given.into_iter().map(Reason::from).collect());
        reading.set("complaintPolicy.windowDays", self.window_days, &mut policy.window_days, whole);
        reading.set_or("complaintPolicy.reasons", self.reasons, (&mut policy.reasons, Vec::new()), reasons);
        reading.set("complaintPolicy.clawback", self.clawback, &mut policy.clawback, plain);
        reading.optional("complaintPolicy.clawbackDays", self.clawback_days, &mut policy.clawback_days, whole);
    }
}

impl RedirectsInput {
    fn lay(self, redirects: &mut Redirects, reading: &mut Reading) {
        reading.optional("redirects.soldUrl", self.sold_url, &mut redirects.sold_url, plain);
        reading.optional("redirects.otherUrl", self.other_url, &mut redirects.other_url, plain);
    }
}
