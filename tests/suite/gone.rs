//! A missing or empty configuration: the daemon keeps the one in force, and reports the fault.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::os::unix::fs::symlink;

use rustix::process::Signal;

use crate::commands::{finish, start_add, wait_for_prompt};
use crate::enrol::{add, write_config};
use crate::support::TestEnv;
use crate::support::daemon::Daemon;
use crate::support::http::Response;

fn reload(env: &TestEnv, daemon: &Daemon) -> Response {
    env.request(&daemon.admin, "POST", "/v1/reload", &[], b"")
}

/// Asserts that a reload fails with this reason, however it is requested, and that the token is still served.
#[track_caller]
fn assert_kept(env: &TestEnv, daemon: &Daemon, why: &str) {
    let held = env.token(daemon, "research");
    let refused = reload(env, daemon);
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (503, "misconfigured"),
        "{why}"
    );
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("the old one stays in force") && detail.contains(why),
        "{detail}"
    );
    let asked = env.jeton(&["reload"]);
    assert!(
        asked.code == 78 && asked.stderr.contains(why),
        "{why}: {asked:?}"
    );
    daemon.signal(Signal::HUP);
    assert_eq!(env.token(daemon, "research"), held, "{why}");
    assert_eq!(env.jeton(&["status"]).code, 0);
}

#[test]
fn a_missing_configuration_at_a_reload_keeps_the_old_one() {
    for named in [false, true] {
        let env = TestEnv::with_sandbox(3_600);
        env.enrol("research");
        let (config, folder) = (env.config(), env.path("config/jeton"));
        let args = ["--config", config.to_str().unwrap()];
        let mut daemon = env.start_with(if named { &args } else { &[] });
        let text = fs::read(&config).unwrap();

        fs::remove_file(&config).unwrap();
        assert_kept(&env, &daemon, "the file is gone: put it back");
        for blank in ["", "\n\n  \n"] {
            fs::write(&config, blank).unwrap();
            assert_kept(&env, &daemon, "the file is empty: put it back");
        }
        fs::remove_file(&config).unwrap();
        symlink(env.path("nowhere"), &config).unwrap();
        assert_kept(&env, &daemon, "this symbolic link leads nowhere");
        fs::remove_file(&config).unwrap();
        // The folder is missing, as with a home that is no longer mounted.
        fs::rename(&folder, env.path("aside")).unwrap();
        assert_kept(&env, &daemon, "the file is gone: put it back");
        symlink(env.path("nowhere"), &folder).unwrap();
        assert_kept(&env, &daemon, "this symbolic link leads nowhere");
        fs::remove_file(&folder).unwrap();
        fs::rename(env.path("aside"), &folder).unwrap();

        // The file returns. Then a file with only a comment asks for the removal of every profile.
        write_config(&env, &text);
        assert_eq!(reload(&env, &daemon).json()["kept"], 1);
        fs::write(&config, "# none any more\n").unwrap();
        assert_eq!(reload(&env, &daemon).json()["removed"], 1);
        fs::write(&config, "").unwrap();
        assert_eq!(reload(&env, &daemon).code(), "misconfigured");
        env.stop(&mut daemon);
    }
}

#[test]
fn a_daemon_without_a_configuration_loads_one_that_is_created_later() {
    let env = TestEnv::with_sandbox(3_600);
    let mut daemon = env.start();
    assert_eq!(reload(&env, &daemon).status, 200);
    write_config(&env, "");
    assert_eq!(reload(&env, &daemon).status, 200);
    fs::remove_file(env.config()).unwrap();
    assert_eq!(reload(&env, &daemon).code(), "misconfigured");
    let added = add(&env, "research", &[]);
    assert_eq!(added.code, 0, "{added:?}");
    assert!(
        added.stdout.ends_with("the running daemon has read it\n"),
        "{added:?}"
    );
    env.token(&daemon, "research");
    env.stop(&mut daemon);
}

