use super::*;
use crate::clock::testing::TestClock;

fn clock() -> Arc<dyn Clock> {
    Arc::new(TestClock::new())
}

/// Lets every other task run until it has to wait.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

async fn enter(compartment: &Compartment) -> Permit {
    let waiters = WaitCounts::default();
    compartment.enter(&clock(), None, &waiters).await
}

async fn fill(compartment: &Compartment, places: usize) -> Vec<Permit> {
    let mut permits = vec![];
    for _ in 0..places {
        permits.push(enter(compartment).await);
    }
    permits
}

/// Whether a permit is available without a wait.
async fn is_free(compartment: &Compartment) -> bool {
    let entered = tokio::time::timeout(Duration::from_millis(1), enter(compartment));
    entered.await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn profiles_of_one_issuer_share_its_permits() {
    let bulkhead = Bulkhead::default();
    let a = bulkhead.compartment("https://a.example");
    let again = bulkhead.compartment("https://a.example");
    let b = bulkhead.compartment("https://b.example");
    let mut full = fill(&a, queue::AT_ONE).await;
    assert!(!is_free(&again).await);
    assert!(is_free(&b).await);
    let waiting = tokio::spawn(async move { enter(&again).await });
    settle().await;
    full.pop();
    drop(waiting.await.unwrap());
    assert!(is_free(&a).await);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_attempt_releases_its_queue_position_and_permit() {
    let bulkhead = Bulkhead::default();
    let a = bulkhead.compartment("https://a.example");
    let full = fill(&a, queue::AT_ONE).await;
    for _ in 0..100 {
        assert!(!is_free(&a).await);
    }
    let waiting = |state: &State| (state.waiting.len(), state.queue.waiting(&a.site));
    assert_eq!(waiting(&lock(&a.state)), (0, 0));
    // An attempt that was dropped between the grant of its permit and its next poll.
    let waiters = WaitCounts::default();
    let clock = clock();
    let mut entering = Box::pin(a.enter(&clock, None, &waiters));
    tokio::select! { biased;
        _ = &mut entering => panic!("there is no place"),
        () = settle() => {}
    }
    drop(full);
    drop(entering);
    drop(fill(&a, queue::AT_ONE).await);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_caller_raises_the_priority_of_its_attempt() {
    let bulkhead = Bulkhead::default();
    let a = bulkhead.compartment("https://a.example");
    let mut full = fill(&a, queue::AT_ONE).await;
    let (enter, mut entered) = tokio::sync::mpsc::unbounded_channel();
    let all: Vec<_> = (0..100).map(|_| Arc::<WaitCounts>::default()).collect();
    for (n, waiters) in all.iter().enumerate() {
        let (a, enter, waiters) = (a.clone(), enter.clone(), Arc::clone(waiters));
        tokio::spawn(async move {
            let permit = a.enter(&clock(), None, &waiters).await;
            enter.send((n, permit)).unwrap();
        });
    }
    settle().await;
    assert!(all[70].queued_since().is_some());
    let caller = all[70].wait();
    let gone = all[80].wait();
    settle().await;
    drop(gone);
    settle().await;
    for expected in [70, 0, 1] {
        full.pop();
        let (n, permit) = entered.recv().await.unwrap();
        assert_eq!(n, expected);
        // The attempt keeps its permit.
        std::mem::forget(permit);
    }
    drop(caller);
    assert_eq!(all[70].queued_since(), None);
}
