//! The orders of lists.

use async_graphql::Enum;
use leadyard_entity::read;

macro_rules! orders {
    ($($(#[$meta:meta])* $name:ident = $path:literal { $($(#[$vmeta:meta])* $variant:ident),+ $(,)? })+) => {$(
        $(#[$meta])*
        #[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, Default)]
        #[graphql(remote = $path)]
        pub(crate) enum $name { $($(#[$vmeta])* $variant),+ }
    )+};
}

orders! {
    /// The order of things that have a name.
    NameOrder = "read::NameOrder" {
        /// By name, A first.
        #[default]
        Name,
        /// The newest first.
        Newest,
    }

    /// The order of things that happened.
    TimeOrder = "read::TimeOrder" {
        /// The newest first.
        #[default]
        Newest,
        /// The oldest first.
        Oldest,
    }

    /// The order of sales.
    SaleOrder = "read::SaleOrder" {
        /// The newest first.
        #[default]
        Newest,
        /// The oldest first.
        Oldest,
        /// The dearest first.
        Price,
        /// The cheapest first.
        Cheapest,
    }
}
