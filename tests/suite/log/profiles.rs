//! Profile names in the log: every line about a profile has its name, at every level and in every format.

use std::fs;

use super::enrolled;
use crate::support::daemon::wait_until;

#[test]
fn every_log_line_about_a_profile_names_it() {
    for format in ["text", "json", "auto"] {
        for filter in [
            "warn",
            "info",
            "debug",
            "trace",
            "jetond::daemon::keep::keeper::log=warn",
            "error,jetond::daemon::keep::keeper::log=debug",
            "[profile]=warn",
        ] {
            let env = enrolled();
            env.fault("status:503");
            let mut command = env.jetond_command(&["run", "--log-format", format]);
            command.env("JETON_LOG", filter);
            let mut daemon = env.start_command(command);
            wait_until("a refresh to fail", || {
                daemon.log().contains("refresh failed")
            });
            env.stop(&mut daemon);
            let log = daemon.log();
            let named = if format == "json" {
                "\"profile\":\"research\""
            } else {
                " research: "
            };
            for line in log.lines().filter(|line| line.contains("refresh failed")) {
                assert!(line.contains(named), "{filter}: {line}");
            }
        }
    }
}

#[test]
fn log_lines_name_a_profile_without_a_usable_credential() {
    let env = enrolled();
    fs::remove_file(env.record("research")).unwrap();
    let mut command = env.jetond_command(&["run", "--log-format", "json"]);
    command.env("JETON_LOG", "warn");
    let mut daemon = env.start_command(command);
    daemon.wait_for_log("no token can be requested");
    env.stop(&mut daemon);
    for line in super::lines(&daemon.log()) {
        assert_eq!(line["profile"], "research", "{line}");
    }
}
