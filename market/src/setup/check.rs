//! What may be agreed: everything that is wrong with terms, at once.

use std::collections::BTreeSet;

use leadyard_connectors::OutboundPolicy;
use leadyard_types::field::UnknownFields;
use leadyard_types::terms::{AgedPolicy, OutsideHours, VerticalTerms};
use leadyard_types::{
    BuyerTerms, CampaignTerms, ContractTerms, FieldProblem, Filter, Margin, Method, OnSold, Percent, PriceRule,
    Pricing, SaleMode, Schedule, SourceTerms, Stage, Verdict,
};

use super::CampaignFacts;
use crate::rules::bounds::{check_bounds, check_settings};
use crate::rules::cap::check_caps;
use crate::rules::facts::NoPostalCentres;
use crate::rules::filter::CompiledFilter;
use crate::rules::payout::CompiledPayout;
use crate::rules::price::CompiledPrices;
use crate::rules::schedule::check_schedule;
use crate::rules::value;

/// The most stages of a campaign: each is tried for every lead that gets that far.
const STAGES_MAX: usize = 50;
/// Less than this no buyer on another continent can answer.
const DEADLINE_MS_MIN: u32 = 50;
/// How long the auctions of a plan's stages may take together, in milliseconds, where none of them sells: the lead door
/// gives a request up after thirty seconds, and the lead is still to be placed then.
pub const AUCTIONS_MS_MAX: u32 = 29_000;
/// How far back duplicates are looked for: a hundred years, longer than anybody asks for anything.
const DUPLICATE_DAYS_MAX: u32 = 36_500;
/// For how long suppliers are promised a price.
const QUOTE_HOLDS_SECONDS: std::ops::RangeInclusive<u32> = 10..=86_400;
/// More buyers than this never share a lead.
const SHARED_PERCENTS_MAX: usize = 20;
/// The dearest lead, minor units: sums of millions of them still fit.
const PRICE_MINOR_MAX: i64 = 1_000_000_000;
/// How long aged leads are sold: two years, longer than any consent lasts.
const AGED_DAYS_MAX: u32 = 732;
/// The most steps of aged prices.
const AGED_STEPS_MAX: usize = 50;
/// Aged leads are many, and little changes for them within half an hour.
const OFFER_EVERY_MINUTES_MIN: u32 = 30;
/// How long a lead may wait for a window: nobody remembers an enquiry of last month.
const WAIT_MINUTES_MAX: u32 = 31 * 24 * 60;
/// How long an unclear answer may keep money held: a quarter.
const UNKNOWN_WINDOW_MINUTES_MAX: u32 = 92 * 24 * 60;

fn problem(field: &str, code: &str, message: &str) -> FieldProblem {
    FieldProblem::new(field, code, message)
}

/// A name people read: not empty, not endless, in one line. PostgreSQL takes no NUL; other control characters break
/// terminals and letters.
pub(crate) fn name(field: &str, name: &str) -> Vec<FieldProblem> {
    if !(1..=200).contains(&name.trim().chars().count()) {
        return vec![problem(field, "LENGTH", "a name of 1 to 200 characters is expected")];
    }
    if name.chars().any(char::is_control) {
        let message = "a name in one line, without control characters, is expected";
        return vec![problem(field, "CONTROL_CHARACTER", message)];
    }
    Vec::new()
}

/// A vertical's key: it stands in addresses and files.
pub(crate) fn key(key: &str) -> Vec<FieldProblem> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    if (1..=60).contains(&key.len()) && key.bytes().all(fits) {
        return Vec::new();
    }
    vec![problem("key", "FORMAT", "1 to 60 lower-case letters, digits, hyphens or underscores are expected")]
}

pub(crate) fn country(country: &str) -> Vec<FieldProblem> {
    if country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Vec::new();
    }
    vec![problem("country", "FORMAT", "two upper-case letters of ISO 3166 are expected, for example DE")]
}

/// An address people are told things at.
pub(crate) fn email(email: Option<&str>) -> Vec<FieldProblem> {
    let fault = email.and_then(|email| value::mailbox(email).err());
    fault.map(|fault| problem("email", fault.code, &fault.message)).into_iter().collect()
}

/// The keys that a vertical does not define.
pub(crate) fn undefined<'a>(keys: &'a [String], vertical: &'a VerticalTerms) -> impl Iterator<Item = &'a String> {
    keys.iter().filter(|key| vertical.fields.iter().all(|field| field.key != **key))
}

