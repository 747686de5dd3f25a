//! Users and groups by name, and the numbers that the machine has for them.
//!
//! The configuration is not at fault when the machine does not know a name: a user may have been deleted, and a
//! directory service may come up later. So a name without a number is not a fault; it turns off the entries that use it
//! until the machine has a number.

use std::fmt;

use super::lookup::{LookupFailed, Names};
use crate::policy::IdRange;

/// A user or a group, by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// A user.
    User(String),
    /// A group.
    Group(String),
}

/// The reason why the number of a name is in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnresolvedReason {
    /// The machine says that it does not know the name.
    Unknown,
    /// Its number is -1, which stands for no user and no group.
    NoId,
    /// The machine cannot say whether it knows the name.
    Failed(LookupFailed),
}

/// A name, and its number in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedName {
    name: Name,
    id: Option<u32>,
    doubt: Option<UnresolvedReason>,
}

/// A name whose number is in doubt, at its place in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnresolvedName {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The key with its tables, such as `profiles.research.allow.user`.
    pub key: String,
    /// The name, which no message quotes: it may be a misplaced secret.
    pub named: ResolvedName,
}

// === impl Name ===

impl Name {
    const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Group(_) => "group",
        }
    }

    /// Returns its number, which `names` looks up.
    ///
    /// # Errors
    /// [`LookupFailed`] if the system cannot answer.
    pub fn id(&self, names: &dyn Names) -> Result<Option<u32>, LookupFailed> {
        match self {
            Self::User(name) => names.user(name),
            Self::Group(name) => names.group(name),
        }
    }
}

impl fmt::Display for Name {
    /// Writes it as `user "alice"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::User(name) | Self::Group(name)) = self;
        write!(f, "{} \"{}\"", self.kind(), name.escape_debug())
    }
}

// === impl Named ===

impl ResolvedName {
    /// Looks a name up for the first time.
    pub(super) fn look_up(name: Name, names: &dyn Names) -> Self {
        let mut named = Self {
            name,
            id: None,
            doubt: None,
        };
        named.look_up_again(names);
        named
    }

    /// Looks the name up again. Only an answer removes the number; when the look-up fails, the number stays.
    pub(super) fn look_up_again(&mut self, names: &dyn Names) {
        (self.id, self.doubt) = match self.name.id(names) {
            Ok(Some(id)) if IdRange::one(id).is_some() => (Some(id), None),
            Ok(Some(_)) => (None, Some(UnresolvedReason::NoId)),
            Ok(None) => (None, Some(UnresolvedReason::Unknown)),
            Err(why) => (self.id, Some(UnresolvedReason::Failed(why))),
        };
    }

    /// Takes over the number in force, if this look-up failed and the old number belongs to the same name.
    pub(super) fn keep_number_of(&mut self, before: &Self) {
        let is_failed = matches!(self.doubt, Some(UnresolvedReason::Failed(_)));
        if is_failed && self.id.is_none() && self.name == before.name {
            self.id = before.id;
        }
    }

    /// Returns the name.
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// Returns the number in force, if there is one.
    pub const fn id(&self) -> Option<u32> {
        self.id
    }

    /// Returns why the number is in doubt or missing; `None` if the last look-up returned the number.
    pub const fn doubt(&self) -> Option<&UnresolvedReason> {
        self.doubt.as_ref()
    }
}

// === impl Doubtful ===

/// The key of the socket's group, with its table.
const SOCKET_GROUP: &str = "socket.group";

impl UnresolvedName {
    /// Reports whether the name is the group of the token socket.
    pub fn is_of_socket(&self) -> bool {
        self.key == SOCKET_GROUP
    }

    /// Reports whether the name is the owner or the group of a sink's file.
    fn is_of_sink(&self) -> bool {
        let table = self.key.rsplit_once('.').map(|(table, _)| table);
        table.is_some_and(|table| table.ends_with(".sinks"))
    }

