//! `POST /v1/reload`: the daemon that the request is meant for, and the daemon that carried it out.

use serde::{Deserialize, Deserializer, Serialize};

/// The body of a reload. An empty body sets none of these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReloadQuery {
    /// Identifies the daemon that the reload is meant for, by its configuration and state. Without it, the reload is
    /// meant for any daemon.
    #[serde(
        default,
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub source: Option<String>,
    /// Whether the daemon only confirms that it is the one. It reads nothing then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// The configuration and the state of a daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The configuration's path with links resolved, as the daemon sees it.
    pub config: String,
    /// The state folder's path with links resolved, as the daemon sees it.
    pub state: String,
    /// An ID that is the same for every program that sees the same files, by whatever paths. Absent if it cannot be
    /// determined.
    #[serde(rename = "source", skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// Deserialises a text. `null` is an error, and differs from an absent member.
fn text<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    String::deserialize(value).map(Some)
}

// === impl ReloadQuery ===

impl ReloadQuery {
    /// Parses a body.
    ///
    /// # Errors
    /// A description of the problem.
    pub fn from_json(body: &[u8]) -> Result<Self, &'static str> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(body)
            .map_err(|_| "the body is neither empty nor {\"source\": \"…\"}, with \"dry_run\": true or without")
    }

    /// Whether the request is meant for the daemon with this source.
    pub fn is_for(&self, source: &Source) -> bool {
        self.source.is_none() || self.source == source.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_is_for_any_daemon_or_for_the_one_it_names() {
        let of = |id: Option<&str>| Source {
            id: id.map(str::to_owned),
            ..Source::default()
        };
        for (body, id, meant) in [
            ("", Some("1:2"), true),
            ("{}", None, true),
            (r#"{"source":"1:2"}"#, Some("1:2"), true),
            (r#"{"source":"1:2","dry_run":true}"#, Some("1:2"), true),
            (r#"{"source":"1:2","dry_run":true}"#, Some("1:3"), false),
            (r#"{"source":"1:2"}"#, Some("1:3"), false),
            (r#"{"source":"1:2"}"#, None, false),
        ] {
            let query = ReloadQuery::from_json(body.as_bytes()).unwrap();
            assert_eq!(query.is_for(&of(id)), meant, "{body} {id:?}");
            assert_eq!(query.dry_run, body.contains("dry_run"), "{body}");
        }
        for bad in [
            "x",
            "7",
            r#"{"source":1}"#,
            r#"{"source":null}"#,
            r#"{"dry_run":null}"#,
            r#"{"dry_run":1}"#,
            r#"{"sauce":"1:2"}"#,
        ] {
            assert!(ReloadQuery::from_json(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
