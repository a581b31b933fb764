//! What one attempt came to.

use std::time::Duration;

use leadyard_types::DeliveryOutcome;

/// One attempt of a delivery, ready to be stored: nothing in it is about the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempted {
    /// What happens next.
    pub outcome: DeliveryOutcome,
    /// The status of the answer (HTTP or SMTP), if there was one.
    pub status: Option<u16>,
    /// How long the other side asks us to wait.
    pub retry_after: Option<Duration>,
    /// How long the attempt took.
    pub duration: Duration,
    /// A redacted, short, printable excerpt of the answer.
    pub answer_excerpt: Option<String>,
    /// How many bytes of an answer were read.
    pub answer_bytes: usize,
    /// What went wrong, for the operator: a fixed text.
    pub error: Option<String>,
    /// The other side's own mark of the lead, if it gave one.
    pub reference: Option<String>,
    /// Why the other side refused, redacted.
    pub reason: Option<String>,
}

impl Attempted {
    /// An attempt that came to this, with nothing else known.
    #[must_use]
    pub fn of(outcome: DeliveryOutcome) -> Self {
        Self {
            outcome,
            status: None,
            retry_after: None,
            duration: Duration::ZERO,
            answer_excerpt: None,
            answer_bytes: 0,
            error: None,
            reference: None,
            reason: None,
        }
    }

    /// The destination cannot be asked as it is configured.
    #[must_use]
    pub fn misconfigured(error: impl Into<String>) -> Self {
        Self::of(DeliveryOutcome::Misconfigured).because(error)
    }

    /// Says what went wrong.
    #[must_use]
    pub fn because(mut self, error: impl Into<String>) -> Self {
        self.error = Some(error.into());
        self
    }

    /// Says how long it took.
    #[must_use]
    pub fn lasting(mut self, duration: Duration) -> Self {
        self.duration = duration;
        self
    }
}
