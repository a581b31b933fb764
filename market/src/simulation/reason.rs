//! Why a lead goes elsewhere: in words, from what the two routings say about the contracts concerned.

use std::collections::BTreeSet;

use leadyard_types::{Check, ContractId, Method, Money, Refusal, Timestamp};

use super::standing::Standing;
use crate::eligibility;
use crate::explain::MASK;
use crate::rules::facts::LeadFacts;
use crate::rules::normalise::is_personal;
use crate::rules::routing::{Routing, RoutingInput};
use crate::snapshot::Vertical;

/// The longest reason told, in sentences: a shared lead may change all its buyers.
const SENTENCES_MAX: usize = 4;

/// Says why the contracts that bought no longer do, and why those that do now did not.
pub(super) fn reason(
    standing: &Standing,
    (facts, now): &(LeadFacts, Timestamp),
    before: (&RoutingInput, &Routing),
    after: (&RoutingInput, &Routing),
    (was, is): (&BTreeSet<ContractId>, &BTreeSet<ContractId>),
) -> String {
    let lost = was.difference(is).map(|id| {
        let why = match in_words(standing, after, *id, is) {
            Some(why) => why,
            None => match standing.contract(*id) {
                Some((contract, buyer)) => {
                    let vertical = standing.vertical(contract.campaign_id);
                    let refusal = eligibility::refusal(contract, buyer, facts, *now);
                    let told = refusal.map(|refusal| told(&masked(refusal, facts, vertical)));
                    told.unwrap_or_else(|| "it is not in the campaign".to_owned())
                }
                None => "it is not there".to_owned(),
            },
        };
        format!("{}: {why}", standing.contract_name(*id))
    });
    let gained = is.difference(was).map(|id| {
        let why = in_words(standing, before, *id, was).unwrap_or_else(|| "its terms did not fit".to_owned());
        format!("{} buys at {}, before: {why}", standing.contract_name(*id), price(after, *id))
    });
    let sentences: Vec<String> = lost.chain(gained).take(SENTENCES_MAX).collect();
    sentences.join("; ")
}

/// Why a contract did not buy in a routing; `None` where it was no candidate.
fn in_words(
    standing: &Standing,
    (input, routing): (&RoutingInput, &Routing),
    id: ContractId,
    buyers: &BTreeSet<ContractId>,
) -> Option<String> {
    let verdict = routing.verdicts.iter().find(|verdict| verdict.contract_id == id)?;
    let refusal = verdict.refusal.as_ref()?;
    if refusal.check != Check::NotChosen {
        return Some(told(refusal));
    }
    let stage = input.stages.iter().find(|stage| stage.key == verdict.stage);
    let others: Vec<String> = buyers.iter().map(|id| standing.contract_name(*id)).collect();
    if others.is_empty() {
        return Some(told(refusal));
    }
    let others = others.join(", ");
    let winners = routing.winners.iter().map(|winner| &input.candidates[winner.position].stage);
    if !winners.into_iter().any(|stage| *stage == verdict.stage) {
        return Some(format!("an earlier stage sells to {others}"));
    }
    Some(match stage.map(|stage| stage.method) {
        Some(Method::Auction) => {
            let least = verdict.would_win_at_minor;
            let least = least.map(|minor| format!(", {} would have won", Money::new(minor, currency(input))));
            format!("outbid by {others}{}", least.unwrap_or_default())
        }
        Some(Method::Waterfall) => format!("{others} comes first by priority"),
        _ => format!("it is the turn of {others}"),
    })
}

fn currency(input: &RoutingInput) -> leadyard_types::Currency {
    input.candidates.first().map_or(leadyard_types::Currency::EUR, |candidate| candidate.price.currency)
}

/// What a contract pays in a routing, with the rule that set the price.
fn price((input, routing): (&RoutingInput, &Routing), id: ContractId) -> String {
    let winner = routing.winners.iter().find(|winner| input.candidates[winner.position].contract_id == id);
    winner.map_or_else(String::new, |winner| {
        let candidate = &input.candidates[winner.position];
        let price = Money::new(winner.price_minor, candidate.price.currency);
        match &candidate.price_rule {
            Some(rule) => format!("{price} (price rule {rule})"),
            None => price.to_string(),
        }
    })
}

/// A refusal with what it saw.
fn told(refusal: &Refusal) -> String {
    let seen: Vec<String> = refusal.seen.iter().map(|seen| format!("{}: {}", seen.name, seen.value)).collect();
    if seen.is_empty() { refusal.message.clone() } else { format!("{} ({})", refusal.message, seen.join(", ")) }
}

/// A refusal without what filters saw of the person: a simulation shows that to nobody.
fn masked(mut refusal: Refusal, facts: &LeadFacts, vertical: Option<&Vertical>) -> Refusal {
    let personal = |name: &str| vertical.is_none_or(|vertical| is_personal(&vertical.terms, name));
    if refusal.check == Check::Filters {
        for seen in refusal.seen.iter_mut().filter(|seen| facts.fields.contains_key(&seen.name)) {
            if personal(&seen.name) {
                MASK.clone_into(&mut seen.value);
            }
        }
    }
    refusal
}