pub(crate) fn campaign(terms: &CampaignTerms, vertical: &VerticalTerms, policy: &OutboundPolicy) -> Vec<FieldProblem> {
    let mut problems = [check_caps(&terms.caps), all_stages(terms), redirects(terms, policy)].concat();
    if let SaleMode::Shared { max: 0 } = terms.sale_mode {
        problems.push(problem("sale_mode.max", "OUT_OF_RANGE", "at least 1 is expected"));
    }
    if let SaleMode::Best { max: 0 | 1 } = terms.sale_mode {
        problems.push(problem("sale_mode.max", "OUT_OF_RANGE", "at least 2 are expected: otherwise it is EXCLUSIVE"));
    }
    problems.extend(margin(terms.margin));
    if terms.quote_holds_seconds.is_some_and(|seconds| !QUOTE_HOLDS_SECONDS.contains(&seconds)) {
        let message = "10 seconds to one day are expected: long enough for a post, too short for prices to be stale";
        problems.push(problem("quote_holds_seconds", "OUT_OF_RANGE", message));
    }
    if !(0..=PRICE_MINOR_MAX).contains(&terms.floor_minor) {
        problems.push(problem("floor_minor", "OUT_OF_RANGE", "0 or more minor units are expected"));
    }
    if terms.unsold.retry_window_minutes > 0 && terms.unsold.retry_every_minutes == 0 {
        problems.push(problem("unsold.retry_every_minutes", "OUT_OF_RANGE", "at least 1 minute is expected"));
    }
    problems.extend(terms.aged.iter().flat_map(|policy| aged(policy, terms)));
    if terms.complaints.clawback_days.is_some_and(|days| days < terms.complaints.window_days) {
        let message = "the supplier's window is at least as long as the buyers'";
        problems.push(problem("complaints.clawback_days", "OUT_OF_RANGE", message));
    }
    if terms.duplicates.window_days > DUPLICATE_DAYS_MAX {
        let message = format!("0 to {DUPLICATE_DAYS_MAX} days are expected: a hundred years at most");
        problems.push(problem("duplicates.window_days", "OUT_OF_RANGE", &message));
    }
    problems.extend(
        undefined(&terms.duplicates.fields, vertical)
            .map(|key| problem("duplicates.fields", "UNKNOWN_FIELD", &format!("the vertical has no field `{key}`"))),
    );
    problems
}

/// The stages of both plans, and how leads are divided between them.
fn all_stages(terms: &CampaignTerms) -> Vec<FieldProblem> {
    let mut problems = stages(terms, &terms.stages);
    let Some(split) = &terms.split else { return problems };
    if !fits_key(&split.key) {
        problems.push(problem("split.key", "LENGTH", "an experiment's name has 1 to 60 characters"));
    }
    if !(1..=99).contains(&split.percent) {
        problems.push(problem("split.percent", "OUT_OF_RANGE", "1 to 99 percent are expected: the share of plan B"));
    }
    problems.extend(stages(terms, &split.stages).into_iter().map(|found| under("split", found)));
    problems
}

/// Keys are read by people: not empty, not endless, nothing invisible.
fn fits_key(key: &str) -> bool {
    !key.trim().is_empty() && key.len() <= 60 && !key.chars().any(char::is_control)
}

fn stages(terms: &CampaignTerms, stages: &[Stage]) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    if !(1..=STAGES_MAX).contains(&stages.len()) {
        problems.push(problem("stages", "REQUIRED", &format!("1 to {STAGES_MAX} stages are expected")));
    }
    let keys: BTreeSet<&str> = stages.iter().map(|stage| stage.key.as_str()).collect();
    if keys.len() != stages.len() {
        problems.push(problem("stages", "DUPLICATE", "every stage of a plan needs a key of its own"));
    }
    if !stages.iter().all(|stage| fits_key(&stage.key)) {
        problems.push(problem("stages", "LENGTH", "a stage's key has 1 to 60 characters"));
    }
    problems.extend(stages.iter().enumerate().flat_map(|(place, stage)| {
        auction(terms, stage).into_iter().map(move |found| under(&format!("stages.{place}"), found))
    }));
    problems.extend(asked_too_long(stages));
    problems
}

