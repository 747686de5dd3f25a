//! `jetond app regenerate`: makes a new secret for a key. The server revokes the former one at once, and only the
//! answer has the new one. So the place for it, and a token for a second try, are ready before the call.
//!
//! If one of our profiles uses the key, the running daemon replaces the secret ([`super::renew`]). The other cases are
//! here.

use super::super::admin;
use super::super::output::{Exit, fail, print_note, report};
use super::delete::{confirm, named, users};
use super::journal::Journal;
use super::keep::{KeepOutcome, SecretPlace, SecretTarget};
use super::lost_calls::{look_at, open_and_look};
use super::renew::renew;
use super::session::{Session, exit_with_api_error};
use super::whose::{KeyOptions, TokenProfile};
use crate::applications::{Application, CreatedKey, Family, login};
use crate::causes::Causes;
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::store::{KeyCall, KeyIntent, SecretDestination};

const NOTHING: &str = "nothing is sent";

/// The validity that the token needs, in seconds: if the answer is lost, the same token must suffice for a second try.
const VALIDITY: u64 = 900;

/// The largest number of regenerations of the key.
const TRIES: u32 = 2;

/// The arguments of `jetond app regenerate`.
#[derive(Debug, clap::Args)]
pub(super) struct RegenerateArgs {
    /// The key's name, ID or client ID
    key: String,
    #[command(flatten)]
    whose: TokenProfile,
    #[command(flatten)]
    into: SecretTarget,
    /// Regenerate it without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    pub(super) common: KeyOptions,
}

pub(super) fn regenerate(args: &RegenerateArgs, env: &Env) -> Result<(), Exit> {
    let target = args.common.target.find_own(env)?;
    let mut session = open_and_look(&target, &args.whose, env, VALIDITY)?;
    let (listed, key) = session.find(&args.common, false, &args.key, NOTHING)?;
    let family = listed.family;
    let shown = named(family, &key);
    let holder = holder(args, &session, &key, &shown)?;
    if let Some(holder) = &holder {
        writable(&session, holder)?;
    }
    hold(&session)?;
    if !args.yes {
        let what = format!(
            "this makes a new secret for the {shown}, last login {}, {}; the old secret is revoked at once",
            login(key.last_login, session.now()),
            users(&session.used_by(&key))
        );
        confirm(&what, "Regenerate it?", NOTHING)?;
        // The person's answer may have taken minutes.
        session.renew_token(VALIDITY)?;
        hold(&session)?;
    }
    if let Some(holder) = &holder {
        renew(&session, holder, NOTHING)?;
        report(format!(
            "the {shown} has a new secret, and {holder} uses it"
        ));
        return Ok(());
    }
    let journal = Journal::open(&session, NOTHING)?;
    let keep = SecretPlace::prepare(&args.into, env, &session, NOTHING)?;
    let work = KeyRegeneration {
        session: &session,
        journal: &journal,
        family,
        key: &key,
        keep: &keep,
    };
    let kept = work.carry_out()?;
    let has_it = format!("the {shown} has a new secret");
    match &keep {
        SecretPlace::File(file) => report(format!("{has_it}; it is in {}", file.path.display())),
        SecretPlace::Profile { name, .. } => report(format!("{has_it}, and {name} uses it")),
    }
    if !matches!(keep, SecretPlace::File(_)) {
        admin::reload(&session.target, env);
    }
    match kept {
        KeepOutcome::Proved => Ok(()),
        KeepOutcome::Unproved(fault) => {
            let what = format!("it is not known whether it gets tokens: {}", fault.detail);
            Err(fail(Exit::Later, what))
        }
    }
}

/// Finds our profile that has the key. If there is one, its store takes the new secret; otherwise the arguments must
/// name a place.
fn holder(
    args: &RegenerateArgs,
    session: &Session,
    key: &Application,
    shown: &str,
) -> Result<Option<ProfileName>, Exit> {
    if let Some(name) = session.unread.first() {
        let what = format!(
            "{NOTHING}: {name} may use the {shown}, and its stored credential cannot be read; to see why, run: {}",
            session.target.line("check")
        );
        return Err(fail(Exit::Config, what));
    }
    let holders = session.holders_of(key);
    let is_named = args.into.enrol.is_some() || args.into.secret_file.is_some();
    match (holders.as_slice(), is_named) {
        ([], false) => {
            let what = format!(
                "{NOTHING}: no profile here has the {shown}, so say where its new secret is to go: --enrol NEW or --secret-file PATH"
            );
            Err(fail(Exit::Usage, what))
        }
        ([name], true) => {
            let what = format!(
                "{NOTHING}: {name} has the {shown}, and its store takes the new secret: leave --enrol and --secret-file out"
            );
            Err(fail(Exit::Usage, what))
        }
        ([], true) => Ok(None),
        ([name], false) => Ok(Some(name.clone())),
        (several, _) => {
            let names: Vec<_> = several.iter().map(ProfileName::as_str).collect();
            let what = format!(
                "{NOTHING}: several profiles here have the {shown}: {}; give each a key of its own first",
                names.join(", ")
            );
            Err(fail(Exit::Config, what))
        }
    }
}

