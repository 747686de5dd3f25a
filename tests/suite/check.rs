//! `jetond check` reports every fault, and `jetond run` does not start if there is one.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;

use crate::enrol::write_config;
use crate::support::env::Output;
use crate::support::{TestEnv, ignored};

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Runs `jetond check`. Asserts that `jetond run` reports the same faults, starts nothing and leaves no files.
fn check_and_run(env: &TestEnv) -> Output {
    let checked = env.jetond(&["check"]);
    let ran = env.jetond(&["run"]);
    assert_eq!((checked.code, ran.code), (78, 78), "{checked:?} {ran:?}");
    assert_eq!(checked.stdout, "");
    assert_eq!(checked.stderr, ran.stderr);
    let left: Vec<_> = fs::read_dir(env.path("run")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    checked
}

#[test]
fn all_faults_of_a_configuration_are_reported_at_once_with_positions() {
    let env = TestEnv::new();
    let text = "\
[profiles.one]
providr = 'runai'
url = 'http://acme.run.ai'
keep-warm = 'canary'

[profiles.two]
provider = 'runai'
url = 'http://localhost:8080'
client-secret = 'canary'

[profiles.Three]
provider = 'runai'
url = 3
[profile.four]
[socket]
mode = 'privat'
";
    write_config(&env, text);
    let checked = check_and_run(&env);
    let place = format!("jetond: {}:", env.config().display());
    let faults: Vec<_> = checked
        .stderr
        .lines()
        .map(|line| line.strip_prefix(&place).unwrap())
        .collect();
    let expected = [
        ("1:1: profiles.one: provider is missing", ""),
        (
            "2:1: profiles.one.providr: unknown key",
            "(did you mean provider?)",
        ),
        (
            "3:7: profiles.one.url: http would send the secret unprotected",
            "(did you mean https://acme.run.ai?)",
        ),
        (
            "4:13: profiles.one.keep-warm: this must be true or false, and is of type string",
            "",
        ),
        (
            "8:7: profiles.two.url: http is possible only for an address",
            "(did you mean http://127.0.0.1:8080?)",
        ),
        (
            "9:1: profiles.two.client-secret: this file never holds a credential",
            "store it",
        ),
        ("11:11: profiles.Three: a profile's name has 1 to 63 of", ""),
        (
            "13:7: profiles.Three.url: this must be a string, and is of type integer",
            "",
        ),
        ("14:2: profile: unknown key", "(did you mean profiles?)"),
        (
            "16:8: socket.mode: it takes \"private\", \"group\", \"all\"",
            "(did you mean \"private\"?)",
        ),
    ];
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, (start, end)) in faults.iter().zip(expected) {
        assert!(fault.starts_with(start) && fault.ends_with(end), "{fault}");
    }
    assert!(!checked.stderr.contains("canary"), "{checked:?}");
}

#[test]
fn invalid_toml_is_reported_with_its_position() {
    let env = TestEnv::new();
    for (text, fault) in [
        (
            &b"[profiles.a]\n[profiles.b]\n[profiles.a]\n"[..],
            "3:11: this name occurs twice",
        ),
        (b"# fine\nurl = \"canary", "2:"),
        (
            b"# \xc3\xa9\n[profiles.\xff]\n",
            "2:11: this is not UTF-8: save the file as UTF-8",
        ),
    ] {
        write_config(&env, text);
        let checked = check_and_run(&env);
        let start = format!("jetond: {}:{fault}", env.config().display());
        assert!(checked.stderr.starts_with(&start), "{checked:?}");
        assert_eq!(checked.stderr.lines().count(), 1, "{checked:?}");
        assert!(!checked.stderr.contains("canary"), "{checked:?}");
    }
}

#[test]
fn a_folder_writable_by_others_is_refused_and_its_remedy_works() {
    let env = TestEnv::new();
    write_config(&env, "# fine");
    let (file, folder) = (env.config(), env.path("config"));
    for (path, open, closed) in [(&file, 0o620, 0o600), (&folder, 0o777, 0o755)] {
        set_mode(path, open);
        let checked = check_and_run(&env);
        let remedy = format!(
            "jetond: {0}: others can write to it (mode {open:04o}): chmod go-w {0}\n",
            path.display()
        );
        assert_eq!(checked.stderr, remedy);
        set_mode(path, closed);
        assert_eq!(env.jetond(&["check"]).code, 0);
    }
}

