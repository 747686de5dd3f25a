//! Scenarios that run in every order.

use std::sync::Arc;
use std::time::Duration;

use jetond::lifecycle::Reporter;
use jetond::query::WatchEvent;
use jetond::wire::Rejected;

use crate::clock::Clock as _;
use crate::keep::feed::FeedItem;
use crate::world::World;

const NOW: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(60);

const OWNER: Reporter = Reporter::Ours(1_000);

type Scenario = (&'static str, fn());

pub(crate) const ALL: [Scenario; 6] = [
    ("cold_callers_share_one_call", cold_callers_share_one_call),
    (
        "a_leaving_caller_cancels_nothing",
        a_leaving_caller_cancels_nothing,
    ),
    (
        "all_reports_of_a_token_lead_to_one_call",
        all_reports_of_a_token_lead_to_one_call,
    ),
    (
        "all_notices_of_a_newer_token_lead_to_one_call",
        all_notices_of_a_newer_token_lead_to_one_call,
    ),
    (
        "a_caller_waiting_through_a_failure_gets_the_next_token",
        a_caller_waiting_through_a_failure_gets_the_next_token,
    ),
    (
        "watchers_get_every_token_and_the_end",
        watchers_get_every_token_and_the_end,
    ),
];

async fn token(world: &World) -> String {
    let served = world.handle.token(NOW, LONG).await.unwrap();
    served.held.token.expose().to_owned()
}

fn in_every_order(story: impl Future<Output = ()>) {
    shuttle::future::block_on(story);
}

fn cold_callers_share_one_call() {
    in_every_order(async {
        let world = Arc::new(World::new(0));
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let world = Arc::clone(&world);
                tokio::spawn(async move { token(&world).await })
            })
            .collect();
        for caller in callers {
            assert_eq!(caller.await.unwrap(), "token-0");
        }
        assert_eq!(world.issuer.calls(), 1);
    });
}

fn a_leaving_caller_cancels_nothing() {
    in_every_order(async {
        let world = Arc::new(World::new(0));
        let ask = || {
            let world = Arc::clone(&world);
            tokio::spawn(async move { token(&world).await })
        };
        let (leaves, stays) = (ask(), ask());
        shuttle::future::yield_now().await;
        leaves.abort();
        assert_eq!(stays.await.unwrap(), "token-0");
        assert_eq!(world.issuer.calls(), 1);
    });
}

fn all_reports_of_a_token_lead_to_one_call() {
    in_every_order(async {
        let world = Arc::new(World::new(0));
        assert_eq!(token(&world).await, "token-0");
        world.clock.suspend(Duration::from_secs(10));
        let generation = world.handle.generation();
        let reporters: Vec<_> = (0..3)
            .map(|_| {
                let world = Arc::clone(&world);
                tokio::spawn(async move {
                    let rejected = Rejected::Generation(generation);
                    let next = world.handle.reject(&rejected, OWNER, LONG).await.unwrap();
                    assert_eq!(next.held.token.expose(), "token-1");
                    assert_eq!(next.held.generation, generation + 1);
                })
            })
            .collect();
        // Other callers are served in the meantime, without a wait.
        let other = token(&world).await;
        assert!(["token-0", "token-1"].contains(&other.as_str()));
        for reporter in reporters {
            reporter.await.unwrap();
        }
        assert_eq!(world.issuer.calls(), 2);
    });
}

fn all_notices_of_a_newer_token_lead_to_one_call() {
    in_every_order(async {
        let world = Arc::new(World::new(0));
        assert_eq!(token(&world).await, "token-0");
        let newer = world.clock.now().boot.after(Duration::from_secs(5));
        world.clock.suspend(Duration::from_secs(10));
        let telling: Vec<_> = (0..3)
            .map(|_| {
                let world = Arc::clone(&world);
                tokio::spawn(async move { world.handle.superseded(newer).await })
            })
            .collect();
        for told in telling {
            told.await.unwrap();
        }
        let mut view = world.handle.follow();
        while view.borrow_and_update().reported {
            view.changed().await.unwrap();
        }
        assert_eq!(token(&world).await, "token-1");
        assert_eq!(world.issuer.calls(), 2);
    });
}

fn a_caller_waiting_through_a_failure_gets_the_next_token() {
    in_every_order(async {
        let world = Arc::new(World::new(1));
        let callers: Vec<_> = (0..2)
            .map(|_| {
                let world = Arc::clone(&world);
                tokio::spawn(async move { token(&world).await })
            })
            .collect();
        // Time advances to the next attempt at an arbitrary point.
        let mut view = world.handle.follow();
        while view.borrow_and_update().failures == 0 {
            view.changed().await.unwrap();
        }
        world.clock.suspend(Duration::from_secs(3));
        for caller in callers {
            assert_eq!(caller.await.unwrap(), "token-1");
        }
        assert_eq!(world.issuer.calls(), 2);
    });
}

fn watchers_get_every_token_and_the_end() {
    in_every_order(async {
        let world = Arc::new(World::new(0));
        let watchers: Vec<_> = (0..2)
            .map(|_| {
                let mut feed = world.watch();
                tokio::spawn(async move {
                    let mut generations = vec![];
                    loop {
                        match feed.next().await {
                            FeedItem::News(WatchEvent::Token(answer)) => {
                                generations.push(answer.held.generation);
                            }
                            FeedItem::News(_) => {}
                            FeedItem::End(_) => return generations,
                        }
                    }
                })
            })
            .collect();
        token(&world).await;
        world.clock.suspend(Duration::from_secs(10));
        let first = world.handle.generation();
        let rejected = Rejected::Generation(first);
        world.handle.reject(&rejected, OWNER, LONG).await.unwrap();
        world.close();
        for watcher in watchers {
            // A slow watcher sees only the newest token, and a slower one only the end.
            let told = watcher.await.unwrap();
            let wanted = [first, first + 1];
            assert!(
                told.iter().all(|generation| wanted.contains(generation))
                    && told.is_sorted_by(|a, b| a < b),
                "{told:?} of {wanted:?}"
            );
        }
    });
}
