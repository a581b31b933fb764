//! From where somebody signed in, or tried to, as a user.

use sea_orm::entity::prelude::*;

/// From where somebody signed in, or tried to, as a user. The place is a keyed hash.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sign_in_place")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub place: Vec<u8>,
    pub failures: i64,
    pub last_failed_at: Option<DateTimeUtc>,
    pub paused_until: Option<DateTimeUtc>,
    pub signed_in_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
