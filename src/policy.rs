//! Access decisions, as pure functions of the numbers that the kernel provides.

use std::fmt;

/// The overflow user or group. The kernel shows it for every user or group without a number in our user namespace, so
/// it may be anyone.
const OVERFLOW_ID: u32 = 65_534;

/// No user or group at all: `(uid_t) -1`.
const NO_ID: u32 = u32::MAX;

/// The kind of our user namespace: whether it shows every user and group under its own number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserNamespace {
    /// The full identity map, as on the host.
    Identity,
    /// Another map, as in a container: a number here may belong to several users outside.
    Other,
}

/// The user and groups of a caller, reported by the kernel at the moment of connection. It has no default: an error
/// must never yield a valid caller (CVE-2021-3560).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
    /// Its supplementary groups. They are empty if the kernel does not report them, which can only lead to a refusal.
    pub groups: Box<[u32]>,
}

/// The process at the other end of a connection, reported by the kernel at the moment of connection. If the process
/// passes its descriptor on, the peer stays the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The facts on which access decisions depend.
    pub caller: Caller,
    /// Its process ID; `None` if the kernel shows none, as for a process outside of our PID namespace. The ID may have
    /// been reused since; code that has to be certain asks the socket for a descriptor (`SO_PEERPIDFD`).
    pub pid: Option<i32>,
}

/// A range of user or group numbers, including both ends. It never contains -1, which means no user or group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRange {
    first: u32,
    last: u32,
}

/// The callers that a rule allows to use a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleScope {
    /// These users.
    Users(IdRange),
    /// Members of these groups, by effective or supplementary group.
    Groups(IdRange),
}

/// The facts on which every decision depends: the daemon's own user, and the namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessContext {
    /// The daemon's effective user.
    pub own_uid: u32,
    /// The namespace in which users and groups are seen.
    pub namespace: UserNamespace,
}

/// Users who may use every profile besides our own user, because the program that started the daemon says so: the
/// command that the daemon serves runs as one of them. They have no administrative rights.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedUsers(Box<[u32]>);

/// All users and groups in several rules, merged so that many rules are checked as fast as a few.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleIndex {
    users: Box<[IdRange]>,
    groups: Box<[IdRange]>,
}

// === impl UserNamespace ===

impl UserNamespace {
    /// Reads the texts of `/proc/self/uid_map` and `gid_map` (user_namespaces(7)). A map that cannot be read counts as
    /// another map.
    pub fn of_maps(uid_map: Option<&str>, gid_map: Option<&str>) -> Self {
        if [uid_map, gid_map].into_iter().all(is_identity) {
            Self::Identity
        } else {
            Self::Other
        }
    }
}

fn is_identity(map: Option<&str>) -> bool {
    let mut words = map.unwrap_or_default().split_ascii_whitespace();
    let words = (words.next(), words.next(), words.next(), words.next());
    words == (Some("0"), Some("0"), Some("4294967295"), None)
}

// === impl IdRange ===

impl IdRange {
    /// Creates the range from `first` to `last`; `None` if it is empty or contains -1.
    pub const fn new(first: u32, last: u32) -> Option<Self> {
        if first <= last && last != NO_ID {
            Some(Self { first, last })
        } else {
            None
        }
    }

    /// Creates a range with one number; `None` for -1.
    pub const fn one(id: u32) -> Option<Self> {
        Self::new(id, id)
    }

    /// Parses `1000` or `1000-1999`.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |digits: &str| {
            // `parse` alone would accept a sign as well.
            let digits = Some(digits).filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
            digits.parse::<u32>().ok()
        };
        match text.split_once('-') {
            Some((first, last)) => Self::new(number(first)?, number(last)?),
            None => Self::one(number(text)?),
        }
    }

    /// Reports whether the range contains this number.
    pub const fn contains(self, id: u32) -> bool {
        self.first <= id && id <= self.last
    }

    /// Returns the number, if the range has only one.
    pub const fn only(self) -> Option<u32> {
        if self.first == self.last {
            Some(self.first)
        } else {
            None
        }
    }
}

