//! Answers to mutated requests, and what they may contain.

use jetond::wire::MAX_FRAME;

use super::delivery::stated_length;

/// Parts of an answer, each with whether it may contain a token.
pub(super) type Parts = Vec<(Vec<u8>, bool)>;

/// The answers of one connection.
#[derive(Default)]
pub(super) struct Answers {
    pub(super) parts: Parts,
    /// The outcome of each answer: its status, or the exit code of the frame in it.
    pub(super) outcomes: Vec<String>,
}

/// Parses the answers of one connection. An error describes something that they must not contain. Escape sequences are
/// allowed if the request states a terminal.
pub(super) fn read(mut bytes: &[u8], has_terminal: bool) -> Result<Answers, String> {
    let Answers {
        mut parts,
        mut outcomes,
    } = Answers::default();
    while !bytes.is_empty() {
        let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            // Cut off, because the connection was not read to its end.
            parts.push((bytes.to_vec(), false));
            break;
        };
        let (head, rest) = bytes.split_at(at + 4);
        let text = std::str::from_utf8(head).map_err(|_| "a head that is no text")?;
        let text = text.to_ascii_lowercase();
        let status = text
            .strip_prefix("http/1.1 ")
            .or_else(|| text.strip_prefix("http/1.0 "))
            .and_then(|status| status.get(..3)?.parse::<u16>().ok())
            .ok_or("something else than an answer")?;
        parts.push((head.to_vec(), false));
        if status == 500 || !(100..=599).contains(&status) {
            return Err(format!("status {status}"));
        }
        let is_frame = text.contains("\r\ncontent-type: application/vnd.jeton.frame");
        // The answer to HEAD states the length of a body that it does not have.
        let stated = stated_length(&text);
        let length = stated.unwrap_or(rest.len());
        let has_body = status >= 200 && !rest.starts_with(b"HTTP/1.");
        let (body, rest) = rest.split_at(if has_body { length.min(rest.len()) } else { 0 });
        if is_frame && stated == Some(body.len()) {
            let (streams, outcome) = frame(body, has_terminal)?;
            parts.extend(streams);
            outcomes.push(outcome);
        } else {
            outcomes.push(status.to_string());
            parts.push((body.to_vec(), status == 200));
        }
        let is_problem = text.contains("\r\ncontent-type: application/problem+json");
        if is_problem && body.len() == length && has_body {
            let problem: serde_json::Value = serde_json::from_slice(body)
                .map_err(|why| format!("a problem that is no JSON: {why}"))?;
            if !problem["code"].is_string() {
                return Err(format!("a problem without a code: {problem}"));
            }
        }
        bytes = rest;
    }
    Ok(Answers { parts, outcomes })
}

/// Parses a frame. Its standard output may contain a token if its exit code is 0.
fn frame(bytes: &[u8], has_terminal: bool) -> Result<(Parts, String), String> {
    if bytes.len() > MAX_FRAME {
        return Err(format!("a frame of {} bytes", bytes.len()));
    }
    let Some((1, mut rest)) = bytes.split_first() else {
        return Err("a frame of another version".to_owned());
    };
    let (mut stdout, mut stderr, mut exit, mut again) = (vec![], vec![], None, false);
    while let [tag, a, b, c, d, after @ ..] = rest {
        let length = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
        let (field, after) = after
            .split_at_checked(length)
            .ok_or("a field beyond the end")?;
        match tag {
            1 => stdout.extend_from_slice(field),
            2 => stderr.extend_from_slice(field),
            3 => exit = field.first().copied(),
            4 | 5 => again = true,
            _ => return Err(format!("a field of tag {tag}")),
        }
        rest = after;
    }
    if !rest.is_empty() {
        return Err("half a field".to_owned());
    }
    if exit.is_none() && !again {
        return Err("a frame without an exit code".to_owned());
    }
    for (name, text) in [("output", &stdout), ("error", &stderr)] {
        let is_allowed = |byte: u8| byte == b'\n' || has_terminal && byte == 0x1b;
        let is_control = |byte: &&u8| byte.is_ascii_control() && !is_allowed(**byte);
        if let Some(byte) = text.iter().find(is_control) {
            return Err(format!("byte {byte:#04x} in standard {name}"));
        }
    }
    let outcome = exit.map_or("again".to_owned(), |exit| format!("exit {exit}"));
    Ok((vec![(stdout, exit == Some(0)), (stderr, false)], outcome))
}
