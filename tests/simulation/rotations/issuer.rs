//! The token endpoint of the issuer.

use std::sync::Arc;
use std::time::Duration;

use jetond::credential::Credential;
use jetond::fault::{Fault, FaultKind};
use jetond::provider::{Fetching, Granted, Provider};
use jetond::token::{AccessToken, Grant};

use super::history::{Event, Secret};
use super::keys::date;
use super::plane::key_of;
use super::world::World;

/// The faults of calls to the issuer.
const FAULTS: [FaultKind; 6] = [
    FaultKind::Connect,
    FaultKind::Dns,
    FaultKind::Timeout,
    FaultKind::Reset,
    FaultKind::ServerError,
    FaultKind::Malformed,
];

/// The issuer of the profile's tokens.
pub(super) struct Issuer(pub(super) Arc<World>);

impl Provider for Issuer {
    fn fetch<'a>(&'a self, credential: &'a Credential) -> Fetching<'a> {
        Box::pin(async move {
            let world = &self.0;
            world.point().await;
            let (takes, fault) = {
                let state = &mut *world.state();
                let fails = state.moods.tokens.fails(30, &mut state.rng);
                let fault = fails.then(|| FAULTS[state.rng.usize(0..FAULTS.len())]);
                if let Some(kind) = fault {
                    state.push(Event::Failed { kind });
                }
                (Duration::from_millis(state.rng.u64(1..300)), fault)
            };
            tokio::time::sleep(takes).await;
            if let Some(kind) = fault {
                return Err(Fault::new(kind, "scripted"));
            }
            let secret = credential.client_secret.expose();
            world.granted(key_of(&credential.client_id, secret))
        })
    }
}

impl World {
    /// Grants a token for this secret, with about the usual lifetime.
    fn granted(&self, secret: Option<Secret>) -> Result<Granted, Fault> {
        let state = &mut *self.state();
        let now = state.now();
        let late = state.plane.catch_up(now);
        state.history.0.extend(late);
        let Some(secret) = secret.filter(|secret| state.plane.log_in(now, *secret)) else {
            state.push(Event::Rejected);
            return Err(Fault::new(FaultKind::Rejected, "unknown client"));
        };
        let lifetime = self.lifetime.mul_f64(state.rng.f64().mul_add(0.2, 0.9));
        let lifetime = Duration::from_secs(lifetime.as_secs().max(1));
        let token = u32::try_from(state.tokens.len()).unwrap() + 1;
        let end = now + lifetime;
        state.tokens.insert(token, (secret, end));
        state.push(Event::Granted { token, secret, end });
        let text = format!("tok-{token}");
        let is_dated = state.rng.bool();
        Ok(Granted {
            grant: Grant {
                lifetime: Some(lifetime),
                stated: true,
                ..Grant::of(AccessToken::parse(&text).unwrap())
            },
            server_date: is_dated.then(|| date(now)),
        })
    }
}