/// Stages are asked one after the other while the supplier's request waits: together they must leave time to answer it.
fn asked_too_long(stages: &[Stage]) -> Option<FieldProblem> {
    let auctions = stages.iter().filter(|stage| stage.method == Method::Auction);
    let deadlines: Vec<u32> = auctions.map(|stage| stage.auction.unwrap_or_default().deadline_ms).collect();
    let together: u64 = deadlines.iter().map(|deadline| u64::from(*deadline)).sum();
    // One that is too long by itself was told.
    let each_fits = deadlines.iter().all(|deadline| *deadline <= AUCTIONS_MS_MAX);
    (each_fits && together > AUCTIONS_MS_MAX.into()).then(|| {
        let message = format!(
            "the auctions of the stages may take {together} milliseconds together; at most {AUCTIONS_MS_MAX} are \
             expected, because a supplier's request is given up after 30 seconds: shorten `auction.deadline_ms`"
        );
        problem("stages", "DEADLINES_TOO_LONG", &message)
    })
}

/// What a campaign says of aged leads.
fn aged(policy: &AgedPolicy, terms: &CampaignTerms) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    if policy.after_minutes < terms.unsold.retry_window_minutes.max(1) {
        let message = "at least 1 minute, and not before the window for unsold leads ends";
        problems.push(problem("aged.after_minutes", "OUT_OF_RANGE", message));
    }
    let last = i64::from(policy.until_days) * 24 * 60;
    if !(1..=AGED_DAYS_MAX).contains(&policy.until_days) || last <= i64::from(policy.after_minutes) {
        let message = format!("1 to {AGED_DAYS_MAX} days, and longer than leads need to age, are expected");
        problems.push(problem("aged.until_days", "OUT_OF_RANGE", &message));
    }
    if !(0..=PRICE_MINOR_MAX).contains(&policy.floor_minor) {
        problems.push(problem("aged.floor_minor", "OUT_OF_RANGE", "0 or more minor units are expected"));
    }
    if policy.offer_every_minutes < OFFER_EVERY_MINUTES_MIN {
        let message = format!("at least {OFFER_EVERY_MINUTES_MIN} minutes are expected");
        problems.push(problem("aged.offer_every_minutes", "OUT_OF_RANGE", &message));
    }
    if policy.steps.len() > AGED_STEPS_MAX || !policy.steps.is_sorted_by(|a, b| a.after_days < b.after_days) {
        let message = format!("at most {AGED_STEPS_MAX} steps, by growing age, are expected");
        problems.push(problem("aged.steps", "INVALID", &message));
    }
    if policy.steps.iter().any(|step| step.percent.0 <= 0.into() || step.percent.0 > 100.into()) {
        let message = "more than 0 and up to 100 percent of the ordinary price are expected";
        problems.push(problem("aged.steps", "OUT_OF_RANGE", message));
    }
    problems
}

/// What a stage says of its auction.
fn auction(terms: &CampaignTerms, stage: &Stage) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    if stage.hold_for_window && (stage.method != Method::Waterfall || terms.sale_mode != SaleMode::Exclusive) {
        let message = "only a WATERFALL that sells to one holds a lead back for a window";
        problems.push(problem("hold_for_window", "NOT_ALLOWED", message));
    }
    if stage.max_sales == Some(0) {
        problems.push(problem("max_sales", "OUT_OF_RANGE", "at least 1 is expected"));
    }
    let best = matches!(terms.sale_mode, SaleMode::Best { .. });
    if stage.method != Method::Auction {
        if stage.auction.is_some() {
            problems.push(problem("auction", "NOT_ALLOWED", "only a stage whose method is AUCTION has these settings"));
        }
        if best {
            let message = "the best sale is found by auction: every stage of the campaign is an AUCTION";
            problems.push(problem("method", "NOT_ALLOWED", message));
        }
        return problems;
    }
    let auction = stage.auction.unwrap_or_default();
    if best && auction.pricing == Pricing::Second {
        let message = "the best sale is found among what buyers bid: they pay it, FIRST";
        problems.push(problem("auction.pricing", "NOT_ALLOWED", message));
    }
    if best && stage.on_sold == OnSold::Continue {
        problems.push(problem("on_sold", "NOT_ALLOWED", "the best sale fills the places at once: STOP is expected"));
    }
    for (field, amount) in [("increment_minor", auction.increment_minor), ("reserve_minor", auction.reserve_minor)] {
        if !(0..=PRICE_MINOR_MAX).contains(&amount) {
            problems.push(problem(&format!("auction.{field}"), "OUT_OF_RANGE", "0 or more minor units are expected"));
        }
    }
    if !(DEADLINE_MS_MIN..=AUCTIONS_MS_MAX).contains(&auction.deadline_ms) {
        let message = format!("{DEADLINE_MS_MIN} to {AUCTIONS_MS_MAX} milliseconds are expected");
        problems.push(problem("auction.deadline_ms", "OUT_OF_RANGE", &message));
    }
    problems
}

