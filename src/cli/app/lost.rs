//! Looks for keys that an interrupted creation may have left at the server, by what was written down beforehand.

use super::super::output::tell;
use super::super::target::Target;
use super::session::{ORDINARY, Session};
use super::whose::Whose;
use crate::applications::{Application, Family};
use crate::causes::Causes;
use crate::paths::Env;
use crate::store::{Keeper, KeyIntent, KeyIntents, ProfileLock};

/// How long after a call a key is looked for, in seconds: a server may execute it late.
const PATIENCE: u64 = 3_600;

/// What is to be done about a creation that has not ended.
#[derive(Debug, PartialEq, Eq)]
enum Verdict<'a> {
    /// There is no such key yet, and it may still come.
    Wait,
    /// There is no such key, and none will come.
    Over,
    /// Its secret is kept: the creation was interrupted at its very end.
    Kept,
    /// Somebody uses it, so it is not ours to delete.
    Used(&'a Application),
    /// It is of use to nobody.
    Delete(&'a Application),
}

/// Judges a creation by the keys that there are now. `is_kept` says whether a store or a file may have the key's secret.
fn judge<'a>(
    intent: &KeyIntent,
    keys: &'a [Application],
    is_kept: impl Fn(&Application) -> bool,
    now: u64,
) -> Verdict<'a> {
    let mut new = keys
        .iter()
        .filter(|key| key.name == intent.name && !intent.known.contains(&key.id));
    match new.next() {
        None if now > intent.at.saturating_add(PATIENCE) => Verdict::Over,
        None => Verdict::Wait,
        Some(key) if is_kept(key) => Verdict::Kept,
        Some(key) if key.last_login.is_some() => Verdict::Used(key),
        Some(key) => Verdict::Delete(key),
    }
}

/// Looks for what creations with this profile's token have left, and deletes what is surely ours and of use to nobody. It
/// never ends the command: that has something else to do.
pub(super) fn look(session: &Session) {
    let intents = KeyIntents::new(&session.target.state, session.target.owner);
    let begun = match intents.begun(&session.name) {
        Ok(begun) if begun.is_empty() => return,
        Ok(begun) => begun,
        Err(error) => {
            return tell(format!(
                "warning: keys that an interrupted creation has left cannot be looked for: {}",
                Causes(&error)
            ));
        }
    };
    // A command that is making a key now holds it.
    let lock = match session.stores.lock(&session.name) {
        Ok(lock) => lock,
        Err(error) => {
            return tell(format!(
                "a key is being made, or was left by an interrupted creation: {}",
                Causes(&error)
            ));
        }
    };
    // What has ended while we waited for the lock is not there any more.
    for intent in intents.begun(&session.name).unwrap_or(begun) {
        look_for(session, &intents, &lock, &intent);
    }
}

/// Looks for what creations with any profile's token have left, for `jetond check`.
pub(super) fn look_everywhere(target: &Target, env: &Env) {
    let intents = KeyIntents::new(&target.state, target.owner);
    for name in intents.profiles().unwrap_or_default() {
        let whose = Whose {
            profile: Some(name.clone()),
        };
        match Session::open(target.clone(), &whose, env, ORDINARY) {
            Ok(session) => look(&session),
            Err(_) => tell(format!(
                "warning: whether an interrupted creation with the token of {name} has left a key is not known; to look for it, run: {}",
                target.line(&format!("app list {name}"))
            )),
        }
    }
}

/// Looks for one, and says whether it is done with it.
pub(super) fn look_for(
    session: &Session,
    intents: &KeyIntents,
    lock: &ProfileLock,
    intent: &KeyIntent,
) {
    let name = &intent.name;
    let later = "every later 'jetond app' command looks for it";
    let listed = match Family::of_path(&intent.path) {
        Some(family) => session.wait(session.api.list(family.kind(), false)),
        None => {
            return tell(format!(
                "warning: the creation of {name} is of an unknown kind of key"
            ));
        }
    };
    let listed = match listed {
        Ok(listed) => listed,
        Err(trouble) => {
            return tell(format!(
                "warning: whether the creation of {name} has left a key is not known; {later}: {trouble}"
            ));
        }
    };
    let is_kept = |key: &Application| is_kept(session, intent, key);
    let is_over = match judge(intent, &listed.keys, is_kept, session.now()) {
        Verdict::Wait => {
            tell(format!(
                "the creation of {name} was interrupted, and there is no such key yet; {later}"
            ));
            false
        }
        Verdict::Over | Verdict::Kept => true,
        Verdict::Used(key) => {
            tell(format!(
                "the creation of {name} was interrupted, and the key (ID {}) is used by somebody, so it is left; if it is of no use, run: {}",
                key.id,
                session.target.line(&format!("app delete {}", key.id))
            ));
            true
        }
        Verdict::Delete(key) => match session.wait(session.api.delete(listed.family, &key.id)) {
            Ok(()) => {
                tell(format!(
                    "the creation of {name} was interrupted and its secret is lost, so the key (ID {}) is deleted",
                    key.id
                ));
                true
            }
            Err(trouble) => {
                tell(format!(
                    "the creation of {name} has left a key (ID {}) that cannot be deleted now; {later}: {trouble}",
                    key.id
                ));
                false
            }
        },
    };
    if is_over && let Err(error) = intents.end(lock, intent) {
        tell(format!(
            "warning: that the creation of {name} has ended cannot be written down: {}",
            Causes(&error)
        ));
    }
}

/// Whether a store or a secret file may have the secret of this key. What cannot be read may have it.
fn is_kept(session: &Session, intent: &KeyIntent, key: &Application) -> bool {
    if !session.used_by(key).is_empty() {
        return true;
    }
    match &intent.keeper {
        Keeper::Profile(name, store) => match session.stores.reader(store).load(name) {
            Ok(None) => false,
            Ok(Some(record)) => record.key.credential.client_id == key.client_id,
            Err(_) => true,
        },
        Keeper::File(path) => match path.symlink_metadata() {
            Ok(meta) => meta.len() > 0,
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, last_login: Option<u64>) -> Application {
        Application {
            id: id.into(),
            name: "new".into(),
            client_id: format!("c-{id}"),
            created_at: None,
            last_login,
            created_by: None,
            enabled: None,
        }
    }

    #[test]
    fn only_a_new_key_that_nobody_uses_or_keeps_is_deleted() {
        let intent = KeyIntent {
            name: "new".into(),
            path: "/api/v1/access-keys".into(),
            known: vec!["1".into()],
            at: 100,
            keeper: Keeper::File("/s".into()),
        };
        let (known, used, unused) = (key("1", None), key("2", Some(5)), key("3", None));
        let other = Application {
            name: "other".into(),
            ..key("4", None)
        };
        for (keys, is_kept, now, verdict) in [
            (vec![], false, 100, Verdict::Wait),
            (vec![known.clone()], false, 3_700, Verdict::Wait),
            (vec![other.clone()], false, 3_701, Verdict::Over),
            (vec![known.clone()], false, 3_701, Verdict::Over),
            (vec![unused.clone()], true, 100, Verdict::Kept),
            (vec![used.clone()], true, 100, Verdict::Kept),
            (vec![used.clone()], false, 9_999, Verdict::Used(&used)),
            (
                vec![known, other, unused.clone()],
                false,
                9_999,
                Verdict::Delete(&unused),
            ),
        ] {
            assert_eq!(judge(&intent, &keys, |_| is_kept, now), verdict, "{keys:?}");
        }
    }
}
