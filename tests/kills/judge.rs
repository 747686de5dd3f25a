//! Checks what must hold after a kill: six bars, each of which counts its violations.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use jetond::sandbox::Application;

use crate::behaviour::Form;
use crate::encrypted;
use crate::encrypted_record;
use crate::operation::{Operation, file_works};
use crate::place::{COMMENT, KillEnv, PROFILE};
use crate::support::env::Output;
use crate::words::tail;

/// An outcome that must never occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ForbiddenOutcome {
    /// After the first command that follows the server's execution, there is a key that no profile and no file of
    /// ours can use. No command has named it together with what to do about it.
    Orphaned,
    /// A key is gone that the command did not make.
    Deleted,
    /// A profile's credential does not work, and no command says what to do; or the daemon cannot use it.
    Lost,
    /// The command claims that it is done, but it is not.
    FalseSuccess,
    /// A secret or a token is outside of the stores.
    Leaked,
    /// A request is not served, or a daemon serves no token within 2 s of its start.
    Late,
}

impl ForbiddenOutcome {
    pub(crate) const ALL: [Self; 6] = [
        Self::Orphaned,
        Self::Deleted,
        Self::Lost,
        Self::FalseSuccess,
        Self::Leaked,
        Self::Late,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Orphaned => "orphaned keys",
            Self::Deleted => "keys deleted that were not ours",
            Self::Lost => "lost credentials",
            Self::FalseSuccess => "false successes",
            Self::Leaked => "secrets outside of the stores",
            Self::Late => "requests without a token in time",
        }
    }
}

/// The violated bars, with the reasons.
pub(crate) type Violations = Vec<(ForbiddenOutcome, String)>;

/// Judges what the command has left, and ends the place. `looks_early` also runs a command before the server has
/// executed its late requests.
pub(crate) fn judge(
    mut place: KillEnv,
    operation: &Operation,
    form: Form,
    output: &Output,
    looks_early: bool,
) -> Violations {
    let mut broken = vec![];
    let claims = output.code == 0 || output.stdout.contains(operation.claim);
    let is_false = claims && !(operation.is_done)(&place);
    if let Some(what) = encrypted::unlock_if_needed(&place) {
        broken.push((ForbiddenOutcome::Lost, what));
    }
    if form.is_late() {
        if looks_early {
            let _: Output = list(&place);
        }
        place.let_execute();
    }
    // Another person makes a key between the kill and the next command.
    place.create("foreign-key");
    place.before.extend(place.key("foreign-key"));

    let first = list(&place);
    // For an encrypted credential, the command asks for the passphrase, but there is no terminal.
    if first.code != 0 && !encrypted::is_used(&place) {
        broken.push((
            ForbiddenOutcome::Lost,
            format!("app list: {}", tail(&first.stderr)),
        ));
    }
    let keys = place.keys();
    let is_there = |key: &Application| keys.iter().any(|other| other.id == key.id);
    for key in place.before.iter().filter(|key| !is_there(key)) {
        broken.push((ForbiddenOutcome::Deleted, key.name.clone()));
    }
    for key in &keys {
        let is_known = place.before.iter().any(|other| other.id == key.id);
        let is_left = may_be_left(&place, key) && names(&first, &key.id);
        if !is_known && !is_usable(&place, key) && !is_left {
            let what = format!("{}; app list said: {}", key.name, tail(&first.stderr));
            broken.push((ForbiddenOutcome::Orphaned, what));
        }
    }
    let lockout = says_locked_out(&first, "");
    if is_false && !(form.is_late() && lockout) {
        broken.push((ForbiddenOutcome::FalseSuccess, tail(&output.stdout)));
    }
    broken.extend(lost(&place, &first));
    if !lockout && !(operation.is_safe)(&place) {
        let what = "the secret of the key, and nothing says so";
        broken.push((ForbiddenOutcome::Lost, what.to_owned()));
    }
    if let Some(what) = (operation.end)(&place) {
        broken.push((ForbiddenOutcome::Lost, what));
    }
    broken.extend(end_of(place));
    broken
}

