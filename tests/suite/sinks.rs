//! Sinks: files that contain a profile's token, as programs read them.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use jetond::sandbox::Line;
use serde_json::Value;

use crate::support::daemon::{Daemon, wait_until};
use crate::support::env::Output;
use crate::support::{TestEnv, ignored};

mod many;

/// Appends a sink of the profile to the configuration. Returns the path of its file.
fn add_sink(env: &TestEnv, path: &str, keys: &str) -> PathBuf {
    let config = fs::read_to_string(env.config()).unwrap();
    let sink = format!("\n[[profiles.research.sinks]]\npath = \"{path}\"\n{keys}\n");
    fs::write(env.config(), config + &sink).unwrap();
    let file = env.path("run/jeton").join(path);
    env.is_sink(&file);
    file
}

fn status(env: &TestEnv) -> Value {
    let shown = env.jeton(&["status", "research", "--json"]);
    let all: Value = serde_json::from_str(&shown.stdout).unwrap();
    all["profiles"][0].clone()
}

fn sink(env: &TestEnv) -> Value {
    status(env)["sinks"][0].clone()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Waits until the file holds the newest token.
fn wait_for_newest(env: &TestEnv, file: &Path) -> String {
    wait_until("the file to hold the newest token", || {
        env.sandbox().issued().last() == Some(&text(file))
    });
    text(file)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn reload(env: &TestEnv) {
    let done: Output = env.jeton(&["reload"]);
    assert_eq!(done.code, 0, "{done:?}");
}

/// Returns whether a folder is on a tmpfs, according to stat(1).
pub(crate) fn is_in_memory(folder: &Path) -> bool {
    let mut stat = std::process::Command::new("stat");
    let out = stat.args(["-f", "-c", "%T"]).arg(folder).output().unwrap();
    out.stdout.starts_with(b"tmpfs")
}

/// Kills a daemon.
fn kill(daemon: &mut Daemon) {
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
}

#[test]
fn a_sink_stays_fresh_without_any_token_request() {
    let env = TestEnv::with_sandbox(2);
    env.enrol("research");
    let file = add_sink(&env, "one/token", "format = \"raw\"");
    let mut daemon = env.start();
    let first = wait_for_newest(&env, &file);
    // Without the sink, the profile would go idle after two lifetimes.
    let before = env.sandbox().stats().token_requests;
    wait_until("six more refreshes", || {
        env.sandbox().stats().token_requests >= before + 6
    });
    assert_ne!(wait_for_newest(&env, &file), first);
    let meta = file.metadata().unwrap();
    assert_eq!(meta.mode() & 0o7777, 0o600);
    assert_eq!(names(file.parent().unwrap()), ["token"]);
    let shown = status(&env);
    assert_ne!(shown["phase"], "resting", "{shown}");
    let sink = &shown["sinks"][0];
    assert_eq!(sink["path"], file.to_str().unwrap());
    assert_eq!(sink["format"], "raw");
    assert_eq!(sink["state"], "fresh", "{sink}");
    assert!(
        sink["written_at"].is_u64() && sink["generation"].is_u64(),
        "{sink}"
    );
    env.stop(&mut daemon);
}

#[test]
fn a_reload_adds_changes_and_removes_files() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let bare = fs::read_to_string(env.config()).unwrap();
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    let file = add_sink(&env, "token", "format = \"raw\"");
    reload(&env);
    wait_until("the file", || text(&file) == token);
    let as_raw = fs::read_to_string(env.config()).unwrap();
    let as_header = as_raw.replace("\"raw\"", "\"header\"\nmode = \"0644\"");
    fs::write(env.config(), as_header).unwrap();
    reload(&env);
    let header = format!("Authorization: Bearer {token}\n");
    wait_until("the other format", || text(&file) == header);
    assert_eq!(file.metadata().unwrap().mode() & 0o7777, 0o644);
    fs::write(env.config(), bare).unwrap();
    reload(&env);
    wait_until("the file to be removed", || !file.exists());
    assert_eq!(status(&env)["sinks"], Value::Null);
    assert_eq!(
        env.sandbox().issued().len(),
        2,
        "each reload kept the token"
    );
    env.stop(&mut daemon);
}

#[test]
fn an_expired_token_is_removed_unless_the_file_is_to_stay() {
    let env = TestEnv::with_sandbox(3);
    env.enrol("research");
    let gone = add_sink(&env, "gone", "format = \"raw\"");
    let stays = add_sink(&env, "stays", "format = \"raw\"\non-expiry = \"keep\"");
    let mut daemon = env.start();
    let token = wait_for_newest(&env, &gone);
    wait_until("the second file", || text(&stays) == token);
    env.fault("refuse");
    wait_until("the file to be removed", || !gone.exists());
    let states = || {
        let sinks = status(&env)["sinks"].clone();
        (sinks[0]["state"].clone(), sinks[1]["state"].clone())
    };
    wait_until("the files to be removed and expired", || {
        states() == ("removed".into(), "expired".into())
    });
    assert!(!text(&stays).is_empty());
    env.fault("none");
    wait_for_newest(&env, &gone);
    wait_for_newest(&env, &stays);
    wait_until("both files to be fresh", || {
        states() == ("fresh".into(), "fresh".into())
    });
    env.stop(&mut daemon);
}

#[test]
fn a_rejected_token_is_replaced_at_once() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let file = add_sink(&env, "token", "format = \"raw\"");
    let mut daemon = env.start();
    let rejected = wait_for_newest(&env, &file);
    let generation = status(&env)["generation"].to_string();
    let reported = env.jeton(&["reject", "research", "--generation", &generation]);
    assert_eq!(reported.code, 0, "{reported:?}");
    assert_ne!(wait_for_newest(&env, &file), rejected);
    env.stop(&mut daemon);
}

