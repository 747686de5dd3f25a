//! Pasting: a client ID and a secret as users copy them, on terminals of every kind.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use rustix::process::Signal;

use crate::enrol::assert_nothing_written;
use crate::support::TestEnv;
use crate::support::daemon::wait_until;
use crate::support::env::Output;
use crate::terminal::Terminal;

/// Starts `jetond add` and waits for the question for the ID.
fn asking(env: &TestEnv, name: &str) -> Terminal {
    let url = env.sandbox().url();
    let args = ["add", name, "--provider", "runai", "--url", &url];
    let terminal = Terminal::start(env, &args, &[]);
    terminal.wait_for("Client ID: ");
    terminal.wait_for_no_echo();
    terminal
}

/// Fills the sandbox's client ID and secret into the text.
fn filled(env: &TestEnv, text: &str) -> String {
    text.replace("%i", "test-client")
        .replace("%s", env.secret())
}

#[track_caller]
fn assert_enrolled(env: &TestEnv, name: &str, ended: &(ExitStatus, String), how: &str) {
    let (status, shown) = ended;
    assert!(
        !shown.contains(env.secret()),
        "{how:?}: the secret was shown"
    );
    assert_eq!(status.code(), Some(0), "{how:?}: {shown}");
    let record = fs::read(env.record(name)).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(record["client_id"], "test-client", "{how:?}");
    assert!(record["client_secret"] == env.secret(), "{how:?}");
}

const KEEP: &str = "remove that? [Y/n]: ";
const GAP: &str = "The line has a gap";

