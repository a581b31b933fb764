//! Suppliers: who sends leads.

use leadyard_entity::Write;
use leadyard_entity::model::supplier;
use leadyard_entity::setup::Noun;
use leadyard_types::{Status, SupplierId};
use uuid::Uuid;

use super::{Setup, SetupResult, check, refuse, unused};

impl Setup {
    /// Makes a supplier.
    pub async fn create_supplier(&self, name: &str, email: Option<String>) -> SetupResult<SupplierId> {
        let write = self.change().await?;
        let mut problems = [check::name("name", name), check::email(email.as_deref())].concat();
        problems.extend(unused(&write, Noun::Supplier, name, None).await?);
        refuse(problems)?;
        let id = self.new_id();
        self.add_supplier(&write, id, name, email, Status::Active).await?;
        self.finish(write, "create", "supplier", id).await?;
        Ok(SupplierId(id))
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
        let row = supplier::Model { id, name: name.to_owned(), email, status, created_at };
        Ok(write.add_suppliers(vec![row]).await?)
    }
}
