//! Which columns of wide rows a question needs: what it selects is looked at before the rows are read.

use async_graphql::{Context, Result, SelectionField};
use leadyard_entity::read::{Columns, NotRead, Parted};

use super::errors::internal;

/// A type that stands on a wide row, and which of its columns each of its fields needs.
pub(crate) trait Shown {
    /// The table.
    type Table: Parted;

    /// What a field needs beside the id. A name that is not known needs all: what is too much is slow, what is too little is
    /// an error.
    fn needed(field: &str) -> Columns<Self::Table>;
}

/// What is needed where the field being answered is an item itself, or a list of them.
pub(crate) fn of_item<T: Shown>(ctx: &Context<'_>) -> Columns<T::Table> {
    selected::<T>(ctx.field())
}

/// What is needed where the field being answered is a connection: of its nodes, and of the nodes of its edges.
pub(crate) fn of_connection<T: Shown>(ctx: &Context<'_>) -> Columns<T::Table> {
    let connection = ctx.field();
    let parts = connection.selection_set().flat_map(|part| match part.name() {
        "nodes" => vec![part],
        "edges" => part.selection_set().filter(|inner| inner.name() == "node").collect(),
        _ => Vec::new(),
    });
    parts.fold(Columns::NONE, |all, item| all.or(selected::<T>(item)))
}

/// A column that the question needed, and so was read.
pub(crate) fn column<T>(read: std::result::Result<&T, NotRead>) -> Result<&T> {
    read.map_err(internal)
}

fn selected<T: Shown>(item: SelectionField<'_>) -> Columns<T::Table> {
    item.selection_set().fold(Columns::NONE, |all, field| all.or(T::needed(field.name())))
}

/// `shown! { Sale of sale { "lead": [LeadId], … } }`: the type `Sale` stands on some columns of its row, and so do its fields.
macro_rules! shown {
    (
        $(#[$meta:meta])*
        $name:ident of $table:ident { $($field:literal: [$($column:ident),*]),+ $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, async_graphql::Description)]
        pub(crate) struct $name(pub(crate) std::sync::Arc<leadyard_entity::read::Part<$table::Entity>>);

        impl $crate::graphql::columns::Shown for $name {
            type Table = $table::Entity;

            fn needed(field: &str) -> leadyard_entity::read::Columns<$table::Entity> {
                match field {
                    "id" | "__typename" => leadyard_entity::read::Columns::NONE,
                    $($field => leadyard_entity::read::Columns::of(&[$($table::Column::$column),*]),)+
                    _ => leadyard_entity::read::Columns::ALL,
                }
            }
        }
    };
}
pub(crate) use shown;
