//! Checks which address families this process may use.
//!
//! If the `RestrictAddressFamilies=` of a unit forbids them, connections and look-ups fail with misleading errors.

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, socket};

/// Names the missing families and how to allow them; `None` if both can be used.
pub(super) fn lacking() -> Option<&'static str> {
    advice(lacks(AddressFamily::INET), lacks(AddressFamily::INET6))
}

/// Returns the same advice if the lack prevents look-ups. Many machines have no IPv6 and look up names over IPv4.
pub(super) fn lacking_for_names() -> Option<&'static str> {
    lacks(AddressFamily::INET).then(lacking).flatten()
}

fn lacks(family: AddressFamily) -> bool {
    matches!(
        socket(family, SocketType::DGRAM, None),
        Err(Errno::AFNOSUPPORT)
    )
}

const fn advice(lacks_v4: bool, lacks_v6: bool) -> Option<&'static str> {
    match (lacks_v4, lacks_v6) {
        (true, true) => Some(
            "this process may use neither IPv4 nor IPv6: a unit's RestrictAddressFamilies= must have AF_INET and AF_INET6",
        ),
        (true, false) => Some(
            "this process may not use IPv4: a unit's RestrictAddressFamilies= must have AF_INET",
        ),
        (false, true) => Some(
            "this process may not use IPv6: a unit's RestrictAddressFamilies= must have AF_INET6, and the kernel must have it on",
        ),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_names_the_missing_address_families() {
        for (v4, v6, names) in [
            (true, true, &["neither", "AF_INET and AF_INET6"][..]),
            (true, false, &["IPv4", "must have AF_INET"]),
            (false, true, &["IPv6", "AF_INET6", "kernel"]),
        ] {
            let advice = advice(v4, v6).unwrap();
            for name in names {
                assert!(advice.contains(name), "{name}: {advice}");
            }
        }
        assert_eq!(advice(false, false), None);
    }
}