/// Ends the place, and searches all output for secrets.
pub(crate) fn end_of(mut place: KillEnv) -> Violations {
    for secret in place.env.sandbox().secrets() {
        place
            .env
            .forbid_secret("a secret that the issuer made", &secret);
    }
    if let Some(identity) = encrypted_record::identity(&place.env) {
        let identity = identity.expose();
        place.env.forbid("the identity of the store", &identity);
        // The file with the passphrase belongs to the test.
        fs::remove_file(place.env.path("passphrase")).unwrap();
        let passphrase = encrypted_record::PASSPHRASE;
        place.env.forbid("the passphrase of the store", passphrase);
    }
    let KillEnv {
        env,
        mut daemon,
        keyring,
        ..
    } = place;
    env.stop(&mut daemon);
    drop(keyring);
    let leaks = env.leaks();
    if !leaks.is_empty() {
        // Dropping the environment checks for leaks again, and panics.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(env)));
    }
    let leaks = leaks.into_iter();
    leaks.map(|leak| (ForbiddenOutcome::Leaked, leak)).collect()
}

fn list(place: &KillEnv) -> Output {
    place.env.jetond(&["app", "list", PROFILE])
}

/// Returns whether a profile or the secret file can use the key.
fn is_usable(place: &KillEnv, key: &Application) -> bool {
    let profiles = place.profiles();
    let uses = |profile: &String| {
        let stored = place.stored(profile);
        stored.is_some_and(|(id, secret)| id == key.client_id && place.gets_token(&id, &secret))
    };
    profiles.iter().any(uses) || file_works(place, &key.client_id)
}

/// Returns whether the key may be in use, so that it is named instead of deleted.
fn may_be_left(place: &KillEnv, key: &Application) -> bool {
    let stored = || place.stored_ids().contains(&key.client_id);
    key.last_login.is_some() || stored() || place.has_secret_file()
}

/// Returns whether a person was told about the key, and what to do about it.
fn names(said: &Output, id: &str) -> bool {
    let mut lines = said.stderr.lines();
    lines.any(|line| line.contains(id) && line.contains("jetond "))
}

/// Returns whether a person was told that the secret of the key of this ID may not work any more, and what to do.
fn says_locked_out(said: &Output, id: &str) -> bool {
    let mut lines = said.stderr.lines();
    lines.any(|line| {
        let is_lost = line.contains("is locked out") || line.contains("the new one is lost");
        is_lost && line.contains("jetond app regenerate") && line.contains(id)
    })
}

/// Returns whether a person was told that the key of this profile is locked out.
fn is_named(place: &KillEnv, profile: &str, said: &Output) -> bool {
    let stored = place.stored(profile);
    let keys = place.keys();
    let key = stored.and_then(|(id, _)| keys.into_iter().find(|key| key.client_id == id));
    key.is_some_and(|key| says_locked_out(said, &key.id))
}

/// Returns what the configuration's profiles have lost.
fn lost(place: &KillEnv, said: &Output) -> Violations {
    let lockout = says_locked_out(said, "");
    let mut broken = vec![];
    let profiles = place.profiles();
    if !place.has_profile(PROFILE) {
        broken.push((
            ForbiddenOutcome::Lost,
            format!("there is no profile {PROFILE}"),
        ));
    }
    let config = fs::read_to_string(place.env.config()).unwrap();
    if !config.starts_with(COMMENT) {
        broken.push((
            ForbiddenOutcome::Lost,
            "what a person wrote into the configuration".to_owned(),
        ));
    }
    let all_work = profiles.iter().all(|profile| place.works(profile));
    let checked = place.env.jetond(&["check"]);
    if checked.code != 0 && (all_work || !lockout) {
        broken.push((
            ForbiddenOutcome::Lost,
            format!("check: {}", tail(&checked.stderr)),
        ));
    }
    for profile in profiles {
        if !place.works(&profile) {
            if !is_named(place, &profile, said) {
                broken.push((
                    ForbiddenOutcome::Lost,
                    format!("{profile} does not work, and nothing says so"),
                ));
            }
            continue;
        }
        // The daemon checks the store without a reload only for a profile that it knows.
        if profile != PROFILE {
            let _: Output = place.env.jeton(&["reload"]);
        }
        let refreshed = place.env.jeton(&["refresh", &profile]);
        if refreshed.code != 0 {
            let what = format!("refresh {profile}: {}", tail(&refreshed.stderr));
            broken.push((ForbiddenOutcome::Lost, what));
        }
    }
    broken
}
