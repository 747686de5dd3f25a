//! The issuers of a run and the stores of their credentials, whose behaviour the seed draws.

use std::sync::Arc;
use std::time::Duration;

use jetond::credential::Credential;
use jetond::fault::{Block, Fault, FaultKind};
use jetond::instant::BootInstant;
use jetond::lifecycle::Phase;
use jetond::lifecycle::credentials::NotLoaded;
use jetond::provider::{Fetching, Granted, Provider};
use jetond::store::source::{CredentialSource, LoadedCredential, Loading};
use jetond::token::{AccessToken, Grant};

use crate::bug::Bug;
use crate::history::{Event, Life, StoreFailure};
use crate::scenes::{self, Play, draw_lifetime, whole_seconds};
use crate::world::{Count, State, Token, World};

/// The real validity of a token without a stated lifetime: as long as the daemon may assume.
const UNTOLD: Duration = Duration::from_secs(300);

/// The issuer of one life of a profile.
pub(crate) struct Issuer {
    pub(crate) world: Arc<World>,
    pub(crate) profile: usize,
    pub(crate) life: Life,
}

/// The store of one life of a profile.
pub(crate) struct Store {
    pub(crate) world: Arc<World>,
    pub(crate) profile: usize,
    pub(crate) life: Life,
}

/// A running call. It is dropped when the daemon stops waiting for it.
struct Call<'a> {
    world: &'a World,
    number: u32,
    has_ended: bool,
}

impl Provider for Issuer {
    fn fetch<'a>(&'a self, credential: &'a Credential) -> Fetching<'a> {
        Box::pin(async move {
            if self.world.bug == Some(Bug::TwoCallsAtOnce) {
                let (first, _) = tokio::join!(self.call(credential), self.call(credential));
                return first;
            }
            let mut result = self.call(credential).await;
            if self.world.bug == Some(Bug::InsistentProvider) {
                for _ in 0..5 {
                    if result.is_err() {
                        result = self.call(credential).await;
                    }
                }
            }
            if self.world.bug == Some(Bug::ImpatientProvider) && result.is_err() {
                result = self.call(credential).await;
            }
            result
        })
    }
}

impl Issuer {
    async fn call(&self, credential: &Credential) -> Result<Granted, Fault> {
        let world = &*self.world;
        let secret = credential.client_secret.expose();
        let secret = secret.trim_start_matches("secret-").parse().unwrap();
        let sent = world.at();
        let shown = world.phase(self.profile);
        let (mut call, scene) = {
            let state = &mut *world.state();
            let number = state.next(Count::Call);
            let subject = &mut state.subjects[self.profile];
            let woken = subject.woken.take() == Some(sent.run);
            let phase = if woken { Some(Phase::Resting) } else { shown };
            let (met, scene) = scenes::draw(subject, phase, sent.boot, &mut state.rng);
            if let (Some(met), Some(phase)) = (met, phase) {
                state.coverage.count(met, phase);
            }
            let call = Event::Call {
                life: self.life,
                call: number,
                secret,
            };
            state.history.push(sent, call);
            let call = Call {
                world,
                number,
                has_ended: false,
            };
            (call, scene)
        };
        let mut resumes = world.clock.resumes();
        tokio::select! { biased;
            _ = resumes.changed(), if scene.is_fragile => return call.fails(&Fault::new(FaultKind::Reset, "scripted")),
            () = tokio::time::sleep(scene.after) => {}
        }
        if world.bug == Some(Bug::DeafProvider) && world.state().is_calm {
            return call.fails(&Fault::new(FaultKind::Connect, "scripted"));
        }
        let play = match scene.play {
            Play::Fail(kind, retry_after) => {
                let fault = Fault::new(kind, "scripted").with_retry_after(retry_after);
                return call.fails(&fault);
            }
            Play::Doubt(retry_after) => {
                let fault = Fault::new(FaultKind::Rejected, "scripted").in_doubt();
                return call.fails(&fault.with_retry_after(retry_after));
            }
            grant => grant,
        };
        let now = world.at().boot;
        let (token, lifetime, stated) = give(
            &mut world.state(),
            self.profile,
            self.life,
            play,
            sent.boot,
            now,
        );
        let text = format!("tok-p{}-{}", self.profile, token.number);
        world.state().subjects[self.profile].given = Some((token.number, self.life));
        call.has_ended = true;
        world.record(Event::Granted {
            call: call.number,
            token: token.number,
            lifetime,
            stated,
            end: token.end,
        });
        Ok(Granted {
            grant: Grant {
                lifetime,
                stated,
                ..Grant::of(AccessToken::parse(&text).unwrap())
            },
            server_date: None,
        })
    }
}

