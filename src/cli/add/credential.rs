//! The credential that `jetond add` enrols: given as arguments, asked for, or the stored one.

use std::path::Path;

use zeroize::Zeroizing;

use super::super::output::{Exit, fail, fail_with, print_line};
use super::super::prompt;
use super::AddArgs;
use crate::credential::{ClientSecret, Credential, InvalidCredential, SurroundedText};
use crate::store::{BoundTarget, StoreReading};

impl AddArgs {
    const fn is_secret_given(&self) -> bool {
        self.client_secret_stdin || self.client_secret_file.is_some()
    }

    /// Whether the stored credential may be enrolled again. One that is replaced completely need not be readable.
    pub(super) const fn needs_the_stored(&self) -> bool {
        self.rebind && !(self.client_id.is_some() && self.is_secret_given())
    }

    /// Finds the credential: given, asked for, or with `--rebind` the one that was `seen` in the store. A person sees
    /// the address before the secret goes there. Without a terminal, a stored secret goes to no other address that was
    /// `discovered`.
    pub(super) fn credential(
        &self,
        seen: Option<&StoreReading>,
        bound: &BoundTarget,
        discovered: bool,
    ) -> Result<Credential, Exit> {
        let secret_given = self.is_secret_given();
        let stored = if self.needs_the_stored() {
            seen.map(stored).transpose()?.flatten()
        } else {
            None
        };
        if let (Some(stored), None, false, false) =
            (stored, &self.client_id, secret_given, prompt::possible())
        {
            let enrolled = seen.and_then(|seen| seen.record.as_ref().ok()?.as_ref());
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
        let (id, secret) = match (&self.client_id, stored) {
            (Some(id), _) => {
                demand_nothing_around("the client ID", id)?;
                (
                    Zeroizing::new(id.clone()),
                    self.secret_of(id, stored, bound)?,
                )
            }
            (None, Some(stored)) if secret_given => {
                let id = &stored.client_id;
                (
                    Zeroizing::new(id.clone()),
                    self.secret_of(id, Some(stored), bound)?,
                )
            }
            (None, _) => match &self.client_secret_file {
                Some(path) => (prompt::client_id(ID)?, from_file(path)?),
                None => ask_for_both(stored, bound)?,
            },
        };
        check("the client ID", &id)?;
        check("the client secret", &secret)?;
        Credential::parse(&id, &secret).map_err(|why| refuse("the credential", why))
    }

    /// Finds the secret of this client: given, or asked for.
    fn secret_of(
        &self,
        id: &str,
        stored: Option<&Credential>,
        bound: &BoundTarget,
    ) -> Result<Zeroizing<String>, Exit> {
        check("the client ID", id)?;
        if let Some(path) = &self.client_secret_file {
            return from_file(path);
        }
        if self.client_secret_stdin {
            let secret = prompt::secret_from_stdin(id)?;
            if !prompt::possible() {
                demand_a_secret_alone(&secret)?;
            }
            return Ok(secret);
        }
        let stored = stored.filter(|stored| stored.client_id == id);
        let typed = prompt::client_secret(&secret_question(bound, stored.is_some()), id)?;
        Ok(typed_or_stored(typed, stored))
    }
}

const ID: &str = "Client ID";

/// Asks for the client ID and the secret. Enter keeps the stored ones.
fn ask_for_both(
    stored: Option<&Credential>,
    bound: &BoundTarget,
) -> Result<(Zeroizing<String>, Zeroizing<String>), Exit> {
    let stored_id = stored.map(|stored| stored.client_id.as_str());
    if stored.is_some() {
        // The person must see the configuration's current address before pasting a secret for it.
        print_line(format!("the credential of this profile goes to {bound}"));
    }
    let question = match stored_id {
        Some(id) => format!("{ID} (Enter keeps {id})"),
        None => ID.to_owned(),
    };
    let is_kept = |id: &str| stored_id.is_some_and(|stored| id.is_empty() || id == stored);
    let asked = |id: &str| secret_question(bound, is_kept(id));
    let (id, secret) = prompt::client(&question, stored_id, &asked)?;
    let stored = stored.filter(|_| is_kept(&id));
    let id = match stored {
        Some(stored) => Zeroizing::new(stored.client_id.clone()),
        None => id,
    };
    Ok((id, typed_or_stored(secret, stored)))
}

fn secret_question(bound: &BoundTarget, is_kept: bool) -> String {
    match is_kept {
        true => {
            format!("Client secret for {bound} (not shown; Enter keeps the stored one)")
        }
        false => format!("Client secret for {bound} (not shown)"),
    }
}

fn typed_or_stored(typed: Zeroizing<String>, stored: Option<&Credential>) -> Zeroizing<String> {
    match stored {
        Some(stored) if typed.is_empty() => {
            Zeroizing::new(stored.client_secret.expose().to_owned())
        }
        _ => typed,
    }
}

fn from_file(path: &Path) -> Result<Zeroizing<String>, Exit> {
    let secret = prompt::secret_from_file(path)?;
    demand_a_secret_alone(&secret)?;
    Ok(secret)
}

/// Refuses a text that cannot be a secret, or that has quotes, spaces or a name around the secret. It did not come from
/// a terminal, so there is no person to ask.
fn demand_a_secret_alone(secret: &str) -> Result<(), Exit> {
    check("the client secret", secret)?;
    demand_nothing_around("the client secret", secret)
}

fn demand_nothing_around(what: &str, text: &str) -> Result<(), Exit> {
    let Some(around) = SurroundedText::of_unasked(text).said() else {
        return Ok(());
    };
    Err(fail(
        Exit::Usage,
        format!(
            "{what} cannot be used: it has {around}, as if copied with it; remove that, and try again"
        ),
    ))
}

fn stored(seen: &StoreReading) -> Result<Option<&Credential>, Exit> {
    let record = seen.record.as_ref();
    let record = record.map_err(|error| fail_with(Exit::Config, error))?;
    Ok(record.as_ref().map(|record| &record.key.credential))
}

/// The client ID and the secret allow the same characters.
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
