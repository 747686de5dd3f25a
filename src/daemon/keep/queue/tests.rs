use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const NOW: BootInstant = BootInstant::from_boot(Duration::from_secs(1_000));

fn at(secs: u64) -> Option<BootInstant> {
    Some(BootInstant::from_boot(Duration::from_secs(secs)))
}

fn rank(wanted: bool, held_until: Option<BootInstant>) -> Rank {
    Rank { wanted, held_until }
}

fn site(name: &str) -> Arc<str> {
    name.into()
}

/// Queues `attempts` attempts without a token at an issuer.
fn fill(queue: &mut Queue, name: &str, attempts: usize) {
    for _ in 0..attempts {
        queue.join(&site(name), rank(false, None));
    }
}

/// Grants every free place.
fn admit(queue: &mut Queue) -> Vec<CallSlot> {
    std::iter::from_fn(|| queue.next(NOW)).collect()
}

#[test]
fn attempts_at_an_issuer_are_ordered_by_need_expiry_and_arrival() {
    let ranks = [
        rank(false, at(1_300)),
        rank(true, at(1_200)),
        rank(false, at(1_200)),
        rank(false, None),
        rank(true, None),
        // An expired token ranks like no token.
        rank(false, at(1_000)),
        rank(true, at(900)),
    ];
    let mut queue = Queue::new(1);
    let mut arrived = vec![];
    for rank in ranks {
        arrived.push(queue.join(&site("a"), rank));
    }
    let mut served = vec![];
    while let Some(place) = queue.next(NOW) {
        served.push(arrived.iter().position(|it| *it == place.ticket).unwrap());
        queue.end(&place, Outcome::Dropped);
    }
    assert_eq!(served, [4, 6, 3, 5, 1, 2, 0]);
}

#[test]
fn an_attempt_with_a_waiting_caller_precedes_others_until_the_caller_leaves() {
    let mut queue = Queue::new(1);
    fill(&mut queue, "a", 100);
    let last = queue.join(&site("a"), rank(false, None));
    queue.rank("a", last, rank(true, None));
    let place = queue.next(NOW).unwrap();
    assert_eq!(place.ticket, last);
    queue.end(&place, Outcome::Dropped);
    let gone = queue.join(&site("a"), rank(true, None));
    queue.rank("a", gone, rank(false, None));
    assert!(queue.next(NOW).unwrap().ticket < gone);
    queue.leave("a", gone);
    assert_eq!(queue.waiting("a"), 99);
}

#[test]
fn one_issuer_never_takes_every_permit_of_a_small_limit() {
    for (in_all, at_one, most_at_one, kept_free) in [
        (0, 1, 1, 0),
        (1, 1, 1, 0),
        (2, 1, 1, 1),
        (9, 5, 5, 4),
        (16, 8, 8, 8),
        (32, 8, 24, 8),
        (64, 8, 32, 8),
        (128, 8, 32, 8),
        (1_000, 8, 32, 8),
    ] {
        let queue = Queue::new(in_all);
        let limits = (queue.at_one, queue.most_at_one, queue.kept_free);
        assert_eq!(limits, (at_one, most_at_one, kept_free), "{in_all}");
        assert_eq!(queue.most_in_all, in_all.clamp(1, 128));
    }
}

#[test]
fn the_limit_grows_while_attempts_succeed_and_others_wait() {
    let mut queue = Queue::new(MOST_IN_ALL);
    fill(&mut queue, "a", 200);
    let mut running = admit(&mut queue);
    assert_eq!(running.len(), AT_ONE);
    for grown in 1..=30 {
        queue.end(&running.remove(0), Outcome::Healthy);
        running.extend(admit(&mut queue));
        assert_eq!(running.len(), MOST_AT_ONE.min(AT_ONE + grown));
    }
    assert_eq!(queue.limit_in_all(), IN_ALL + MOST_AT_ONE - AT_ONE);
    // The first failure resets the limit. Answers to calls from before the reset do not raise it.
    queue.end(&running.remove(0), Outcome::Failed);
    assert_eq!((queue.limit("a"), queue.limit_in_all()), (AT_ONE, IN_ALL));
    while running.len() > AT_ONE - 1 {
        assert_eq!(admit(&mut queue), []);
        queue.end(&running.remove(0), Outcome::Healthy);
    }
    assert_eq!(queue.limit("a"), AT_ONE);
    let recent = queue.next(NOW).unwrap();
    queue.end(&recent, Outcome::Healthy);
    assert_eq!(queue.limit("a"), AT_ONE + 1);
    // A slow call resets the limit as well, even before it ends.
    let slow = queue.next(NOW).unwrap();
    queue.slow(&slow);
    assert_eq!(queue.limit("a"), AT_ONE);
    queue.end(&slow, Outcome::Healthy);
    assert_eq!(queue.limit("a"), AT_ONE);
}

#[test]
fn the_limit_grows_only_while_attempts_wait_and_is_reset_when_idle() {
    let mut queue = Queue::new(MOST_IN_ALL);
    for _ in 0..100 {
        fill(&mut queue, "a", AT_ONE);
        for place in admit(&mut queue) {
            queue.end(&place, Outcome::Healthy);
        }
    }
    assert_eq!(queue.limit("a"), AT_ONE);
    fill(&mut queue, "a", 100);
    while let Some(place) = queue.next(NOW) {
        queue.end(&place, Outcome::Healthy);
    }
    assert!(queue.issuers.is_empty());
}

