//! The sentence for each step of a rotation.

use super::refused::RotationRefused;
use super::rotation_wait::{RotationWait, WaitDescription};
use super::step::{RotationEnd, RotationStep};
use crate::instant::{Now, UnixTime};
use crate::profile::ProfileName;
use crate::rotation::{End, Notes, Overlap, Reason, StartRefusal, State, WaitReason};

const CHECKING: &str = "checking whether the key can be rotated";

/// Code of a step: the old key got a token after the switch.
const OLD_KEY_IN_USE: &str = "old_key_in_use";

/// Code of a step: the issuer refused to delete a key.
const OLD_KEY_LEFT: &str = "old_key_left";

/// Returns the first step, before there is a state machine.
pub(super) fn beginning(is_new: bool) -> RotationStep {
    let sentence = match is_new {
        true => CHECKING,
        false => "reading how far the rotation has come",
    };
    named("checking", sentence.to_owned(), None)
}

/// Returns the state machine's current step; `None` if callers need not know it.
pub(super) fn step(
    machine: &Overlap,
    now: Now,
    hindrance: &mut RotationWait,
) -> Option<RotationStep> {
    let notes = machine.notes();
    let (new, old) = (notes.name.as_str(), notes.old.label());
    let (of_new, of_old) = (Some(new), notes.old.name.as_deref());
    Some(match machine.state() {
        State::Checking(_) => named("checking", CHECKING.to_owned(), of_old),
        State::Creating => named("creating", format!("creating the key {new}"), of_new),
        State::Finding | State::Clearing(_) => {
            let sentence = format!("looking for the key {new}, whose secret is lost");
            named("creating", sentence, of_new)
        }
        State::Storing(_) => {
            let sentence = format!("storing the secret of {new} beside the one in use");
            named("storing", sentence, of_new)
        }
        State::Proving(_) => named("proving", format!("getting a token with {new}"), of_new),
        State::Switching => named("switching", format!("putting {new} in force"), of_new),
        State::Resting(pause) | State::Lasting(pause) | State::Pausing(pause, _) => {
            let hindered = hindrance.describe(pause.why, now.unix);
            RotationStep {
                until: Some(now.unix_of(pause.until)),
                since: hindered.since,
                code: (pause.why == WaitReason::InUse).then_some(OLD_KEY_IN_USE),
                ..named("waiting", waiting(pause.why, notes, hindered.what), of_old)
            }
        }
        State::Deleting => named("deleting", format!("deleting the old key {old}"), of_old),
        State::Restoring => named("undoing", format!("putting {old} in force again"), of_old),
        State::Removing(key, _) => {
            let sentence = format!("deleting the key {}, which nothing needs", key.label());
            named("closing", sentence, key.name.as_deref())
        }
        State::Finishing | State::Closing => {
            named("closing", "ending the rotation".to_owned(), of_new)
        }
        State::Noting
        | State::Looking
        | State::Guarding
        | State::Sweeping(_)
        | State::Settling
        | State::Reading
        | State::Ended(_) => return None,
    })
}

/// Returns the step that waits until no write to a keyring is unfinished.
pub(super) fn settling(hindered: WaitDescription<'_>, until: UnixTime) -> RotationStep {
    let usual = "the keyring, which may still make an earlier change";
    let sentence = format!("waiting for {}", hindered.what.unwrap_or(usual));
    RotationStep {
        until: Some(until),
        since: hindered.what.and(hindered.since),
        ..named("waiting", sentence, None)
    }
}

/// Returns the step that refuses a managing profile.
pub(super) fn not_managing(profile: &ProfileName, why: &str, now: UnixTime) -> RotationStep {
    let sentence = format!(
        "the profile {profile} does not manage the keys: {why}; name a profile of the same user with --with PROFILE"
    );
    RotationStep {
        since: Some(now),
        ..named("waiting", sentence, None)
    }
}

