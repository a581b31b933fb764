//! Somebody who signs in.

use sea_orm::entity::prelude::*;

/// Somebody who signs in.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "user_account")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub email: String,
    #[sea_orm(column_type = "Text")]
    pub name: String,
    #[sea_orm(column_type = "Text")]
    pub role: String,
    pub buyer_id: Option<Uuid>,
    pub supplier_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub password_hash: String,
    pub disabled_at: Option<DateTimeUtc>,
    pub failed_sign_ins: i64,
    pub locked_until: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub totp_secret: Option<Vec<u8>>,
    pub totp_since: Option<DateTimeUtc>,
    pub totp_step: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
