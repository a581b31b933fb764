//! Principals: on whose behalf rows are reached.

use serde::{Deserialize, Serialize};

use crate::id::{ApiKeyId, BuyerId, SourceId, SupplierId, UserId};
use crate::words;

words! {
    /// What a user may do.
    pub enum Role("role") {
        /// Everything.
        Admin = "ADMIN",
        /// Runs the market; no money out.
        Manager = "MANAGER",
        /// Money; no routing.
        Finance = "FINANCE",
        /// Reads, with personal data masked.
        Analyst = "ANALYST",
        /// A buyer's administrator.
        BuyerAdmin = "BUYER_ADMIN",
        /// A buyer's user.
        BuyerUser = "BUYER_USER",
        /// A supplier's user.
        Supplier = "SUPPLIER",
    }
}

impl Role {
    /// Whether the role belongs to the operator.
    #[must_use]
    pub const fn is_staff(self) -> bool {
        matches!(self, Self::Admin | Self::Manager | Self::Finance | Self::Analyst)
    }

    /// Whether the role belongs to a buyer.
    #[must_use]
    pub const fn is_buyer(self) -> bool {
        matches!(self, Self::BuyerAdmin | Self::BuyerUser)
    }

    /// Whether personal data is shown unmasked.
    #[must_use]
    pub const fn sees_personal_data(self) -> bool {
        !matches!(self, Self::Analyst | Self::Finance | Self::Supplier)
    }
}

words! {
    /// Work the system does on nobody's behalf: a closed list, each used only in its named call sites
    /// (`decisions` 24 of the design; the tidy test holds the list).
    pub enum SystemTask("system task") {
        /// Finding out who is calling.
        Authenticate = "AUTHENTICATE",
        /// Taking in and placing leads.
        Place = "PLACE",
        /// Bringing sold leads to destinations.
        Deliver = "DELIVER",
        /// Bringing things that were left in between to an end.
        Reconcile = "RECONCILE",
        /// The administrator at the command line of the machine itself.
        Operate = "OPERATE",
    }
}

/// Who is asking. Every row is reached through one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Principal {
    /// The operator's staff.
    Staff {
        /// Who.
        user_id: UserId,
        /// As what.
        role: Role,
        /// By which of their keys, where a key asks and not the person.
        #[serde(default)]
        key: Option<ApiKeyId>,
    },
    /// A buyer's user: sees the buyer's own.
    Buyer {
        /// Who.
        user_id: UserId,
        /// As what.
        role: Role,
        /// Of which buyer.
        buyer_id: BuyerId,
        /// By which of their keys, where a key asks and not the person.
        #[serde(default)]
        key: Option<ApiKeyId>,
    },
    /// A supplier's user: sees the supplier's own.
    Supplier {
        /// Who.
        user_id: UserId,
        /// Of which supplier.
        supplier_id: SupplierId,
        /// By which of their keys, where a key asks and not the person.
        #[serde(default)]
        key: Option<ApiKeyId>,
    },
    /// A source's API key: sends leads and reads back their answers.
    Source {
        /// Which source.
        source_id: SourceId,
    },
    /// The system itself.
    System(SystemTask),
}

impl Principal {
    /// The user's role, where a user is asking.
    #[must_use]
    pub const fn role(&self) -> Option<Role> {
        match self {
            Self::Staff { role, .. } | Self::Buyer { role, .. } => Some(*role),
            Self::Supplier { .. } => Some(Role::Supplier),
            Self::Source { .. } | Self::System(_) => None,
        }
    }

    /// The user, where a user is asking.
    #[must_use]
    pub const fn user_id(&self) -> Option<UserId> {
        match self {
            Self::Staff { user_id, .. } | Self::Buyer { user_id, .. } | Self::Supplier { user_id, .. } => {
                Some(*user_id)
            }
            Self::Source { .. } | Self::System(_) => None,
        }
    }

    /// The user's key, where a key asks and not the person.
    #[must_use]
    pub const fn key(&self) -> Option<ApiKeyId> {
        match self {
            Self::Staff { key, .. } | Self::Buyer { key, .. } | Self::Supplier { key, .. } => *key,
            Self::Source { .. } | Self::System(_) => None,
        }
    }

    /// The same user by one of their keys.
    #[must_use]
    pub const fn by_key(mut self, by: ApiKeyId) -> Self {
        if let Self::Staff { key, .. } | Self::Buyer { key, .. } | Self::Supplier { key, .. } = &mut self {
            *key = Some(by);
        }
        self
    }

    /// Whether personal data is shown unmasked.
    #[must_use]
    pub const fn sees_personal_data(&self) -> bool {
        match self {
            Self::Staff { role, .. } | Self::Buyer { role, .. } => role.sees_personal_data(),
            Self::System(_) => true,
            Self::Supplier { .. } | Self::Source { .. } => false,
        }
    }

    /// How the audit names it: `user:…`, `source:…` or `system:PLACE`.
    #[must_use]
    pub fn audit_name(&self) -> String {
        match self {
            Self::Staff { user_id, .. } | Self::Buyer { user_id, .. } | Self::Supplier { user_id, .. } => {
                format!("user:{user_id}")
            }
            Self::Source { source_id } => format!("source:{source_id}"),
            Self::System(task) => format!("system:{task}"),
        }
    }
}