fn waiting(why: WaitReason, notes: &Notes, what: Option<&str>) -> String {
    let old = notes.old.label();
    let waiting_for = |usual: &str| format!("waiting for {}", what.unwrap_or(usual));
    match why {
        WaitReason::Issuer => {
            waiting_for("the control plane, or for a token that may manage the key")
        }
        WaitReason::Missed => format!(
            "waiting to read the control plane's list again, which lacks {}",
            notes.name
        ),
        WaitReason::Store => waiting_for("the store of the credential"),
        WaitReason::Journal => waiting_for("the disk with the state folder"),
        WaitReason::Replicas => waiting_for("the control plane to know the new key everywhere"),
        WaitReason::Grace => format!("waiting until the tokens of {old} have expired"),
        WaitReason::Unused => format!("waiting for proof that {old} is no longer used"),
        WaitReason::InUse => {
            let grace = notes.grace.as_ref();
            let last = grace.and_then(|grace| grace.moved_to);
            let last = last.map_or_else(String::new, |at| format!(", last at {}", at.rfc3339()));
            format!(
                "{old} has been used since the new key is in force{last} (old_key_in_use): waiting until it is not"
            )
        }
        WaitReason::NoLoginsShown => {
            format!("keeping {old} for a while: the control plane does not tell whether it is used")
        }
        WaitReason::LateCalls => {
            "waiting until no earlier call can still be executed late".to_owned()
        }
    }
}

/// Returns the step of the switch.
pub(super) fn switched(notes: &Notes) -> RotationStep {
    let sentence = format!("{} is in force", notes.name);
    named("switched", sentence, Some(&notes.name))
}

/// Returns the only step of a rotation that does not begin.
pub(super) fn refused(refused: &RotationRefused) -> RotationStep {
    let end = match refused {
        RotationRefused::NeedsHuman { .. } => RotationEnd::NeedsHuman,
        RotationRefused::OtherHost(_)
        | RotationRefused::AnotherDaemon
        | RotationRefused::System(_) => RotationEnd::Failed,
        _ => RotationEnd::Impossible,
    };
    last(refused.to_string(), None, end)
}

