//! Attack: bytes that a server has to parse, but that never become a request.

use super::super::attack::Attack;
use super::super::hold::HoldAttack;
use super::super::party::Attackers;
use super::super::users::ALICE;

/// Empty lines, which are allowed before a request.
pub(super) const EMPTY_LINES: Attack = Attack {
    name: "2,000 connections of bare line ends",
    long_token: false,
    start: |socket| {
        let hold = HoldAttack {
            connections: 2_000,
            flood: b"\r\n".repeat(32 * 1024),
            reads: true,
            ..HoldAttack::default()
        };
        Attackers::default().with(ALICE, socket, move |socket, stop| hold.run(&socket, stop))
    },
};
