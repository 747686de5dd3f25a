//! Runs the requests to issuers on separate threads, so that an expensive answer never delays the daemon's own clients.

use std::collections::HashMap;
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use tracing::Instrument as _;

use super::attempt::{Discovering, Fetching, Provider};
use super::exchange;
use super::http::Timeouts;
use crate::credential::Credential;
use crate::fault::{Fault, FaultKind};
use crate::offload::{BackgroundLoop, LoopEnded};

/// The most threads. An issuer whose answers keep its thread busy delays only the profiles whose issuers share that
/// thread.
const THREADS: usize = 4;

/// How much longer than the provider's own deadline an attempt may take. The other thread keeps that deadline, and may
/// be busy.
const GRACE: Duration = Duration::from_secs(1);

/// The threads for requests to issuers. Each starts when it is first needed.
#[derive(Debug)]
pub struct IssuerThreads {
    loops: [Arc<BackgroundLoop>; THREADS],
    /// The thread of each issuer that a profile uses.
    issuers: Mutex<HashMap<String, Weak<Issuer>>>,
}

/// An issuer's thread, shared by all of its profiles.
#[derive(Debug)]
struct Issuer {
    number: usize,
    side: Arc<BackgroundLoop>,
}

/// The thread of an issuer, for calls other than token attempts.
#[derive(Debug, Clone)]
pub struct IssuerThread(Arc<Issuer>);

/// A provider whose attempts run on another thread.
struct OffThreadProvider {
    provider: Arc<dyn Provider>,
    issuer: Arc<Issuer>,
}

// === impl Threads ===

impl IssuerThreads {
    /// Makes `provider` run its attempts on the thread of the issuer at `site`.
    pub fn moved(&self, site: &str, provider: Arc<dyn Provider>) -> Arc<dyn Provider> {
        let issuer = self.of(site);
        Arc::new(OffThreadProvider { provider, issuer })
    }

    /// Returns the thread of the issuer at `site`.
    pub fn thread_of(&self, site: &str) -> IssuerThread {
        IssuerThread(self.of(site))
    }

    /// Returns the issuer's thread. A new issuer gets the thread with the fewest issuers.
    fn of(&self, site: &str) -> Arc<Issuer> {
        // No code panics while it is locked.
        let mut issuers = self.issuers.lock().unwrap_or_else(PoisonError::into_inner);
        issuers.retain(|_, issuer| issuer.strong_count() > 0);
        if let Some(known) = issuers.get(site).and_then(Weak::upgrade) {
            return known;
        }
        let mut used = [0; THREADS];
        for issuer in issuers.values().filter_map(Weak::upgrade) {
            if let Some(used) = used.get_mut(issuer.number) {
                *used += 1;
            }
        }
        let least = self.loops.iter().zip(used).enumerate();
        let least = least.min_by_key(|(_, (_, used))| *used);
        let (number, side) = least.map_or_else(
            || (0, Arc::new(BackgroundLoop::new("issuers"))),
            |(number, (side, _))| (number, Arc::clone(side)),
        );
        let issuer = Arc::new(Issuer { number, side });
        issuers.insert(site.to_owned(), Arc::downgrade(&issuer));
        issuer
    }
}

impl Default for IssuerThreads {
    fn default() -> Self {
        Self {
            loops: std::array::from_fn(|_| Arc::new(BackgroundLoop::new("issuers"))),
            issuers: Mutex::default(),
        }
    }
}

// === impl IssuerThread ===

impl IssuerThread {
    /// Makes a call on that thread. Dropping the future cancels the call.
    ///
    /// # Errors
    /// [`LoopEnded`] if the thread's event loop has ended, which happens only when the process ends.
    pub async fn run<T: Send + 'static>(
        &self,
        call: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, LoopEnded> {
        self.0.side.run(call.in_current_span()).await
    }
}

// === impl Aside ===

impl Provider for OffThreadProvider {
    /// Makes the attempt on this thread: a borrowed credential cannot leave it.
    fn fetch<'a>(&'a self, credential: &'a Credential) -> Fetching<'a> {
        self.provider.fetch(credential)
    }

    fn fetch_shared<'a>(&'a self, credential: &'a Arc<Credential>) -> Fetching<'a> {
        let (provider, credential) = (Arc::clone(&self.provider), Arc::clone(credential));
        let (begun, exchanges) = watch::channel(0);
        let attempt = async move { provider.fetch(&credential).await };
        let attempt = exchange::watched(begun, attempt).in_current_span();
        Box::pin(async move {
            tokio::select! { biased;
                done = self.issuer.side.run(attempt) => done.unwrap_or_else(|LoopEnded| {
                    Err(Fault::new(FaultKind::Connect, "the attempt was lost"))
                }),
                limit = late(exchanges) => {
                    let what = format!("no answer within {limit:?}");
                    Err(Fault::new(FaultKind::Timeout, what))
                }
            }
        })
    }

