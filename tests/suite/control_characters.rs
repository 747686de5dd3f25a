//! Control characters in paths, arguments and variables: no program prints them unescaped.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;

use crate::support::TestEnv;
use crate::support::daemon::wait_until;

/// A line end, a carriage return, escape sequences of both kinds, right-to-left text, and bytes that are not UTF-8.
const ODD: &[u8] = b"x\n\r\x1b]0;title\x07\x1b[2J\xc2\x9b2J\xe2\x80\xae\xff";

/// Fails if the output has a character that a terminal acts on, or a line that does not begin like the program's lines.
fn shows_all(what: &str, output: &[u8]) {
    let text = String::from_utf8(output.to_vec()).unwrap_or_else(|_| panic!("{what}: no text"));
    let acts = |c: &char| (c.is_control() && *c != '\n') || *c == '\u{202e}';
    let found: Vec<char> = text.chars().filter(acts).collect();
    assert!(found.is_empty(), "{what}: {found:?} in {text:?}");
    let is_torn = |line: &str| line.starts_with('\r') || line.starts_with("\\x0d");
    assert!(!text.lines().any(is_torn), "{what}: {text:?}");
}

/// Runs the command, checks what it prints, and returns that.
fn look(what: &str, mut command: Command) -> String {
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    assert!(output.status.code().is_some(), "{what}: {output:?}");
    shows_all(what, &output.stdout);
    shows_all(what, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn commands_escape_control_characters_from_variables_and_paths() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let odd = env.path("").join(OsStr::from_bytes(ODD));
    let secret = env.secret_file();
    let url = env.sandbox().url();
    let mut shown = 0;
    let mut add = vec!["add", "more", "--provider", "runai", "--url", &url];
    add.extend(["--client-id", "test-client", "--client-secret-file"]);
    add.push(secret.to_str().unwrap());
    for name in [
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "HOME",
        "XDG_CONFIG_HOME",
        "XDG_STATE_HOME",
        "XDG_RUNTIME_DIR",
        "STATE_DIRECTORY",
        "RUNTIME_DIRECTORY",
        "JETON_CONFIG",
        "JETON_SOCKET",
        "JETON_ADMIN_SOCKET",
        "JETON_PROFILE",
        "JETON_LOG",
        "NOTIFY_SOCKET",
        "TERM",
        "USER",
    ] {
        for args in [
            &["check"][..],
            &["doctor"],
            &["doctor", "--json"],
            &["setup", "socket"],
            &["remove", "more", "--yes"],
            &add,
        ] {
            let mut command = env.jetond_command(args);
            command.env(name, &odd);
            let said = look(&format!("{args:?} with {name}"), command);
            shown += usize::from(said.contains("\\x1b]0;title") || said.contains("\\033]0;title"));
        }
    }
    // `add` used the folder for its state, so it contains the secret.
    fs::remove_dir_all(&odd).unwrap();
    assert!(shown > 10, "only {shown} messages contain the values");
}

#[test]
fn commands_escape_control_characters_from_arguments_and_files() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let odd = env.path("").join(OsStr::from_bytes(ODD));
    let path = odd.as_os_str();
    for (args, option) in [
        (&["check"][..], "--config"),
        (&["check"], "--state"),
        (&["doctor"], "--config"),
        (&["doctor"], "--socket"),
        (&["remove", "research", "--yes"], "--state"),
        (&["setup", "socket"], "--config"),
        (&["run"], "--config"),
        (&["app", "list", "research"], "--config"),
        (&["add", "a"], "--client-secret-file"),
        (&["add", "a"], "--ca-file"),
        (&["check"], "--no-such-option"),
    ] {
        let mut command = env.jetond_command(args);
        command.arg(option).arg(path);
        look(&format!("{args:?} {option}"), command);
    }
    // A configuration of this name with two faults, each reported on its own line.
    fs::write(&odd, "profils = 1\nx = 1\n").unwrap();
    let mut command = env.jetond_command(&["check", "--config"]);
    command.arg(path);
    let said = look("two faults", command);
    assert_eq!(said.matches("unknown key").count(), 2, "{said}");
    assert_eq!(said.lines().count(), 2, "{said}");
}

#[test]
fn the_log_escapes_control_characters_in_paths() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let folder: OsString = env.path("").join(OsStr::from_bytes(ODD)).into();
    fs::create_dir(&folder).unwrap();
    for format in ["text", "json"] {
        let mut command = env.jetond_command(&["run", "--log-format", format]);
        command.env("JETON_LOG", "debug");
        command.env("JETON_SOCKET", std::path::Path::new(&folder).join("s"));
        let mut daemon = env.spawn_command(command);
        wait_until("the daemon to serve or to end", || {
            daemon.log().contains("serving") || daemon.child.try_wait().unwrap().is_some()
        });
        daemon.stop();
        let log = daemon.log();
        match format {
            "text" => shows_all(format, log.as_bytes()),
            _ => log.lines().for_each(|line| {
                // Before the log begins, the lines have the form of a command's messages.
                if line.starts_with("jetond: ") {
                    shows_all(format, line.as_bytes());
                } else {
                    serde_json::from_str::<serde_json::Value>(line).unwrap();
                }
            }),
        }
    }
}
