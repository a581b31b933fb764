//! Experiments: a campaign's leads divided between two plans of stages, and which plan a lead got.

use serde::{Deserialize, Serialize};

use crate::terms::Stage;
use crate::words;

words! {
    /// One of the two plans of stages between which an experiment divides leads.
    pub enum Plan("plan") {
        /// The campaign's own stages.
        A = "A",
        /// The experiment's stages.
        B = "B",
    }
}

/// An experiment: so many percent of a campaign's leads are sold by other stages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageSplit {
    /// The experiment's name. Under another name leads are divided anew, independently of how they were before.
    pub key: String,
    /// The share of plan B, 1 to 99 percent.
    pub percent: u8,
    /// Plan B's stages, tried in order. A contract takes part in every stage of its key, in either plan.
    pub stages: Vec<Stage>,
}

/// The place a lead drew among a hundred, and how many of them were plan B's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanDrawn {
    /// The place, 0 to 99.
    pub place: u8,
    /// The places below this were plan B's.
    pub percent: u8,
}

/// Which plan a routing run followed, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanSeen {
    /// The experiment.
    pub split: String,
    /// The plan.
    pub plan: Plan,
    /// What the lead drew; absent where it kept the plan that it got before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawn: Option<PlanDrawn>,
}

impl PlanSeen {
    /// A plan that a lead keeps as long as its experiment runs.
    #[must_use]
    pub const fn kept(split: String, plan: Plan) -> Self {
        Self { split, plan, drawn: None }
    }
}

impl std::fmt::Display for PlanSeen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { split, plan, drawn } = self;
        match (drawn, plan) {
            (None, _) => write!(f, "plan {plan} of `{split}`, as before"),
            (Some(PlanDrawn { place, percent }), Plan::A) => {
                write!(f, "plan A of `{split}`: {place} of {percent}–99")
            }
            (Some(PlanDrawn { place, percent }), Plan::B) => {
                write!(f, "plan B of `{split}`: {place} of 0–{}", percent.saturating_sub(1))
            }
        }
    }
}
