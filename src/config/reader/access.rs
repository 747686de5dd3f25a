//! Reads the access rules: the socket's mode and the `allow` rules, and looks up the numbers of their names.

use super::super::allow::{Rule, RuleSubject, SocketMode};
use super::super::named::{Name, ResolvedName};
use super::key::{Key, key, set};
use super::{Field, Reader};
use crate::policy::{IdRange, RuleScope};

/// The socket while it is read.
#[derive(Default)]
pub(super) struct SocketDraft {
    mode: ModeKind,
    group: Option<Group>,
}

/// A group while it is read.
pub(super) enum Group {
    Number(u32),
    Name(ResolvedName),
}

/// A mode whose group is not known yet.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum ModeKind {
    #[default]
    Private,
    Group,
    All,
}

#[rustfmt::skip]
pub(super) const SOCKET: &[Key<SocketDraft>] = &[
    key("mode", "\"private\", \"group\" or \"all\"", "\"private\"", "which users can connect to the token socket: the daemon's own and root, a group as well, or all", |r, f, d| {
        set(&mut d.mode, r.one_of(f, &[("private", ModeKind::Private), ("group", ModeKind::Group), ("all", ModeKind::All)], &[]));
    }),
    key("group", "a group's name or number", "mode is not \"group\"", "the group that can connect as well", |r, f, d| {
        d.group = r.group(f);
    }),
];

#[rustfmt::skip]
pub(super) const ALLOW: &[Key<Vec<Rule>>] = &[
    key("user", "a user's name", "another key is there", "this user may use the profile", |r, f, d| {
        d.extend(r.user_rule("user", f));
    }),
    key("uid", "a number, or \"FIRST-LAST\"", "another key is there", "these users may, by number", |r, f, d| {
        d.extend(r.id_rule("uid", f, RuleScope::Users));
    }),
    key("group", "a group's name", "another key is there", "the members of this group may", |r, f, d| {
        d.extend(r.group_rule("group", f));
    }),
    key("gid", "a number, or \"FIRST-LAST\"", "another key is there", "the members of these groups may, by number", |r, f, d| {
        d.extend(r.id_rule("gid", f, RuleScope::Groups));
    }),
    key("unit", "the name of a system unit", "another key is there", "not yet supported, and refused", |r, f, _| {
        if r.text(f).is_some() {
            r.fault(f, "a rule for a unit is not supported in this version: allow the user that the unit runs as", None);
        }
    }),
];

impl Reader<'_> {
    /// Reads the table of the socket: its mode, and its group if the group is given by name. While the group has no
    /// number, the mode is private.
    pub(in crate::config) fn socket(
        &mut self,
        field: &Field<'_>,
    ) -> Option<(SocketMode, Option<ResolvedName>)> {
        let table = self.table(field)?;
        let mut draft = SocketDraft::default();
        self.keys(&field.path, table, SOCKET, &mut draft);
        match (draft.mode, table.contains_key("group")) {
            (ModeKind::Group, true) => Some(match draft.group? {
                Group::Number(gid) => (SocketMode::Group(gid), None),
                Group::Name(named) => (SocketMode::of_group(&named), Some(named)),
            }),
            (ModeKind::Group, false) => {
                let message = "group is missing: the group that can connect to the socket";
                self.fault(field, message, None);
                None
            }
            (_, true) => {
                let message = "group is there, and mode is not \"group\": set that mode too, or remove the group";
                self.fault(field, message, None);
                None
            }
            (ModeKind::Private, false) => Some((SocketMode::Private, None)),
            (ModeKind::All, false) => Some((SocketMode::All, None)),
        }
    }

    /// Reads a group by its name or number.
    pub(super) fn group(&mut self, field: &Field<'_>) -> Option<Group> {
        if field.item.is_integer() {
            let number = self.ids(field).and_then(IdRange::only);
            return number.map(Group::Number);
        }
        let name = Name::Group(self.account(field)?);
        Some(Group::Name(self.look_up(field, name)))
    }

    /// Reads the rules of an array of tables.
    pub(in crate::config) fn rules(&mut self, field: &Field<'_>) -> Vec<Rule> {
        let mut rules = vec![];
        for (at, table) in self.tables(field) {
            self.keys(&field.path, table, ALLOW, &mut rules);
            let known = |name: &&str| ALLOW.iter().any(|key| key.doc.name == *name);
            if table.iter().map(|(name, _)| name).filter(known).count() != 1 {
                let message =
                    "a rule has exactly one of user, uid, group, gid; write a table for each";
                self.fault_at(at, &field.path, message, None);
            }
        }
        rules
    }

    fn user_rule(&mut self, key: &'static str, field: &Field<'_>) -> Option<Rule> {
        let name = self.account(field)?;
        Some(Rule {
            subject: RuleSubject::Name(self.look_up(field, Name::User(name.clone()))),
            key,
            value: name,
        })
    }

    fn group_rule(&mut self, key: &'static str, field: &Field<'_>) -> Option<Rule> {
        let name = self.account(field)?;
        Some(Rule {
            subject: RuleSubject::Name(self.look_up(field, Name::Group(name.clone()))),
            key,
            value: name,
        })
    }

    fn id_rule(
        &mut self,
        key: &'static str,
        field: &Field<'_>,
        who: fn(IdRange) -> RuleScope,
    ) -> Option<Rule> {
        let ids = self.ids(field)?;
        Some(Rule {
            subject: RuleSubject::Numbers(who(ids)),
            key,
            value: ids.to_string(),
        })
    }

    /// Reads a number, or a range of numbers in a string.
    pub(super) fn ids(&mut self, field: &Field<'_>) -> Option<IdRange> {
        let text = match field.item.as_integer() {
            Some(number) => number.to_string(),
            None => match field.item.as_str() {
                Some(text) => text.to_owned(),
                None => {
                    self.wrong_type(field, "a number, or a string as \"1000-1999\"");
                    return None;
                }
            },
        };
        let ids = IdRange::parse(&text);
        if ids.is_none() {
            let message =
                "this must be a number from 0 to 4294967294, or two in order, as \"1000-1999\"";
            self.fault(field, message, None);
        }
        ids
    }

    /// Reads the name of a user or a group. An empty name is a fault of the text, whatever names the machine knows.
    pub(super) fn account(&mut self, field: &Field<'_>) -> Option<String> {
        let name = self.text(field)?;
        if name.is_empty() {
            self.fault(field, "this must not be empty", None);
            return None;
        }
        Some(name.to_owned())
    }

    /// Looks a name up, and notes its place if its number is in doubt.
    pub(super) fn look_up(&mut self, field: &Field<'_>, name: Name) -> ResolvedName {
        let named = ResolvedName::look_up(name, self.names);
        if named.doubt().is_some() {
            self.doubt(field, named.clone());
        }
        named
    }
}
