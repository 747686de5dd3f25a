//! Checks of the unfinished calls of earlier commands, which every `jetond app` command makes first.

use super::super::output::{Exit, print_note};
use super::super::target::Target;
use super::journal::Journal;
use super::session::{ORDINARY, Session};
use super::whose::TokenProfile;
use super::{creations, regenerations};
use crate::causes::Causes;
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::store::{KeyCall, KeyIntent, KeyIntents};

/// Opens a session, and checks every unfinished call. Without a session, it names them.
pub(super) fn open_and_look(
    target: &Target,
    whose: &TokenProfile,
    env: &Env,
    validity: u64,
) -> Result<Session, Exit> {
    let begun = profiles(target);
    let session = Session::open(target.clone(), whose, env, validity).inspect_err(|_| {
        begun.iter().for_each(|name| name_calls(target, name));
    })?;
    for name in begun {
        if name == session.name {
            look(&session);
        } else {
            look_with(target, &name, env);
        }
    }
    Ok(session)
}

/// Checks every unfinished call, for `jetond check`.
pub(super) fn look_everywhere(target: &Target, env: &Env) {
    for name in profiles(target) {
        look_with(target, &name, env);
    }
}

/// Checks one call now.
pub(super) fn look_at(session: &Session, journal: &Journal, intent: &KeyIntent) {
    match intent.call {
        KeyCall::Creation { .. } => creations::look_at(session, journal, intent),
        KeyCall::Regeneration { .. } => regenerations::look_at(session, journal, intent),
    }
}

/// The profiles whose token an unfinished call uses.
fn profiles(target: &Target) -> Vec<ProfileName> {
    let intents = KeyIntents::new(&target.state, target.owner);
    intents.profiles().unwrap_or_else(|error| {
        print_note(format!(
            "warning: it is not known whether a command that makes keys was interrupted: {}",
            Causes(&error)
        ));
        vec![]
    })
}

/// Checks the calls with the token of another profile.
fn look_with(target: &Target, name: &ProfileName, env: &Env) {
    let whose = TokenProfile {
        profile: Some(name.clone()),
    };
    match Session::open(target.clone(), &whose, env, ORDINARY) {
        Ok(session) => look(&session),
        Err(_) => name_calls(target, name),
    }
}

/// Checks the session's calls. Errors never end the command, which has another purpose.
fn look(session: &Session) {
    // Another command that is making a key now has the journal.
    let journal = match Journal::try_open(session) {
        Ok(journal) => journal,
        Err(error) => {
            return print_note(format!(
                "a key is being made with the token of {}, or was left by an interrupted command: {}",
                session.name,
                Causes(&error)
            ));
        }
    };
    match journal.begun() {
        Ok(begun) => begun
            .into_iter()
            .for_each(|intent| look_at(session, &journal, &intent)),
        Err(error) => print_note(unreadable(&session.name, &Causes(&error))),
    }
}

/// Names the calls that cannot be checked, and the remedy.
fn name_calls(target: &Target, name: &ProfileName) {
    let intents = KeyIntents::new(&target.state, target.owner);
    let begun = match intents.begun(name) {
        Ok(begun) => begun,
        Err(error) => return print_note(unreadable(name, &Causes(&error))),
    };
    for intent in begun {
        let what = match &intent.call {
            KeyCall::Creation { name: key, .. } => format!(
                "it is not known whether an interrupted creation has left a key {key} at the server"
            ),
            KeyCall::Regeneration {
                name: key, key_id, ..
            } => format!(
                "an interrupted regeneration may have replaced the secret of the key {key} (ID {key_id}), so the stored one may be revoked"
            ),
        };
        print_note(format!(
            "warning: {what}; to see the keys, run: {}; if the profile {name} no longer exists, check its keys at the server, and then remove the file {}",
            target.line(&format!("app list {name}")),
            intents.path(name).display()
        ));
    }
}

fn unreadable(name: &ProfileName, why: &Causes<'_>) -> String {
    format!(
        "warning: it is not known what interrupted commands with the token of {name} have left: {why}"
    )
}
