//! `jetond app regenerate`: a new secret for a key. The former one is revoked at once, and only the answer has the new one,
//! so the place for it and a token for a second try are ready before the call.

use super::super::admin;
use super::super::output::{Exit, fail, report, tell};
use super::delete::{confirm, named, users};
use super::keep::{Into, Keep};
use super::lost;
use super::session::{Session, told};
use super::whose::{Common, Whose};
use crate::applications::{Application, Family, Made, login};
use crate::paths::Env;
use crate::profile::ProfileName;

const NOTHING: &str = "nothing is sent";

/// How long the token has to hold, in seconds: a lost answer is made good with it.
const VALIDITY: u64 = 900;

/// How often the key is regenerated at most.
const TRIES: u32 = 2;

/// The arguments of `jetond app regenerate`.
#[derive(Debug, clap::Args)]
pub(super) struct RegenerateArgs {
    /// The key's name, ID or client ID
    key: String,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    into: Into,
    /// Regenerate it without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

pub(super) fn regenerate(args: &RegenerateArgs, env: &Env) -> Result<(), Exit> {
    let target = args.common.target.find_own(env)?;
    let session = Session::open(target, &args.whose, env, VALIDITY)?;
    lost::look(&session);
    let (listed, key) = session.find(&args.common, false, &args.key, NOTHING)?;
    let family = listed.family;
    let shown = named(family, &key);
    let holders = session.holders_of(&key);
    let is_named = args.into.enrol.is_some() || args.into.secret_file.is_some();
    match (holders.as_slice(), is_named) {
        ([], false) => {
            let what = format!(
                "{NOTHING}: none of our profiles has the {shown}, so say where its new secret is to go: --enrol NEW or --secret-file PATH"
            );
            return Err(fail(Exit::Usage, what));
        }
        ([name], true) => {
            let what = format!(
                "{NOTHING}: {name} has the {shown}, and its store takes the new secret: leave --enrol and --secret-file out"
            );
            return Err(fail(Exit::Usage, what));
        }
        ([], true) | ([_], false) => {}
        (several, _) => {
            let names: Vec<_> = several.iter().map(ProfileName::as_str).collect();
            let what = format!(
                "{NOTHING}: several of our profiles have the {shown}: {}; give each a key of its own first",
                names.join(", ")
            );
            return Err(fail(Exit::Config, what));
        }
    }
    if session.left < VALIDITY {
        let what = format!(
            "{NOTHING}: the token of {} holds for {} s, and a lost answer could be made good only with one that holds for {VALIDITY} s",
            session.name, session.left
        );
        return Err(fail(Exit::Later, what));
    }
    if !args.yes {
        let what = format!(
            "this makes a new secret for the {shown}, last login {}, {}; the old secret is revoked at once",
            login(key.last_login, session.now()),
            users(&session.used_by(&key))
        );
        confirm(&what, "Regenerate it?", NOTHING)?;
    }
    let keep = match holders.first() {
        Some(name) => Keep::of_holder(&session, name, &session.store_of(name)?, NOTHING)?,
        None => Keep::prepare(&args.into, env, &session, NOTHING)?,
    };
    renew(&session, env, family, &key, &keep)?;
    match &keep {
        Keep::File(file) => report(format!(
            "the {shown} has a new secret; it is in {}",
            file.path.display()
        )),
        Keep::Profile { name, .. } => {
            report(format!("the {shown} has a new secret, and {name} uses it"));
            admin::reload(&session.target, env);
        }
        Keep::Held(held) => {
            report(format!(
                "the {shown} has a new secret, and {} uses it",
                held.name
            ));
            admin::reload(&session.target, env);
        }
    }
    Ok(())
}

/// Makes the new secret and keeps it. Where the answer is lost or the secret cannot be kept, it makes another one.
fn renew(
    session: &Session,
    env: &Env,
    family: Family,
    key: &Application,
    keep: &Keep,
) -> Result<(), Exit> {
    let mut last = Exit::Failed;
    let mut is_revoked = false;
    for _ in 0..TRIES {
        let renewed = session.wait(session.api.regenerate(family, &key.id));
        last = match renewed {
            Ok(secret) => {
                is_revoked = true;
                let made = Made {
                    id: key.id.clone(),
                    client_id: key.client_id.clone(),
                    secret,
                };
                match keep.keep(session, env, &key.name, made) {
                    Ok(()) => return Ok(()),
                    Err(exit) => exit,
                }
            }
            Err(trouble) if !trouble.may_be_done && !is_revoked => {
                keep.discard();
                return Err(told(&trouble, NOTHING));
            }
            Err(trouble) => {
                is_revoked = true;
                told(&trouble, "no new secret has arrived")
            }
        };
    }
    keep.discard();
    let again = session
        .target
        .line(&format!("app regenerate {} PROFILE", key.id));
    tell(format!(
        "the {} is perhaps locked out: its former secret may be revoked, and its new one is lost; tokens that are served now may hold on. With the token of another profile of the same user, run: {again}; or make a new key, and give it to the profile with: {}",
        named(family, key),
        session.target.line("add NAME --rebind")
    ));
    Err(last)
}
