//! Letters to people who sign in: invitations, and links to choose a new password. At least once: a letter whose answer
//! was lost is sent again, with the same id and the same link, so that whoever gets it twice has one.

use chrono::Duration;
use leadyard_connectors::{Attempted, Letter, PostOffice};
use leadyard_entity::StoreResult;
use leadyard_entity::tasks::{Claimed, TaskEnd};
use leadyard_types::{DeliveryOutcome, InvitationId, MailState, PasswordResetId, Timestamp};

use super::{Courier, DELIVER, Failure, LaneHealth, in_time};
use crate::market::Market;
use crate::patience::patiently;
use crate::rules::letter::{Texts, invitation_texts, reset_texts};

/// The lane of letters.
pub(crate) const MAIL_LANE: &str = "mail";

/// The first pause before a letter is tried again: whoever asked for it is waiting for it.
const PAUSE_SECONDS: i64 = 10;
/// The longest: a mail server may be away for a night.
const PAUSE_SECONDS_MAX: i64 = 4 * 60 * 60;

/// What is to be sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// An invitation.
    Invitation(InvitationId),
    /// A link to choose a new password.
    Reset(PasswordResetId),
}

impl Courier {
    /// Sends a letter, if it is still worth sending.
    pub(super) async fn letter(&self, task: &Claimed, kind: Kind) -> Result<LaneHealth, Failure> {
        let (now, office) = (self.market.clock().now(), self.connectors.post.as_ref());
        let letter = match office {
            Some(office) => self.market.letter(office, kind).await?,
            None => self.market.is_letter_open(kind).await?.then_some(None),
        };
        let (end, state) = match (letter, office) {
            // Accepted meanwhile, ended, or too late.
            (None, _) => (TaskEnd::Done, Some(MailState::Failed)),
            (Some(Some(letter)), Some(office)) => outcome(task, &in_time(office.send(&letter, now)).await, now),
            (Some(_), _) => (again(task, now, "no mail server is configured for letters"), None),
        };
        patiently(self.patience, || self.market.settle_letter(task, kind, &end, state))
            .await
            .map_err(Failure::after_sending)?;
        Ok(LaneHealth::Unknown)
    }
}

/// What an attempt means for the task and for the letter.
fn outcome(task: &Claimed, attempted: &Attempted, now: Timestamp) -> (TaskEnd, Option<MailState>) {
    let error = attempted.error.as_deref().unwrap_or("the mail server did not take it");
    match attempted.outcome {
        DeliveryOutcome::Accepted | DeliveryOutcome::Duplicate => (TaskEnd::Done, Some(MailState::Sent)),
        DeliveryOutcome::Rejected | DeliveryOutcome::Misconfigured | DeliveryOutcome::Gone => {
            tracing::warn!(error, task = %task.id, status = attempted.status, "a letter was refused");
            metrics::counter!("leadyard_letters_refused_total").increment(1);
            (TaskEnd::Done, Some(MailState::Failed))
        }
        DeliveryOutcome::Retry | DeliveryOutcome::Unknown | DeliveryOutcome::AuthorisationExpired => {
            tracing::warn!(error, task = %task.id, status = attempted.status, "a letter is tried again");
            (again(task, now, error), None)
        }
    }
}

/// Twice as long each time.
fn again(task: &Claimed, now: Timestamp, error: &str) -> TaskEnd {
    let doubled = PAUSE_SECONDS << task.attempts.clamp(1, 20).saturating_sub(1);
    let run_at = now + Duration::seconds(doubled.min(PAUSE_SECONDS_MAX));
    TaskEnd::Again { run_at, error: Some(error.to_owned()) }
}

impl Market {
    /// Whether letters are sent to people who sign in.
    #[must_use]
    pub fn mails(&self) -> bool {
        self.bidders.get().is_some_and(|connectors| connectors.post.is_some())
    }

    /// The letter as it is to be sent. The outer `Option` of the answer: whether it is still worth sending.
    async fn letter(&self, office: &PostOffice, kind: Kind) -> StoreResult<Option<Option<Letter>>> {
        let read = self.store.read(DELIVER);
        let letter = |id, to: String, Texts { subject, text }| Some(Some(Letter { id, to, subject, text }));
        Ok(match kind {
            Kind::Invitation(id) => read.invitation_letter(id).await?.and_then(|open| {
                let link = office.link("invitation", &open.token);
                letter(id.0, open.to, invitation_texts(office.links_to(), open.role, &link, open.expires_at))
            }),
            Kind::Reset(id) => read.reset_letter(id).await?.and_then(|open| {
                let link = office.link("password-reset", &open.token);
                letter(id.0, open.to, reset_texts(office.links_to(), &link, open.expires_at))
            }),
        })
    }

    async fn is_letter_open(&self, kind: Kind) -> StoreResult<bool> {
        let read = self.store.read(DELIVER);
        Ok(match kind {
            Kind::Invitation(id) => read.invitation_letter(id).await?.is_some(),
            Kind::Reset(id) => read.reset_letter(id).await?.is_some(),
        })
    }

    /// Ends the task's claim, and says how the letter stands. Whose lease is over changes nothing.
    pub(super) async fn settle_letter(
        &self,
        task: &Claimed,
        kind: Kind,
        end: &TaskEnd,
        state: Option<MailState>,
    ) -> StoreResult<()> {
        let write = self.store.write(DELIVER).await?;
        if !write.end_task(task, end).await? {
            return write.rollback().await;
        }
        if let (Kind::Invitation(id), Some(state)) = (kind, state) {
            write.note_mail(id, state).await?;
        }
        let _ = write.commit().await?;
        Ok(())
    }
}
