use std::time::Duration;

use super::*;
use crate::credential::ClientSecret;
use crate::sandbox::fault::Fault;
use crate::sandbox::issuer::Issuer;
use crate::sandbox::{Line, Options};

const SECOND: Duration = Duration::from_secs(1);

/// Makes a panel whose timelines are followed, without a port to open or close.
fn panel() -> SandboxHandle {
    let options = Options::new(Line::V2_24, "app", ClientSecret::parse("s").unwrap());
    let issuer = Issuer::new(options, String::new(), Moment::now());
    let (looks, mut looked_for) = mpsc::channel(1);
    let (timelines, planned) = mpsc::channel(1);
    let panel = SandboxHandle::new(issuer, None, looks, timelines);
    tokio::spawn(run(panel.clone(), planned));
    tokio::spawn(async move {
        while let Some(done) = looked_for.recv().await {
            let _ = done.send(Ok(()));
        }
    });
    panel
}

#[tokio::test(start_paused = true)]
async fn each_fault_of_a_timeline_is_active_from_its_time_on() {
    let panel = panel();
    let fault = || panel.issuer().switch.fault().cloned();
    let text = "0 html\n10 hang\n20 refuse\n20 none\n30 garbage";
    panel.play(Timeline::parse(text).unwrap()).await.unwrap();
    let start = Moment::now().mono;
    assert_eq!(fault(), Some(Fault::Html));
    for (millis, expected) in [
        (9_990, Some(Fault::Html)),
        (10_010, Some(Fault::Hang)),
        (19_990, Some(Fault::Hang)),
        (20_010, None),
        (29_990, None),
        (30_010, Some(Fault::Garbage)),
    ] {
        tokio::time::sleep_until(start + Duration::from_millis(millis)).await;
        assert_eq!(fault(), expected, "at {millis} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_timeline_replaces_the_old_one_and_keeps_its_fault() {
    let panel = panel();
    let fault = || panel.issuer().switch.fault().cloned();
    panel
        .play(Timeline::parse("0 html\n10 hang").unwrap())
        .await
        .unwrap();
    panel
        .play(Timeline::parse("20 garbage").unwrap())
        .await
        .unwrap();
    tokio::time::sleep(SECOND * 15).await;
    assert_eq!(fault(), Some(Fault::Html));
    tokio::time::sleep(SECOND * 15).await;
    assert_eq!(fault(), Some(Fault::Garbage));
    panel.play(Timeline::default()).await.unwrap();
    assert_eq!(fault(), Some(Fault::Garbage));
}
