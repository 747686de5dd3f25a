//! `POST /v1/token-issued`: an issuer gave a client a token without the daemon, for example when an enrolment was
//! tested.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

/// Largest accepted age of the token, in seconds.
const LONGEST_AGO: f64 = 3_600.0;

/// The client that was given a token, and when. Contains no secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenIssued {
    /// The origin of the token endpoint, as `scheme://host[:port]`.
    pub origin: String,
    /// The client ID.
    pub client_id: String,
    /// Age of the token in seconds. It is not a time, because the clocks of two processes may differ, for example if
    /// one was set.
    #[serde(default)]
    pub seconds_ago: f64,
}

/// The profiles of that client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenIssuedReply {
    /// The names of the profiles.
    pub profiles: Vec<String>,
}

// === impl TokenIssued ===

impl TokenIssued {
    /// Parses a body.
    ///
    /// # Errors
    /// A fixed sentence that describes a valid body.
    pub fn from_json(body: &[u8]) -> Result<Self, &'static str> {
        const WANTED: &str = "the body is {\"origin\": \"https://HOST\", \"client_id\": \"ID\"}, with \"seconds_ago\" from 0 to 3600 or without";
        let read: Self = serde_json::from_slice(body).map_err(|_| WANTED)?;
        let origin = Url::parse(&read.origin).map_err(|_| WANTED)?.origin();
        if !origin.is_tuple()
            || read.client_id.is_empty()
            || !(0.0..=LONGEST_AGO).contains(&read.seconds_ago)
        {
            return Err(WANTED);
        }
        let origin = origin.ascii_serialization();
        Ok(Self { origin, ..read })
    }

    /// Returns the age of the token.
    pub fn ago(&self) -> Duration {
        Duration::try_from_secs_f64(self.seconds_ago).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_issued_notice_must_name_origin_and_client() {
        let read = |body: &str| TokenIssued::from_json(body.as_bytes());
        for (body, origin, millis) in [
            (
                r#"{"origin":"https://a.b","client_id":"c"}"#,
                "https://a.b",
                0,
            ),
            (
                r#"{"origin":"https://A.b:443/x?y","client_id":"c","seconds_ago":1.5}"#,
                "https://a.b",
                1_500,
            ),
            (
                r#"{"origin":"http://127.0.0.1:8080","client_id":"c","seconds_ago":3600}"#,
                "http://127.0.0.1:8080",
                3_600_000,
            ),
        ] {
            let read = read(body).unwrap();
            assert_eq!(read.origin, origin);
            assert_eq!(read.ago(), Duration::from_millis(millis));
            let again = serde_json::to_string(&read).unwrap();
            assert_eq!(TokenIssued::from_json(again.as_bytes()), Ok(read));
        }
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"origin":"https://a.b"}"#,
            r#"{"client_id":"c"}"#,
            r#"{"origin":"https://a.b","client_id":""}"#,
            r#"{"origin":"a.b","client_id":"c"}"#,
            r#"{"origin":"data:x","client_id":"c"}"#,
            r#"{"origin":null,"client_id":"c"}"#,
            r#"{"origin":"https://a.b","client_id":7}"#,
            r#"{"origin":"https://a.b","client_id":"c","seconds_ago":-1}"#,
            r#"{"origin":"https://a.b","client_id":"c","seconds_ago":3601}"#,
            r#"{"origin":"https://a.b","client_id":"c","seconds_ago":1e400}"#,
            r#"{"origin":"https://a.b","client_id":"c","seconds_ago":null}"#,
            r#"{"origin":"https://a.b","client_id":"c","client_secret":"x"}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
