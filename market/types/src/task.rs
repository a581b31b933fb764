//! Tasks: background work as stored. Payloads hold ids only, never a person's data.

use serde::{Deserialize, Serialize};

use crate::id::{CampaignId, DeliveryId, InvitationId, LeadId, PasswordResetId, SaleId};

/// What a task asks for. The tag carries the version, so that old rows drain after an upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "task")]
pub enum TaskPayload {
    /// Bring a delivery to its destination.
    #[serde(rename = "deliver.v1")]
    Deliver {
        /// The delivery.
        delivery_id: DeliveryId,
    },
    /// Ask a buyer for the verdict on a pending sale, once; a crash in between makes it unknown.
    #[serde(rename = "post.v1")]
    Post {
        /// The sale whose verdict is asked.
        sale_id: SaleId,
        /// The delivery that asks.
        delivery_id: DeliveryId,
    },
    /// Offer a lead to the market again: queued, released or reprocessed, or refused by a buyer.
    #[serde(rename = "place.v1")]
    Place {
        /// The lead.
        lead_id: LeadId,
    },
    /// Offer the leads of a campaign that wait, now: something changed that may make them sellable.
    #[serde(rename = "wake.v1")]
    Wake {
        /// The campaign.
        campaign_id: CampaignId,
    },
    /// Ask a buyer what became of a lead whose answer was lost.
    #[serde(rename = "ask_status.v1")]
    AskStatus {
        /// The sale whose answer was lost.
        sale_id: SaleId,
        /// The delivery that asked.
        delivery_id: DeliveryId,
    },
    /// End an unknown sale's hold when its window is over.
    #[serde(rename = "expire_unknown.v1")]
    ExpireUnknown {
        /// The sale.
        sale_id: SaleId,
    },
    /// Send an invitation by mail.
    #[serde(rename = "mail_invitation.v1")]
    MailInvitation {
        /// The invitation.
        invitation_id: InvitationId,
    },
    /// Send the link by which a user chooses a new password by mail.
    #[serde(rename = "mail_reset.v1")]
    MailReset {
        /// The right to choose one.
        reset_id: PasswordResetId,
    },
}

impl TaskPayload {
    /// The tag, as stored in the task's `kind` column.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Deliver { .. } => "deliver.v1",
            Self::Post { .. } => "post.v1",
            Self::Place { .. } => "place.v1",
            Self::Wake { .. } => "wake.v1",
            Self::AskStatus { .. } => "ask_status.v1",
            Self::ExpireUnknown { .. } => "expire_unknown.v1",
            Self::MailInvitation { .. } => "mail_invitation.v1",
            Self::MailReset { .. } => "mail_reset.v1",
        }
    }
}
