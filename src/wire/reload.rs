//! `POST /v1/reload`: of which daemon it is meant, and which daemon has done it.

use serde::{Deserialize, Deserializer, Serialize};

/// What the body of a reload may say; no body says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReloadQuery {
    /// The reload is meant for the daemon that has this configuration and state, and for no other.
    #[serde(
        default,
        deserialize_with = "text",
        skip_serializing_if = "Option::is_none"
    )]
    pub source: Option<String>,
    /// Whether the daemon is only to say that it is the one, and reads nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// Which configuration and which state a daemon has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The configuration's path, without links, as the daemon sees it.
    pub config: String,
    /// The state folder's path, likewise.
    pub state: String,
    /// The same for every program that sees the same files, by whatever paths; absent where that cannot be told.
    #[serde(rename = "source", skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// A text; `null` is none, and not the same as no member.
fn text<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    String::deserialize(value).map(Some)
}

// === impl ReloadQuery ===

impl ReloadQuery {
    /// Reads a body.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_json(body: &[u8]) -> Result<Self, &'static str> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(body)
            .map_err(|_| "the body is neither empty nor {\"source\": \"…\"}, with \"dry_run\": true or without")
    }

    /// Whether it is meant for the daemon that has this.
    pub fn is_for(&self, source: &Source) -> bool {
        self.source.is_none() || self.source == source.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_is_meant_for_any_daemon_or_for_the_one_that_it_names() {
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
