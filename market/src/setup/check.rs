//! What may be agreed: everything that is wrong with terms, at once.

use std::collections::BTreeSet;

use leadyard_types::{
    BuyerTerms, CampaignTerms, ContractTerms, FieldProblem, Filter, PriceRule, SaleMode, SourceTerms, VerticalId,
};

use crate::rules::cap::check_caps;
use crate::rules::facts::NoPostalCentres;
use crate::rules::filter::CompiledFilter;
use crate::rules::payout::CompiledPayout;
use crate::rules::price::CompiledPrices;
use crate::rules::schedule::check_schedule;
use crate::snapshot::{Campaign, Snapshot};

fn problem(field: &str, code: &str, message: &str) -> FieldProblem {
    FieldProblem::new(field, code, message)
}

/// A name people read: not empty, not endless.
pub(super) fn name(field: &str, name: &str) -> Vec<FieldProblem> {
    if (1..=200).contains(&name.trim().chars().count()) {
        return Vec::new();
    }
    vec![problem(field, "LENGTH", "a name of 1 to 200 characters is expected")]
}

/// A vertical's key: it stands in addresses and files.
pub(super) fn key(key: &str) -> Vec<FieldProblem> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    if (1..=60).contains(&key.len()) && key.bytes().all(fits) {
        return Vec::new();
    }
    vec![problem("key", "FORMAT", "1 to 60 lower-case letters, digits, hyphens or underscores are expected")]
}

pub(super) fn country(country: &str) -> Vec<FieldProblem> {
    if country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Vec::new();
    }
    vec![problem("country", "FORMAT", "two upper-case letters of ISO 3166 are expected, for example DE")]
}

pub(super) fn campaign(terms: &CampaignTerms, snapshot: &Snapshot, vertical: VerticalId) -> Vec<FieldProblem> {
    let mut problems = check_caps(&terms.caps);
    if terms.stages.is_empty() {
        problems.push(problem("stages", "REQUIRED", "at least one stage is expected"));
    }
    let keys: BTreeSet<&str> = terms.stages.iter().map(|stage| stage.key.as_str()).collect();
    if keys.len() != terms.stages.len() {
        problems.push(problem("stages", "DUPLICATE", "every stage needs a key of its own"));
    }
    if terms.stages.iter().any(|stage| stage.key.trim().is_empty() || stage.key.len() > 60) {
        problems.push(problem("stages", "LENGTH", "a stage's key has 1 to 60 characters"));
    }
    if let SaleMode::Shared { max: 0 } = terms.sale_mode {
        problems.push(problem("sale_mode.max", "OUT_OF_RANGE", "at least 1 is expected"));
    }
    if terms.floor_minor < 0 {
        problems.push(problem("floor_minor", "OUT_OF_RANGE", "0 or more minor units are expected"));
    }
    if terms.unsold.retry_window_minutes > 0 && terms.unsold.retry_every_minutes == 0 {
        problems.push(problem("unsold.retry_every_minutes", "OUT_OF_RANGE", "at least 1 minute is expected"));
    }
    for url in [&terms.redirects.sold_url, &terms.redirects.other_url].into_iter().flatten() {
        if !url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "https" | "http")) {
            problems.push(problem("redirects", "FORMAT", "an https address is expected"));
        }
    }
    if let Some(vertical) = snapshot.verticals.get(&vertical) {
        let defined = |key: &String| vertical.terms.fields.iter().any(|field| field.key == *key);
        if let Some(unknown) = terms.duplicates.fields.iter().find(|key| !defined(key)) {
            let message = format!("the vertical has no field `{unknown}`");
            problems.push(problem("duplicates.fields", "UNKNOWN_FIELD", &message));
        }
    }
    problems
}

pub(super) fn source(terms: &SourceTerms, campaign: &Campaign) -> Vec<FieldProblem> {
    let mut problems = check_caps(&terms.caps);
    if let Some(schedule) = &terms.schedule {
        problems.extend(check_schedule(schedule));
    }
    let payout = CompiledPayout::compile(terms.cost, &terms.payout_rules, &campaign.country, &NoPostalCentres);
    problems.extend(payout.err().unwrap_or_default());
    problems
}

pub(super) fn buyer(terms: &BuyerTerms) -> Vec<FieldProblem> {
    check_caps(&terms.caps)
}

pub(super) fn contract(terms: &ContractTerms, campaign: &Campaign) -> Vec<FieldProblem> {
    let mut problems = check_caps(&terms.caps);
    if let Some(schedule) = &terms.schedule {
        problems.extend(check_schedule(schedule));
    }
    if !campaign.terms.stages.iter().any(|stage| stage.key == terms.stage) {
        let message = format!("the campaign has no stage `{}`", terms.stage);
        problems.push(problem("stage", "UNKNOWN_STAGE", &message));
    }
    if let Some(filter) = &terms.filter {
        problems.extend(filter_problems(filter, &campaign.country));
    }
    problems.extend(price_problems(terms.price_minor, &terms.price_rules, &campaign.country));
    if terms.verdict == leadyard_types::Verdict::Sync && terms.destinations.is_empty() {
        problems.push(problem("destinations", "REQUIRED", "a contract whose buyer answers needs a destination to ask"));
    }
    problems
}

fn filter_problems(filter: &Filter, country: &str) -> Vec<FieldProblem> {
    CompiledFilter::compile(filter, country, &NoPostalCentres).err().unwrap_or_default()
}

fn price_problems(price_minor: i64, rules: &[PriceRule], country: &str) -> Vec<FieldProblem> {
    CompiledPrices::compile(price_minor, rules, country, &NoPostalCentres).err().unwrap_or_default()
}
