//! Advice for unknown keys that look like a credential or like the source of one.

use toml_edit::Item;

/// Common names for a secret. No key with such a name may be in this file.
pub(super) const SECRETS: &[&str] = &[
    "access-key",
    "access-token",
    "api-key",
    "app-id",
    "app-secret",
    "client-id",
    "client-secret",
    "password",
    "secret",
    "token",
];

/// The fault for a secret in this file.
pub(super) const SECRET_IN_FILE: &str = "this file never holds a credential: remove it, and name its source with client-secret = { … }, or let `jetond add` ask for it and store it";

/// Returns advice for a key that no profile has, but that was meant to name the source of a credential.
pub(super) fn advice(name: &str) -> Option<&'static str> {
    Some(match name {
        "systemd-credential" | "load-credential" | "loadcredential" => {
            "unknown key; a credential that systemd passes is named like this: client-secret = { systemd-credential = \"NAME\" }"
        }
        "client-secret-file" | "secret-file" => {
            "unknown key; a file with the secret is named like this: client-secret = { file = \"PATH\" }"
        }
        "client-secret-command" | "secret-command" | "password-command" => {
            "unknown key; a command that prints the secret is named like this: client-secret = { command = [\"/PATH\", \"ARGUMENT\"] }"
        }
        "client-id-file" => {
            "unknown key; a file with the client ID is named like this: client-id = { file = \"PATH\" }"
        }
        _ => return None,
    })
}

/// Reports whether the value of this key may be a secret: it is a text, where every valid value is a table.
pub(super) fn may_be_secret(name: &str, value: &Item) -> bool {
    name == "client-secret" && value.is_str()
}
