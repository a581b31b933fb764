//! What an attempt leads to: pure.

use leadyard_connectors::{Attempted, next_attempt};
use leadyard_entity::deliveries::{AttemptEnd, DeliveryFacts, DestinationNews, SettledAttempt};
use leadyard_entity::model::delivery;
use leadyard_entity::placement::NewEvent;
use leadyard_entity::tasks::{Claimed, TaskEnd};
use leadyard_types::lead::LeadEventKind;
use leadyard_types::{DeliveryId, DeliveryOutcome, DeliveryState, DestinationId, LeadId, Timestamp};
use serde_json::json;

use super::{Attempt, Refused, ids};

const GONE: &str = "the destination answered that it is gone (410)";
const UNAUTHORISED: &str = "the destination does not accept our authorisation any more";

/// An attempt's end as it is stored.
pub(super) fn attempt_end(attempted: &Attempted) -> AttemptEnd {
    AttemptEnd {
        outcome: attempted.outcome,
        status_code: attempted.status.map(i64::from),
        duration_ms: i64::try_from(attempted.duration.as_millis()).unwrap_or(i64::MAX),
        answer: attempted.answer_excerpt.clone(),
        error: attempted.error.clone().or_else(|| attempted.reason.clone()),
    }
}

/// A delivery that is settled without an attempt of its own.
pub(super) fn refused(task: &Claimed, facts: &DeliveryFacts, refused: Refused) -> SettledAttempt {
    let waits = refused == Refused::Parked;
    let (delivery_id, destination_id, lead_id) = ids(facts);
    let reason = match refused {
        Refused::Parked => "the destination is parked",
        Refused::Ended => "the destination was ended",
        Refused::Erased => "the person was erased",
        Refused::Interrupted => "an earlier attempt was interrupted",
    };
    let detail = json!({ "delivery_id": delivery_id, "destination_id": destination_id, "reason": reason });
    SettledAttempt {
        held: task.held(),
        // A delivery to a parked destination waits without a task; resuming the destination gives it one.
        task_end: if waits { TaskEnd::Parked } else { TaskEnd::Done },
        attempt: None,
        delivery_id,
        state: if waits { DeliveryState::Pending } else { DeliveryState::Dead },
        next_attempt_at: None,
        reference: None,
        lead_id,
        event: (!waits).then_some(NewEvent { lead_id, kind: LeadEventKind::DeliveryDead, detail }),
        destination_id,
        news: DestinationNews::None,
    }
}

/// A delivery that is given up without an attempt of its own, by our own fault. Its task stays for people to look at.
pub(super) fn given_up(task: &Claimed, delivery: &delivery::Model, error: &str) -> SettledAttempt {
    let (delivery_id, lead_id) = (DeliveryId(delivery.id), LeadId(delivery.lead_id));
    let destination_id = DestinationId(delivery.destination_id);
    SettledAttempt {
        held: task.held(),
        task_end: TaskEnd::Dead { error: error.to_owned() },
        attempt: None,
        delivery_id,
        state: DeliveryState::Dead,
        next_attempt_at: None,
        reference: None,
        lead_id,
        event: Some(given_up_event(delivery, error)),
        destination_id,
        news: DestinationNews::None,
    }
}

/// The step in the lead's timeline.
pub(super) fn given_up_event(delivery: &delivery::Model, reason: &str) -> NewEvent {
    let detail = json!({ "delivery_id": delivery.id, "destination_id": delivery.destination_id,
        "attempts": delivery.attempts, "reason": reason });
    NewEvent { lead_id: LeadId(delivery.lead_id), kind: LeadEventKind::DeliveryDead, detail }
}

/// Where a delivery goes after an attempt.
struct Next {
    state: DeliveryState,
    next_at: Option<Timestamp>,
    event: Option<LeadEventKind>,
    news: DestinationNews,
}

/// An attempt's end with everything that follows from it.
pub(super) fn settled(task: &Claimed, attempt: &Attempt, attempted: &Attempted, now: Timestamp) -> SettledAttempt {
    let next = next(task, attempt, attempted, now);
    let (delivery_id, destination_id, lead_id) = ids(&attempt.facts);
    let detail = json!({ "delivery_id": delivery_id, "destination_id": destination_id, "attempts": attempt.number,
        "outcome": attempted.outcome });
    if next.state == DeliveryState::Dead {
        tracing::warn!(%delivery_id, attempts = attempt.number, "a delivery was given up; staff can replay it");
    }
    SettledAttempt {
        held: task.held(),
        task_end: match next.next_at {
            Some(run_at) => TaskEnd::Again { run_at, error: attempted.error.clone() },
            None if next.state == DeliveryState::Pending => TaskEnd::Parked,
            None => TaskEnd::Done,
        },
        attempt: Some((attempt.id, attempt_end(attempted))),
        delivery_id,
        state: next.state,
        next_attempt_at: next.next_at,
        reference: attempted.reference.clone(),
        lead_id,
        event: next.event.map(|kind| NewEvent { lead_id, kind, detail }),
        destination_id,
        news: next.news,
    }
}

fn next(task: &Claimed, attempt: &Attempt, attempted: &Attempted, now: Timestamp) -> Next {
    use DeliveryOutcome as Outcome;
    let ends = |state, event, news| Next { state, next_at: None, event: Some(event), news };
    match attempted.outcome {
        Outcome::Accepted | Outcome::Duplicate => {
            ends(DeliveryState::Accepted, LeadEventKind::Delivered, DestinationNews::Well)
        }
        // It answers, and it says no.
        Outcome::Rejected => ends(DeliveryState::Rejected, LeadEventKind::DeliveryDead, DestinationNews::Well),
        // This lead or these settings: another lead may well pass, so the destination is not to blame.
        Outcome::Misconfigured => ends(DeliveryState::Dead, LeadEventKind::DeliveryDead, DestinationNews::None),
        // The destination is parked, and what waits for it waits until somebody takes it up again.
        Outcome::Gone => parked(GONE),
        Outcome::AuthorisationExpired => parked(UNAUTHORISED),
        // Unknown: the receiver recognises the delivery's id, so sending again is safe.
        Outcome::Retry | Outcome::Unknown => {
            let made = u32::try_from(task.attempts).unwrap_or(u32::MAX);
            // The jitter comes from the attempt's id: spread over attempts, the same where ids repeat.
            let pause = next_attempt(made, attempted.retry_after, attempt.id.0.as_u64_pair().1);
            let pause = pause.and_then(|pause| chrono::Duration::from_std(pause).ok());
            match pause {
                Some(pause) => Next {
                    state: DeliveryState::Pending,
                    next_at: Some(now + pause),
                    event: None,
                    news: DestinationNews::Failing,
                },
                None => ends(DeliveryState::Dead, LeadEventKind::DeliveryDead, DestinationNews::Failing),
            }
        }
    }
}

fn parked(notice: &str) -> Next {
    Next { state: DeliveryState::Pending, next_at: None, event: None, news: DestinationNews::Park(notice.to_owned()) }
}
