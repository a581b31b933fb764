//! Relay connections: a type per noun, one way to page.

use async_graphql::{Result, SimpleObject};
use leadyard_entity::read::{Cursor, Listed, PageArgs};

use super::errors::fixed;
use super::loaders::Inside;

/// The most items a page holds.
pub(crate) const PAGE_MAX: i32 = 100;

/// Where a page stands in its list.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(name = "PageInfo")]
pub(crate) struct PageInfo {
    /// Whether there is more behind this page.
    pub(crate) has_next_page: bool,
    /// Whether there is more before this page.
    pub(crate) has_previous_page: bool,
    /// The cursor of the first item; pass it as `before` to page backward.
    pub(crate) start_cursor: Option<String>,
    /// The cursor of the last item; pass it as `after` to page forward.
    pub(crate) end_cursor: Option<String>,
}

/// The arguments of a page as they were sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Paging {
    pub(crate) first: Option<i32>,
    pub(crate) after: Option<String>,
    pub(crate) last: Option<i32>,
    pub(crate) before: Option<String>,
}

impl Paging {
    /// The page asked for: `first` or `last`, one of them, 1 to 100; cursors only as they were handed out.
    pub(crate) fn read<E: Listed>(self, order: E::Order) -> Result<PageArgs> {
        self.places(|cursor| E::fits(cursor, order))
    }

    /// The same, for a list that knows its own cursors.
    pub(crate) fn places(self, fits: impl Fn(&Cursor) -> bool) -> Result<PageArgs> {
        let (limit, backward) = match (self.first, self.last) {
            (Some(first), None) => (first, false),
            (None, Some(last)) => (last, true),
            _ => return Err(fixed("PAGE_SIZE_REQUIRED", "either first or last is required, 1 to 100")),
        };
        let limit = u32::try_from(limit)
            .ok()
            .filter(|limit| (1..=PAGE_MAX.unsigned_abs()).contains(limit))
            .ok_or_else(|| fixed("PAGE_SIZE_INVALID", "first and last take 1 to 100"))?;
        let place = |text: Option<String>| {
            let invalid = || fixed("CURSOR_INVALID", "a cursor of this list and order is expected");
            let cursor = text.map(|text| text.parse::<Cursor>().map_err(|()| invalid())).transpose()?;
            if cursor.as_ref().is_none_or(&fits) { Ok(cursor) } else { Err(invalid()) }
        };
        Ok(PageArgs { limit, backward, after: place(self.after)?, before: place(self.before)? })
    }
}

/// How a connection counts its whole list, if it is asked to.
#[derive(Debug, Clone)]
pub(crate) enum Counted<F> {
    /// A list of its own.
    Filter(F),
    /// A list inside another thing: counted together with those of its siblings.
    Inside(Inside),
}

/// A count as GraphQL knows numbers.
pub(crate) fn count(rows: u64) -> i32 {
    i32::try_from(rows).unwrap_or(i32::MAX)
}

