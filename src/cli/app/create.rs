//! `jetond app create`: makes a key, whose secret goes straight into a store or a file.
//!
//! The intent is recorded before the call. If the secret cannot be kept, the key is deleted by its ID. If the answer is
//! lost, the next command looks for the key.

use super::super::admin;
use super::super::output::{Exit, fail, print_note, report};
use super::creations;
use super::delete::{named, users};
use super::finish::Unfinished;
use super::journal::Journal;
use super::keep::{KeepOutcome, SecretPlace, SecretTarget};
use super::lost_calls::{look_at, open_and_look};
use super::session::{ORDINARY, Session, exit_with_api_error};
use super::whose::{KeyOptions, TokenProfile};
use crate::applications::{
    ApiError, ApiErrorKind, Application, Family, KeyName, Listed, MAX_USER_KEYS, login,
};
use crate::causes::Causes;
use crate::paths::Env;
use crate::store::{KeyCall, KeyIntent, SecretDestination};

const NOTHING: &str = "nothing is made";

/// The arguments of `jetond app create`.
#[derive(Debug, clap::Args)]
pub(super) struct CreateArgs {
    /// The new key's name
    #[arg(value_parser = KeyName::parse)]
    name: KeyName,
    #[command(flatten)]
    whose: TokenProfile,
    #[command(flatten)]
    into: SecretTarget,
    /// Send the request even if the user already has the maximum number of keys
    #[arg(long)]
    anyway: bool,
    #[command(flatten)]
    pub(super) common: KeyOptions,
}

pub(super) fn create(args: &CreateArgs, env: &Env) -> Result<(), Exit> {
    if args.into.enrol.is_none() && args.into.secret_file.is_none() {
        let what =
            format!("{NOTHING}: say where the secret is to go: --enrol NEW or --secret-file PATH");
        return Err(fail(Exit::Usage, what));
    }
    let target = args.common.target.find_own(env)?;
    let session = open_and_look(&target, &args.whose, env, ORDINARY)?;
    let journal = Journal::open(&session, NOTHING)?;
    let listed = session.wait(session.api.list(args.common.kind, false));
    let listed = listed.map_err(|trouble| exit_with_api_error(&trouble, NOTHING))?;
    if let Some(name) = &args.into.enrol
        && let Some(begun) = Unfinished::find(&session, &journal, &listed, &args.name, name)
    {
        return begun.finish(env);
    }
    judge(args, &session, &listed)?;
    let keep = SecretPlace::prepare(&args.into, env, &session, NOTHING)?;
    let work = KeyCreation {
        args,
        env,
        session: &session,
        journal: &journal,
        family: listed.family,
        known: listed.keys.into_iter().map(|key| key.id).collect(),
        keep,
    };
    work.carry_out()
}

/// Refuses a creation that would surely fail, and prints what a person should know before a key is made.
fn judge(args: &CreateArgs, session: &Session, listed: &Listed) -> Result<(), Exit> {
    let (family, keys) = (listed.family, &listed.keys);
    if let Some(key) = keys.iter().find(|key| key.name == args.name.as_str()) {
        let what = format!(
            "{NOTHING}: there is the {} already; choose another name",
            named(family, key)
        );
        return Err(fail(Exit::Failed, what));
    }
    if !family.is_own() {
        return Ok(());
    }
    let (used, noun) = (keys.len(), family.noun());
    if used >= MAX_USER_KEYS && !args.anyway {
        return Err(full(session, family, keys));
    }
    print_note(format!("{used} of {MAX_USER_KEYS} {noun}s are used"));
    match session.wait(session.api.clusters()) {
        Ok(clusters) => clusters.warning().into_iter().for_each(print_note),
        Err(trouble) => print_note(format!(
            "cannot tell whether every cluster is at 2.20 or later: {trouble}"
        )),
    }
    Ok(())
}

/// Lists the keys that could be deleted, by their last login; those that none of our profiles uses come first.
fn full(session: &Session, family: Family, keys: &[Application]) -> Exit {
    let mut by_login: Vec<_> = keys.iter().map(|key| (session.used_by(key), key)).collect();
    by_login.sort_by_key(|(used_by, key)| (!used_by.is_empty(), key.last_login));
    for (used_by, key) in &by_login {
        print_note(format!(
            "{}, last login {}, {}",
            named(family, key),
            login(key.last_login, session.now()),
            users(used_by)
        ));
    }
    let first = by_login.first().filter(|(used_by, _)| used_by.is_empty());
    let remedy = match first {
        Some((_, key)) => {
            let line = session.target.line(&format!("app delete {}", key.id));
            format!("delete one that is not needed, perhaps the first of these: {line}")
        }
        None => "profiles here use all of them".to_owned(),
    };
    let what = format!(
        "{NOTHING}: a user has at most {MAX_USER_KEYS} {}s, and there are {}; {remedy}; to try it anyway, add --anyway",
        family.noun(),
        keys.len()
    );
    fail(Exit::Failed, what)
}

struct KeyCreation<'a> {
    args: &'a CreateArgs,
    env: &'a Env,
    session: &'a Session,
    journal: &'a Journal,
    family: Family,
    /// The IDs of the keys that existed before the call.
    known: Vec<String>,
    keep: SecretPlace,
}

