//! File formats of sinks: converts a token to the bytes of a file.
//!
//! The file is read by programs that know nothing of Jeton. A token that such programs would read in different ways,
//! such as one with a quote in a `.env` file, is therefore not written at all.

mod format_error;
mod issued;
mod jwt;
mod lines;
mod template;

use std::fmt;

use zeroize::Zeroizing;

pub use format_error::FormatError;
pub use issued::TokenToWrite;
pub use lines::Machine;
pub use template::{InvalidTemplate, Template};

/// The name of the file that `runai-cli` writes the token to.
pub const RUNAI_TOKEN_FILE: &str = "authentication.json";

/// The name of the second file, which `runai-cli` writes beside it.
const RUNAI_CONFIG_FILE: &str = "config.json";

/// The format of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// The token alone, without a newline: botocore sends the whole file.
    Raw,
    /// The same, but only if the token is a JWT.
    Jwt,
    /// `Authorization: Bearer TOKEN`, as curl reads it with `-H @FILE`.
    Header,
    /// An object with the token, its type, its expiry, its generation and the profile.
    Json,
    /// `NAME=TOKEN`, as a shell, systemd and the `.env` readers understand it.
    Dotenv {
        /// The name of the variable.
        variable: String,
    },
    /// A line of netrc(5) for each machine.
    Netrc(Vec<Machine>),
    /// The two files that runapy's `CLIv2Config` reads.
    RunaiCli {
        /// The address of the control plane.
        url: String,
        /// The UUID of the cluster.
        cluster: String,
    },
    /// The credentials of a profile of the Anthropic SDK.
    Anthropic,
    /// A text with placeholders.
    Template(Template),
}

/// The bytes of a file, and of the second one that some formats have.
pub struct Content {
    /// The file with the token.
    pub token_file: Zeroizing<Vec<u8>>,
    /// A second file beside it, without a secret: its name and its bytes.
    pub beside: Option<(&'static str, Vec<u8>)>,
}

// === impl Format ===

impl Format {
    /// The names of all formats.
    pub const NAMES: [&'static str; 9] = [
        "raw",
        "jwt",
        "header",
        "json",
        "dotenv",
        "netrc",
        "runai-cli",
        "anthropic",
        "template",
    ];

    /// Returns the configuration's spelling.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Jwt => "jwt",
            Self::Header => "header",
            Self::Json => "json",
            Self::Dotenv { .. } => "dotenv",
            Self::Netrc(_) => "netrc",
            Self::RunaiCli { .. } => "runai-cli",
            Self::Anthropic => "anthropic",
            Self::Template(_) => "template",
        }
    }

    /// Returns the name of the second file, if this format has one.
    pub const fn beside(&self) -> Option<&'static str> {
        match self {
            Self::RunaiCli { .. } => Some(RUNAI_CONFIG_FILE),
            _ => None,
        }
    }

    /// Formats the content of the file for this token.
    ///
    /// # Errors
    /// [`FormatError`] if programs could not read the token from it.
    pub fn content(&self, issued: &TokenToWrite<'_>) -> Result<Content, FormatError> {
        let token = issued.token.expose();
        let text = match self {
            Self::Jwt if !jwt::is_jwt(token) => return Err(FormatError::NotAJwt),
            Self::Raw | Self::Jwt => token.to_owned(),
            Self::Header => format!("Authorization: Bearer {token}\n"),
            Self::Json => format!(
                "{{\"profile\":\"{}\",\"access_token\":\"{}\",\"token_type\":\"Bearer\",\"expires_at\":{},\"generation\":{}}}\n",
                issued.profile,
                issued.token.expose_json(),
                issued.expires_at,
                issued.generation
            ),
            Self::Dotenv { variable } => lines::dotenv(variable, token)?,
            Self::Netrc(machines) => lines::netrc(machines, token)?,
            Self::RunaiCli { .. } => lines::runai_token(token),
            Self::Anthropic => format!(
                "{{\"version\":\"1.0\",\"type\":\"oauth_token\",\"access_token\":\"{}\",\"expires_at\":{}}}\n",
                issued.token.expose_json(),
                issued.expires_at
            ),
            Self::Template(template) => template.fill(issued),
        };
        let beside = match self {
            Self::RunaiCli { url, cluster } => {
                Some((RUNAI_CONFIG_FILE, lines::runai_config(url, cluster)))
            }
            _ => None,
        };
        Ok(Content {
            token_file: Zeroizing::new(text.into_bytes()),
            beside,
        })
    }
}

// === impl Content ===

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Content(…)")
    }
}

#[cfg(test)]
mod tests;
