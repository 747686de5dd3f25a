//! Attack: connections that are closed as soon as they are open.

use std::path::Path;
use std::time::Duration;

use super::super::attack::Attack;
use super::super::hold::connect;
use super::super::party::{Attackers, Stop, Tally};
use super::super::users::{ALICE, DAVE};

/// An allowed user and a forbidden one connect and close in a loop.
pub(super) const OPEN_AND_CLOSE: Attack = Attack {
    name: "connect and close, two users",
    long_token: false,
    start: |socket| {
        Attackers::default()
            .with(ALICE, socket, |socket, stop| open_and_close(&socket, stop))
            .with(DAVE, socket, |socket, stop| open_and_close(&socket, stop))
    },
};

fn open_and_close(socket: &Path, stop: &Stop) -> Tally {
    let mut tally = Tally::default();
    while !stop.is_told() {
        if connect(socket).is_some() {
            tally.connected += 1;
        } else {
            tally.refused_connects += 1;
            std::thread::sleep(Duration::from_micros(200));
        }
    }
    tally
}
