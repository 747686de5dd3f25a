//! `jetond add --rebind` of a profile whose credential comes from a source: shows the recorded binding and the
//! configured one, proves the credential there, and records the new binding.

use super::super::admin;
use super::super::output::{Exit, fail, print_line, print_note, report};
use super::super::prompt;
use super::super::proof::Proof;
use super::super::same_client;
use super::super::store_choice::StoreChoice;
use super::super::target::Target;
use super::{AddArgs, Plan, destination, files};
use crate::causes::Causes;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{self, StoreKind};
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::settings::Content;
use crate::store::{RecordedBinding, Required, SourceReader, StoreError, Stores};

const NOTHING: &str = "nothing is recorded";

/// The data of a new binding.
struct NewBinding<'a> {
    args: &'a AddArgs,
    name: &'a ProfileName,
    target: &'a Target,
    stores: Stores,
    reader: SourceReader,
    plan: Plan,
}

impl AddArgs {
    /// Binds the credential of a profile with a source; `None` for every other profile, and without `--rebind`.
    pub(super) fn rebind_source(
        &self,
        name: &ProfileName,
        target: &Target,
        env: &Env,
    ) -> Option<Result<(), Exit>> {
        if !self.rebind {
            return None;
        }
        let found = match target.read_to_change() {
            Ok(found) => found,
            Err(exit) => return Some(Err(exit)),
        };
        let profile = found.config.profiles.get(name)?;
        let stores = target.stores();
        let reader = stores.source_of(profile)?;
        let work = NewBinding {
            plan: Plan {
                profile: profile.clone(),
                // Nothing is written to this store.
                place: StoreChoice::of(StoreKind::File),
                is_new: false,
                client_auth: None,
                before: found.content,
            },
            args: self,
            name,
            target,
            stores,
            reader,
        };
        Some(work.carry_out(env))
    }
}

impl NewBinding<'_> {
    fn carry_out(mut self, env: &Env) -> Result<(), Exit> {
        let (args, target, name) = (self.args, self.target, self.name);
        self.refuse_a_credential()?;
        if self.plan.before != Content::Text {
            admin::refuse_if_gone(target, env)?;
        }
        let files = files(&self.plan.profile, target)?;
        let (bound, listed) = destination(&self.plan.profile, &files, env)?;
        let Required { binding, .. } =
            Required::of(&self.plan.profile, &bound, files.ca_file.clone());
        let recorded = self.show(&binding)?;
        let is_covered = recorded.is_some_and(|recorded| recorded.binding.bound.covers(&bound));
        // The configuration does not name the address, so a person has to confirm it.
        if self.plan.profile.origin().is_none() && !is_covered {
            confirm()?;
        }
        let read = target.as_daemon(|| self.reader.credential());
        let credential = read
            .map_err(|error| self.unread(&error))?
            .bound_to(binding.bound.as_str())
            .trusting(binding.ca.clone());
        let proved = args.prove(
            &self.plan.profile,
            &files,
            &credential,
            listed.as_ref(),
            env,
        )?;
        self.plan.keep(proved.client_auth);
        let proof = Proof::of(&credential);
        let now = RecordedBinding::new(binding, SystemClock.now().unix);
        let written = self.write(&now);
        if written.is_ok() {
            report(format!(
                "{name} is bound: {} gave a token that is valid for {} s; its credential stays where it comes from",
                now.binding.bound,
                proved.validity.lifetime.as_secs(),
            ));
            admin::reload(target, env);
        }
        if let (Some(proof), Ok(places)) = (&proof, admin::places(target, env)) {
            proof.tell(&places.admin);
        }
        if let (Some(proof), Ok(())) = (&proof, &written) {
            same_client::note(target, &self.stores, name, proof);
        }
        written
    }

    /// Refuses a credential in the arguments: no daemon would use it.
    fn refuse_a_credential(&self) -> Result<(), Exit> {
        let args = self.args;
        let is_given = args.client_id.is_some()
            || args.client_secret_stdin
            || args.client_secret_file.is_some();
        if !is_given {
            return Ok(());
        }
        let what = format!(
            "{NOTHING}: the credential of {} comes {}, so it is not given here: leave --client-id and --client-secret-… out",
            self.name,
            self.stores.whereabouts(&self.plan.profile)
        );
        Err(fail(Exit::Usage, what))
    }

    /// Shows the recorded binding and the new one.
    fn show(&self, now: &crate::store::Binding) -> Result<Option<RecordedBinding>, Exit> {
        let recorded = match self.stores.bindings().recorded(self.name) {
            Ok(recorded) => recorded,
            Err(error) if error.kind.is_passing() => {
                return Err(fail(Exit::Later, format!("{NOTHING}: {}", Causes(&error))));
            }
            Err(error) => {
                print_note(format!(
                    "warning: the record of where the credential may be sent cannot be read, and is replaced: {}",
                    Causes(&error)
                ));
                None
            }
        };
        match &recorded {
            Some(recorded) => print_line(format!("recorded: {}", recorded.binding)),
            None => print_line("recorded: nothing, since the credential was not used yet"),
        }
        print_line(format!("now: {now}"));
        Ok(recorded)
    }

    fn unread(&self, error: &StoreError) -> Exit {
        let exit = match error.kind.is_passing() {
            true => Exit::Later,
            false => Exit::Config,
        };
        fail(exit, format!("{NOTHING}: {}", Causes(error)))
    }

    fn write(&self, now: &RecordedBinding) -> Result<(), Exit> {
        let (name, target) = (self.name, self.target);
        let _lock = target.lock(NOTHING)?;
        let found = target.read_after(&self.plan.before);
        let found = found.map_err(|why| fail(Exit::Config, format!("{NOTHING}: {why}")))?;
        self.plan.still_holds(&found.config, target, name)?;
        let lock = self.stores.lock(name);
        let written = lock.and_then(|lock| self.stores.bindings().record(&lock, now));
        written.map_err(|error| {
            let exit = match error.kind.is_for_later() {
                true => Exit::Later,
                false => Exit::Config,
            };
            let what = match error.changed {
                true => "it is recorded, but may be lost in a power failure".to_owned(),
                false => format!(
                    "{NOTHING}, so a daemon goes by what the configuration says when it starts"
                ),
            };
            fail(exit, format!("{what}: {}", Causes(&error)))
        })?;
        if let Some(taken) = self.plan.client_auth {
            let set = |text: &str| config::set_client_auth(text, name, taken);
            let changed = target.change(&self.plan.before, set);
            changed
                .map_err(|error| error.tell("it is recorded, but the profile is not changed"))?;
        }
        Ok(())
    }
}

/// Asks a person to confirm an address that only the issuer names.
fn confirm() -> Result<(), Exit> {
    if !prompt::possible() {
        let what = "the issuer names the token endpoint, and there is no terminal to confirm it on; nothing is sent: run this in a terminal, or write token-url into the profile";
        return Err(fail(Exit::Usage, what));
    }
    match prompt::confirmed("Send the credential there?")? {
        true => Ok(()),
        false => Err(fail(
            Exit::Failed,
            format!("{NOTHING}, and nothing is sent"),
        )),
    }
}
