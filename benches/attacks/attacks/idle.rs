//! Attack: connections that are idle after a reply, and watches that stay open.

use std::path::Path;

use super::super::attack::Attack;
use super::super::hold::HoldAttack;
use super::super::party::Attackers;
use super::super::users::{ALICE, BOB};

/// Two allowed users hold as many idle connections as they can.
pub(super) const TWO_USERS: Attack = Attack {
    name: "2 x 3,072 idle of two allowed users",
    long_token: false,
    start: |socket| two_users(socket, "/healthz"),
};

/// The two users hold as many watches as they can, and read the events.
pub(super) const WATCHES: Attack = Attack {
    name: "2 x 3,072 watches of two allowed users",
    long_token: false,
    start: |socket| two_users(socket, "/v1/profiles/p1/watch"),
};

/// Makes both users send this request once on each connection.
fn two_users(socket: &Path, target: &str) -> Attackers {
    let hold = HoldAttack {
        connections: 3_072,
        opening: format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes(),
        reads: true,
        ..HoldAttack::default()
    };
    let other = hold.clone();
    Attackers::default()
        .with(ALICE, socket, move |socket, stop| hold.run(&socket, stop))
        .with(BOB, socket, move |socket, stop| other.run(&socket, stop))
}
