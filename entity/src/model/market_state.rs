//! Named counters of the whole market: the decision number, the version of the configuration, the audit number.

use sea_orm::entity::prelude::*;

/// Named counters of the whole market: the decision number, the version of the configuration, the audit number.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "market_state")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub value: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
