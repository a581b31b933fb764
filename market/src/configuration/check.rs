//! What may be agreed, by the checks of the set-up, over everything as it would stand after a document.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use leadyard_connectors::{OutboundPolicy, check_destination};
use leadyard_types::terms::VerticalTerms;
use leadyard_types::{
    BuyerId, BuyerTerms, CampaignId, CampaignTerms, ContractTerms, DestinationId, FieldProblem, SourceTerms, Status,
};
use serde_json::Value;
use uuid::Uuid;

use super::document::{Document, Fields, Noun, Problem};
use super::merge::{Merged, Placed, taken};
use super::shape::{head_text, typed};
use super::standing::{Standing, Things};
use crate::rules::vertical::check_vertical;
use crate::setup::{CampaignFacts, NewContract, Place, References, check};

/// Whatever may not be agreed, of what the document changes.
pub(super) fn check(
    document: &Document,
    standing: &Standing,
    merged: &Merged,
    policy: &OutboundPolicy,
) -> Vec<Problem> {
    let checker = Checker::of(&merged.things, policy);
    let mut problems = Vec::new();
    let entries: HashMap<(Noun, Uuid), usize> =
        merged.placed.iter().map(|placed| ((placed.noun, placed.id), placed.entry)).collect();
    let named = |noun: Noun, id: Uuid| entries.contains_key(&(noun, id));
    for placed in &merged.placed {
        let Some(entry) = document.entries.get(placed.entry) else { continue };
        let before = fields_of(&standing.things, placed.noun, placed.id);
        let Some(after) = fields_of(&merged.things, placed.noun, placed.id).filter(|after| before != Some(*after))
        else {
            continue;
        };
        let found = [
            checker.problems(placed, before, after),
            checker.left_behind(placed, after, &named),
            status_change(placed.noun, before, after),
        ];
        problems
            .extend(found.concat().into_iter().map(|found| entry.problem(&found.field, &found.code, found.message)));
    }
    for (noun, first, second) in taken(&merged.things) {
        // The later entry of the two, or the only one.
        let of = |id: Uuid| entries.get(&(noun, id)).and_then(|entry| document.entries.get(*entry));
        if let Some(entry) = [of(first), of(second)].into_iter().flatten().max_by_key(|entry| entry.line) {
            problems.push(entry.problem(
                noun.naming(),
                "TAKEN",
                format!("there is another {noun} of this {}", noun.naming()),
            ));
        }
    }
    problems
}

fn fields_of(things: &Things, noun: Noun, id: Uuid) -> Option<&Fields> {
    things.get(&noun)?.get(&id)
}

/// What has ended stays so.
fn status_change(noun: Noun, before: Option<&Fields>, after: &Fields) -> Vec<FieldProblem> {
    let status = |fields: &Fields| head_text(fields, "status").parse::<Status>().ok();
    let (Some(from), Some(to)) = (before.and_then(status), status(after)) else { return Vec::new() };
    let refused = from.change(noun.as_str(), to).err();
    refused.map(|refused| FieldProblem::new("status", "INVALID_TRANSITION", refused.to_string())).into_iter().collect()
}

struct Checker<'a> {
    things: &'a Things,
    policy: &'a OutboundPolicy,
    references: References,
}

impl<'a> Checker<'a> {
    fn of(things: &'a Things, policy: &'a OutboundPolicy) -> Self {
        let none = BTreeMap::new();
        let all = |noun: Noun| things.get(&noun).unwrap_or(&none).iter();
        let uuid = |fields: &Fields, name: &str| head_text(fields, name).parse::<Uuid>().ok();
        let facts = |fields: &Fields| {
            let vertical = fields_of(things, Noun::Vertical, uuid(fields, "vertical")?)?;
            Some(CampaignFacts {
                country: head_text(fields, "country").to_owned(),
                // A currency that is none is told with its campaign.
                currency: head_text(fields, "currency").parse().unwrap_or(leadyard_types::Currency::EUR),
                terms: typed(Noun::Campaign, fields).ok()?,
                vertical: typed(Noun::Vertical, vertical).ok()?,
            })
        };
        let place = |fields: &Fields| {
            let buyer_id = uuid(fields, "buyer")?;
            Some(Place { buyer_id, kind: head_text(fields, "kind").to_owned() })
        };
        let references = References {
            campaigns: all(Noun::Campaign).filter_map(|(id, fields)| Some((*id, facts(fields)?))).collect(),
            buyers: all(Noun::Buyer).map(|(id, _)| *id).collect(),
            destinations: all(Noun::Destination)
                .filter_map(|(id, fields)| Some((DestinationId(*id), place(fields)?)))
                .collect(),
            sources: all(Noun::Source).map(|(id, fields)| (*id, uuid(fields, "campaign"))).collect(),
            named: named(all(Noun::Contract).map(|(_, fields)| fields)),
        };
        Self { things, policy, references }
    }

