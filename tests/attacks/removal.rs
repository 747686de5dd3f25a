//! Removals that are killed at any step, with two configurations over one state folder and with each store: nothing is
//! lost, nothing of another configuration is changed, and no secret is left where no command finds it.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::support::TestEnv;
use crate::support::env::Output;
use crate::support::ignored;
#[cfg(target_os = "linux")]
use crate::support::keyring::Bus;

const PASSWORD: Option<&str> = Some("a password of the keyring");

fn traces(env: &TestEnv) -> bool {
    let mut command = env.command("strace");
    command.args(["-qq", "-o", "/dev/null", "true"]);
    command.status().is_ok_and(|status| status.success())
}

/// Writes a second configuration for the same state folder.
fn other_config(env: &TestEnv, text: &str) -> PathBuf {
    let path = env.path("home/other.toml");
    fs::write(&path, text).unwrap();
    path
}

fn intent(env: &TestEnv, profile: &str) -> PathBuf {
    env.path(&format!("state/jeton/removals/{profile}.json"))
}

/// Writes a file of mode 0600 in a folder of mode 0700.
fn write_private(path: &Path, text: &str) {
    let _ = fs::DirBuilder::new()
        .mode(0o700)
        .create(path.parent().unwrap());
    let mut file = File::options();
    let file = file.write(true).create(true).truncate(true).mode(0o600);
    file.open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// Records that a removal has begun.
fn begin(env: &TestEnv, profile: &str, config: &Path, store: &str) {
    let config = config.canonicalize().unwrap();
    let text = format!(
        "{{\"version\":1,\"profile\":\"{profile}\",\"store\":\"{store}\",\"config\":{config:?}}}"
    );
    write_private(&intent(env, profile), &text);
}

/// Runs `jetond remove a` and kills it at the nth of these system calls.
fn kill_at(env: &TestEnv, call: &str, n: u32, more: &[&str]) -> Output {
    let mut command = env.command("strace");
    command
        .args(["-f", "-qq", "-o", "/dev/null", "-e"])
        .arg(format!("trace={call}"))
        .args(["-e", &format!("inject={call}:signal=KILL:when={n}")])
        .arg(env!("CARGO_BIN_EXE_jetond"))
        .args(["remove", "a", "--yes"])
        .args(more);
    env.finish("jetond remove", command, b"", false)
}

/// Returns all files in the state folder except locks, with their bytes.
fn state(env: &TestEnv) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = vec![];
    for folder in ["credentials", "removals"] {
        let entries = fs::read_dir(env.path("state/jeton").join(folder));
        for entry in entries.into_iter().flatten().flatten() {
            files.push((entry.path(), fs::read(entry.path()).unwrap()));
        }
    }
    files.sort();
    files
}

fn left_over(env: &TestEnv) -> Vec<PathBuf> {
    let names = state(env).into_iter().map(|(path, _)| path);
    let is_temporary = |path: &PathBuf| path.to_string_lossy().contains("/.jeton-new-");
    names.filter(is_temporary).collect()
}

#[test]
fn a_killed_removal_is_completed_only_in_its_own_configuration() {
    let env = TestEnv::with_sandbox(60);
    if !traces(&env) {
        return ignored("kill points of a removal: there is no strace here");
    }
    let other = other_config(&env, "# none\n");
    let other = ["--config", other.to_str().unwrap()];
    let mut begun = 0;
    for call in ["renameat,rename,renameat2", "unlinkat,unlink", "fsync"] {
        for n in 1.. {
            env.enrol("a");
            let killed = kill_at(&env, call, n, &[]);
            let before = state(&env);
            let config = fs::read(env.config()).unwrap();
            let refused = env.jetond(&[&["remove", "a", "--yes"], &other[..]].concat());
            assert_eq!(refused.code, 78, "{call} {n}: {refused:?}");
            let says = "nothing is removed: there is no profile a in ";
            assert!(refused.stderr.contains(says), "{refused:?}");
            assert!(
                state(&env) == before,
                "{call} {n}: the command changed something"
            );
            assert!(fs::read(env.config()).unwrap() == config);
            if killed.code == 0 {
                break;
            }
            if intent(&env, "a").exists() {
                begun += 1;
                let line = "run: jetond remove a --yes --config ";
                assert!(refused.stderr.contains(line), "{refused:?}");
            }
            let named = String::from_utf8(config).unwrap().contains("[profiles.a]");
            if named || intent(&env, "a").exists() {
                let removed = env.jetond(&["remove", "a", "--yes"]);
                assert_eq!(removed.code, 0, "{call} {n}: {removed:?}");
            }
            assert!(!env.record("a").exists() && !intent(&env, "a").exists());
        }
    }
    assert!(begun >= 3, "{begun}");
}

