//! Frames of the companion's protocol: the fields of a request and of an answer (`POST /v1/helper`).
//!
//! A frame is the byte `01`, followed by fields `u8 tag, u32 LE length, bytes`. A companion frozen in an image talks to
//! every later daemon, so a tag's meaning never changes, and both sides skip unknown tags. `tests/wire/README.md` has
//! the table.

use std::collections::BTreeMap;
use std::time::Duration;

use zeroize::Zeroizing;

/// First byte of both frames.
const VERSION: u8 = 1;

/// Opening of an answer that is streamed. Fields follow.
pub const OPENING: &[u8] = &[VERSION];

/// Maximum number of fields of a request. No honest argv is longer.
const MAX_FIELDS: usize = 4_096;

/// One run of the companion.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invocation {
    /// The arguments, with the program's name first.
    pub args: Vec<String>,
    /// The environment variables that the companion sends.
    pub env: BTreeMap<String, String>,
    /// Which of the companion's streams are terminals.
    pub terminal: Terminal,
    /// Width of the terminal in columns, or 0 without a terminal.
    pub columns: u16,
    /// The companion's standard input, if it was requested.
    pub stdin: Option<Vec<u8>>,
    /// The time left until the companion gives up.
    pub deadline: Option<Duration>,
}

/// The standard streams that are terminals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terminal {
    /// Standard input.
    pub input: bool,
    /// Standard output.
    pub output: bool,
    /// Standard error.
    pub error: bool,
}

/// Instructions for the companion.
#[derive(Debug, PartialEq, Eq)]
pub enum Instruction {
    /// Print this and exit.
    Done(Reply),
    /// Read standard input, and send the request again with it.
    SendInput {
        /// Whether to read one line rather than everything.
        one_line: bool,
    },
    /// Print this question to standard error, and send the request again with one line of standard input.
    Prompt(String),
    /// Send the request again to the admin socket.
    SendToAdmin {
        /// Printed if the companion cannot do that: it is older than this answer, or it mistook the token socket for
        /// the admin socket.
        otherwise: Reply,
    },
}

/// The output of the companion, and its exit code.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Standard output. It may contain a token.
    pub stdout: Zeroizing<Vec<u8>>,
    /// Standard error.
    pub stderr: String,
    /// The exit code.
    pub exit: u8,
}

/// Reason why bytes are not a request, as a fixed sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MalformedFrame(pub &'static str);

// === impl Invocation ===

impl Invocation {
    /// Parses a request.
    ///
    /// # Errors
    /// [`MalformedFrame`] for another version, a length beyond the end, too many fields, a field of the wrong size, or
    /// text that is not UTF-8.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedFrame> {
        let Some((&VERSION, mut rest)) = bytes.split_first() else {
            return Err(MalformedFrame("the request's first byte is not 01"));
        };
        let mut invocation = Self::default();
        let mut fields = 0;
        while !rest.is_empty() {
            fields += 1;
            if fields > MAX_FIELDS {
                return Err(MalformedFrame("the request has too many fields"));
            }
            let (tag, field, after) = split_field(rest)?;
            invocation.take(tag, field)?;
            rest = after;
        }
        if invocation.args.is_empty() {
            return Err(MalformedFrame("the request has no argument"));
        }
        Ok(invocation)
    }

    fn take(&mut self, tag: u8, field: &[u8]) -> Result<(), MalformedFrame> {
        match tag {
            1 => self.args.push(text(field)?.to_owned()),
            2 => {
                let (name, value) = text(field)?
                    .split_once('=')
                    .ok_or(MalformedFrame("a variable has no '='"))?;
                self.env.insert(name.to_owned(), value.to_owned());
            }
            3 => {
                let &[bits, low, high] = field else {
                    return Err(MalformedFrame("the terminal field has not 3 bytes"));
                };
                self.terminal = Terminal {
                    input: bits & 1 != 0,
                    output: bits & 2 != 0,
                    error: bits & 4 != 0,
                };
                self.columns = u16::from_le_bytes([low, high]);
            }
            4 => self.stdin = Some(field.to_vec()),
            5 => {
                let ms = <[u8; 4]>::try_from(field)
                    .map_err(|_| MalformedFrame("the deadline field has not 4 bytes"))?;
                self.deadline = Some(Duration::from_millis(u32::from_le_bytes(ms).into()));
            }
            _ => {}
        }
        Ok(())
    }
}

fn split_field(bytes: &[u8]) -> Result<(u8, &[u8], &[u8]), MalformedFrame> {
    let cut = MalformedFrame("a field ends beyond the request's end");
    let (&tag, rest) = bytes.split_first().ok_or(cut)?;
    let (len, rest) = rest.split_first_chunk::<4>().ok_or(cut)?;
    let len = usize::try_from(u32::from_le_bytes(*len)).map_err(|_| cut)?;
    let (field, after) = rest.split_at_checked(len).ok_or(cut)?;
    Ok((tag, field, after))
}

fn text(field: &[u8]) -> Result<&str, MalformedFrame> {
    std::str::from_utf8(field).map_err(|_| MalformedFrame("an argument or a variable is not UTF-8"))
}

// === impl Answer ===