/// A connection over a table: `connection!(LeadConnection, LeadEdge, Lead of lead, "what the list is", "what an item is")`;
/// of a table of wide rows, `Lead of parts of lead`.
macro_rules! connection {
    // What is read of a row, a page of it, and where a row stands.
    (@row whole $table:ident) => { $table::Model };
    (@row parts $table:ident) => { leadyard_entity::read::Part<$table::Entity> };
    (@page whole $node:ident of $table:ident, $ctx:ident, $read:ident, $filter:expr, $order:expr, $args:expr) => {
        $read.page::<$table::Entity>($filter, $order, $args)
    };
    (@page parts $node:ident of $table:ident, $ctx:ident, $read:ident, $filter:expr, $order:expr, $args:expr) => {{
        let columns = $crate::graphql::columns::of_connection::<$node>($ctx);
        $read.part_page::<$table::Entity>($filter, $order, $args, columns)
    }};
    (@cursor whole $table:ident, $row:expr, $order:expr) => {
        <$table::Entity as leadyard_entity::read::Listed>::cursor($row, $order)
    };
    (@cursor parts $table:ident, $row:expr, $order:expr) => { $row.cursor($order) };
    ($connection:ident, $edge:ident, $node:ident of $table:ident, $list:literal, $item:literal) => {
        $crate::graphql::connection::connection!(@make whole $connection, $edge, $node of $table, $list, $item);
    };
    ($connection:ident, $edge:ident, $node:ident of parts of $table:ident, $list:literal, $item:literal) => {
        $crate::graphql::connection::connection!(@make parts $connection, $edge, $node of $table, $list, $item);
    };
    (@make $kind:ident $connection:ident, $edge:ident, $node:ident of $table:ident, $list:literal, $item:literal) => {
        #[doc = $list]
        #[derive(Debug, Clone, async_graphql::Description)]
        pub(crate) struct $connection {
            page: std::sync::Arc<
                leadyard_entity::read::Page<
                    std::sync::Arc<$crate::graphql::connection::connection!(@row $kind $table)>,
                >,
            >,
            order: <$table::Entity as leadyard_entity::read::Listed>::Order,
            counted: $crate::graphql::connection::Counted<<$table::Entity as leadyard_entity::read::Listed>::Filter>,
        }

        #[doc = $item]
        #[derive(Debug, Clone, async_graphql::Description)]
        pub(crate) struct $edge {
            node: $node,
            cursor: String,
        }

        #[async_graphql::Object(use_type_description)]
        impl $edge {
            /// The item itself.
            fn node(&self) -> $node {
                self.node.clone()
            }

            /// The item's place in this list and order, for `after` and `before`.
            fn cursor(&self) -> &str {
                &self.cursor
            }
        }

        impl $connection {
            /// A list of its own.
            #[allow(dead_code, reason = "some lists stand only inside other things")]
            pub(crate) async fn load(
                ctx: &async_graphql::Context<'_>,
                filter: <$table::Entity as leadyard_entity::read::Listed>::Filter,
                order: <$table::Entity as leadyard_entity::read::Listed>::Order,
                paging: $crate::graphql::connection::Paging,
            ) -> async_graphql::Result<Self> {
                let args = paging.read::<$table::Entity>(order)?;
                let read = $crate::graphql::context::read(ctx)?;
                let page = $crate::graphql::connection::connection!(
                    @page $kind $node of $table, ctx, read, &filter, order, &args
                );
                let page = page.await.map_err($crate::graphql::errors::store)?.map(std::sync::Arc::new);
                let page = std::sync::Arc::new(page);
                Ok(Self { page, order, counted: $crate::graphql::connection::Counted::Filter(filter) })
            }

            fn cursor(&self, row: &$crate::graphql::connection::connection!(@row $kind $table)) -> String {
                $crate::graphql::connection::connection!(@cursor $kind $table, row, self.order).to_string()
            }
        }

        #[async_graphql::Object(use_type_description)]
        impl $connection {
            /// The items of this page with their cursors.
            fn edges(&self) -> Vec<$edge> {
                let rows = self.page.rows.iter();
                rows.map(|row| $edge { cursor: self.cursor(row), node: $node(std::sync::Arc::clone(row)) }).collect()
            }

            /// The items of this page without their cursors.
            fn nodes(&self) -> Vec<$node> {
                self.page.rows.iter().cloned().map($node).collect()
            }

            /// Where this page stands in the list.
            fn page_info(&self) -> $crate::graphql::connection::PageInfo {
                $crate::graphql::connection::PageInfo {
                    has_next_page: self.page.has_next,
                    has_previous_page: self.page.has_previous,
                    start_cursor: self.page.rows.first().map(|row| self.cursor(row)),
                    end_cursor: self.page.rows.last().map(|row| self.cursor(row)),
                }
            }

            /// How many items the whole list has. They are counted only when this is asked for.
            async fn total_count(&self, ctx: &async_graphql::Context<'_>) -> async_graphql::Result<i32> {
                let rows = match &self.counted {
                    $crate::graphql::connection::Counted::Filter(filter) => {
                        let read = $crate::graphql::context::read(ctx)?;
                        // In a box, as what loaders read.
                        Box::pin(read.count::<$table::Entity>(filter)).await.map_err($crate::graphql::errors::store)?
                    }
                    $crate::graphql::connection::Counted::Inside(list) => {
                        $crate::graphql::context::loader(ctx)?.load_one(*list).await?.unwrap_or_default()
                    }
                };
                Ok($crate::graphql::connection::count(rows))
            }
        }
    };
    // A connection that also stands inside other things.
    ($connection:ident, $edge:ident, $node:ident of $table:ident, $list:literal, $item:literal, inside by $key:ident) => {
        $crate::graphql::connection::connection!(@make whole $connection, $edge, $node of $table, $list, $item);
        $crate::graphql::connection::connection!(@inside whole $connection, $node of $table, $key);
    };
    (
        $connection:ident, $edge:ident, $node:ident of parts of $table:ident, $list:literal, $item:literal,
        inside by $key:ident
    ) => {
        $crate::graphql::connection::connection!(@make parts $connection, $edge, $node of $table, $list, $item);
        $crate::graphql::connection::connection!(@inside parts $connection, $node of $table, $key);
    };
    (@key whole $key:ident, $node:ident, $ctx:ident, $list:ident, $order:ident, $args:ident) => {
        $crate::graphql::loaders::$key { list: $list, order: $order, args: $args }
    };
    (@key parts $key:ident, $node:ident, $ctx:ident, $list:ident, $order:ident, $args:ident) => {{
        let columns = $crate::graphql::columns::of_connection::<$node>($ctx);
        $crate::graphql::loaders::$key { list: $list, order: $order, args: $args, columns }
    }};
    (@inside $kind:ident $connection:ident, $node:ident of $table:ident, $key:ident) => {
        impl $connection {
            /// A list inside another thing: the lists of all its siblings are read together.
            pub(crate) async fn inside(
                ctx: &async_graphql::Context<'_>,
                list: $crate::graphql::loaders::Inside,
                order: <$table::Entity as leadyard_entity::read::Listed>::Order,
                paging: $crate::graphql::connection::Paging,
            ) -> async_graphql::Result<Self> {
                let args = paging.read::<$table::Entity>(order)?;
                let key = $crate::graphql::connection::connection!(@key $kind $key, $node, ctx, list, order, args);
                let page = $crate::graphql::context::loader(ctx)?.load_one(key).await?;
                let page = page.ok_or_else(|| $crate::graphql::errors::internal("a list was not read"))?;
                Ok(Self { page, order, counted: $crate::graphql::connection::Counted::Inside(list) })
            }
        }
    };
}
pub(crate) use connection;
