//! Asks the service and prints the answer, for a run of the companion or for a path of the local interface.

use std::sync::Arc;

use super::lists::TURN;
use super::rotating::state_of;
use super::{ADMIN_ONLY, RotationFeed, Service, SocketKind};
use crate::daemon::command_files::Feeds;
use crate::daemon::keep::feed::Feed;
use crate::daemon::keep::handle::{Handle, ServedToken};
use crate::daemon::keep::wait_limit::{WaitLimit, WaitSlot};
use crate::dialect::{self, NextStep};
use crate::lifecycle::HeldToken;
use crate::policy::Peer;
use crate::problem::{Code, Problem};
use crate::query::{
    DaemonState, FileAnswer, Print, PrintContext, Question, RotationEvent, TokenAnswer, WatchEvent,
};
use crate::wire::MAX_FRAME;
use crate::wire::frame::{Instruction, Invocation, Reply};
use crate::wire::reload::ReloadQuery;

/// Room that an answer to the companion needs besides its standard output, in bytes.
const ROOM: usize = 1_024;

/// Detail for an answer that is too long for the companion.
const TOO_LONG: &str =
    "the answer is longer than 256 KiB; name one profile, or read GET /v1/profiles at the socket";

/// The answer to one run of the companion.
pub(in crate::daemon) enum RunAnswer {
    /// A complete answer, and the token in it.
    Whole(Instruction, Option<Arc<HeldToken>>),
    /// The events from now on, and the printer for them.
    Watch(Feed, Box<dyn Print<WatchEvent>>),
    /// The steps of a rotation, and the printer for them.
    Rotation(RotationFeed, Box<dyn Print<RotationEvent>>),
}

/// A printed answer.
pub(in crate::daemon) enum Printed {
    /// A complete reply, and the token in it.
    Whole(Reply, Option<Arc<HeldToken>>),
    /// The events from now on, and the printer for them.
    Watch(Feed, Box<dyn Print<WatchEvent>>),
    /// The steps of a rotation, and the printer for them.
    Rotation(RotationFeed, Box<dyn Print<RotationEvent>>),
}

impl Service {
    /// Answers one run of the companion, whose connection occupies `seat`.
    pub(in crate::daemon) async fn run(
        &self,
        run: Invocation,
        peer: &Peer,
        door: SocketKind,
        seat: &Arc<dyn WaitSlot>,
    ) -> RunAnswer {
        // Check this first: standard input for the admin socket must not come through this one.
        if door == SocketKind::Tokens && dialect::is_admin(&run) {
            return RunAnswer::Whole(dialect::to_admin(ADMIN_ONLY), None);
        }
        let asked = match dialect::parse(&run) {
            NextStep::Ask(asked) => asked,
            NextStep::Answer(answer) => return RunAnswer::Whole(answer, None),
            NextStep::Confirm(query, question) => {
                // What can be refused is refused before a person is asked.
                let answer = match self.check_rotation(&peer.caller, &query).await {
                    Ok(_) => Instruction::Prompt(question),
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
        asked: Question,
        peer: &Peer,
        door: SocketKind,
        seat: &Arc<dyn WaitSlot>,
    ) -> Result<Printed, Problem> {
        let caller = &peer.caller;
        let mut held = None;
        let reply = match asked {
            Question::Token(query, print) => {
                let name = query.profile.as_ref();
                let max_wait = WaitLimit::at(seat, query.max_wait);
                let (handle, served) = self.token(caller, name, query.min_valid, max_wait).await?;
                held = Some(Arc::clone(&served.held));
                print.print(&answer(&handle, served), self.surroundings())
            }
            Question::Reject(query, print) => {
                let name = query.profile.as_ref();
                let max_wait = WaitLimit::at(seat, query.max_wait);
                let (handle, served) = self.reject(caller, name, &query.which, max_wait).await?;
                held = Some(Arc::clone(&served.held));
                print.print(&answer(&handle, served), self.surroundings())
            }
            Question::File(query, print) => {
                let process = self.files.process_of(peer, self.roster.gate().own_uid)?;
                let name = query.profile.as_ref();
                let max_wait = WaitLimit::at(seat, query.max_wait);
                let (handle, served) = self.token(caller, name, query.min_valid, max_wait).await?;
                let (name, feeds) = (handle.name(), self.feeds());
                let made = self.files.open(feeds, process, caller, name, &served.held);
                let path = made.await?;
                held = Some(served.held);
                print.print(&FileAnswer { path }, self.surroundings())
            }
            Question::Address(query, print) => {
                let max_wait = WaitLimit::at(seat, query.max_wait);
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
            Question::AddressReject(query, print) => {
                let max_wait = WaitLimit::at(seat, query.at.max_wait);
                match self.reject_at(caller, &query, max_wait).await {
                    Ok(()) => print.print(&(), self.surroundings()),
                    Err(problem) => {
                        let reply = print.refuse(&problem, self.surroundings());
                        reply.ok_or(problem)?
                    }
                }
            }
            Question::Hosts(print) => match self.hosts(caller) {
                Ok(hosts) => print.print(&hosts, self.surroundings()),
                Err(problem) => {
                    let reply = print.refuse(&problem, self.surroundings());
                    reply.ok_or(problem)?
                }
            },
            Question::Explain(query, print) => {
                print.print(&self.explain(caller, &query)?, self.surroundings())
            }
            Question::Profile(name, print) => {
                let seen = self.roster.seen_by(caller);
                print.print(&self.state_of(seen.get(&name)?), self.surroundings())
            }
            Question::Profiles(name, print) => {
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
                    print.print(&state, PrintContext { now, socket })
                };
                let turn = WaitLimit::at(seat, TURN);
                self.lists.make(count, caller.uid, turn, make).await?
            }
            Question::Ready(query, print) => {
                let wait = WaitLimit::at(seat, query.wait);
                self.ready(caller, query.profile.as_ref(), wait).await?;
                print.print(&(), self.surroundings())
            }
            Question::Refresh(query, print) => {
                let name = query.profile.as_ref();
                let state = self
                    .refresh(caller, name, WaitLimit::at(seat, query.max_wait))
                    .await?;
                print.print(&state, self.surroundings())
            }
            Question::Watch(query, print) => {
                let feed = self.watch(caller, query.profile.as_ref(), query.since)?;
                return Ok(Printed::Watch(feed, print));
            }
            Question::Keys(query, print) => {
                let max_wait = WaitLimit::at(seat, query.max_wait);
                let answer = self.keys(caller, &query, max_wait).await?;
                print.print(&answer, self.surroundings())
            }
            Question::Whoami(query, print) => {
                let max_wait = WaitLimit::at(seat, query.max_wait);
                let answer = self.whoami(caller, &query, max_wait).await?;
                print.print(&answer, self.surroundings())
            }
            Question::Rotate(query, print) if door == SocketKind::Admin => {
                return Ok(Printed::Rotation(self.rotate(caller, &query).await?, print));
            }
            Question::Reload(print) if door == SocketKind::Admin => {
                let (changed, _) = self.reload(ReloadQuery::default()).await?;
                print.print(&changed, self.surroundings())
            }
            Question::Rotate(..) | Question::Reload(_) => {
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

    fn surroundings(&self) -> PrintContext<'_> {
        PrintContext {
            now: self.clock.now(),
            socket: &self.socket,
        }
    }
}

pub(super) fn answer(handle: &Handle, served: ServedToken) -> TokenAnswer {
    TokenAnswer {
        profile: handle.name().clone(),
        held: served.held,
        freshness: served.freshness,
    }
}