impl Instruction {
    /// Returns the answer's bytes.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // Allocate the final size, because a growing buffer leaves copies behind: the content, and 5 bytes per field.
        let fields = match self {
            Self::Done(reply) | Self::SendToAdmin { otherwise: reply } => {
                reply.stdout.len() + reply.stderr.len()
            }
            Self::Prompt(question) => question.len(),
            Self::SendInput { .. } => 0,
        };
        let mut bytes = Zeroizing::new(Vec::with_capacity(fields + 22));
        bytes.push(VERSION);
        match self {
            Self::Done(reply) => push_reply(&mut bytes, reply),
            Self::SendInput { one_line } => push(&mut bytes, 4, &[u8::from(*one_line)]),
            Self::Prompt(question) => {
                push(&mut bytes, 2, question.as_bytes());
                push(&mut bytes, 4, &[1]);
            }
            Self::SendToAdmin { otherwise } => {
                // This field comes first, because a companion that has already printed something stays with the answer.
                push(&mut bytes, 5, &[]);
                push_reply(&mut bytes, otherwise);
            }
        }
        bytes
    }
}

/// Returns a single field of standard output. An empty one is a heartbeat.
pub fn stdout(bytes: &[u8]) -> Vec<u8> {
    let mut field = Vec::with_capacity(bytes.len() + 5);
    push(&mut field, 1, bytes);
    field
}

/// Returns the fields that end a streamed answer.
pub fn end(reply: &Reply) -> Vec<u8> {
    let mut fields = vec![];
    push(&mut fields, 2, reply.stderr.as_bytes());
    push(&mut fields, 3, &[reply.exit]);
    fields
}

fn push_reply(bytes: &mut Vec<u8>, reply: &Reply) {
    if !reply.stdout.is_empty() {
        push(bytes, 1, &reply.stdout);
    }
    if !reply.stderr.is_empty() {
        push(bytes, 2, reply.stderr.as_bytes());
    }
    push(bytes, 3, &[reply.exit]);
}

fn push(bytes: &mut Vec<u8>, tag: u8, field: &[u8]) {
    // Fields are limited to far less than 4 GiB. A longer one is truncated, so that its length stays correct.
    let len = u32::try_from(field.len()).unwrap_or(u32::MAX);
    bytes.push(tag);
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(field.get(..len as usize).unwrap_or(field));
}

impl From<Reply> for Instruction {
    fn from(reply: Reply) -> Self {
        Self::Done(reply)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![];
        push(&mut out, tag, bytes);
        out
    }

    fn frame(fields: &[Vec<u8>]) -> Vec<u8> {
        [vec![1], fields.concat()].concat()
    }

    #[test]
    fn all_fields_are_read_and_unknown_ones_skipped() {
        let bytes = frame(&[
            field(1, b"jeton"),
            field(1, b"token"),
            field(2, b"JETON_PROFILE=ci=x"),
            field(200, b"of a later version"),
            field(3, &[5, 80, 1]),
            field(4, b"in\n"),
            field(5, &30_000u32.to_le_bytes()),
        ]);
        let got = Invocation::parse(&bytes).unwrap();
        assert_eq!(got.args, ["jeton", "token"]);
        assert_eq!(got.env["JETON_PROFILE"], "ci=x");
        assert_eq!(
            got.terminal,
            Terminal {
                input: true,
                output: false,
                error: true
            }
        );
        assert_eq!(got.columns, 336);
        assert_eq!(got.stdin.as_deref(), Some(&b"in\n"[..]));
        assert_eq!(got.deadline, Some(Duration::from_secs(30)));
    }

    #[test]
    fn malformed_requests_are_refused_without_allocating_their_stated_sizes() {
        for bad in [
            vec![],
            vec![0],
            vec![2],
            vec![1],
            vec![1, 1],
            vec![1, 1, 0xff, 0xff, 0xff, 0xff, b'a'],
            vec![1, 1, 2, 0, 0, 0, b'a'],
            frame(&[field(1, &[0xff])]),
            frame(&[field(1, b"jeton"), field(2, b"no-equals")]),
            frame(&[field(1, b"jeton"), field(3, &[1])]),
            frame(&[field(1, b"jeton"), field(5, &[1])]),
            frame(&vec![field(1, b"a"); MAX_FIELDS + 1]),
        ] {
            assert!(Invocation::parse(&bad).is_err(), "{:?}", bad.get(..20));
        }
    }

    #[test]
    fn an_answer_ends_with_its_exit_code() {
        let reply = Reply {
            stdout: Zeroizing::new(b"out".to_vec()),
            stderr: "err".into(),
            exit: 75,
        };
        let want = frame(&[field(1, b"out"), field(2, b"err"), field(3, &[75])]);
        assert_eq!(*Instruction::Done(reply).to_bytes(), want);
        assert_eq!(
            *Instruction::SendInput { one_line: true }.to_bytes(),
            frame(&[field(4, &[1])])
        );
        let question = Instruction::Prompt("Sure?\n".into());
        let asks = frame(&[field(2, b"Sure?\n"), field(4, &[1])]);
        assert_eq!(*question.to_bytes(), asks);
    }

    #[test]
    fn the_admin_redirect_precedes_the_fields_for_old_companions() {
        let otherwise = || Reply {
            stderr: "admin only".into(),
            exit: 77,
            ..Reply::default()
        };
        let answer = Instruction::SendToAdmin {
            otherwise: otherwise(),
        };
        let bytes = answer.to_bytes();
        let fields = [field(5, &[]), field(2, b"admin only"), field(3, &[77])];
        assert_eq!(*bytes, frame(&fields));
        assert!(bytes.capacity() >= bytes.len());
        assert_eq!(
            *Instruction::Done(otherwise()).to_bytes(),
            frame(&fields[1..]),
            "a companion that skips field 5 sees this"
        );
    }

    proptest! {
        #![proptest_config(crate::testing::many_cases())]
        #[test]
        fn parsing_any_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Invocation::parse(&bytes);
            let _ = Invocation::parse(&[vec![1], bytes].concat());
        }
    }
}
