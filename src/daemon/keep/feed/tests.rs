//! What a watcher receives, on a paused clock.

use std::collections::BTreeMap;

use super::super::roster::{Entry, Profiles};
use super::*;
use crate::daemon::testing::*;
use crate::fault::FaultKind;
use crate::lifecycle::Reporter;
use crate::policy::{AccessContext, UserNamespace};
use crate::wire::Rejected;

const OURS: u32 = 1_000;

const fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

fn grant(secs: u64) -> Play {
    Play::Grant {
        secs,
        after: Duration::ZERO,
    }
}

fn research() -> ProfileName {
    ProfileName::parse("research").unwrap()
}

fn profiles(handle: &Arc<Handle>) -> Profiles {
    let entry = Entry {
        handle: Arc::clone(handle),
        rules: [].into(),
        hosts: [].into(),
        sinks: [].into(),
        rotation: Arc::default(),
    };
    BTreeMap::from([(research(), entry)])
}

/// A daemon with one profile.
struct World {
    roster: Arc<Roster>,
    clock: Arc<dyn Clock>,
    handle: Arc<Handle>,
    close: watch::Sender<bool>,
}

impl World {
    fn new(script: &[Play]) -> Self {
        let (handle, clock) = keep(&ScriptedIssuer::new(script), &MemoryStore::new(Some("s")));
        let roster = Arc::new(Roster::new(AccessContext {
            own_uid: OURS,
            namespace: UserNamespace::Identity,
        }));
        roster.replace(profiles(&handle));
        Self {
            roster,
            clock,
            handle,
            close: watch::Sender::new(false),
        }
    }

    fn watch(&self, generation: Option<u64>) -> Feed {
        let caller = Caller {
            uid: OURS,
            gid: OURS,
            groups: Box::default(),
        };
        let closing = self.close.subscribe();
        Feed::open(
            &self.roster,
            &self.clock,
            &closing,
            &caller,
            Some(&research()),
            generation,
        )
        .unwrap()
    }
}

/// Returns the next item as a short string.
async fn next(feed: &mut Feed) -> String {
    match feed.next().await {
        FeedItem::News(WatchEvent::Token(answer)) => {
            let stale = answer.freshness.is_stale();
            let token = answer.held.token.expose();
            format!("{token}{}", if stale { " stale" } else { "" })
        }
        FeedItem::News(WatchEvent::State(state)) => {
            let reported = if state.reported { " reported" } else { "" };
            format!("{}{reported}", serde_json::to_value(state.phase).unwrap())
        }
        FeedItem::News(WatchEvent::Quiet) => "quiet".to_owned(),
        FeedItem::End(problem) => problem.code.row().name.to_owned(),
    }
}

/// Returns the items that are available without a wait.
async fn at_once(feed: &mut Feed) -> Vec<String> {
    let mut told = vec![];
    while let Ok(news) = tokio::time::timeout(Duration::from_millis(1), next(feed)).await {
        told.push(news);
    }
    told
}

#[tokio::test(start_paused = true)]
async fn a_watcher_gets_the_current_state_then_every_new_token_and_state() {
    let world = World::new(&[
        grant(100),
        grant(100),
        Play::Fail {
            kind: FaultKind::Connect,
            after: Duration::ZERO,
        },
    ]);
    let mut feed = world.watch(None);
    assert_eq!(next(&mut feed).await, "\"starting\"");
    assert_eq!(at_once(&mut feed).await, ["token-1", "\"fresh\""]);
    let mut told = vec![];
    while told.last().is_none_or(|last| last != "\"expired\"") {
        let news = next(&mut feed).await;
        if news != "quiet" {
            told.push(news);
        }
    }
    // The second token came after 50 s and was served for 95 s. The issuer failed from 100 s on.
    assert_eq!(told[..3], ["token-2", "\"fresh\"", "\"retrying\""]);
    assert_eq!(
        world.clock.now().boot,
        feed.shown.as_ref().unwrap().expires.unwrap()
    );
    // Another failure is a new state, because the last fault has changed.
    assert!(
        told[3..told.len() - 1]
            .iter()
            .all(|state| state == "\"retrying\"")
    );
}