/// A margin keeps a part of a price, never all of it.
pub(crate) fn margin(margin: Option<Margin>) -> Vec<FieldProblem> {
    let fits = match margin {
        None => true,
        Some(Margin::Percent { percent }) => percent.0 >= 0.into() && percent.0 < 100.into(),
        Some(Margin::Amount { amount_minor }) => (0..=PRICE_MINOR_MAX).contains(&amount_minor),
    };
    if fits {
        return Vec::new();
    }
    vec![problem(
        "margin",
        "OUT_OF_RANGE",
        "a share of 0 to less than 100 percent, or 0 or more minor units, is expected",
    )]
}

/// Visitors are sent on by https; plain http is for machines that are not in production.
fn redirects(terms: &CampaignTerms, policy: &OutboundPolicy) -> Vec<FieldProblem> {
    let fits = |url: &String| {
        let scheme = url::Url::parse(url).map(|url| url.scheme().to_owned()).unwrap_or_default();
        url.len() <= 2_048 && (scheme == "https" || scheme == "http" && !policy.is_production())
    };
    [("redirects.sold_url", &terms.redirects.sold_url), ("redirects.other_url", &terms.redirects.other_url)]
        .into_iter()
        .filter(|(_, url)| url.as_ref().is_some_and(|url| !fits(url)))
        .map(|(field, _)| problem(field, "INVALID_URL", "an https address is expected"))
        .collect()
}

pub(crate) fn source(terms: &SourceTerms, campaign: &CampaignFacts) -> Vec<FieldProblem> {
    let mut problems = check_caps(&terms.caps);
    if terms.caps.iter().any(|cap| cap.amount_minor.is_some()) {
        problems.push(problem("caps", "NOT_ALLOWED", "a source's caps count accepted leads, not money"));
    }
    if let Some(schedule) = &terms.schedule {
        problems.extend(check_schedule(schedule).into_iter().map(|found| under("schedule", found)));
    }
    problems.extend(margin(terms.margin));
    if terms.least_payout_minor.is_some_and(|least| !(0..=PRICE_MINOR_MAX).contains(&least)) {
        problems.push(problem("least_payout_minor", "OUT_OF_RANGE", "0 or more minor units are expected"));
    }
    let payout = CompiledPayout::compile(terms.cost, &terms.payout_rules, &campaign.country, &NoPostalCentres);
    problems.extend(payout.err().unwrap_or_default());
    problems.extend(rule_fields("payout_rules", &terms.payout_rules, campaign));
    problems
}

pub(crate) fn buyer(terms: &BuyerTerms) -> Vec<FieldProblem> {
    check_caps(&terms.caps)
}

