//! Changed credentials: the daemon uses a credential that any program replaced in the store, without a restart or a
//! reload.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;

use crate::enrol::write_config;
use crate::sources::profile;
use crate::support::daemon::{Daemon, wait_until};
use crate::support::fuse::Fuse;
use crate::support::keyring::Bus;
use crate::support::mounts::can_mount_or_skip;
use crate::support::{TestEnv, ignored};

/// The time within which a replaced credential must be loaded.
const SOON: Duration = Duration::from_secs(2);

/// The message that the log has once for each change.
const REPLACED: &str = "the credential was replaced";

/// Returns this record's text with another secret.
fn with_secret(record: &str, secret: &str) -> String {
    let mut record: serde_json::Value = serde_json::from_str(record).unwrap();
    assert!(record["client_secret"].is_string());
    record["client_secret"] = secret.into();
    record.to_string()
}

/// Returns the stored record with another secret, in the store's form.
fn record_with(env: &TestEnv, secret: &str) -> String {
    with_secret(&fs::read_to_string(env.record("research")).unwrap(), secret)
}

/// Replaces the record in the store as its writers do.
fn put(env: &TestEnv, record: &str) {
    let path = env.record("research");
    let new = path.with_file_name(".new");
    fs::write(&new, record).unwrap();
    fs::set_permissions(&new, PermissionsExt::from_mode(0o600)).unwrap();
    fs::rename(new, path).unwrap();
}

fn status(env: &TestEnv, daemon: &Daemon) -> serde_json::Value {
    env.get(daemon, "/v1/profiles/research").json()
}

fn is_rejected(env: &TestEnv, daemon: &Daemon) -> bool {
    status(env, daemon)["phase"] == "rejected"
}

/// Returns whether a token is served.
fn is_served(env: &TestEnv, daemon: &Daemon) -> bool {
    let ready = env.get(daemon, "/v1/profiles/research");
    ready.json()["expires_in"].is_u64()
}

/// Starts a daemon with a token, then changes the application's secret at the issuer without a message to the daemon.
/// Returns the record with the new secret.
fn start(env: &mut TestEnv) -> (Daemon, String) {
    env.enrol("research");
    let daemon = env.start();
    env.token(&daemon, "research");
    env.replace_secret();
    let record = record_with(env, env.secret());
    (daemon, record)
}

#[test]
fn a_replaced_record_is_loaded_within_two_seconds() {
    let mut env = TestEnv::with_sandbox(3_600);
    let (mut daemon, record) = start(&mut env);
    let held = env.token(&daemon, "research");
    let asked = env.sandbox().stats().token_requests;
    let since = Instant::now();
    put(&env, &record);
    daemon.wait_for_log(REPLACED);
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
    // The held token stays valid.
    assert_eq!(env.token(&daemon, "research"), held);
    assert_eq!(env.sandbox().stats().token_requests, asked);
    let refreshed = env.jeton(&["refresh", "research"]);
    assert_eq!(refreshed.code, 0, "{refreshed:?}");
    assert_ne!(env.token(&daemon, "research"), held);
    assert_eq!(env.sandbox().stats().rejected, 0);
    env.stop(&mut daemon);
}

#[test]
fn a_record_replaced_while_no_token_is_held_leads_to_an_attempt() {
    let mut env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env.replace_secret();
    let good = record_with(&env, env.secret());
    let mut daemon = env.start();
    wait_until("the circuit breaker to open", || is_rejected(&env, &daemon));
    // Written in place, as an editor may do it.
    fs::write(env.record("research"), &good).unwrap();
    wait_until("a token", || is_served(&env, &daemon));
    assert_eq!(env.sandbox().stats().rejected, 2);
    env.stop(&mut daemon);
}