impl KeyCreation<'_> {
    fn carry_out(self) -> Result<(), Exit> {
        let intent = KeyIntent {
            path: self.family.path().to_owned(),
            at: self.session.now(),
            keeper: self.keep.keeper(),
            call: self.call(None),
        };
        if let Err(error) = self.journal.begin(&intent) {
            self.keep.discard();
            return Err(fail(Exit::Config, format!("{NOTHING}: {}", Causes(&error))));
        }
        let session = self.session;
        let made = session.wait(session.api.create(self.family, &self.args.name));
        let made = made.map_err(|trouble| self.without_answer(intent.clone(), &trouble))?;
        let id = made.id.clone();
        if self.known.contains(&id) {
            self.discard(intent);
            return Err(fail(Exit::Config, self.not_new(&id)));
        }
        let doomed = |keeper| KeyIntent {
            keeper,
            call: self.call(Some(id.clone())),
            ..intent.clone()
        };
        // From here on later commands know the key by its ID.
        let undoing = || self.journal.amend(&doomed(self.keep.keeper()));
        let kept = self
            .keep
            .keep(session, self.args.name.as_str(), made, true, &undoing);
        match kept {
            Ok(kept) => {
                self.journal.end(&intent);
                self.report(&id, &kept);
                Ok(())
            }
            Err(exit) => {
                self.take_back(doomed, &id);
                Err(exit)
            }
        }
    }

    fn call(&self, doomed: Option<String>) -> KeyCall {
        KeyCall::Creation {
            name: self.args.name.to_string(),
            known: self.known.clone(),
            doomed,
        }
    }

    /// Handles an answer without a secret.
    fn without_answer(&self, intent: KeyIntent, trouble: &ApiError) -> Exit {
        // The name was free a moment ago, so our call may have arrived twice.
        let is_taken = trouble.kind == ApiErrorKind::Conflict;
        if !trouble.may_be_done && !is_taken && !self.is_there(trouble) {
            self.keep.discard();
            self.journal.end(&intent);
            return exit_with_api_error(trouble, NOTHING);
        }
        let intent = self.discard(intent);
        if is_taken {
            let exit = exit_with_api_error(trouble, "no secret has arrived");
            print_note(format!(
                "no key had this name a moment ago: another command has made one since, or the server received this call twice; the next 'jetond app' command deletes the key unless it was used; to see it, run: {}",
                self.session
                    .target
                    .line(&format!("app show {}", self.args.name))
            ));
            return exit;
        }
        let exit =
            exit_with_api_error(trouble, "no secret has arrived, so there is nothing to use");
        match &trouble.id {
            Some(id) if self.known.contains(id) => print_note(self.not_new(id)),
            Some(id) => self.take_back(
                |keeper| KeyIntent {
                    keeper,
                    call: self.call(Some(id.clone())),
                    ..intent.clone()
                },
                id,
            ),
            None => look_at(self.session, self.journal, &intent),
        }
        exit
    }

    /// Records that no secret will be kept: later commands look only for a key of this name.
    fn discard(&self, mut intent: KeyIntent) -> KeyIntent {
        intent.keeper = SecretDestination::Nothing;
        self.journal.amend(&intent);
        self.keep.discard();
        intent
    }

    /// The error for an answer with the ID of a key that existed before. The key may belong to any program, so it stays
    /// untouched.
    fn not_new(&self, id: &str) -> String {
        format!(
            "the server answers with the ID of a key that was there before the call (ID {id}): nothing is kept, and no key is deleted; to see the keys, run: {}",
            self.session.target.line("app list")
        )
    }

    /// Whether there is a new key of this name although the server, or a gateway before it, has refused the call.
    fn is_there(&self, trouble: &ApiError) -> bool {
        let was_sent = !matches!(trouble.kind, ApiErrorKind::Unreachable(_));
        let is_there =
            || creations::is_there(self.session, self.family, &self.args.name, &self.known);
        // A server that demands a wait is not asked now: later commands look.
        was_sent && (trouble.retry_after.is_some() || is_there())
    }

    /// Deletes the key by its ID, unless its secret was kept nevertheless.
    fn take_back(&self, doomed: impl Fn(SecretDestination) -> KeyIntent, id: &str) {
        let session = self.session;
        if !self.keep.is_without(session, id) {
            return print_note(format!(
                "the key (ID {id}) is left, since its secret may be stored; to see the keys, run: {}",
                session.target.line("check")
            ));
        }
        let intent = doomed(SecretDestination::Nothing);
        self.journal.amend(&intent);
        self.keep.discard();
        match session.wait(session.api.delete(self.family, id)) {
            Ok(()) => {
                print_note(format!("the key (ID {id}) is deleted again"));
                self.journal.end(&intent);
            }
            Err(trouble) => print_note(format!(
                "the key (ID {id}) cannot be deleted again now; every later 'jetond app' command tries it: {trouble}"
            )),
        }
    }

    fn report(&self, id: &str, kept: &KeepOutcome) {
        let (session, target) = (self.session, &self.session.target);
        let shown = format!("{} {} (ID {id})", self.family.noun(), self.args.name);
        match &self.keep {
            SecretPlace::Profile { plan, name, .. } => {
                report(format!(
                    "the {shown} is made, and {name} uses it; {}",
                    plan.place.sentence(&session.stores, name)
                ));
                admin::reload(target, self.env);
            }
            SecretPlace::File(file) => report(format!(
                "the {shown} is made; its secret is in {}",
                file.path.display()
            )),
        }
        if let KeepOutcome::Unproved(fault) = kept {
            print_note(format!("warning: the key was not tried: {}", fault.detail));
        }
    }
}
