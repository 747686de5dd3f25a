//! Advice of `doctor` on a machine with the service installed: it says to start the service.

use std::fs;

use super::{about, doctor};
use crate::support::TestEnv;

#[test]
fn without_a_daemon_doctor_proposes_to_start_the_installed_sockets() {
    let env = TestEnv::new();
    let (_, findings) = doctor(&env, &[]);
    let (_, text) = about(&findings, "daemon");
    assert!(text.ends_with("start it: jetond run"), "{text}");

    let units = env.path("config/systemd/user");
    fs::create_dir_all(&units).unwrap();
    fs::write(units.join("jetond.socket"), "[Socket]\n").unwrap();
    let (_, findings) = doctor(&env, &[]);
    let (verdict, text) = about(&findings, "daemon");
    assert_eq!(verdict, "warn");
    for part in [
        "systemctl --user reset-failed jetond.service jetond.socket jetond-admin.socket",
        "systemctl --user start jetond.socket jetond-admin.socket",
        "journalctl --user -u jetond",
    ] {
        assert!(text.contains(part), "{text}");
    }
    // A socket elsewhere does not belong to the service.
    let elsewhere = env.path("tmp/jeton.sock");
    let (_, findings) = doctor(&env, &["--socket", elsewhere.to_str().unwrap()]);
    let (_, text) = about(&findings, "daemon");
    assert!(!text.contains("systemctl"), "{text}");
}
