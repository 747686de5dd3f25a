//! `jetond import`: takes profiles out of a file that `jetond export` has made.
//!
//! The file comes from elsewhere, so a person sees the destination of each secret before it is sent. Every credential
//! is proved before the first is written. Then each profile is written like an enrolment: first a record of the intent,
//! then the certificates, the credential's record and the configuration.

mod plan;
mod shown;
mod write;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::admin;
use super::export::read_file;
use super::issuer;
use super::output::{Exit, fail, print_line, print_note, report};
use super::passphrase;
use super::prompt;
use super::proof::Proof;
use super::same_client;
use super::store_choice;
use super::target::lines::quoted;
use super::target::{Target, TargetArgs};
use crate::config::StoreKind;
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::provider::configured::{self, ProviderFiles};
use crate::settings::Content;
use crate::store::Stores;
use crate::transfer::{self, Exported};
use plan::{ImportContext, NOTHING, Plan};

/// The arguments of `jetond import`.
#[derive(Debug, clap::Args)]
pub(super) struct ImportArgs {
    /// The file
    file: PathBuf,
    /// The profiles to import; default: all in the file
    #[arg(value_name = "PROFILE", value_parser = ProfileName::parse)]
    names: Vec<ProfileName>,
    /// Import a single profile under another name
    #[arg(long = "as", value_name = "NAME", value_parser = ProfileName::parse)]
    renamed: Option<ProfileName>,
    /// The store for the credentials; default: encrypted-file if that store exists, otherwise keyring if it works,
    /// otherwise file
    #[arg(long, value_name = "STORE", value_parser = store_choice::asked())]
    store: Option<StoreKind>,
    /// Read the passphrase from this file instead of asking for it
    #[arg(long, value_name = "PATH")]
    passphrase_file: Option<PathBuf>,
    /// Import without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    pub(super) target: TargetArgs,
}

pub(super) fn import(args: &ImportArgs, env: &Env) -> Exit {
    try_import(args, env).err().unwrap_or(Exit::Done)
}

fn try_import(args: &ImportArgs, env: &Env) -> Result<(), Exit> {
    let target = args.target.find_own(env)?;
    target.note_beside_the_systems();
    let import = Import {
        args,
        stores: target.stores(),
        target: &target,
        env,
    };
    let profiles = import.chosen(import.open()?)?;
    import.refuse_conflicts(profiles.keys())?;
    let mut plans = vec![];
    for (name, profile) in profiles {
        plans.push(Plan::make(&import.outside(), name, profile)?);
    }
    import.confirm(&plans)?;
    let mut proofs = vec![];
    for plan in &plans {
        proofs.push((&plan.name, import.prove(plan)?));
    }
    let written = import.write(&plans);
    let is_changed = written.as_ref().map_or_else(|(any, _)| *any, |()| true);
    if is_changed {
        admin::reload(&target, env);
    }
    let places = admin::places(&target, env);
    for (name, proof) in proofs
        .iter()
        .filter_map(|(name, proof)| Some((name, proof.as_ref()?)))
    {
        if let Ok(places) = &places {
            proof.tell(&places.admin);
        }
        if written.is_ok() {
            same_client::note(&target, &import.stores, name, proof);
        }
    }
    written.map_err(|(_, exit)| exit)
}

/// An import.
struct Import<'a> {
    args: &'a ImportArgs,
    target: &'a Target,
    stores: Stores,
    env: &'a Env,
}

