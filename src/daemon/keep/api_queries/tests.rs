use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::clock::testing::TestClock;
use crate::query::{FormattedKey, KeyForm, KeyListing};

/// A list with the number of the query that it answers.
struct Numbered(usize);

impl KeyList for Numbered {
    fn seen(&self, _: &str) -> Option<crate::query::KeyFacts> {
        None
    }

    fn list(&self, _: &KeyForm<'_>, _: usize) -> KeyListing {
        KeyListing {
            text: self.0.to_string(),
            shown: 0,
            total: 0,
        }
    }
    fn show(&self, _: &str, _: &KeyForm<'_>) -> FormattedKey {
        FormattedKey::Nothing("key")
    }
    fn may_lack(&self, _: &str) -> bool {
        false
    }
}

/// The way in which the API answers a query. It takes a second, unless the variant says otherwise.
#[derive(Clone, Copy)]
enum Play {
    Answers,
    AnswersAtOnce,
    Fails(Option<u64>),
    Hangs,
}

struct Scripted {
    play: Play,
    begun: AtomicUsize,
    running: Arc<AtomicUsize>,
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Api for Scripted {
    fn site(&self) -> &str {
        "https://a.example"
    }

    fn look_up(&self, _: ApiQuestion, token: AccessToken, _: Arc<Enrolment>) -> ApiCall {
        assert_eq!(token, AccessToken::parse("T0KEN").unwrap());
        let (play, running) = (self.play, Arc::clone(&self.running));
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        Box::pin(async move {
            assert_eq!(running.fetch_add(1, Ordering::Relaxed), 0, "one at a time");
            let _counted = Counted(running);
            if !matches!(play, Play::AnswersAtOnce) {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            match play {
                Play::Answers | Play::AnswersAtOnce => {
                    Ok(ApiAnswer::Keys(Arc::new(Numbered(number))))
                }
                Play::Fails(wait) => Err(ApiFailure {
                    problem: Problem::new(Code::RejectedByProvider),
                    retry_after: wait.map(Duration::from_secs),
                }),
                Play::Hangs => pending().await,
            }
        })
    }
}

struct World {
    api: Arc<Scripted>,
    lookups: Arc<ApiQueries>,
    clock: Arc<TestClock>,
}

fn world(play: Play) -> World {
    let api = Arc::new(Scripted {
        play,
        begun: AtomicUsize::new(0),
        running: Arc::default(),
    });
    let clock = Arc::new(TestClock::new());
    let lookups = ApiQueries::new(
        Arc::<Scripted>::clone(&api),
        Arc::<TestClock>::clone(&clock),
    );
    World {
        api,
        lookups,
        clock,
    }
}

fn of(kind: KeyKind) -> ApiQuestion {
    ApiQuestion::Keys {
        kind,
        all: false,
        with: None,
    }
}

impl World {
    async fn ask(&self, kind: KeyKind) -> Result<String, Problem> {
        ask(Arc::clone(&self.lookups), kind).await
    }

    fn begun(&self) -> usize {
        self.api.begun.load(Ordering::Relaxed)
    }
}

async fn ask(lookups: Arc<ApiQueries>, kind: KeyKind) -> Result<String, Problem> {
    let token = AccessToken::parse("T0KEN").unwrap();
    let enrolment = Arc::new(Enrolment {
        client_id: "c".into(),
        origin: None,
        ca: None,
        enrolled_at: None,
        server_date: None,
    });
    let facts = lookups.answer(&of(kind), &token, &enrolment).await?;
    let ApiAnswer::Keys(keys) = facts else {
        panic!("keys were asked for")
    };
    let form = KeyForm {
        json: false,
        now: 0,
        users: &[],
    };
    Ok(keys.list(&form, 0).text)
}

#[tokio::test(start_paused = true)]
async fn concurrent_callers_share_one_query_and_its_answer_for_5_seconds() {
    let world = world(Play::Answers);
    let callers: Vec<_> = (0..100)
        .map(|_| tokio::spawn(ask(Arc::clone(&world.lookups), KeyKind::Auto)))
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap(), "1");
    }
    for (after_ms, number) in [(4_900, "1"), (200, "2"), (0, "2")] {
        tokio::time::sleep(Duration::from_millis(after_ms)).await;
        assert_eq!(world.ask(KeyKind::Auto).await.unwrap(), number);
    }
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(world.lookups.lock().answers.is_empty(), "nothing is kept");
}

#[tokio::test(start_paused = true)]
async fn different_queries_run_one_after_the_other() {
    let world = world(Play::Answers);
    let callers: Vec<_> = KeyKind::ALL
        .into_iter()
        .map(|kind| tokio::spawn(ask(Arc::clone(&world.lookups), kind)))
        .collect();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!(world.begun(), KeyKind::ALL.len());
}

#[tokio::test(start_paused = true)]
async fn a_failed_query_is_cached_like_an_answer_and_obeys_retry_after() {
    let world = world(Play::Fails(Some(30)));
    let start = world.clock.now().boot;
    for (at, kind, begun) in [
        (1, KeyKind::Auto, 1),
        (3, KeyKind::Auto, 1),
        (4, KeyKind::AccessKey, 1),
        (20, KeyKind::Auto, 1),
        (32, KeyKind::Auto, 2),
    ] {
        world
            .clock
            .sleep_until(start.after(Duration::from_secs(at)))
            .await;
        let problem = world.ask(kind).await.unwrap_err();
        assert_eq!(world.begun(), begun, "{at}");
        assert!(problem.retry_at.is_some(), "{at}: {problem:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_query_is_cancelled_after_10_seconds() {
    let world = world(Play::Hangs);
    let start = world.clock.now().boot;
    let problem = world.ask(KeyKind::Auto).await.unwrap_err();
    assert_eq!(world.clock.now().boot.since(start), LIMIT);
    assert_eq!(problem.code, Code::Unavailable);
    assert_eq!(world.api.running.load(Ordering::Relaxed), 0);
    assert_eq!(world.ask(KeyKind::Auto).await.unwrap_err(), problem);
    assert_eq!(world.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_caller_does_not_cancel_the_query() {
    let world = world(Play::Answers);
    let caller = tokio::spawn(ask(Arc::clone(&world.lookups), KeyKind::Auto));
    tokio::time::sleep(Duration::from_millis(500)).await;
    caller.abort();
    assert!(caller.await.is_err());
    assert_eq!(world.ask(KeyKind::Auto).await.unwrap(), "1");
}

#[tokio::test(start_paused = true)]
async fn retiring_a_profile_cancels_its_query_and_refuses_further_ones() {
    let world = world(Play::Hangs);
    let caller = tokio::spawn(ask(Arc::clone(&world.lookups), KeyKind::Auto));
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.lookups.retire();
    assert_eq!(caller.await.unwrap().unwrap_err(), lost());
    assert_eq!(world.api.running.load(Ordering::Relaxed), 0);
    assert_eq!(world.ask(KeyKind::Auto).await.unwrap_err(), lost());
    assert_eq!(world.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn queries_are_paced_even_when_answers_are_immediate() {
    let world = world(Play::AnswersAtOnce);
    let start = world.clock.now().boot;
    for kind in KeyKind::ALL {
        world.ask(kind).await.unwrap();
    }
    assert_eq!(world.clock.now().boot.since(start), 4 * PACE);
}