    fn destination(&self) -> Discovering<'_> {
        self.provider.destination()
    }
}

/// Waits until an exchange, or the whole attempt, exceeds the provider's own limit. Returns that limit.
async fn late(mut exchanges: watch::Receiver<u32>) -> Duration {
    let Timeouts {
        exchange, fetch, ..
    } = Timeouts::default();
    let one = async {
        loop {
            match timeout(exchange + GRACE, exchanges.changed()).await {
                Ok(Ok(())) => {}
                // The attempt has ended, and its result is about to arrive.
                Ok(Err(_)) => pending().await,
                Err(_) => return exchange,
            }
        }
    };
    timeout(fetch + GRACE, one).await.unwrap_or(fetch)
}

#[cfg(test)]
mod tests {
    use std::thread::{self, ThreadId};

    use tokio::sync::Notify;

    use super::*;
    use crate::provider::Granted;

    /// A provider that records the thread of each attempt. With `hangs`, an attempt never ends, and reports when it is
    /// dropped.
    #[derive(Default)]
    struct Noting {
        threads: Mutex<Vec<ThreadId>>,
        begun: Notify,
        dropped: Arc<Notify>,
        hangs: bool,
    }

    struct TellsOnDrop(Arc<Notify>);

    impl Drop for TellsOnDrop {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }

    impl Provider for Noting {
        fn fetch<'a>(&'a self, _: &'a Credential) -> Fetching<'a> {
            Box::pin(async move {
                self.threads.lock().unwrap().push(thread::current().id());
                let _tells = TellsOnDrop(Arc::clone(&self.dropped));
                self.begun.notify_one();
                if self.hangs {
                    pending::<()>().await;
                }
                Err::<Granted, _>(Fault::new(FaultKind::Connect, "as told"))
            })
        }
    }

    fn credential() -> Arc<Credential> {
        Arc::new(Credential::parse("id", "secret").unwrap())
    }

    #[tokio::test]
    async fn each_issuer_keeps_its_thread_and_issuers_use_all_threads() {
        let threads = IssuerThreads::default();
        let noting = Arc::new(Noting::default());
        let at = |site: &str| threads.moved(site, Arc::<Noting>::clone(&noting) as _);
        let issuers: Vec<_> = (0..2 * THREADS)
            .map(|n| at(&format!("https://{n}")))
            .collect();
        let again = at("https://3");
        for issuer in issuers.iter().chain([&again]) {
            let fault = issuer.fetch_shared(&credential()).await.unwrap_err();
            assert_eq!(fault.detail, "as told");
        }
        let seen = noting.threads.lock().unwrap().clone();
        assert!(!seen.contains(&thread::current().id()));
        assert_eq!(seen[2 * THREADS], seen[3]);
        for thread in &seen[..THREADS] {
            let issuers = seen[..2 * THREADS].iter().filter(|id| *id == thread);
            assert_eq!(issuers.count(), 2);
        }
        drop((issuers, again));
        let _kept = at("https://kept");
        assert_eq!(threads.issuers.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn dropping_an_attempt_cancels_it_on_the_issuer_thread() {
        let threads = IssuerThreads::default();
        let noting = Arc::new(Noting {
            hangs: true,
            ..Noting::default()
        });
        let provider = threads.moved("https://a", Arc::<Noting>::clone(&noting) as _);
        let credential = credential();
        tokio::select! { biased;
            _ = provider.fetch_shared(&credential) => panic!("it hangs"),
            () = noting.begun.notified() => {}
        }
        noting.dropped.notified().await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_times_out_even_if_the_issuer_thread_hangs() {
        let threads = IssuerThreads::default();
        let noting = Arc::new(Noting {
            hangs: true,
            ..Noting::default()
        });
        let provider = threads.moved("https://a", Arc::<Noting>::clone(&noting) as _);
        let fault = provider.fetch_shared(&credential()).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Timeout);
        assert_eq!(fault.detail, "no answer within 10s");
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the test runs on tokio's paused clock"
    )]
    #[tokio::test(start_paused = true)]
    async fn each_exchange_has_a_timeout_and_the_attempt_has_its_own() {
        for (begins_after, exchanges, limit, total) in [
            (0, 0, 10, 11),
            (3, 1, 10, 14),
            (4, 2, 10, 19),
            (9, 9, 25, 26),
        ] {
            let (begun, seen) = watch::channel(0);
            let begin = async {
                for _ in 0..exchanges {
                    tokio::time::sleep(Duration::from_secs(begins_after)).await;
                    begun.send_modify(|exchanges| *exchanges += 1);
                }
                pending::<()>().await;
            };
            let start = tokio::time::Instant::now();
            tokio::select! { biased;
                () = begin => {}
                late = late(seen) => assert_eq!(late, Duration::from_secs(limit)),
            }
            assert_eq!(start.elapsed().as_secs(), total, "{begins_after}");
        }
    }
}
