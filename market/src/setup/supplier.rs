//! Suppliers: who sends leads.

use leadyard_entity::model::supplier;
use leadyard_entity::setup::Noun;
use leadyard_entity::{StoreError, Write};
use leadyard_types::{Status, SupplierId};
use uuid::Uuid;

use super::{HeadChange, Setup, SetupError, SetupResult, check, expect_version, refuse, unused};

/// What is changed of a supplier; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct SupplierChange {
    /// Its name and its address.
    pub head: HeadChange,
    /// Whether it takes part.
    pub status: Option<Status>,
}

impl Setup {
    /// Makes a supplier.
    pub async fn create_supplier(&self, name: &str, email: Option<String>) -> SetupResult<SupplierId> {
        let write = self.change().await?;
        let mut problems = [check::name("name", name), check::email(email.as_deref())].concat();
        problems.extend(unused(&write, Noun::Supplier, name, None, None).await?);
        refuse(problems)?;
        let id = self.new_id();
        self.add_supplier(&write, id, name, email, Status::Active).await?;
        self.finish(write, "create", "supplier", id).await?;
        Ok(SupplierId(id))
    }

    /// Changes a supplier; acts with the next lead. Answers the new version.
    pub async fn update_supplier(&self, id: SupplierId, expected: i64, change: SupplierChange) -> SetupResult<i64> {
        let write = self.change().await?;
        let row = write.supplier(id.0).await?.ok_or(SetupError::NotFound("supplier"))?;
        expect_version(row.version, expected)?;
        refuse(change.head.problems(&write, Noun::Supplier, id.0, None).await?)?;
        if let Some(status) = change.status {
            let from: Status = row.status.parse().map_err(StoreError::corrupt)?;
            write.set_supplier_status(id.0, from.change("supplier", status)?).await?;
        }
        change.head.write(&write, Noun::Supplier, id.0).await?;
        write.raise_version(Noun::Supplier, id.0).await?;
        self.finish(write, "revise", "supplier", id.0).await?;
        Ok(expected + 1)
    }

    /// Writes a supplier that was checked.
    pub(super) async fn add_supplier(
        &self,
        write: &Write,
        id: Uuid,
        name: &str,
        email: Option<String>,
        status: Status,
    ) -> SetupResult<()> {
        let (status, created_at) = (status.as_str().to_owned(), self.store.clock().now());
        let row = supplier::Model { id, name: name.to_owned(), email, status, created_at, version: 1 };
        Ok(write.add_suppliers(vec![row]).await?)
    }
}
