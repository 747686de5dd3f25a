//! A credential that is enrolled, and what its proof has shown.

use super::super::proof::Proof;
use crate::clock::{Clock as _, SystemClock};
use crate::config::oauth2::ClientAuth;
use crate::credential::Credential;
use crate::instant::UnixTime;
use crate::store::{Binding, Key, Record};
use crate::token::Validity;

/// What a token has proved.
pub(super) struct Proved {
    /// How long the token holds.
    pub(super) validity: Validity,
    /// The client authentication that the issuer took.
    pub(super) client_auth: Option<ClientAuth>,
    /// What the server is, if the endpoint that gave the token says so.
    pub(super) server: Option<&'static str>,
    /// What the issuer's clock showed.
    pub(super) server_date: Option<UnixTime>,
}

/// A credential that has been given a token.
pub(super) struct Enrolment {
    pub(super) record: Record,
    pub(super) validity: Validity,
    pub(super) proof: Option<Proof>,
}

impl Enrolment {
    pub(super) fn new(credential: Credential, binding: Binding, proved: &Proved) -> Self {
        let proof = Proof::of(&credential);
        let key = Key {
            credential,
            key_id: None,
            key_name: None,
            created_at: SystemClock.now().unix,
            server_date: proved.server_date,
        };
        let record = Record {
            key,
            binding,
            rotation: None,
        };
        Self {
            record,
            validity: proved.validity,
            proof,
        }
    }
}
