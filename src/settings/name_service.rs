//! Asks the machine's name service inside a limit, on a thread of its own: a directory that hangs holds up nothing else.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::names::System;
use crate::clock::Countdown;
use crate::config::{LookupFailed, Name, Names};
use crate::offload;

/// What a look-up brings: the number, or `None` for a name that the machine does not know.
pub type Answer = Result<Option<u32>, LookupFailed>;

/// A look-up of names, which ends at its limit. Each name is asked for once.
pub struct Look {
    service: Arc<Service>,
    limit: Duration,
    end: Countdown,
    answers: RefCell<BTreeMap<Name, Answer>>,
}

/// The name service. It is asked for one name at a time, however many wait: one that hangs holds one thread.
struct Service {
    ask: fn(&Name) -> Answer,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    /// Whether the thread runs. It ends with the last question.
    is_running: bool,
    questions: VecDeque<Question>,
}

struct Question {
    name: Name,
    answer: SyncSender<Answer>,
    /// Gone once nobody waits for the answer.
    wanted: Weak<()>,
}

static SYSTEM: LazyLock<Arc<Service>> = LazyLock::new(|| Service::new(|name| name.id(&System)));

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

    /// Asks for a name and waits for the answer, until the end of the countdown.
    fn answer(self: &Arc<Self>, name: &Name, end: Countdown) -> Option<Answer> {
        if end.left().is_zero() {
            return None;
        }
        let (sender, receiver) = sync_channel(1);
        let wanted = Arc::new(());
        let mut queue = self.lock();
        queue
            .questions
            .retain(|question| question.wanted.strong_count() > 0);
        queue.questions.push_back(Question {
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

    /// Answers questions until there is none left.
    fn work(&self) {
        loop {
            let question = {
                let mut queue = self.lock();
                let Some(question) = queue.questions.pop_front() else {
                    queue.is_running = false;
                    return;
                };
                question
            };
            if question.wanted.strong_count() > 0 {
                let answer = (self.ask)(&question.name);
                // The caller may have gone away.
                let _: Result<(), _> = question.answer.try_send(answer);
            }
        }
    }
}

// === impl Look ===

impl Look {
    /// Starts a look-up of the machine's users and groups. A name that has no answer when `limit` is over could not be
    /// looked up.
    pub fn within(limit: Duration) -> Self {
        Self::at(Arc::clone(&SYSTEM), limit)
    }

    fn at(service: Arc<Service>, limit: Duration) -> Self {
        Self {
            service,
            limit,
            end: Countdown::of(limit),
            answers: RefCell::default(),
        }
    }

    fn number(&self, name: Name) -> Answer {
        if let Some(answer) = self.answers.borrow().get(&name) {
            return answer.clone();
        }
        let answer = self.service.answer(&name, self.end);
        let answer = answer.unwrap_or_else(|| {
            let why = format!("the name service did not answer within {:?}", self.limit);
            Err(LookupFailed(why.into()))
        });
        self.answers.borrow_mut().insert(name, answer.clone());
        answer
    }
}

impl Names for Look {
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

    /// What the service was asked for, in order; and while this is locked, it hangs.
    static ASKED: Mutex<Vec<Name>> = Mutex::new(vec![]);

    fn ask(name: &Name) -> Answer {
        ASKED.lock().unwrap().push(name.clone());
        match name {
            Name::User(name) => Ok(name.parse().ok()),
            Name::Group(_) => Err(LookupFailed("no answer".into())),
        }
    }

    #[test]
    fn a_service_that_hangs_ends_at_the_limit_and_holds_one_thread() {
        let service = Service::new(ask);
        let look = |limit| Look::at(Arc::clone(&service), limit);
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

        for _ in 0..3 {
            let late = look(SHORT);
            let failed = late.user("8").unwrap_err();
            assert!(failed.0.contains("did not answer within 20ms"), "{failed}");
            // What is left of the limit is for all names together.
            assert!(late.user("9").is_err());
        }
        let queue = service.lock();
        assert!(queue.is_running && queue.questions.len() <= 2);
        drop(queue);
        let (begin, begun) = channel();
        let patient = Arc::clone(&service);
        let waiting = std::thread::spawn(move || {
            begin.send(()).unwrap();
            Look::at(patient, LONG).user("10")
        });
        begun.recv().unwrap();
        drop(asked);
        assert_eq!(waiting.join().unwrap(), Ok(Some(10)));
        // At most one of those that gave up was being answered.
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
    fn the_machine_is_asked() {
        assert_eq!(Look::within(LONG).user("root"), Ok(Some(0)));
        assert_eq!(Look::within(LONG).user("no-such-user-here"), Ok(None));
        assert!(Look::within(Duration::ZERO).user("root").is_err());
    }
}
