//! The words for each step of a rotation.

use super::refused::RotationRefused;
use super::step::{RotationEnd, RotationStep};
use crate::instant::Now;
use crate::rotation::{End, Notes, Overlap, Pause, Reason, Refusal, State, Why};

/// The step that the machine takes now; `None` for one that no caller needs to know.
pub(super) fn step(machine: &Overlap, now: Now) -> Option<RotationStep> {
    let notes = machine.notes();
    let (new, old) = (&notes.name, notes.old.label());
    let step = |name, sentence: String, key: &str| {
        Some(RotationStep {
            name,
            sentence,
            key: Some(key.to_owned()),
            until: None,
            end: None,
        })
    };
    match machine.state() {
        State::Checking(_) => step(
            "checking",
            "checking whether the key can be rotated".to_owned(),
            old,
        ),
        State::Creating => step("creating", format!("creating the key {new}"), new),
        State::Finding | State::Clearing(_) => step(
            "creating",
            format!("looking for the key {new}, whose secret is lost"),
            new,
        ),
        State::Storing(_) => step(
            "storing",
            format!("storing the secret of {new} beside the one in use"),
            new,
        ),
        State::Proving(_) => step("proving", format!("getting a token with {new}"), new),
        State::Switching => step("switching", format!("putting {new} in force"), new),
        State::Resting(pause) | State::Lasting(pause) | State::Pausing(pause, _) => {
            Some(RotationStep {
                until: Some(now.unix_of(pause.until)),
                ..step("waiting", waiting(pause, old), old)?
            })
        }
        State::Deleting => step("deleting", format!("deleting the old key {old}"), old),
        State::Restoring => step("undoing", format!("putting {old} in force again"), old),
        State::Removing(key, _) => step(
            "closing",
            format!("deleting the key {}, which nothing needs", key.label()),
            key.label(),
        ),
        State::Finishing | State::Closing => step("closing", "ending the rotation".to_owned(), new),
        State::Noting
        | State::Looking
        | State::Guarding
        | State::Sweeping(_)
        | State::Settling
        | State::Reading
        | State::Ended(_) => None,
    }
}

fn waiting(pause: &Pause, old: &str) -> String {
    match pause.why {
        Why::Issuer => {
            "waiting for the control plane, or for a token that may manage the key".to_owned()
        }
        Why::Store => "waiting for the store of the credential".to_owned(),
        Why::Journal => "waiting for the disk with the state folder".to_owned(),
        Why::Replicas => "waiting until the control plane knows the new key everywhere".to_owned(),
        Why::Grace => format!("waiting until the tokens of {old} have expired"),
        Why::Unused => format!("waiting for proof that {old} is no longer used"),
        Why::InUse => {
            format!("{old} is still used (old_key_in_use): waiting until it is not")
        }
        Why::NotTold => {
            format!("keeping {old} for a while: the control plane does not tell whether it is used")
        }
        Why::LateCalls => "waiting until no call of ours can still be executed late".to_owned(),
    }
}

/// The switch.
pub(super) fn switched(notes: &Notes) -> RotationStep {
    RotationStep {
        name: "switched",
        sentence: format!("{} is in force", notes.name),
        key: Some(notes.name.clone()),
        until: None,
        end: None,
    }
}

/// The only step of a rotation that does not begin.
pub(super) fn refused(refused: &RotationRefused) -> RotationStep {
    let end = match refused {
        RotationRefused::NeedsHuman { .. } => RotationEnd::NeedsHuman,
        _ => RotationEnd::Failed,
    };
    last(refused.to_string(), None, end)
}

/// The last step.
pub(super) fn ended(notes: &Notes, end: &End) -> RotationStep {
    let (new, old) = (&notes.name, notes.old.label());
    match end {
        End::Refused(refusal) => last(because(refusal, new), None, RotationEnd::Failed),
        End::Rotated { is_old_kept, left } => {
            let end = match *is_old_kept || !left.is_empty() {
                true => RotationEnd::Kept,
                false => RotationEnd::Done,
            };
            let sentence = match is_old_kept {
                true => format!("{new} is in force; {old} stays, since another machine uses it"),
                false if left.is_empty() => format!("{new} is in force, and {old} is deleted"),
                false => format!("{new} is in force"),
            };
            last(with_left(sentence, left), Some(new), end)
        }
        End::Undone { reason, left } => {
            let sentence = format!("{old} stays in force: {}", why_undone(*reason));
            last(with_left(sentence, left), Some(old), RotationEnd::Failed)
        }
        End::NeedsHuman => last(
            format!(
                "neither {old} nor {new} is at the control plane any more; create a key, and store it with 'jetond add'"
            ),
            Some(new),
            RotationEnd::NeedsHuman,
        ),
    }
}

fn last(sentence: String, key: Option<&str>, end: RotationEnd) -> RotationStep {
    RotationStep {
        name: "ended",
        sentence,
        key: key.map(str::to_owned),
        until: None,
        end: Some(end),
    }
}

fn with_left(sentence: String, left: &[String]) -> String {
    if left.is_empty() {
        return sentence;
    }
    format!(
        "{sentence}; the control plane did not let us delete {} (old_key_left)",
        left.join(", ")
    )
}

const fn why_undone(reason: Reason) -> &'static str {
    match reason {
        Reason::NotCreated => "the control plane did not create a key",
        Reason::NotStored => "the new secret could not be stored",
        Reason::RecordChanged => "another program has changed the stored credential",
        Reason::NewKeyRejected => "the control plane still rejects the new key after 2 minutes",
        Reason::FewerRights => "the new key may do less",
        Reason::NewKeyGone => "the new key is no longer at the control plane",
    }
}

fn because(refusal: &Refusal, new: &str) -> String {
    match refusal {
        Refusal::NoList => {
            "the control plane does not show its keys now; nothing was changed".to_owned()
        }
        Refusal::MayNotManage => "the profile's user may not see its keys: it lacks a role for access keys; name a profile of the same user that has it with --with PROFILE".to_owned(),
        Refusal::NotListed => "the control plane lists no key of the profile's client ID for this user; name a profile of the same user with --with PROFILE".to_owned(),
        Refusal::NotUsers => "the key is an application's or a service account's: a new one would have none of its access rules; have its secret replaced instead, with: jeton rotate PROFILE --in-place".to_owned(),
        Refusal::UsedBy(profiles) => {
            let names: Vec<_> = profiles.iter().map(|name| name.as_str()).collect();
            format!(
                "other profiles use the same key, or may, since their credential cannot be read: {}; give each a key of its own first, with 'jetond app create'",
                names.join(", ")
            )
        }
        Refusal::NoRoom(keys) => format!(
            "there is no room for one key more; delete one first, the longest unused is first here: {}",
            keys.join(", ")
        ),
        Refusal::NameTaken => format!("a key has the name {new} already; try again"),
        Refusal::NoJournal => {
            "the rotation cannot be written down in the state folder, so it does not begin".to_owned()
        }
    }
}
