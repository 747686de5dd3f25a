//! `jetond app create`: a new key, whose secret goes straight into a store or a file.
//!
//! What is meant is written down before the call. If the secret cannot be kept, the key is deleted by its ID; where the
//! answer is lost, the next command looks for it.

use super::super::admin;
use super::super::output::{Exit, fail, report, tell};
use super::delete::{named, users};
use super::keep::{Into, Keep};
use super::lost;
use super::session::{ORDINARY, Session, told};
use super::whose::{Common, Whose};
use crate::applications::{Application, Family, KeyName, Listed, MAX_USER_KEYS, login};
use crate::causes::Causes;
use crate::paths::Env;
use crate::store::{KeyIntent, KeyIntents, ProfileLock};

const NOTHING: &str = "nothing is made";

/// The arguments of `jetond app create`.
#[derive(Debug, clap::Args)]
pub(super) struct CreateArgs {
    /// The new key's name
    #[arg(value_parser = KeyName::parse)]
    name: KeyName,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    into: Into,
    /// Try it although there are as many keys as a user may have
    #[arg(long)]
    anyway: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

pub(super) fn create(args: &CreateArgs, env: &Env) -> Result<(), Exit> {
    if args.into.enrol.is_none() && args.into.secret_file.is_none() {
        let what =
            format!("{NOTHING}: say where the secret is to go: --enrol NEW or --secret-file PATH");
        return Err(fail(Exit::Usage, what));
    }
    let target = args.common.target.find_own(env)?;
    let session = Session::open(target, &args.whose, env, ORDINARY)?;
    lost::look(&session);
    let lock = session.stores.lock(&session.name);
    let lock = lock.map_err(|error| fail(Exit::Later, format!("{NOTHING}: {}", Causes(&error))))?;
    let listed = session.wait(session.api.list(args.common.kind, false));
    let listed = listed.map_err(|trouble| told(&trouble, NOTHING))?;
    judge(args, &session, &listed)?;
    let keep = Keep::prepare(&args.into, env, &session, NOTHING)?;
    let work = Work {
        args,
        env,
        session: &session,
        family: listed.family,
        keep,
    };
    work.carry_out(&lock, &listed)
}

/// Refuses what surely fails, and says what a person should know before a key is made.
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
    tell(format!("{used} of {MAX_USER_KEYS} {noun}s are used"));
    match session.wait(session.api.clusters()) {
        Ok(clusters) => clusters.warning().into_iter().for_each(tell),
        Err(trouble) => tell(format!(
            "cannot tell whether every cluster is at 2.20 or later: {trouble}"
        )),
    }
    Ok(())
}

/// Says which key could go: the keys by their last login, those that none of our profiles uses first.
fn full(session: &Session, family: Family, keys: &[Application]) -> Exit {
    let mut by_login: Vec<_> = keys.iter().map(|key| (session.used_by(key), key)).collect();
    by_login.sort_by_key(|(used_by, key)| (!used_by.is_empty(), key.last_login));
    for (used_by, key) in &by_login {
        tell(format!(
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
        None => "our profiles use all of them".to_owned(),
    };
    let what = format!(
        "{NOTHING}: a user has at most {MAX_USER_KEYS} {}s, and there are {}; {remedy}; to try it all the same, add --anyway",
        family.noun(),
        keys.len()
    );
    fail(Exit::Failed, what)
}

struct Work<'a> {
    args: &'a CreateArgs,
    env: &'a Env,
    session: &'a Session,
    family: Family,
    keep: Keep,
}

impl Work<'_> {
    fn carry_out(self, lock: &ProfileLock, listed: &Listed) -> Result<(), Exit> {
        let (session, target) = (self.session, &self.session.target);
        let intents = KeyIntents::new(&target.state, target.owner);
        let intent = KeyIntent {
            name: self.args.name.to_string(),
            path: self.family.path().to_owned(),
            known: listed.keys.iter().map(|key| key.id.clone()).collect(),
            at: session.now(),
            keeper: self.keep.keeper(),
        };
        if let Err(error) = intents.begin(lock, intent.clone()) {
            self.keep.discard();
            return Err(fail(Exit::Config, format!("{NOTHING}: {}", Causes(&error))));
        }
        let created = session.wait(session.api.create(self.family, &self.args.name));
        let made = match created {
            Ok(made) => made,
            Err(trouble) => {
                self.keep.discard();
                let so = match trouble.may_be_done {
                    true => "no secret has arrived, so there is nothing to use",
                    false => NOTHING,
                };
                let exit = told(&trouble, so);
                if !trouble.may_be_done {
                    self.end(&intents, lock, &intent);
                } else {
                    lost::look_for(session, &intents, lock, &intent);
                }
                return Err(exit);
            }
        };
        let id = made.id.clone();
        let shown = format!("{} {} (ID {id})", self.family.noun(), self.args.name);
        if let Err(exit) = self
            .keep
            .keep(session, self.env, self.args.name.as_str(), made)
        {
            self.take_back(&intents, lock, &intent, &id);
            return Err(exit);
        }
        self.end(&intents, lock, &intent);
        match &self.keep {
            Keep::Profile { plan, name, .. } => {
                report(format!(
                    "the {shown} is made, and {name} uses it; {}",
                    plan.place.sentence(&session.stores, name)
                ));
                admin::reload(target, self.env);
            }
            Keep::File(file) => report(format!(
                "the {shown} is made; its secret is in {}",
                file.path.display()
            )),
            // No profile of ours has a key that is made now.
            Keep::Held(_) => {}
        }
        Ok(())
    }

    /// Deletes the key by its ID, unless its secret is kept all the same.
    fn take_back(&self, intents: &KeyIntents, lock: &ProfileLock, intent: &KeyIntent, id: &str) {
        let session = self.session;
        if !self.keep.is_without(session, id) {
            return tell(format!(
                "the key (ID {id}) is left, since its secret may be stored; to see what is, run: {}",
                session.target.line("check")
            ));
        }
        self.keep.discard();
        match session.wait(session.api.delete(self.family, id)) {
            Ok(()) => {
                tell(format!("the key (ID {id}) is deleted again"));
                self.end(intents, lock, intent);
            }
            Err(trouble) => tell(format!(
                "the key (ID {id}) cannot be deleted again now; every later 'jetond app' command looks for it: {trouble}"
            )),
        }
    }

    fn end(&self, intents: &KeyIntents, lock: &ProfileLock, intent: &KeyIntent) {
        if let Err(error) = intents.end(lock, intent) {
            tell(format!(
                "warning: that the creation has ended cannot be written down: {}",
                Causes(&error)
            ));
        }
    }
}
