//! Attack: replies that are never read.

use std::path::Path;

use super::super::attack::Attack;
use super::super::hold::HoldAttack;
use super::super::party::Attackers;
use super::super::users::ALICE;

/// Replies with the longest tokens.
pub(super) const TOKENS: Attack = Attack {
    name: "3,000 connections that read no token",
    long_token: true,
    start: |socket| ask_for(socket, "/v1/profiles/big/token"),
};

/// Replies with the state of 202 profiles.
pub(super) const LISTS: Attack = Attack {
    name: "3,000 connections that read no list",
    long_token: false,
    start: |socket| ask_for(socket, "/v1/profiles"),
};

/// The longest reply with constant content.
pub(super) const DOCUMENTS: Attack = Attack {
    name: "3,000 connections that read no document",
    long_token: false,
    start: |socket| ask_for(socket, "/v1/openapi.json"),
};

fn ask_for(socket: &Path, target: &str) -> Attackers {
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let hold = HoldAttack {
        connections: 3_000,
        flood: request.into_bytes().repeat(100),
        ..HoldAttack::default()
    };
    Attackers::default().with(ALICE, socket, move |socket, stop| hold.run(&socket, stop))
}
