#![expect(
    clippy::disallowed_methods,
    reason = "a test that waits is its own clock"
)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::*;

const ADDRESS: &str = "192.0.2.7:0";

/// The number of threads that the system still grants.
#[derive(Clone)]
struct System(Arc<AtomicUsize>);

impl System {
    fn spawn(&self, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        let one_less = |n: usize| n.checked_sub(1);
        self.0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
            .map_err(|_| io::Error::from_raw_os_error(11))?;
        thread::Builder::new().spawn(work).map(drop)
    }

    fn gives(&self, threads: usize) {
        self.0.store(threads, Ordering::SeqCst);
    }
}

/// A resolver with counted look-ups. Those of names with `hang` in them wait until the sender is dropped.
struct TestResolver {
    resolver: Resolver,
    system: System,
    looked_up: Arc<Mutex<Vec<String>>>,
    go: Option<Sender<()>>,
}

impl TestResolver {
    fn new(threads: usize) -> Self {
        let system = System(Arc::new(AtomicUsize::new(threads)));
        let looked_up = Arc::<Mutex<Vec<String>>>::default();
        let (go, gate) = channel::<()>();
        let gate: Arc<Mutex<Receiver<()>>> = Arc::new(Mutex::new(gate));
        let (seen, giving) = (Arc::clone(&looked_up), system.clone());
        let lookup = move |name: &str| {
            seen.lock().unwrap().push(name.to_owned());
            if name.contains("hang") {
                let _: Result<(), _> = gate.lock().unwrap().recv();
            }
            match name {
                "absent.test" => Err(io::Error::other("canary")),
                "empty.test" => Ok(vec![]),
                _ => Ok(vec![ADDRESS.parse().unwrap()]),
            }
        };
        Self {
            resolver: Resolver::new(lookup, move |work| giving.spawn(work)),
            system,
            looked_up,
            go: Some(go),
        }
    }

    /// Resolves a name in its own task.
    fn ask(&self, name: &'static str) -> tokio::task::JoinHandle<Found> {
        let resolver = self.resolver.clone();
        tokio::spawn(async move { resolver.find(name).await })
    }

    fn looked_up(&self) -> Vec<String> {
        self.looked_up.lock().unwrap().clone()
    }

    /// Waits until the system's resolver has been called for these names, in this order.
    async fn begun(&self, names: &[&str]) {
        while self.looked_up() != names {
            tokio::task::yield_now().await;
        }
    }

    fn state(&self) -> (usize, usize, usize) {
        let state = self.resolver.0.lock();
        (state.threads, state.idle, state.lookups.len())
    }

    /// Waits for this state: the numbers of threads, of idle threads and of look-ups.
    async fn settled(&self, state: (usize, usize, usize)) {
        while self.state() != state {
            tokio::task::yield_now().await;
        }
    }
}

fn good(found: Found) -> bool {
    found.is_ok_and(|found| found == [ADDRESS.parse().unwrap()])
}

fn no_thread(found: Found) -> bool {
    matches!(found, Err(ResolveError::NoThread(error)) if error.raw_os_error() == Some(11))
}

#[tokio::test]
async fn one_resolver_thread_looks_up_names_one_after_the_other() {
    let scene = TestResolver::new(1);
    scene.resolver.start().unwrap();
    scene.resolver.start().unwrap();
    scene.settled((1, 1, 0)).await;
    for _ in 0..3 {
        assert!(good(scene.resolver.find("a.test").await));
        scene.settled((1, 1, 0)).await;
    }
    let asked = ["b.test", "c.test", "d.test"].map(|name| scene.ask(name));
    for asked in asked {
        assert!(good(asked.await.unwrap()), "the names take turns");
    }
    scene.settled((1, 1, 0)).await;
}

#[tokio::test]
async fn callers_of_one_name_share_one_lookup() {
    let mut scene = TestResolver::new(9);
    let asked: Vec<_> = (0..8).map(|_| scene.ask("hang.test")).collect();
    scene.begun(&["hang.test"]).await;
    let late = scene.ask("hang.test");
    tokio::task::yield_now().await;
    assert_eq!(scene.state(), (1, 0, 1));
    scene.go = None;
    for asked in asked.into_iter().chain([late]) {
        assert!(good(asked.await.unwrap()));
    }
    assert_eq!(scene.looked_up(), ["hang.test"]);
}

