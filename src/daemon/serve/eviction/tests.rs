//! Compares the table with a model that examines every connection each time.

use proptest::prelude::*;

use super::*;

const ROOT: u32 = 0;

/// A step of a test.
#[derive(Debug, Clone, Copy)]
enum Step {
    Admit(u32),
    Set(usize, Activity),
    End(usize),
}

/// A connection of the model.
#[derive(Debug)]
struct Open {
    key: u64,
    uid: u32,
    doing: Activity,
    /// The step at which it entered this state.
    since: usize,
    standing: Arc<ConnectionState>,
}

#[derive(Debug)]
struct Model {
    limits: Limits,
    places: EvictionTable,
    open: Vec<Open>,
    step: usize,
}

impl Model {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            places: EvictionTable::new(limits),
            open: vec![],
            step: 0,
        }
    }

    fn count(&self, uid: u32) -> usize {
        self.open.iter().filter(|open| open.uid == uid).count()
    }

    /// Returns the result that the rules demand, in the simplest form: the connection that the new one replaces, if
    /// any.
    fn expected(&self, uid: u32) -> Result<Option<u64>, TableFull> {
        let Limits {
            total,
            per_uid,
            kept,
            ..
        } = self.limits;
        let others = self.open.iter().filter(|open| open.uid != ROOT).count();
        let others_full = uid != ROOT && others >= total - kept;
        let is_own_limit = self.count(uid) >= per_uid;
        if !is_own_limit && !others_full && self.open.len() < total {
            return Ok(None);
        }
        let candidates = self.open.iter().filter(|open| {
            let counts = if is_own_limit {
                open.uid == uid
            } else {
                !(others_full && open.uid == ROOT)
            };
            counts && open.doing != Activity::Answering
        });
        let first = candidates.min_by_key(|open| {
            let most = Reverse(self.count(open.uid));
            (most, open.doing, open.since)
        });
        let first = first.ok_or(TableFull)?;
        let theirs = self.count(first.uid);
        if first.doing == Activity::Waiting && theirs == self.count(uid) && theirs > 1 {
            let own = self.open.iter().filter(|open| open.uid == uid);
            let own = own.filter(|open| open.doing == Activity::Waiting);
            let own = own.min_by_key(|open| open.since);
            return own.map(|open| Some(open.key)).ok_or(TableFull);
        }
        let may_go = is_own_limit
            || theirs >= self.count(uid)
                && match first.doing {
                    Activity::Watching => theirs > 1,
                    Activity::Waiting => theirs > 1 && theirs > self.count(uid),
                    _ => true,
                };
        if may_go {
            Ok(Some(first.key))
        } else {
            Err(TableFull)
        }
    }

    fn run(&mut self, step: Step) {
        self.step += 1;
        match step {
            Step::Admit(uid) => {
                let expected = self.expected(uid);
                let admitted = self.places.admit(uid, uid == ROOT);
                let evicted = admitted.as_ref().map(|admission| admission.evicted);
                assert_eq!(evicted.map_err(|full| *full), expected, "{self:#?}");
                let Ok(admission) = admitted else { return };
                self.open.retain(|open| Some(open.key) != admission.evicted);
                self.open.push(Open {
                    key: admission.key,
                    uid,
                    doing: Activity::HalfOpen,
                    since: self.step,
                    standing: admission.standing,
                });
            }
            Step::Set(at, doing) if !self.open.is_empty() => {
                let at = at % self.open.len();
                let open = &mut self.open[at];
                (open.doing, open.since) = (doing, self.step);
                if open.standing.set(doing) {
                    self.places.order_again(open.key);
                }
            }
            Step::End(at) if !self.open.is_empty() => {
                let open = self.open.swap_remove(at % self.open.len());
                self.places.remove(open.key);
                // A second removal changes nothing.
                self.places.remove(open.key);
            }
            Step::Set(..) | Step::End(_) => {}
        }
        self.check();
    }

    fn check(&self) {
        let Limits {
            total,
            per_uid,
            kept,
            ..
        } = self.limits;
        assert!(self.open.len() <= total);
        assert_eq!(self.places.entries.len(), self.open.len());
        let others = self.open.iter().filter(|open| open.uid != ROOT).count();
        assert_eq!(self.places.others, others);
        assert!(others <= total - kept);
        let mut bids = 0;
        for (uid, user) in &self.places.users {
            assert_eq!(user.count, self.count(*uid));
            assert!((1..=per_uid).contains(&user.count));
            bids += usize::from(user.bid.is_some());
        }
        assert_eq!(self.places.bids.len(), bids);
        for open in &self.open {
            let entry = &self.places.entries[&open.key];
            // Connections that are being answered sort last, and are in no queue.
            let known = entry.position.unwrap_or((Activity::Answering, 0));
            let now = open.standing.get().position();
            assert!(known <= now, "{known:?} {now:?}");
            assert_eq!(now.0, open.doing);
            assert_eq!(open.standing.get().sorted_as(), known.0);
        }
    }
}

