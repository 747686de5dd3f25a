//! Versions: the daemon's version is reported, and whether an upgrade has replaced its program since the start.

use std::fs;
use std::path::Path;

use crate::support::TestEnv;
use crate::support::daemon::Daemon;

const OURS: &str = env!("CARGO_PKG_VERSION");

/// Returns the daemon's version from `jeton status --json`, and whether its program has been replaced.
fn status(env: &TestEnv) -> (String, serde_json::Value) {
    let shown = env.jeton(&["status", "--json"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    let json: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    let version = json["version"].as_str().unwrap().to_owned();
    (version, json["binary_replaced"].clone())
}

/// Returns the verdict of `doctor` about the version, what it found, and its remedy.
fn doctor(env: &TestEnv) -> [String; 3] {
    let examined = env.jetond(&["doctor", "--json"]);
    assert_eq!(examined.code, 0, "{examined:?}");
    let findings: Vec<serde_json::Value> = serde_json::from_str(&examined.stdout).unwrap();
    let about = findings.iter().find(|f| f["check"] == "version").unwrap();
    ["verdict", "found", "remedy"].map(|key| about[key].as_str().unwrap_or_default().to_owned())
}

/// Starts a daemon whose program is at this path.
fn start(env: &TestEnv, program: &Path) -> Daemon {
    fs::hard_link(env!("CARGO_BIN_EXE_jetond"), program).unwrap();
    let mut command = env.command(program);
    command.arg("run");
    env.start_command(command)
}

#[test]
fn status_and_doctor_report_the_version_and_a_replaced_program() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let program = folder.path().join("jetond");
    for how in ["renamed over", "moved away", "removed"] {
        let env = TestEnv::with_sandbox(3_600);
        env.enrol("research");
        let mut daemon = start(&env, &program);
        assert_eq!(status(&env), (OURS.to_owned(), false.into()));
        let [verdict, found, _] = doctor(&env);
        assert_eq!(verdict, "ok", "{found}");
        assert!(found.contains(&format!("runs version {OURS}")), "{found}");
        assert!(!env.jeton(&["status"]).stdout.contains("replaced"));

        let other = folder.path().join("other");
        fs::write(&other, "another program").unwrap();
        match how {
            "renamed over" => fs::rename(&other, &program).unwrap(),
            "moved away" => {
                fs::rename(&program, folder.path().join("jetond.old")).unwrap();
                fs::rename(&other, &program).unwrap();
            }
            _ => fs::remove_file(&program).unwrap(),
        }
        assert_eq!(status(&env), (OURS.to_owned(), true.into()), "{how}");
        let [verdict, found, remedy] = doctor(&env);
        assert_eq!(verdict, "warn", "{how}: {found}");
        assert!(found.contains("its program was replaced"), "{found}");
        assert!(remedy.contains("restart"), "{remedy}");
        let table = env.jeton(&["status"]).stdout;
        assert!(table.contains("was replaced; restart it"), "{table}");
        for socket in [&daemon.socket, &daemon.admin] {
            let answer = env.request(socket, "GET", "/v1/version", &[], b"").json();
            let wanted = serde_json::json!({ "version": OURS, "binary_replaced": true });
            assert_eq!(answer, wanted);
        }
        env.stop(&mut daemon);
        let _ = fs::remove_file(&program);
    }
}
