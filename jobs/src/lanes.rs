//! Lanes: how much of what runs at once, and the circuit breaker of each destination. Pure bookkeeping in memory.
//!
//! A lane whose tasks fail again and again is *parked*: nothing of it is claimed until a pause is over. Then one task
//! tries; if it goes well the lane is open again, if not it is parked for longer. Whoever mends the destination opens it
//! at once: a lane is parked because of the destination as it was set up then.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::Duration;
use leadyard_entity::tasks::{Claimed, Lease};
use leadyard_market::LaneHealth;
use leadyard_market::settlement::{EXPIRE_LANE, PLACE_LANE};
use leadyard_types::{DestinationId, Timestamp};

/// Lanes of our own work: no remote system, so neither limit nor breaker.
pub(crate) const OWN_LANES: [&str; 2] = [PLACE_LANE, EXPIRE_LANE];

/// So many failures in a row park a lane: enough to pass over a hiccup, few enough to spare the others.
const FAILURES_MAX: u32 = 5;
/// The first pause, and the longest: each doubles the one before.
const PAUSE_SECONDS: i64 = 10;
const PAUSE_SECONDS_MAX: i64 = 300;

/// What a lane has been through since it last went well.
#[derive(Debug, Default)]
struct Trouble {
    failures: u32,
    parkings: u32,
    parked_until: Option<Timestamp>,
    /// The version of the destination that failed.
    version: i64,
}

/// A task in hand.
#[derive(Debug, Clone)]
struct Running {
    lane: String,
    claimed_at: Timestamp,
    begun: bool,
}

/// What is in hand, and how the lanes do.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    per_lane: usize,
    running: BTreeMap<Lease, Running>,
    counts: BTreeMap<String, usize>,
    trouble: BTreeMap<String, Trouble>,
}

impl Lanes {
    pub(crate) fn new(per_lane: usize) -> Self {
        Self { per_lane: per_lane.max(1), ..Self::default() }
    }

    /// How many tasks are in hand.
    pub(crate) fn len(&self) -> usize {
        self.running.len()
    }

    /// A task was claimed.
    pub(crate) fn claimed(&mut self, task: &Claimed, now: Timestamp) {
        *self.counts.entry(task.lane.clone()).or_insert(0) += 1;
        let running = Running { lane: task.lane.clone(), claimed_at: now, begun: false };
        self.running.insert(task.held(), running);
    }

    /// Work on it begins.
    pub(crate) fn began(&mut self, lease: Lease) {
        if let Some(running) = self.running.get_mut(&lease) {
            running.begun = true;
        }
    }

    /// It ended, and this is what it says about its lane. Answers whether the lane was parked by it.
    pub(crate) fn ended(&mut self, lease: Lease, health: LaneHealth, now: Timestamp) -> bool {
        let Some(running) = self.running.remove(&lease) else { return false };
        if let Some(count) = self.counts.get_mut(&running.lane) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&running.lane);
            }
        }
        match health {
            LaneHealth::Unknown => false,
            LaneHealth::Well => {
                self.trouble.remove(&running.lane);
                false
            }
            LaneHealth::Failing { version } => self.failed(running, version, now),
        }
    }

    fn failed(&mut self, running: Running, version: i64, now: Timestamp) -> bool {
        if OWN_LANES.contains(&running.lane.as_str()) {
            return false;
        }
        let trouble = self.trouble.entry(running.lane).or_default();
        if version < trouble.version {
            // It began before somebody mended the destination.
            return false;
        }
        trouble.version = version;
        trouble.failures = trouble.failures.saturating_add(1);
        // What was on its way when the lane was parked says nothing new.
        let probing = trouble.parked_until.is_none_or(|until| running.claimed_at >= until);
        if trouble.failures < FAILURES_MAX || !probing {
            return false;
        }
        let pause = PAUSE_SECONDS.saturating_mul(1 << trouble.parkings.min(10)).min(PAUSE_SECONDS_MAX);
        trouble.parkings += 1;
        trouble.parked_until = Some(now + Duration::seconds(pause));
        true
    }

    /// The destinations whose lanes are parked, or on probation after a pause.
    pub(crate) fn troubled(&self) -> Vec<DestinationId> {
        let parked = self.trouble.iter().filter(|(_, trouble)| trouble.parked_until.is_some());
        parked.filter_map(|(lane, _)| lane.parse().ok()).collect()
    }

    /// Opens the lanes of destinations that were changed since they failed.
    pub(crate) fn mended(&mut self, versions: &HashMap<DestinationId, i64>) {
        for (destination, version) in versions {
            let lane = destination.to_string();
            if self.trouble.get(&lane).is_some_and(|trouble| trouble.version < *version) {
                self.trouble.insert(lane, Trouble { version: *version, ..Trouble::default() });
            }
        }
    }

    /// The lanes that take nothing now, and until when.
    pub(crate) fn parked(&self, now: Timestamp) -> Vec<(String, Timestamp)> {
        let until = |trouble: &Trouble| trouble.parked_until.filter(|until| *until > now);
        self.trouble.iter().filter_map(|(lane, trouble)| Some((lane.clone(), until(trouble)?))).collect()
    }

    /// How many tasks of each lane run, as a claim counts them: a lane that is tried again after a pause takes one.
    pub(crate) fn taken(&self, now: Timestamp) -> BTreeMap<String, usize> {
        let mut taken = self.counts.clone();
        for (lane, trouble) in &self.trouble {
            if trouble.parked_until.is_some_and(|until| until <= now) {
                let running = self.counts.get(lane).copied().unwrap_or_default();
                taken.insert(lane.clone(), (self.per_lane - 1 + running).min(self.per_lane));
            }
        }
        taken
    }

    /// Leases claimed before a moment: they are renewed.
    pub(crate) fn older_than(&self, moment: Timestamp) -> Vec<Lease> {
        let old = self.running.iter().filter(|(_, running)| running.claimed_at < moment);
        old.map(|(lease, _)| *lease).collect()
    }

    /// Everything in hand: what has begun, and what has not.
    pub(crate) fn in_hand(&self) -> (BTreeSet<Lease>, BTreeSet<Lease>) {
        let (begun, waiting): (Vec<_>, Vec<_>) = self.running.iter().partition(|(_, running)| running.begun);
        let leases = |all: Vec<(&Lease, &Running)>| all.into_iter().map(|(lease, _)| *lease).collect();
        (leases(begun), leases(waiting))
    }
}

