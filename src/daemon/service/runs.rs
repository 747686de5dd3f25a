//! Asks the service and prints the answer, for a run of the companion or for a path of the local interface.

use std::sync::Arc;

use super::lists::TURN;
use super::rotating::state_of;
use super::{ADMIN_ONLY, Door, RotationFeed, Service};
use crate::daemon::command_files::Feeds;
use crate::daemon::keep::feed::Feed;
use crate::daemon::keep::handle::{Handle, Served};
use crate::daemon::keep::patience::{Patience, Seat};
use crate::dialect::{self, Parsed};
use crate::lifecycle::Held;
use crate::policy::Peer;
use crate::problem::{Code, Problem};
use crate::query::{
    Asked, DaemonState, FileAnswer, News, Print, RotationNews, Surroundings, TokenAnswer,
};
use crate::wire::MAX_FRAME;
use crate::wire::frame::{Answer, Invocation, Reply};
use crate::wire::reload::ReloadQuery;

/// Room that an answer to the companion needs besides its standard output, in bytes.
const ROOM: usize = 1_024;

/// Detail for an answer that is too long for the companion.
const TOO_LONG: &str =
    "the answer is longer than 256 KiB; name one profile, or read GET /v1/profiles at the socket";

/// The answer to one run of the companion.
pub(in crate::daemon) enum RunAnswer {
    /// A complete answer, and the token in it.
    Whole(Answer, Option<Arc<Held>>),
    /// The events from now on, and the printer for them.
    Watch(Feed, Box<dyn Print<News>>),
    /// The steps of a rotation, and the printer for them.
    Rotation(RotationFeed, Box<dyn Print<RotationNews>>),
}

/// A printed answer.
pub(in crate::daemon) enum Printed {
    /// A complete reply, and the token in it.
    Whole(Reply, Option<Arc<Held>>),
    /// The events from now on, and the printer for them.
    Watch(Feed, Box<dyn Print<News>>),
    /// The steps of a rotation, and the printer for them.
    Rotation(RotationFeed, Box<dyn Print<RotationNews>>),
}

impl Service {
    /// Answers one run of the companion, whose connection occupies `seat`.
    pub(in crate::daemon) async fn run(
        &self,
        run: Invocation,
        peer: &Peer,
        door: Door,
        seat: &Arc<dyn Seat>,
    ) -> RunAnswer {
        // Check this first: standard input for the admin socket must not come through this one.
        if door == Door::Tokens && dialect::is_admin(&run) {
            return RunAnswer::Whole(dialect::to_admin(ADMIN_ONLY), None);
        }
        let asked = match dialect::parse(&run) {
            Parsed::Ask(asked) => asked,
            Parsed::Answer(answer) => return RunAnswer::Whole(answer, None),
            Parsed::Confirm(query, question) => {
                // What can be refused is refused before a person is asked.
                let answer = match self.check_rotation(&peer.caller, &query).await {
                    Ok(_) => Answer::Prompt(question),
                    Err(problem) => dialect::failure(&problem, self.clock.now()).into(),
                };
                return RunAnswer::Whole(answer, None);
            }
        };
        // The request may be large, and the answer may take a while.
        drop(run);
        match self.ask(asked, peer, door, seat).await {
            Ok(Printed::Whole(reply, _)) if reply.stdout.len() > MAX_FRAME - ROOM => {
                let problem = Problem::new(Code::PayloadTooLarge).with_detail(TOO_LONG);
                RunAnswer::Whole(dialect::failure(&problem, self.clock.now()).into(), None)
            }
            Ok(Printed::Whole(reply, held)) => RunAnswer::Whole(reply.into(), held),
            Ok(Printed::Watch(feed, print)) => RunAnswer::Watch(feed, print),
            Ok(Printed::Rotation(feed, print)) => RunAnswer::Rotation(feed, print),
            Err(problem) => {
                RunAnswer::Whole(dialect::failure(&problem, self.clock.now()).into(), None)
            }
        }
    }