fn limits(total: usize, per_uid: usize, kept: usize) -> Limits {
    Limits {
        total,
        per_uid,
        kept,
        leaving: 1,
        waiting: 0,
    }
}

fn doing() -> impl Strategy<Value = Activity> {
    // As in a real daemon, most connections are being answered or idle.
    prop_oneof![
        1 => Just(Activity::HalfOpen),
        4 => Just(Activity::Idle),
        2 => Just(Activity::Watching),
        2 => Just(Activity::Waiting),
        4 => Just(Activity::Answering),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0_u32..5).prop_map(Step::Admit),
        6 => (any::<usize>(), doing()).prop_map(|(at, doing)| Step::Set(at, doing)),
        1 => any::<usize>().prop_map(Step::End),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn eviction_follows_the_rules_for_any_limits(
        total in 2_usize..10,
        per_uid in 1_usize..10,
        kept in 0_usize..3,
        steps in proptest::collection::vec(step(), 0..200),
    ) {
        let mut model = Model::new(limits(total, per_uid.min(total), kept.min(total - 1)));
        for step in steps {
            model.run(step);
        }
    }

    #[test]
    fn eviction_follows_the_rules_among_many_single_connection_users(
        steps in proptest::collection::vec(
            prop_oneof![
                5 => (0_u32..40).prop_map(Step::Admit),
                6 => (any::<usize>(), doing()).prop_map(|(at, doing)| Step::Set(at, doing)),
                1 => any::<usize>().prop_map(Step::End),
            ],
            0..200,
        ),
    ) {
        let mut model = Model::new(limits(12, 9, 2));
        for step in steps {
            model.run(step);
        }
    }
}

/// Admits connections of these users in these states, in order. Returns their keys.
fn table(limits: Limits, open: &[(u32, Activity)]) -> (EvictionTable, Vec<u64>) {
    let mut places = EvictionTable::new(limits);
    let keys = open.iter().map(|(uid, doing)| {
        let admission = places.admit(*uid, *uid == ROOT).unwrap();
        assert_eq!(admission.evicted, None);
        if admission.standing.set(*doing) {
            places.order_again(admission.key);
        }
        admission.key
    });
    let keys = keys.collect();
    (places, keys)
}

