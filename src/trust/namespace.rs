//! User namespaces: the root folder in a namespace that maps only our user.
//!
//! There, the kernel shows the outer root's files as the overflow user's, so `/` seems to belong to a stranger. Only
//! `/` is accepted: any other folder of the overflow user may belong to any user.

/// The overflow user, if the system does not report its number.
const OVERFLOW_UID: u32 = 65_534;

/// Reports whether `owner` stands for the users of an outer namespace, and `uid` is the only user of ours.
pub(super) fn is_outer_root(owner: u32, uid: u32) -> bool {
    let read = |path| std::fs::read_to_string(path).ok();
    let overflow = read("/proc/sys/kernel/overflowuid");
    let overflow = overflow.and_then(|text| text.trim().parse().ok());
    owner == overflow.unwrap_or(OVERFLOW_UID)
        && owner != uid
        && read("/proc/self/uid_map").is_some_and(|map| maps_alone(&map, uid))
}

/// Reports whether our user namespace has every user of the machine, so that uid 0 is the machine's root. If the system
/// does not report it, the answer is no.
pub(super) fn has_every_user() -> bool {
    if !cfg!(target_os = "linux") {
        return true;
    }
    let map = std::fs::read_to_string("/proc/self/uid_map");
    map.is_ok_and(|map| maps_everyone(&map))
}

fn maps_everyone(uid_map: &str) -> bool {
    uid_map
        .split_ascii_whitespace()
        .eq(["0", "0", "4294967295"])
}

/// Reports whether a text in the form of `/proc/PID/uid_map` (user_namespaces(7)) maps `uid` and no other user.
fn maps_alone(uid_map: &str, uid: u32) -> bool {
    let numbers: Vec<u32> = uid_map
        .split_ascii_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    matches!(numbers[..], [inside, _, 1] if inside == uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_initial_namespace_maps_every_user() {
        for (uid_map, good) in [
            ("         0          0 4294967295\n", true),
            ("0 1000 1\n", false),
            ("0 100000 65536\n", false),
            ("0 0 1\n1 1 4294967294\n", false),
            ("", false),
        ] {
            assert_eq!(maps_everyone(uid_map), good, "{uid_map:?}");
        }
    }

    #[test]
    fn a_single_user_namespace_is_recognized() {
        for (uid_map, uid, good) in [
            ("      1000       1000          1\n", 1000, true),
            ("0 1000 1\n", 0, true),
            ("0 1000 1\n", 1000, false),
            ("0 0 4294967295\n", 0, false),
            ("1000 1000 2\n", 1000, false),
            // A rootless container.
            ("0 1000 1\n1 100000 65536\n", 0, false),
            ("", 65_534, false),
        ] {
            assert_eq!(maps_alone(uid_map, uid), good, "{uid_map:?} {uid}");
        }
    }
}
