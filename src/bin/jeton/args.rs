//! Parses the arguments: separates the companion's own options from the words that are sent.

use crate::output::{Exit, USAGE, complain};
use crate::sys::Arg;

/// The longest time that an option accepts, in seconds: a day, the longest lifetime of a token.
const LONGEST_SECONDS: u32 = 86_400;

/// The companion's own options, each with a value. They are not sent to the daemon.
#[derive(Clone, Copy)]
enum OwnOption {
    Socket,
    AdminSocket,
    Timeout,
}

const OWN: [(&[u8], OwnOption); 3] = [
    (b"--socket", OwnOption::Socket),
    (b"--admin-socket", OwnOption::AdminSocket),
    (b"--timeout", OwnOption::Timeout),
];

/// The parsed call of the companion.
pub(crate) struct Call {
    /// The last component of argv\[0\].
    pub(crate) name: &'static [u8],
    /// Whether the companion was called by its own name. Under another name it acts as another tool's helper, and every
    /// argument belongs to that tool's protocol.
    pub(crate) is_jeton: bool,
    /// The arguments after argv\[0\], with the closing null pointer.
    pub(crate) rest: &'static [Option<Arg<'static>>],
    pub(crate) socket: Option<&'static [u8]>,
    pub(crate) admin_socket: Option<&'static [u8]>,
    /// The timeout, in milliseconds.
    pub(crate) timeout: Option<u32>,
    /// The value of `ready --wait`, in milliseconds.
    pub(crate) wait: Option<u32>,
}

impl Call {
    pub(crate) fn parse(argv: &'static [Option<Arg<'static>>]) -> Result<Self, Exit> {
        let (name, rest) = match argv.split_first() {
            Some((Some(name), rest)) => (name.bytes(), rest),
            // A program can be started without any arguments, not even its name.
            _ => (b"jeton".as_slice(), argv),
        };
        let name = name.rsplit(|&byte| byte == b'/').next().unwrap_or(name);
        let is_jeton = name == b"jeton";
        let mut call = Self {
            name,
            is_jeton,
            rest,
            socket: None,
            admin_socket: None,
            timeout: None,
            wait: None,
        };
        for piece in call.pieces() {
            let Piece::Option(name, own, value) = piece else {
                continue;
            };
            let Some(value) = value.filter(|value| !value.is_empty()) else {
                return Err(complain(USAGE, &[name, b" needs a value"]));
            };
            match own {
                OwnOption::Socket => call.socket = Some(value),
                OwnOption::AdminSocket => call.admin_socket = Some(value),
                // A deadline of zero would make every request fail.
                OwnOption::Timeout => call.timeout = Some(seconds(name, value, 1)?),
            }
        }
        if call.verb() == Some(b"ready") {
            call.wait = call.ready_wait()?;
        }
        Ok(call)
    }

    /// Returns the words to send after the name.
    pub(crate) fn words(&self) -> impl Iterator<Item = &'static [u8]> {
        self.pieces().filter_map(|piece| match piece {
            Piece::Word(word) => Some(word),
            Piece::Option(..) => None,
        })
    }

    /// Reports whether the call requests the usage of the verb. Words after `--` do not count.
    #[inline(never)]
    pub(crate) fn asks_for_help(&self) -> bool {
        let mut own = self.words().take_while(|word| *word != b"--");
        own.any(|word| matches!(word, b"--help" | b"-h"))
    }

    /// Returns the first word; `None` under another name, where there are no verbs.
    #[inline(never)]
    pub(crate) fn verb(&self) -> Option<&'static [u8]> {
        self.words().next().filter(|_| self.is_jeton)
    }

    fn pieces(&self) -> Pieces {
        Pieces {
            rest: self.rest,
            own_options: self.is_jeton,
        }
    }

    /// Parses the value of `--wait`. It is also sent, since a running daemon handles it; while no daemon runs, the
    /// companion waits instead.
    #[inline(never)]
    fn ready_wait(&self) -> Result<Option<u32>, Exit> {
        let mut words = self.words().take_while(|&word| word != b"--");
        let mut wait = None;
        while let Some(word) = words.next() {
            let value = match word.strip_prefix(b"--wait") {
                Some([]) => words.next().unwrap_or_default(),
                Some([b'=', value @ ..]) => value,
                _ => continue,
            };
            wait = Some(seconds(b"--wait", value, 0)?);
        }
        Ok(wait)
    }
}

/// An argument, or one of the companion's own options with its value.
enum Piece {
    Word(&'static [u8]),
    Option(&'static [u8], OwnOption, Option<&'static [u8]>),
}

/// An iterator over the arguments. Options may stand before or after the verb, up to `--`.
struct Pieces {
    rest: &'static [Option<Arg<'static>>],
    own_options: bool,
}

impl Pieces {
    #[inline(never)]
    fn take(&mut self) -> Option<&'static [u8]> {
        let (first, rest) = self.rest.split_first()?;
        let word = (*first)?.bytes();
        self.rest = rest;
        Some(word)
    }
}

impl Iterator for Pieces {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let word = self.take()?;
        if word == b"--" {
            self.own_options = false;
        }
        if self.own_options {
            for (name, own) in OWN {
                match word.strip_prefix(name) {
                    Some([]) => return Some(Piece::Option(name, own, self.take())),
                    Some([b'=', value @ ..]) => return Some(Piece::Option(name, own, Some(value))),
                    _ => {}
                }
            }
        }
        Some(Piece::Word(word))
    }
}

/// Parses seconds with decimals to milliseconds. The message does not repeat the value: it may be a secret that was
/// pasted into the wrong place.
fn seconds(option: &[u8], text: &[u8], least_ms: u32) -> Result<u32, Exit> {
    milliseconds(text)
        .filter(|&ms| ms >= least_ms && ms <= LONGEST_SECONDS * 1000)
        .ok_or_else(|| {
            let range: &[u8] = if least_ms == 0 {
                b" wants seconds, 0 to 86400"
            } else {
                b" wants seconds, 0.001 to 86400"
            };
            complain(USAGE, &[option, range])
        })
}

/// Parses `30`, `0.3`, `.3` to thousandths; drops decimals after the third.
pub(crate) fn milliseconds(text: &[u8]) -> Option<u32> {
    let mut digits = text.splitn(2, |&byte| byte == b'.');
    let (whole, part) = (digits.next()?, digits.next().unwrap_or_default());
    if whole.is_empty() && part.is_empty() || !whole.iter().chain(part).all(u8::is_ascii_digit) {
        return None;
    }
    let thousandths = part.iter().chain(b"000").take(3);
    whole
        .iter()
        .chain(thousandths)
        .try_fold(0_u32, |sum, digit| {
            sum.checked_mul(10)?.checked_add(u32::from(digit - b'0'))
        })
}
