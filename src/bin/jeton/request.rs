//! The request: byte `01`, then fields of `u8 tag, u32 LE length, bytes`.
//!
//! The request is written directly from where its parts are stored, so it needs no memory of its own and can be sent
//! again.

use crate::args::Call;
use crate::deadline::Deadline;
use crate::output::Exit;
use crate::sys::{self, Arg, Env};

/// The limit of a frame in both directions: 256 KiB. A daemon reads no more.
pub(crate) const CAP: usize = 256 * 1024;

/// The version of the frame in both directions.
pub(crate) const VERSION: u8 = 1;

/// The length of a field's tag and length.
pub(crate) const FIELD_HEAD: usize = 5;

const TAG_ARGUMENT: u8 = 1;
const TAG_VARIABLE: u8 = 2;
const TAG_TERMINAL: u8 = 3;
const TAG_INPUT: u8 = 4;
const TAG_DEADLINE: u8 = 5;

/// The variables to send: Jeton's own, those that affect the text's form, and those with which a tool passes parameters
/// to its helper. The list is final, since a companion may be frozen in an image. The names are complete, since a
/// secret's name may have one of them as a prefix (`CARGO_REGISTRY_TOKEN`). Sources: the manuals of kubectl, of cargo's
/// credential providers, and of the MCP header helpers of Claude Code.
const VARIABLES: [&[u8]; 9] = [
    b"JETON_PROFILE",
    b"NO_COLOR",
    b"TERM",
    b"COLUMNS",
    b"KUBERNETES_EXEC_INFO",
    b"CARGO_REGISTRY_INDEX_URL",
    b"CARGO_REGISTRY_NAME_OPT",
    b"CLAUDE_CODE_MCP_SERVER_NAME",
    b"CLAUDE_CODE_MCP_SERVER_URL",
];
/// The prefix of further variables to send: Google's executable-sourced credentials, which pass the parameters of a
/// token (audience, type, address) and no secret.
const VARIABLE_PREFIX: &[u8] = b"GOOGLE_EXTERNAL_ACCOUNT_";

/// The first letters of these names, a bit each: most variables begin with another one.
const LETTERS: u32 = {
    let mut letters = first_letter(VARIABLE_PREFIX);
    let mut names = VARIABLES.as_slice();
    while let [name, rest @ ..] = names {
        letters |= first_letter(name);
        names = rest;
    }
    letters
};

const fn first_letter(name: &[u8]) -> u32 {
    match name {
        [first, ..] => letter(*first),
        [] => 0,
    }
}

/// Returns the bit of a letter. Other characters may share it.
const fn letter(byte: u8) -> u32 {
    1 << (byte % 32)
}

/// The words after the program's name.
#[derive(Clone, Copy)]
pub(crate) enum Arguments<'a> {
    /// As the caller gave them, without the companion's own options.
    Given(&'a Call),
    /// Built by the companion.
    Fixed(&'a [&'a [u8]]),
}

/// The reason why a request could not be sent.
#[derive(Debug)]
pub(crate) enum Unsent {
    /// The peer has closed the connection. It may have sent a reply before.
    Closed,
    /// The program must exit.
    Exit(Exit),
}

/// A callback for the tag and the payload of each field.
type FieldCallback<'a> = &'a mut dyn FnMut(u8, &[u8]) -> Result<(), Unsent>;

/// One request.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) words: Arguments<'a>,
    pub(crate) env: Env<'static>,
    pub(crate) terminal: Terminal,
    pub(crate) deadline: &'a Deadline,
    /// Standard input, once the daemon has requested it.
    pub(crate) input: Option<&'a [u8]>,
}

impl Request<'_> {
    /// Returns the length of the frame.
    pub(crate) fn len(&self) -> usize {
        let mut length = 1_usize;
        let counted = self.fields(&mut |_, payload| {
            length = length
                .saturating_add(FIELD_HEAD)
                .saturating_add(payload.len());
            Ok(())
        });
        debug_assert!(counted.is_ok(), "counting cannot fail");
        length
    }

    /// Writes the frame, in pieces.
    pub(crate) fn write(
        &self,
        put: &mut dyn FnMut(&[u8]) -> Result<(), Unsent>,
    ) -> Result<(), Unsent> {
        put(&[VERSION])?;
        self.fields(&mut |tag, payload| {
            put(&[tag])?;
            // The length is at most that of the frame, which was checked.
            put(&(payload.len() as u32).to_le_bytes())?;
            put(payload)
        })
    }

    #[inline(never)]
    fn fields(&self, each: FieldCallback<'_>) -> Result<(), Unsent> {
        each(TAG_ARGUMENT, self.name)?;
        match self.words {
            Arguments::Given(call) => call.words().try_for_each(|word| each(TAG_ARGUMENT, word))?,
            Arguments::Fixed(words) => {
                words.iter().try_for_each(|word| each(TAG_ARGUMENT, word))?;
            }
        }
        self.env
            .args()
            .filter(|&variable| is_sent(variable))
            .try_for_each(|variable| each(TAG_VARIABLE, variable.bytes()))?;
        each(TAG_TERMINAL, &self.terminal.payload())?;
        if let Some(left) = self.deadline.left_ms() {
            each(TAG_DEADLINE, &left.to_le_bytes())?;
        }
        self.input.map_or(Ok(()), |input| each(TAG_INPUT, input))
    }
}

fn is_sent(variable: Arg<'_>) -> bool {
    let is = |name| {
        let rest = variable.strip_prefix(name);
        rest.is_some_and(|rest| matches!(rest.first(), 0 | b'='))
    };
    letter(variable.first()) & LETTERS != 0
        && (variable.strip_prefix(VARIABLE_PREFIX).is_some()
            || VARIABLES.iter().any(|name| is(name)))
}

/// The standard descriptors that are terminals, and the width of the terminal in columns.
#[derive(Clone, Copy)]
pub(crate) struct Terminal {
    bits: u8,
    columns: u16,
}

impl Terminal {
    /// The value without a query of the descriptors.
    pub(crate) const NONE: Self = Self {
        bits: 0,
        columns: 0,
    };

    /// Queries the kernel: the call for a terminal's width fails on everything else.
    pub(crate) fn look() -> Self {
        let [input, output, errors] = [0, 1, 2].map(sys::columns);
        let bit = |found: Option<u16>, bit| if found.is_some() { bit } else { 0 };
        Self {
            bits: bit(input, 1) | bit(output, 2) | bit(errors, 4),
            columns: output.or(errors).unwrap_or(0),
        }
    }

    fn payload(self) -> [u8; 3] {
        let [low, high] = self.columns.to_le_bytes();
        [self.bits, low, high]
    }
}
