//! Frames of the companion, with mutated structure.

use std::fs;
use std::path::Path;
use std::time::Duration;

use jetond::wire::MAX_FRAME;
use jetond::wire::frame::Invocation;

use super::canary::CALLERS_SECRET;
use super::dice::RandomChoices;
use super::wait;
use crate::support::tools::{self, Request};

/// An address of the profile with a token, and one of the profile without.
pub(super) const RESEARCH: &str = "https://git.example:8443";
pub(super) const EMPTY: &str = "https://empty.example";

/// A frame: the version byte, and the fields with the lengths that they claim.
#[derive(Clone)]
struct Frame {
    version: u8,
    fields: Vec<Field>,
}

#[derive(Clone)]
struct Field {
    tag: u8,
    claims: u32,
    bytes: Vec<u8>,
}

/// The frames that are mutated: the recorded ones, or those of tools.
pub(super) struct Frames(Vec<Frame>);

/// Words with a meaning for the daemon or another tool.
const WORDS: [&str; 48] = [
    "token",
    "header",
    "reject",
    "refresh",
    "ready",
    "status",
    "watch",
    "reload",
    "exec",
    "help",
    "version",
    "get",
    "store",
    "erase",
    "list",
    "research",
    "empty",
    "nobody",
    "",
    "-",
    "--",
    "--help",
    "-h",
    "--json",
    "--format",
    "--min-valid",
    "--min-valid=60",
    "--max-wait",
    "--wait",
    "--wait=0.2",
    "--timeout",
    "--generation",
    "--generation=1",
    "--sha256",
    "--since",
    "--env",
    "--env=TOKEN",
    "0",
    "1",
    "-1",
    "1e309",
    "18446744073709551616",
    "NaN",
    "0.3",
    "../../etc/passwd",
    "file:///etc/passwd",
    "exec:id",
    "jeton",
];

/// Variables that the companion sends, and some that it must never send.
const VARIABLES: [&str; 14] = [
    "JETON_PROFILE=research",
    "JETON_PROFILE=empty",
    "JETON_PROFILE=",
    "NO_COLOR=1",
    "TERM=xterm",
    "COLUMNS=0",
    "COLUMNS=99999999999",
    "KUBERNETES_EXEC_INFO={",
    "CARGO_REGISTRY_INDEX_URL=sparse+https://evil.example/",
    "CLAUDE_CODE_MCP_SERVER_URL=https://evil.example\nhost=good",
    "LD_PRELOAD=/tmp/evil.so",
    "=",
    "=x",
    "NAME",
];

/// Returns a standard input. [`CALLERS_SECRET`] must not appear in any output.
fn inputs(dice: &mut RandomChoices) -> Vec<u8> {
    match dice.below(6) {
        0 => vec![],
        1 => format!("{}\n", CALLERS_SECRET).into_bytes(),
        2 => CALLERS_SECRET.repeat(200).into_bytes(),
        3 => b"protocol=https\nhost=good\rhost=evil\n\n".to_vec(),
        4 => dice.nasty(200),
        _ => dice.bytes(64),
    }
}

impl Frames {
    /// Reads the recorded requests.
    pub(super) fn read() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire");
        let mut frames = vec![];
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap();
                if path.is_dir() {
                    folders.push(path);
                } else if name.starts_with("request") {
                    frames.push((path.clone(), Frame::parse(&fs::read(path).unwrap())));
                }
            }
        }
        assert!(frames.len() > 10, "fixtures are missing");
        // The order must depend on the seed only, not on the file system.
        frames.sort_by(|a, b| a.0.cmp(&b.0));
        Self(frames.into_iter().map(|(_, frame)| frame).collect())
    }

    /// Returns the requests of other tools that `is_meant` selects, for an address with a token and for one without.
    pub(super) fn of_tools(is_meant: impl Fn(&Request) -> bool) -> Self {
        let requests = tools::all().into_iter().filter(|request| is_meant(request));
        let frames = requests.flat_map(|request| {
            [(RESEARCH, "research"), (EMPTY, "empty")].map(|(url, profile)| {
                let mut filled = request.filled(url, profile);
                filled.stdin = filled.stdin.replace("CANARY", CALLERS_SECRET);
                Frame::parse(&filled.frame())
            })
        });
        Self(frames.collect())
    }

    /// Returns a mutated frame, how long the daemon may wait before it answers, and whether the frame states a
    /// terminal.
    pub(super) fn mutant(&self, dice: &mut RandomChoices) -> (Vec<u8>, Duration, bool) {
        let mut frame = dice.one(&self.0).clone();
        // The fixtures' deadline of 30 s would only cost time.
        frame.set(5, &deadline(dice).to_le_bytes());
        for _ in 0..dice.below(4) {
            frame.mutate(dice);
        }
        let mut bytes = frame.to_bytes();
        if dice.once_in(6) {
            dice.corrupt(&mut bytes);
        }
        let wait = own_wait(&bytes);
        let run = Invocation::parse(&bytes).unwrap_or_default();
        let has_terminal = run.terminal.output || run.terminal.error;
        (bytes, wait, has_terminal)
    }
}

/// Returns a deadline in milliseconds. Usually a short one, so that a wait without a result ends soon.
fn deadline(dice: &mut RandomChoices) -> u32 {
    match dice.below(40) {
        0 => 0,
        1 => 1,
        2 => 2_000,
        n => 100 + u32::try_from(n * 5).unwrap(),
    }
}

/// Returns how long a daemon may wait for the token that this frame requests.
fn own_wait(bytes: &[u8]) -> Duration {
    let Ok(run) = Invocation::parse(bytes) else {
        return Duration::ZERO;
    };
    let said = run.args.iter().any(|arg| arg.contains("wait"));
    let most = if said { wait::MOST } else { wait::OF_A_TOOL };
    run.deadline.unwrap_or(most).min(most)
}

