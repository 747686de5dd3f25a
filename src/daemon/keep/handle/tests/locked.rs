//! Locking and unlocking the store of a running profile.

use super::*;

/// Locks the store and then the profile, as the daemon does.
async fn lock(store: &MemoryStore, handle: &Handle) {
    store.lock(true);
    handle.lock().await;
}

async fn unlock(store: &MemoryStore, handle: &Handle) {
    store.lock(false);
    handle.recheck().await;
}

#[tokio::test(start_paused = true)]
async fn locking_the_store_drops_the_token_and_unlocking_fetches_a_new_one() {
    let issuer = ScriptedIssuer::new(&[grant(3_600), grant(3_600)]);
    let store = MemoryStore::new(Some("s"));
    let (handle, _) = keep(&issuer, &store);
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    lock(&store, &handle).await;
    assert_eq!(handle.state().reply.phase, Phase::Locked);
    assert!(handle.held().is_none() && handle.enrolment().is_none());
    for _ in 0..3 {
        // The refusal comes at once, however long the caller would wait.
        assert_eq!(text(&handle, NOW, secs(5)).await, "locked");
    }
    tokio::time::sleep(secs(600)).await;
    assert_eq!(text(&handle, NOW, secs(5)).await, "locked");
    assert_eq!(issuer.seen().len(), 1, "nothing is sent meanwhile");
    unlock(&store, &handle).await;
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-2");
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_starts_locked_reports_it_and_fetches_after_unlocking() {
    let issuer = ScriptedIssuer::new(&[grant(3_600)]);
    let store = MemoryStore::new(Some("s"));
    store.lock(true);
    let (handle, _) = keep(&issuer, &store);
    assert_eq!(text(&handle, NOW, secs(5)).await, "locked");
    let problem = handle.token(NOW, secs(5)).await.unwrap_err();
    assert!(problem.detail().contains("jetond unlock"), "{problem:?}");
    unlock(&store, &handle).await;
    tokio::time::sleep(secs(1)).await;
    assert_eq!(handle.state().reply.phase, Phase::Fresh);
    assert_eq!(issuer.seen(), ["s"]);
}

#[tokio::test(start_paused = true)]
async fn locking_the_store_cancels_a_running_attempt_and_a_running_read() {
    let after = secs(5);
    let slow = Play::Grant { secs: 3_600, after };
    let issuer = ScriptedIssuer::new(&[slow, grant(3_600)]);
    let store = MemoryStore::new(Some("s"));
    let (handle, _) = keep(&issuer, &store);
    tokio::time::sleep(secs(1)).await;
    assert_eq!(issuer.seen().len(), 1);
    let waiting = {
        let handle = Arc::clone(&handle);
        tokio::spawn(async move { text(&handle, NOW, secs(30)).await })
    };
    tokio::time::sleep(secs(1)).await;
    lock(&store, &handle).await;
    assert_eq!(waiting.await.unwrap(), "locked", "and it waits no longer");
    tokio::time::sleep(secs(30)).await;
    assert!(handle.held().is_none());
    // A read that began before the lock must not restore the credential.
    store.lock(false);
    store.slow(secs(2));
    let looking = {
        let handle = Arc::clone(&handle);
        tokio::spawn(async move { handle.recheck().await })
    };
    tokio::time::sleep(secs(1)).await;
    lock(&store, &handle).await;
    looking.await.unwrap();
    tokio::time::sleep(secs(30)).await;
    assert_eq!(handle.state().reply.phase, Phase::Locked);
    assert_eq!(issuer.seen().len(), 1);
}
