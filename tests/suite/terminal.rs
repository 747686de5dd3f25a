//! Questions on a terminal, as the user sees them: a pseudo-terminal that belongs to the program.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use jetond::credential::ClientSecret;
use jetond::sandbox::{Line, Options, Sandbox};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, tcgetattr};

use crate::enrol::{assert_nothing_written, write_config};
use crate::support::daemon::wait_until;
use crate::support::pty::pty;
use crate::support::{TestEnv, ignored};

/// A terminal in which `jetond` runs.
pub(crate) struct Terminal {
    keyboard: File,
    pub(crate) child: Child,
    shown: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    pub(crate) fn start(env: &TestEnv, args: &[&str], vars: &[(&str, &str)]) -> Self {
        let line = [&[env!("CARGO_BIN_EXE_jetond")], args].concat();
        Self::run(env, &line, vars)
    }

    /// Starts a shell with job control that runs this script. In it, `$@` is `jetond` with these arguments.
    pub(crate) fn shell(env: &TestEnv, script: &str, args: &[&str]) -> Self {
        let script = format!("set -m\n{script}");
        let shell = ["sh", "-c", &script, "sh", env!("CARGO_BIN_EXE_jetond")];
        Self::run(env, &[&shell, args].concat(), &[])
    }

    pub(crate) fn run(env: &TestEnv, line: &[&str], vars: &[(&str, &str)]) -> Self {
        let (keyboard, screen) = pty();
        // setsid makes the terminal the program's controlling terminal, as a login does.
        let mut command = env.command("setsid");
        let child = command
            .args(["--ctty", "--wait"])
            .args(line)
            .envs(vars.iter().copied())
            .stdin(Stdio::from(screen.try_clone().unwrap()))
            .stdout(Stdio::from(screen.try_clone().unwrap()))
            .stderr(Stdio::from(screen))
            .spawn()
            .unwrap();
        // Closes this process's copies of the terminal. Otherwise the reader would not see its end.
        drop(command);
        let (mut master, shown) = (keyboard.try_clone().unwrap(), Arc::new(Mutex::default()));
        let seen: Arc<Mutex<Vec<u8>>> = Arc::clone(&shown);
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 1024];
            // A terminal that no program has open any more gives an error, not an end of file.
            while let Ok(n @ 1..) = master.read(&mut bytes) {
                seen.lock().unwrap().extend_from_slice(&bytes[..n]);
            }
        });
        Self {
            keyboard,
            child,
            shown,
            reader: Some(reader),
        }
    }

    pub(crate) fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    pub(crate) fn wait_for(&self, text: &str) {
        wait_until(&format!("the terminal to show {text:?}"), || {
            self.shown().contains(text)
        });
    }

    /// Returns whether typed text is shown, and whether Ctrl-C sends a signal.
    pub(crate) fn modes(&self) -> (bool, bool) {
        let modes = tcgetattr(&self.keyboard).unwrap().local_modes;
        (
            modes.contains(LocalModes::ECHO),
            modes.contains(LocalModes::ISIG),
        )
    }

    /// Returns whether the terminal edits lines itself, which is the shells' default.
    pub(crate) fn edits_lines(&self) -> bool {
        let modes = tcgetattr(&self.keyboard).unwrap().local_modes;
        modes.contains(LocalModes::ICANON)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits until the program is in this state of proc(5).
    pub(crate) fn wait_for_state(&self, state: char) {
        let stat = format!("/proc/{}/stat", self.child.id());
        wait_until(&format!("the program to be in state {state}"), || {
            let stat = fs::read_to_string(&stat).unwrap_or_default();
            stat.contains(&format!(") {state} "))
        });
    }

    pub(crate) fn count(&self, text: &str) -> usize {
        self.shown().matches(text).count()
    }

    pub(crate) fn wait_for_no_echo(&self) {
        wait_until("the terminal not to echo", || !self.modes().0);
    }

    pub(crate) fn type_in(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    /// Waits for the end. What was shown is then searched for secrets.
    pub(crate) fn end(mut self, env: &TestEnv) -> (ExitStatus, String) {
        let mut status = None;
        wait_until("jetond to end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        self.reader.take().unwrap().join().unwrap();
        env.add_output("the terminal", &self.shown.lock().unwrap(), false);
        (status.unwrap(), self.shown())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_secret_is_read_without_echo_and_the_id_with_echo() {
    let env = TestEnv::with_sandbox(60);
    let url = env.sandbox().url();
    let mut terminal = Terminal::start(
        &env,
        &["add", "research", "--provider", "runai", "--url", &url],
        &[],
    );
    terminal.wait_for("Client ID: ");
    // A secret may be pasted together with the ID.
    assert_eq!(terminal.modes(), (false, true));
    terminal.type_in("test-client\n");
    terminal.wait_for(&format!("Client secret for {url} (not shown): "));
    terminal.wait_for_no_echo();
    let secret = env.secret().to_owned();
    terminal.type_in(&format!("{secret}\n"));
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(0), "{shown}");
    assert!(shown.contains("Client ID: test-client\r\n"), "{shown}");
    assert!(shown.contains("research is enrolled"), "{shown}");
    assert!(!shown.contains(&secret), "the secret was shown");
    let record = fs::read_to_string(env.record("research")).unwrap();
    assert!(record.contains("\"test-client\""));
    assert_eq!(env.sandbox().stats().granted, 1);
}

#[test]
fn a_secret_typed_for_client_secret_stdin_is_not_shown() {
    let env = TestEnv::with_sandbox(60);
    let url = env.sandbox().url();
    let args = [
        "add",
        "research",
        "--provider",
        "runai",
        "--url",
        &url,
        "--client-id",
        "test-client",
        "--client-secret-stdin",
    ];
    let mut terminal = Terminal::start(&env, &args, &[]);
    terminal.wait_for("(not shown): ");
    terminal.wait_for_no_echo();
    let secret = env.secret().to_owned();
    terminal.type_in(&format!("{secret}\n"));
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(0), "{shown}");
    assert!(!shown.contains(&secret), "the secret was shown");
}

#[test]
fn ctrl_c_at_the_secret_restores_the_echo() {
    let env = TestEnv::with_sandbox(60);
    let url = env.sandbox().url();
    let args = [
        "add",
        "research",
        "--provider",
        "runai",
        "--url",
        &url,
        "--client-id",
        "test-client",
    ];
    let mut terminal = Terminal::start(&env, &args, &[]);
    terminal.wait_for("(not shown): ");
    terminal.wait_for_no_echo();
    terminal.type_in("half\u{3}");
    // The program has ended when the modes are read, and the terminal is still open in the test.
    wait_until("jetond to end", || {
        terminal.child.try_wait().unwrap().is_some()
    });
    assert_eq!(terminal.modes(), (true, true));
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.signal(), Some(2), "{status:?} {shown}");
    assert!(!shown.contains("half"), "{shown}");
    assert_eq!(env.sandbox().stats().token_requests, 0);
    assert_nothing_written(&env);
}

#[test]
fn an_end_of_input_at_the_secret_is_refused_and_nothing_is_written() {
    let env = TestEnv::with_sandbox(60);
    let url = env.sandbox().url();
    let args = [
        "add",
        "research",
        "--provider",
        "runai",
        "--url",
        &url,
        "--client-id",
        "test-client",
    ];
    let mut terminal = Terminal::start(&env, &args, &[]);
    terminal.wait_for("(not shown): ");
    terminal.wait_for_no_echo();
    terminal.type_in("\u{4}");
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(64), "{shown}");
    assert!(
        shown.contains("(not shown): \r\njetond: nothing was typed"),
        "{shown:?}"
    );
    assert_nothing_written(&env);
}