    /// Asks for a caller whose connection occupies `seat`, and prints the answer.
    ///
    /// # Errors
    /// The [`Problem`] says why there is no answer.
    pub(in crate::daemon) async fn ask(
        &self,
        asked: Asked,
        peer: &Peer,
        door: Door,
        seat: &Arc<dyn Seat>,
    ) -> Result<Printed, Problem> {
        let caller = &peer.caller;
        let mut held = None;
        let reply = match asked {
            Asked::Token(query, print) => {
                let name = query.profile.as_ref();
                let max_wait = Patience::at(seat, query.max_wait);
                let (handle, served) = self.token(caller, name, query.min_valid, max_wait).await?;
                held = Some(Arc::clone(&served.held));
                print.print(&answer(&handle, served), self.surroundings())
            }
            Asked::Reject(query, print) => {
                let name = query.profile.as_ref();
                let max_wait = Patience::at(seat, query.max_wait);
                let (handle, served) = self.reject(caller, name, &query.which, max_wait).await?;
                held = Some(Arc::clone(&served.held));
                print.print(&answer(&handle, served), self.surroundings())
            }
            Asked::File(query, print) => {
                let process = self.files.process_of(peer, self.roster.gate().own_uid)?;
                let name = query.profile.as_ref();
                let max_wait = Patience::at(seat, query.max_wait);
                let (handle, served) = self.token(caller, name, query.min_valid, max_wait).await?;
                let (name, feeds) = (handle.name(), self.feeds());
                let made = self.files.open(feeds, process, caller, name, &served.held);
                let path = made.await?;
                held = Some(served.held);
                print.print(&FileAnswer { path }, self.surroundings())
            }
            Asked::Address(query, print) => {
                let max_wait = Patience::at(seat, query.max_wait);
                match self.answer_at(peer, &query, max_wait).await {
                    Ok(answer) => {
                        held = Some(Arc::clone(&answer.token.held));
                        print.print(&answer, self.surroundings())
                    }
                    Err(problem) => {
                        let reply = print.refuse(&problem, self.surroundings());
                        reply.ok_or(problem)?
                    }
                }
            }
            Asked::AddressReject(query, print) => {
                let max_wait = Patience::at(seat, query.at.max_wait);
                match self.reject_at(caller, &query, max_wait).await {
                    Ok(()) => print.print(&(), self.surroundings()),
                    Err(problem) => {
                        let reply = print.refuse(&problem, self.surroundings());
                        reply.ok_or(problem)?
                    }
                }
            }
            Asked::Hosts(print) => match self.hosts(caller) {
                Ok(hosts) => print.print(&hosts, self.surroundings()),
                Err(problem) => {
                    let reply = print.refuse(&problem, self.surroundings());
                    reply.ok_or(problem)?
                }
            },
            Asked::Explain(query, print) => {
                print.print(&self.explain(caller, &query)?, self.surroundings())
            }
            Asked::Profile(name, print) => {
                let seen = self.roster.seen_by(caller);
                print.print(&self.state_of(seen.get(&name)?), self.surroundings())
            }
            Asked::Profiles(name, print) => {
                let profiles = self.profiles(caller, name.as_ref())?;
                let (version, now) = (self.version(), self.clock.now());
                let (count, socket) = (profiles.len(), self.socket.clone());
                let (rotations, ages) = (Arc::clone(&self.rotations), Arc::clone(&self.ages));
                let make = move || {
                    let profiles = profiles
                        .iter()
                        .map(|handle| state_of(&rotations, &ages, handle))
                        .collect();
                    let state = DaemonState { profiles, version };
                    let socket = &socket;
                    print.print(&state, Surroundings { now, socket })
                };
                let turn = Patience::at(seat, TURN);
                self.lists.make(count, caller.uid, turn, make).await?
            }
            Asked::Ready(query, print) => {
                let wait = Patience::at(seat, query.wait);
                self.ready(caller, query.profile.as_ref(), wait).await?;
                print.print(&(), self.surroundings())
            }
            Asked::Refresh(query, print) => {
                let name = query.profile.as_ref();
                let state = self
                    .refresh(caller, name, Patience::at(seat, query.max_wait))
                    .await?;
                print.print(&state, self.surroundings())
            }
            Asked::Watch(query, print) => {
                let feed = self.watch(caller, query.profile.as_ref(), query.since)?;
                return Ok(Printed::Watch(feed, print));
            }
            Asked::Keys(query, print) => {
                let max_wait = Patience::at(seat, query.max_wait);
                let answer = self.keys(caller, &query, max_wait).await?;
                print.print(&answer, self.surroundings())
            }
            Asked::Whoami(query, print) => {
                let max_wait = Patience::at(seat, query.max_wait);
                let answer = self.whoami(caller, &query, max_wait).await?;
                print.print(&answer, self.surroundings())
            }
            Asked::Rotate(query, print) if door == Door::Admin => {
                return Ok(Printed::Rotation(self.rotate(caller, &query).await?, print));
            }
            Asked::Reload(print) if door == Door::Admin => {
                let (changed, _) = self.reload(ReloadQuery::default()).await?;
                print.print(&changed, self.surroundings())
            }
            Asked::Rotate(..) | Asked::Reload(_) => {
                return Err(Problem::new(Code::Forbidden).with_detail(ADMIN_ONLY));
            }
        };
        Ok(Printed::Whole(reply, held))
    }

    /// Takes over the commands' token files that an earlier daemon has made.
    pub(in crate::daemon) async fn take_up_files(self: Arc<Self>) {
        self.files.take_up(self.feeds()).await;
    }

    /// Returns what a watch needs that outlives its request.
    pub(in crate::daemon) fn feeds(&self) -> Feeds {
        Feeds {
            roster: Arc::clone(&self.roster),
            clock: Arc::clone(&self.clock),
            closing: self.closing.clone(),
        }
    }

    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            now: self.clock.now(),
            socket: &self.socket,
        }
    }
}

pub(super) fn answer(handle: &Handle, served: Served) -> TokenAnswer {
    TokenAnswer {
        profile: handle.name().clone(),
        held: served.held,
        freshness: served.freshness,
    }
}