#[test]
fn a_foreign_file_at_the_path_of_a_sink_is_kept_and_reported() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let file = add_sink(&env, "token", "format = \"raw\"");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "another's").unwrap();
    let private = fs::Permissions::from_mode(0o700);
    fs::set_permissions(file.parent().unwrap(), private).unwrap();
    let mut daemon = env.start();
    wait_until("the failure", || sink(&env)["state"] == "failed");
    let detail = sink(&env)["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("replace = true"), "{detail}");
    assert_eq!(text(&file), "another's");
    let config = fs::read_to_string(env.config()).unwrap();
    fs::write(env.config(), config + "replace = true\n").unwrap();
    reload(&env);
    wait_for_newest(&env, &file);
    env.stop(&mut daemon);
}

#[test]
fn a_stop_keeps_valid_tokens_and_a_start_removes_expired_ones() {
    let env = TestEnv::with_sandbox(4);
    env.enrol("research");
    let bare = fs::read_to_string(env.config()).unwrap();
    let file = add_sink(&env, "token", "format = \"raw\"");
    let mut daemon = env.start();
    let token = wait_for_newest(&env, &file);
    env.stop(&mut daemon);
    assert_eq!(text(&file), token);
    // The token expires while no daemon runs, and the issuer is unreachable.
    env.fault("refuse");
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(text(&file), token);
    let mut daemon = env.start();
    wait_until("the file to be removed", || !file.exists());
    env.fault("none");
    wait_for_newest(&env, &file);
    // The daemon is killed, and the sink is not in the configuration at the next start.
    kill(&mut daemon);
    fs::write(env.config(), bare).unwrap();
    let mut daemon = env.start();
    wait_until("the file to be removed", || !file.exists());
    env.stop(&mut daemon);
}

#[test]
fn a_stop_leaves_no_file_half_written() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let folder = env.path("run/jeton/d");
    for file in 0..40 {
        add_sink(&env, &format!("d/{file}"), "format = \"raw\"");
    }
    for wait in [0, 50, 100, 150, 200, 250] {
        let mut daemon = env.start();
        // At a different moment of the write each time.
        std::thread::sleep(Duration::from_millis(wait));
        env.stop(&mut daemon);
        let left = if folder.exists() {
            names(&folder)
        } else {
            vec![]
        };
        let hidden: Vec<_> = left.iter().filter(|name| name.starts_with('.')).collect();
        assert!(hidden.is_empty(), "{hidden:?}");
    }
}

#[test]
fn a_non_jwt_is_not_written_to_a_jwt_sink() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let file = add_sink(&env, "token", "format = \"jwt\"");
    env.fault(r#"raw:{"access_token":"an-opaque.token","expires_in":600}"#);
    let mut daemon = env.start();
    wait_until("the failure", || sink(&env)["state"] == "failed");
    assert!(!file.exists());
    let shown = env.jeton(&["status"]).stdout;
    assert!(shown.contains("not a JWT"), "{shown}");
    let found = env.jetond(&["doctor", "--json"]).stdout;
    let found: Value = serde_json::from_str(&found).unwrap();
    let mut files = found.as_array().unwrap().iter();
    let finding = files.find(|finding| finding["check"] == "file").unwrap();
    assert_eq!(finding["verdict"], "fail", "{finding}");
    assert!(finding["found"].as_str().unwrap().contains("not a JWT"));
    assert!(finding["remedy"].as_str().unwrap().contains("raw"));
    // The next token is a JWT.
    env.fault("none");
    let generation = status(&env)["generation"].to_string();
    let reported = env.jeton(&["reject", "research", "--generation", &generation]);
    assert_eq!(reported.code, 0, "{reported:?}");
    wait_for_newest(&env, &file);
    let found = env.jetond(&["doctor"]).stdout;
    assert!(
        found.contains("mount the folder, never the single file"),
        "{found}"
    );
    env.stop(&mut daemon);
}

