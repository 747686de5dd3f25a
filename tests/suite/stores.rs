//! Concurrent changes in a store: a program replaces a credential only if it has read it, and only one program writes
//! at a time.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use crate::commands::{finish, wait_for_prompt};
use crate::enrol::{add, write_config};
use crate::support::TestEnv;
use crate::support::env::Output;
use crate::terminal::Terminal;

/// Starts `jetond add a --rebind`. When it waits for the secret, it has already read the store.
fn start_rebind(env: &TestEnv) -> Child {
    let child = env
        .jetond_command(&["add", "a", "--rebind", "--client-id", "test-client"])
        .arg("--client-secret-stdin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for_prompt(&child);
    child
}

/// Changes the record's date, as if another program had written it.
fn set_date(env: &TestEnv, seconds: u64) -> Vec<u8> {
    let record = fs::read(env.record("a")).unwrap();
    let mut record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    record["created_at"] = seconds.into();
    let record = serde_json::to_vec(&record).unwrap();
    fs::write(env.record("a"), &record).unwrap();
    record
}

fn assert_conflict(refused: &Output) {
    let says = "another program has changed it meanwhile: try again";
    assert_eq!(refused.code, 75, "{refused:?}");
    assert!(refused.stderr.contains(says), "{refused:?}");
    assert!(!refused.stderr.contains('\u{1b}') && refused.stdout.is_empty());
}

fn lock_file(env: &TestEnv, profile: &str) -> PathBuf {
    env.path(&format!("state/jeton/locks/{profile}.lock"))
}

/// Returns whether the system shows the locks of this file. Some file systems show another device than `stat` does.
fn shows_locks_of(path: &Path) -> bool {
    let meta = path.metadata().unwrap();
    let (major, minor) = (rustix::fs::major(meta.dev()), rustix::fs::minor(meta.dev()));
    let file = format!(" {major:02x}:{minor:02x}:{} ", meta.ino());
    fs::read_to_string("/proc/locks").is_ok_and(|locks| locks.contains(&file))
}

#[test]
fn concurrent_replacements_of_a_record_have_one_winner() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("a");
    for round in 0..5 {
        set_date(&env, round);
        let programs = [start_rebind(&env), start_rebind(&env)];
        let ended: Vec<_> = std::thread::scope(|scope| {
            let secret = env.secret();
            let give = |mut program: Child| {
                let mut stdin = program.stdin.take().unwrap();
                std::io::Write::write_all(&mut stdin, secret.as_bytes()).unwrap();
                program
            };
            let given = programs.map(|program| scope.spawn(move || give(program)));
            given.map(|program| program.join().unwrap()).into()
        });
        let mut ended: Vec<_> = ended
            .into_iter()
            .map(|program| {
                let output = program.wait_with_output().unwrap();
                env.add_output("stdout of jetond add", &output.stdout, false);
                env.add_output("stderr of jetond add", &output.stderr, false);
                Output {
                    code: output.status.code().unwrap(),
                    stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
                    stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
                }
            })
            .collect();
        ended.sort_by_key(|output| output.code);
        let [written, refused] = &ended[..] else {
            panic!("{ended:?}");
        };
        assert_eq!(written.code, 0, "{written:?}");
        assert_conflict(refused);
    }
    assert_eq!(
        fs::read_dir(env.path("state/jeton/locks")).unwrap().count(),
        0
    );
}

#[test]
fn a_record_changed_in_the_meantime_is_kept() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("a");
    set_date(&env, 1);
    let config = fs::read(env.config()).unwrap();
    let rebinding = start_rebind(&env);
    let now = set_date(&env, 2);
    assert_conflict(&finish(&env, rebinding, env.secret()));
    assert!(fs::read(env.record("a")).unwrap() == now);
    let rebinding = start_rebind(&env);
    fs::remove_file(env.record("a")).unwrap();
    assert_conflict(&finish(&env, rebinding, env.secret()));
    assert!(!env.record("a").exists());
    assert!(fs::read(env.config()).unwrap() == config);
    // A record written again with the same content does not count as changed.
    let rebinding = start_rebind(&env);
    assert_eq!(finish(&env, rebinding, env.secret()).code, 0);
    assert!(env.record("a").exists());
}

#[test]
fn add_waits_for_a_profile_locked_by_another_program_and_then_reports_it() {
    let env = TestEnv::with_sandbox(60);
    write_config(&env, "# mine\n");
    env.enrol("b");
    let before = fs::read(env.config()).unwrap();
    let path = lock_file(&env, "a");
    let mut file = fs::File::options();
    let held = file.create(true).truncate(true).write(true).mode(0o600);
    let held = held.open(&path).unwrap();
    held.lock().unwrap();
    let waited = add(&env, "a", &[]);
    assert_eq!(waited.code, 75, "{waited:?}");
    let says = format!("{}: another jetond is changing", path.display());
    assert!(waited.stderr.contains(&says), "{waited:?}");
    assert!(!env.record("a").exists());
    assert!(fs::read(env.config()).unwrap() == before);
    let removed = env.jetond(&["remove", "b", "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert_eq!(add(&env, "c", &[]).code, 0);
    // The lock file is not taken for a profile or a leftover.
    let checked = env.jetond(&["check"]);
    assert_eq!(
        (checked.code, checked.stderr.as_str()),
        (0, ""),
        "{checked:?}"
    );
    held.unlock().unwrap();
    assert_eq!(add(&env, "a", &[]).code, 0);
    assert!(!path.exists());
    let removed = env.jetond(&["remove", "a", "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
}

#[test]
fn on_a_terminal_a_command_says_which_process_it_waits_for() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("a");
    let config = env.config();
    for (path, what) in [
        (lock_file(&env, "a"), "the credential of a".to_owned()),
        (
            config.with_file_name(".jeton.lock"),
            config.display().to_string(),
        ),
    ] {
        let mut file = fs::File::options();
        let held = file.create(true).truncate(true).write(true).mode(0o600);
        let held = held.open(&path).unwrap();
        held.lock().unwrap();
        let holder = match shows_locks_of(&path) {
            true => format!("process {} (", std::process::id()),
            false => "it".to_owned(),
        };
        let terminal = Terminal::start(&env, &["remove", "a", "--yes"], &[]);
        terminal.wait_for(&format!(
            "another jetond is changing {what}: waiting for {holder}"
        ));
        held.unlock().unwrap();
        let (ended, shown) = terminal.end(&env);
        assert!(ended.success(), "{shown}");
        env.enrol("a");
    }
}

#[test]
fn a_lock_file_of_an_earlier_version_is_harmless() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("a");
    let folder = env.path("state/jeton/credentials");
    let mut file = fs::File::options();
    let held = file.create_new(true).write(true).mode(0o600);
    let held = held.open(folder.join(".lock")).unwrap();
    held.lock().unwrap();
    assert_eq!(add(&env, "b", &[]).code, 0);
    let checked = env.jetond(&["check"]);
    assert_eq!(
        (checked.code, checked.stderr.as_str()),
        (0, ""),
        "{checked:?}"
    );
    let removed = env.jetond(&["remove", "a", "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert!(folder.join(".lock").exists());
}
