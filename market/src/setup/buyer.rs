//! Buyers, their groups and their wallets.

use leadyard_entity::Write;
use leadyard_entity::model::{buyer, buyer_group};
use leadyard_entity::setup::{Noun, Revised};
use leadyard_types::{AccountKind, BuyerGroupId, BuyerId, BuyerTerms, Currency, FieldProblem, Status};
use uuid::Uuid;

use super::{
    HeadChange, Setup, SetupError, SetupResult, check, expect_version, first_revision, from_text, refuse, unused,
};

/// A buyer to be made.
#[derive(Debug, Clone)]
pub struct NewBuyer {
    /// What people call it.
    pub name: String,
    /// Where it is told things.
    pub email: Option<String>,
    /// Its terms.
    pub terms: BuyerTerms,
    /// Its wallets: currency and credit limit in minor units. Only administrators grant credit.
    pub wallets: Vec<(Currency, i64)>,
}

impl Setup {
    /// Makes a buyer group.
    pub async fn create_buyer_group(&self, name: &str) -> SetupResult<BuyerGroupId> {
        let write = self.change().await?;
        let mut problems = check::name("name", name);
        problems.extend(unused(&write, Noun::BuyerGroup, name, None, None).await?);
        refuse(problems)?;
        let id = self.new_id();
        self.add_buyer_group(&write, id, name).await?;
        self.finish(write, "create", "buyer_group", id).await?;
        Ok(BuyerGroupId(id))
    }

    /// Writes a group that was checked.
    pub(super) async fn add_buyer_group(&self, write: &Write, id: Uuid, name: &str) -> SetupResult<()> {
        let row = buyer_group::Model { id, name: name.to_owned(), created_at: self.store.clock().now(), version: 1 };
        Ok(write.add_buyer_groups(vec![row]).await?)
    }

    /// Gives a buyer group another name. Answers the new version.
    pub async fn rename_buyer_group(&self, id: BuyerGroupId, expected: i64, name: Option<String>) -> SetupResult<i64> {
        let write = self.change().await?;
        let row = write.buyer_group(id.0).await?.ok_or(SetupError::NotFound("buyer_group"))?;
        expect_version(row.version, expected)?;
        let head = HeadChange { name, ..HeadChange::default() };
        refuse(head.problems(&write, Noun::BuyerGroup, id.0, None).await?)?;
        head.write(&write, Noun::BuyerGroup, id.0).await?;
        write.raise_version(Noun::BuyerGroup, id.0).await?;
        self.finish(write, "revise", "buyer_group", id.0).await?;
        Ok(expected + 1)
    }

    /// Makes a buyer with its wallets.
    pub async fn create_buyer(&self, new: NewBuyer) -> SetupResult<BuyerId> {
        if new.wallets.iter().any(|(_, limit)| *limit > 0) && !self.may_grant_credit() {
            return Err(SetupError::NotAllowed);
        }
        let write = self.change().await?;
        let mut problems =
            [check::name("name", &new.name), check::email(new.email.as_deref()), check::buyer(&new.terms)].concat();
        if new.wallets.iter().any(|(_, limit)| *limit < 0) {
            problems.push(FieldProblem::new("wallets", "OUT_OF_RANGE", "a credit limit is 0 or more minor units"));
        }
        problems.extend(group_problems(&write, &new.terms).await?);
        problems.extend(unused(&write, Noun::Buyer, &new.name, None, None).await?);
        refuse(problems)?;
        let id = self.new_id();
        self.add_buyer(&write, id, new).await?;
        self.finish(write, "create", "buyer", id).await?;
        Ok(BuyerId(id))
    }

    /// Writes a buyer that was checked.
    pub(super) async fn add_buyer(&self, write: &Write, id: Uuid, new: NewBuyer) -> SetupResult<()> {
        let revision = first_revision(write, Revised::Buyer, id, &new.terms).await?;
        let row = buyer::Model {
            id,
            name: new.name,
            email: new.email,
            status: new.terms.status.as_str().to_owned(),
            revision_id: revision.0,
            version: 1,
            created_at: self.store.clock().now(),
        };
        write.add_buyers(vec![row]).await?;
        for (currency, limit_minor) in new.wallets {
            let wallet = write.ensure_account(AccountKind::BuyerWallet, id, currency).await?;
            write.set_credit_limit(wallet.id, limit_minor).await?;
        }
        Ok(())
    }

    /// Changes a buyer's terms; acts with the next placement. Answers the new version.
    pub async fn revise_buyer(&self, id: BuyerId, expected: i64, terms: BuyerTerms) -> SetupResult<i64> {
        self.update_buyer(id, expected, HeadChange::default(), terms).await
    }

    /// Changes a buyer's name, address and terms.
    pub async fn update_buyer(
        &self,
        id: BuyerId,
        expected: i64,
        head: HeadChange,
        terms: BuyerTerms,
    ) -> SetupResult<i64> {
        let write = self.change().await?;
        let current = self.head(&write, Revised::Buyer, id.0).await?;
        expect_version(current.version, expected)?;
        let head_problems = head.problems(&write, Noun::Buyer, id.0, None).await?;
        refuse([head_problems, check::buyer(&terms), group_problems(&write, &terms).await?].concat())?;
        write.lock_wallets(&[id].into()).await?;
        head.write(&write, Noun::Buyer, id.0).await?;
        recount(&write, id, &from_text(&current)?, &terms).await?;
        self.save(write, &current, Some(terms.status), &terms).await
    }

    /// Pauses, resumes or archives a buyer: a new revision with another status.
    pub async fn set_buyer_status(&self, id: BuyerId, expected: i64, status: Status) -> SetupResult<i64> {
        let write = self.change().await?;
        let current = self.head(&write, Revised::Buyer, id.0).await?;
        expect_version(current.version, expected)?;
        let terms = BuyerTerms { status, ..from_text(&current)? };
        self.save(write, &current, Some(status), &terms).await
    }
}

/// Counters that a change makes wrong are counted anew.
pub(super) async fn recount(write: &Write, id: BuyerId, before: &BuyerTerms, after: &BuyerTerms) -> SetupResult<()> {
    if after.time_zone != before.time_zone {
        // Its contracts' caps are read in its time zone, so their buckets move too.
        let mut owners = write.contracts_of_buyer(id.0).await?;
        owners.push(id.0);
        write.forget_counters(&owners).await?;
    } else if after.caps != before.caps {
        write.forget_counters(&[id.0]).await?;
    }
    Ok(())
}

async fn group_problems(write: &Write, terms: &BuyerTerms) -> SetupResult<Vec<FieldProblem>> {
    let Some(group) = terms.group else { return Ok(Vec::new()) };
    if write.existing(Noun::BuyerGroup, [group.0]).await?.contains(&group.0) {
        return Ok(Vec::new());
    }
    Ok(vec![FieldProblem::new("group", "NOT_FOUND", "there is no such buyer group")])
}