#[test]
fn a_rebind_succeeds_without_reaching_the_daemon() {
    let mut env = TestEnv::with_sandbox(3_600);
    let (mut daemon, _) = start(&mut env);
    let secret = env.secret_file();
    let secret = secret.to_str().unwrap();
    let args = [
        "add",
        "research",
        "--rebind",
        "--client-secret-file",
        secret,
    ];
    let mut command = env.jetond_command(&args);
    command.env("JETON_ADMIN_SOCKET", env.path("run/nowhere"));
    let rebound = env.finish("jetond add", command, b"", false);
    assert_eq!(rebound.code, 0, "{rebound:?}");
    daemon.wait_for_log(REPLACED);
    env.stop(&mut daemon);
}

#[test]
fn a_rejected_new_secret_leaves_the_former_in_use() {
    let mut env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let held = env.token(&daemon, "research");
    let good = fs::read_to_string(env.record("research")).unwrap();
    let wrong = format!("wrong-{}", env.secret());
    env.forbid_secret("a wrong secret", &wrong);
    put(&env, &record_with(&env, &wrong));
    daemon.wait_for_log(REPLACED);
    let refreshed = env.jeton(&["refresh", "research"]);
    assert_eq!(refreshed.code, 0, "{refreshed:?}");
    assert_ne!(env.token(&daemon, "research"), held);
    assert_eq!(env.sandbox().stats().rejected, 1);
    let state = status(&env, &daemon);
    assert_eq!(state["phase"], "fresh", "{state}");
    assert_eq!(state["stored_credential_rejected"]["kind"], "rejected");
    let shown = env.jeton(&["status", "research"]);
    assert!(
        shown.stdout.contains("the former one stays in use"),
        "{shown:?}"
    );
    daemon.wait_for_log("the former one stays in use");
    let found = env.jetond(&["doctor"]);
    assert!(found.stdout.contains("the former credential"), "{found:?}");

    // A second wrong credential is as harmless, and the good one ends the problem.
    put(&env, &good);
    wait_until("the state to drop the rejected credential", || {
        status(&env, &daemon)["stored_credential_rejected"].is_null()
    });
    env.stop(&mut daemon);
}

/// Waits until everything says that the stored credential cannot be used, for this reason, while the token is served.
fn assert_said_unusable(env: &TestEnv, daemon: &mut Daemon, why: &str) {
    let since = Instant::now();
    daemon.wait_for_log("the one read before stays in use");
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
    assert_shown_unusable(env, daemon, why);
}

/// Checks that everything says so.
fn assert_shown_unusable(env: &TestEnv, daemon: &Daemon, why: &str) {
    let state = status(env, daemon);
    assert_eq!(state["phase"], "fresh", "{state}");
    assert!(state["unusable"].as_str().unwrap().contains(why), "{state}");
    let shown = env.jeton(&["status", "research"]);
    let says = "the one that was read before stays in use";
    assert!(shown.stdout.contains(says), "{shown:?}");
    let found = env.jetond(&["doctor"]);
    let says = "got with the credential that was read before";
    assert!(found.stdout.contains(says), "{found:?}");
    env.token(daemon, "research");
}

/// Waits until nothing says so any more.
fn assert_usable_again(env: &TestEnv, daemon: &Daemon) {
    wait_until("the credential to be usable again", || {
        status(env, daemon)["unusable"].is_null()
    });
    let said = daemon
        .log()
        .matches("the one read before stays in use")
        .count();
    assert_eq!(said, 1, "it is said once");
}

#[test]
fn a_removed_or_damaged_record_is_reported_at_once_and_the_token_stays_served() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let record = fs::read_to_string(env.record("research")).unwrap();
    let damage: [fn(&Path); 2] = [
        |path| fs::remove_file(path).unwrap(),
        |path| fs::write(path, "{").unwrap(),
    ];
    for (damage, why) in damage
        .into_iter()
        .zip(["no credential is stored", "not a credential's record"])
    {
        let mut daemon = env.start();
        env.token(&daemon, "research");
        damage(&env.record("research"));
        assert_said_unusable(&env, &mut daemon, why);
        put(&env, &record);
        assert_usable_again(&env, &daemon);
        env.stop(&mut daemon);
    }
}

