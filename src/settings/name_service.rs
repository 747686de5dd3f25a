//! Queries the machine's name service within a time limit, on a separate thread: a directory that hangs blocks nothing
//! else.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::names::System;
use crate::clock::Countdown;
use crate::config::{LookupFailed, Name, Names};
use crate::offload;

/// The result of a look-up: the number, or `None` for a name that the machine does not know.
pub type Answer = Result<Option<u32>, LookupFailed>;

/// A look-up of names that ends at its limit. Each name is queried once.
pub struct NameLookup {
    service: Arc<Service>,
    limit: Duration,
    end: Countdown,
    /// Whether it waits behind a look-up that hangs.
    is_patient: bool,
    answers: RefCell<BTreeMap<Name, Answer>>,
}

/// The name service. It is queried for one name at a time, however many callers wait: a query that hangs blocks one
/// thread only.
struct Service {
    ask: fn(&Name) -> Answer,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    /// Whether the thread runs. It ends after the last question.
    is_running: bool,
    /// The look-up in progress. The reference is dead once no caller waits for it.
    in_progress: Option<Weak<()>>,
    questions: VecDeque<PendingLookup>,
}

struct PendingLookup {
    name: Name,
    answer: SyncSender<Answer>,
    /// Dead once no caller waits for the answer.
    wanted: Weak<()>,
}

static SYSTEM: LazyLock<Arc<Service>> = LazyLock::new(|| Service::new(|name| name.id(&System)));

/// The results of look-ups, by name.
#[derive(Debug, Clone, Default)]
pub struct Answers(BTreeMap<Name, Answer>);

/// Looks these names up. An abandoned look-up that still hangs may finish within this time.
pub fn look_up(names: impl IntoIterator<Item = Name>, limit: Duration) -> Answers {
    let look = NameLookup {
        is_patient: true,
        ..NameLookup::within(limit)
    };
    let answer = |name: Name| (name.clone(), look.number(name));
    Answers(names.into_iter().map(answer).collect())
}

// === impl Answers ===

impl Answers {
    fn number(&self, name: &Name) -> Answer {
        let unasked = || Err(LookupFailed("it was not looked up".into()));
        self.0.get(name).cloned().unwrap_or_else(unasked)
    }
}

impl Names for Answers {
    fn user(&self, name: &str) -> Answer {
        self.number(&Name::User(name.to_owned()))
    }

    fn group(&self, name: &str) -> Answer {
        self.number(&Name::Group(name.to_owned()))
    }
}

// === impl Service ===

