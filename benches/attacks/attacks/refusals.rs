//! Attack: requests of a user whom no rule names.

use super::super::attack::Attack;
use super::super::hold::HoldAttack;
use super::super::party::Attackers;
use super::super::users::DAVE;

/// Each request announces a body that never follows. Each connection that is closed after its 403 is replaced by the
/// next.
pub(super) const CHURN: Attack = Attack {
    name: "403 churn of a stranger",
    long_token: false,
    start: |socket| {
        let hold = HoldAttack {
            connections: 1_024,
            opening: b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
                .to_vec(),
            ..HoldAttack::default()
        };
        Attackers::default().with(DAVE, socket, move |socket, stop| hold.run(&socket, stop))
    },
};
