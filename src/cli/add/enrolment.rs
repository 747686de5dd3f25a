//! A proved credential, and the findings of its proof.

use super::super::proof::Proof;
use crate::clock::{Clock as _, SystemClock};
use crate::config::oauth2::ClientAuth;
use crate::credential::Credential;
use crate::instant::UnixTime;
use crate::store::{Binding, Key, Record};
use crate::token::Validity;

/// The findings of the proof.
pub(super) struct ProofFindings {
    /// The token's lifetime.
    pub(super) validity: Validity,
    /// The client authentication that the issuer accepted.
    pub(super) client_auth: Option<ClientAuth>,
    /// The kind of server, if the endpoint that gave the token states it.
    pub(super) server: Option<&'static str>,
    /// The time by the issuer's clock, if its answer had it.
    pub(super) server_date: Option<UnixTime>,
}

/// A credential that the issuer has given a token for.
pub(super) struct Enrolment {
    pub(super) record: Record,
    pub(super) validity: Validity,
    pub(super) proof: Option<Proof>,
}

impl Enrolment {
    pub(super) fn new(credential: Credential, binding: Binding, proved: &ProofFindings) -> Self {
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
