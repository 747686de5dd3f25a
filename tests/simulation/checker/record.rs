//! An ordered view of a history: the lives of profiles, their calls, and the requests.

use std::collections::BTreeMap;
use std::time::Duration;

use jetond::fault::FaultKind;
use jetond::instant::BootInstant;
use jetond::lifecycle::Policy;

use crate::history::{Answer, Ask, Event, History, Moment, StoreFailure, WatchEvent};

/// The maximum time of an immediate event: twice the grain of tokio's timers.
pub(crate) const GRAIN: Duration = Duration::from_millis(2);

/// The daemon may not notice a shorter suspend.
const NOTICEABLE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) lives: Vec<ProfileLife>,
    pub(crate) requests: Vec<ClientRequest>,
    /// The begins and ends of suspends, during which only the boot clock advances.
    pub(crate) suspends: Vec<(BootInstant, Moment)>,
    /// When everything began to work.
    pub(crate) calm: Option<Moment>,
}

/// One life of a profile: the time in which the daemon keeps it in one form.
#[derive(Debug)]
pub(crate) struct ProfileLife {
    pub(crate) number: u32,
    pub(crate) profile: usize,
    pub(crate) policy: Policy,
    pub(crate) from: Moment,
    pub(crate) began_at: usize,
    /// When the reload came that ended it, or the end of the history.
    pub(crate) until: Moment,
    pub(crate) ended_at: usize,
    /// The reloads during it.
    pub(crate) reloads: Vec<Moment>,
    /// Its store reads and calls, in order.
    pub(crate) deeds: Vec<LifeAction>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum LifeAction {
    Load(StoreRead),
    Call(IssuerCall),
}

/// A read of the store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoreRead {
    pub(crate) from: Moment,
    pub(crate) until: Moment,
    /// The result; `None` if the daemon stopped waiting for it.
    pub(crate) found: Option<Result<u32, StoreFailure>>,
}

/// A call to the issuer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IssuerCall {
    pub(crate) number: u32,
    pub(crate) secret: u32,
    pub(crate) from: Moment,
    pub(crate) until: Moment,
    pub(crate) end: CallEnd,
    /// Whether the rejection did not name the secret as its cause.
    pub(crate) is_doubtful: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum CallEnd {
    /// The history ended before the call.
    Open,
    Dropped,
    Failed(FaultKind, Option<Duration>),
    Granted(Given),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Given {
    pub(crate) token: u32,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) stated: bool,
    /// The real end of the token's validity.
    pub(crate) end: BootInstant,
}

/// A client's request.
#[derive(Debug)]
pub(crate) struct ClientRequest {
    pub(crate) number: u32,
    pub(crate) profile: usize,
    pub(crate) ask: Ask,
    pub(crate) from: Moment,
    /// Its position in the history, which shows what came before it.
    pub(crate) asked_at: usize,
    pub(crate) until: Moment,
    pub(crate) ended_at: usize,
    pub(crate) end: RequestEnd,
    /// The events that a watcher received, with their positions in the history.
    pub(crate) told: Vec<(Moment, usize, WatchEvent)>,
}

#[derive(Debug)]
pub(crate) enum RequestEnd {
    /// The request was never answered.
    Silence,
    HungUp,
    Answered(Answer),
}