impl Import<'_> {
    const fn outside(&self) -> ImportContext<'_> {
        ImportContext {
            target: self.target,
            stores: &self.stores,
            env: self.env,
            store: self.args.store.as_ref(),
        }
    }

    /// Reads the file, and opens it with the passphrase.
    fn open(&self) -> Result<Exported, Exit> {
        let file = &self.args.file;
        let refuse = |why: String| {
            let what = format!("{NOTHING}: {}: {why}", file.display());
            fail(Exit::Config, what)
        };
        let bytes = read_file(file).map_err(|error| refuse(error.to_string()))?;
        let passphrase = passphrase::of_file(self.args.passphrase_file.as_deref(), file)?;
        let json = passphrase.open(&bytes, transfer::MAX_LEN);
        let json = json.map_err(|why| refuse(why.to_string()))?;
        transfer::parse(&json).map_err(|why| refuse(why.to_string()))
    }

    /// The profiles that were asked for, with the names that they get here.
    fn chosen(&self, mut all: Exported) -> Result<Exported, Exit> {
        let asked: BTreeSet<_> = self.args.names.iter().collect();
        if let Some(missing) = asked.iter().find(|name| !all.contains_key(**name)) {
            let there: Vec<_> = all.keys().map(ProfileName::as_str).collect();
            let what = format!(
                "{NOTHING}: {} has no profile {missing}; it has {}",
                self.args.file.display(),
                there.join(", ")
            );
            return Err(fail(Exit::Config, what));
        }
        if !asked.is_empty() {
            all.retain(|name, _| asked.contains(name));
        }
        let Some(renamed) = &self.args.renamed else {
            return Ok(all);
        };
        match all.pop_first() {
            Some((_, profile)) if all.is_empty() => {
                Ok(Exported::from([(renamed.clone(), profile)]))
            }
            _ => {
                let what = format!("{NOTHING}: --as takes one profile; name it after the file");
                Err(fail(Exit::Usage, what))
            }
        }
    }

    /// Refuses the whole import if one of the names is taken.
    fn refuse_conflicts<'n>(
        &self,
        names: impl Iterator<Item = &'n ProfileName>,
    ) -> Result<(), Exit> {
        let found = self.target.read_to_change()?;
        self.stores
            .keys()
            .encrypt_to(found.config.recipient.clone());
        if found.content != Content::Text {
            admin::refuse_if_gone(self.target, self.env)?;
        }
        let is_there = |name: &&ProfileName| found.config.profiles.contains_key(*name);
        let (taken, free): (Vec<_>, Vec<_>) = names.partition(is_there);
        if taken.is_empty() {
            return Ok(());
        }
        let listed = |names: &[&ProfileName], between| {
            let names: Vec<_> = names.iter().map(|name| name.as_str()).collect();
            names.join(between)
        };
        let file = quoted(Path::new(&self.args.file));
        let line = |more: String| self.target.line(&format!("import {file} {more}"));
        let remedy = match free.as_slice() {
            [] => format!(
                "to give it another name, run: {}",
                line("PROFILE --as NAME".to_owned())
            ),
            free => format!("to import the others, run: {}", line(listed(free, " "))),
        };
        let what = format!(
            "{NOTHING}: conflict: there is a profile {} already; {remedy}",
            listed(&taken, ", ")
        );
        Err(fail(Exit::Config, what))
    }

    /// Shows the destination of each secret, and asks for consent.
    fn confirm(&self, plans: &[Plan]) -> Result<(), Exit> {
        for plan in plans {
            plan.show().into_iter().for_each(print_line);
        }
        if self.args.yes {
            return Ok(());
        }
        if !prompt::possible() {
            let what = format!(
                "{NOTHING}: without a terminal this needs --yes; then each secret is sent to the address above"
            );
            return Err(fail(Exit::Usage, what));
        }
        match prompt::confirmed("Send each secret there, and import this?")? {
            true => Ok(()),
            false => Err(fail(Exit::Failed, NOTHING)),
        }
    }

    /// Gets a token as proof.
    fn prove(&self, plan: &Plan) -> Result<Option<Proof>, Exit> {
        let ca_file = plan.ca.as_ref().map(|ca| Arc::clone(&ca.file));
        let files = ProviderFiles::with_ca(self.target.daemon, ca_file);
        let provider = configured::provider(&plan.profile, &files);
        let so = format!("no token for {}, so {NOTHING}", plan.name);
        let credential = &plan.record.key.credential;
        issuer::ask(&plan.profile, self.env, &so, provider.fetch(credential))?;
        Ok(Proof::of(credential))
    }

    /// Writes all profiles. An error says whether any was written.
    fn write(&self, plans: &[Plan]) -> Result<(), (bool, Exit)> {
        let _lock = self.target.lock(NOTHING).map_err(|exit| (false, exit))?;
        let mut done: Vec<&str> = vec![];
        for plan in plans {
            if let Err(exit) = self.write_one(plan) {
                if !done.is_empty() {
                    print_note(format!("imported before that: {}", done.join(", ")));
                }
                return Err((!done.is_empty(), exit));
            }
            done.push(plan.name.as_str());
            report(format!(
                "{} is imported: {} gave a token; {}",
                plan.name,
                plan.record.binding.bound,
                plan.place.sentence(&self.stores, &plan.name)
            ));
        }
        Ok(())
    }
}
