//! The contract with the companion: a request's fields in, an answer's fields out (`POST /v1/helper`).
//!
//! Byte `01`, then fields `u8 tag, u32 LE length, bytes`. A companion frozen in an image talks to every later
//! daemon, so a tag's meaning never changes, and unknown tags are skipped on both sides. `tests/wire/README.md` has the table.

use std::collections::BTreeMap;
use std::time::Duration;

use zeroize::Zeroizing;

/// The first byte of both frames.
const VERSION: u8 = 1;

/// How an answer opens that is written as it happens; fields follow.
pub const OPENING: &[u8] = &[VERSION];

/// The most fields that a request may have: an argv longer than this is no honest one.
const MAX_FIELDS: usize = 4_096;

/// One run of the companion.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invocation {
    /// The arguments, the program's name first.
    pub args: Vec<String>,
    /// The part of its environment that it sends.
    pub env: BTreeMap<String, String>,
    /// Which of its streams are terminals.
    pub terminal: Terminal,
    /// The terminal's width in columns; 0 when there is none.
    pub columns: u16,
    /// Its standard input, when it was asked for.
    pub stdin: Option<Vec<u8>>,
    /// The time left until it gives up.
    pub deadline: Option<Duration>,
}

/// Which standard streams are terminals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terminal {
    /// Standard input.
    pub input: bool,
    /// Standard output.
    pub output: bool,
    /// Standard error.
    pub error: bool,
}

/// What the companion is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Print these and exit.
    Done(Reply),
    /// Read standard input and send the request again with it.
    SendInput {
        /// One line of it, or all.
        one_line: bool,
    },
    /// Print this question on standard error, and send the request again with one line of standard input.
    Prompt(String),
    /// Send the request again at the admin socket.
    SendToAdmin {
        /// What is printed where that cannot be done: by a companion from before this answer, and by one that took the token
        /// socket for the admin socket.
        otherwise: Reply,
    },
}

/// What the companion prints, and its exit code.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Standard output; may hold a token.
    pub stdout: Zeroizing<Vec<u8>>,
    /// Standard error.
    pub stderr: String,
    /// The exit code.
    pub exit: u8,
}

/// Why bytes are not a request: fixed sentences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MalformedFrame(pub &'static str);

// === impl Invocation ===

impl Invocation {
    /// Reads a request.
    ///
    /// # Errors
    /// [`MalformedFrame`] for another version, a length beyond the end, too many fields, a field of a wrong size, or
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

impl Answer {
    /// The answer's bytes.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // Of its final size, since a buffer that grows leaves copies behind: what is in it, and 5 bytes for each field.
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
                // First, since a companion stays with an answer of which it has shown something.
                push(&mut bytes, 5, &[]);
                push_reply(&mut bytes, otherwise);
            }
        }
        bytes
    }
}

/// A field of standard output by itself. An empty one is a sign of life.
pub fn stdout(bytes: &[u8]) -> Vec<u8> {
    let mut field = Vec::with_capacity(bytes.len() + 5);
    push(&mut field, 1, bytes);
    field
}

/// The fields that end an answer which was written as it happened.
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
    // Fields are capped far below 4 GiB; a longer one is cut rather than given a length that lies.
    let len = u32::try_from(field.len()).unwrap_or(u32::MAX);
    bytes.push(tag);
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(field.get(..len as usize).unwrap_or(field));
}

impl From<Reply> for Answer {
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
    fn malformed_requests_are_refused_without_allocating_what_they_claim() {
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
    fn an_answer_has_its_exit_code_last() {
        let reply = Reply {
            stdout: Zeroizing::new(b"out".to_vec()),
            stderr: "err".into(),
            exit: 75,
        };
        let want = frame(&[field(1, b"out"), field(2, b"err"), field(3, &[75])]);
        assert_eq!(*Answer::Done(reply).to_bytes(), want);
        assert_eq!(
            *Answer::SendInput { one_line: true }.to_bytes(),
            frame(&[field(4, &[1])])
        );
        let question = Answer::Prompt("Sure?\n".into());
        let asks = frame(&[field(2, b"Sure?\n"), field(4, &[1])]);
        assert_eq!(*question.to_bytes(), asks);
    }

    #[test]
    fn the_word_to_go_to_the_admin_socket_stands_before_what_old_companions_print() {
        let otherwise = || Reply {
            stderr: "admin only".into(),
            exit: 77,
            ..Reply::default()
        };
        let answer = Answer::SendToAdmin {
            otherwise: otherwise(),
        };
        let bytes = answer.to_bytes();
        let fields = [field(5, &[]), field(2, b"admin only"), field(3, &[77])];
        assert_eq!(*bytes, frame(&fields));
        assert!(bytes.capacity() >= bytes.len());
        assert_eq!(
            *Answer::Done(otherwise()).to_bytes(),
            frame(&fields[1..]),
            "a companion that skips field 5 sees this"
        );
    }

    proptest! {
        #![proptest_config(crate::testing::many_cases())]
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Invocation::parse(&bytes);
            let _ = Invocation::parse(&[vec![1], bytes].concat());
        }
    }
}