#[test]
fn enter_keeps_the_credential_at_a_rebind() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("research");
    let secret = ClientSecret::parse(env.secret()).unwrap();
    let options = Options::new(Line::V2_24, "test-client", secret);
    let other = env.block_on(Sandbox::start(options)).unwrap();
    write_config(
        &env,
        format!(
            "[profiles.research]\nprovider = \"runai\"\nurl = \"{}\"\n",
            other.url()
        ),
    );
    let mut terminal = Terminal::start(&env, &["add", "research", "--rebind"], &[]);
    terminal.wait_for("Client ID (Enter keeps test-client): ");
    terminal.type_in("\n");
    terminal.wait_for(&format!(
        "Client secret for {} (not shown; Enter keeps the stored one): ",
        other.url()
    ));
    terminal.wait_for_no_echo();
    assert_eq!(other.stats().token_requests, 0);
    terminal.type_in("\n");
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(0), "{shown}");
    assert_eq!(other.stats().granted, 1);
    let record: serde_json::Value =
        serde_json::from_slice(&fs::read(env.record("research")).unwrap()).unwrap();
    assert_eq!(record["origin"], other.url());
    assert!(record["client_secret"] == env.secret());
}

#[test]
fn add_asks_before_it_uses_a_proxy_from_the_environment() {
    let env = TestEnv::new();
    let args = [
        "add",
        "research",
        "--provider",
        "runai",
        "--url",
        "https://issuer.invalid",
    ];
    let vars = [("HTTPS_PROXY", "http://127.0.0.1:9")];
    let mut terminal = Terminal::start(&env, &args, &vars);
    terminal.wait_for("HTTPS_PROXY is set: reach the issuer through it? [y/N]: ");
    terminal.type_in("\n");
    terminal.wait_for("Client ID: ");
    terminal.type_in("\u{3}");
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.signal(), Some(2), "{shown}");
    assert_nothing_written(&env);
}

