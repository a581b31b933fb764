//! Suppliers: who sends leads.

use leadyard_entity::model::supplier;
use leadyard_entity::setup::Noun;
use leadyard_types::{Status, SupplierId};

use super::{Setup, SetupResult, check, refuse, unused};

impl Setup {
    /// Makes a supplier.
    pub async fn create_supplier(&self, name: &str, email: Option<String>) -> SetupResult<SupplierId> {
        let write = self.change().await?;
        let mut problems = [check::name("name", name), check::email(email.as_deref())].concat();
        problems.extend(unused(&write, Noun::Supplier, name, None).await?);
        refuse(problems)?;
        let id = self.store.ids().uuid();
        let row = supplier::Model {
            id,
            name: name.to_owned(),
            email,
            status: Status::Active.as_str().to_owned(),
            created_at: self.store.clock().now(),
        };
        write.add_suppliers(vec![row]).await?;
        self.finish(write, "create", "supplier", id).await?;
        Ok(SupplierId(id))
    }
}
