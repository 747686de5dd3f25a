//! Leaks of `jetond app` on a terminal: no secret and no token is in what script(1) records, in the log of a daemon at
//! level TRACE, or in any file outside the stores.

use std::fs::{self, File};
use std::process::Command;

use jetond::sandbox::Line;
use rustix::termios::{LocalModes, tcgetattr};

use super::{call, end, started};
use crate::support::daemon::wait_until;
use crate::support::{TestEnv, ignored};
use crate::terminal::Terminal;

/// Input to type once a given text is shown.
enum TypedInput<'a> {
    /// Typed with echo.
    Shown(&'a str),
    /// Typed while the terminal does not echo.
    Hidden(&'a str),
}

use TypedInput::{Hidden, Shown};

/// Records terminal sessions. Each goes to a file of its own that is searched for secrets.
struct TerminalRecorder<'a> {
    env: &'a TestEnv,
    sessions: usize,
}

impl TerminalRecorder<'_> {
    /// Runs `jetond` and answers its questions. Returns the exit code and what was recorded.
    fn run(&mut self, arguments: &str, answers: &[(&str, TypedInput<'_>)]) -> (i32, String) {
        self.sessions += 1;
        let record = self.env.path(&format!("out/typescript-{}", self.sessions));
        let pid = self.env.path(&format!("out/pid-{}", self.sessions));
        let command = format!(
            "echo $$ >{}; exec {} {arguments}",
            pid.display(),
            env!("CARGO_BIN_EXE_jetond")
        );
        let line = ["script", "-qefc", &command, record.to_str().unwrap()];
        let mut terminal = Terminal::run(self.env, &line, &[]);
        for (question, answer) in answers {
            terminal.wait_for(question);
            let text = match answer {
                Shown(text) => text,
                Hidden(text) => {
                    let pid = fs::read_to_string(&pid).unwrap();
                    let inner = File::open(format!("/proc/{}/fd/0", pid.trim())).unwrap();
                    wait_until("the recorded terminal not to echo", || {
                        let modes = tcgetattr(&inner).unwrap().local_modes;
                        !modes.contains(LocalModes::ECHO)
                    });
                    text
                }
            };
            terminal.type_in(&format!("{text}\n"));
        }
        let (status, _) = terminal.end(self.env);
        let recorded = String::from_utf8_lossy(&fs::read(&record).unwrap()).into_owned();
        (status.code().unwrap(), recorded)
    }
}

fn records() -> bool {
    let version = Command::new("script").arg("--version").output();
    version.is_ok_and(|version| version.status.success())
}

#[test]
fn no_recorded_terminal_session_shows_a_secret() {
    if !records() {
        return ignored("a terminal recorded by script(1): there is no script here");
    }
    let (env, daemon) = started(Line::V2_24, 3_600);
    fs::remove_file(env.path("secret")).unwrap();
    let file = env.path("secret").display().to_string();
    let url = env.sandbox().url();
    let mut recorder = TerminalRecorder {
        env: &env,
        sessions: 0,
    };
    let id: (&str, _) = ("Client ID: ", Shown("test-client"));
    let secret = ("(not shown): ", Hidden(env.secret()));
    let (no, yes) = ("[y/N]: ", "y");
    for (arguments, answers, code, shows) in [
        (
            format!("add typed --provider runai --url {url}"),
            vec![id, secret],
            0,
            "Client ID: test-client\r\n",
        ),
        ("app list research".into(), vec![], 0, "1 of 20"),
        ("app list research --json".into(), vec![], 0, "\"keys\""),
        (
            "app create made research --enrol made".into(),
            vec![],
            0,
            "is made",
        ),
        (
            format!("app create filed research --secret-file {file}"),
            vec![],
            0,
            "is made",
        ),
        ("app show filed research".into(), vec![], 0, "filed"),
        (
            "app show made research --json".into(),
            vec![],
            0,
            "\"name\"",
        ),
        (
            "remove typed".into(),
            vec![(no, Shown(yes))],
            0,
            "[y/N]: y\r\n",
        ),
        (
            "app regenerate made research".into(),
            vec![(no, Shown("n"))],
            1,
            "nothing is sent",
        ),
        (
            "app regenerate made research".into(),
            vec![(no, Shown(yes))],
            0,
            "has a new secret",
        ),
        (
            "app regenerate test-client research".into(),
            vec![(no, Shown(yes))],
            0,
            "has a new secret",
        ),
        (
            "app delete filed research".into(),
            vec![(no, Shown("n"))],
            1,
            "nothing is deleted",
        ),
        (
            "app delete filed research".into(),
            vec![(no, Shown(yes))],
            0,
            "is deleted",
        ),
        (
            "app delete made research --force".into(),
            vec![(no, Shown(yes))],
            0,
            "is deleted",
        ),
        ("check".into(), vec![], 0, "research: ok"),
    ] {
        if arguments.starts_with("app delete filed") {
            // The file legitimately contains a secret, so remove it before the search.
            let _ = fs::remove_file(&file);
        }
        let (ended, recorded) = recorder.run(&arguments, &answers);
        assert_eq!(ended, code, "{arguments}: {recorded}");
        assert!(recorded.contains(shows), "{arguments}: {recorded}");
    }
    assert_eq!(env.sandbox().secrets().len(), 4);
    assert!(daemon.log().contains("TRACE"));
    end(env, daemon);
}

#[test]
fn no_recorded_terminal_session_of_a_failing_command_shows_a_secret() {
    if !records() {
        return ignored("a terminal recorded by script(1): there is no script here");
    }
    let (env, daemon) = started(Line::V2_24, 3_600);
    let body = r#"{"name":"other-key"}"#;
    let path = "/api/v1/access-keys";
    assert_eq!(call(&env, &daemon, "POST", path, body), 201);
    let path = env.path("another");
    let file = path.to_str().unwrap();
    let mut recorder = TerminalRecorder {
        env: &env,
        sessions: 0,
    };
    let mut made = 0;
    for fault in [
        // Half of the right answer, or a whole other answer, may contain the secret.
        "keys:truncated",
        "keys:reset",
        "executed:status:500",
        "executed:garbage",
        "secret:missing",
        "secret:empty",
        "twice:first",
        "twice:last",
        // An issuer's error message may quote the request's token.
        r#"keys:answer:400:{"code":400,"message":"not by $TOKEN"}"#,
        r#"keys:answer:500:$TOKEN"#,
    ] {
        for command in [
            format!("app create new-{made} research --enrol new-{made}"),
            // That of a key which a profile uses is the daemon's to replace.
            format!("app regenerate other-key research --yes --secret-file {file}"),
            "app delete test-client research --yes --force".to_owned(),
        ] {
            made += 1;
            if command.contains("delete") && !fault.starts_with("keys:answer") {
                continue;
            }
            env.fault(fault);
            let (_, recorded) = recorder.run(&command, &[]);
            env.fault("none");
            // It was for the eyes of its reader alone.
            let _ = fs::remove_file(&path);
            assert!(recorded.contains("jetond: "), "{fault}: {recorded}");
            let (_, listed) = recorder.run("app list research", &[]);
            assert!(listed.contains("of 20"), "{fault}: {listed}");
        }
    }
    assert!(
        env.sandbox().secrets().len() > 20,
        "{}",
        env.sandbox().secrets().len()
    );
    end(env, daemon);
}