#[test]
fn a_missing_named_configuration_prevents_the_start() {
    let env = TestEnv::new();
    let missing = env.path("home/missing.toml");
    let path = missing.to_str().unwrap();
    for variable in [false, true] {
        let run = |command: &str| {
            let mut command = env.jetond_command(&[command]);
            if variable {
                command.env("JETON_CONFIG", path);
            } else {
                command.args(["--config", path]);
            }
            env.finish("jetond", command, b"", false)
        };
        let (checked, ran) = (run("check"), run("run"));
        assert_eq!((checked.code, ran.code), (78, 78), "{ran:?}");
        assert_eq!(checked.stderr, ran.stderr);
        assert_eq!(
            ran.stderr,
            format!("jetond: {path}: there is no such file\n")
        );
    }
    let left: Vec<_> = fs::read_dir(env.path("run")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_dangling_link_as_configuration_prevents_the_start() {
    let env = TestEnv::with_sandbox(3_600);
    fs::create_dir(env.path("config/jeton")).unwrap();
    let target = env.path("home/real.toml");
    symlink(&target, env.config()).unwrap();
    for args in [&["check"][..], &["run"], &["doctor"]] {
        let failed = env.jetond(args);
        assert_eq!(failed.code, 78, "{failed:?}");
        let said = format!("{}{}", failed.stdout, failed.stderr);
        assert!(said.contains("this symbolic link leads nowhere"), "{said}");
    }
    // Possibly a home that is not mounted: no file is created at the link's target, and nothing is stored.
    let more = &["remove", "research", "--yes"][..];
    for refused in [add(&env, "research", &[]), env.jetond(more)] {
        assert_eq!(refused.code, 78, "{refused:?}");
        let said = "this symbolic link leads nowhere";
        assert!(refused.stderr.contains(said), "{refused:?}");
    }
    assert!(!target.exists() && env.config().is_symlink());
    assert!(!env.path("state/jeton").exists());
    assert_eq!(env.sandbox().stats().token_requests, 0);
}

/// Ways in which an existing configuration disappears.
const GOES: [&str; 4] = ["emptied", "blanked", "removed", "moved"];

/// Makes the configuration disappear, and returns a function that restores it.
fn remove_configuration(env: &TestEnv, how: &str) -> impl FnOnce() {
    let (config, folder, aside) = (env.config(), env.path("config/jeton"), env.path("aside"));
    let text = fs::read(&config).unwrap();
    match how {
        "emptied" => fs::write(&config, "").unwrap(),
        "blanked" => fs::write(&config, "\n  \n").unwrap(),
        "removed" => fs::remove_file(&config).unwrap(),
        _ => fs::rename(&folder, &aside).unwrap(),
    }
    let moved = how == "moved";
    move || {
        if moved {
            let _ = fs::remove_dir_all(&folder);
            fs::rename(&aside, &folder).unwrap();
        }
        fs::write(&config, text).unwrap();
    }
}

#[test]
fn an_enrolment_keeps_the_profiles_of_a_missing_configuration() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("a");
    env.enrol("b");
    let mut daemon = env.start();
    let held = env.token(&daemon, "a");
    for how in GOES {
        let back = remove_configuration(&env, how);
        let now = fs::read(env.config()).ok();
        let refused = add(&env, "n", &[]);
        assert_eq!(refused.code, 78, "{how}: {refused:?}");
        for part in [
            env.config().to_str().unwrap(),
            "put the file back",
            "stop the daemon",
            "nothing is changed",
        ] {
            assert!(refused.stderr.contains(part), "{how} {part}: {refused:?}");
        }
        assert_eq!(fs::read(env.config()).ok(), now, "{how}");
        assert!(!env.record("n").exists(), "{how}");
        assert_eq!(env.token(&daemon, "a"), held, "{how}");
        env.token(&daemon, "b");
        back();
    }
    assert_eq!(env.sandbox().stats().token_requests, 4);
    assert_eq!(add(&env, "n", &[]).code, 0);
    env.token(&daemon, "n");
    env.stop(&mut daemon);
    // Without a daemon, or beside one with another configuration, `add` creates a new file.
    fs::remove_file(env.config()).unwrap();
    assert_eq!(add(&env, "m", &[]).code, 0);
    let mut daemon = env.start();
    let other = env.path("home/other.toml");
    let other = other.to_str().unwrap();
    let added = add(&env, "o", &["--config", other]);
    assert_eq!(added.code, 0, "{added:?}");
    env.token(&daemon, "m");
    env.stop(&mut daemon);
}

#[test]
fn add_is_refused_if_the_configuration_disappears_while_it_asks_a_question() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("a");
    for how in GOES {
        let adding = start_add(&env, "n");
        wait_for_prompt(&adding);
        let back = remove_configuration(&env, how);
        let refused = finish(&env, adding, env.secret());
        assert_eq!(refused.code, 78, "{how}: {refused:?}");
        let config = env.config();
        for part in [
            config.to_str().unwrap(),
            "put it back",
            "nothing is written",
        ] {
            assert!(refused.stderr.contains(part), "{how} {part}: {refused:?}");
        }
        let text = fs::read_to_string(config).unwrap_or_default();
        assert_eq!(text.trim(), "", "{how}");
        assert!(!env.record("n").exists(), "{how}");
        back();
    }
}

/// Under a service manager the daemon starts anyway, and callers get the reason.
#[test]
fn under_a_service_manager_the_daemon_starts_without_its_configuration() {
    let env = TestEnv::with_sandbox(3_600);
    let missing = env.path("home/missing.toml");
    let path = missing.to_str().unwrap();
    let mut command = env.jetond_command(&["run", "--config", path]);
    command.env("NOTIFY_SOCKET", env.path("home/nobody-listens"));
    let mut daemon = env.start_command(command);
    let why = format!("{path}: there is no such file");
    for refused in [env.jeton(&["status"]), env.jeton(&["reload"])] {
        assert!(
            refused.code == 78 && refused.stderr.contains(&why),
            "{refused:?}"
        );
    }
    let added = add(&env, "research", &["--config", path]);
    assert!(
        added.stdout.ends_with("the running daemon has read it\n"),
        "{added:?}"
    );
    env.token(&daemon, "research");
    fs::remove_file(missing).unwrap();
    assert_kept(&env, &daemon, "the file is gone: put it back");
    env.stop(&mut daemon);
}