const ADD: [&str; 6] = [
    "add",
    "research",
    "--provider",
    "runai",
    "--client-id",
    "test-client",
];

/// Starts a `jetond add` and waits for the question for the secret.
fn asking(env: &TestEnv) -> (Terminal, String) {
    let url = env.sandbox().url();
    let terminal = Terminal::start(env, &[&ADD[..], &["--url", &url]].concat(), &[]);
    let question = format!("Client secret for {url} (not shown): ");
    terminal.wait_for(&question);
    terminal.wait_for_no_echo();
    (terminal, question)
}

#[test]
fn a_signal_at_a_question_restores_the_terminal() {
    for signal in [Signal::TERM, Signal::HUP, Signal::QUIT, Signal::INT] {
        let env = TestEnv::with_sandbox(60);
        let (mut terminal, _) = asking(&env);
        terminal.type_in("half");
        terminal.signal(signal);
        wait_until("jetond to end", || {
            terminal.child.try_wait().unwrap().is_some()
        });
        assert_eq!(terminal.modes(), (true, true), "{signal:?}");
        let (status, shown) = terminal.end(&env);
        assert_eq!(status.signal(), Some(signal.as_raw()), "{shown}");
        assert!(!shown.contains("half"), "{shown}");
        assert_nothing_written(&env);

        // Also at a question whose answer is shown.
        let url = env.sandbox().url();
        let args = ["add", "research", "--provider", "runai", "--url", &url];
        let terminal = Terminal::start(&env, &args, &[]);
        terminal.wait_for("Client ID: ");
        terminal.signal(signal);
        let (status, shown) = terminal.end(&env);
        assert_eq!(status.signal(), Some(signal.as_raw()), "{shown}");
    }
}

