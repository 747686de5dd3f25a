//! Time limits of a reload, on a paused clock.

use std::path::Path;
use std::sync::mpsc;

use super::*;
use crate::clock::testing::TestClock;
use crate::paths::Env;
use crate::policy::{AccessContext, AllowedUsers, UserNamespace};

/// Creates the reloader of a daemon whose configuration is in this folder.
fn reloading(folder: &Path) -> Reloading {
    let uid = rustix::process::geteuid().as_raw();
    let socket = folder.join("jeton.sock");
    let options = Options {
        config: folder.join("config.toml"),
        config_named: true,
        state: folder.join("state"),
        places: Env::from_vars([], uid)
            .sockets(Some(&socket), None, |_| false)
            .unwrap(),
        uid,
        notify: None,
        watchdog: None,
        listen_names: None,
        stop_at_eof: false,
        guests: AllowedUsers::default(),
        life: None,
        surroundings: Arc::default(),
    };
    let roster = Arc::new(Roster::new(AccessContext {
        own_uid: uid,
        namespace: UserNamespace::Identity,
    }));
    let clock = Arc::new(TestClock::new());
    let wiring = Wiring::around(clock, Arc::clone(&roster), |_, _| None);
    let served = ServedMode::new(None, None);
    Reloading::new(&options, served, wiring, roster, Notify::new(None))
}

#[tokio::test(start_paused = true)]
async fn a_reload_gives_up_a_hanging_configuration_read_after_3_s() {
    let folder = tempfile::tempdir().unwrap();
    let mut reloading = reloading(folder.path());
    // Earlier reads hang, as on a disk that was removed.
    let mut disks = vec![];
    for _ in 0..8 {
        let (disk, hangs) = mpsc::channel::<()>();
        disks.push(disk);
        let lane = reloading.lane.clone();
        tokio::spawn(async move { lane.run(move || hangs.recv()).await.map(drop) });
    }
    for (asked_before, takes) in [(0, 3_000), (1_000, 2_000), (2_500, 1_000), (60_000, 1_000)] {
        tokio::time::sleep(Duration::from_secs(60)).await;
        let start = from_now(Duration::ZERO);
        let asked = start
            .checked_sub(Duration::from_millis(asked_before))
            .unwrap();
        let failed = reloading.reload(&ReloadQuery::default(), asked).await;
        let said = String::from_utf8(failed.unwrap_err().to_json()).unwrap();
        assert!(said.contains("could not be read within 3 s"), "{said}");
        assert_eq!(start.elapsed(), Duration::from_millis(takes));
    }
}