#[test]
fn check_refuses_unsafe_sink_folders_and_warns_of_a_folder_on_a_disk() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let open = env.path("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let disk = env.path("state");
    let good = fs::read_to_string(env.config()).unwrap();
    let sink = |folder: &Path| {
        format!(
            "{good}\n[[profiles.research.sinks]]\npath = \"{}/t\"\nformat = \"raw\"\n",
            folder.display()
        )
    };
    fs::write(env.config(), sink(&disk)).unwrap();
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(
        checked
            .stdout
            .contains("mount the folder, never the single file"),
        "{checked:?}"
    );
    let in_memory = is_in_memory(&disk);
    assert_eq!(
        checked.stderr.contains("is on a disk"),
        !in_memory,
        "{checked:?}"
    );
    for (folder, why) in [(open, "chmod go-w"), (env.path("nowhere"), "mkdir")] {
        fs::write(env.config(), sink(&folder)).unwrap();
        let checked = env.jetond(&["check"]);
        assert_eq!(checked.code, 78, "{checked:?}");
        assert!(checked.stderr.contains(why), "{checked:?}");
    }
}

#[test]
fn a_full_disk_leaves_the_old_file_and_status_says_so() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let folder = env.path("full");
    fs::create_dir(&folder).unwrap();
    add_sink(&env, folder.join("t").to_str().unwrap(), "format = \"raw\"");
    let mut command = env.command("unshare");
    let script = r#"mount -t tmpfs -o size=16k,mode=0700 tmpfs "$1" && exec "$2" run"#;
    command.args(["--mount", "sh", "-c", script, "sh"]);
    command.arg(&folder).arg(env!("CARGO_BIN_EXE_jetond"));
    let mut probe = env.command("unshare");
    probe.args(["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
    if env.finish("a mount", probe, b"", false).code != 0 {
        ignored("nothing can be mounted here");
        return;
    }
    let mut daemon = env.start_command(command);
    let inside = PathBuf::from(format!(
        "/proc/{}/root{}",
        daemon.child.id(),
        folder.display()
    ));
    let file = inside.join("t");
    let old = wait_for_newest(&env, &file);
    assert_eq!(sink(&env)["on_disk"], false);
    let mut fill = fs::File::create(inside.join("fill")).unwrap();
    while std::io::Write::write_all(&mut fill, &[0; 1024]).is_ok() {}
    // An open file would keep its disk space.
    drop(fill);
    let generation = status(&env)["generation"].to_string();
    let reported = env.jeton(&["reject", "research", "--generation", &generation]);
    assert_eq!(reported.code, 0, "{reported:?}");
    wait_until("the failure", || sink(&env)["state"] == "failed");
    assert!(
        sink(&env)["detail"]
            .as_str()
            .unwrap()
            .contains("the disk is full")
    );
    assert_eq!(text(&file), old);
    assert_eq!(names(&inside), ["fill", "t"]);
    fs::remove_file(inside.join("fill")).unwrap();
    assert_ne!(wait_for_newest(&env, &file), old);
    env.stop(&mut daemon);
}

#[test]
fn run_removes_the_token_files_of_its_daemon_at_the_end() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let other = add_sink(&env, "token", "format = \"raw\"");
    let script = r#"d=${JETON_SOCKET%/*}; until test -s "$d/token"; do sleep 0.1; done; echo "$d""#;
    let ran = env.jetond(&["run", "--", "sh", "-c", script]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let folder = Path::new(ran.stdout.trim());
    assert!(folder.is_absolute() && !folder.exists(), "{ran:?}");
    assert!(
        !other.exists(),
        "the file in another daemon's folder is not written"
    );
    // The record is removed when the next daemon starts.
    let mut daemon = env.start();
    wait_for_newest(&env, &other);
    let records = || {
        let names = names(&env.path("state/jeton/sinks"));
        names.iter().filter(|name| name.ends_with(".json")).count()
    };
    wait_until("the record to be removed", || records() == 1);
    env.stop(&mut daemon);
}

/// Returns the configuration with this sink of a profile.
fn with_sink(bare: &str, profile: &str, path: &str) -> String {
    format!("{bare}\n[[profiles.{profile}.sinks]]\npath = \"{path}\"\nformat = \"raw\"\n")
}

/// Returns the sinks of a profile as its status shows them.
fn sinks_of(env: &TestEnv, profile: &str) -> Value {
    let shown = env.jeton(&["status", profile, "--json"]);
    let all: Value = serde_json::from_str(&shown.stdout).unwrap();
    all["profiles"][0]["sinks"].clone()
}

#[test]
fn a_reassigned_sink_does_not_keep_the_other_profiles_token() {
    let mut env = TestEnv::with_sandbox(600);
    let second = env.add_sandbox(Line::V2_24, 600);
    env.enrol("research");
    env.enrol_at("other", &env.sandboxes()[second].url());
    let bare = fs::read_to_string(env.config()).unwrap();
    let put = |text: String| fs::write(env.config(), text).unwrap();
    let file = env.path("run/jeton/token");
    env.is_sink(&file);
    let newest = |sandbox: usize| env.sandboxes()[sandbox].issued().last().cloned();

    put(with_sink(&bare, "research", "token"));
    env.fault_at(second, "refuse");
    let mut daemon = env.start();
    wait_until("the first profile's token", || {
        Some(text(&file)) == newest(0)
    });
    put(with_sink(&bare, "other", "token"));
    reload(&env);
    wait_until("the other profile's token to be removed", || !file.exists());
    assert_eq!(sinks_of(&env, "research"), Value::Null);
    assert_eq!(sinks_of(&env, "other")[0]["state"], "waiting");
    env.fault_at(second, "none");
    let refreshed = env.jeton(&["refresh", "other"]);
    assert_eq!(refreshed.code, 0, "{refreshed:?}");
    wait_until("the second profile's token", || {
        Some(text(&file)) == newest(second)
    });

    // The same when the file changes to another profile while no daemon runs.
    env.stop(&mut daemon);
    put(with_sink(&bare, "research", "token\"\non-expiry = \"keep"));
    env.fault("refuse");
    let mut daemon = env.start();
    wait_until("the other profile's token to be removed", || !file.exists());
    // If a token is held, there is no moment without a file.
    env.fault("none");
    let refreshed = env.jeton(&["refresh", "research"]);
    assert_eq!(refreshed.code, 0, "{refreshed:?}");
    wait_until("the first profile's token", || {
        Some(text(&file)) == newest(0)
    });
    env.token(&daemon, "other");
    put(with_sink(&bare, "other", "token"));
    let (is_over, gaps) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                gaps.fetch_add(usize::from(!file.exists()), Ordering::SeqCst);
            }
        });
        reload(&env);
        wait_until("the second profile's token", || {
            Some(text(&file)) == newest(second)
        });
        is_over.store(true, Ordering::SeqCst);
    });
    assert_eq!(gaps.into_inner(), 0);
    env.stop(&mut daemon);
}

