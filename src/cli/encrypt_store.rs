//! `jetond encrypt-store`: makes the store of encrypted files, its identity and its recipient. It moves no profile.
//!
//! The identity is written first, and is read back and opened. Then the configuration gets its recipient. If the
//! command is interrupted in between, the next one uses the existing identity, so that records which are encrypted to
//! it stay readable.

use super::admin;
use super::output::{Exit, fail, print_note, report};
use super::passphrase::{self, PassphraseArgs};
use super::target::{Target, TargetArgs};
use super::unlock::opened;
use crate::age_file::{Identity, Passphrase, Recipient, WorkFactor};
use crate::causes::Causes;
use crate::config;
use crate::paths::Env;
use crate::settings::Content;
use crate::store::{IdentityFile, StoreError, Wrapped};

const NOTHING: &str = "nothing is changed";

/// The arguments of `jetond encrypt-store`.
#[derive(Debug, clap::Args)]
pub(super) struct EncryptStoreArgs {
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// The cost of each attempt to guess the passphrase: 2^N KiB of memory
    #[arg(long, value_name = "N", value_parser = WorkFactor::parse, default_value_t = WorkFactor::USUAL)]
    work_factor: WorkFactor,
    #[command(flatten)]
    pub(super) target: TargetArgs,
}

pub(super) fn encrypt_store(args: &EncryptStoreArgs, env: &Env) -> Exit {
    try_encrypt(args, env).err().unwrap_or(Exit::Done)
}

fn try_encrypt(args: &EncryptStoreArgs, env: &Env) -> Result<(), Exit> {
    let target = args.target.find_own(env)?;
    target.note_beside_the_systems();
    let file = IdentityFile::new(&target.state, target.owner);
    let before = target.read_to_change()?;
    if before.content != Content::Text {
        admin::refuse_if_gone(&target, env)?;
    }
    refuse_another(before.config.recipient.as_ref(), &file)?;
    // A configuration that cannot be added to must be reported before the person is asked for anything.
    let probe = Identity::generate().recipient();
    config::set_recipient(&before.text, &probe).map_err(|error| {
        let shown = target.config.display();
        fail(Exit::Config, format!("{NOTHING}: {shown}: {error}"))
    })?;
    let (recipient, is_new) = match file.read().map_err(|error| refused(&error))? {
        Some(wrapped) => {
            let path = file.path().display();
            print_note(format!(
                "{path} is there already, from an encrypt-store that was interrupted or from a backup: it is kept, and its recipient is written"
            ));
            let identity = opened(&wrapped, &file, &args.passphrase, env)?;
            (identity.recipient(), false)
        }
        None => {
            let passphrase = match args.passphrase.given(env)? {
                Some(passphrase) => passphrase,
                None => passphrase::ask_for_new("New passphrase (not shown)")?,
            };
            (make(&file, &passphrase, args.work_factor, &target)?, true)
        }
    };
    {
        let _lock = target
            .lock("the identity was created, but its recipient was not written to the configuration; run the command again")?;
        let set = |text: &str| config::set_recipient(text, &recipient);
        target.change(&before.content, set).map_err(|error| {
            error.tell("the identity was created, but its recipient may be missing in the configuration; run the command again")
        })?;
    }
    let path = file.path().display();
    let made = if is_new { "made" } else { "complete" };
    report(format!(
        "the store of encrypted files is {made}: records are encrypted to {recipient}, and {path} opens them with the passphrase; keep a copy of that file, for without it, or without the passphrase, every credential in the store is lost"
    ));
    report(format!(
        "no profile is moved: {} moves one; after a start of the daemon, {} opens the store",
        target.line("migrate NAME --to encrypted-file"),
        target.line("unlock")
    ));
    admin::reload(&target, env);
    Ok(())
}

/// Refuses to make a second identity.
fn refuse_another(recipient: Option<&Recipient>, file: &IdentityFile) -> Result<(), Exit> {
    let Some(recipient) = recipient else {
        return Ok(());
    };
    let path = file.path().display();
    let what = match file.read().map_err(|error| refused(&error))? {
        Some(_) => format!(
            "{NOTHING}: the store is encrypted already, to {recipient}, and {path} opens it"
        ),
        None => format!(
            "{NOTHING}: the configuration names {recipient} already, whose identity is not in {path}: restore it from a backup, or take [encrypted-file] out of the configuration to begin with a new one"
        ),
    };
    Err(fail(Exit::Config, what))
}

/// Makes an identity, writes it, and opens the written file as proof.
fn make(
    file: &IdentityFile,
    passphrase: &Passphrase,
    work: WorkFactor,
    target: &Target,
) -> Result<Recipient, Exit> {
    let identity = Identity::generate();
    let wrapped = Wrapped::of(&identity, passphrase, work).ok_or_else(|| {
        let what = format!("{NOTHING}: the identity cannot be encrypted");
        fail(Exit::Failed, what)
    })?;
    // Only one program at a time may write: another one would remove its temporary file as a left-over.
    let _lock = target.lock(NOTHING)?;
    file.make(&wrapped).map_err(|error| refused(&error))?;
    let kept = file.read().map_err(|error| refused(&error))?;
    let kept = kept.and_then(|kept| kept.open(passphrase).ok());
    let is_whole = kept.is_some_and(|kept| kept.recipient() == identity.recipient());
    if !is_whole {
        let path = file.path().display();
        let what = format!(
            "{NOTHING} in the configuration: what was written to {path} does not open; remove it, and run this again"
        );
        return Err(fail(Exit::Failed, what));
    }
    Ok(identity.recipient())
}

fn refused(error: &StoreError) -> Exit {
    let exit = match error.kind.is_for_later() {
        true => Exit::Later,
        false => Exit::Config,
    };
    fail(exit, format!("{NOTHING}: {}", Causes(error)))
}
