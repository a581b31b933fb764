//! Making and changing suppliers.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result};
use leadyard_market::setup::{HeadChange, SupplierChange};
use leadyard_types::SupplierId;

use super::super::super::scalars::EmailAddress;
use super::super::super::words::Status;
use super::super::supplier::Supplier;
use super::reading::{Reading, plain};
use super::{Spelling, payload, setup, standing};

/// A supplier to be made.
#[derive(Debug, InputObject)]
pub(crate) struct SupplierCreateInput {
    /// What people call it, 1 to 200 characters; no other supplier is called so.
    name: String,
    /// Where it is written to.
    email: Option<EmailAddress>,
}

/// What is changed of a supplier. What is left out stays.
#[derive(Debug, InputObject)]
pub(crate) struct SupplierUpdateInput {
    /// The supplier.
    supplier_id: ID,
    /// Its version that this was decided by.
    version: i32,
    /// What people call it.
    name: MaybeUndefined<String>,
    /// Where it is written to; null: nowhere.
    email: MaybeUndefined<EmailAddress>,
    /// Whether it takes part.
    status: MaybeUndefined<Status>,
}

payload!(SupplierPayload, supplier: Supplier by SupplierBy, "What came of making or changing a supplier.", "The supplier as it stands now; absent if nothing was done.");

/// Mutations of suppliers.
#[derive(Debug, Default)]
pub(crate) struct SupplierMutations;

#[Object]
impl SupplierMutations {
    /// Makes a supplier: somebody who sends leads.
    async fn supplier_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its name and address.")] input: SupplierCreateInput,
    ) -> Result<SupplierPayload> {
        let done = setup(ctx)?.create_supplier(&input.name, input.email.map(String::from)).await;
        SupplierPayload::of(ctx, done.map(|id| id.0), &Spelling::default()).await
    }

    /// Changes a supplier. Acts from the next lead on.
    async fn supplier_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The supplier, and what is changed of it.")] input: SupplierUpdateInput,
    ) -> Result<SupplierPayload> {
        let row = standing!(ctx, input.supplier_id, Supplier by SupplierBy, "supplierId", "supplier", input.version, SupplierPayload);
        let (mut reading, mut email, mut status) = (Reading::default(), None, None);
        let name = reading.changed("name", input.name);
        reading.set_or("email", input.email, (&mut email, Some(None)), |given, _| Ok(Some(Some(given.into()))));
        reading.set("status", input.status, &mut status, |given, path| plain(given, path).map(Some));
        let problems = reading.problems();
        if !problems.is_empty() {
            return Ok(SupplierPayload::refused(problems));
        }
        let change = SupplierChange { head: HeadChange { name, email, key: None }, status };
        let done = setup(ctx)?.update_supplier(SupplierId(row.id), row.version, change).await;
        SupplierPayload::of(ctx, done.map(|_| row.id), &Spelling::default()).await
    }
}