impl Record {
    pub(crate) fn of(history: &History) -> Self {
        let end = history.0.last().map_or_else(zero, |(at, _)| *at);
        let length = history.0.len();
        let mut record = Self {
            lives: vec![],
            requests: vec![],
            suspends: vec![],
            calm: None,
        };
        let mut calls: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
        let mut loads: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
        for (place, (at, what)) in history.0.iter().enumerate() {
            let at = *at;
            match what {
                Event::Kept {
                    life,
                    profile,
                    policy,
                } => record.lives.push(ProfileLife {
                    number: *life,
                    profile: *profile,
                    policy: *policy,
                    from: at,
                    began_at: place,
                    until: end,
                    ended_at: length,
                    reloads: vec![],
                    deeds: vec![],
                }),
                Event::Reload { profile, goes_on } => {
                    let mut lives = record.lives.iter_mut().rev();
                    let life = lives.find(|life| life.profile == *profile);
                    if let Some(life) = life {
                        if *goes_on {
                            life.reloads.push(at);
                        } else {
                            (life.until, life.ended_at) = (at, place);
                        }
                    }
                }
                Event::Load { life, load } => {
                    let load_at = record.deed(
                        *life,
                        LifeAction::Load(StoreRead {
                            from: at,
                            until: end,
                            found: None,
                        }),
                    );
                    loads.insert(*load, load_at);
                }
                Event::Loaded { load, found, .. } => {
                    if let Some(LifeAction::Load(load)) = record.deed_at(loads.get(load)) {
                        (load.until, load.found) = (at, Some(*found));
                    }
                }
                Event::Call { life, call, secret } => {
                    let call_at = record.deed(
                        *life,
                        LifeAction::Call(IssuerCall {
                            number: *call,
                            secret: *secret,
                            from: at,
                            until: end,
                            end: CallEnd::Open,
                            is_doubtful: false,
                        }),
                    );
                    calls.insert(*call, call_at);
                }
                Event::Granted {
                    call,
                    token,
                    lifetime,
                    stated,
                    end,
                } => {
                    let given = Given {
                        token: *token,
                        lifetime: *lifetime,
                        stated: *stated,
                        end: *end,
                    };
                    record.call_ends(calls.get(call), at, CallEnd::Granted(given));
                }
                Event::Failed {
                    call,
                    kind,
                    retry_after,
                    is_doubtful,
                } => {
                    let end = CallEnd::Failed(*kind, *retry_after);
                    record.call_ends(calls.get(call), at, end);
                    if let Some(LifeAction::Call(call)) = record.deed_at(calls.get(call)) {
                        call.is_doubtful = *is_doubtful;
                    }
                }
                Event::Dropped { call } => record.call_ends(calls.get(call), at, CallEnd::Dropped),
                Event::Asked {
                    request,
                    profile,
                    ask,
                } => record.requests.push(ClientRequest {
                    number: *request,
                    profile: *profile,
                    ask: *ask,
                    from: at,
                    asked_at: place,
                    until: end,
                    ended_at: length,
                    end: RequestEnd::Silence,
                    told: vec![],
                }),
                Event::Told { request, told } => {
                    if let Some(request) = record.request(*request) {
                        request.told.push((at, place, told.clone()));
                    }
                }
                Event::Answered { request, answer } => {
                    record.request_ends(*request, at, place, RequestEnd::Answered(answer.clone()));
                }
                Event::HungUp { request } => {
                    record.request_ends(*request, at, place, RequestEnd::HungUp);
                }
                Event::Silence { request } => {
                    record.request_ends(*request, at, place, RequestEnd::Silence);
                }
                Event::Suspended { by } => record.suspends.push((at.boot.before(*by), at)),
                Event::Calm => record.calm = Some(at),
                Event::Jumped { .. } | Event::Stored { .. } | Event::End => {}
            }
        }
        record
    }

    fn deed(&mut self, life: u32, deed: LifeAction) -> (usize, usize) {
        let index = self.lives.iter().position(|l| l.number == life).unwrap();
        let deeds = &mut self.lives[index].deeds;
        deeds.push(deed);
        (index, deeds.len() - 1)
    }

    fn deed_at(&mut self, place: Option<&(usize, usize)>) -> Option<&mut LifeAction> {
        let (life, deed) = *place?;
        self.lives[life].deeds.get_mut(deed)
    }

    fn call_ends(&mut self, place: Option<&(usize, usize)>, at: Moment, end: CallEnd) {
        if let Some(LifeAction::Call(call)) = self.deed_at(place) {
            (call.until, call.end) = (at, end);
        }
    }

    fn request(&mut self, number: u32) -> Option<&mut ClientRequest> {
        let mut requests = self.requests.iter_mut().rev();
        requests.find(|request| request.number == number)
    }

