//! An issuer whose new token invalidates the old one.

use super::*;
use crate::lifecycle::Policy;
use crate::schedule::Reissue;

#[tokio::test(start_paused = true)]
async fn a_caller_that_wants_more_validity_before_a_late_refresh_gets_a_stale_token() {
    let issuer = ScriptedIssuer::new(&[grant(100)]);
    let policy = Policy {
        reissue: Reissue::KillsOld,
        ..Policy::default()
    };
    let (handle, clock) = keep_with(&issuer, &MemoryStore::new(Some("s")), policy);
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    tokio::time::sleep(secs(60)).await;
    let start = clock.now().boot;
    for wait in [NOW, secs(5)] {
        assert_eq!(text(&handle, secs(50), wait).await, "token-1 stale");
    }
    assert_eq!(clock.now().boot, start, "without waiting");
    assert_eq!(issuer.seen().len(), 1);
    // The attempt is due between 75 and 85 s; a caller that can wait until then gets the next token.
    assert_eq!(text(&handle, secs(50), secs(30)).await, "token-2");
}
