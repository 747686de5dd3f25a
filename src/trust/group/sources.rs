//! The sources of this machine's users and groups besides the two files that list them.

use std::fs;
use std::io;

/// The name service's databases for group membership (nsswitch.conf(5)).
const DATABASES: [&str; 3] = ["passwd", "group", "initgroups"];

/// The folders from which systemd reads users and groups (nss-systemd(8)).
const RECORDS: [&str; 5] = [
    "/etc/userdb",
    "/run/userdb",
    "/run/host/userdb",
    "/usr/local/lib/userdb",
    "/usr/lib/userdb",
];

/// The folder of services that offer users and groups to systemd (<https://systemd.io/USER_GROUP_API>).
const SERVICES: &str = "/run/systemd/userdb";

/// Services that offer only these: the users of running services and of containers, each with a group of its own, and
/// users that are listed elsewhere.
const KNOWN_SERVICES: [&str; 5] = [
    "io.systemd.DropIn",
    "io.systemd.DynamicUser",
    "io.systemd.Machine",
    "io.systemd.Multiplexer",
    "io.systemd.NameServiceSwitch",
];

/// Returns a source of users or groups that cannot be listed, if any.
pub(super) fn not_listed() -> Option<String> {
    let configured = match fs::read_to_string("/etc/nsswitch.conf") {
        Ok(text) => text,
        // Without this file, the name service uses only the files.
        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
        Err(_) => return Some("a name service that Jeton cannot ask".to_owned()),
    };
    let source = beside_files(&configured)?;
    (source != "systemd" || systemd_has_records()).then_some(source)
}

/// Returns the first source that the name service uses besides the files; `systemd` only if there is no other.
fn beside_files(nsswitch: &str) -> Option<String> {
    let mut systemd = None;
    for line in nsswitch.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let Some((database, sources)) = line.split_once(':') else {
            continue;
        };
        if !DATABASES.contains(&database.trim()) {
            continue;
        }
        let mut in_action = false;
        for word in sources.split_ascii_whitespace() {
            // An action on a result, as in `[NOTFOUND=return]`.
            in_action |= word.starts_with('[');
            if !in_action {
                match word {
                    // compat uses NIS only for certain lines of the files, which are detected when the files are read.
                    "files" | "compat" => {}
                    "systemd" => systemd = Some(word.to_owned()),
                    _ => return Some(word.to_owned()),
                }
            }
            in_action &= !word.ends_with(']');
        }
    }
    systemd
}

/// Reports whether systemd may know users or groups that are in no file.
fn systemd_has_records() -> bool {
    let names = |folder: &str| -> io::Result<Vec<_>> {
        match fs::read_dir(folder) {
            Ok(entries) => entries.map(|entry| Ok(entry?.file_name())).collect(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(vec![]),
            Err(e) => Err(e),
        }
    };
    let no_records = RECORDS
        .iter()
        .all(|folder| names(folder).is_ok_and(|names| names.is_empty()));
    let is_known = |name: &std::ffi::OsString| KNOWN_SERVICES.iter().any(|known| name == known);
    let no_services = names(SERVICES).is_ok_and(|names| names.iter().all(is_known));
    !(no_records && no_services)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_source_other_than_files_is_found() {
        for (text, source) in [
            ("", None),
            ("passwd: files\ngroup: files\n", None),
            ("passwd:compat\n", None),
            (
                "passwd:\tfiles systemd\ngroup: files systemd\n",
                Some("systemd"),
            ),
            ("passwd: files systemd\ngroup: sss files\n", Some("sss")),
            ("passwd: sss files systemd\n", Some("sss")),
            ("passwd: files\ninitgroups: files ldap\n", Some("ldap")),
            ("passwd: files [NOTFOUND=return] winbind\n", Some("winbind")),
            (
                "passwd: files [!UNAVAIL=return success=continue] nis\n",
                Some("nis"),
            ),
            ("group: files [ NOTFOUND=return ] db\n", Some("db")),
            ("passwd: files # sss\n#group: ldap\n", None),
            ("hosts: files dns\nnetgroup: nis\n", None),
        ] {
            assert_eq!(beside_files(text).as_deref(), source, "{text:?}");
        }
    }
}