impl Frame {
    fn parse(bytes: &[u8]) -> Self {
        let mut fields = vec![];
        let mut rest = &bytes[1..];
        while let [tag, a, b, c, d, after @ ..] = rest {
            let claims = u32::from_le_bytes([*a, *b, *c, *d]);
            let (field, after) = after.split_at(claims as usize);
            fields.push(Field::new(*tag, field));
            rest = after;
        }
        let version = bytes[0];
        Self { version, fields }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.version];
        for field in &self.fields {
            bytes.push(field.tag);
            bytes.extend(field.claims.to_le_bytes());
            bytes.extend_from_slice(&field.bytes);
        }
        bytes
    }

    fn set(&mut self, tag: u8, bytes: &[u8]) {
        self.fields.retain(|field| field.tag != tag);
        self.fields.push(Field::new(tag, bytes));
    }

    fn mutate(&mut self, dice: &mut RandomChoices) {
        let at = dice.below(self.fields.len() + 1);
        match dice.below(20) {
            0 => self.version = u8::try_from(dice.below(256)).unwrap(),
            1 if at < self.fields.len() => {
                let right = self.fields[at].claims;
                let lies = [
                    0,
                    1,
                    right.wrapping_sub(1),
                    right.wrapping_add(1),
                    MAX_FRAME as u32,
                    1 << 31,
                    u32::MAX,
                ];
                self.fields[at].claims = *dice.one(&lies);
            }
            2 if at < self.fields.len() => {
                self.fields[at].tag = u8::try_from(dice.below(256)).unwrap();
            }
            3 if at < self.fields.len() => drop(self.fields.remove(at)),
            4 if at < self.fields.len() => {
                let again = self.fields[at].clone();
                for _ in 0..*dice.one(&[1, 1, 2, 100, 4_095, 4_096]) {
                    self.fields.push(again.clone());
                }
            }
            5 => {
                let other = dice.below(self.fields.len());
                let last = self.fields.len() - 1;
                self.fields.swap(at.min(last), other);
            }
            6 if at < self.fields.len() => {
                let mut bytes = std::mem::take(&mut self.fields[at].bytes);
                dice.corrupt(&mut bytes);
                self.fields[at] = Field::new(self.fields[at].tag, &bytes);
            }
            7 => {
                let length = *dice.one(&[1_000, 65_535, MAX_FRAME - 200, MAX_FRAME, MAX_FRAME + 1]);
                let tag = *dice.one(&[1, 2, 4, 99]);
                self.fields
                    .insert(at, Field::new(tag, &vec![*dice.one(b"a=\xff\n"); length]));
            }
            8 => {
                let columns = u16::try_from(*dice.one(&[0, 1, 80, 65_535]))
                    .unwrap()
                    .to_le_bytes();
                let bits = u8::try_from(dice.below(256)).unwrap();
                self.set(3, &[bits, columns[0], columns[1]]);
            }
            9 => {
                let length = dice.below(9);
                let bytes = dice.bytes(length);
                self.set(*dice.one(&[3, 5]), &bytes);
            }
            10 => self.set(5, &dice.one(&[0, 1, 60_000, u32::MAX]).to_le_bytes()),
            11 => self
                .fields
                .insert(at, Field::new(2, dice.one(&VARIABLES).as_bytes())),
            12 => self.set(4, &inputs(dice)),
            13 => self.fields.insert(at, Field::new(1, &dice.nasty(80))),
            14..18 if at < self.fields.len() => self.fields[at].edit(dice),
            _ => self
                .fields
                .insert(at, Field::new(1, dice.one(&WORDS).as_bytes())),
        }
        if self.fields.is_empty() {
            self.fields.push(Field::new(1, b"jeton"));
        }
    }
}

/// Pieces that change a text into another address, line or value, or seem to.
const PIECES: [&str; 32] = [
    "\r",
    "\r\n",
    "\n\n",
    "\0",
    "\x1b[2J",
    "\u{85}",
    "\u{2028}",
    "\u{200b}",
    "\u{ff0e}",
    "host=evil.example\n",
    "protocol=http\n",
    "state[]=jeton:1\n",
    "wwwauth[]=Basic\n",
    "path=../x\n",
    "%0a",
    "%2e",
    "%2f",
    "..",
    "/../",
    "//",
    ";",
    "\\",
    "@",
    "@evil.example",
    ":",
    ":0443",
    ".",
    "#",
    "?",
    "https://",
    "\"",
    "\":{}",
];

impl Field {
    /// Changes a text by its lines, or inserts a piece.
    fn edit(&mut self, dice: &mut RandomChoices) {
        let lines = self.bytes.split_inclusive(|byte| *byte == b'\n');
        let mut lines: Vec<Vec<u8>> = lines.map(<[u8]>::to_vec).collect();
        let (one, other) = (dice.below(lines.len()), dice.below(lines.len()));
        match dice.below(8) {
            0 if !lines.is_empty() => drop(lines.remove(one)),
            1 if !lines.is_empty() => lines.insert(other, lines[one].clone()),
            2 if !lines.is_empty() => lines.swap(one, other),
            _ => {
                let mut bytes = lines.concat();
                let at = dice.below(bytes.len() + 1);
                let piece = dice.one(&PIECES).as_bytes();
                bytes.splice(at..at, piece.iter().copied());
                lines = vec![bytes];
            }
        }
        *self = Self::new(self.tag, &lines.concat());
    }

    fn new(tag: u8, bytes: &[u8]) -> Self {
        Self {
            tag,
            claims: u32::try_from(bytes.len()).unwrap(),
            bytes: bytes.to_vec(),
        }
    }
}
