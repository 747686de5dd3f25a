//! A full or read-only disk during enrolment: real file systems, mounted in the test's own mount namespace.
use std::fs;

use jetond::credential::ClientSecret;
use jetond::sandbox::{Line, Options, Sandbox};

use crate::support::env::Output;
use crate::support::{TestEnv, ignored};

/// Runs a shell script in a mount namespace of its own. Prints the reason and returns `None` if that is not possible.
fn in_namespace(env: &TestEnv, script: &str) -> Option<Output> {
    let run = |script: &str| {
        let mut command = env.command("unshare");
        command
            .args(["--mount", "sh", "-eu", "-c", script])
            .env("JETOND", env!("CARGO_BIN_EXE_jetond"))
            .env("STATE", env.path("state/jeton"))
            .env("CONFIG", env.path("config/jeton"))
            .env("SECRET", env.secret_file())
            .env("URL", env.sandbox().url());
        env.finish("a script", command, b"", false)
    };
    let possible = run("mount -t tmpfs tmpfs /mnt");
    if possible.code != 0 {
        ignored(&format!(
            "nothing can be mounted here: {}",
            possible.stderr.trim()
        ));
        return None;
    }
    Some(run(script))
}

const ENROL: &str = r#"
enrol() { "$JETOND" add "$1" --provider runai --url "$URL" --client-id test-client --client-secret-file "$SECRET"; }
rebind() { "$JETOND" add research --rebind --client-id test-client --client-secret-file "$SECRET"; }
fill() { dd if=/dev/zero of="$1/fill" bs=1k 2>/dev/null || true; }
"#;

#[test]
fn a_full_or_read_only_store_keeps_the_old_credential() {
    let env = TestEnv::with_sandbox(60);
    let script = format!(
        r#"{ENROL}
mkdir -m 700 "$STATE"
mount -t tmpfs -o size=64k,mode=0700 tmpfs "$STATE"
enrol research
cp "$STATE/credentials/research.json" "$STATE/before"
set +e
fill "$STATE"; rebind; echo "full: $?"
cmp "$STATE/before" "$STATE/credentials/research.json"; echo "same: $?"
enrol second; echo "second: $?"
ls -A "$STATE/credentials"
mount -o remount,ro "$STATE"; rebind; echo "read-only: $?"
cmp "$STATE/before" "$STATE/credentials/research.json"; echo "same: $?"
"$JETOND" check; echo "check: $?"
"#
    );
    let Some(out) = in_namespace(&env, &script) else {
        return;
    };
    let lines: Vec<_> = out
        .stdout
        .lines()
        .filter(|line| !line.starts_with("no daemon is running") && !line.contains("is enrolled"))
        .collect();
    let url = env.sandbox().url();
    let ok = format!("research: ok, runai at {url}, client test-client, credential in a file");
    let expected = [
        "full: 75",
        "same: 0",
        "second: 75",
        "research.json",
        "read-only: 78",
        "same: 0",
        &ok,
        "check: 0",
    ];
    assert_eq!(lines, expected, "{out:?}");
    let said: Vec<_> = out.stderr.lines().collect();
    assert_eq!(said.len(), 3, "{out:?}");
    for (line, reason) in said.iter().zip([
        "quota is full: make room",
        "quota is full: make room",
        "mounted read-only",
    ]) {
        assert!(
            line.starts_with("jetond: the credential is not stored: ") && line.contains(reason),
            "{line}"
        );
    }
}

