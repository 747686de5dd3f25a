//! Requests of other tools from `tests/tools`, with an address and a profile filled in.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use jetond::dialect::{self, NextStep};
use jetond::wire::frame::{Instruction, Invocation};

use super::TestEnv;
use super::env::Output;

/// A tool's request, with placeholders for an address and a profile.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The helper protocol: the name of its folder and its verb.
    pub(crate) tool: String,
    /// The name of the request's folder.
    pub(crate) name: String,
    argv: Vec<String>,
    env: Vec<(String, String)>,
    stdin: String,
    refusals: BTreeMap<String, Refusal>,
}

/// A protocol's own form of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) exit: u8,
    pub(crate) stdout: String,
}

/// A request with its placeholders replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilledRequest {
    pub(crate) argv: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) stdin: String,
}

/// Returns all requests in a fixed order.
pub(crate) fn all() -> Vec<Request> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools");
    let mut requests = vec![];
    for tool in folders(&root) {
        let refusals = refusals(&tool.join("refusal"));
        for folder in folders(&tool) {
            let part = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
            let env = part("env");
            let env = env.lines().map(|line| line.split_once('=').unwrap());
            requests.push(Request {
                tool: name_of(&tool),
                name: name_of(&folder),
                argv: part("argv").lines().map(str::to_owned).collect(),
                env: env
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect(),
                stdin: part("stdin"),
                refusals: refusals.clone(),
            });
        }
    }
    assert!(requests.len() > 20, "recorded requests are missing");
    requests
}

fn folders(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = paths.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn refusals(path: &Path) -> BTreeMap<String, Refusal> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let refusal = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let code = words.next().unwrap().to_owned();
        let exit = words.next().unwrap().parse().unwrap();
        let stdout = words.next().map(|text| format!("{text}\n"));
        let stdout = stdout.unwrap_or_default();
        (code, Refusal { exit, stdout })
    };
    text.lines().map(refusal).collect()
}

impl Request {
    /// Returns whether it requests a token.
    pub(crate) fn gets_a_token(&self) -> bool {
        self.name.starts_with("get")
    }

    /// Returns whether this version knows its protocol.
    pub(crate) fn is_known(&self) -> bool {
        let run = Invocation {
            args: ["jeton", "help", &self.tool].map(str::to_owned).into(),
            ..Invocation::default()
        };
        match dialect::parse(&run) {
            NextStep::Answer(Instruction::Done(reply)) => reply.exit == 0,
            _ => false,
        }
    }

    /// Returns whether it contains an address.
    pub(crate) fn has_address(&self) -> bool {
        ["{url}", "{json}", "{host}"]
            .iter()
            .any(|place| self.has(place))
    }

    /// Returns whether it contains a profile.
    pub(crate) fn has_profile(&self) -> bool {
        self.has("{profile}")
    }

    fn has(&self, place: &str) -> bool {
        let values = self.env.iter().map(|(_, value)| value);
        let mut texts = self.argv.iter().chain(values).chain([&self.stdin]);
        texts.any(|text| text.contains(place))
    }

    /// Returns the protocol's own refusal for this code, if it has one.
    pub(crate) fn refusal(&self, code: &str) -> Option<&Refusal> {
        self.refusals.get(code)
    }

    /// Returns the request with this address and profile.
    pub(crate) fn filled(&self, url: &str, profile: &str) -> FilledRequest {
        let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let json = serde_json::Value::from(url).to_string();
        let json = json.trim_matches('"');
        let path = path.strip_prefix('/').unwrap_or(path);
        // In one pass, because an inserted text may look like a placeholder.
        let fill = |text: &str| {
            let mut filled = String::new();
            let mut rest = text;
            while let Some(at) = rest.find('{') {
                let (before, place) = rest.split_at(at);
                filled.push_str(before);
                let values = [
                    ("{url}", url),
                    ("{json}", json),
                    ("{scheme}", scheme),
                    ("{host}", host),
                    ("{path}", path),
                    ("{profile}", profile),
                ];
                let found = values.iter().find(|(name, _)| place.starts_with(name));
                let (name, value) = found.copied().unwrap_or(("{", "{"));
                filled.push_str(value);
                rest = &place[name.len()..];
            }
            filled + rest
        };
        let env = self.env.iter();
        FilledRequest {
            argv: self.argv.iter().map(|text| fill(text)).collect(),
            env: env
                .map(|(name, value)| (name.clone(), fill(value)))
                .collect(),
            stdin: fill(&self.stdin),
        }
    }

    /// Returns the arguments with which `jeton` answers this request under its own name.
    pub(crate) fn as_verb(&self, filled: &FilledRequest) -> Vec<String> {
        let (program, args) = filled.argv.split_first().unwrap();
        match program.as_str() {
            "jeton" => args.to_vec(),
            _ => [std::slice::from_ref(&self.tool), args].concat(),
        }
    }
}

impl FilledRequest {
    /// Encodes the companion's request, with the whole standard input.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let mut bytes = vec![1];
        let mut push = |tag: u8, field: &[u8]| {
            bytes.push(tag);
            bytes.extend(u32::try_from(field.len()).unwrap().to_le_bytes());
            bytes.extend_from_slice(field);
        };
        for arg in &self.argv {
            push(1, arg.as_bytes());
        }
        for (name, value) in &self.env {
            push(2, format!("{name}={value}").as_bytes());
        }
        push(3, &[0, 0, 0]);
        push(5, &30_000_u32.to_le_bytes());
        if !self.stdin.is_empty() {
            push(4, self.stdin.as_bytes());
        }
        bytes
    }

    /// Returns a companion command for it, under the name that the tool uses.
    pub(crate) fn command(&self, env: &TestEnv) -> Command {
        let (program, args) = self.argv.split_first().unwrap();
        let mut command = env.command(env!("CARGO_BIN_EXE_jeton"));
        command.arg0(program).args(args);
        self.set(&mut command);
        command
    }

    /// Runs the companion with it.
    pub(crate) fn run(&self, env: &TestEnv, token_asked_for: bool) -> Output {
        let what = format!("the companion as {:?}", self.argv);
        let stdin = self.stdin.as_bytes();
        env.finish(&what, self.command(env), stdin, token_asked_for)
    }

    /// Sets its variables for a command.
    pub(crate) fn set(&self, command: &mut Command) {
        command.envs(self.env.iter().cloned());
    }
}