#[test]
fn a_removed_source_is_reported_at_once_and_the_token_stays_served() {
    let env = TestEnv::with_sandbox(3_600);
    let volume = env.path("volume");
    fs::create_dir(&volume).unwrap();
    swap(&volume, 1, &[("secret", env.secret())]);
    write_config(
        &env,
        profile(&env, "\"test-client\"", &file(&volume.join("secret"))),
    );
    let mut daemon = env.start();
    env.token(&daemon, "research");
    // As a volume whose secret is deleted.
    fs::remove_file(volume.join("..data")).unwrap();
    assert_said_unusable(&env, &mut daemon, "secret");
    swap(&volume, 2, &[("secret", env.secret())]);
    assert_usable_again(&env, &daemon);
    env.stop(&mut daemon);
    fs::remove_dir_all(volume).unwrap();
    let plain = env.secret_file();
    write_config(&env, profile(&env, "\"test-client\"", &file(&plain)));
    let mut daemon = env.start();
    env.token(&daemon, "research");
    fs::remove_file(&plain).unwrap();
    assert_said_unusable(&env, &mut daemon, "secret");
    assert_eq!(env.secret_file(), plain);
    assert_usable_again(&env, &daemon);
    env.stop(&mut daemon);
}

#[test]
fn a_source_that_becomes_a_fifo_is_reported_at_once_and_does_not_block() {
    let env = TestEnv::with_sandbox(3_600);
    let secret = env.secret_file();
    write_config(&env, profile(&env, "\"test-client\"", &file(&secret)));
    let mut daemon = env.start();
    env.token(&daemon, "research");
    let fifo = secret.with_extension("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    fs::rename(&fifo, &secret).unwrap();
    assert_said_unusable(&env, &mut daemon, "it is not a regular file");
    fs::remove_file(&secret).unwrap();
    assert_eq!(env.secret_file(), secret);
    assert_usable_again(&env, &daemon);
    env.stop(&mut daemon);
}

#[test]
fn a_replaced_credentials_folder_is_watched_again() {
    let mut env = TestEnv::with_sandbox(3_600);
    let (mut daemon, record) = start(&mut env);
    let folder = env.record("research").parent().unwrap().to_owned();
    let away = folder.with_file_name("away");
    fs::rename(&folder, &away).unwrap();
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
    put(&env, &record);
    daemon.wait_for_log(REPLACED);
    let good = fs::read_to_string(away.join("research.json")).unwrap();
    // This folder is searched for secrets and must not contain one.
    fs::remove_dir_all(away).unwrap();
    put(&env, &good);
    wait_until("the credential to be replaced again", || {
        daemon.log().matches(REPLACED).count() == 2
    });
    env.stop(&mut daemon);
}

// === Sources that other programs write ===

fn file(path: &Path) -> String {
    format!("{{ file = \"{}\" }}", path.display())
}

/// Writes a volume's next content as the kubelet does: one rename replaces the link `..data`.
fn swap(volume: &Path, number: u32, files: &[(&str, &str)]) {
    let folder = format!("..{number}");
    fs::create_dir(volume.join(&folder)).unwrap();
    for (name, content) in files {
        fs::write(volume.join(&folder).join(name), content).unwrap();
        let link = volume.join(name);
        if !link.is_symlink() {
            symlink(Path::new("..data").join(name), link).unwrap();
        }
    }
    symlink(&folder, volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    let before = number.checked_sub(1).map(|number| format!("..{number}"));
    if let Some(before) = before.map(|before| volume.join(before)) {
        let _ = fs::remove_dir_all(before);
    }
}

#[test]
fn a_swapped_kubernetes_volume_is_loaded_within_two_seconds() {
    let mut env = TestEnv::with_sandbox(3_600);
    let volume = env.path("volume");
    fs::create_dir(&volume).unwrap();
    swap(&volume, 1, &[("secret", env.secret())]);
    let (id, secret) = ("\"test-client\"", file(&volume.join("secret")));
    write_config(&env, profile(&env, id, &secret));
    let mut daemon = env.start();
    let held = env.token(&daemon, "research");
    for number in 2..4 {
        env.replace_secret();
        let since = Instant::now();
        swap(&volume, number, &[("secret", env.secret())]);
        let times = usize::try_from(number).unwrap() - 1;
        wait_until("the credential to be replaced", || {
            daemon.log().matches(REPLACED).count() == times
        });
        assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
    }
    let refreshed = env.jeton(&["refresh", "research"]);
    assert_eq!(refreshed.code, 0, "{refreshed:?}");
    assert_ne!(env.token(&daemon, "research"), held);
    assert_eq!(env.sandbox().stats().rejected, 0);
    env.stop(&mut daemon);
    // This folder is searched for secrets and must not contain one.
    fs::remove_dir_all(volume).unwrap();
}

#[test]
fn a_new_client_id_is_never_sent_with_the_old_secret() {
    let mut env = TestEnv::with_sandbox(3_600);
    let (id, secret) = (env.path("id"), env.secret_file());
    fs::write(&id, "other-client").unwrap();
    write_config(&env, profile(&env, &file(&id), &file(&secret)));
    // The sandbox knows no other client. So the daemon holds no token, and each change leads to an attempt at once.
    let mut daemon = env.start();
    wait_until("the circuit breaker to open", || is_rejected(&env, &daemon));
    assert_eq!(env.sandbox().stats().rejected, 2);
    env.replace_secret();
    fs::write(&id, "test-client").unwrap();
    daemon.wait_for_log("the secret has not; waiting for the new secret");
    let new = env.secret_file();
    assert_eq!(new, secret);
    wait_until("a token", || is_served(&env, &daemon));
    assert_eq!(env.sandbox().stats().rejected, 2);
    env.stop(&mut daemon);
}

// === Systems without working watches ===

/// The shell command that sets this inotify limit of a user namespace to zero.
fn none_left(limit: &str) -> String {
    format!("echo 0 >/proc/sys/user/{limit}")
}

/// Starts a daemon in a user namespace in which this shell command has run. Returns `None` on a system without user
/// namespaces.
fn start_after(env: &TestEnv, before: &str, test: &str) -> Option<Daemon> {
    let unshare = ["--user", "--map-root-user", "/bin/sh", "-c"];
    let possible = std::process::Command::new("unshare")
        .args(unshare)
        .arg(before)
        .stderr(Stdio::null())
        .status();
    if !possible.is_ok_and(|status| status.success()) {
        ignored(&format!("{test}: no user namespaces here"));
        return None;
    }
    let mut command = env.command("unshare");
    command
        .args(unshare)
        .arg(format!("{before}; exec \"$0\" run"))
        .arg(env!("CARGO_BIN_EXE_jetond"));
    Some(env.start_command(command))
}

#[test]
fn without_inotify_watches_a_check_every_30_s_finds_a_replaced_record() {
    let test = "without_inotify_watches_a_check_every_30_s_finds_a_replaced_record";
    for (limit, says) in [
        ("max_inotify_watches", "limit of watches is used up"),
        ("max_inotify_instances", "no file can be watched"),
    ] {
        let mut env = TestEnv::with_sandbox(3_600);
        env.enrol("research");
        let Some(mut daemon) = start_after(&env, &none_left(limit), test) else {
            return;
        };
        daemon.wait_for_log(says);
        env.token(&daemon, "research");
        env.replace_secret();
        put(&env, &record_with(&env, env.secret()));
        daemon.wait_for_log(REPLACED);
        env.stop(&mut daemon);
    }
}

#[test]
fn a_watch_limit_reached_while_running_leads_to_a_check_every_30_s() {
    let test = "a_watch_limit_reached_while_running_leads_to_a_check_every_30_s";
    let mut env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let Some(mut daemon) = start_after(&env, ":", test) else {
        return;
    };
    env.token(&daemon, "research");
    let target = daemon.child.id().to_string();
    let mut nsenter = env.command("nsenter");
    nsenter
        .args(["--user", "--preserve-credentials", "--target", &target])
        .args(["/bin/sh", "-c", &none_left("max_inotify_watches")]);
    let entered = env.finish("nsenter", nsenter, b"", false);
    assert_eq!(entered.code, 0, "{entered:?}");
    // The watches that there are still work.
    env.replace_secret();
    put(&env, &record_with(&env, env.secret()));
    daemon.wait_for_log(REPLACED);
    assert!(!daemon.log().contains("limit of watches is used up"));
    // Another folder needs another watch.
    let folder = env.record("research").parent().unwrap().to_owned();
    let away = TempDir::new_in(env.path("state")).unwrap();
    fs::rename(&folder, away.path().join("away")).unwrap();
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
    let record = fs::read_to_string(away.path().join("away/research.json")).unwrap();
    // This folder is searched for secrets and must not contain one.
    drop(away);
    daemon.wait_for_log("limit of watches is used up");
    env.replace_secret();
    put(&env, &with_secret(&record, env.secret()));
    wait_until("the credential to be replaced again", || {
        daemon.log().matches(REPLACED).count() == 2
    });
    env.stop(&mut daemon);
}

#[test]
fn a_removed_polled_source_is_reported_and_the_token_stays_served() {
    let test = "a_removed_polled_source_is_reported_and_the_token_stays_served";
    let env = TestEnv::with_sandbox(3_600);
    let secret = env.secret_file();
    write_config(&env, profile(&env, "\"test-client\"", &file(&secret)));
    let Some(mut daemon) = start_after(&env, &none_left("max_inotify_watches"), test) else {
        return;
    };
    daemon.wait_for_log("limit of watches is used up");
    env.token(&daemon, "research");
    fs::remove_file(&secret).unwrap();
    daemon.wait_for_log("the one read before stays in use");
    assert_shown_unusable(&env, &daemon, "there is no such file or folder");
    assert_eq!(env.secret_file(), secret);
    assert_usable_again(&env, &daemon);
    env.stop(&mut daemon);
}

// === Mounts of a container ===

/// Starts a daemon in a mount namespace of its own, in which these lines have run.
fn start_in_mounts(env: &TestEnv, mounts: &str) -> Daemon {
    let mut command = env.command("unshare");
    let script = format!("set -e; {mounts}; exec \"$0\" run");
    command.args(["-m", "sh", "-c", &script, env!("CARGO_BIN_EXE_jetond")]);
    env.start_command(command)
}

#[test]
fn a_daemon_with_a_read_only_store_loads_a_replaced_record() {
    if !can_mount_or_skip("a_daemon_with_a_read_only_store_loads_a_replaced_record") {
        return;
    }
    let mut env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let state = env.path("state").display().to_string();
    let mounts = format!("mount --bind {state} {state}; mount -o remount,ro,bind {state}");
    let mut daemon = start_in_mounts(&env, &mounts);
    env.token(&daemon, "research");
    env.replace_secret();
    put(&env, &record_with(&env, env.secret()));
    daemon.wait_for_log(REPLACED);
    let refreshed = env.jeton(&["refresh", "research"]);
    assert_eq!(refreshed.code, 0, "{refreshed:?}");
    env.stop(&mut daemon);
}

#[test]
fn a_bind_mounted_file_is_checked_every_30_s() {
    if !can_mount_or_skip("a_bind_mounted_file_is_checked_every_30_s") {
        return;
    }
    let mut env = TestEnv::with_sandbox(3_600);
    let (real, bound) = (env.secret_file(), env.path("bound"));
    fs::write(&bound, "").unwrap();
    write_config(&env, profile(&env, "\"test-client\"", &file(&bound)));
    let mounts = format!("mount --bind {} {}", real.display(), bound.display());
    let mut daemon = start_in_mounts(&env, &mounts);
    env.token(&daemon, "research");
    daemon.wait_for_log("it is mounted by itself");
    env.replace_secret();
    // Written in place, because the mount keeps showing the same file.
    assert_eq!(env.secret_file(), real);
    daemon.wait_for_log(REPLACED);
    assert_eq!(env.sandbox().stats().rejected, 0);
    env.stop(&mut daemon);
}

#[test]
fn a_file_on_fuse_is_checked_every_30_s() {
    let test = "a_file_on_fuse_is_checked_every_30_s";
    if !can_mount_or_skip(test) {
        return;
    }
    let mut env = TestEnv::with_sandbox(3_600);
    let Some(fuse) = Fuse::open(env.secret()) else {
        return ignored(&format!("{test}: no /dev/fuse here"));
    };
    let at = env.path("mounted");
    fs::create_dir(&at).unwrap();
    let source = file(&at.join("secret"));
    write_config(&env, profile(&env, "\"test-client\"", &source));
    let (device, mount) = fuse.mount(&at);
    let mut command = env.command("unshare");
    let script = format!("set -e; {mount}; exec \"$0\" run </dev/null");
    command.args(["-m", "sh", "-c", &script, env!("CARGO_BIN_EXE_jetond")]);
    command.stdin(device).stdout(Stdio::null());
    let daemon = env.spawn_as_it_is(command);
    let content = fuse.serve();
    let mut daemon = env.serving(daemon);
    env.token(&daemon, "research");
    daemon.wait_for_log("other hosts or programs can change it unnoticed");
    env.replace_secret();
    content.lock().unwrap().clone_from(&env.secret().to_owned());
    daemon.wait_for_log(REPLACED);
    assert_eq!(env.sandbox().stats().rejected, 0);
    env.stop(&mut daemon);
}

// === The OS keyring ===

/// Stores this record in the keyring as a foreign program does.
fn store(env: &TestEnv, record: &str) {
    let mut command = env.command("secret-tool");
    command.args(["store", "--label", "Jeton: research"]);
    command.args(["service", "jeton", "username", "research"]);
    let stored = env.finish("secret-tool", command, record.as_bytes(), false);
    assert_eq!(stored.code, 0, "{stored:?}");
}

#[test]
fn a_secret_replaced_in_the_keyring_is_loaded_on_its_signal() {
    let mut env = TestEnv::with_sandbox(3_600);
    let before = env.secret().to_owned();
    {
        let Some(mut bus) = Bus::start(&env) else {
            return;
        };
        bus.keyring(Some("a password of the keyring"));
        let url = env.sandbox().url();
        let added = env.try_enrol_with("research", &url, &["--store", "keyring"]);
        assert_eq!(added.code, 0, "{added:?}");
        let mut daemon = env.start();
        let held = env.token(&daemon, "research");
        daemon.wait_for_log("the keyring is watched");
        let after = format!("new-{before}");
        let secret = jetond::credential::ClientSecret::parse(&after).unwrap();
        env.sandbox().set_secret(secret);
        let record = with_secret(&bus.lookup("research"), &after);
        let since = Instant::now();
        store(&env, &record);
        daemon.wait_for_log(REPLACED);
        assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
        let refreshed = env.jeton(&["refresh", "research"]);
        assert_eq!(refreshed.code, 0, "{refreshed:?}");
        assert_ne!(env.token(&daemon, "research"), held);
        assert_eq!(env.sandbox().stats().rejected, 0);

        // One of our own writers that cannot reach the daemon. The daemon learns of the change from the keyring.
        let old = env.secret_file();
        env.sandbox()
            .set_secret(jetond::credential::ClientSecret::parse(&before).unwrap());
        let args = ["add", "research", "--rebind", "--client-secret-file"];
        let mut command = env.jetond_command(&[&args[..], &[old.to_str().unwrap()]].concat());
        command.env("JETON_ADMIN_SOCKET", env.path("run/nowhere"));
        let rebound = env.finish("jetond add", command, b"", false);
        assert_eq!(rebound.code, 0, "{rebound:?}");
        wait_until("the credential to be replaced again", || {
            daemon.log().matches(REPLACED).count() == 2
        });

        // The bus ends. Requests still do not wait.
        drop(bus);
        daemon.wait_for_log("the keyring is not watched");
        env.token(&daemon, "research");
        env.stop(&mut daemon);
    }
    env.forbid_secret("the new secret", &format!("new-{before}"));
}

#[test]
fn a_secret_replaced_without_a_keyring_signal_is_found_by_a_check_every_30_s() {
    let mut env = TestEnv::with_sandbox(3_600);
    let Some(mut bus) = Bus::start(&env) else {
        return;
    };
    bus.keyring(Some("a password of the keyring"));
    let url = env.sandbox().url();
    let added = env.try_enrol_with("research", &url, &["--store", "keyring"]);
    assert_eq!(added.code, 0, "{added:?}");
    let record = bus.lookup("research");
    let enrolled = SystemTime::now();
    let mut daemon = env.start();
    env.token(&daemon, "research");
    daemon.wait_for_log("the keyring is watched");
    // The keyring knows the times of changes in whole seconds.
    wait_until("another second", || {
        enrolled.elapsed().is_ok_and(|since| since > SOON)
    });
    let after = format!("new-{}", env.secret());
    bus.set_secret("research", &with_secret(&record, &after));
    daemon.wait_for_log(REPLACED);
    env.stop(&mut daemon);
    drop(bus);
    env.forbid_secret("the new secret", &after);
}

#[test]
fn an_entry_removed_from_the_keyring_is_noticed_on_its_signal() {
    let env = TestEnv::with_sandbox(3_600);
    let Some(mut bus) = Bus::start(&env) else {
        return;
    };
    bus.keyring(Some("a password of the keyring"));
    let url = env.sandbox().url();
    let added = env.try_enrol_with("research", &url, &["--store", "keyring"]);
    assert_eq!(added.code, 0, "{added:?}");
    let record = bus.lookup("research");
    let mut daemon = env.start();
    env.token(&daemon, "research");
    daemon.wait_for_log("the keyring is watched");
    let mut command = env.command("secret-tool");
    command.args(["clear", "service", "jeton", "username", "research"]);
    let cleared = env.finish("secret-tool", command, b"", false);
    assert_eq!(cleared.code, 0, "{cleared:?}");
    assert_said_unusable(&env, &mut daemon, "no credential is stored");
    store(&env, &record);
    assert_usable_again(&env, &daemon);
    env.stop(&mut daemon);
}

/// Returns the processes of this daemon that watch a keyring.
fn watchers(daemon: &Daemon) -> usize {
    let parent = format!("\nPPid:\t{}\n", daemon.child.id());
    let is_watcher = |proc: &Path| {
        let status = fs::read_to_string(proc.join("status"));
        let cmdline = fs::read_to_string(proc.join("cmdline"));
        status.is_ok_and(|status| status.contains(&parent))
            && cmdline.is_ok_and(|cmdline| cmdline.contains("keyring-watch"))
    };
    let processes = fs::read_dir("/proc").unwrap();
    let processes = processes.filter_map(Result::ok).map(|entry| entry.path());
    processes.filter(|proc| is_watcher(proc)).count()
}

#[test]
fn a_keyring_is_watched_only_while_profiles_use_it() {
    let env = TestEnv::with_sandbox(3_600);
    let Some(mut bus) = Bus::start(&env) else {
        return;
    };
    bus.keyring(Some("a password of the keyring"));
    let url = env.sandbox().url();
    let added = env.try_enrol_with("filed", &url, &["--store", "file"]);
    assert_eq!(added.code, 0, "{added:?}");
    let mut daemon = env.start();
    env.token(&daemon, "filed");
    assert_eq!(watchers(&daemon), 0);
    let added = env.try_enrol_with("research", &url, &["--store", "keyring"]);
    assert_eq!(added.code, 0, "{added:?}");
    wait_until("the keyring to be watched", || watchers(&daemon) == 1);
    let removed = env.jetond(&["remove", "research", "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    wait_until("the watch to end", || watchers(&daemon) == 0);
    env.stop(&mut daemon);
}
