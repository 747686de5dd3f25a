//! A credential that is rejected while a token is held.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_rejected_credential_is_probed_once_before_the_held_token_expires() {
    // Rejected in seconds 1,800, 1,805, 1,865, 1,985, 2,225 and 2,705: the next probe would be due in second 3,605, and
    // the token is served until second 3,570.
    for accepts_again in [true, false] {
        let mut script = vec![fail(FaultKind::Rejected); 7];
        script[0] = grant(3_600);
        script.push(match accepts_again {
            true => grant(3_600),
            false => fail(FaultKind::Rejected),
        });
        let issuer = ScriptedIssuer::new(&script);
        let (handle, _) = keep(&issuer, &MemoryStore::new(Some("s")));
        assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
        tokio::time::sleep(secs(3_509)).await;
        assert_eq!(issuer.seen().len(), 7, "before the last call");
        assert_eq!(text(&handle, NOW, NOW).await, "token-1");
        assert_eq!(handle.state().reply.phase, Phase::Rejected);
        tokio::time::sleep(secs(2)).await;
        assert_eq!(issuer.seen().len(), 8);
        if accepts_again {
            assert_eq!(text(&handle, NOW, NOW).await, "token-8");
            assert_eq!(handle.state().reply.phase, Phase::Fresh);
            continue;
        }
        assert_eq!(text(&handle, NOW, NOW).await, "token-1");
        // Neither the token's expiry nor a request brings the next probe forward.
        tokio::time::sleep(secs(890)).await;
        assert_eq!(text(&handle, NOW, NOW).await, "rejected_by_provider");
        assert_eq!(issuer.seen().len(), 8);
        tokio::time::sleep(secs(10)).await;
        assert_eq!(issuer.seen().len(), 9, "a quarter of an hour later");
    }
}

#[tokio::test(start_paused = true)]
async fn one_rejection_of_the_last_refresh_does_not_lose_a_short_token() {
    let issuer = ScriptedIssuer::new(&[grant(8), fail(FaultKind::Rejected), grant(8)]);
    let (handle, _) = keep(&issuer, &MemoryStore::new(Some("s")));
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    for _ in 0..7 {
        tokio::time::sleep(secs(1)).await;
        assert!(text(&handle, NOW, NOW).await.starts_with("token-"));
    }
    tokio::time::sleep(Duration::from_millis(650)).await;
    assert_eq!(text(&handle, NOW, NOW).await, "token-3");
}