#[test]
fn a_path_that_is_not_a_file_is_reported_without_a_wait() {
    let env = TestEnv::new();
    write_config(&env, "");
    let path = env.config();
    let makers: [fn(&Path); 3] = [
        |path| fs::create_dir(path).unwrap(),
        |path| {
            let kind = rustix::fs::FileType::Fifo;
            let mode = rustix::fs::Mode::from_raw_mode(0o600);
            rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0).unwrap();
        },
        |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap()),
    ];
    for make in makers {
        fs::remove_file(&path)
            .or_else(|_| fs::remove_dir(&path))
            .unwrap();
        make(&path);
        let checked = check_and_run(&env);
        assert!(
            checked.stderr.contains("it is not a regular file"),
            "{checked:?}"
        );
    }
}

#[test]
fn a_missing_default_configuration_is_accepted() {
    let env = TestEnv::new();
    let hint = format!(
        "{}: no profiles yet; make one with: jetond add NAME --provider runai --url https://…\n",
        env.config().display()
    );
    let missing = env.jetond(&["check"]);
    assert_eq!((missing.code, missing.stdout.as_str()), (0, hint.as_str()));
    write_config(&env, "");
    let empty = env.jetond(&["check"]);
    assert_eq!((empty.code, empty.stdout.as_str()), (0, hint.as_str()));
    let named = env.jetond(&["check", "--config", "/nowhere/config.toml"]);
    assert_eq!(named.code, 78, "{named:?}");
    assert_eq!(
        named.stderr,
        "jetond: /nowhere/config.toml: there is no such file\n"
    );
}

#[test]
fn an_untrusted_or_unreadable_record_is_reported_with_a_remedy() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("research");
    let (record, aside) = (
        env.record("research"),
        env.path("state/jeton/credentials/aside"),
    );
    let good = fs::read(&record).unwrap();
    let fault = |says: &str| {
        let checked = env.jetond(&["check"]);
        assert_eq!(checked.code, 78, "{says}: {checked:?}");
        let start = format!("jetond: research: {}: ", record.display());
        assert!(
            checked.stderr.starts_with(&start) && checked.stderr.contains(says),
            "{says}: {checked:?}"
        );
        assert_eq!(checked.stderr.lines().count(), 1, "{checked:?}");
    };
    set_mode(&record, 0o640);
    fault("others have access to it (mode 0640): chmod 600");
    set_mode(&record, 0o600);
    fs::hard_link(&record, &aside).unwrap();
    fault("it has 2 names (hard links)");
    fs::remove_file(&record).unwrap();
    symlink(&aside, &record).unwrap();
    fault("it is a symbolic link");
    fs::remove_file(&record).unwrap();
    fs::rename(&aside, &record).unwrap();
    assert_eq!(env.jetond(&["check"]).code, 0);
    fs::write(&record, &good[..good.len() / 2]).unwrap();
    fault("this is not a credential's record: line ");
    let later = String::from_utf8(good.clone())
        .unwrap()
        .replace("\"version\": 2", "\"version\": 4");
    fs::write(&record, later).unwrap();
    fault("the record is of version 4");
    fs::write(&record, vec![b' '; 70_000]).unwrap();
    fault("it is larger than 65536 bytes");
    fs::write(&record, &good).unwrap();
    if rustix::process::geteuid().is_root() {
        chown(&record, Some(65_534), None).unwrap();
        fault("it belongs to uid 65534");
        chown(&record, Some(0), None).unwrap();
    } else {
        ignored("only root can give a record away");
    }
    assert_eq!(env.jetond(&["check"]).code, 0);
}

#[test]
fn check_reports_on_every_profile() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("good");
    env.enrol("moved");
    let text = fs::read_to_string(env.config()).unwrap();
    let (first, second) = text.split_at(text.find("[profiles.moved]").unwrap());
    let second = second.replace(&env.sandbox().url(), "https://elsewhere.example");
    let third = "[profiles.new]\nprovider = 'runai'\nurl = 'https://a.example'\n";
    write_config(&env, format!("{first}{second}{third}"));
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 78, "{checked:?}");
    assert!(checked.stdout.starts_with("good: ok, "), "{checked:?}");
    let url = env.sandbox().url();
    let faults = format!(
        "jetond: moved: nothing is sent with the stored credential: the address (url, token-url or issuer) was {url} at enrolment and is https://elsewhere.example now; if that is right, run: jetond add moved --rebind\n\
         jetond: new: no credential is stored; run: jetond add new --rebind\n"
    );
    assert_eq!(checked.stderr, faults);
}