#[test]
fn the_evicted_connection_depends_on_user_and_activity() {
    use Activity::{Answering, HalfOpen, Idle, Waiting, Watching};
    const FULL: Option<usize> = None;
    for (name, limits, open, newcomer, goes) in [
        (
            "the user with the most, half-open first",
            limits(4, 4, 0),
            &[(2, HalfOpen), (1, Idle), (1, Watching), (1, HalfOpen)][..],
            3,
            Some(3),
        ),
        (
            "then idle",
            limits(4, 4, 0),
            &[(2, HalfOpen), (1, Watching), (1, Idle), (1, Idle)],
            3,
            Some(2),
        ),
        (
            "then a watch",
            limits(4, 4, 0),
            &[(2, HalfOpen), (1, Watching), (1, Watching), (1, Answering)],
            3,
            Some(1),
        ),
        (
            "then one that waits, the oldest",
            limits(4, 4, 0),
            &[(2, HalfOpen), (1, Waiting), (1, Waiting), (1, Answering)],
            3,
            Some(1),
        ),
        (
            "a user with as many gives up one of its own that waits",
            limits(4, 4, 0),
            &[(1, Waiting), (1, Waiting), (2, Waiting), (2, Waiting)],
            2,
            Some(2),
        ),
        (
            "but no user gives up a single one that waits",
            limits(2, 2, 0),
            &[(1, Waiting), (2, Waiting)],
            3,
            FULL,
        ),
        (
            "never one that is being answered: the next user does",
            limits(4, 4, 0),
            &[(1, Answering), (1, Answering), (2, Idle), (1, Answering)],
            3,
            Some(2),
        ),
        (
            "at its own limit, the user itself",
            limits(4, 2, 0),
            &[(1, Watching), (1, Watching), (2, HalfOpen)],
            1,
            Some(0),
        ),
        (
            "and no other user",
            limits(4, 2, 0),
            &[(1, Answering), (1, Answering), (2, HalfOpen)],
            1,
            FULL,
        ),
        (
            "a user that is being answered on most of them takes none of a smaller one",
            limits(4, 4, 0),
            &[(1, Answering), (1, Answering), (1, Answering), (2, Idle)],
            1,
            FULL,
        ),
        (
            "when no user has more than one, the oldest half-open",
            limits(3, 3, 0),
            &[(1, Idle), (2, HalfOpen), (3, HalfOpen)],
            4,
            Some(1),
        ),
        (
            "then the oldest idle",
            limits(3, 3, 0),
            &[(1, Watching), (2, Idle), (3, Idle)],
            4,
            Some(1),
        ),
        (
            "but no watch",
            limits(2, 2, 0),
            &[(1, Watching), (2, Watching)],
            4,
            FULL,
        ),
        (
            "what is kept for root is not for others",
            limits(4, 4, 1),
            &[(1, Answering), (1, Answering), (2, Answering)],
            3,
            FULL,
        ),
        (
            "and root's do not make room there",
            limits(4, 4, 2),
            &[(ROOT, HalfOpen), (ROOT, HalfOpen), (1, Idle), (2, Idle)],
            3,
            Some(2),
        ),
    ] {
        let (mut places, keys) = table(limits, open);
        let admitted = places.admit(newcomer, newcomer == ROOT);
        let found = admitted.map(|admission| admission.evicted.unwrap()).ok();
        assert_eq!(found, goes.map(|at| keys[at]), "{name}");
    }
}

#[test]
fn root_gets_a_connection_slot_when_all_others_are_busy() {
    let busy = [
        (1, Activity::Answering),
        (1, Activity::Answering),
        (2, Activity::Answering),
    ];
    let (mut places, _) = table(limits(5, 4, 2), &busy);
    assert_eq!(places.admit(3, false).unwrap_err(), TableFull);
    for _ in 0..2 {
        assert_eq!(places.admit(ROOT, true).unwrap().evicted, None);
    }
    assert!(places.admit(ROOT, true).unwrap().evicted.is_some());
}

#[test]
fn changing_the_limits_evicts_no_open_connection() {
    let (mut places, keys) = table(limits(3, 3, 0), &[(1, Activity::Idle); 3]);
    places.limit(limits(1, 1, 0));
    assert_eq!(places.entries.len(), 3);
    assert_eq!(places.admit(1, false).unwrap().evicted, Some(keys[0]));
    places.limit(limits(4, 4, 0));
    assert_eq!(places.admit(1, false).unwrap().evicted, None);
}

#[test]
fn starting_or_ending_a_request_does_not_reorder_the_eviction_table() {
    let mut places = EvictionTable::new(limits(2, 2, 0));
    let standing = places.admit(1, false).unwrap().standing;
    for _ in 0..3 {
        assert!(!standing.set(Activity::Answering));
        assert!(!standing.set(Activity::Idle));
    }
    // The table has now sorted the connection as being answered, so the end of that state must be reported.
    assert!(!standing.set(Activity::Answering));
    places.order_again(0);
    assert!(standing.set(Activity::Idle));
}