pub(crate) fn contract(terms: &ContractTerms, campaign: &CampaignFacts) -> Vec<FieldProblem> {
    let mut problems = check_caps(&terms.caps);
    if let Some(schedule) = &terms.schedule {
        problems.extend(check_schedule(schedule).into_iter().map(|found| under("schedule", found)));
    }
    if terms.wait_at_most_minutes.is_some_and(|minutes| !(1..=WAIT_MINUTES_MAX).contains(&minutes)) {
        problems.push(problem("wait_at_most_minutes", "OUT_OF_RANGE", "1 minute to 31 days is expected"));
    }
    if terms.outside_hours == OutsideHours::Wait {
        if terms.schedule.is_none() {
            problems.push(problem(
                "outside_hours",
                "NOT_ALLOWED",
                "only a contract with a schedule is ever outside its hours",
            ));
        }
        if terms.wait_at_most_minutes.is_none() && campaign.terms.unsold.retry_window_minutes == 0 {
            let message = "the campaign keeps no unsold leads: say how long a lead waits for this contract";
            problems.push(problem("wait_at_most_minutes", "REQUIRED", message));
        }
    } else if terms.wait_at_most_minutes.is_some() {
        problems.push(problem("wait_at_most_minutes", "NOT_ALLOWED", "only where outside_hours is WAIT"));
    }
    let mut own_stages = campaign.terms.all_stages().filter(|stage| stage.key == terms.stage).peekable();
    if own_stages.peek().is_none() {
        let message = format!("the campaign has no stage `{}`", terms.stage);
        problems.push(problem("stage", "UNKNOWN_STAGE", &message));
    }
    problems.extend(margin(terms.margin));
    if terms.ping.is_some() && !own_stages.any(|stage| stage.method == Method::Auction) {
        problems.push(problem("ping", "NOT_ALLOWED", "only a stage whose method is AUCTION asks for bids"));
    }
    let share = |share: &&Percent| share.0 <= 0.into() || share.0 > 100.into();
    if terms.shared_percents.len() > SHARED_PERCENTS_MAX || terms.shared_percents.iter().any(|part| share(&part)) {
        let message = "shares of more than 0 to 100 percent are expected, one for 2, 3 … buyers, at most 20";
        problems.push(problem("shared_percents", "OUT_OF_RANGE", message));
    }
    if let Some(filter) = &terms.filter {
        problems.extend(filter_problems("filter", filter, campaign));
    }
    problems.extend(bounds("buyer_bounds", terms, campaign));
    problems.extend(settings(terms, campaign));
    if terms.price_minor > PRICE_MINOR_MAX || terms.price_rules.iter().any(|rule| rule.price_minor > PRICE_MINOR_MAX) {
        problems.push(problem("price_minor", "OUT_OF_RANGE", "at most 1,000,000,000 minor units are expected"));
    }
    let prices = CompiledPrices::compile(terms.price_minor, &terms.price_rules, &campaign.country, &NoPostalCentres);
    problems.extend(prices.err().unwrap_or_default());
    problems.extend(rule_fields("price_rules", &terms.price_rules, campaign));
    if !terms.buys_aged && !terms.aged_price_rules.is_empty() {
        problems.push(problem("aged_price_rules", "NOT_ALLOWED", "only where buys_aged says so"));
    }
    if terms.aged_price_rules.iter().any(|rule| rule.price_minor > PRICE_MINOR_MAX) {
        problems.push(problem("aged_price_rules", "OUT_OF_RANGE", "at most 1,000,000,000 minor units are expected"));
    }
    let aged = CompiledPrices::compile(0, &terms.aged_price_rules, &campaign.country, &NoPostalCentres);
    problems.extend(
        aged.err()
            .unwrap_or_default()
            .into_iter()
            .map(|found| FieldProblem { field: found.field.replacen("price_rules", "aged_price_rules", 1), ..found }),
    );
    problems.extend(rule_fields("aged_price_rules", &terms.aged_price_rules, campaign));
    if terms.verdict == Verdict::Sync && terms.destinations.is_empty() {
        problems.push(problem("destinations", "REQUIRED", "a contract whose buyer answers needs a destination to ask"));
    }
    if !(1..=UNKNOWN_WINDOW_MINUTES_MAX).contains(&terms.unknown_window_minutes) {
        problems.push(problem("unknown_window_minutes", "OUT_OF_RANGE", "1 minute to 92 days is expected"));
    }
    problems
}

/// What the operator lets the buyer set.
pub(crate) fn bounds(path: &str, terms: &ContractTerms, campaign: &CampaignFacts) -> Vec<FieldProblem> {
    let Some(bounds) = &terms.buyer_bounds else { return Vec::new() };
    let found = check_bounds(bounds, campaign.terms.floor_minor, terms.ping.is_some(), &campaign.vertical);
    found.into_iter().map(|found| under(path, found)).collect()
}

/// What the buyer set, in itself: outside its bounds it is no mistake, only not all of it holds.
fn settings(terms: &ContractTerms, campaign: &CampaignFacts) -> Vec<FieldProblem> {
    let settings = &terms.buyer_settings;
    let found = check_settings(settings).into_iter().map(|found| under("buyer_settings", found));
    let filter = settings.filter.iter().flat_map(|filter| filter_problems("filter", filter, campaign));
    found.chain(filter.map(|found| under("buyer_settings", found))).collect()
}

pub(crate) fn schedule_problems(path: &str, schedule: &Schedule) -> Vec<FieldProblem> {
    check_schedule(schedule).into_iter().map(|found| under(path, found)).collect()
}

fn under(parent: &str, found: FieldProblem) -> FieldProblem {
    FieldProblem { field: format!("{parent}.{}", found.field), ..found }
}

pub(crate) fn filter_problems(path: &str, filter: &Filter, campaign: &CampaignFacts) -> Vec<FieldProblem> {
    match CompiledFilter::compile(filter, &campaign.country, &NoPostalCentres) {
        Ok(compiled) => unknown_fields(path, &compiled, campaign),
        Err(problems) => problems,
    }
}

