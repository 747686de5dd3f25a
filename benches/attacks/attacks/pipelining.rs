//! Attack: connections that always have another request pending.

use super::super::attack::Attack;
use super::super::hold::HoldAttack;
use super::super::party::Attackers;
use super::super::users::ALICE;

/// Short requests with short replies, which are read.
pub(super) const SHORT_ANSWERS: Attack = Attack {
    name: "64 connections pipelining",
    long_token: false,
    start: |socket| {
        let hold = HoldAttack {
            connections: 64,
            flood: b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1_000),
            reads: true,
            ..HoldAttack::default()
        };
        Attackers::default().with(ALICE, socket, move |socket, stop| hold.run(&socket, stop))
    },
};