#[test]
fn an_id_and_its_secret_are_accepted_in_one_paste() {
    let env = TestEnv::with_sandbox(60);
    for (n, (pasted, questions)) in [
        ("%i\n%s\n", &[][..]),
        ("%i\r\n%s\r\n", &[]),
        ("%i\r%s\r", &[]),
        ("\n%i\n\n%s\n", &[]),
        ("%i\t%s\n", &[]),
        ("\u{1b}[200~%i\r%s\r\u{1b}[201~", &[]),
        ("\u{1b}[200~%i\t%s\u{1b}[201~\n", &[]),
        ("%i %s\n", &[GAP]),
        ("%i \n %s\n", &[KEEP]),
        ("\"%i\"\n'%s'\n", &[KEEP]),
        (
            "export CLIENT_ID=%i\nexport CLIENT_SECRET=\"%s\"\n",
            &[KEEP],
        ),
        ("CLIENT_SECRET=%s\nCLIENT_ID=%i\n", &[KEEP]),
        ("Client ID\n%i\nClient secret\n%s\n", &[]),
        (
            "{\n  \"clientId\": \"%i\",\n  \"clientSecret\": \"%s\"\n}\n",
            &[KEEP],
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("p{n}");
        let mut terminal = asking(&env, &name);
        terminal.type_in(&filled(&env, pasted));
        for (n, question) in questions.iter().enumerate() {
            wait_until("the question", || terminal.count(question) == n + 1);
            terminal.type_in("y\n");
        }
        let ended = terminal.end(&env);
        assert_enrolled(&env, &name, &ended, pasted);
        // The address is shown, whatever was pasted.
        let question = format!("Client secret for {}", env.sandbox().url());
        let is_shown = ended.1.contains(&question) || questions == [GAP];
        assert!(is_shown, "{pasted:?}: {}", ended.1);
        assert!(!ended.1.contains("thrown away"), "{pasted:?}: {}", ended.1);
    }
}

#[test]
fn a_pasted_secret_without_a_line_end_is_accepted_with_enter() {
    let env = TestEnv::with_sandbox(60);
    for (name, pasted) in [("a", "%i\n%s"), ("b", "\u{1b}[200~%i\r%s\u{1b}[201~")] {
        let mut terminal = asking(&env, name);
        terminal.type_in(&filled(&env, pasted));
        terminal.wait_for("(not shown): (the line that was pasted is here; Enter takes it) ");
        terminal.type_in("\n");
        let ended = terminal.end(&env);
        assert_enrolled(&env, name, &ended, pasted);
    }
}

#[test]
fn text_pasted_after_the_secret_is_discarded_and_reported() {
    let env = TestEnv::with_sandbox(60);
    let url = env.sandbox().url();
    // Shows what the shell would read next within 0.3 s.
    let script = "\"$@\"; echo \"ended $?\"; stty -icanon -echo min 0 time 3; echo \"left: [$(dd bs=999 count=1 2>/dev/null)]\"";
    for (name, pasted, said) in [
        ("a", "%i\n%s\nthird\n", "one more line was typed or pasted"),
        (
            "b",
            "%i\n%s\nthird\nfourth\nfifth",
            "3 more lines were typed or pasted",
        ),
    ] {
        let args = ["add", name, "--provider", "runai", "--url", &url];
        let mut terminal = Terminal::shell(&env, script, &args);
        terminal.wait_for("Client ID: ");
        terminal.type_in(&filled(&env, pasted));
        let (_, shown) = terminal.end(&env);
        assert!(shown.contains("ended 0"), "{shown}");
        assert!(shown.contains("left: []"), "{shown}");
        assert!(shown.contains(said), "{shown}");
        for line in ["third", "fourth", "fifth", env.secret()] {
            assert!(!shown.contains(line), "{shown}");
        }
    }
    // Also after a secret that is the answer to its own question, and after a name.
    let args = ["add", "c", "--provider", "runai", "--url", &url];
    let mut terminal = Terminal::shell(&env, script, &args);
    terminal.wait_for("Client ID: ");
    terminal.type_in("test-client\n");
    terminal.wait_for("(not shown): ");
    terminal.type_in(&filled(&env, "%s\nthird\nfourth"));
    let (_, shown) = terminal.end(&env);
    assert!(
        shown.contains("ended 0") && shown.contains("left: []"),
        "{shown}"
    );
    assert!(shown.contains("2 more lines"), "{shown}");
}

#[test]
fn slow_typing_with_edits_is_accepted() {
    let env = TestEnv::with_sandbox(60);
    let mut terminal = asking(&env, "a");
    let secret = env.secret().to_owned();
    for key in "wrong\u{15}test-clx\u{7f}ient\n".chars() {
        terminal.type_in(&key.to_string());
    }
    terminal.wait_for("Client ID: test-client\r\nClient secret for ");
    terminal.wait_for("(not shown): ");
    for key in format!("{secret}xx\u{7f}\u{8}\n").chars() {
        terminal.type_in(&key.to_string());
    }
    let ended = terminal.end(&env);
    assert_enrolled(&env, "a", &ended, "typed");
    assert!(!ended.1.contains("wrong"), "{}", ended.1);
}

#[test]
fn the_secret_of_a_known_client_may_be_pasted_with_the_id() {
    let env = TestEnv::with_sandbox(60);
    let url = env.sandbox().url();
    for (name, pasted) in [("a", "%i\n%s\n"), ("b", "%i\t%s\n")] {
        let args = ["add", name, "--provider", "runai", "--url", &url];
        let args = [&args[..], &["--client-id", "test-client"]].concat();
        let mut terminal = Terminal::start(&env, &args, &[]);
        terminal.wait_for("(not shown): ");
        terminal.wait_for_no_echo();
        terminal.type_in(&filled(&env, pasted));
        let ended = terminal.end(&env);
        assert_enrolled(&env, name, &ended, pasted);
    }
}

#[test]
fn ctrl_c_and_ctrl_d_at_any_question_restore_the_terminal() {
    let env = TestEnv::with_sandbox(60);
    for (before, key) in [
        ("", "\u{3}"),
        ("", "\u{4}"),
        ("half", "\u{3}"),
        ("test-client\n", "\u{3}"),
        ("test-client\n", "\u{4}"),
        ("test-client\nhalf", "\u{3}"),
        ("\"test-client\"\nsecret-that-is-wrong\n", "\u{3}"),
        ("\"test-client\"\nsecret-that-is-wrong\n", "\u{4}"),
    ] {
        let mut terminal = asking(&env, "a");
        terminal.type_in(before);
        match before.matches('\n').count() {
            0 => {}
            1 => terminal.wait_for("(not shown): "),
            _ => terminal.wait_for(KEEP),
        }
        terminal.type_in(key);
        wait_until("jetond to end", || {
            terminal.child.try_wait().unwrap().is_some()
        });
        assert_eq!(terminal.modes(), (true, true), "{before:?} {key:?}");
        assert!(terminal.edits_lines(), "{before:?} {key:?}");
        let (status, shown) = terminal.end(&env);
        let ended = (status.code(), status.signal());
        let expected = match key {
            "\u{3}" => (None, Some(Signal::INT.as_raw())),
            _ => (Some(64), None),
        };
        assert_eq!(ended, expected, "{before:?}: {shown}");
        assert!(
            !shown.contains("half") && !shown.contains("wrong"),
            "{shown}"
        );
        assert_eq!(env.sandbox().stats().token_requests, 0);
        assert_nothing_written(&env);
    }
}

#[test]
fn a_stop_signal_at_a_question_restores_the_terminal_and_asks_again() {
    let env = TestEnv::with_sandbox(60);
    let mut terminal = asking(&env, "a");
    terminal.type_in("half");
    terminal.signal(Signal::TSTP);
    terminal.wait_for_state('T');
    assert_eq!(terminal.modes(), (true, true));
    assert!(terminal.edits_lines());
    terminal.signal(Signal::CONT);
    wait_until("the question again", || terminal.count("Client ID: ") == 2);
    terminal.wait_for_no_echo();
    terminal.type_in("test-client\nhalf");
    terminal.wait_for("(not shown): ");
    terminal.signal(Signal::TSTP);
    terminal.wait_for_state('T');
    assert!(terminal.edits_lines());
    terminal.signal(Signal::CONT);
    wait_until("the question again", || {
        terminal.count("(not shown): ") == 2
    });
    terminal.wait_for_no_echo();
    terminal.type_in(&filled(&env, "%s\n"));
    let ended = terminal.end(&env);
    assert_enrolled(&env, "a", &ended, "after two stops");
    assert!(!ended.1.contains("half"), "{}", ended.1);
}

#[test]
fn add_leaves_echo_off_on_a_terminal_that_had_it_off() {
    let env = TestEnv::with_sandbox(60);
    let url = env.sandbox().url();
    let script = "stty -echo; \"$@\"; echo \"ended $?\"; stty -a";
    let args = ["add", "a", "--provider", "runai", "--url", &url];
    let mut terminal = Terminal::shell(&env, script, &args);
    terminal.wait_for("Client ID: ");
    terminal.type_in(&filled(&env, "%i\n%s\n"));
    let (_, shown) = terminal.end(&env);
    assert!(shown.contains("ended 0"), "{shown}");
    assert!(
        shown.contains(" -echo ") && shown.contains(" icanon "),
        "{shown}"
    );
}

#[test]
fn a_space_after_the_secret_is_kept_only_if_the_user_chooses_so() {
    let env = TestEnv::with_sandbox(60);
    let mut terminal = asking(&env, "a");
    terminal.type_in(&filled(&env, "%i\n%s \n"));
    terminal.wait_for("The client secret was typed with a space after it: remove that? [Y/n]: ");
    terminal.type_in("n\n");
    let (status, shown) = terminal.end(&env);
    // With the space it is a different secret, which the issuer rejects.
    assert_eq!(status.code(), Some(1), "{shown}");
    assert_eq!(env.sandbox().stats().token_requests, 1);
    assert_nothing_written(&env);
    // Enter means yes.
    let mut terminal = asking(&env, "a");
    terminal.type_in(&filled(&env, "%i\n%s \n"));
    terminal.wait_for(KEEP);
    terminal.type_in("\n");
    let ended = terminal.end(&env);
    assert_enrolled(&env, "a", &ended, "a space");
}

// === Without a terminal ===

fn add_by(env: &TestEnv, how: &str, id: &str, secret: &str) -> Output {
    let url = env.sandbox().url();
    let args = ["add", "a", "--provider", "runai", "--url", &url];
    let mut command = env.jetond_command(&[&args[..], &["--client-id", id]].concat());
    let stdin = match how {
        "stdin" => {
            command.arg("--client-secret-stdin");
            secret.as_bytes()
        }
        _ => {
            let path = env.secret_file();
            fs::write(&path, secret).unwrap();
            command.arg("--client-secret-file").arg(path);
            b""
        }
    };
    env.finish("jetond add", command, stdin, false)
}

#[test]
fn surrounding_spaces_are_refused_without_a_terminal() {
    let env = TestEnv::with_sandbox(60);
    for how in ["stdin", "file"] {
        for (secret, why) in [
            ("canary-of-a-secret ", "it has a space after it"),
            (" canary-of-a-secret\n", "it has a space before it"),
            ("\"canary-of-a-secret\"\n", "it has quotes around it"),
            (
                "'canary-of-a-secret ' ",
                "it has quotes around it and a space after it",
            ),
            (
                "CLIENT_SECRET=canary-of-a-secret",
                "it has a name before it",
            ),
        ] {
            let refused = add_by(&env, how, "test-client", secret);
            assert_eq!(refused.code, 64, "{how}: {refused:?}");
            let says = format!("the client secret cannot be used: {why}, as if copied with it");
            assert!(refused.stderr.contains(&says), "{how}: {refused:?}");
            assert!(!refused.stderr.contains("canary"), "{how}: {refused:?}");
        }
        let refused = add_by(&env, how, "test-client ", env.secret());
        assert_eq!(refused.code, 64, "{how}: {refused:?}");
        let says = "the client ID cannot be used: it has a space after it";
        assert!(refused.stderr.contains(says), "{refused:?}");
    }
    assert_eq!(env.sandbox().stats().token_requests, 0);
    assert_nothing_written(&env);
}

// === Secrets that cannot be sent, each in every way in which one is given ===

/// Asserts that this secret is refused from a file, from standard input and from a terminal.
#[track_caller]
fn refused_everywhere(secret: &str, why: &str) {
    let env = TestEnv::with_sandbox(60);
    for how in ["stdin", "file"] {
        let refused = add_by(&env, how, "test-client", secret);
        assert_eq!(refused.code, 64, "{how}: {refused:?}");
        let says = refused.stderr.contains("the client secret") && refused.stderr.contains(why);
        assert!(says, "{how}: {refused:?}");
        assert!(!refused.stderr.contains("canary"), "{how}: {refused:?}");
    }
    let mut terminal = asking(&env, "a");
    terminal.type_in("test-client\n");
    terminal.wait_for("(not shown): ");
    terminal.type_in(&format!("{secret}\n"));
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(64), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
    assert_eq!(env.sandbox().stats().token_requests, 0);
    assert_nothing_written(&env);
}

#[test]
fn a_secret_with_a_nul_is_refused() {
    refused_everywhere("canary\0canary", "characters");
}

#[test]
fn a_secret_with_a_control_character_is_refused() {
    refused_everywhere("canary\u{1b}[31mcanary", "characters");
}

#[test]
fn a_secret_of_4_kib_is_refused() {
    refused_everywhere(&"canary-canary-12".repeat(256), "longer than 1024 bytes");
    // A secret that is just too long is also refused. The line on the terminal is read to its end.
    refused_everywhere(&format!("canary{}", "x".repeat(1_019)), "longer than 1024");
}

#[test]
fn a_secret_that_is_not_ascii_is_refused() {
    refused_everywhere("canary-\u{e9}-canary", "characters");
}

#[test]
fn a_secret_with_an_inner_line_end_is_refused() {
    let env = TestEnv::with_sandbox(60);
    for how in ["stdin", "file"] {
        for secret in [
            "canary\ncanary",
            "canary\r\ncanary",
            "canary\rcanary",
            "canary\n\n",
        ] {
            let refused = add_by(&env, how, "test-client", secret);
            assert_eq!(refused.code, 64, "{how}: {refused:?}");
            assert!(refused.stderr.contains("line ends"), "{how}: {refused:?}");
            assert!(!refused.stderr.contains("canary"), "{how}: {refused:?}");
        }
    }
    assert_nothing_written(&env);
}

#[test]
fn a_secret_of_1024_bytes_of_every_allowed_character_is_accepted() {
    use jetond::credential::ClientSecret;
    use jetond::sandbox::{Line, Options, Sandbox};
    let env = TestEnv::with_sandbox(60);
    let all: String = ('!'..='~').collect();
    let secret: String = all.chars().cycle().take(1_024).collect();
    let options = Options::new(
        Line::V2_24,
        "test-client",
        ClientSecret::parse(&secret).unwrap(),
    );
    let other = env.block_on(Sandbox::start(options)).unwrap();
    let url = other.url();
    let args = ["add", "a", "--provider", "runai", "--url", &url];
    let mut terminal = Terminal::start(&env, &args, &[]);
    terminal.wait_for("Client ID: ");
    terminal.wait_for_no_echo();
    terminal.type_in(&format!("test-client\n{secret}\n"));
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(0), "{shown}");
    let record = fs::read(env.record("a")).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    assert!(record["client_secret"] == secret);
}
