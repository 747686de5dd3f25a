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
//! A module names those that its row lists and no others, and all of them stand below it. A test reads these tables and
//! the code (`tests/suite/architecture.rs`).
//!
//! | Top | What it is | Names |
//! |---|---|---|
//! | [`cli`] | the commands of `jetond` | address age_file applications causes certificates clock command_line config credential daemon dialect fault file_lock folder instant lifecycle offload paths policy process profile provider sandbox settings store token transfer trust wire |
//! | [`daemon`] | the daemon: its own map is on its page | address age_file applications causes certificates clock command_line config credential dialect fault file_format file_lock folder instant lifecycle offload path_events paths policy problem process profile provider query rotation schedule settings sink store token trust wire |
//!
//! | Edges: files, network, threads | What it is | Names |
//! |---|---|---|
//! | [`sandbox`] | a control plane of our own, which fails on demand | credential instant |
//! | [`applications`] | manages the keys of Run:ai's users and organisations by its API | config credential fault instant key_name provider query token |
//! | [`provider`] | asks an issuer for a token, once | certificates clock config credential fault instant offload token |
//! | [`transfer`] | the content of a file in which credentials go to another machine | certificates config credential instant profile store |
//! | [`store`] | keeps credentials, each bound to where it may be sent | age_file causes certificates clock command_line config credential fault file_lock folder instant lifecycle offload process profile rotation token trust |
//! | `sink` | writes the files that hold tokens, and knows its own again | file_lock folder profile trust |
//! | [`settings`] | the configuration as a file | causes clock config file_lock folder offload trust |
//! | [`certificates`] | the certificates and keys that a configuration names, each read once | config credential trust |
//! | [`process`] | what this process gives up, its log, its signals, its children, its service manager | clock instant |
//! | `path_events` | notices where paths lead to other files, and where files are changed | trust |
//! | [`trust`] | which files and folders may be believed, and making those that may | command_line |
//! | [`offload`] | blocking calls on threads that the system may refuse, and the event loop | |
//! | [`clock`] | reads the machine's clocks and waits for them | instant |
//! | `folder` | a folder whose files are replaced whole or not at all | |
//! | `file_lock` | a lock of a file, which ends with its guard | |
//!
//! | Core: no file, socket, clock, thread or `async` | What it is | Names |
//! |---|---|---|
//! | [`dialect`] | the companion's verbs and other tools' protocols: request in, bytes and exit code out | address command_line config instant lifecycle problem profile query spelling wire |
//! | [`query`] | what the daemon can be asked, and what it answers | address config instant lifecycle problem profile wire |
//! | [`wire`] | the local interface: what is asked, what is answered, every cap | fault instant lifecycle profile token |
//! | [`config`] | the configuration's text, parsed and edited | address age_file command_line credential file_format policy profile rotation schedule spelling |
//! | [`lifecycle`] | one profile's state machines: events in, a view and a wake-up time out; what was read and answered in, a decision out | credential fault instant schedule token |
//! | [`rotation`] | the rotation of a key as state machines: outcomes in, the next action out; its rules | instant key_name profile |
//! | [`file_format`] | the content of a file that holds a token | profile token |
//! | [`schedule`] | when to refresh, and when to try again | instant token |
//! | [`problem`] | everything a caller can be told that went wrong | command_line instant profile |
//! | [`token`] | a bearer token and how long it holds | instant |
//! | [`credential`] | a client ID and its secret | instant |
//! | [`age_file`] | what is encrypted to a recipient or by a passphrase, and opened again | |
//! | [`fault`] | why an attempt brought no token, and why none is made | command_line profile |
//! | [`instant`] | moments of the two clocks | |
//! | [`paths`] | where everything is, as a function of the environment | |
//! | [`policy`] | who may ask | |
//! | [`command_line`] | the commands that messages propose, with the options of this process | profile |
//! | [`key_name`] | the rule for a key's name at Run:ai | |
//! | `spelling` | finds the word that was probably meant | |
//! | `causes` | an error with its causes, in one line | |
//! | [`address`] | the addresses that tokens are for: parsed once, compared exactly | |
//! | [`profile`] | a profile's name, which is safe wherever it stands | |
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

/// Wipes memory when it is freed: what HTTP and TLS leave behind of secrets and tokens would stay readable otherwise.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);