#[test]
fn a_removal_record_of_another_configuration_is_kept() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("a");
    let other = other_config(&env, "# none\n");
    begin(&env, "a", &other, "keyring");
    let before = (state(&env), fs::read(env.config()).unwrap());
    let refused = env.jetond(&["remove", "a", "--yes"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    let line = format!("jetond remove a --yes --config {}", other.display());
    assert!(refused.stderr.contains(&line), "{refused:?}");
    // A record that cannot be parsed may name a credential as well.
    write_private(&intent(&env, "a"), "{}");
    let refused = env.jetond(&["remove", "a", "--yes"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    begin(&env, "a", &other, "keyring");
    assert!((state(&env), fs::read(env.config()).unwrap()) == before);
    // An enrolment does not discard the record either. A new profile is refused, and a rebind keeps the record.
    fs::write(env.config(), "# none\n").unwrap();
    let refused = env.try_enrol_with("a", &env.sandbox().url(), &["--store", "file"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(refused.stderr.contains(&line), "{refused:?}");
    fs::write(env.config(), &before.1).unwrap();
    let rebound = env.jetond(&["add", "a", "--rebind"]);
    assert_eq!(rebound.code, 0, "{rebound:?}");
    assert!(intent(&env, "a").exists());
    // With the same store there is only one credential, which this removal deletes.
    begin(&env, "a", &other, "file");
    let removed = env.jetond(&["remove", "a", "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert_eq!(state(&env), []);
}

#[test]
fn leftovers_of_killed_writers_are_removed() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("a");
    env.enrol("c");
    let credentials = env.path("state/jeton/credentials");
    for writer in ["a", "b", "gone"] {
        write_private(
            &credentials.join(format!(".jeton-new-{writer}-Ab12cD")),
            "x",
        );
    }
    let removals = env.path("state/jeton/removals");
    write_private(&removals.join(".jeton-new-gone-Ab12cD"), "x");
    let config = env.path("config/jeton/.jeton-new-Ab12cD");
    write_private(&config, "x");
    let lock = env.path("state/jeton/locks/b.lock");
    write_private(&lock, "");
    let held = File::options().write(true).open(&lock).unwrap();
    held.lock().unwrap();
    let removed = env.jetond(&["remove", "a", "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert_eq!(left_over(&env), [credentials.join(".jeton-new-b-Ab12cD")]);
    assert!(!config.exists());
    // A program that another test starts may inherit this descriptor for a moment, so closing ours would not be enough.
    held.unlock().unwrap();
    let removed = env.jetond(&["remove", "c", "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert_eq!(left_over(&env), Vec::<PathBuf>::new());
}

#[cfg(target_os = "linux")]
#[test]
fn a_removal_from_a_keyring_killed_at_any_step_can_be_completed() {
    let env = TestEnv::with_sandbox(60);
    if !traces(&env) {
        return ignored("kill points of a removal from a keyring: there is no strace here");
    }
    let Some(mut bus) = Bus::start(&env) else {
        return;
    };
    bus.keyring(PASSWORD);
    let enrol = || {
        let added = env.try_enrol_with("a", &env.sandbox().url(), &["--store", "keyring"]);
        assert_eq!(added.code, 0, "{added:?}");
    };
    let mut points = 0;
    for call in [
        "renameat,rename,renameat2",
        "unlinkat,unlink",
        "fsync",
        // The messages to the keyring.
        "sendmsg,sendto",
    ] {
        for n in 1.. {
            enrol();
            let killed = kill_at(&env, call, n, &[]);
            let config = fs::read_to_string(env.config()).unwrap();
            let named = config.contains("[profiles.a]");
            let stored = !bus.lookup("a").is_empty();
            let begun = intent(&env, "a").exists();
            assert!(
                !named || stored,
                "{call} {n}: a profile without its credential"
            );
            assert!(
                named || begun || !stored,
                "{call} {n}: nothing refers to the stored credential"
            );
            if killed.code == 0 && !named && !begun {
                break;
            }
            points += 1;
            if named || begun {
                let removed = env.jetond(&["remove", "a", "--yes"]);
                assert_eq!(removed.code, 0, "{call} {n}: {removed:?}");
            }
            assert_eq!(bus.lookup("a"), "", "{call} {n}");
            assert!(!intent(&env, "a").exists());
        }
    }
    assert!(points >= 6, "{points}");
    // A temporary record that a killed writer left is deleted by the next removal, also with a keyring.
    let left = env.path("state/jeton/credentials/.jeton-new-a-Ab12cD");
    write_private(&left, env.secret());
    enrol();
    let removed = env.jetond(&["remove", "a", "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert_eq!(left_over(&env), Vec::<PathBuf>::new());
}

#[cfg(target_os = "linux")]
#[test]
fn a_profile_with_a_new_store_removes_its_former_credential() {
    let env = TestEnv::with_sandbox(60);
    let Some(mut bus) = Bus::start(&env) else {
        return;
    };
    bus.keyring(PASSWORD);
    let added = env.try_enrol_with("a", &env.sandbox().url(), &["--store", "keyring"]);
    assert_eq!(added.code, 0, "{added:?}");
    begin(&env, "a", &env.config(), "keyring");
    fs::write(env.config(), "# none\n").unwrap();
    // The removal must be completed before a file takes the name.
    let refused = env.try_enrol_with("a", &env.sandbox().url(), &["--store", "file"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(
        refused.stderr.contains("first run: jetond remove a --yes"),
        "{refused:?}"
    );
    // The user writes the profile by hand.
    let text = format!(
        "[profiles.a]\nprovider = 'runai'\nurl = '{}'\n",
        env.sandbox().url()
    );
    fs::write(env.config(), text).unwrap();
    let secret = env.secret_file();
    let how = [
        "--client-id",
        "test-client",
        "--client-secret-file",
        secret.to_str().unwrap(),
    ];
    let rebound = env.jetond(&[&["add", "a", "--rebind"], &how[..]].concat());
    assert_eq!(rebound.code, 0, "{rebound:?}");
    assert!(env.record("a").exists() && intent(&env, "a").exists());
    let asked = env.jetond(&["remove", "a"]);
    assert!(asked.stderr.contains("a.json and "), "{asked:?}");
    let removed = env.jetond(&["remove", "a", "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert_eq!(bus.lookup("a"), "");
    assert_eq!(state(&env), []);
}