#[tokio::test]
async fn a_hanging_name_lookup_does_not_delay_other_names() {
    let mut scene = TestResolver::new(9);
    scene.resolver.start().unwrap();
    let hanging = scene.ask("hang.test");
    scene.begun(&["hang.test"]).await;
    for _ in 0..3 {
        assert!(good(scene.resolver.find("a.test").await));
    }
    // The thread that was started for it waits for the next name.
    scene.settled((2, 1, 1)).await;
    assert!(!hanging.is_finished());
    scene.go = None;
    assert!(good(hanging.await.unwrap()));
    scene.settled((1, 1, 0)).await;
}

#[tokio::test(start_paused = true)]
async fn other_names_fail_in_time_while_the_only_resolver_thread_hangs() {
    let mut scene = TestResolver::new(1);
    let hanging = scene.ask("hang.test");
    scene.begun(&["hang.test"]).await;
    let start = tokio::time::Instant::now();
    let asked = ["a.test", "b.test", "a.test"].map(|name| scene.ask(name));
    for asked in asked {
        assert!(no_thread(asked.await.unwrap()));
    }
    assert_eq!(start.elapsed().as_secs(), THREAD_WAIT.as_secs());
    // When a thread becomes free or is granted, names are resolved again, except those of dropped requests.
    scene.system.gives(1);
    assert!(good(scene.resolver.find("a.test").await));
    scene.go = None;
    assert!(good(hanging.await.unwrap()));
    scene.settled((1, 1, 0)).await;
    assert_eq!(scene.looked_up(), ["hang.test", "a.test"]);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_name_lookup_fails_before_the_connect_timeout() {
    let scene = TestResolver::new(9);
    let start = tokio::time::Instant::now();
    let found = scene.resolver.find_in_time("hang.test").await;
    let why = found.err().unwrap().to_string();
    assert!(why.contains("no name server answers"), "{why}");
    assert_eq!(start.elapsed(), LIMIT);
    assert!(LIMIT < crate::provider::http::Timeouts::default().connect);
}

#[tokio::test]
async fn a_waiting_lookup_gets_the_next_free_resolver_thread() {
    let mut scene = TestResolver::new(1);
    let hanging = scene.ask("hang.test");
    scene.begun(&["hang.test"]).await;
    let waiting = scene.ask("a.test");
    scene.settled((1, 0, 2)).await;
    scene.go = None;
    assert!(good(waiting.await.unwrap()));
    assert!(good(hanging.await.unwrap()));
}

#[tokio::test]
async fn without_a_resolver_thread_a_lookup_fails_immediately_and_the_next_retries() {
    let scene = TestResolver::new(0);
    assert!(scene.resolver.start().is_err());
    assert!(no_thread(scene.resolver.find("a.test").await));
    assert_eq!(scene.state(), (0, 0, 0));
    scene.system.gives(1);
    assert!(good(scene.resolver.find("a.test").await));
}

#[tokio::test]
async fn a_name_without_an_address_is_a_fault() {
    let scene = TestResolver::new(1);
    let found = scene.resolver.find("empty.test").await;
    assert!(matches!(found, Err(ResolveError::NoAddress)), "{found:?}");
    let found = scene.resolver.find("absent.test").await;
    assert!(matches!(found, Err(ResolveError::Failed(_))), "{found:?}");
    assert!(!found.unwrap_err().to_string().contains("canary"));
}

#[tokio::test]
async fn localhost_resolves_to_loopback_without_a_lookup() {
    let scene = TestResolver::new(0);
    for name in ["localhost", "LOCALHOST", "localhost."] {
        let found = scene.resolver.find(name).await.unwrap();
        assert!(found.iter().all(|at| at.ip().is_loopback()) && found.len() == 2);
    }
    for name in ["localhost.test", "a.localhost", ""] {
        assert!(no_thread(scene.resolver.find(name).await), "{name}");
    }
}

#[tokio::test]
async fn the_systems_resolver_takes_any_name_without_a_panic() {
    let resolver = Resolver::shared();
    for name in [
        "",
        ".",
        "a\0b",
        "-",
        "\u{e4}",
        "a b",
        "[::1",
        &"x".repeat(70_000),
    ] {
        assert!(resolver.find(name).await.is_err(), "{name:?}");
    }
    let found = resolver.find("127.0.0.1").await.unwrap();
    assert_eq!(found, ["127.0.0.1:0".parse().unwrap()]);
}