/// The fields named by the conditions of price or payout rules. (What else is wrong with them is told by compiling.)
fn rule_fields(path: &str, rules: &[PriceRule], campaign: &CampaignFacts) -> Vec<FieldProblem> {
    let compiled = rules.iter().map(|rule| CompiledFilter::compile(&rule.when, &campaign.country, &NoPostalCentres));
    compiled
        .enumerate()
        .filter_map(|(position, compiled)| Some((position, compiled.ok()?)))
        .flat_map(|(position, compiled)| unknown_fields(&format!("{path}.{position}.when"), &compiled, campaign))
        .collect()
}

/// A condition on a field that no lead can have would never hold: somebody mistyped it.
fn unknown_fields(path: &str, filter: &CompiledFilter, campaign: &CampaignFacts) -> Vec<FieldProblem> {
    if campaign.vertical.unknown_fields == UnknownFields::Keep {
        return Vec::new();
    }
    let undefined = filter.undefined_fields(&campaign.vertical);
    undefined
        .into_iter()
        .map(|key| problem(path, "UNKNOWN_FIELD", &format!("the vertical has no field `{key}`")))
        .collect()
}

#[cfg(test)]
mod tests {
    use leadyard_types::AuctionTerms;
    use leadyard_types::split::StageSplit;

    use super::*;

    fn stages_of(deadlines: &[u32]) -> Vec<Stage> {
        let stage = |(place, deadline): (usize, &u32)| {
            let auction = Some(AuctionTerms { deadline_ms: *deadline, ..AuctionTerms::default() });
            Stage { auction, ..Stage::new(&format!("s{place}"), Method::Auction) }
        };
        let mut stages: Vec<Stage> = deadlines.iter().enumerate().map(stage).collect();
        // What does not ask takes no time.
        stages.push(Stage::new("rest", Method::Waterfall));
        stages
    }

    /// A name is a line that people read: with letters of any alphabet, without characters that are none to read.
    #[test]
    fn names_are_lines_to_read() {
        let code = |text: &str| name("name", text).first().map(|found| found.code.clone());
        for good in ["Sun", " Söhne & Töchter ", "日本", "\u{1f31e}"] {
            assert_eq!(code(good), None, "{good:?}");
        }
        for bad in ["a\0b", "Sun\n", "a\tb", "\u{1b}[31m", "\u{85}x"] {
            assert_eq!(code(bad).as_deref(), Some("CONTROL_CHARACTER"), "{bad:?}");
        }
        for bad in ["", "  ", &"x".repeat(201)] {
            assert_eq!(code(bad).as_deref(), Some("LENGTH"), "{bad:?}");
        }
    }

    fn told(main: &[u32], split: Option<&[u32]>) -> Vec<(String, String)> {
        let terms = serde_json::json!({
            "status": "ACTIVE", "time_zone": "UTC", "sale_mode": { "mode": "EXCLUSIVE" }, "stages": [], "floor_minor": 0,
            "consent": { "required": false },
            "duplicates": { "fields": [], "matching": "ANY", "window_days": 0, "scope": "CAMPAIGN" },
            "unsold": { "retry_window_minutes": 0, "retry_every_minutes": 0 },
            "complaints": { "window_days": 0, "reasons": [], "clawback": false },
        });
        let mut terms: CampaignTerms = serde_json::from_value(terms).unwrap();
        terms.stages = stages_of(main);
        terms.split = split.map(|stages| StageSplit { key: "x".into(), percent: 50, stages: stages_of(stages) });
        all_stages(&terms).into_iter().map(|found| (found.field, found.code)).collect()
    }

    /// The stages of a plan are asked one after the other within a supplier's request: their deadlines together are
    /// bounded, those of the two plans of an experiment each by themselves.
    #[test]
    fn auctions_leave_time_to_answer_the_supplier() {
        let too_long = |field: &str| vec![(field.to_owned(), "DEADLINES_TOO_LONG".to_owned())];
        assert!(told(&[29_000], None).is_empty());
        assert!(told(&[9_000, 20_000], Some(&[14_500, 14_500])).is_empty());
        assert_eq!(told(&[9_000, 20_001], None), too_long("stages"));
        assert_eq!(told(&[3_000; 10], None), too_long("stages"));
        assert_eq!(told(&[3_000], Some(&[20_000, 9_001])), too_long("split.stages"));
        assert_eq!(
            told(&[29_001, 5_000], None),
            [("stages.0.auction.deadline_ms".to_owned(), "OUT_OF_RANGE".to_owned())]
        );
    }
}