#[cfg(test)]
mod tests {
    use leadyard_types::TaskId;
    use uuid::Uuid;

    use super::*;

    const FAILING: LaneHealth = LaneHealth::Failing { version: 1 };

    fn moment(seconds: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(1_795_000_000 + seconds, 0).unwrap()
    }

    fn task(number: u128, lane: &str) -> Claimed {
        Claimed {
            id: TaskId(Uuid::from_u128(number)),
            lease: Uuid::from_u128(1),
            payload: None,
            lane: lane.to_owned(),
            run_at: moment(0),
            attempts: 1,
        }
    }

    fn run(lanes: &mut Lanes, number: u128, lane: &str, health: LaneHealth, seconds: i64) -> bool {
        let task = task(number, lane);
        lanes.claimed(&task, moment(seconds));
        lanes.ended(task.held(), health, moment(seconds))
    }

    /// Five failures in a row park a lane, a success in between starts the count again.
    #[test]
    fn a_lane_that_keeps_failing_is_parked() {
        let mut lanes = Lanes::new(4);
        for number in 0..4 {
            assert!(!run(&mut lanes, number, "a", FAILING, 0));
        }
        run(&mut lanes, 4, "a", LaneHealth::Well, 0);
        for number in 5..9 {
            assert!(!run(&mut lanes, number, "a", FAILING, 0));
        }
        assert!(lanes.parked(moment(0)).is_empty());
        assert!(run(&mut lanes, 9, "a", FAILING, 0));
        assert_eq!(lanes.parked(moment(0)), [("a".to_owned(), moment(10))]);
        assert!(lanes.parked(moment(10)).is_empty());
        assert_eq!(lanes.len(), 0);
    }

    /// After the pause one task tries; a failure doubles the pause up to its bound, a success opens the lane.
    #[test]
    fn one_task_tries_after_the_pause() {
        let mut lanes = Lanes::new(4);
        for number in 0..5 {
            run(&mut lanes, number, "a", FAILING, 0);
        }
        assert_eq!(lanes.taken(moment(10)).get("a"), Some(&3));
        let probe = task(10, "a");
        lanes.claimed(&probe, moment(10));
        assert_eq!(lanes.taken(moment(10)).get("a"), Some(&4));
        assert!(lanes.ended(probe.held(), FAILING, moment(12)));
        assert_eq!(lanes.parked(moment(12)), [("a".to_owned(), moment(32))]);
        let mut at = 32;
        for number in 11..30 {
            run(&mut lanes, number, "a", FAILING, at);
            let (_, until) = lanes.parked(moment(at)).pop().unwrap();
            assert!(until <= moment(at + PAUSE_SECONDS_MAX));
            at += PAUSE_SECONDS_MAX;
        }
        run(&mut lanes, 40, "a", LaneHealth::Well, at);
        assert!(lanes.parked(moment(at)).is_empty() && lanes.taken(moment(at)).is_empty());
    }

    /// What was on its way when a lane was parked does not park it for longer; our own lanes are never parked.
    #[test]
    fn a_burst_counts_once() {
        let mut lanes = Lanes::new(16);
        let burst: Vec<Claimed> = (0..16).map(|number| task(number, "a")).collect();
        burst.iter().for_each(|task| lanes.claimed(task, moment(0)));
        let parkings = burst.iter().filter(|task| lanes.ended(task.held(), FAILING, moment(15))).count();
        assert_eq!(parkings, 1);
        assert_eq!(lanes.parked(moment(15)), [("a".to_owned(), moment(25))]);
        for number in 20..40 {
            assert!(!run(&mut lanes, number, PLACE_LANE, FAILING, 0));
        }
    }

    /// A parked lane opens when its destination is changed; what began before that says nothing about it any more.
    #[test]
    fn a_mended_destination_opens_its_lane() {
        let destination = DestinationId(Uuid::from_u128(7));
        let lane = destination.to_string();
        let mut lanes = Lanes::new(4);
        let late = task(99, &lane);
        lanes.claimed(&late, moment(0));
        for number in 0..5 {
            run(&mut lanes, number, &lane, FAILING, 0);
        }
        assert_eq!(lanes.troubled(), [destination]);
        lanes.mended(&[(destination, 1)].into());
        assert_eq!(lanes.parked(moment(0)).len(), 1);
        lanes.mended(&[(destination, 2)].into());
        assert!(lanes.parked(moment(0)).is_empty() && lanes.troubled().is_empty());
        assert!(!lanes.ended(late.held(), FAILING, moment(0)));
        for number in 10..14 {
            assert!(!run(&mut lanes, number, &lane, LaneHealth::Failing { version: 2 }, 0));
        }
        assert!(run(&mut lanes, 14, &lane, LaneHealth::Failing { version: 2 }, 0));
    }
}