    /// What is wrong with one thing.
    fn problems(&self, placed: &Placed, before: Option<&Fields>, fields: &Fields) -> Vec<FieldProblem> {
        let mut problems = check::name("name", head_text(fields, "name"));
        // An address that stands since before there was a rule for it stays; a new one is as the rule says.
        let email = fields.get("email");
        if email != before.and_then(|before| before.get("email")) {
            problems.extend(check::email(email.and_then(Value::as_str)));
        }
        problems.extend(match placed.noun {
            Noun::Vertical => {
                let key = check::key(head_text(fields, "key"));
                [key, terms(placed.noun, fields, |terms: VerticalTerms| check_vertical(&terms))].concat()
            }
            Noun::Campaign => self.campaign(placed.id, fields),
            Noun::Source => terms(placed.noun, fields, |terms: SourceTerms| {
                let campaign = head_text(fields, "campaign").parse().ok();
                let campaign = campaign.and_then(|id: Uuid| self.references.campaigns.get(&id));
                campaign.map(|campaign| check::source(&terms, campaign)).unwrap_or_default()
            }),
            Noun::Buyer => terms(placed.noun, fields, |terms: BuyerTerms| check::buyer(&terms)),
            Noun::Destination => self.destination(fields),
            Noun::Contract => terms(placed.noun, fields, |terms| self.contract(fields, terms)),
            Noun::Supplier | Noun::BuyerGroup => Vec::new(),
        });
        problems
    }

    fn campaign(&self, id: Uuid, fields: &Fields) -> Vec<FieldProblem> {
        let mut problems = check::country(head_text(fields, "country"));
        if let Err(error) = head_text(fields, "currency").parse::<leadyard_types::Currency>() {
            problems.push(FieldProblem::new("currency", "FORMAT", error.to_string()));
        }
        if let Some(facts) = self.references.campaigns.get(&id) {
            problems.extend(check::campaign(&facts.terms, &facts.vertical, self.policy));
        }
        problems
    }

    fn destination(&self, fields: &Fields) -> Vec<FieldProblem> {
        let (Ok(kind), Some(config)) = (head_text(fields, "kind").parse(), fields.get("config")) else {
            return Vec::new();
        };
        let found = check_destination(kind, &config.to_string(), self.policy).err().unwrap_or_default();
        let under = |found: FieldProblem| {
            let field = if found.field == "config" { found.field } else { format!("config.{}", found.field) };
            FieldProblem { field, ..found }
        };
        found.into_iter().map(under).collect()
    }

    fn contract(&self, fields: &Fields, terms: ContractTerms) -> Vec<FieldProblem> {
        let id = |name: &str| head_text(fields, name).parse::<Uuid>().unwrap_or_default();
        let (campaign_id, buyer_id) = (CampaignId(id("campaign")), BuyerId(id("buyer")));
        let ended = terms.status == Status::Archived;
        let new = NewContract { campaign_id, buyer_id, name: head_text(fields, "name").to_owned(), terms };
        let found = self.references.problems(&new).unwrap_or_default();
        // A stage may go, and a destination serve another mode, once its contracts have ended.
        let stands = |found: &FieldProblem| !ended || !matches!(found.code.as_str(), "UNKNOWN_STAGE" | "TEST_MODE");
        found.into_iter().filter(stands).collect()
    }

    /// What a changed vertical or campaign would leave behind in things that the document does not name.
    fn left_behind(&self, placed: &Placed, after: &Fields, named: &dyn Fn(Noun, Uuid) -> bool) -> Vec<FieldProblem> {
        let below = |noun: Noun, within: &'static str| {
            let things = self.things.get(&noun).into_iter().flatten();
            let own = things.filter(move |(_, fields)| head_text(fields, within) == placed.id.to_string());
            own.filter(move |(id, _)| !named(noun, **id)).map(|(_, fields)| fields)
        };
        match placed.noun {
            Noun::Vertical => terms(placed.noun, after, |vertical: VerticalTerms| {
                let campaigns = below(Noun::Campaign, "vertical");
                let lost = |campaign: &Fields| {
                    let terms: CampaignTerms = typed(Noun::Campaign, campaign).ok()?;
                    let key = check::undefined(&terms.duplicates.fields, &vertical).next()?.clone();
                    let name = head_text(campaign, "name");
                    let message = format!("the campaign `{name}` recognises duplicates by the field `{key}`");
                    Some(FieldProblem::new("fields", "IN_USE", message))
                };
                campaigns.filter_map(lost).collect()
            }),
            Noun::Campaign => terms(placed.noun, after, |campaign: CampaignTerms| {
                let stays = |stage: &str| campaign.all_stages().any(|known| known.key == stage);
                let running = below(Noun::Contract, "campaign").filter(|it| head_text(it, "status") != "ARCHIVED");
                let lost: BTreeSet<&str> =
                    running.map(|contract| head_text(contract, "stage")).filter(|stage| !stays(stage)).collect();
                let problem = |stage: &str| {
                    let message = format!("contracts take part in the stage `{stage}`: move them first");
                    FieldProblem::new("stages", "IN_USE", message)
                };
                lost.into_iter().map(problem).collect()
            }),
            _ => Vec::new(),
        }
    }
}

/// The destinations that contracts in test mode, and others, name; those of contracts that have ended left out.
fn named<'a>(contracts: impl Iterator<Item = &'a Fields>) -> HashMap<bool, HashSet<DestinationId>> {
    let mut named: HashMap<bool, HashSet<DestinationId>> = HashMap::new();
    for fields in contracts.filter(|fields| head_text(fields, "status") != Status::Archived.as_str()) {
        let test = fields.get("test").and_then(Value::as_bool).unwrap_or_default();
        let listed = fields.get("destinations").and_then(Value::as_array).into_iter().flatten();
        let ids = listed.chain(fields.get("ping")).filter_map(|id| id.as_str()?.parse().ok());
        named.entry(test).or_default().extend(ids.map(DestinationId));
    }
    named
}

/// A check of terms; that they are terms was made sure before.
fn terms<T: serde::de::DeserializeOwned>(
    noun: Noun,
    fields: &Fields,
    check: impl FnOnce(T) -> Vec<FieldProblem>,
) -> Vec<FieldProblem> {
    typed(noun, fields).map(check).unwrap_or_default()
}
