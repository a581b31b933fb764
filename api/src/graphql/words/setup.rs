//! Words that stand in terms only.

mirror! {
    /// What happens after a stage that sold.
    OnSold = "leadyard_types::OnSold", leadyard_types::OnSold {
        /// Later stages are not tried.
        Stop,
        /// Later stages fill the places that are left.
        Continue,
    }

    /// What the winner of an auction pays.
    Pricing = "leadyard_types::Pricing", leadyard_types::Pricing {
        /// Its own bid.
        First,
        /// The least with which it would still win, plus the increment.
        Second,
    }

    /// Whether one matching field makes a duplicate, or all must match.
    DuplicateMatch = "leadyard_types::terms::DuplicateMatch", leadyard_types::terms::DuplicateMatch {
        /// One of the fields is enough.
        Any,
        /// All of them must match one earlier lead.
        All,
    }

    /// Where earlier leads are looked for.
    DuplicateScope = "leadyard_types::terms::DuplicateScope", leadyard_types::terms::DuplicateScope {
        /// In the same campaign.
        Campaign,
        /// In every campaign of the operator.
        Operator,
    }
}
