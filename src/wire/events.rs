//! Server-sent events of `/watch` (WHATWG HTML, "Server-sent events").

use super::{ProfileReply, TokenReply};

/// A heartbeat, which readers skip.
pub const COMMENT: &[u8] = b":\n\n";

/// Returns the event of a new token. Its id is the generation, which a reconnecting reader sends as `Last-Event-ID`.
pub fn token(reply: &TokenReply<'_>) -> Vec<u8> {
    let head = format!("event: token\nid: {}\ndata: ", reply.generation);
    // The line already ends with a newline, and an empty line ends the event.
    [head.as_bytes(), &reply.to_line(), b"\n"].concat()
}

/// Returns the event of a change of state. It has no id, because a token that has not been sent yet must not count as
/// received.
pub fn state(reply: &ProfileReply) -> Vec<u8> {
    // A struct of strings and numbers always serialises, and without a line break.
    let json = serde_json::to_vec(reply).unwrap_or_default();
    [b"event: state\ndata: ", json.as_slice(), b"\n\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::AccessToken;

    #[test]
    fn a_token_of_any_characters_stays_within_one_data_line() {
        let text: String = ('!'..='~').collect();
        let held = AccessToken::parse(&text).unwrap();
        let event = token(&TokenReply {
            profile: "research",
            token_in_json: held.expose_json(),
            token_type: "Bearer",
            expires_in: 1,
            expires_at: 2,
            generation: 7,
            stale: false,
        });
        let event = String::from_utf8(event).unwrap();
        let data = event.strip_prefix("event: token\nid: 7\ndata: ").unwrap();
        let (data, rest) = data.split_once('\n').unwrap();
        assert_eq!(rest, "\n");
        let read: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(read["access_token"], text);
    }
}
