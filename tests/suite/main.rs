//! The integration tests: one binary with a module for each topic. Shared code is in `support`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests panic on an unexpected result, and wait and measure in real time"
)]

#[path = "../support/support.rs"]
mod support;

mod app;
mod architecture;
mod check;
mod client_auth;
mod clusters;
mod commands;
mod companion;
mod control_characters;
mod credential_changes;
mod deadlines;
mod demo;
mod descriptors;
mod dialects;
mod dialogue;
mod discovery;
mod doctor;
mod encrypted;
mod enrol;
mod exec_files;
mod first_light;
mod footprint;
mod full_disk;
mod git;
mod gone;
mod hard_tokens;
mod helpers;
mod hosts;
mod hygiene;
mod in_place;
mod issuer_answers;
mod keyring;
mod kills_old;
mod limits;
mod log;
mod long_lists;
mod missing_socket;
mod moves;
mod open_rotations;
mod outage;
mod papers;
mod pasting;
mod peers;
mod printing;
mod process_limit;
mod process_one;
mod proxies;
mod rebind;
mod redaction;
mod redirects;
mod reissue;
mod remedies;
mod repeated_faults;
mod resting;
mod rotate;
mod rotation;
mod rotation_ends;
mod rotation_waits;
mod sandbox_cli;
mod second_calls;
mod serve;
mod service;
mod setup;
mod sharing;
mod sinks;
mod sources;
mod stop;
mod stores;
mod surroundings;
mod systems;
mod terminal;
mod time_namespace;
mod tls;
mod token_for;
mod told_expiry;
mod tools;
mod traps;
mod twenty_rotations;
mod two_keys;
mod versions;
mod watching;
mod whose_word;
mod wrap;