/// Returns the last step. `what` is what the last command waits for.
pub(super) fn ended(notes: &Notes, end: &End, what: Option<&str>) -> RotationStep {
    let (new, old) = (&notes.name, notes.old.label());
    match end {
        End::Refused(refusal) => {
            let end = match refusal {
                StartRefusal::NoList | StartRefusal::NameTaken | StartRefusal::NoJournal => {
                    RotationEnd::Failed
                }
                _ => RotationEnd::Impossible,
            };
            last(because(refusal, new, what), None, end)
        }
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
            with_left(last(sentence, Some(new), end), left)
        }
        End::Undone { reason, left } => {
            let end = match reason {
                Reason::MayNotCreate | Reason::FewerRights => RotationEnd::Impossible,
                _ => RotationEnd::Failed,
            };
            let sentence = match reason {
                Reason::RecordChanged => {
                    "another program has changed the stored credential, and that change counts"
                        .to_owned()
                }
                _ => format!("{old} stays in force: {}", why_undone(*reason)),
            };
            with_left(last(sentence, notes.old.name.as_deref(), end), left)
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

fn named(name: &'static str, sentence: String, key: Option<&str>) -> RotationStep {
    RotationStep {
        name,
        sentence,
        key: key.map(str::to_owned),
        ..RotationStep::default()
    }
}

fn last(sentence: String, key: Option<&str>, end: RotationEnd) -> RotationStep {
    RotationStep {
        end: Some(end),
        ..named("ended", sentence, key)
    }
}

fn with_left(step: RotationStep, left: &[String]) -> RotationStep {
    if left.is_empty() {
        return step;
    }
    let sentence = format!(
        "{}; the control plane did not allow deleting {} (old_key_left)",
        step.sentence,
        left.join(", ")
    );
    RotationStep {
        sentence,
        code: Some(OLD_KEY_LEFT),
        ..step
    }
}

const fn why_undone(reason: Reason) -> &'static str {
    match reason {
        Reason::NotCreated => "the control plane did not create a key",
        Reason::MayNotCreate => {
            "the profile's user may not create keys: it lacks a role for access keys; name a profile of the same user that has it with --with PROFILE"
        }
        Reason::NotStored => "the new secret could not be stored",
        Reason::RecordChanged => "another program has changed the stored credential",
        Reason::NewKeyRejected => "the control plane still rejects the new key after 2 minutes",
        Reason::FewerRights => "the new key may do less",
        Reason::NewKeyGone => "the new key is no longer at the control plane",
    }
}

fn because(refusal: &StartRefusal, new: &str, what: Option<&str>) -> String {
    match refusal {
        StartRefusal::NoList => {
            let what = what.unwrap_or("the control plane does not answer");
            format!("the keys cannot be listed now, so nothing was changed: {what}")
        }
        StartRefusal::MayNotManage => "the profile's user may not see its keys: it lacks a role for access keys; name a profile of the same user that has it with --with PROFILE".to_owned(),
        StartRefusal::NotListed => "the control plane lists no key of the profile's client ID for this user; name a profile of the same user with --with PROFILE".to_owned(),
        StartRefusal::NotUsers => "the key is an application's or a service account's: a new one would have none of its access rules; have its secret replaced instead, with: jeton rotate PROFILE --in-place".to_owned(),
        StartRefusal::UsedBy(profiles) => {
            let names: Vec<_> = profiles.iter().map(|name| name.as_str()).collect();
            format!(
                "other profiles use the same key, or may, since their credential cannot be read: {}; give each a key of its own first, with 'jetond app create'",
                names.join(", ")
            )
        }
        StartRefusal::NoRoom(keys) if keys.is_empty() => {
            "the user has the maximum number of keys, and profiles on this machine use all of them".to_owned()
        }
        StartRefusal::NoRoom(keys) => format!(
            "the user has the maximum number of keys; delete an unused one first. Keys that no profile here uses, longest unused first: {}",
            keys.join(", ")
        ),
        StartRefusal::NameTaken => format!("a key has the name {new} already; try again"),
        StartRefusal::NoJournal => {
            "the rotation cannot be recorded in the state folder, so it does not begin".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::instant::BootInstant;
    use crate::rotation::{Grace, GraceMoment, KeyRef, Phase, RotationId};

    fn notes() -> Notes {
        let switched = GraceMoment {
            boot_id: String::new(),
            at: BootInstant::from_boot(Duration::ZERO),
            date: None,
        };
        let mut grace = Grace::new(switched, None);
        grace.moved_to = Some(UnixTime::from_epoch(Duration::from_secs(1_735_787_045)));
        Notes {
            rotation: RotationId::of_bits(7),
            name: "jeton-a-07".to_owned(),
            old: KeyRef {
                client_id: "c".to_owned(),
                id: None,
                name: Some("first".to_owned()),
            },
            new: None,
            phase: Phase::Grace,
            grace: Some(grace),
        }
    }

    #[test]
    fn a_wait_for_a_used_old_key_shows_its_last_login() {
        let says = waiting(WaitReason::InUse, &notes(), None);
        assert!(
            says.starts_with("first has been used since the new key"),
            "{says}"
        );
        assert!(
            says.contains("2025-01-02T03:04:05Z (old_key_in_use)"),
            "{says}"
        );
    }

    #[test]
    fn a_new_key_missing_from_the_list_is_named() {
        let says = waiting(
            WaitReason::Missed,
            &notes(),
            Some("a reason of an earlier command"),
        );
        assert!(says.ends_with("again, which lacks jeton-a-07"), "{says}");
    }

    #[test]
    fn only_a_failure_that_a_retry_may_fix_is_reported_as_failed() {
        let end = |end: End| ended(&notes(), &end, None).end.unwrap();
        let undone = |reason| End::Undone {
            reason,
            left: vec![],
        };
        for (told, says) in [
            (End::Refused(StartRefusal::NoList), RotationEnd::Failed),
            (
                End::Refused(StartRefusal::NotUsers),
                RotationEnd::Impossible,
            ),
            (
                End::Refused(StartRefusal::NoRoom(vec![])),
                RotationEnd::Impossible,
            ),
            (undone(Reason::NotCreated), RotationEnd::Failed),
            (undone(Reason::MayNotCreate), RotationEnd::Impossible),
            (End::NeedsHuman, RotationEnd::NeedsHuman),
        ] {
            assert_eq!(end(told.clone()), says, "{told:?}");
        }
        let host = refused(&RotationRefused::OtherHost("h".to_owned()));
        assert_eq!(host.end, Some(RotationEnd::Failed));
        let read_only = refused(&RotationRefused::ReadOnly);
        assert_eq!(read_only.end, Some(RotationEnd::Impossible));
    }
}
