//! Global ids: `Lead:0198…`, the kind of a thing and its id. Clients treat them as opaque; people who read logs do not
//! have to.

use async_graphql::ID;
use uuid::Uuid;

/// What a global id can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Vertical,
    Campaign,
    Supplier,
    Source,
    Buyer,
    BuyerGroup,
    Contract,
    Destination,
    Lead,
    Decision,
    Sale,
    Delivery,
    Complaint,
    Wallet,
    Transfer,
    Hold,
    Consent,
    Conversion,
    SuppressionEntry,
    User,
    Invitation,
    Session,
    SourceKey,
    ApiKey,
}

impl Kind {
    /// Every kind, as its type is called.
    const ALL: [(Kind, &'static str); 24] = [
        (Kind::Vertical, "Vertical"),
        (Kind::Campaign, "Campaign"),
        (Kind::Supplier, "Supplier"),
        (Kind::Source, "Source"),
        (Kind::Buyer, "Buyer"),
        (Kind::BuyerGroup, "BuyerGroup"),
        (Kind::Contract, "Contract"),
        (Kind::Destination, "Destination"),
        (Kind::Lead, "Lead"),
        (Kind::Decision, "Decision"),
        (Kind::Sale, "Sale"),
        (Kind::Delivery, "Delivery"),
        (Kind::Complaint, "Complaint"),
        (Kind::Wallet, "Wallet"),
        (Kind::Transfer, "Transfer"),
        (Kind::Hold, "Hold"),
        (Kind::Consent, "Consent"),
        (Kind::Conversion, "Conversion"),
        (Kind::SuppressionEntry, "SuppressionEntry"),
        (Kind::User, "User"),
        (Kind::Invitation, "Invitation"),
        (Kind::Session, "Session"),
        (Kind::SourceKey, "SourceKey"),
        (Kind::ApiKey, "ApiKey"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// The global id of one thing of this kind.
    pub(crate) fn id(self, id: Uuid) -> ID {
        ID(format!("{}:{id}", self.name()))
    }

    /// The id in a global id of this kind. An id as the REST interface answers it, without its kind, is understood too.
    /// Anything else names nothing.
    pub(crate) fn read(self, id: &ID) -> Option<Uuid> {
        let plain = id.strip_prefix(self.name()).and_then(|rest| rest.strip_prefix(':')).unwrap_or(id);
        Uuid::try_parse(plain).ok()
    }

    /// What any global id names.
    pub(crate) fn of(id: &ID) -> Option<(Kind, Uuid)> {
        let (name, id) = id.split_once(':')?;
        let (kind, _) = Self::ALL.iter().find(|(_, known)| *known == name)?;
        Some((*kind, Uuid::try_parse(id).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A global id names one thing of one kind; the id of another kind, or of nothing, names nothing.
    #[test]
    fn an_id_names_one_thing_of_one_kind() {
        let id = Uuid::from_u128(7);
        for (kind, name) in Kind::ALL {
            let global = kind.id(id);
            assert_eq!((kind.read(&global), Kind::of(&global), kind.name()), (Some(id), Some((kind, id)), name));
        }
        assert_eq!(Kind::Lead.read(&Kind::Sale.id(id)), None);
        assert_eq!(Kind::Lead.read(&ID(id.to_string())), Some(id));
        for bad in ["", ":", "Lead:", "Lead:7", "Nobody:00000000-0000-0000-0000-000000000007", "Ä"] {
            assert_eq!((Kind::Lead.read(&ID(bad.to_owned())), Kind::of(&ID(bad.to_owned()))), (None, None));
        }
    }
}