    /// Says what happens while the number is in doubt.
    pub fn consequence(&self) -> &'static str {
        match self.named.id {
            Some(_) => "its number in force stays until a look-up is answered",
            None if self.is_of_socket() => {
                "the socket is private until the group has a number (one of a socket unit is as that unit makes it)"
            }
            None if self.is_of_sink() => "the file is not written until the name has a number",
            None => "the rule is off until the name has a number",
        }
    }

    /// Says what a person can do about the doubt.
    pub fn remedy(&self) -> String {
        let kind = self.named.name.kind();
        let key = match &self.named.name {
            Name::Group(_) if self.is_of_socket() || self.is_of_sink() => "group",
            Name::User(_) if self.is_of_sink() => "owner",
            Name::User(_) => "uid",
            Name::Group(_) => "gid",
        };
        match &self.named.doubt {
            Some(UnresolvedReason::Failed(_)) => {
                format!("see whether the directory service runs, or write a number: {key} = 1000")
            }
            _ => format!("correct the name, create the {kind}, or write a number: {key} = 1000"),
        }
    }
}

impl fmt::Display for UnresolvedName {
    /// Writes `LINE:COLUMN: KEY: MESSAGE`, to follow the file's name and a colon, in the form of a fault of the
    /// configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: ", self.line, self.column, self.key)?;
        let kind = self.named.name.kind();
        match &self.named.doubt {
            Some(UnresolvedReason::Unknown) => {
                write!(f, "this machine knows no {kind} of this name")
            }
            Some(UnresolvedReason::NoId) => {
                f.write_str("its number is -1, which no account can have")
            }
            Some(UnresolvedReason::Failed(why)) => {
                write!(f, "the {kind} cannot be looked up: {why}")
            }
            None => write!(f, "the {kind} is known"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, SocketMode, parse};
    use super::*;
    use crate::policy::RuleScope;
    use crate::profile::ProfileName;
    use crate::testing::FewNames;

    /// A machine that gives the same answer for every name.
    struct Same(Result<Option<u32>, LookupFailed>);

    impl Names for Same {
        fn user(&self, _: &str) -> Result<Option<u32>, LookupFailed> {
            self.0.clone()
        }

        fn group(&self, _: &str) -> Result<Option<u32>, LookupFailed> {
            self.0.clone()
        }
    }

    fn failed() -> Result<Option<u32>, LookupFailed> {
        Err(LookupFailed("no answer".into()))
    }

    fn ruled(rules: &[&str]) -> String {
        let rules: Vec<_> = rules
            .iter()
            .map(|rule| format!("[[profiles.a.allow]]\n{rule}\n"))
            .collect();
        format!(
            "[profiles.a]\nprovider = 'runai'\nurl = 'https://x'\n{}",
            rules.concat()
        )
    }

    fn who(config: &Config) -> Vec<Option<RuleScope>> {
        let name = ProfileName::parse("a").unwrap();
        config
            .rules(&name)
            .iter()
            .map(super::super::Rule::who)
            .collect()
    }

    fn one(id: u32) -> IdRange {
        IdRange::one(id).unwrap()
    }

    #[test]
    fn only_a_rule_with_an_unresolved_name_is_disabled() {
        let text = ruled(&[
            "user = 'canary'",
            "user = 'alice'",
            "user = 'carol'",
            "user = 'minus-one'",
            "group = 'canary'",
            "uid = 5",
        ]);
        let config = parse(&text, &FewNames).unwrap();
        let on = [RuleScope::Users(one(1_001)), RuleScope::Users(one(5))];
        let off = None;
        assert_eq!(who(&config), [off, Some(on[0]), off, off, off, Some(on[1])]);
        assert!(!config.knows_all_names());
        let doubts: Vec<_> = config
            .doubts
            .iter()
            .map(UnresolvedName::to_string)
            .collect();
        assert_eq!(
            doubts,
            [
                "5:8: profiles.a.allow.user: this machine knows no user of this name",
                "9:8: profiles.a.allow.user: the user cannot be looked up: the directory does not answer",
                "11:8: profiles.a.allow.user: its number is -1, which no account can have",
                "13:9: profiles.a.allow.group: this machine knows no group of this name",
            ]
        );
        for (doubtful, key) in config.doubts.iter().zip(["uid", "uid", "uid", "gid"]) {
            let says = (doubtful.consequence(), doubtful.remedy());
            assert!(says.0.starts_with("the rule is off"), "{says:?}");
            assert!(says.1.ends_with(&format!("{key} = 1000")), "{says:?}");
            assert!(!says.1.contains("canary"), "{says:?}");
        }
    }

    #[test]
    fn the_socket_stays_private_until_its_group_is_resolved() {
        let text = "[socket]\nmode = 'group'\ngroup = 'canary'\n";
        let mut config = parse(text, &FewNames).unwrap();
        assert_eq!(config.socket, SocketMode::Private);
        assert!(config.waits_for_group());
        let doubtful = config.doubts.first().unwrap();
        assert_eq!(
            doubtful.to_string(),
            "3:9: socket.group: this machine knows no group of this name"
        );
        assert!(doubtful.consequence().starts_with("the socket is private"));
        assert!(doubtful.remedy().ends_with("write a number: group = 1000"));
        config.look_up(&Same(Ok(Some(70))));
        assert_eq!(config.socket, SocketMode::Group(70));
        assert!(config.knows_all_names() && !config.waits_for_group());
    }

    #[test]
    fn a_failed_lookup_does_not_remove_a_known_id() {
        // The results of the look-ups, the number in force after them, and whether it is in doubt.
        for (looks, id, in_doubt) in [
            (vec![Ok(Some(7))], Some(7), false),
            (vec![Ok(Some(7)), Ok(Some(8))], Some(8), false),
            (vec![Ok(Some(7)), Ok(None)], None, true),
            (vec![Ok(Some(7)), failed()], Some(7), true),
            (vec![Ok(Some(7)), failed(), failed()], Some(7), true),
            (vec![Ok(Some(7)), failed(), Ok(None)], None, true),
            (vec![Ok(Some(7)), failed(), Ok(Some(9))], Some(9), false),
            (vec![Ok(Some(7)), Ok(None), failed()], None, true),
            (vec![Ok(Some(7)), Ok(Some(u32::MAX))], None, true),
            (vec![failed()], None, true),
            (vec![failed(), Ok(Some(7))], Some(7), false),
            (vec![Ok(None), Ok(Some(7))], Some(7), false),
        ] {
            let case = format!("{looks:?}");
            let mut looks = looks.into_iter().map(Same);
            let text = ruled(&["user = 'a'", "group = 'b'"]);
            let socket = "[socket]\nmode = 'group'\ngroup = 'b'\n";
            let first = looks.next().unwrap();
            let mut config = parse(&format!("{socket}{text}"), &first).unwrap();
            for look in looks {
                config.look_up(&look);
            }
            let id_of = |who: fn(IdRange) -> RuleScope| id.map(|id| who(one(id)));
            assert_eq!(
                who(&config),
                [id_of(RuleScope::Users), id_of(RuleScope::Groups)],
                "{case}"
            );
            let mode = id.map_or(SocketMode::Private, SocketMode::Group);
            assert_eq!(config.socket, mode, "{case}");
            assert_eq!(config.knows_all_names(), !in_doubt, "{case}");
        }
    }

    #[test]
    fn a_reload_keeps_the_ids_of_names_whose_lookup_failed() {
        let before = parse(&ruled(&["user = 'alice'"]), &FewNames).unwrap();
        for (answer, rule, id) in [
            (failed(), "user = 'alice'", Some(1_001)),
            (Ok(None), "user = 'alice'", None),
            (Ok(Some(9)), "user = 'alice'", Some(9)),
            // Another name, and a group of the same name, have no number yet.
            (failed(), "user = 'bob'", None),
            (failed(), "group = 'alice'", None),
        ] {
            let mut config = parse(&ruled(&[rule]), &Same(answer.clone())).unwrap();
            config.keep_numbers_of(&before);
            let ids: Vec<_> = config.named().map(ResolvedName::id).collect();
            assert_eq!(ids, [id], "{answer:?} {rule}");
            if let (Some(_), Some(doubtful)) = (id, config.doubts.first()) {
                assert!(doubtful.consequence().contains("number in force stays"));
            }
        }
    }
}