#[test]
fn two_sinks_with_one_file_are_a_fault() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    env.enrol("other");
    let bare = fs::read_to_string(env.config()).unwrap();
    let file = env.path("run/jeton/token");
    env.is_sink(&file);
    let absolute = file.to_str().unwrap();
    let both = with_sink(&with_sink(&bare, "research", absolute), "other", "token");
    fs::write(env.config(), both + "replace = true\n").unwrap();
    let mut daemon = env.start();
    let token = env.token(&daemon, "other");
    wait_until("the first sink's token", || text(&file) == token);
    wait_until("the second sink to fail", || {
        sinks_of(&env, "research")[0]["state"] == "failed"
    });
    let detail = sinks_of(&env, "research")[0]["detail"].to_string();
    assert!(detail.contains("of the profile other"), "{detail}");
    assert_eq!(sinks_of(&env, "other")[0]["state"], "fresh");
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 78, "{checked:?}");
    assert!(
        checked
            .stderr
            .contains("another sink, of the profile other"),
        "{checked:?}"
    );
    // The daemon's own socket cannot be a sink either.
    fs::write(env.config(), with_sink(&bare, "other", "jeton.sock")).unwrap();
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 78, "{checked:?}");
    // After the first sink is removed, the second one writes the file, and no task of the first one still does.
    fs::write(env.config(), with_sink(&bare, "research", "token")).unwrap();
    reload(&env);
    let token = env.token(&daemon, "research");
    wait_until("the second sink's token", || text(&file) == token);
    let refreshed = env.jeton(&["refresh", "other"]);
    assert_eq!(refreshed.code, 0, "{refreshed:?}");
    assert_eq!(sinks_of(&env, "other"), Value::Null);
    assert_eq!(text(&file), token);
    env.stop(&mut daemon);
}

#[test]
fn a_sink_is_recognized_although_its_path_is_spelled_differently() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let bare = fs::read_to_string(env.config()).unwrap();
    let file = env.path("run/jeton/a/token");
    env.is_sink(&file);
    for path in ["a//token", "a/token"] {
        fs::write(env.config(), with_sink(&bare, "research", path)).unwrap();
        let mut daemon = env.start();
        wait_for_newest(&env, &file);
        wait_until("the state to be fresh", || sink(&env)["state"] == "fresh");
        assert_eq!(sink(&env)["path"], file.to_str().unwrap());
        env.stop(&mut daemon);
    }
}
