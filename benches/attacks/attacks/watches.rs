//! Watches that stay open.

use super::super::attack::Attack;
use super::super::hold::Hold;
use super::super::party::Party;
use super::super::users::{ALICE, BOB};

/// Two users who may ask watch as often as they can, and read what comes.
pub(super) const TWO_USERS: Attack = Attack {
    name: "2 x 3,072 watches of two allowed users",
    long_token: false,
    start: |socket| {
        let hold = Hold {
            connections: 3_072,
            opening: b"GET /v1/profiles/p1/watch HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            reads: true,
            ..Hold::default()
        };
        let other = hold.clone();
        Party::default()
            .with(ALICE, socket, move |socket, stop| hold.run(&socket, stop))
            .with(BOB, socket, move |socket, stop| other.run(&socket, stop))
    },
};
