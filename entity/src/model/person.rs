//! A person and the wrapped key of their data.

use sea_orm::entity::prelude::*;

/// A person and the wrapped key of their data.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "person")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub identity_hash: Option<Vec<u8>>,
    #[sea_orm(column_type = "Text")]
    pub master_key_id: String,
    pub wrapped_key: Option<Vec<u8>>,
    pub created_at: DateTimeUtc,
    pub erased_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
