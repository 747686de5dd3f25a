//! The credential that `jetond add` enrols: as given, asked for, or the stored one.

use zeroize::Zeroizing;

use super::super::output::{Exit, fail, fail_with};
use super::super::prompt;
use super::AddArgs;
use crate::credential::{ClientSecret, Credential, InvalidCredential};
use crate::store::{Bound, Look};

impl AddArgs {
    /// The credential: as given, asked for, or with `--rebind` the one that was `seen` in the store. A person sees the address before the
    /// secret goes there; where nobody can, a stored secret goes to no other place that was `discovered`.
    pub(super) fn credential(
        &self,
        seen: &Look,
        bound: &Bound,
        discovered: bool,
    ) -> Result<Credential, Exit> {
        let secret_given = self.client_secret_stdin || self.client_secret_file.is_some();
        // What is replaced as a whole need not be readable.
        let stored = if self.rebind && !(self.client_id.is_some() && secret_given) {
            stored(seen)?
        } else {
            None
        };
        if let (Some(stored), None, false, false) =
            (stored, &self.client_id, secret_given, prompt::possible())
        {
            let enrolled = seen.record.as_ref().ok().and_then(Option::as_ref);
            if discovered && !enrolled.is_some_and(|record| record.binding.bound.covers(bound)) {
                return Err(fail(
                    Exit::Usage,
                    "the issuer names another token endpoint than at enrolment, and there is no terminal to confirm it on; nothing is sent: run this in a terminal, or give the secret with --client-secret-stdin or --client-secret-file PATH",
                ));
            }
            return copy(stored);
        }
        if !prompt::possible() && (self.client_id.is_none() && stored.is_none() || !secret_given) {
            return Err(fail(
                Exit::Usage,
                "there is no terminal to ask on: give --client-id ID with --client-secret-file PATH or --client-secret-stdin",
            ));
        }
        let id = match (&self.client_id, &stored) {
            (Some(id), _) => id.clone(),
            (None, Some(stored)) if secret_given => stored.client_id.clone(),
            (None, Some(stored)) => {
                let typed = prompt::line(&format!("Client ID (Enter keeps {})", stored.client_id))?;
                if typed.is_empty() {
                    stored.client_id.clone()
                } else {
                    typed
                }
            }
            (None, None) => prompt::line("Client ID")?,
        };
        check("the client ID", &id)?;
        let secret = if self.client_secret_stdin {
            prompt::secret_from_stdin()?
        } else if let Some(path) = &self.client_secret_file {
            prompt::secret_from_file(path)?
        } else if let Some(stored) = stored.filter(|stored| stored.client_id == id) {
            let typed = prompt::secret(&format!(
                "Client secret for {bound} (not shown; Enter keeps the stored one)"
            ))?;
            if typed.is_empty() {
                Zeroizing::new(stored.client_secret.expose().to_owned())
            } else {
                typed
            }
        } else {
            prompt::secret(&format!("Client secret for {bound} (not shown)"))?
        };
        check("the client secret", &secret)?;
        Credential::parse(&id, &secret).map_err(|why| refuse("the credential", why))
    }
}

fn stored(seen: &Look) -> Result<Option<&Credential>, Exit> {
    let record = seen.record.as_ref();
    let record = record.map_err(|error| fail_with(Exit::Config, error))?;
    Ok(record.as_ref().map(|record| &record.key.credential))
}

/// Both are of the same characters.
fn check(what: &str, text: &str) -> Result<(), Exit> {
    ClientSecret::parse(text)
        .map(drop)
        .map_err(|why| refuse(what, why))
}

fn refuse(what: &str, why: InvalidCredential) -> Exit {
    fail(Exit::Usage, format!("{what} cannot be used: {why}"))
}

fn copy(credential: &Credential) -> Result<Credential, Exit> {
    Credential::parse(&credential.client_id, credential.client_secret.expose()).map_err(|why| {
        fail(
            Exit::Config,
            format!("the stored credential cannot be used: {why}"),
        )
    })
}
