//! The users whom `run --allow` admits besides the daemon's own: the served command runs as one of them.

use std::ffi::OsString;
use std::path::Path;

use super::super::output::{Exit, fail};
use crate::config::Names as _;
use crate::policy::{AllowedUsers, IdRange};
use crate::settings::names::System;

/// The error of the option without a command.
pub(super) const WITHOUT_COMMAND: &str = "--allow is for the user of a command: jetond run --allow USER -- CMD; a daemon without CMD serves the users in the rules of its configuration ([[profiles.NAME.allow]])";

/// The file names of programs that start another one as a user whom their first argument names.
const BY_NAME: [&str; 9] = [
    "chpst",
    "doas",
    "gosu",
    "runuser",
    "s6-setuidgid",
    "setuidgid",
    "su",
    "su-exec",
    "sudo",
];

/// The options of setpriv(1) with the same effect.
const OF_SETPRIV: [&str; 3] = ["--reuid", "--ruid", "--euid"];

/// Looks up the users of these names or numbers.
pub(super) fn guests(named: &[String]) -> Result<AllowedUsers, Exit> {
    let uids: Result<Vec<u32>, Exit> = named.iter().map(|user| uid(user)).collect();
    Ok(AllowedUsers::new(uids?))
}

fn uid(user: &str) -> Result<u32, Exit> {
    if !user.is_empty() && user.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = IdRange::parse(user).and_then(IdRange::only);
        return number.ok_or_else(|| {
            let what = format!("--allow {user}: no user has this number");
            fail(Exit::Usage, what)
        });
    }
    match System.user(user) {
        Ok(Some(uid)) => Ok(uid),
        Ok(None) => Err(fail(
            Exit::Usage,
            format!(
                "--allow {user}: this machine knows no user of that name; give the number instead"
            ),
        )),
        Err(why) => Err(fail(
            Exit::Later,
            format!(
                "--allow {user}: the name service cannot look it up ({why}); give the number instead"
            ),
        )),
    }
}

/// Whether a command seems to start another one as a user who is not admitted to the socket. Only root can start one
/// so, and root itself is always admitted.
pub(super) fn is_forgotten(command: &[OsString], guests: &AllowedUsers, uid: u32) -> bool {
    uid == 0 && guests.is_empty() && changes_user(command)
}

fn changes_user(command: &[OsString]) -> bool {
    let Some((program, args)) = command.split_first() else {
        return false;
    };
    let program = Path::new(program).file_name().unwrap_or_default();
    let mut args = args.iter().map(|arg| arg.to_string_lossy());
    if program == "setpriv" {
        return args.any(|arg| OF_SETPRIV.iter().any(|option| arg.starts_with(option)));
    }
    let to_root = args
        .next()
        .is_some_and(|user| matches!(user.split(':').next(), Some("root" | "0")));
    !to_root && BY_NAME.iter().any(|name| program == *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_or_numbered() {
        let of = |named: &[&str]| {
            let named: Vec<String> = named.iter().map(|&user| user.to_owned()).collect();
            guests(&named)
        };
        assert_eq!(of(&[]), Ok(AllowedUsers::default()));
        assert_eq!(of(&["1001", "root"]), Ok(AllowedUsers::new([1001, 0])));
        for bad in [
            "",
            "-1",
            "4294967295",
            "99999999999",
            "1000-1001",
            "no-such-user-here",
        ] {
            assert_eq!(of(&[bad]), Err(Exit::Usage), "{bad:?}");
        }
    }

    #[test]
    fn a_user_switch_is_recognized_by_the_starting_program() {
        for (command, forgotten) in [
            (&["gosu", "app", "serve"][..], true),
            (&["/usr/sbin/gosu", "1001:1001", "serve"], true),
            (&["su-exec", "root", "serve"], false),
            (&["gosu", "0:0", "serve"], false),
            (
                &["setpriv", "--reuid=1001", "--clear-groups", "serve"],
                true,
            ),
            (
                &["setpriv", "--clear-groups", "--reuid", "app", "serve"],
                true,
            ),
            (&["setpriv", "--no-new-privs", "serve"], false),
            (&["sudo", "-u", "app", "serve"], true),
            (&["serve", "gosu"], false),
            (&[], false),
        ] {
            let command: Vec<OsString> = command.iter().map(Into::into).collect();
            let none = AllowedUsers::default();
            assert_eq!(is_forgotten(&command, &none, 0), forgotten, "{command:?}");
            assert!(!is_forgotten(&command, &AllowedUsers::new([1001]), 0));
            assert!(!is_forgotten(&command, &none, 1000));
        }
    }
}