impl fmt::Display for IdRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.only() {
            Some(id) => write!(f, "{id}"),
            None => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

// === impl Who ===

impl RuleScope {
    /// Reports whether the rule names this caller.
    fn names(self, caller: &Caller) -> bool {
        match self {
            Self::Users(uids) => uids.contains(caller.uid),
            Self::Groups(gids) => {
                gids.contains(caller.gid) || caller.groups.iter().any(|&gid| gids.contains(gid))
            }
        }
    }
}

// === impl Named ===

impl RuleIndex {
    /// Collects the users and groups of these rules.
    pub fn by(rules: impl Iterator<Item = RuleScope>) -> Self {
        let (mut users, mut groups) = (vec![], vec![]);
        for rule in rules {
            match rule {
                RuleScope::Users(range) => users.push(range),
                RuleScope::Groups(range) => groups.push(range),
            }
        }
        Self {
            users: merged(users),
            groups: merged(groups),
        }
    }

    /// Reports whether a user rule names this user.
    pub fn names_user(&self, uid: u32) -> bool {
        contain(&self.users, uid)
    }

    /// Reports whether there are group rules.
    pub const fn names_groups(&self) -> bool {
        !self.groups.is_empty()
    }

    /// Reports whether any of the rules names this caller.
    pub fn names(&self, caller: &Caller) -> bool {
        let in_group = |gid: &u32| contain(&self.groups, *gid);
        caller.uid != NO_ID
            && (self.names_user(caller.uid)
                || in_group(&caller.gid)
                || self.names_groups() && caller.groups.iter().any(in_group))
    }
}

/// Sorts the ranges, and merges those that overlap or touch.
fn merged(mut ranges: Vec<IdRange>) -> Box<[IdRange]> {
    ranges.sort_unstable_by_key(|range| range.first);
    let mut merged: Vec<IdRange> = vec![];
    for range in ranges {
        match merged.last_mut() {
            Some(before) if range.first <= before.last.saturating_add(1) => {
                before.last = before.last.max(range.last);
            }
            _ => merged.push(range),
        }
    }
    merged.into()
}

/// Reports whether one of these sorted ranges contains a number.
fn contain(ranges: &[IdRange], id: u32) -> bool {
    let at = ranges.partition_point(|range| range.last < id);
    ranges.get(at).is_some_and(|range| range.contains(id))
}

// === impl Gate ===

impl AccessContext {
    /// Reports whether this user, as the kernel reports it, may do everything whatever the rules say: the daemon's own
    /// user, and root.
    ///
    /// In another namespace than the host's, only our own uid is accepted. Root there may be another machine user's
    /// root, and all users outside of the map share one number.
    pub const fn is_ours(&self, uid: u32) -> bool {
        match (uid, self.namespace) {
            (NO_ID, _) | (OVERFLOW_ID, UserNamespace::Other) => false,
            (uid, UserNamespace::Other) => uid == self.own_uid,
            (uid, UserNamespace::Identity) => uid == self.own_uid || uid == 0,
        }
    }

    /// Reports whether rules have any effect in this namespace.
    pub const fn applies_rules(&self) -> bool {
        matches!(self.namespace, UserNamespace::Identity)
    }

    /// Reports whether a caller may use the object of these rules: either the caller may do everything, or a rule names
    /// the caller.
    ///
    /// In another namespace no rule applies, because its numbers are not those of the host.
    pub fn allows(&self, caller: &Caller, mut rules: impl Iterator<Item = RuleScope>) -> bool {
        self.is_ours(caller.uid)
            || (self.applies_rules() && caller.uid != NO_ID && rules.any(|who| who.names(caller)))
    }
}

// === impl Guests ===

impl AllowedUsers {
    /// Creates the list of these users.
    pub fn new(uids: impl IntoIterator<Item = u32>) -> Self {
        Self(uids.into_iter().collect())
    }

