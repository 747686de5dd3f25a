//! Handles replies other than 200, which are RFC 9457 problems: prints the `detail`, and derives the exit code from the
//! `code`.

use crate::bytes::{copy, same};
use crate::output::{CONFIGURATION, Decimal, Exit, FAILED, REFUSED, TRY_AGAIN, USAGE, complain};
use crate::sys::{BufferGuard, StaticBuffer};

/// How many bytes of a problem are kept. The daemon's problems are shorter.
const KEPT: usize = 4096;

/// The daemon's problem codes and their exit codes.
const CODES: [(&[u8], u8); 19] = [
    (b"bad_request", USAGE),
    (b"payload_too_large", USAGE),
    (b"method_not_allowed", USAGE),
    (b"not_found", USAGE),
    (b"forbidden", REFUSED),
    (b"unknown_profile", CONFIGURATION),
    (b"not_enrolled", CONFIGURATION),
    (b"misconfigured", CONFIGURATION),
    (b"binding_changed", CONFIGURATION),
    (b"rejected_by_provider", FAILED),
    (b"unavailable", TRY_AGAIN),
    (b"deadline", TRY_AGAIN),
    (b"too_many_requests", TRY_AGAIN),
    (b"cooling_down", TRY_AGAIN),
    (b"conflict", TRY_AGAIN),
    (b"needs_human", FAILED),
    (b"locked", TRY_AGAIN),
    (b"not_supported", USAGE),
    (b"internal", FAILED),
];

static ROOM: StaticBuffer<[u8; KEPT]> = StaticBuffer::new([0; KEPT]);

/// The body of a reply other than 200.
pub(crate) struct Problem {
    /// Lent with the first byte: most replies have none.
    held: Option<BufferGuard<[u8; KEPT]>>,
    used: usize,
}

impl Problem {
    pub(crate) const fn new() -> Self {
        Self {
            held: None,
            used: 0,
        }
    }

    /// Drops the kept bytes.
    pub(crate) fn clear(&mut self) {
        self.used = 0;
    }

    /// Keeps the bytes that fit. A truncated member counts as missing; the HTTP status then decides.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), Exit> {
        let held = match &mut self.held {
            Some(held) => held,
            none => none.insert(ROOM.lend()?),
        };
        self.used += copy(held.get_mut(self.used..).unwrap_or_default(), bytes);
        Ok(())
    }

    /// Prints the problem and returns the exit code.
    pub(crate) fn report(&self, status: u16) -> u8 {
        let json = self.held.as_ref().and_then(|held| held.get(..self.used));
        let json = json.unwrap_or_default();
        let mut room = [0; KEPT];
        let code = member(json, b"code", &mut room)
            .and_then(|code| CODES.iter().find(|(name, _)| same(name, code)));
        let exit = code.map_or_else(|| by_status(status), |&(_, exit)| exit);
        let Exit(exit) = match member(json, b"detail", &mut room) {
            Some(detail) => complain(exit, &[detail]),
            None => complain(
                exit,
                &[
                    b"the daemon answered with HTTP status ",
                    Decimal::new(u32::from(status)).digits(),
                ],
            ),
        };
        exit
    }
}

/// Returns the exit code for an HTTP status: for the codes of a later daemon, and for replies that do not come from the
/// daemon.
fn by_status(status: u16) -> u8 {
    match status {
        403 => REFUSED,
        429 | 503 | 504 => TRY_AGAIN,
        400..=499 => USAGE,
        500..=599 => FAILED,
        _ => TRY_AGAIN,
    }
}

/// Finds the value of a string member of the outermost object, and unescapes it into `room`.
fn member<'a>(json: &[u8], name: &[u8], room: &'a mut [u8; KEPT]) -> Option<&'a [u8]> {
    let mut depth = 0_usize;
    let mut at = 0;
    // Whether the next string of the outermost object is a name, and whether the last name was the wanted one.
    let (mut is_name, mut found) = (true, false);
    while let Some(&byte) = json.get(at) {
        at += 1;
        match byte {
            b'"' => {
                let text = json.get(at..)?;
                let (length, used) = unescape(text, room)?;
                at += length;
                if depth == 1 && is_name {
                    found = room.get(..used)? == name;
                } else if depth == 1 && found {
                    return room.get(..used);
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b':' if depth == 1 => is_name = false,
            b',' if depth == 1 => (is_name, found) = (true, false),
            _ => {}
        }
    }
    None
}

/// Unescapes a JSON string after its opening quote. Returns its length with the closing quote, and the length of the
/// unescaped text.
fn unescape(text: &[u8], room: &mut [u8; KEPT]) -> Option<(usize, usize)> {
    let (mut at, mut used) = (0, 0);
    loop {
        let byte = *text.get(at)?;
        at += 1;
        let character = match byte {
            b'"' => return Some((at, used)),
            b'\\' => {
                let escape = *text.get(at)?;
                at += 1;
                match escape {
                    b'b' => '\x08',
                    b'f' => '\x0c',
                    b'n' => '\n',
                    b'r' => '\r',
                    b't' => '\t',
                    b'u' => {
                        let mut unit = hex(text.get(at..at + 4)?)?;
                        at += 4;
                        if let (0xD800..=0xDBFF, Some([b'\\', b'u', low @ ..])) =
                            (unit, text.get(at..at + 6))
                            && let Some(low @ 0xDC00..=0xDFFF) = hex(low)
                        {
                            unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                            at += 6;
                        }
                        char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)
                    }
                    plain => char::from(plain),
                }
            }
            _ => {
                // A byte that needs no unescaping, maybe a part of a multi-byte character.
                *room.get_mut(used)? = byte;
                used += 1;
                continue;
            }
        };
        let mut encoded = [0; 4];
        let encoded = character.encode_utf8(&mut encoded).as_bytes();
        // If this character does not fit, the next one does not fit either.
        used += copy(room.get_mut(used..)?, encoded);
    }
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, &digit| {
        Some(sum * 16 + char::from(digit).to_digit(16)?)
    })
}