impl Service {
    fn new(ask: fn(&Name) -> Answer) -> Arc<Self> {
        Arc::new(Self {
            ask,
            queue: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queries a name and waits for the answer, until the end of the countdown.
    fn answer(self: &Arc<Self>, name: &Name, end: Countdown, is_patient: bool) -> Option<Answer> {
        if end.left().is_zero() {
            return None;
        }
        let (sender, receiver) = sync_channel(1);
        let wanted = Arc::new(());
        let mut queue = self.lock();
        if queue.hangs() && !is_patient {
            let why = "the name service has not answered an earlier look-up";
            return Some(Err(LookupFailed(why.into())));
        }
        queue
            .questions
            .retain(|question| question.wanted.strong_count() > 0);
        queue.questions.push_back(PendingLookup {
            name: name.clone(),
            answer: sender,
            wanted: Arc::downgrade(&wanted),
        });
        if !queue.is_running {
            let service = Arc::clone(self);
            match offload::thread("names", move || service.work()) {
                Ok(()) => queue.is_running = true,
                Err(error) => {
                    queue.questions.clear();
                    let why = format!("the system refuses another thread ({error})");
                    return Some(Err(LookupFailed(why.into())));
                }
            }
        }
        drop(queue);
        receiver.recv_timeout(end.left()).ok()
    }

    /// Answers questions until the queue is empty.
    fn work(&self) {
        loop {
            let question = {
                let mut queue = self.lock();
                let Some(question) = queue.questions.pop_front() else {
                    (queue.is_running, queue.in_progress) = (false, None);
                    return;
                };
                queue.in_progress = Some(Weak::clone(&question.wanted));
                question
            };
            if question.wanted.strong_count() > 0 {
                let answer = (self.ask)(&question.name);
                self.lock().in_progress = None;
                // The caller may have gone.
                let _: Result<(), _> = question.answer.try_send(answer);
            }
        }
    }
}

// === impl Queue ===

impl Queue {
    /// Reports whether the look-up in progress has been abandoned by its caller.
    fn hangs(&self) -> bool {
        let in_progress = self.in_progress.as_ref();
        in_progress.is_some_and(|wanted| wanted.strong_count() == 0)
    }
}

// === impl Look ===

impl NameLookup {
    /// Starts a look-up of the machine's users and groups. A name without an answer after `limit` counts as failed.
    /// While an abandoned look-up hangs, every name fails at once, so that many callers do not all wait for it.
    pub fn within(limit: Duration) -> Self {
        Self::at(Arc::clone(&SYSTEM), limit)
    }

    fn at(service: Arc<Service>, limit: Duration) -> Self {
        Self {
            service,
            limit,
            end: Countdown::of(limit),
            is_patient: false,
            answers: RefCell::default(),
        }
    }

    fn number(&self, name: Name) -> Answer {
        if let Some(answer) = self.answers.borrow().get(&name) {
            return answer.clone();
        }
        let answer = self.service.answer(&name, self.end, self.is_patient);
        let answer = answer.unwrap_or_else(|| {
            let why = format!("the name service did not answer within {:?}", self.limit);
            Err(LookupFailed(why.into()))
        });
        self.answers.borrow_mut().insert(name, answer.clone());
        answer
    }
}

impl Names for NameLookup {
    fn user(&self, name: &str) -> Answer {
        self.number(Name::User(name.to_owned()))
    }

    fn group(&self, name: &str) -> Answer {
        self.number(Name::Group(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);
    const SHORT: Duration = Duration::from_millis(20);

    /// The names that were queried, in order. While this is locked, the service hangs.
    static ASKED: Mutex<Vec<Name>> = Mutex::new(vec![]);

    fn ask(name: &Name) -> Answer {
        ASKED.lock().unwrap().push(name.clone());
        match name {
            Name::User(name) => Ok(name.parse().ok()),
            Name::Group(_) => Err(LookupFailed("no answer".into())),
        }
    }

    #[test]
    fn a_hanging_name_service_times_out_and_holds_one_thread() {
        let service = Service::new(ask);
        let look = |limit| NameLookup::at(Arc::clone(&service), limit);
        let user = |text: &str| Name::User(text.to_owned());
        let first = look(LONG);
        assert_eq!(first.user("7"), Ok(Some(7)));
        assert_eq!(first.user("x"), Ok(None));
        assert_eq!(first.group("7"), Err(LookupFailed("no answer".into())));
        assert_eq!(first.user("7"), Ok(Some(7)));
        let mut asked = ASKED.lock().unwrap();
        let each_once = [user("7"), user("x"), Name::Group("7".into())];
        assert_eq!(*asked, each_once);
        asked.clear();

        let late = look(SHORT);
        let failed = late.user("8").unwrap_err();
        assert!(failed.0.contains("did not answer within 20ms"), "{failed}");
        // The rest of the limit applies to all names together.
        let failed = late.user("9").unwrap_err();
        assert!(failed.0.contains("did not answer within 20ms"), "{failed}");
        let queue = service.lock();
        assert!(queue.is_running && queue.questions.len() <= 2);
        drop(queue);
        // An impatient look-up fails at once, and a patient one gets its turn.
        let failed = look(LONG).user("9").unwrap_err();
        assert!(failed.0.contains("an earlier look-up"), "{failed}");
        let (sender, answers) = channel();
        let patient = NameLookup {
            is_patient: true,
            ..look(LONG)
        };
        offload::thread("patient", move || {
            sender.send(patient.user("10")).unwrap();
        })
        .unwrap();
        while !service
            .lock()
            .questions
            .iter()
            .any(|q| q.name == user("10"))
        {
            std::thread::yield_now();
        }
        drop(asked);
        assert_eq!(answers.recv().unwrap(), Ok(Some(10)));
        // At most one of the abandoned look-ups was being answered.
        let asked = ASKED.lock().unwrap();
        assert!(
            asked.len() <= 2 && asked.ends_with(&[user("10")]),
            "{asked:?}"
        );
        while service.lock().is_running {
            std::thread::yield_now();
        }
    }

    #[test]
    fn names_are_looked_up_at_the_system() {
        assert_eq!(NameLookup::within(LONG).user("root"), Ok(Some(0)));
        assert_eq!(NameLookup::within(LONG).user("no-such-user-here"), Ok(None));
        assert!(NameLookup::within(Duration::ZERO).user("root").is_err());
    }
}
