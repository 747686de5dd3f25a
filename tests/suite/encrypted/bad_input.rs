//! Invalid passphrases and age files.

use super::*;

fn age_header(factor: u8) -> String {
    format!(
        "age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA {factor}\n\
         AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\
         --- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n0123456789abcdef"
    )
}

/// An age file encrypted to the recipient of a plug-in.
const OF_A_PLUGIN: &str = "age-encryption.org/v1\n-> piv-p256 AAAAAA AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\
     AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\
     --- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n0123456789abcdef";

/// Replaces the identity with this one, then unlocks.
fn with_identity(env: &TestEnv, bytes: &[u8]) -> Output {
    fs::write(identity(env), bytes).unwrap();
    unlock(env)
}

fn given(env: &TestEnv, command: &[&str], passphrase: &str) -> Output {
    let file = passphrase_file(passphrase);
    let given = ["--passphrase-file", file.path().to_str().unwrap()];
    env.jetond(&[command, &given].concat())
}

#[test]
fn an_invalid_passphrase_is_refused_with_the_reason() {
    let env = TestEnv::new();
    let long = "canary".repeat(10 * 1_024 / 6);
    for (passphrase, why) in [
        (&*long, "it has more than 1024 bytes"),
        ("", "it is empty"),
        ("\n", "it is empty"),
        ("\r\n", "it is empty"),
        ("two\nlines\n", "a passphrase is one line"),
    ] {
        let refused = given(&env, &["encrypt-store"], passphrase);
        assert_eq!(refused.code, 64, "{refused:?}");
        assert!(refused.stderr.contains(why), "{refused:?}");
        assert!(!refused.stderr.contains("canary"), "{refused:?}");
    }
    assert!(!env.config().exists() && !identity(&env).exists());
    let no_terminal = env.jetond(&["encrypt-store"]);
    assert_eq!(no_terminal.code, 64, "{no_terminal:?}");
    assert!(
        no_terminal.stderr.contains("--passphrase-file"),
        "{no_terminal:?}"
    );
}

#[test]
fn three_wrong_passphrases_unlock_nothing() {
    let env = set_up(60);
    enrol(&env, "research");
    let mut daemon = env.start();
    let once = given(&env, &["unlock"], "another\n");
    assert_eq!(once.code, 1, "{once:?}");
    assert!(
        once.stderr.contains("the passphrase is not right"),
        "{once:?}"
    );
    let mut terminal = Terminal::start(&env, &["unlock"], &[]);
    for n in 1..=3 {
        crate::support::daemon::wait_until("the question", || {
            terminal.count("Passphrase (not shown): ") == n
        });
        terminal.wait_for_no_echo();
        terminal.type_in("wrong\n");
    }
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(1), "{shown}");
    assert!(!shown.contains("wrong\r"), "{shown}");
    assert_eq!(answer(&env, &daemon, "research"), locked());
    // After one wrong passphrase, the right one is accepted.
    let mut terminal = Terminal::start(&env, &["unlock"], &[]);
    terminal.wait_for("Passphrase (not shown): ");
    terminal.wait_for_no_echo();
    terminal.type_in("wrong\n");
    terminal.wait_for("try again");
    crate::support::daemon::wait_until("the second question", || {
        terminal.count("Passphrase (not shown): ") == 2
    });
    terminal.wait_for_no_echo();
    terminal.type_in(&format!("{PASSPHRASE}\n"));
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(0), "{shown}");
    env.token(&daemon, "research");
    env.stop(&mut daemon);
}

