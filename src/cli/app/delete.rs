//! `jetond app delete`: deletes a key at the server.

use super::super::output::{Exit, fail, print_note, report};
use super::super::prompt;
use super::lost_calls::open_and_look;
use super::session::{ORDINARY, Session, exit_of, exit_with_api_error};
use super::whose::{KeyOptions, TokenProfile};
use crate::applications::{ApiErrorKind, Application, Family, KeyMatch, find, login, printable};
use crate::causes::Causes;
use crate::paths::Env;
use crate::store::Rotations;

const NOTHING: &str = "nothing is deleted";

/// The arguments of `jetond app delete`.
#[derive(Debug, clap::Args)]
pub(super) struct DeleteArgs {
    /// The key's name, ID or client ID
    key: String,
    #[command(flatten)]
    whose: TokenProfile,
    /// Delete it even if a profile here uses it
    #[arg(long)]
    force: bool,
    /// Search the keys of every user; requires an administrator
    #[arg(long)]
    all: bool,
    /// Delete it without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    pub(super) common: KeyOptions,
}

pub(super) fn delete(args: &DeleteArgs, env: &Env) -> Result<(), Exit> {
    let target = args.common.target.find(env)?;
    let session = open_and_look(&target, &args.whose, env, ORDINARY)?;
    let (listed, key) = session.find(&args.common, args.all, &args.key, NOTHING)?;
    let family = listed.family;
    let used_by = session.used_by(&key);
    let shown = named(family, &key);
    if listed.may_have_more && ![&key.id, &key.client_id].contains(&&args.key) {
        let what = format!(
            "{NOTHING}: the server shows only the first {} keys, and others may have this name, too; give the client ID or the ID of the key that you mean: {} or {}",
            listed.keys.len(),
            printable(&key.client_id),
            key.id
        );
        return Err(fail(Exit::Usage, what));
    }
    if let (Some(name), false) = (session.unread.first(), args.force) {
        let what = format!(
            "{NOTHING}: {name} may use the {shown}, and its stored credential cannot be read; to delete the key anyway, add --force"
        );
        return Err(fail(Exit::Config, what));
    }
    if !used_by.is_empty() && !args.force {
        let what = format!(
            "{NOTHING}: {} uses the {shown}, and could get no token without it; to delete it anyway, add --force",
            used_by.join(" and ")
        );
        return Err(fail(Exit::Config, what));
    }
    let rotating = session.rotating(&key);
    if let (Some(name), false) = (rotating.first(), args.force) {
        let what = format!(
            "{NOTHING}: the key of {name} is being rotated, and that needs the {shown}; the rotation deletes the old key itself, and without further waiting after: jeton rotate {name} --finish; to delete it anyway, add --force"
        );
        return Err(fail(Exit::Config, what));
    }
    let what = format!(
        "this deletes the {shown}, last login {}, {}; the old secret is revoked at once",
        login(key.last_login, session.now()),
        users(&used_by)
    );
    if !args.yes {
        confirm(&what, "Delete it?", NOTHING)?;
    }
    remove(&session, family, &key)?;
    report(format!("the {shown} is deleted"));
    forget_left(&session, &key);
    for name in rotating {
        print_note(format!(
            "the key of {name} is being rotated; the rotation finds out that the {shown} is gone"
        ));
    }
    for name in used_by {
        let rebind = session.target.line(&format!("add {name} --rebind"));
        print_note(format!(
            "{name} has no key that works now; give it another one with: {rebind}"
        ));
    }
    Ok(())
}

/// Deletes the key. If the answer is lost, the list of keys shows whether it is done.
fn remove(session: &Session, family: Family, key: &Application) -> Result<(), Exit> {
    let trouble = match session.wait(session.api.delete(family, &key.id)) {
        Ok(()) => return Ok(()),
        // Another program deleted it meanwhile.
        Err(trouble) if trouble.kind == ApiErrorKind::NotFound => return Ok(()),
        Err(trouble) if !trouble.may_be_done => return Err(exit_with_api_error(&trouble, NOTHING)),
        Err(trouble) => trouble,
    };
    let listed = session.wait(session.api.list_with(
        family.kind(),
        family.is_administration(),
        &key.client_id,
    ));
    if listed.is_ok_and(|listed| find(&listed.keys, &key.id) == KeyMatch::Nothing) {
        return Ok(());
    }
    let what = format!("it is not known whether the key is deleted, so run this again: {trouble}");
    Err(fail(exit_of(&trouble), what))
}

/// Takes the key from the list of those that a rotation could not delete.
fn forget_left(session: &Session, key: &Application) {
    let rotations = Rotations::new(&session.target.state, session.target.owner);
    for name in rotations.with_left().unwrap_or_default() {
        let mut left = rotations.left(&name).unwrap_or_default();
        let before = left.len();
        left.retain(|it| ![&key.name, &key.client_id].contains(&&it.label));
        if left.len() == before {
            continue;
        }
        let lock = session.stores.lock(&name);
        let forgotten = lock.and_then(|lock| rotations.set_left(&lock, &left));
        if let Err(error) = forgotten {
            print_note(format!(
                "warning: it is still recorded as left at the server: {}",
                Causes(&error)
            ));
        }
    }
}

/// Describes a key for people.
pub(super) fn named(family: Family, key: &Application) -> String {
    let (noun, name) = (family.noun(), printable(&key.name));
    format!("{noun} {name} (ID {})", key.id)
}

/// Describes for people which of our profiles use a key.
pub(super) fn users(used_by: &[String]) -> String {
    match used_by {
        [] => "used by no profile here".to_owned(),
        names => format!("used by {}", names.join(" and ")),
    }
}

/// Asks a person to confirm. Without a terminal the command line needs `--yes`.
pub(super) fn confirm(what: &str, question: &str, nothing: &str) -> Result<(), Exit> {
    if !prompt::possible() {
        let what = format!("{nothing}: without a terminal this needs --yes; then {what}");
        return Err(fail(Exit::Usage, what));
    }
    print_note(what);
    if prompt::confirmed(question)? {
        Ok(())
    } else {
        Err(fail(Exit::Failed, nothing))
    }
}