/// Refuses a profile whose secret Jeton only reads, before anything is asked.
fn writable(session: &Session, holder: &ProfileName) -> Result<(), Exit> {
    let Some(profile) = session.config.profiles.get(holder) else {
        return Ok(());
    };
    if profile.store().is_some() {
        return Ok(());
    }
    let what = format!(
        "{NOTHING}: {holder} has the key, and its secret comes {}, which is only read: another program has to write the new secret there; give {holder} a store first, or use the console",
        session.stores.whereabouts(profile)
    );
    Err(fail(Exit::Config, what))
}

/// Refuses if the token does not last for a second try.
fn hold(session: &Session) -> Result<(), Exit> {
    if session.left >= VALIDITY {
        return Ok(());
    }
    let what = format!(
        "{NOTHING}: the token of {} is valid for {} s, and a lost answer can be repaired only with one that is valid for {VALIDITY} s",
        session.name, session.left
    );
    Err(fail(Exit::Later, what))
}

struct KeyRegeneration<'a> {
    session: &'a Session,
    journal: &'a Journal,
    family: Family,
    key: &'a Application,
    keep: &'a SecretPlace,
}

impl KeyRegeneration<'_> {
    /// Makes the new secret and keeps it. Makes another one if the answer is lost, or if the secret cannot be kept or
    /// gives no token.
    fn carry_out(&self) -> Result<KeepOutcome, Exit> {
        let (session, key) = (self.session, self.key);
        let intent = KeyIntent {
            path: self.family.path().to_owned(),
            at: session.now(),
            keeper: self.keep.keeper(),
            call: KeyCall::Regeneration {
                name: key.name.clone(),
                key_id: key.id.clone(),
                client_id: key.client_id.clone(),
                rejected: None,
            },
        };
        if let Err(error) = self.journal.begin(&intent) {
            self.keep.discard();
            return Err(fail(Exit::Config, format!("{NOTHING}: {}", Causes(&error))));
        }
        let mut last = Exit::Failed;
        // Whether the answer to a call was lost: the server may execute that call late.
        let mut may_come = false;
        let (mut is_sent, mut is_revoked) = (false, false);
        for _ in 0..TRIES {
            let call = session.api.regenerate(self.family, &key.id);
            match session.wait(call).and_then(|renewed| renewed.secret) {
                Ok(secret) => {
                    (is_sent, is_revoked) = (true, true);
                    let made = CreatedKey {
                        id: key.id.clone(),
                        client_id: key.client_id.clone(),
                        secret,
                        server_date: None,
                    };
                    match self.keep.keep(session, &key.name, made, false, &|| {}) {
                        Ok(kept) => {
                            self.finish(&intent, &kept, may_come);
                            return Ok(kept);
                        }
                        Err(exit) => last = exit,
                    }
                }
                Err(trouble) if !trouble.may_be_done && !is_sent => {
                    self.keep.discard();
                    self.journal.end(&intent);
                    return Err(exit_with_api_error(&trouble, NOTHING));
                }
                Err(trouble) => {
                    may_come |= trouble.may_be_done;
                    is_sent = true;
                    last = exit_with_api_error(&trouble, "no new secret has arrived");
                }
            }
        }
        let keeper = SecretDestination::Nothing;
        let intent = KeyIntent { keeper, ..intent };
        self.journal.amend(&intent);
        self.keep.discard();
        if is_revoked {
            self.tell_locked_out();
        } else {
            look_at(session, self.journal, &intent);
        }
        Err(last)
    }

    fn tell_locked_out(&self) {
        let (target, name) = (&self.session.target, &self.session.name);
        let again = target.line(&format!(
            "app regenerate {} {name} --secret-file PATH",
            self.key.id
        ));
        print_note(format!(
            "the {} is locked out: its former secret is revoked, and the new one is not stored; remove the cause that is named above and, while the token of {name} is valid, run: {again}",
            named(self.family, self.key)
        ));
    }

    /// Ends the recorded call, unless the new secret may still be revoked or does not work.
    fn finish(&self, intent: &KeyIntent, kept: &KeepOutcome, may_come: bool) {
        match kept {
            KeepOutcome::Proved if !may_come => self.journal.end(intent),
            KeepOutcome::Proved => print_note(
                "warning: the answer to a first try was lost; if the server executes it late, the new secret is revoked: every 'jetond app' command of the next hour tries it",
            ),
            KeepOutcome::Unproved(_) => {}
        }
    }
}
