//! The clients of `jeton token`, which read a bare token and no expiry. Only cargo names an address.

use std::time::Duration;

use super::ClientBehaviour;
use super::request::OF_A_COMMAND;

/// cargo, which identifies itself by a variable (`cargo:token-from-stdout`).
pub(in super::super) static CARGO: ClientBehaviour = ClientBehaviour {
    interval: OF_A_COMMAND,
    window: Duration::ZERO,
    timeout: None,
    source: "rust-lang/cargo src/cargo/util/credential/adaptor.rs: kept for the command; no timeout",
};

/// How long agents keep a token: they ask again after 5 minutes, or after a 401.
const OF_AN_AGENT: Duration = Duration::from_secs(300);

/// The clients, by the word after `--for`.
pub(in super::super) static CLIENTS: [(&str, ClientBehaviour); 4] = [
    (
        "claude-code",
        ClientBehaviour {
            interval: OF_AN_AGENT,
            window: Duration::ZERO,
            timeout: Some(Duration::from_secs(10)),
            source: "code.claude.com/docs/en/authentication: apiKeyHelper, 5 minutes; warns above 10 s",
        },
    ),
    (
        "codex",
        ClientBehaviour {
            interval: OF_AN_AGENT,
            window: Duration::ZERO,
            timeout: Some(Duration::from_secs(5)),
            source: "openai/codex model_providers.NAME.auth: refresh_interval_ms 300000, timeout_ms 5000",
        },
    ),
    (
        "dvc",
        ClientBehaviour {
            interval: OF_AN_AGENT,
            window: Duration::ZERO,
            timeout: Some(Duration::from_secs(30)),
            source: "dvc-webdav bearer_auth.py: bearer_token_command, kept until a 401; taken as 5 minutes",
        },
    ),
    (
        "rclone",
        ClientBehaviour {
            interval: OF_AN_AGENT,
            window: Duration::ZERO,
            timeout: None,
            source: "rclone backend/webdav: bearer_token_command, kept until a 401; taken as 5 minutes",
        },
    ),
];