    fn request_ends(&mut self, number: u32, at: Moment, place: usize, end: RequestEnd) {
        if let Some(request) = self.request(number) {
            (request.until, request.ended_at, request.end) = (at, place, end);
        }
    }

    /// Returns the life of the profile that lasted during the whole request, if there was one.
    pub(crate) fn life_of(&self, request: &ClientRequest) -> Option<&ProfileLife> {
        self.lives.iter().find(|life| {
            life.profile == request.profile
                && life.began_at < request.asked_at
                && request.ended_at < life.ended_at
        })
    }

    /// Returns every answer and every watch event with a token: the request, the time, the position in the history,
    /// and the answer.
    pub(crate) fn answers(&self) -> impl Iterator<Item = (&ClientRequest, Moment, usize, &Answer)> {
        self.requests.iter().flat_map(|request| {
            let whole = match &request.end {
                RequestEnd::Answered(answer) => {
                    Some((request, request.until, request.ended_at, answer))
                }
                _ => None,
            };
            let told = request
                .told
                .iter()
                .filter_map(move |(at, place, told)| match told {
                    WatchEvent::Token(answer) => Some((request, *at, *place, answer)),
                    _ => None,
                });
            told.chain(whole)
        })
    }

    /// Returns the ends of all suspends of two seconds or more.
    pub(crate) fn long_suspends(&self) -> impl Iterator<Item = Moment> {
        let long = |(from, until): &&(BootInstant, Moment)| until.boot.since(*from) >= NOTICEABLE;
        self.suspends.iter().filter(long).map(|(_, until)| *until)
    }

    /// Returns when the machine last woke before this moment, if that was at most `within` ago. Several short
    /// suspends in a row may count as one.
    pub(crate) fn resumed(&self, at: Moment, within: Duration) -> Option<Moment> {
        let near = |from: Duration, until: Duration| from <= until && until <= from + within;
        let before = self
            .suspends
            .iter()
            .filter(|(_, resume)| near(resume.run, at.run));
        before.map(|(_, resume)| *resume).find(|resume| {
            let together = self
                .suspends
                .iter()
                .filter(|(_, other)| near(other.run, resume.run));
            let slept: Duration = together.map(|(from, until)| until.boot.since(*from)).sum();
            slept >= NOTICEABLE
        })
    }

    /// Returns the boot clock after the machine has run for `by` since this moment.
    pub(crate) fn boot_after(&self, at: Moment, by: Duration) -> BootInstant {
        let sleeps = self.suspends.iter();
        let meanwhile =
            sleeps.filter(|(from, resume)| at.boot <= *from && resume.run <= at.run + by);
        let slept: Duration = meanwhile.map(|(from, until)| until.boot.since(*from)).sum();
        at.boot.after(by + slept)
    }

    /// Returns this moment, or the end of the suspend that it is in.
    pub(crate) fn awake(&self, at: BootInstant) -> BootInstant {
        let slept = self
            .suspends
            .iter()
            .find(|(from, until)| *from <= at && at <= until.boot);
        slept.map_or(at, |(_, until)| until.boot)
    }
}

impl ClientRequest {
    /// Returns how long the daemon may act for the request: a client that hung up may have closed only its half of
    /// the connection.
    pub(crate) fn wants_until(&self) -> Duration {
        match self.end {
            RequestEnd::HungUp => self.from.run + self.ask.max_wait(),
            _ => self.until.run,
        }
    }
}

impl ProfileLife {
    pub(crate) fn calls(&self) -> impl Iterator<Item = &IssuerCall> {
        self.deeds.iter().filter_map(|deed| match deed {
            LifeAction::Call(call) => Some(call),
            LifeAction::Load(_) => None,
        })
    }

    pub(crate) fn loads(&self) -> impl Iterator<Item = &StoreRead> {
        self.deeds.iter().filter_map(|deed| match deed {
            LifeAction::Load(load) => Some(load),
            LifeAction::Call(_) => None,
        })
    }
}

fn zero() -> Moment {
    Moment {
        run: Duration::ZERO,
        boot: BootInstant::from_boot(Duration::ZERO),
    }
}