#[test]
fn a_signal_ignored_by_the_parent_stays_ignored_at_a_question() {
    let env = TestEnv::with_sandbox(60);
    let url = env.sandbox().url();
    let script = "trap '' HUP; exec \"$@\"";
    let shell = ["sh", "-c", script, "sh", env!("CARGO_BIN_EXE_jetond")];
    let line = [&shell, &ADD[..], &["--url", &url]].concat();
    let mut terminal = Terminal::run(&env, &line, &[]);
    terminal.wait_for("(not shown): ");
    terminal.wait_for_no_echo();
    terminal.signal(Signal::HUP);
    let secret = env.secret().to_owned();
    terminal.type_in(&format!("{secret}\n"));
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(0), "{shown}");
}

#[test]
fn a_stopped_command_restores_the_terminal_and_repeats_its_question() {
    let env = TestEnv::with_sandbox(60);
    let (mut terminal, question) = asking(&env);
    for round in 1..3 {
        terminal.type_in("half");
        terminal.signal(Signal::TSTP);
        terminal.wait_for_state('T');
        assert_eq!(terminal.modes(), (true, true));
        terminal.signal(Signal::CONT);
        wait_until("the question again", || {
            terminal.count(&question) == round + 1
        });
        terminal.wait_for_no_echo();
    }
    // SIGSTOP cannot be caught. The program still sets the terminal's modes again.
    terminal.signal(Signal::STOP);
    terminal.wait_for_state('T');
    terminal.signal(Signal::CONT);
    wait_until("the question again", || terminal.count(&question) == 4);
    let secret = env.secret().to_owned();
    terminal.type_in(&format!("{secret}\n"));
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(0), "{shown}");
    assert!(
        !shown.contains(&secret) && !shown.contains("half"),
        "{shown}"
    );
}

#[test]
fn ctrl_z_and_fg_work_at_a_question() {
    let env = TestEnv::with_sandbox(60);
    let url = env.sandbox().url();
    let args = [&ADD[..], &["--url", &url]].concat();
    let script = "\"$@\"; echo \"stopped $?\"; stty -a; echo; fg >/dev/null; echo \"ended $?\"";
    let mut terminal = Terminal::shell(&env, script, &args);
    terminal.wait_for("(not shown): ");
    terminal.wait_for_no_echo();
    terminal.type_in("half\u{1a}");
    wait_until("the question again", || {
        terminal.count("(not shown): ") == 2
    });
    terminal.wait_for_no_echo();
    let secret = env.secret().to_owned();
    terminal.type_in(&format!("{secret}\n"));
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(0), "{shown}");
    assert!(shown.contains("ended 0"), "{shown}");
    let stopped = shown.split("stopped ").nth(1).unwrap();
    assert!(
        stopped.contains(" echo ") && !stopped.contains("-echo "),
        "{shown}"
    );
    assert!(
        !shown.contains(&secret) && !shown.contains("half"),
        "{shown}"
    );
}

#[test]
fn ctrl_z_without_job_control_stops_nothing() {
    let env = TestEnv::with_sandbox(60);
    let (mut terminal, question) = asking(&env);
    terminal.type_in("half\u{1a}");
    wait_until("the question again", || terminal.count(&question) == 2);
    terminal.wait_for_no_echo();
    let secret = env.secret().to_owned();
    terminal.type_in(&format!("{secret}\n"));
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(0), "{shown}");
}

#[test]
fn an_answer_longer_than_4096_bytes_is_refused() {
    let env = TestEnv::with_sandbox(60);
    let (mut terminal, _) = asking(&env);
    // A terminal cuts off a line that is too long. Ctrl-D passes on what was typed so far, so that a longer line gets
    // through.
    for _ in 0..2 {
        terminal.type_in(&format!("{}\u{4}", "x".repeat(3_000)));
    }
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(64), "{shown}");
    assert!(shown.contains("longer than 4096 bytes"), "{shown}");
}