#[test]
fn issuers_with_a_grown_limit_leave_permits_for_others() {
    let mut queue = Queue::new(MOST_IN_ALL);
    let names = ["a", "b", "c", "d", "e", "f"];
    for name in names {
        fill(&mut queue, name, 1_000);
    }
    let mut running = admit(&mut queue);
    for _ in 0..1_000 {
        queue.end(&running.remove(0), Outcome::Healthy);
        running.extend(admit(&mut queue));
    }
    assert_eq!(queue.limit_in_all(), MOST_IN_ALL);
    assert_eq!(running.len(), MOST_IN_ALL - KEPT_FREE);
    fill(&mut queue, "new", 9);
    let new = admit(&mut queue);
    assert!(new.iter().all(|place| &*place.site == "new"));
    assert_eq!(new.len(), KEPT_FREE);
}

#[test]
fn a_released_permit_goes_to_the_issuer_with_the_fewest_running_attempts() {
    // Four issuers that hang occupy every place.
    let mut queue = Queue::new(IN_ALL);
    for name in ["a", "b", "c", "d"] {
        for _ in 0..20 {
            queue.join(&site(name), rank(true, None));
        }
    }
    let mut running = admit(&mut queue);
    assert_eq!(running.len(), IN_ALL);
    queue.join(&site("other"), rank(false, at(2_000)));
    queue.end(&running.remove(0), Outcome::Failed);
    assert_eq!(&*queue.next(NOW).unwrap().site, "other");
}

#[derive(Debug, Clone)]
enum Step {
    Join(usize, Rank),
    Rank(usize, Rank),
    Leave(usize),
    Slow(usize),
    End(usize, Outcome),
}

fn any_rank() -> impl Strategy<Value = Rank> {
    let until = prop_oneof![Just(None), (900_u64..1_100).prop_map(at)];
    (any::<bool>(), until).prop_map(|(wanted, held_until)| rank(wanted, held_until))
}

fn any_step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        8 => Just(Outcome::Healthy),
        1 => Just(Outcome::Failed),
        1 => Just(Outcome::Dropped),
    ];
    prop_oneof![
        8 => (0..5_usize, any_rank()).prop_map(|(issuer, rank)| Step::Join(issuer, rank)),
        2 => (any::<usize>(), any_rank()).prop_map(|(n, rank)| Step::Rank(n, rank)),
        1 => any::<usize>().prop_map(Step::Leave),
        1 => any::<usize>().prop_map(Step::Slow),
        6 => (any::<usize>(), outcome).prop_map(|(n, outcome)| Step::End(n, outcome)),
    ]
}

proptest! {
    /// In every sequence of events: no limit is exceeded, no place stays free while an attempt may take it, no attempt
    /// overtakes one with a smaller sort key at the same issuer, and every attempt gets its place once.
    #[test]
    fn the_queue_obeys_its_limits_and_order_and_starves_no_attempt(
        most in 1..140_usize,
        steps in prop::collection::vec(any_step(), 0..400),
    ) {
        let mut queue = Queue::new(most);
        let mut waiting: Vec<(Arc<str>, Ticket, Rank)> = vec![];
        let mut running: Vec<CallSlot> = vec![];
        let mut served = BTreeSet::new();
        let drain = std::iter::repeat_n(Step::End(0, Outcome::Healthy), 1_000);
        for step in steps.into_iter().chain(drain) {
            match step {
                Step::Join(issuer, rank) => {
                    let site = site(&format!("issuer {issuer}"));
                    let ticket = queue.join(&site, rank);
                    waiting.push((site, ticket, rank));
                }
                Step::Rank(n, rank) if !waiting.is_empty() => {
                    let n = n % waiting.len();
                    waiting[n].2 = rank;
                    queue.rank(&waiting[n].0, waiting[n].1, rank);
                }
                Step::Leave(n) if !waiting.is_empty() => {
                    let (site, ticket, _) = waiting.remove(n % waiting.len());
                    queue.leave(&site, ticket);
                }
                Step::Slow(n) if !running.is_empty() => queue.slow(&running[n % running.len()]),
                Step::End(n, outcome) if !running.is_empty() => {
                    let n = n % running.len();
                    queue.end(&running.remove(n), outcome);
                }
                _ => {}
            }
            while let Some(place) = queue.next(NOW) {
                let at = waiting.iter().position(|(_, ticket, _)| *ticket == place.ticket);
                let (site, ticket, rank) = waiting.remove(at.unwrap());
                prop_assert_eq!(&site, &place.site);
                prop_assert!(served.insert(ticket));
                for (other, its_ticket, its_rank) in &waiting {
                    let mine = (rank.order(NOW), ticket);
                    prop_assert!(*other != site || mine < (its_rank.order(NOW), *its_ticket));
                }
                running.push(place);
                let here = running.iter().filter(|place| place.site == site).count();
                prop_assert!(here <= queue.limit(&site));
                prop_assert!(queue.limit(&site) <= queue.most_at_one);
                prop_assert!(running.len() <= queue.limit_in_all());
                let grown = |place: &&CallSlot| queue.limit(&place.site) > queue.at_one;
                let of_grown = running.iter().filter(grown).count();
                let is_grown = queue.limit(&site) > queue.at_one;
                prop_assert!(!is_grown || of_grown <= queue.limit_in_all() - queue.kept_free);
            }
            let waits = |(site, ..): &&(Arc<str>, Ticket, Rank)| {
                let here = running.iter().filter(|place| place.site == *site).count();
                here < queue.limit(site) && queue.limit(site) == queue.at_one
            };
            let has_room = running.len() < queue.limit_in_all();
            prop_assert!(!has_room || !waiting.iter().any(|it| waits(&it)));
        }
        prop_assert!(waiting.is_empty() && running.is_empty());
        prop_assert!(queue.issuers.is_empty());
    }
}
