//! Attack: connections on which a request never ends.

use super::super::attack::Attack;
use super::super::hold::HoldAttack;
use super::super::party::Attackers;
use super::super::users::{DAVE, ERIN};

/// Two users whom no rule names fill the table of 4,096 connections, and open another one for each that is closed.
pub(super) const STRANGERS: Attack = Attack {
    name: "4,096 half-open of two strangers",
    long_token: false,
    start: |socket| {
        let hold = |connections| {
            let hold = HoldAttack {
                connections,
                opening: b"G".to_vec(),
                ..HoldAttack::default()
            };
            move |socket: std::path::PathBuf, stop: &_| hold.run(&socket, stop)
        };
        Attackers::default()
            .with(DAVE, socket, hold(3_072))
            .with(ERIN, socket, hold(1_024))
    },
};
