//! Moving to another machine in a file: `jetond export` and `jetond import`.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use jetond::age_file::{Identity, Passphrase, WorkFactor};
use jetond::sandbox::Line;
use serde_json::{Value, json};

use crate::enrol::{assert_nothing_written, write_config};
use crate::support::env::Output;
use crate::support::{TestEnv, ignored};
use crate::terminal::Terminal;

const PASSPHRASE: &str = "correct horse battery";

/// Creates a file with this passphrase.
fn passphrase_file(env: &TestEnv, passphrase: &str) -> String {
    let path = env.path("home/passphrase");
    fs::write(&path, format!("{passphrase}\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn export(env: &TestEnv, file: &Path, more: &[&str]) -> Output {
    let passphrase = passphrase_file(env, PASSPHRASE);
    let to = [
        "--to",
        file.to_str().unwrap(),
        "--passphrase-file",
        &passphrase,
    ];
    let work = ["--work-factor", "12"];
    env.jetond(&[&["export"], more, &to[..], &work[..]].concat())
}

fn import(env: &TestEnv, file: &Path, more: &[&str]) -> Output {
    let passphrase = passphrase_file(env, PASSPHRASE);
    let file = [file.to_str().unwrap(), "--passphrase-file", &passphrase];
    env.jetond(&[&["import"], &file[..], more].concat())
}

/// Another machine. The secrets of the first one must not leak there either.
fn other_machine(env: &TestEnv) -> TestEnv {
    let mut other = TestEnv::new();
    other.forbid_secret("the secret of the first machine", env.secret());
    other
}

fn record(env: &TestEnv, profile: &str) -> Value {
    serde_json::from_slice(&fs::read(env.record(profile)).unwrap()).unwrap()
}

fn config(env: &TestEnv) -> String {
    fs::read_to_string(env.config()).unwrap()
}

fn intent(env: &TestEnv, profile: &str) -> PathBuf {
    env.path(&format!("state/jeton/moves/{profile}.json"))
}

/// Creates an export file with this content.
fn sealed(env: &TestEnv, content: &Value) -> PathBuf {
    let passphrase = Passphrase::parse(PASSPHRASE).unwrap();
    let bytes = passphrase.seal(content.to_string().as_bytes(), WorkFactor::LEAST);
    let path = env.path("home/made.age");
    fs::write(&path, &*bytes.unwrap()).unwrap();
    path
}

/// Returns the content of an exported file.
fn opened(file: &Path) -> Value {
    let passphrase = Passphrase::parse(PASSPHRASE).unwrap();
    let content = passphrase.open(&fs::read(file).unwrap(), 1 << 20).unwrap();
    serde_json::from_slice(&content).unwrap()
}

#[test]
fn an_exported_profile_works_elsewhere_and_is_marked_as_shared() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("research");
    let rules = "[[profiles.research.allow]]\nuid = 4711\n[[profiles.research.sinks]]\npath = \"x/y\"\nformat = \"raw\"\n";
    write_config(&env, format!("{}{rules}", config(&env)));
    let before = config(&env);
    let file = env.path("home/research.age");
    let exported = export(&env, &file, &["research"]);
    assert_eq!(exported.code, 0, "{exported:?}");
    assert!(exported.stdout.contains("jetond import"), "{exported:?}");
    assert_eq!(
        file.metadata().unwrap().permissions().mode() & 0o7777,
        0o600
    );
    assert_eq!(config(&env), before, "the configuration is unchanged");
    assert_eq!(record(&env, "research")["shared"], true);
    let content = opened(&file);
    let profile = content["profiles"][0].as_object().unwrap();
    let fields: Vec<&str> = profile.keys().map(String::as_str).collect();
    let url = env.sandbox().url();
    assert_eq!(profile["settings"], json!({"url": url}));
    assert_eq!(
        fields,
        [
            "client_id",
            "client_secret",
            "created_at",
            "endpoint",
            "name",
            "provider",
            "settings",
            "shared"
        ]
    );

    let other = other_machine(&env);
    let moved = other.path("home/research.age");
    fs::copy(&file, &moved).unwrap();
    let asked = import(&other, &moved, &[]);
    assert_eq!(asked.code, 64, "{asked:?}");
    assert!(
        asked.stdout.contains(&format!("sent to  {url}/")),
        "{asked:?}"
    );
    assert_nothing_written(&other);
    let before = env.sandbox().stats().token_requests;
    let imported = import(&other, &moved, &["--yes"]);
    assert_eq!(imported.code, 0, "{imported:?}");
    assert_eq!(
        env.sandbox().stats().token_requests,
        before + 1,
        "one token request proves the credential"
    );
    let text =
        format!("[profiles.research]\nprovider = \"runai\"\nurl = \"{url}\"\nstore = \"file\"\n");
    assert_eq!(config(&other), text);
    // The other machine has no date from the issuer, because the enrolment was not made there.
    let mut expected = record(&env, "research");
    expected.as_object_mut().unwrap().remove("server_date");
    assert_eq!(record(&other, "research"), expected);
    assert!(!intent(&other, "research").exists());
    let mut daemon = other.start();
    let token = other.token(&daemon, "research");
    assert!(env.sandbox().issued().contains(&token));
    other.stop(&mut daemon);
    let checked = other.jetond(&["check"]);
    assert_eq!(
        (checked.code, checked.stderr.as_str()),
        (0, ""),
        "{checked:?}"
    );
}

#[test]
fn export_with_move_removes_the_profile_once_the_file_was_verified() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("research");
    env.enrol("stays");
    let mut daemon = env.start();
    let file = env.path("home/research.age");
    let refused = export(&env, &file, &["research", "--move"]);
    assert_eq!(
        refused.code, 64,
        "there is no terminal to ask at: {refused:?}"
    );
    assert!(!file.exists() && !intent(&env, "research").exists());
    let moved = export(&env, &file, &["research", "--move", "--yes"]);
    assert_eq!(moved.code, 0, "{moved:?}");
    assert!(!env.record("research").exists() && !intent(&env, "research").exists());
    assert!(!config(&env).contains("profiles.research"));
    assert!(env.record("stays").exists());
    assert_eq!(opened(&file)["profiles"][0]["shared"], false);
    let gone = env.get(&daemon, "/v1/profiles/research/token");
    assert_eq!(gone.code(), "unknown_profile");
    env.token(&daemon, "stays");
    // Import it again on the first machine.
    let imported = import(&env, &file, &["--yes"]);
    assert_eq!(imported.code, 0, "{imported:?}");
    assert!(record(&env, "research").get("shared").is_none());
    env.token(&daemon, "research");
    env.stop(&mut daemon);
}