#[test]
fn a_failed_write_of_the_configuration_leaves_the_store_unchanged() {
    let env = TestEnv::with_sandbox(60);
    let secret = ClientSecret::parse(env.secret()).unwrap();
    let before = env.block_on(Sandbox::start(Options::new(
        Line::V2_24,
        "test-client",
        secret,
    )));
    let before = before.unwrap();
    // The record of a profile that was removed from the configuration by hand.
    let (url, file) = (before.url(), env.secret_file());
    let left = env.jetond(&[
        "add",
        "research",
        "--provider",
        "runai",
        "--url",
        &url,
        "--client-id",
        "test-client",
        "--client-secret-file",
        file.to_str().unwrap(),
    ]);
    assert_eq!(left.code, 0, "{left:?}");
    fs::remove_file(env.config()).unwrap();
    let record = fs::read(env.record("research")).unwrap();

    let script = format!(
        r#"{ENROL}
mount -t tmpfs -o size=16k,mode=0700 tmpfs "$CONFIG"
printf '# mine\n' > "$CONFIG/config.toml"
set +e
fill "$CONFIG"
enrol research; echo "full: $?"
enrol new; echo "full: $?"
mount -o remount,ro "$CONFIG"
enrol research; echo "read-only: $?"
cat "$CONFIG/config.toml"
ls "$CONFIG"
"#
    );
    let Some(out) = in_namespace(&env, &script) else {
        return;
    };
    assert_eq!(
        out.stdout, "full: 75\nfull: 75\nread-only: 78\n# mine\nconfig.toml\nfill\n",
        "{out:?}"
    );
    let full = "No space left on device (os error 28): make room there and try again";
    for (line, reason) in out
        .stderr
        .lines()
        .zip([full, full, "Read-only file system"])
    {
        assert!(
            line.starts_with(
                "jetond: the profile is not written, so the credential is not stored either: "
            ) && line.contains(reason),
            "{line}"
        );
    }
    assert_eq!(out.stderr.lines().count(), 3, "{out:?}");
    assert!(fs::read(env.record("research")).unwrap() == record);
    assert!(!env.record("new").exists());
}

#[test]
fn run_and_add_on_a_full_disk_exit_75_with_a_remedy() {
    let env = TestEnv::with_sandbox(60);
    let script = r#"
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir -m 700 /mnt/full /mnt/nothing
mount -t tmpfs -o nr_inodes=1,mode=0700 tmpfs /mnt/full
set +e
"$JETOND" run --socket /mnt/full/jeton/jeton.sock; echo "folder: $?"
"$JETOND" run --socket /mnt/full/jeton.sock --admin-socket /mnt/nothing/admin.sock; echo "lock: $?"
umount /mnt/full
mkdir -m 700 /mnt/full/config
XDG_CONFIG_HOME=/mnt/full/config
mount -t tmpfs -o nr_inodes=1,mode=0700 tmpfs /mnt/full/config
XDG_CONFIG_HOME=/mnt/full/config "$JETOND" add a --provider runai --url "$URL" --client-id test-client \
  --client-secret-file "$SECRET"; echo "configuration: $?"
cd /
mount -t tmpfs -o nr_inodes=1,mode=1777 tmpfs /tmp
XDG_RUNTIME_DIR=/mnt/full/config TMPDIR=/mnt/full/config "$JETOND" run -- true; echo "command: $?"
"#;
    let Some(out) = in_namespace(&env, script) else {
        return;
    };
    assert_eq!(
        out.stdout, "folder: 75\nlock: 75\nconfiguration: 75\ncommand: 75\n",
        "{out:?}"
    );
    let lines: Vec<_> = out
        .stderr
        .lines()
        .filter(|line| line.starts_with("jetond: "))
        .collect();
    assert_eq!(lines.len(), 4, "{out:?}");
    for line in lines {
        assert!(
            line.contains("No space left on device") && line.contains("make room there"),
            "{line}"
        );
    }
}

#[test]
fn add_reports_a_file_size_limit_and_is_not_killed_by_it() {
    let env = TestEnv::with_sandbox(60);
    let (url, file) = (env.sandbox().url(), env.secret_file());
    let mut add = env.command("prlimit");
    add.args([
        "--fsize=16",
        env!("CARGO_BIN_EXE_jetond"),
        "add",
        "research",
    ])
    .args(["--provider", "runai", "--url", &url, "--store", "file"])
    .args(["--client-id", "test-client", "--client-secret-file"])
    .arg(&file)
    .env_remove("JETON_LOG");
    let added = env.finish("jetond", add, b"", false);
    assert_eq!(added.code, 78, "{added:?}");
    let why = "jetond: the credential is not stored: ";
    assert!(added.stderr.starts_with(why), "{added:?}");
    assert!(added.stderr.contains("File too large"), "{added:?}");
    assert!(!env.record("research").exists() && !env.config().exists());
}
