use super::*;
use crate::clock::testing::TestClock;

/// Creates handles of `profiles` profiles at one issuer that answers after `after`.
fn crowd(profiles: usize, lifetime: u64, after: Duration) -> (Vec<Arc<Handle>>, Arc<TestClock>) {
    let bulkhead = Bulkhead::default();
    let issuer = ScriptedIssuer::new(&[Play::Grant {
        secs: lifetime,
        after,
    }]);
    let store = MemoryStore::new(Some("s"));
    let policy = Policy {
        keep_warm: true,
        ..Policy::default()
    };
    let kept = (0..profiles).map(|_| {
        let compartment = bulkhead.compartment("crowded");
        keep_at(&issuer, &store, policy, compartment).0
    });
    (kept.collect(), Arc::new(TestClock::new()))
}

#[tokio::test(start_paused = true)]
async fn a_requested_profile_gets_its_token_before_a_thousand_others() {
    let (profiles, clock) = crowd(1_000, 3_600, Duration::from_millis(200));
    tokio::time::sleep(Duration::from_millis(10)).await;
    let asked = clock.now().boot;
    text(&profiles[997], NOW, secs(5)).await;
    let waited = clock.now().boot.since(asked);
    // The calls that were running, and the profile's own.
    assert!(waited <= Duration::from_millis(400), "{waited:?}");
    let held = |profile: &&Arc<Handle>| profile.is_ready();
    let before = profiles.iter().filter(held).count();
    assert!(before <= 32, "{before}");
}

#[tokio::test(start_paused = true)]
async fn a_profile_waiting_for_a_permit_shows_how_long_it_waits() {
    let (profiles, _) = crowd(1_000, 3_600, secs(1));
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let queued = |profile: &Handle| profile.state().reply.queued_for;
    assert_eq!(queued(&profiles[999]), Some(2));
    assert_eq!(queued(&profiles[0]), None);
    tokio::time::sleep(secs(120)).await;
    assert_eq!(queued(&profiles[999]), None);
}

#[tokio::test(start_paused = true)]
async fn two_thousand_profiles_with_short_lifetimes_all_keep_a_valid_token() {
    let (profiles, _) = crowd(2_000, 60, Duration::from_millis(200));
    // The first tokens come within 20 s: 2,000 attempts, 32 at a time.
    tokio::time::sleep(secs(20)).await;
    for _ in 0..300 {
        let held = profiles.iter().filter(|profile| profile.is_ready()).count();
        assert_eq!(held, profiles.len());
        tokio::time::sleep(secs(1)).await;
    }
}
