//! Attack: requests whose bodies stop short of their end.

use super::super::attack::Attack;
use super::super::hold::HoldAttack;
use super::super::party::Attackers;
use super::super::users::ALICE;

/// The longest body of a companion's request, in bytes.
const LENGTH: usize = 256 * 1024;

/// Frames with one field of an unknown tag, ten bytes short.
pub(super) const HELD_SHORT: Attack = Attack {
    name: "3,072 bodies of 256 KiB short of their end",
    long_token: false,
    start: |socket| {
        let head = format!(
            "POST /v1/helper HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LENGTH}\r\n\r\n"
        );
        let mut opening = head.into_bytes();
        let whole = opening.len() + LENGTH;
        opening.extend([1, 99]);
        opening.extend(u32::try_from(LENGTH - 6).unwrap().to_le_bytes());
        opening.resize(whole - 10, b'z');
        let hold = HoldAttack {
            connections: 3_072,
            opening,
            ..HoldAttack::default()
        };
        Attackers::default().with(ALICE, socket, move |socket, stop| hold.run(&socket, stop))
    },
};
