//! What to do today about a source of the credential, which this version does not read.

use toml_edit::Item;

use crate::command_line;
use crate::profile::ProfileName;

/// The fault of every source.
const FAULT: &str = "a source of the credential is not supported in this version: remove it, and let `jetond add` ask for the credential and store it";

/// Keys by which a profile may name a systemd credential itself.
const OF_SYSTEMD: [&str; 3] = ["systemd-credential", "load-credential", "loadcredential"];

/// Whether a key of this name, in lower case and with hyphens, names a source of the credential.
pub(super) fn is_one(name: &str, value: &Item) -> bool {
    let is_credential = ["client-id", "client-secret"].contains(&name);
    OF_SYSTEMD.contains(&name) || is_credential && !value.is_str()
}

/// The fault of a key at this path, with the command that takes the credential from this source once. No value is quoted.
pub(super) fn message(name: &str, path: &str, value: &Item) -> String {
    let has = |key| {
        let table = value.as_table_like();
        table.is_some_and(|table| table.contains_key(key))
    };
    let profile = path.strip_prefix("profiles.");
    let profile = profile.and_then(|path| ProfileName::parse(path.rsplit_once('.')?.0).ok());
    let add = command_line::proposed("jetond add NAME --rebind", profile.as_ref());
    if OF_SYSTEMD.iter().any(|key| *key == name || has(key)) {
        format!(
            "{FAULT}; what LoadCredential= passes is not read yet, so take it once from the file that it names: {add} --client-secret-file FILE"
        )
    } else if name == "client-secret" && has("file") {
        format!("{FAULT}; to take it from the file once: {add} --client-secret-file FILE")
    } else if name == "client-secret" && has("command") {
        format!("{FAULT}; to take it from the command once: COMMAND | {add} --client-secret-stdin")
    } else {
        FAULT.to_owned()
    }
}