impl Call<'_> {
    fn fails(&mut self, fault: &Fault) -> Result<Granted, Fault> {
        self.has_ended = true;
        self.world.record(Event::Failed {
            call: self.number,
            kind: fault.kind,
            retry_after: fault.retry_after,
            is_doubtful: fault.is_doubtful,
        });
        let told = fault
            .retry_after
            .filter(|_| self.world.bug != Some(Bug::HastyProvider));
        let mut fault = fault.clone();
        if self.world.bug == Some(Bug::PoliteProvider) && fault.kind == FaultKind::Rejected {
            fault.kind = FaultKind::ServerError;
        }
        Err(fault.with_retry_after(told))
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.world.record(Event::Dropped { call: self.number });
        }
    }
}

impl CredentialSource for Store {
    fn load(&self) -> Loading<'_> {
        Box::pin(async move {
            let (load, takes) = {
                let state = &mut *self.world.state();
                (
                    state.next(Count::Load),
                    state.subjects[self.profile].load_takes,
                )
            };
            let life = self.life;
            self.world.record(Event::Load { life, load });
            tokio::time::sleep(takes).await;
            let found = self.world.state().subjects[self.profile].stored;
            self.world.record(Event::Loaded { life, load, found });
            match found {
                Ok(secret) => {
                    let secret = format!("secret-{secret}");
                    Ok(LoadedCredential::new(
                        Credential::parse("id", &secret).unwrap(),
                    ))
                }
                Err(StoreFailure::NotEnrolled) => {
                    let name = self.world.state().subjects[self.profile].name.clone();
                    Err(NotLoaded::Blocked(Block::NotEnrolled(name)))
                }
                Err(StoreFailure::Unusable) => {
                    let detail = "scripted".to_owned();
                    Err(NotLoaded::Blocked(Block::Unusable { detail }))
                }
            }
        })
    }
}

/// Grants a token; returns it with the lifetime that the issuer states.
fn give(
    state: &mut State,
    profile: usize,
    life: Life,
    play: Play,
    sent: BootInstant,
    now: BootInstant,
) -> (Token, Option<Duration>, bool) {
    let lifetime = draw_lifetime(state.subjects[profile].scale, &mut state.rng);
    let again = state.rng.u8(0..5) == 0;
    let last = state.subjects[profile].last;
    let slot = if matches!(play, Play::OneOfTwo) {
        1 - last
    } else {
        last
    };
    let there = state.subjects[profile].tokens[slot].as_mut();
    let second = Duration::from_secs(1);
    match (play, there) {
        (Play::Same, Some(token)) if token.end > now && token.life == life => {
            let said = match (token.lifetime, token.stated) {
                // A client without a stated lifetime assumes this one, so the token must stay valid as long.
                (None, _) => {
                    token.end = token.end.max(sent.after(UNTOLD));
                    None
                }
                (lifetime, false) => lifetime,
                (lifetime, true) if again => {
                    token.end = sent.after(truth(lifetime));
                    lifetime
                }
                (Some(_), true) => Some(whole_seconds(token.end.since(now))),
            };
            return (*token, said, token.stated);
        }
        (Play::OneOfTwo, Some(token)) if token.end > now.after(second) => {
            let said = whole_seconds(token.end.since(now));
            let token = *token;
            state.subjects[profile].last = slot;
            return (token, Some(said), true);
        }
        _ => {}
    }
    let (lifetime, stated) = match play {
        Play::New { lifetime, stated } => (lifetime, stated),
        _ => (Some(lifetime), true),
    };
    let token = Token {
        number: state.next(Count::Token),
        lifetime,
        stated,
        end: sent.after(truth(lifetime)),
        life,
    };
    let subject = &mut state.subjects[profile];
    subject.tokens[slot] = Some(token);
    subject.last = slot;
    (token, lifetime, stated)
}

/// Returns the real validity of a token with this stated lifetime. The daemon may assume a second or more.
fn truth(lifetime: Option<Duration>) -> Duration {
    lifetime.unwrap_or(UNTOLD).max(Duration::from_secs(1))
}
