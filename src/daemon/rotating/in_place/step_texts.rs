//! The sentence for each step of a rotation in place.

use super::super::exchange::InPlaceData;
use super::super::step::{RotationEnd, RotationStep};
use crate::instant::Now;
use crate::profile::ProfileName;
use crate::rotation::{InPlaceCommand, InPlaceEnd, InPlaceNotes, Pause, WaitReason};

/// Returns the step that a command makes; `None` if callers need not know it.
pub(super) fn step(
    command: &InPlaceCommand,
    notes: &InPlaceNotes,
    exchange: &InPlaceData,
    now: Now,
) -> Option<RotationStep> {
    let key = notes.key.label();
    let step = |name, sentence: String| {
        Some(RotationStep {
            name,
            sentence,
            key: Some(key.to_owned()),
            until: None,
            since: None,
            code: None,
            end: None,
        })
    };
    match command {
        InPlaceCommand::KeepToken => step(
            "checking",
            "keeping a token, with which a lost answer can be asked for again".to_owned(),
        ),
        InPlaceCommand::Regenerate(_) => step(
            "regenerating",
            format!("having the control plane replace the secret of {key}"),
        ),
        InPlaceCommand::Store(..) => step("storing", format!("storing the new secret of {key}")),
        InPlaceCommand::Prove => step("proving", format!("getting a token with {key}")),
        InPlaceCommand::Finish(_) => step("closing", "ending the rotation".to_owned()),
        InPlaceCommand::Pause(pause) => Some(RotationStep {
            until: Some(now.unix_of(pause.until)),
            ..step("waiting", waiting(pause, exchange))?
        }),
        InPlaceCommand::Note(_)
        | InPlaceCommand::KeepAnswer
        | InPlaceCommand::Settle
        | InPlaceCommand::Read
        | InPlaceCommand::RemoveNotes
        | InPlaceCommand::End(_) => None,
    }
}

fn waiting(pause: &Pause, exchange: &InPlaceData) -> String {
    let what = match pause.why {
        WaitReason::Store => "waiting for the store of the credential",
        WaitReason::Journal => "waiting for the disk with the state folder",
        WaitReason::Replicas => "waiting until the control plane takes the secret everywhere",
        WaitReason::LateCalls => {
            return "waiting until no earlier call can still be executed late".to_owned();
        }
        _ => "waiting for the control plane",
    };
    with_trouble(what.to_owned(), exchange)
}

/// Returns the last step.
pub(super) fn ended(
    profile: &ProfileName,
    notes: &InPlaceNotes,
    end: InPlaceEnd,
    exchange: &InPlaceData,
) -> RotationStep {
    let key = notes.key.label();
    let (sentence, end) = match end {
        InPlaceEnd::Rotated => (
            format!("{key} has a new secret, which works; the old one is revoked"),
            RotationEnd::Done,
        ),
        InPlaceEnd::Undone => (
            with_trouble(format!("the secret of {key} is not replaced"), exchange),
            match exchange.is_forbidden {
                true => RotationEnd::Impossible,
                false => RotationEnd::Failed,
            },
        ),
        InPlaceEnd::NeedsHuman => (
            format!(
                "{key} is locked out: the control plane takes neither its stored secret nor the token that was kept, so nothing more is done; make a new key, or a new secret by another user's token, and store it with 'jetond add {profile} --rebind'"
            ),
            RotationEnd::NeedsHuman,
        ),
    };
    last(sentence, key, end)
}

/// Returns the last step after another program has replaced the stored credential.
pub(super) fn replaced(notes: &InPlaceNotes) -> RotationStep {
    let key = notes.key.label();
    let sentence =
        format!("another program has replaced the stored credential, so {key} is left as it is");
    last(sentence, key, RotationEnd::Failed)
}

fn last(sentence: String, key: &str, end: RotationEnd) -> RotationStep {
    RotationStep {
        name: "ended",
        sentence,
        key: Some(key.to_owned()),
        until: None,
        since: None,
        code: None,
        end: Some(end),
    }
}

fn with_trouble(sentence: String, exchange: &InPlaceData) -> String {
    match &exchange.trouble {
        Some(trouble) => format!("{sentence}: {trouble}"),
        None => sentence,
    }
}
