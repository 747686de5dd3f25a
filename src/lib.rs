//! Jeton keeps bearer tokens fresh and serves them to local processes.
//!
//! # Two ways through the code
//! ```text
//! store ──credential──▶ provider ──token or fault──▶ keep::keeper ──▶ lifecycle, schedule
//!                                                        │ a view of what is held
//! client ──▶ daemon::sockets ──▶ serve ──▶ service ──▶ keep::handle ──▶ wire, dialect ──▶ bytes
//! ```
//!
//! # Map
//! A module uses only the modules that its row lists, and all of these have rows further down. A test compares these
//! tables with the code (`tests/suite/architecture.rs`).
//!
//! | Top | What it is | Names |
//! |---|---|---|
//! | [`cli`] | the commands of `jetond` | address age_file applications causes certificates clock command_line config credential daemon dialect fault file_lock folder instant lifecycle offload paths policy process profile provider sandbox settings store token transfer trust wire |
//! | [`daemon`] | the daemon; its module page has its own map | address age_file applications causes certificates clock command_line config credential dialect fault file_format file_lock folder instant lifecycle offload path_events paths policy problem process profile provider query rotation schedule settings sink store token trust wire |
//!
//! | Edges: files, network, threads | What it is | Names |
//! |---|---|---|
//! | [`sandbox`] | a Run:ai-compatible control plane for tests, with faults on demand | credential instant |
//! | [`applications`] | manages the keys of Run:ai's users and organisations through its API | config credential fault instant key_name provider query token |
//! | [`provider`] | one attempt to get a token from an issuer | certificates clock config credential fault instant offload token |
//! | [`transfer`] | export files, which carry credentials to another machine | certificates config credential instant profile store |
//! | [`store`] | the stores of credentials, each bound to the endpoint that it may be sent to | age_file causes certificates clock command_line config credential fault file_lock folder instant lifecycle offload process profile rotation token trust |
//! | `sink` | writes the files that hold tokens, and recognises its own files | file_lock folder profile trust |
//! | [`settings`] | reads and writes the configuration file | causes clock config file_lock folder offload trust |
//! | [`certificates`] | the certificates and keys that a configuration names, each read once | config credential trust |
//! | [`process`] | the process: hardening, log, signals, children, service manager, user rights | clock instant |
//! | `path_events` | detects that paths lead to other files, and that files are changed | trust |
//! | [`trust`] | judges whether files and folders can be trusted, and creates trusted folders | command_line |
//! | [`offload`] | blocking calls on threads that the system may refuse, and the event loop | |
//! | [`clock`] | reads the machine's clocks and waits for them | instant |
//! | `folder` | a folder whose files are replaced atomically | |
//! | `file_lock` | a lock on a file, which is released with its guard | |
//!
//! | Core: no file, socket, clock, thread or `async` | What it is | Names |
//! |---|---|---|
//! | [`dialect`] | the companion's verbs and other tools' protocols: request in, bytes and exit code out | address command_line config instant lifecycle problem profile query spelling wire |
//! | [`query`] | the requests to the daemon, and the data of its answers | address config instant lifecycle problem profile wire |
//! | [`wire`] | the local interface: the formats of requests and replies, and all limits | fault instant lifecycle profile token |
//! | [`config`] | the configuration's text, parsed and edited | address age_file command_line credential file_format policy profile rotation schedule spelling |
//! | [`lifecycle`] | one profile's state machines, for its token and for its credential: events in, decisions out | credential fault instant schedule token |
//! | [`rotation`] | the rotation of a key as state machines: outcomes in, the next action out | instant key_name profile |
//! | [`file_format`] | the content of a file that holds a token | profile token |
//! | [`schedule`] | the times of refreshes and retries | instant token |
//! | [`problem`] | every way in which a request can fail | command_line instant profile |
//! | [`token`] | a bearer token and its validity | instant |
//! | [`credential`] | a client ID and its secret | instant |
//! | [`age_file`] | encrypts to a recipient or with a passphrase, and decrypts | |
//! | [`fault`] | why an attempt failed, and why a profile is blocked from attempts | command_line profile |
//! | [`instant`] | times on the two clocks | |
//! | [`paths`] | the locations of files and sockets, as functions of the environment | |
//! | [`policy`] | access decisions | |
//! | [`command_line`] | the commands that messages suggest, with the options of this process | profile |
//! | [`key_name`] | the rule for a key's name at Run:ai | |
//! | `spelling` | suggests the word that was probably meant | |
//! | `causes` | an error with its causes, in one line | |
//! | [`address`] | the addresses that tokens are for: parsed once, compared exactly | |
//! | [`profile`] | a profile's name, which is safe in paths, URLs and logs | |
#![forbid(unsafe_code)]

pub mod address;
pub mod age_file;
pub mod applications;
mod causes;
pub mod certificates;
pub mod cli;
pub mod clock;
pub mod command_line;
pub mod config;
pub mod credential;
pub mod daemon;
pub mod dialect;
pub mod fault;
pub mod file_format;
mod file_lock;
mod folder;
pub mod instant;
pub mod key_name;
pub mod lifecycle;
pub mod offload;
mod path_events;
pub mod paths;
pub mod policy;
pub mod problem;
pub mod process;
pub mod profile;
pub mod provider;
pub mod query;
pub mod rotation;
pub mod sandbox;
pub mod schedule;
pub mod settings;
mod sink;
mod spelling;
pub mod store;
#[cfg(test)]
mod testing;
pub mod token;
pub mod transfer;
pub mod trust;
pub mod wire;

/// Wipes memory when it is freed. Otherwise copies of secrets and tokens in the buffers of HTTP and TLS would stay
/// readable.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);
