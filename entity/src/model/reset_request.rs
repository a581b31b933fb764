//! How often a letter was asked for, for one address, from one place or on behalf of one buyer.

use sea_orm::entity::prelude::*;

/// How often a letter was asked for, for one address, from one place or on behalf of one buyer: links to choose a new
/// password, which the table was made for, and invitations. What it is about is a keyed hash.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "reset_request")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub about: Vec<u8>,
    pub asked_count: i64,
    pub since: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
