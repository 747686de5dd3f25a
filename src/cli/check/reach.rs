//! Checks whether the users whom the `allow` rules name can connect.

use super::super::admin::places;
use super::super::output::print_note;
use super::super::socket_unit::{lost_group, manager, unfit};
use super::super::target::Target;
use crate::config::{Config, Rule, SocketMode};
use crate::daemon::sockets::socket_spec::sharing;
use crate::paths::Env;
use crate::policy::RuleScope;
use crate::settings::names::System;
use crate::trust::barrier;

/// The rules that allow no user, since the socket's mode excludes the users whom they name.
pub(super) fn unreachable(config: &Config, own_uid: u32) -> Vec<String> {
    let is_member = |uid, gid| System.is_member(uid, gid);
    let mut faults = vec![];
    if config.waits_for_group() {
        // The socket is private for now, but will get another mode.
        return faults;
    }
    for (name, rules) in &config.allow {
        for rule in rules {
            if let Some(why) = kept_out(rule, config.socket, own_uid, is_member) {
                faults.push(format!("{name}: the rule {rule} has no effect: {why}"));
            }
        }
    }
    faults
}

/// The reason why none of a rule's users can connect. `None` if one can, or if that is not known, as for a range of
/// users or another group than the socket's.
fn kept_out(
    rule: &Rule,
    mode: SocketMode,
    own_uid: u32,
    is_member: impl Fn(u32, u32) -> Option<bool>,
) -> Option<String> {
    let served = |uid| uid == 0 || uid == own_uid;
    // A rule that is off is not checked here.
    let who = rule.who()?;
    match (mode, who) {
        (SocketMode::All, _) => None,
        (_, RuleScope::Users(uids)) if uids.only().is_some_and(served) => None,
        (SocketMode::Private, _) => Some(
            "[socket] mode = \"private\" lets no other user connect; use mode = \"group\" or \"all\""
                .to_owned(),
        ),
        (SocketMode::Group(gid), RuleScope::Users(uids)) => {
            let outside = is_member(uids.only()?, gid) == Some(false);
            outside.then(|| {
                format!("that user is not in the socket's group {gid}, and so cannot connect; add it to the group")
            })
        }
        (SocketMode::Group(_), RuleScope::Groups(_)) => None,
    }
}

/// Reports a socket unit that names a group which the machine does not know.
pub(super) fn note_lost_group(target: &Target) {
    if let Some((found, remedy)) = lost_group(target) {
        print_note(format!("warning: {found}; {remedy}"));
    }
}

/// Reports if the socket of a unit, or the folder of the usual place, excludes users whom the mode includes. That is no
/// fault of the configuration: another unit, or `--socket`, may follow the mode.
pub(super) fn note_socket(target: &Target, env: &Env, mode: SocketMode) {
    match unfit(target, env, mode) {
        Some(unfit) => {
            let remedy = unfit.remedy(manager(target));
            print_note(format!("warning: {}: {remedy}", unfit.found()));
        }
        None => note_barrier(target, env, mode),
    }
}

/// Reports if the usual folder of the socket excludes users whom the socket's mode includes.
fn note_barrier(target: &Target, env: &Env, mode: SocketMode) {
    let Ok(places) = places(target, env) else {
        return;
    };
    if let Some(folder) = barrier(&places.token, sharing(mode)) {
        print_note(format!(
            "the usual place of the socket is {}, and users whom mode = \"{}\" lets in do not get through {}; choose another with --socket or JETON_SOCKET",
            places.token.display(),
            mode.as_str(),
            folder.display()
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;
    use crate::profile::ProfileName;
    use crate::testing::FewNames;

    #[test]
    fn a_rule_is_unreachable_when_the_socket_mode_excludes_all_its_users() {
        let (private, group, all) = (SocketMode::Private, SocketMode::Group(50), SocketMode::All);
        for (rule, mode, out) in [
            ("user = 'alice'", private, true),
            ("uid = 0", private, false),
            ("uid = 1000", private, false),
            ("uid = '1000-1001'", private, true),
            ("group = 'team'", private, true),
            ("user = 'alice'", group, false),
            ("user = 'bob'", group, true),
            ("uid = 3000", group, false),
            ("uid = 1000", group, false),
            ("uid = '1002-1009'", group, false),
            ("gid = 60", group, false),
            ("user = 'bob'", all, false),
            ("gid = 60", all, false),
        ] {
            let text = format!(
                "[profiles.a]\nprovider = 'runai'\nurl = 'https://x'\n[[profiles.a.allow]]\n{rule}\n"
            );
            let config = parse(&text, &FewNames).unwrap();
            let name = ProfileName::parse("a").unwrap();
            let rule = config.rules(&name).first().unwrap();
            // Alice is in the team, bob is not, and no other user has a name.
            let is_member = |uid, gid| match (uid, gid) {
                (1_001, 50) => Some(true),
                (1_002, 50) => Some(false),
                _ => None,
            };
            let why = kept_out(rule, mode, 1_000, is_member);
            assert_eq!(why.is_some(), out, "{rule} {mode:?}: {why:?}");
        }
    }
}