#[test]
fn a_removal_needs_an_explicit_yes() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("research");
    let before = fs::read(env.record("research")).unwrap();
    for (answer, code) in [
        ("\n", 1),
        ("n\n", 1),
        ("yep\n", 1),
        ("\u{4}", 64),
        ("YES\n", 0),
    ] {
        assert!(fs::read(env.record("research")).unwrap() == before);
        let mut terminal = Terminal::start(&env, &["remove", "research"], &[]);
        terminal.wait_for("Remove it? [y/N]: ");
        terminal.type_in(answer);
        let (status, shown) = terminal.end(&env);
        assert_eq!(status.code(), Some(code), "{answer:?}: {shown}");
        for part in [
            "this removes the profile research from ",
            env.config().to_str().unwrap(),
            env.record("research").to_str().unwrap(),
        ] {
            assert!(shown.replace("\r\n", " ").contains(part), "{shown}");
        }
        let own_line = shown.contains("[y/N]: \r\njetond: nothing was typed");
        assert_eq!(own_line, answer == "\u{4}", "{shown:?}");
        assert_eq!(env.record("research").exists(), code != 0, "{answer:?}");
    }
}

#[test]
fn questions_appear_on_the_terminal_although_standard_error_is_redirected() {
    let env = TestEnv::with_sandbox(60);
    let url = env.sandbox().url();
    let errors = env.path("out/errors");
    let script = format!("\"$@\" 2>{} </dev/tty; echo \"ended $?\"", errors.display());
    let args = ["add", "research", "--provider", "runai", "--url", &url];
    let mut terminal = Terminal::shell(&env, &script, &args);
    terminal.wait_for("Client ID: ");
    terminal.type_in("test-client\n");
    terminal.wait_for("(not shown): ");
    terminal.wait_for_no_echo();
    let secret = env.secret().to_owned();
    terminal.type_in(&format!("{secret}\n"));
    let (_, shown) = terminal.end(&env);
    assert!(
        shown.contains("ended 0") && !shown.contains(&secret),
        "{shown}"
    );
    assert_eq!(fs::read_to_string(errors).unwrap(), "");
}

// === A PID namespace to which the terminal's process group and session do not belong ===

/// Starts `jetond add` as process 1 and waits for the question for the secret. Returns `None` on a system without such
/// namespaces.
fn asking_as_process_one(env: &TestEnv, test: &str) -> Option<Terminal> {
    let unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let possible = std::process::Command::new(unshare[0])
        .args(&unshare[1..])
        .arg("true")
        .stderr(Stdio::null())
        .status();
    if !possible.is_ok_and(|status| status.success()) {
        ignored(&format!("{test}: no process namespaces here"));
        return None;
    }
    let url = env.sandbox().url();
    let jetond = [env!("CARGO_BIN_EXE_jetond")];
    let line = [&unshare[..], &jetond, &ADD, &["--url", &url]].concat();
    let terminal = Terminal::run(env, &line, &[]);
    terminal.wait_for("(not shown): ");
    terminal.wait_for_no_echo();
    Some(terminal)
}

#[test]
fn a_question_in_a_pid_namespace_works() {
    let env = TestEnv::with_sandbox(60);
    let test = "a_question_in_a_pid_namespace_works";
    let Some(mut terminal) = asking_as_process_one(&env, test) else {
        return;
    };
    terminal.type_in("half\u{1a}");
    wait_until("the question again", || {
        terminal.count("(not shown): ") == 2
    });
    terminal.wait_for_no_echo();
    let secret = env.secret().to_owned();
    terminal.type_in(&format!("{secret}\n"));
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(0), "{shown}");
    assert!(!shown.contains(&secret), "{shown}");
}

#[test]
fn ctrl_c_as_process_one_sets_the_exit_code() {
    let env = TestEnv::with_sandbox(60);
    let test = "ctrl_c_as_process_one_sets_the_exit_code";
    let Some(mut terminal) = asking_as_process_one(&env, test) else {
        return;
    };
    terminal.type_in("\u{3}");
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(130), "{shown}");
    assert_nothing_written(&env);
}
