//! An ordered view of a history: the lives of profiles, their calls, and the requests.

use std::collections::BTreeMap;
use std::time::Duration;

use jetond::fault::FaultKind;
use jetond::instant::BootInstant;
use jetond::lifecycle::Policy;

use crate::history::{Answer, Ask, At, History, Lack, Told, What};

/// The maximum time of an immediate event: twice the grain of tokio's timers.
pub(crate) const GRAIN: Duration = Duration::from_millis(2);

/// The daemon may not notice a shorter suspend.
const NOTICEABLE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) lives: Vec<Lived>,
    pub(crate) requests: Vec<Requested>,
    /// The begins and ends of suspends, during which only the boot clock advances.
    pub(crate) suspends: Vec<(BootInstant, At)>,
    /// When everything began to work.
    pub(crate) calm: Option<At>,
}

/// One life of a profile: the time in which the daemon keeps it in one form.
#[derive(Debug)]
pub(crate) struct Lived {
    pub(crate) number: u32,
    pub(crate) profile: usize,
    pub(crate) policy: Policy,
    pub(crate) from: At,
    pub(crate) began_at: usize,
    /// When the reload came that ended it, or the end of the history.
    pub(crate) until: At,
    pub(crate) ended_at: usize,
    /// The reloads during it.
    pub(crate) reloads: Vec<At>,
    /// Its store reads and calls, in order.
    pub(crate) deeds: Vec<Deed>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Deed {
    Load(Loaded),
    Call(Called),
}

/// A read of the store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loaded {
    pub(crate) from: At,
    pub(crate) until: At,
    /// The result; `None` if the daemon stopped waiting for it.
    pub(crate) found: Option<Result<u32, Lack>>,
}