#[test]
fn export_overwrites_no_file() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("research");
    let before = (config(&env), record(&env, "research"));
    let there = env.path("home/there");
    fs::write(&there, "mine").unwrap();
    let link = env.path("home/link");
    symlink(env.path("home/nowhere"), &link).unwrap();
    let missing = env.path("home/no/folder");
    for (file, names, code) in [
        (&there, &["research"][..], 78),
        (&link, &["research"], 78),
        (&missing, &["research"], 78),
        (&env.path("home/x.age"), &["research", "nobody"], 78),
    ] {
        for more in [&[][..], &["--move", "--yes"]] {
            let refused = export(&env, file, &[names, more].concat());
            assert_eq!(refused.code, code, "{}: {refused:?}", file.display());
            assert!(
                refused.stderr.contains("nothing is exported"),
                "{refused:?}"
            );
            assert!(before == (config(&env), record(&env, "research")));
            assert!(!intent(&env, "research").exists());
        }
    }
    assert_eq!(fs::read_to_string(&there).unwrap(), "mine");
    assert!(!env.path("home/nowhere").exists() && !env.path("home/x.age").exists());
    // A profile with a client certificate, whose key is a file on this machine.
    let text = config(&env).replace(
        "provider = ",
        "client-certificate = { cert = \"/c/us.pem\", key = \"/c/us.key\" }\nprovider = ",
    );
    write_config(&env, text);
    let refused = export(&env, &env.path("home/x.age"), &["research"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(refused.stderr.contains("client certificate"), "{refused:?}");
}

#[test]
fn importing_an_existing_name_is_a_conflict() {
    let env = TestEnv::with_sandbox(60);
    for name in ["research", "reports"] {
        env.enrol(name);
    }
    let file = env.path("home/both.age");
    let exported = export(&env, &file, &["research", "reports"]);
    assert_eq!(exported.code, 0, "{exported:?}");
    let before = (config(&env), env.sandbox().stats().token_requests);
    let refused = import(&env, &file, &["--yes"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    for says in [
        "conflict: there is a profile reports, research already",
        "--as NAME",
    ] {
        assert!(refused.stderr.contains(says), "{refused:?}");
    }
    let removed = env.jetond(&["remove", "reports", "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    let refused = import(&env, &file, &["--yes"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    let line = format!("jetond import {} reports", file.display());
    assert!(refused.stderr.contains(&line), "{refused:?}");
    assert_eq!(
        env.sandbox().stats().token_requests,
        before.1,
        "no token request was sent"
    );
    let imported = import(&env, &file, &["reports", "--yes"]);
    assert_eq!(imported.code, 0, "{imported:?}");
    let renamed = import(&env, &file, &["research", "--as", "second", "--yes"]);
    assert_eq!(renamed.code, 0, "{renamed:?}");
    assert!(config(&env).contains("[profiles.second]"));
    for more in [&["--as", "third", "--yes"][..], &["nobody", "--yes"]] {
        let refused = import(&env, &file, more);
        assert!([64, 78].contains(&refused.code), "{refused:?}");
    }
    // A credential without a profile in the configuration is not replaced either.
    fs::copy(env.record("second"), env.record("fourth")).unwrap();
    let mut other = record(&env, "fourth");
    other["client_id"] = json!("somebody-else");
    fs::write(env.record("fourth"), other.to_string()).unwrap();
    let refused = import(&env, &file, &["research", "--as", "fourth", "--yes"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(refused.stderr.contains("conflict"), "{refused:?}");
    assert!(record(&env, "fourth") == other && !config(&env).contains("fourth"));
}

#[test]
fn a_file_with_unexpected_content_imports_nothing() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("research");
    let file = env.path("home/x.age");
    assert_eq!(export(&env, &file, &["research"]).code, 0);
    let good = opened(&file);
    let other = other_machine(&env);
    let refuse = |path: &Path, says: &str| {
        let refused = import(&other, path, &["--yes"]);
        assert_eq!(refused.code, 78, "{says}: {refused:?}");
        assert!(refused.stderr.contains(says), "{says}: {refused:?}");
        assert_nothing_written(&other);
    };
    for (field, more) in [
        ("allow", json!([{"user": "mallory"}])),
        ("hosts", json!(["https://mallory"])),
        ("sinks", json!([{"path": "/root/.ssh/x", "format": "raw"}])),
        ("client-secret", json!({"command": ["/bin/sh"]})),
        ("ca-file", json!("/etc/shadow")),
    ] {
        let mut content = good.clone();
        content["profiles"][0][field] = more;
        refuse(&sealed(&other, &content), "an unexpected field");
    }
    let mut later = good.clone();
    later["version"] = json!(2);
    refuse(&sealed(&other, &later), "of version 2");
    let mut elsewhere = good;
    elsewhere["profiles"][0]["endpoint"] = json!("https://mallory/");
    refuse(
        &sealed(&other, &elsewhere),
        "differs from that of its settings",
    );
    refuse(&sealed(&other, &json!({"x": 1})), "no profiles that");

    let whole = fs::read(&file).unwrap();
    let path = other.path("home/bad.age");
    let to_a_key = Identity::generate().recipient().seal(b"{}").unwrap();
    let work = String::from_utf8_lossy(&whole)
        .lines()
        .next()
        .unwrap()
        .to_owned()
        + "\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 30\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n0123456789abcdef";
    for (bytes, says) in [
        (whole[..whole.len() - 9].to_vec(), "cut off"),
        (b"hello".to_vec(), "not an age file"),
        (vec![], "not an age file"),
        (to_a_key.to_vec(), "not encrypted by a passphrase"),
        (work.into_bytes(), "a work factor of 30"),
    ] {
        fs::write(&path, bytes).unwrap();
        refuse(&path, says);
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refuse(&path, "not a regular file");
    fs::remove_dir(&path).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
    refuse(&path, "not a regular file");
    let wrong = passphrase_file(&other, "incorrect horse");
    let refused = other.jetond(&[
        "import",
        file.to_str().unwrap(),
        "--yes",
        "--passphrase-file",
        &wrong,
    ]);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("the passphrase is not the right one"),
        "{refused:?}"
    );
    assert_nothing_written(&other);
}

#[test]
fn an_import_writes_nothing_unless_the_issuer_accepts_the_credential() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("research");
    let file = env.path("home/x.age");
    assert_eq!(export(&env, &file, &["research"]).code, 0);
    let other = other_machine(&env);
    for (fault, code) in [("status:503", 75), ("status:401", 1)] {
        env.fault(fault);
        let refused = import(&other, &file, &["--yes"]);
        assert_eq!(refused.code, code, "{fault}: {refused:?}");
        assert!(
            refused.stderr.contains("nothing is imported"),
            "{refused:?}"
        );
        assert_nothing_written(&other);
    }
}

#[test]
fn an_import_writes_certificates_to_a_file_of_their_own() {
    let mut env = TestEnv::new();
    env.add_sandbox_that(Line::V2_24, 60, |options| options.tls = true);
    let ca = env.ca_file(0).unwrap();
    let url = env.sandbox().url();
    let added = env.try_enrol_with("research", &url, &["--ca-file", &ca]);
    assert_eq!(added.code, 0, "{added:?}");
    let file = env.path("home/x.age");
    let exported = export(&env, &file, &["research"]);
    assert_eq!(exported.code, 0, "{exported:?}");
    assert!(
        !opened(&file).to_string().contains(&ca),
        "the export contains no path of the CA file"
    );
    let other = other_machine(&env);
    let imported = import(&other, &file, &["--yes"]);
    assert_eq!(imported.code, 0, "{imported:?}");
    let written = other.path("config/jeton/research-ca.pem");
    assert!(
        imported.stdout.contains(written.to_str().unwrap()),
        "{imported:?}"
    );
    let of = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        text.lines()
            .filter(|line| !line.is_empty())
            .collect::<String>()
    };
    assert_eq!(of(&written), of(Path::new(&ca)));
    assert!(config(&other).contains(&format!("ca-file = \"{}\"", written.display())));
    assert_eq!(
        record(&other, "research")["ca"],
        record(&env, "research")["ca"]
    );
    let mut daemon = other.start();
    other.token(&daemon, "research");
    other.stop(&mut daemon);
    // A different certificate with that file name is not overwritten.
    let removed = other.jetond(&["remove", "research", "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    fs::write(&written, "something else").unwrap();
    let refused = import(&other, &file, &["--yes"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert_eq!(fs::read_to_string(&written).unwrap(), "something else");
    assert!(!other.record("research").exists() && !intent(&other, "research").exists());
}

#[test]
fn an_interrupted_move_is_reported_until_completed_or_undone() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("research");
    let file = env.path("home/x.age");
    let begin = |exists: bool| {
        assert_eq!(export(&env, &file, &["research"]).code, 0);
        if !exists {
            fs::remove_file(&file).unwrap();
        }
        let folder = intent(&env, "research").parent().unwrap().to_owned();
        let _ = fs::create_dir(&folder);
        fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
        let text = json!({
            "version": 1, "profile": "research", "config": env.config().canonicalize().unwrap(),
            "export": {"file": file},
        });
        fs::write(intent(&env, "research"), text.to_string()).unwrap();
        fs::set_permissions(intent(&env, "research"), Permissions::from_mode(0o600)).unwrap();
    };
    // Killed before the file existed: the command leaves no state that matters.
    begin(false);
    let checked = env.jetond(&["check"]);
    assert_eq!(
        (checked.code, checked.stderr.as_str()),
        (0, ""),
        "{checked:?}"
    );
    // Killed after the file was written.
    begin(true);
    let checked = env.jetond(&["check"]);
    let line = format!("jetond export research --to {} --move", file.display());
    assert!(
        checked.code == 0 && checked.stderr.contains(&line),
        "{checked:?}"
    );
    let mut daemon = env.start();
    env.token(&daemon, "research");
    env.stop(&mut daemon);
    assert!(daemon.log().contains(&line), "{}", daemon.log());
    let refused = env.jetond(&["migrate", "research", "--to", "keyring"]);
    assert!(
        refused.code == 78 && refused.stderr.contains(&line),
        "{refused:?}"
    );
    // A different credential has been stored since, so the file does not contain what would be removed.
    let right = fs::read(env.record("research")).unwrap();
    let mut other = record(&env, "research");
    other["client_secret"] = json!("another");
    fs::write(env.record("research"), other.to_string()).unwrap();
    let refused = export(&env, &file, &["research", "--move", "--yes"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(env.record("research").exists());
    fs::write(env.record("research"), right).unwrap();
    let ended = export(&env, &file, &["research", "--move", "--yes"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(!env.record("research").exists() && !intent(&env, "research").exists());
    assert!(opened(&file)["profiles"][0]["client_secret"] == env.secret());
}

#[test]
fn export_asks_for_the_passphrase_twice_without_echo() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("research");
    let file = env.path("home/x.age");
    let args = [
        "export",
        "research",
        "--to",
        file.to_str().unwrap(),
        "--work-factor",
        "12",
    ];
    let mut terminal = Terminal::start(&env, &args, &[]);
    terminal.wait_for("New passphrase for");
    terminal.type_in("one passphrase\r");
    terminal.wait_for("The same again");
    terminal.type_in("another one\r");
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(64), "{shown}");
    assert!(
        !file.exists() && !shown.contains("one passphrase"),
        "{shown}"
    );
    let mut terminal = Terminal::start(&env, &args, &[]);
    terminal.wait_for("New passphrase for");
    terminal.type_in(&format!("{PASSPHRASE}\r"));
    terminal.wait_for("The same again");
    terminal.type_in(&format!("{PASSPHRASE}\r"));
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(0), "{shown}");
    assert!(!shown.contains(PASSPHRASE), "{shown}");

    let other = other_machine(&env);
    let args = ["import", file.to_str().unwrap()];
    for (answer, code) in [("n", 1), ("y", 0)] {
        let before = env.sandbox().stats().token_requests;
        let mut terminal = Terminal::start(&other, &args, &[]);
        terminal.wait_for("Passphrase for");
        terminal.type_in(&format!("{PASSPHRASE}\r"));
        terminal.wait_for("import this? [y/N]");
        assert_eq!(
            env.sandbox().stats().token_requests,
            before,
            "no token request is sent yet"
        );
        terminal.type_in(&format!("{answer}\r"));
        let (status, shown) = terminal.end(&other);
        assert_eq!(status.code(), Some(code), "{shown}");
        assert!(shown.contains(&env.sandbox().url()), "{shown}");
        assert_eq!(other.record("research").exists(), code == 0);
    }
}

#[test]
fn a_passphrase_that_is_empty_or_of_ten_kibibytes_is_refused() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("research");
    let file = env.path("home/x.age");
    for (passphrase, says) in [
        ("", "it is empty"),
        (&*"x".repeat(10 * 1_024), "more than 1024 bytes"),
    ] {
        let path = passphrase_file(&env, passphrase);
        let args = [
            "export",
            "research",
            "--to",
            file.to_str().unwrap(),
            "--passphrase-file",
            &path,
        ];
        let refused = env.jetond(&args);
        assert_eq!(refused.code, 64, "{refused:?}");
        assert!(refused.stderr.contains(says), "{refused:?}");
        assert!(!file.exists());
    }
}

#[test]
fn the_next_export_removes_a_killed_exports_leftovers() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("research");
    let folder = env.path("home/out");
    fs::create_dir(&folder).unwrap();
    let left = killed_export(&env, &folder.join("moved.age"), &[]);
    let Some(left) = left else { return };
    assert!(folder.join(&left).exists());
    // Files of other writers stay.
    let others = [".jeton-new-export-abc", ".jeton-new-abc", "export"];
    for name in others {
        fs::write(folder.join(name), "").unwrap();
    }
    let exported = export(&env, &folder.join("moved.age"), &["research"]);
    assert_eq!(exported.code, 0, "{exported:?}");
    assert!(!folder.join(&left).exists(), "{left}");
    assert!(others.iter().all(|name| folder.join(name).exists()));
}

#[test]
fn a_killed_moves_partial_file_is_reported_at_the_next_start() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("research");
    let folder = env.path("home/out");
    fs::create_dir(&folder).unwrap();
    let Some(left) = killed_export(&env, &folder.join("moved.age"), &["--move", "--yes"]) else {
        return;
    };
    let left = folder.join(left).display().to_string();
    let says = "was begun, and has left a part of that file";
    let mut daemon = env.start();
    env.token(&daemon, "research");
    daemon.wait_for_log(says);
    daemon.wait_for_log(&left);
    env.stop(&mut daemon);
    let checked = env.jetond(&["check"]);
    assert!(
        checked.stderr.contains(says) && checked.stderr.contains(&left),
        "{checked:?}"
    );
    // The same command completes the move, and then nothing is reported.
    let moved = export(
        &env,
        &folder.join("moved.age"),
        &["research", "--move", "--yes"],
    );
    assert_eq!(moved.code, 0, "{moved:?}");
    let checked = env.jetond(&["check"]);
    assert!(!checked.stderr.contains(says), "{checked:?}");
}

/// Runs an export that is killed before its file gets its final name. Returns the file's temporary name, or `None` on a
/// system where processes cannot be traced.
fn killed_export(env: &TestEnv, file: &Path, more: &[&str]) -> Option<String> {
    let passphrase = passphrase_file(env, PASSPHRASE);
    let mut command = env.command("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=renameat2"]);
    command.args(["-e", "inject=renameat2:signal=KILL:when=1"]);
    command.arg(env!("CARGO_BIN_EXE_jetond"));
    command.args(["export", "research", "--to", file.to_str().unwrap()]);
    command.args(["--passphrase-file", &passphrase, "--work-factor", "12"]);
    command.args(more);
    if std::process::Command::new("strace")
        .arg("-V")
        .output()
        .is_err()
    {
        ignored("a killed export: apt-get install strace");
        return None;
    }
    let killed = env.finish("jetond export", command, b"", false);
    assert_ne!(killed.code, 0, "{killed:?}");
    let mut names = fs::read_dir(file.parent().unwrap()).unwrap();
    let name = names.next().unwrap().unwrap().file_name();
    Some(name.into_string().unwrap())
}

#[test]
fn exporting_an_encrypted_profile_asks_for_the_stores_passphrase() {
    let mut env = TestEnv::with_sandbox(60);
    let of_store = "the passphrase of the store";
    env.forbid("the passphrase of the store", of_store);
    let given = tempfile::NamedTempFile::new().unwrap();
    fs::write(given.path(), of_store).unwrap();
    fs::set_permissions(given.path(), Permissions::from_mode(0o600)).unwrap();
    let encrypt = ["encrypt-store", "--work-factor", "12", "--passphrase-file"];
    let made = env.jetond(&[&encrypt[..], &[given.path().to_str().unwrap()]].concat());
    assert_eq!(made.code, 0, "{made:?}");
    env.enrol("research");
    let file = env.path("home/research.age");
    // Without a terminal there is no way to type the passphrase.
    let locked = export(&env, &file, &["research"]);
    assert_ne!(locked.code, 0, "{locked:?}");
    assert!(locked.stderr.contains("locked"), "{locked:?}");
    // An export that will be refused is refused before the first question.
    let passphrase = passphrase_file(&env, PASSPHRASE);
    let line = |names: &[&str]| {
        let mut line = vec!["export".to_owned()];
        line.extend(names.iter().map(|name| (*name).to_owned()));
        let more = [
            "--passphrase-file",
            &passphrase,
            "--work-factor",
            "12",
            "--to",
        ];
        line.extend(more.map(str::to_owned));
        line.push(file.display().to_string());
        line
    };
    let run = |names: &[&str]| {
        let line = line(names);
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        Terminal::start(&env, &line, &[])
    };
    let (status, shown) = run(&["research", "nobody"]).end(&env);
    assert_eq!(status.code(), Some(78), "{shown}");
    assert!(!shown.contains("assphrase (not shown)"), "{shown}");
    for (typed, code) in [("wrong\nwrong\nwrong", 1), (of_store, 0)] {
        let mut terminal = run(&["research"]);
        for (n, line) in typed.lines().enumerate() {
            crate::support::daemon::wait_until("the question", || {
                terminal.count("Passphrase (not shown): ") == n + 1
            });
            terminal.wait_for_no_echo();
            terminal.type_in(&format!("{line}\n"));
        }
        let (status, shown) = terminal.end(&env);
        assert_eq!(status.code(), Some(code), "{shown}");
        assert_eq!(file.exists(), code == 0, "{shown}");
    }
    let content = opened(&file);
    assert_eq!(content["profiles"][0]["client_secret"], env.secret());
}

/// Writes down a removal of the profile, as a move into a file does when it begins to remove it here.
fn write_down_removal(env: &TestEnv) -> PathBuf {
    let config = fs::canonicalize(env.config()).unwrap();
    let removal = json!({"version": 1, "profile": "research", "store": "file", "config": config});
    let path = env.path("state/jeton/removals/research.json");
    let folder = path.parent().unwrap();
    fs::create_dir_all(folder).unwrap();
    fs::set_permissions(folder, Permissions::from_mode(0o700)).unwrap();
    fs::write(&path, removal.to_string()).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path
}

/// Moves into this file, killed once the file is there and before anything is removed.
fn killed_move(env: &TestEnv, file: &Path) -> bool {
    let passphrase = passphrase_file(env, PASSPHRASE);
    let mut command = env.command("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=renameat"]);
    // The first is of what is written down of the move, the second of the removal.
    command.args(["-e", "inject=renameat:signal=KILL:when=2"]);
    command.arg(env!("CARGO_BIN_EXE_jetond"));
    command.args(["export", "research", "--to", file.to_str().unwrap()]);
    command.args(["--passphrase-file", &passphrase, "--work-factor", "12"]);
    command.args(["--move", "--yes"]);
    if std::process::Command::new("strace")
        .arg("-V")
        .output()
        .is_err()
    {
        ignored("a killed move: apt-get install strace");
        return false;
    }
    let killed = env.finish("jetond export", command, b"", false);
    assert_ne!(killed.code, 0, "{killed:?}");
    assert!(file.exists(), "{killed:?}");
    true
}

#[test]
fn a_move_killed_during_its_removal_has_one_remedy_that_loses_nothing() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("research");
    let file = env.path("home/moved.age");
    if !killed_move(&env, &file) {
        return;
    }
    assert!(env.path("state/jeton/moves/research.json").exists());
    let removal = write_down_removal(&env);
    let go_on = "export research --to";
    let checked = env.jetond(&["check"]);
    let said = &checked.stderr;
    assert_eq!(said.matches("has not ended").count(), 1, "{checked:?}");
    assert!(said.contains(go_on), "{checked:?}");
    assert!(!said.contains("jetond remove"), "{checked:?}");
    assert!(!said.contains("keep the profile here"), "{checked:?}");
    let mut daemon = env.start();
    daemon.wait_for_log(go_on);
    assert!(!daemon.log().contains("jetond remove"));
    env.stop(&mut daemon);

    // Without the file, the credential here may be the only one.
    fs::remove_file(&file).unwrap();
    for refused in [
        env.jetond(&["check"]),
        env.jetond(&["migrate", "research", "--to", "keyring"]),
    ] {
        let said = &refused.stderr;
        assert!(said.contains("may be the only one"), "{refused:?}");
        assert!(said.contains(go_on), "{refused:?}");
        assert!(said.contains(removal.to_str().unwrap()), "{refused:?}");
        assert!(!said.contains("jetond remove"), "{refused:?}");
    }
    // To move it again does what was meant.
    let moved = export(&env, &file, &["research", "--move", "--yes"]);
    assert_eq!(moved.code, 0, "{moved:?}");
    assert!(file.exists() && !removal.exists());
    assert!(!env.record("research").exists());
    let checked = env.jetond(&["check"]);
    assert!(!checked.stderr.contains("research"), "{checked:?}");
    fs::remove_file(&file).unwrap();
}

#[test]
fn check_and_the_log_name_leftovers_of_killed_moves_and_writers() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("research");
    let file = env.path("home/moved.age");
    if !killed_move(&env, &file) {
        return;
    }
    fs::remove_file(&file).unwrap();
    let state = env.path("state/jeton");
    let note = state.join("moves/research.json").display().to_string();
    let mut left = vec![];
    for part in [
        "moves/.jeton-new-research-a",
        "encrypted-file/.jeton-new-identity-a",
    ] {
        let part = state.join(part);
        let folder = part.parent().unwrap();
        fs::create_dir_all(folder).unwrap();
        fs::set_permissions(folder, Permissions::from_mode(0o700)).unwrap();
        fs::write(&part, "").unwrap();
        left.push(part);
    }
    let beside = env.config().with_file_name(".jeton-new-a");
    fs::write(&beside, "").unwrap();
    left.push(beside);
    let checked = env.jetond(&["check"]);
    let mut daemon = env.start();
    // The profile stays, so nothing has to be done about that.
    assert!(checked.stdout.contains(&note), "{checked:?}");
    daemon.wait_for_log(&note);
    for left in &left {
        let left = left.to_str().unwrap();
        assert!(checked.stderr.contains(left), "{left}: {checked:?}");
        daemon.wait_for_log(left);
    }
    env.token(&daemon, "research");
    env.stop(&mut daemon);
}