    /// Reports whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reports whether this user, as the kernel reports it, is one of them. This also holds in another namespace than
    /// the host's, since the users were named by the numbers of that namespace. The overflow number is excluded: all
    /// users outside of the map share it.
    pub fn include(&self, uid: u32, namespace: UserNamespace) -> bool {
        match (uid, namespace) {
            (NO_ID, _) | (OVERFLOW_ID, UserNamespace::Other) => false,
            _ => self.0.contains(&uid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::UserNamespace::{Identity, Other};
    use super::*;

    const HOST: &str = "         0          0 4294967295\n";

    fn caller(uid: u32, gid: u32, groups: &[u32]) -> Caller {
        Caller {
            uid,
            gid,
            groups: groups.into(),
        }
    }

    fn range(text: &str) -> IdRange {
        IdRange::parse(text).unwrap()
    }

    #[test]
    fn only_a_full_identity_map_counts_as_the_host_namespace() {
        assert_eq!(UserNamespace::of_maps(Some(HOST), Some(HOST)), Identity);
        for other in [
            None,
            Some(""),
            Some("0 1000 1"),
            Some("0 0 65536"),
            Some("0 0 4294967295\n1 1 1"),
            Some("0 100000 65536\n65536 1000 1"),
        ] {
            for (uids, gids) in [(other, Some(HOST)), (Some(HOST), other)] {
                assert_eq!(UserNamespace::of_maps(uids, gids), Other, "{other:?}");
            }
        }
    }

    #[test]
    fn only_the_daemon_user_and_root_may_do_everything() {
        for (own_uid, namespace, uid, admitted) in [
            (1_000, Identity, 1_000, true),
            (1_000, Identity, 0, true),
            (1_000, Identity, 1_001, false),
            (1_000, Identity, 65_534, false),
            (1_000, Identity, u32::MAX, false),
            (0, Identity, 0, true),
            (0, Identity, 1_000, false),
            (65_534, Identity, 65_534, true),
            (u32::MAX, Identity, u32::MAX, false),
            (1_000, Other, 1_000, true),
            (1_000, Other, 0, false),
            (0, Other, 0, true),
            (65_534, Other, 65_534, false),
            (u32::MAX, Other, u32::MAX, false),
        ] {
            let gate = AccessContext { own_uid, namespace };
            assert_eq!(gate.is_ours(uid), admitted, "{gate:?} {uid}");
            let no_rules = gate.allows(&caller(uid, uid, &[uid]), std::iter::empty());
            assert_eq!(no_rules, admitted, "{gate:?} {uid}");
        }
    }

    #[test]
    fn an_allowed_user_is_matched_by_uid_of_this_namespace() {
        let guests = AllowedUsers::new([1_001, 65_534, u32::MAX]);
        for (namespace, uid, included) in [
            (Identity, 1_001, true),
            (Identity, 65_534, true),
            (Identity, 1_002, false),
            (Identity, 0, false),
            (Identity, u32::MAX, false),
            (Other, 1_001, true),
            (Other, 65_534, false),
            (Other, u32::MAX, false),
        ] {
            assert_eq!(guests.include(uid, namespace), included, "{uid}");
            assert!(!AllowedUsers::default().include(uid, namespace));
        }
    }

    #[test]
    fn a_rule_admits_the_users_and_groups_that_it_names_by_id() {
        let users = |text| RuleScope::Users(range(text));
        let groups = |text| RuleScope::Groups(range(text));
        let gate = AccessContext {
            own_uid: 1_000,
            namespace: Identity,
        };
        for (who, caller, allowed) in [
            (users("1001"), caller(1_001, 1_001, &[]), true),
            (users("1001"), caller(1_002, 1_001, &[1_001]), false),
            (users("1001-1003"), caller(1_001, 9, &[]), true),
            (users("1001-1003"), caller(1_003, 9, &[]), true),
            (users("1001-1003"), caller(1_004, 9, &[]), false),
            (users("2000"), caller(1_000, 9, &[]), true),
            (users("2000"), caller(0, 0, &[]), true),
            (users("0-4294967294"), caller(u32::MAX, 9, &[]), false),
            (users("0-4294967294"), caller(65_534, 9, &[]), true),
            (groups("50"), caller(1_001, 50, &[]), true),
            (groups("50"), caller(1_001, 9, &[7, 50]), true),
            (groups("50"), caller(50, 9, &[7, 51]), false),
            (groups("50-60"), caller(1_001, 9, &[61, 55]), true),
            (groups("50-60"), caller(1_001, 9, &[49, 61]), false),
            (groups("0"), caller(1_001, 0, &[]), true),
            (
                groups("0-4294967294"),
                caller(1_001, u32::MAX, &[u32::MAX]),
                false,
            ),
            (groups("0-4294967294"), caller(u32::MAX, 9, &[9]), false),
        ] {
            assert_eq!(
                gate.allows(&caller, [who].into_iter()),
                allowed,
                "{who:?} {caller:?}"
            );
            // Its position among other rules does not matter (CVE-2023-51384).
            let other = groups("77");
            for rules in [[who, other], [other, who]] {
                assert_eq!(gate.allows(&caller, rules.into_iter()), allowed);
            }
        }
    }

    #[test]
    fn a_rule_index_matches_whatever_any_of_its_rules_matches() {
        let texts = ["5", "7-9", "10", "20-30", "25-28", "30-31", "4294967294"];
        let rules: Vec<_> = texts
            .iter()
            .flat_map(|text| {
                [
                    RuleScope::Users(range(text)),
                    RuleScope::Groups(range(text)),
                ]
            })
            .collect();
        let gate = AccessContext {
            own_uid: 1_000,
            namespace: Identity,
        };
        for rules in [&rules[..], &rules[..3], &rules[1..2], &[]] {
            let named = RuleIndex::by(rules.iter().copied());
            for id in (1..40).chain([u32::MAX - 1, u32::MAX]) {
                for caller in [
                    caller(id, 99, &[]),
                    caller(99, id, &[98]),
                    caller(99, 99, &[1, id]),
                ] {
                    let allowed = gate.allows(&caller, rules.iter().copied());
                    assert_eq!(named.names(&caller), allowed, "{caller:?} {rules:?}");
                }
            }
        }
        let named = RuleIndex::by(rules.into_iter());
        assert_eq!(named.users.len(), 4, "{named:?}");
    }

    #[test]
    fn no_rule_admits_a_caller_in_another_user_namespace() {
        let gate = AccessContext {
            own_uid: 1_000,
            namespace: Other,
        };
        let everybody = [
            RuleScope::Users(range("0-4294967294")),
            RuleScope::Groups(range("0-4294967294")),
        ];
        for uid in [0, 1, 1_001, 65_534, u32::MAX] {
            assert!(
                !gate.allows(&caller(uid, 5, &[6]), everybody.into_iter()),
                "{uid}"
            );
        }
        assert!(gate.allows(&caller(1_000, 5, &[]), everybody.into_iter()));
    }

    #[test]
    fn a_group_rule_matches_at_any_position_among_many_groups() {
        let gate = AccessContext {
            own_uid: 1_000,
            namespace: Identity,
        };
        let rule = || [RuleScope::Groups(range("7"))].into_iter();
        for count in [0_u32, 1, 16, 17, 1_024, 65_536] {
            let mut groups: Vec<u32> = (100..100 + count).collect();
            assert!(!gate.allows(&caller(5, 5, &groups), rule()), "{count}");
            if let Some(last) = groups.last_mut() {
                *last = 7;
                assert!(gate.allows(&caller(5, 5, &groups), rule()), "{count}");
            }
        }
    }

    #[test]
    fn an_id_range_is_ascending_digits_without_the_invalid_id() {
        for (text, shown) in [
            ("0", "0"),
            ("1000", "1000"),
            ("1000-1999", "1000-1999"),
            ("5-5", "5"),
            ("4294967294", "4294967294"),
        ] {
            assert_eq!(range(text).to_string(), shown);
        }
        for bad in [
            "",
            "-",
            "-1",
            "1-",
            "+1",
            "1-+2",
            "1 - 2",
            " 1",
            "2-1",
            "1-2-3",
            "4294967295",
            "0-4294967295",
            "4294967296",
            "alice",
            "0x10",
            "1000..1999",
            "٣",
        ] {
            assert_eq!(IdRange::parse(bad), None, "{bad:?}");
        }
    }
}