/// A call to the issuer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Called {
    pub(crate) number: u32,
    pub(crate) secret: u32,
    pub(crate) from: At,
    pub(crate) until: At,
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
pub(crate) struct Requested {
    pub(crate) number: u32,
    pub(crate) profile: usize,
    pub(crate) ask: Ask,
    pub(crate) from: At,
    /// Its position in the history, which shows what came before it.
    pub(crate) asked_at: usize,
    pub(crate) until: At,
    pub(crate) ended_at: usize,
    pub(crate) end: RequestEnd,
    /// The events that a watcher received, with their positions in the history.
    pub(crate) told: Vec<(At, usize, Told)>,
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
                What::Kept {
                    life,
                    profile,
                    policy,
                } => record.lives.push(Lived {
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
                What::Reload { profile, goes_on } => {
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
                What::Load { life, load } => {
                    let load_at = record.deed(
                        *life,
                        Deed::Load(Loaded {
                            from: at,
                            until: end,
                            found: None,
                        }),
                    );
                    loads.insert(*load, load_at);
                }
                What::Loaded { load, found, .. } => {
                    if let Some(Deed::Load(load)) = record.deed_at(loads.get(load)) {
                        (load.until, load.found) = (at, Some(*found));
                    }
                }
                What::Call { life, call, secret } => {
                    let call_at = record.deed(
                        *life,
                        Deed::Call(Called {
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
                What::Granted {
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
                What::Failed {
                    call,
                    kind,
                    retry_after,
                    is_doubtful,
                } => {
                    let end = CallEnd::Failed(*kind, *retry_after);
                    record.call_ends(calls.get(call), at, end);
                    if let Some(Deed::Call(call)) = record.deed_at(calls.get(call)) {
                        call.is_doubtful = *is_doubtful;
                    }
                }
                What::Dropped { call } => record.call_ends(calls.get(call), at, CallEnd::Dropped),
                What::Asked {
                    request,
                    profile,
                    ask,
                } => record.requests.push(Requested {
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
                What::Told { request, told } => {
                    if let Some(request) = record.request(*request) {
                        request.told.push((at, place, told.clone()));
                    }
                }
                What::Answered { request, answer } => {
                    record.request_ends(*request, at, place, RequestEnd::Answered(answer.clone()));
                }
                What::HungUp { request } => {
                    record.request_ends(*request, at, place, RequestEnd::HungUp);
                }
                What::Silence { request } => {
                    record.request_ends(*request, at, place, RequestEnd::Silence);
                }
                What::Suspended { by } => record.suspends.push((at.boot.before(*by), at)),
                What::Calm => record.calm = Some(at),
                What::Jumped { .. } | What::Stored { .. } | What::End => {}
            }
        }
        record
    }

    fn deed(&mut self, life: u32, deed: Deed) -> (usize, usize) {
        let index = self.lives.iter().position(|l| l.number == life).unwrap();
        let deeds = &mut self.lives[index].deeds;
        deeds.push(deed);
        (index, deeds.len() - 1)
    }

    fn deed_at(&mut self, place: Option<&(usize, usize)>) -> Option<&mut Deed> {
        let (life, deed) = *place?;
        self.lives[life].deeds.get_mut(deed)
    }

    fn call_ends(&mut self, place: Option<&(usize, usize)>, at: At, end: CallEnd) {
        if let Some(Deed::Call(call)) = self.deed_at(place) {
            (call.until, call.end) = (at, end);
        }
    }

    fn request(&mut self, number: u32) -> Option<&mut Requested> {
        let mut requests = self.requests.iter_mut().rev();
        requests.find(|request| request.number == number)
    }

    fn request_ends(&mut self, number: u32, at: At, place: usize, end: RequestEnd) {
        if let Some(request) = self.request(number) {
            (request.until, request.ended_at, request.end) = (at, place, end);
        }
    }

    /// Returns the life of the profile that lasted during the whole request, if there was one.
    pub(crate) fn life_of(&self, request: &Requested) -> Option<&Lived> {
        self.lives.iter().find(|life| {
            life.profile == request.profile
                && life.began_at < request.asked_at
                && request.ended_at < life.ended_at
        })
    }

    /// Returns every answer and every watch event with a token: the request, the time, the position in the history,
    /// and the answer.
    pub(crate) fn answers(&self) -> impl Iterator<Item = (&Requested, At, usize, &Answer)> {
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
                    Told::Token(answer) => Some((request, *at, *place, answer)),
                    _ => None,
                });
            told.chain(whole)
        })
    }

    /// Returns the ends of all suspends of two seconds or more.
    pub(crate) fn long_suspends(&self) -> impl Iterator<Item = At> {
        let long = |(from, until): &&(BootInstant, At)| until.boot.since(*from) >= NOTICEABLE;
        self.suspends.iter().filter(long).map(|(_, until)| *until)
    }

    /// Returns when the machine last woke before this moment, if that was at most `within` ago. Several short
    /// suspends in a row may count as one.
    pub(crate) fn resumed(&self, at: At, within: Duration) -> Option<At> {
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
    pub(crate) fn boot_after(&self, at: At, by: Duration) -> BootInstant {
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

impl Requested {
    /// Returns how long the daemon may act for the request: a client that hung up may have closed only its half of
    /// the connection.
    pub(crate) fn wants_until(&self) -> Duration {
        match self.end {
            RequestEnd::HungUp => self.from.run + self.ask.max_wait(),
            _ => self.until.run,
        }
    }
}

impl Lived {
    pub(crate) fn calls(&self) -> impl Iterator<Item = &Called> {
        self.deeds.iter().filter_map(|deed| match deed {
            Deed::Call(call) => Some(call),
            Deed::Load(_) => None,
        })
    }

    pub(crate) fn loads(&self) -> impl Iterator<Item = &Loaded> {
        self.deeds.iter().filter_map(|deed| match deed {
            Deed::Load(load) => Some(load),
            Deed::Call(_) => None,
        })
    }
}

fn zero() -> At {
    At {
        run: Duration::ZERO,
        boot: BootInstant::from_boot(Duration::ZERO),
    }
}
