//! Line formats that other programs define: `.env`, netrc(5), and the files of Run:ai's command line.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::format_error::FormatError;

/// A machine entry of netrc(5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The host.
    pub host: String,
    /// The user name beside the token.
    pub login: String,
}

/// Reports whether a shell, systemd, Docker and every `.env` reader leave a character unchanged.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=:@%,".contains(&byte)
}

/// Writes `NAME=TOKEN`. A token with other characters is put into single quotes, which Docker's `--env-file` would
/// keep. A token with a quote, a backslash or a dollar sign is refused, since programs read it in different ways.
pub(super) fn dotenv(variable: &str, token: &str) -> Result<String, FormatError> {
    if token.bytes().all(is_plain) {
        return Ok(format!("{variable}={token}\n"));
    }
    if token.contains(['\'', '\\', '$']) {
        return Err(FormatError::Ambiguous("dotenv"));
    }
    Ok(format!("{variable}='{token}'\n"))
}

/// Writes a line for each machine. A token with quotes, backslashes or `#` is refused, since curl, Python and git read
/// these differently.
pub(super) fn netrc(machines: &[Machine], token: &str) -> Result<String, FormatError> {
    if token.contains(['"', '\'', '\\', '#']) {
        return Err(FormatError::Ambiguous("netrc"));
    }
    // Allocated at its final size: a growing buffer leaves copies of the token behind.
    let size: usize = machines
        .iter()
        .map(|machine| machine.host.len() + machine.login.len() + token.len() + 32)
        .sum();
    let mut text = String::with_capacity(size);
    for Machine { host, login } in machines {
        // Writing to a string does not fail.
        let _ = writeln!(text, "machine {host} login {login} password {token}");
    }
    Ok(text)
}

/// Writes the file `authentication.json`.
pub(super) fn runai_token(token: &str) -> String {
    format!("{{\"accessToken\":\"{}\"}}\n", STANDARD.encode(token))
}

/// Writes the file `config.json`.
pub(super) fn runai_config(url: &str, cluster: &str) -> Vec<u8> {
    let config =
        serde_json::json!({ "control_plane": { "url": url }, "cluster": { "uuid": cluster } });
    format!("{config}\n").into_bytes()
}