#[test]
fn an_invalid_identity_is_refused_with_the_reason() {
    let env = set_up(60);
    enrol(&env, "research");
    let mut daemon = env.start();
    let whole = fs::read(identity(&env)).unwrap();
    for (bytes, why) in [
        (age_header(30).into_bytes(), "a work factor of 30"),
        (OF_A_PLUGIN.into(), "not encrypted by a passphrase"),
        (whole[..whole.len() - 1].to_vec(), "cut off"),
        (whole[..40].to_vec(), "cut off"),
        (vec![], "not an age file"),
        (b"AGE-SECRET-KEY-1CANARY\n".to_vec(), "not an age file"),
        (
            b"age-encryption.org/v9\n-> X\n\n--- y\n".to_vec(),
            "a later version of the format",
        ),
        (vec![b'x'; 40_000], "larger than"),
    ] {
        let refused = with_identity(&env, &bytes);
        assert_eq!(refused.code, 78, "{refused:?}");
        assert!(refused.stderr.contains(why), "{why}: {refused:?}");
        assert!(!refused.stderr.contains("CANARY"), "{refused:?}");
    }
    fs::write(identity(&env), &whole).unwrap();
    fs::set_permissions(identity(&env), fs::Permissions::from_mode(0o644)).unwrap();
    let refused = unlock(&env);
    assert_eq!(refused.code, 78, "{refused:?}");
    fs::set_permissions(identity(&env), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(unlock(&env).code, 0);
    env.stop(&mut daemon);
}

/// Returns this content as an age file that Debian's `age` encrypted with the passphrase.
fn by_age(env: &TestEnv, content: &str, more: &[&str]) -> Vec<u8> {
    let outside = tempfile::tempdir().unwrap();
    let (from, to) = (outside.path().join("in"), outside.path().join("out"));
    fs::write(&from, content).unwrap();
    let (from, to) = (from.to_str().unwrap(), to.to_str().unwrap());
    let line = [&["age", "-p"], more, &["-o", to, from]].concat();
    let mut terminal = Terminal::run(env, &line, &[]);
    terminal.wait_for("passphrase");
    terminal.wait_for_no_echo();
    terminal.type_in(&format!("{PASSPHRASE}\n"));
    terminal.wait_for("onfirm");
    terminal.wait_for_no_echo();
    terminal.type_in(&format!("{PASSPHRASE}\n"));
    let (status, shown) = terminal.end(env);
    assert!(status.success(), "{shown}");
    fs::read(to).unwrap()
}

#[test]
fn an_identity_wrapped_by_another_tool_is_accepted() {
    if Command::new("age").arg("--version").output().is_err() {
        return ignored("age: apt-get install age");
    }
    let env = set_up(60);
    enrol(&env, "research");
    let mut daemon = env.start();
    let made = Command::new("age-keygen").output().unwrap();
    let text = String::from_utf8(made.stdout).unwrap();
    let other = with_identity(&env, &by_age(&env, &text, &[]));
    assert_eq!(other.code, 78, "{other:?}");
    assert!(
        other.stderr.contains("the configuration names age1"),
        "{other:?}"
    );
    let plugin = with_identity(&env, &by_age(&env, "AGE-PLUGIN-YUBIKEY-1QQQ\n", &[]));
    assert_eq!(plugin.code, 78, "{plugin:?}");
    assert!(plugin.stderr.contains("an age plug-in"), "{plugin:?}");
    let none = with_identity(&env, &by_age(&env, "# nothing\n", &["-a"]));
    assert_eq!(none.code, 78, "{none:?}");
    assert!(none.stderr.contains("no age identity"), "{none:?}");
    // The recipient of that key, and its identity in an armored file.
    let recipient = text
        .lines()
        .find_map(|line| line.strip_prefix("# public key: "));
    let config = fs::read_to_string(env.config()).unwrap();
    let line = config
        .lines()
        .find(|line| line.starts_with("recipient"))
        .unwrap();
    let config = config.replace(line, &format!("recipient = \"{}\"", recipient.unwrap()));
    fs::write(env.config(), config).unwrap();
    enrol(&env, "other");
    let taken = with_identity(&env, &by_age(&env, &text, &["-a"]));
    assert_eq!(taken.code, 0, "{taken:?}");
    env.token(&daemon, "other");
    // This record was encrypted to the former recipient.
    let answer = answer(&env, &daemon, "research");
    assert_eq!(answer, (503, "misconfigured".to_owned()));
    env.stop(&mut daemon);
}

#[test]
fn swapped_truncated_and_later_format_records_are_refused() {
    let env = set_up(60);
    for profile in ["one", "two", "three", "four", "five"] {
        enrol(&env, profile);
    }
    let whole = fs::read(record(&env, "two")).unwrap();
    fs::write(record(&env, "one"), &whole).unwrap();
    fs::write(record(&env, "three"), &whole[..whole.len() / 2]).unwrap();
    fs::write(
        record(&env, "four"),
        b"age-encryption.org/v9\n-> X\n\n--- y\n",
    )
    .unwrap();
    fs::write(record(&env, "five"), OF_A_PLUGIN).unwrap();
    let mut daemon = env.start();
    assert_eq!(unlock(&env).code, 0);
    env.token(&daemon, "two");
    for profile in ["one", "three", "four", "five"] {
        let answer = answer(&env, &daemon, profile);
        assert_eq!(answer, (503, "misconfigured".to_owned()), "{profile}");
    }
    daemon.wait_for_log("this is the record of the profile two");
    daemon.wait_for_log("it is cut off, or was changed");
    daemon.wait_for_log("a later version of the format");
    daemon.wait_for_log("it is encrypted to another recipient");
    env.stop(&mut daemon);
}

#[test]
fn every_command_reports_a_record_that_does_not_open_with_reason_and_remedy() {
    let env = set_up(3_600);
    enrol(&env, "research");
    let good = fs::read(record(&env, "research")).unwrap();
    let mut daemon = env.start();
    assert_eq!(unlock(&env).code, 0);
    env.token(&daemon, "research");
    fs::write(record(&env, "research"), "something else").unwrap();
    let told = |args: &[&str], says: &[&str]| {
        let output = match args {
            ["status"] => env.jeton(args),
            _ => env.jetond(args),
        };
        let all = format!("{}{}", output.stdout, output.stderr);
        // The lines of a table are broken.
        let all = all.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in says {
            assert!(all.contains(part), "{part}: {output:?}");
        }
        output
    };
    let why = "it is not an age file";
    daemon.wait_for_log("the one read before stays in use");
    // First beside a token that is held, then without one.
    for word in ["stays in use", "misconfigured"] {
        let shown = told(&["status"], &[word, why]);
        assert_eq!(shown.code, 0, "{shown:?}");
        let what_to_do = "restore it, or enrol the profile again: 'jetond add NAME --rebind'";
        let says = ["the daemon cannot use its credential", why, what_to_do];
        let checked = told(&["check"], &says);
        assert_eq!(checked.code, 78, "{checked:?}");
        let found = told(&["doctor"], &["the daemon cannot use it", why]);
        assert!(!found.stdout.contains("jetond check"), "{found:?}");
        env.stop(&mut daemon);
        daemon = env.start();
        assert_eq!(unlock(&env).code, 0);
        crate::support::daemon::wait_until("the state without a token", || {
            answer(&env, &daemon, "research").1 == "misconfigured"
        });
    }
    fs::write(record(&env, "research"), good).unwrap();
    crate::support::daemon::wait_until("a token", || answer(&env, &daemon, "research").0 == 200);
    env.stop(&mut daemon);
}

#[test]
fn without_a_terminal_export_and_migrate_need_a_passphrase_file() {
    let env = set_up(60);
    enrol(&env, "research");
    let to = env.path("home/research.age");
    let to = to.to_str().unwrap();
    let transfer = passphrase_file("of the transfer");
    let transfer = transfer.path().to_str().unwrap();
    let export = [
        "export",
        "research",
        "--to",
        to,
        "--work-factor",
        "12",
        "--passphrase-file",
        transfer,
    ];
    let migrate = ["migrate", "research", "--to", "file"];
    for (command, option) in [
        (&export[..], "--store-passphrase-file"),
        (&migrate, "--passphrase-file"),
    ] {
        let refused = env.jetond(command);
        assert_eq!(refused.code, 64, "{refused:?}");
        assert!(refused.stderr.contains("no terminal"), "{refused:?}");
        assert!(refused.stderr.contains(option), "{refused:?}");
        assert!(!refused.stderr.contains("jetond unlock"), "{refused:?}");
        let file = passphrase_file(PASSPHRASE);
        let given = [option, file.path().to_str().unwrap()];
        let done = env.jetond(&[command, &given].concat());
        assert_eq!(done.code, 0, "{done:?}");
    }
    assert!(!record(&env, "research").exists());
    fs::remove_file(to).unwrap();
}