#[tokio::test(start_paused = true)]
async fn a_reconnecting_watcher_gets_the_token_only_if_it_is_a_newer_one() {
    let world = World::new(&[grant(100)]);
    let mut first = world.watch(None);
    while next(&mut first).await != "token-1" {}
    let generation = world.handle.state().reply.generation;
    assert_eq!(
        at_once(&mut world.watch(Some(generation))).await,
        ["\"fresh\""]
    );
    for old in [None, Some(generation - 5), Some(generation + 5)] {
        assert_eq!(
            at_once(&mut world.watch(old)).await,
            ["token-1", "\"fresh\""],
            "{old:?}"
        );
    }
    // A watcher that did not read for a while gets only the newest state.
    tokio::time::sleep(secs(175)).await;
    assert_eq!(at_once(&mut first).await, ["token-4", "\"fresh\""]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_gets_a_heartbeat_every_15_s_and_keeps_its_profile_awake() {
    let world = World::new(&[grant(86_400)]);
    let mut feed = world.watch(None);
    at_once(&mut feed).await;
    let start = world.clock.now().boot;
    for _ in 0..3 {
        assert_eq!(next(&mut feed).await, "quiet");
    }
    let waited = world.clock.now().boot.since(start);
    assert_eq!(waited.as_secs(), 45);
    // Tokens with a lifetime shorter than the time between two heartbeats.
    let world = World::new(&[grant(4)]);
    let mut feed = world.watch(None);
    let mut tokens = 0;
    while tokens < 20 {
        tokens += u32::from(next(&mut feed).await.starts_with("token"));
    }
    assert!(
        world
            .clock
            .now()
            .boot
            .since(BootInstant::from_boot(secs(1_000)))
            < secs(60)
    );
}

#[tokio::test(start_paused = true)]
async fn changes_that_are_not_sent_do_not_delay_the_heartbeat() {
    let world = World::new(&[grant(3_600)]);
    let mut feed = world.watch(None);
    at_once(&mut feed).await;
    let start = world.clock.now().boot;
    let (roster, handle) = (Arc::clone(&world.roster), Arc::clone(&world.handle));
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(secs(10)).await;
            roster.replace(profiles(&handle));
        }
    });
    assert_eq!(next(&mut feed).await, "quiet");
    assert_eq!(world.clock.now().boot.since(start).as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn a_report_of_the_token_is_sent_to_watchers_as_a_new_state() {
    let world = World::new(&[grant(3_600), Play::Hang]);
    let mut feed = world.watch(None);
    at_once(&mut feed).await;
    tokio::time::sleep(secs(10)).await;
    let rejected = Rejected::Generation(world.handle.state().reply.generation);
    let refused = world
        .handle
        .reject(&rejected, Reporter::Ours(1_000), Duration::ZERO)
        .await;
    assert!(refused.is_err());
    assert_eq!(at_once(&mut feed).await, ["\"fresh\" reported"]);
    assert_eq!(
        at_once(&mut world.watch(None)).await,
        ["token-1 stale", "\"fresh\" reported"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_reload_reevaluates_each_watch_and_a_shutdown_ends_it() {
    let world = World::new(&[grant(3_600)]);
    let mut feed = world.watch(None);
    assert_eq!(at_once(&mut feed).await.len(), 3);
    // A reload that keeps the profile is no event. One that changes the profile is.
    world.roster.replace(profiles(&world.handle));
    assert_eq!(at_once(&mut feed).await, Vec::<String>::new());
    let (changed, _) = keep(
        &ScriptedIssuer::new(&[Play::Hang]),
        &MemoryStore::new(Some("s")),
    );
    world.roster.replace(profiles(&changed));
    assert_eq!(at_once(&mut feed).await, ["\"starting\""]);
    let mut other = world.watch(None);
    world.close.send_replace(true);
    assert_eq!(next(&mut other).await, "unavailable");
    world.close.send_replace(false);
    // The same for a watcher that is waiting.
    let waiting = tokio::spawn(async move { next(&mut feed).await });
    tokio::task::yield_now().await;
    world.roster.replace(Profiles::new());
    assert_eq!(waiting.await.unwrap(), "unknown_profile");
}
