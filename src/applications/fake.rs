//! A control plane in memory, which loses, refuses and delays calls as a test requests.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::error::{ApiError, ApiErrorKind};
use super::issuer::{ApiFuture, KeyIssuer, Reply};
use super::kind::Family;
use super::list::Application;
use super::listed::Listed;
use super::made::{self, CreatedKey, RegeneratedKey};
use super::roles::Roles;
use crate::credential::{ClientSecret, RawAnswer};
use crate::fault::FaultKind;
use crate::instant::UnixTime;
use crate::key_name::KeyName;
use crate::query::KeyKind as Kind;

/// How the server handles the next call that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FakeBehaviour {
    /// Executes and answers it.
    Answer,
    /// Refuses it.
    Refuse(ApiErrorKind),
    /// Neither executes nor answers it.
    Lose,
    /// Executes it, but its answer is lost.
    LoseAnswer,
    /// Does not answer it, and executes it at [`FakeIssuer::execute_late`].
    Delay,
}

/// A control plane with user keys.
#[derive(Default)]
pub(crate) struct FakeIssuer(Mutex<Plane>);

#[derive(Default)]
struct Plane {
    keys: Vec<(Application, String)>,
    made: u32,
    now: u64,
    conduct: VecDeque<FakeBehaviour>,
    late: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Create(String),
    Regenerate(String),
    Delete(String),
}

// === impl FakeIssuer ===

impl FakeIssuer {
    /// Sets how the next calls that change something are handled; later calls are answered.
    pub(crate) fn expect(&self, conduct: impl IntoIterator<Item = FakeBehaviour>) {
        self.plane().conduct.extend(conduct);
    }

    /// Executes the delayed calls in order.
    pub(crate) fn execute_late(&self) {
        let mut plane = self.plane();
        for change in std::mem::take(&mut plane.late) {
            let _: Result<_, ApiError> = plane.execute(change);
        }
    }

    /// Sets the server's clock, in Unix seconds.
    pub(crate) fn set_clock(&self, now: u64) {
        self.plane().now = now;
    }

    /// Returns whether this client ID and secret would get a token, and records the login.
    pub(crate) fn log_in(&self, client_id: &str, secret: &ClientSecret) -> bool {
        let mut plane = self.plane();
        let now = plane.now;
        let mut keys = plane.keys.iter_mut();
        let key = keys.find(|(key, its)| key.client_id == client_id && secret_of(its) == *secret);
        key.map(|(key, _)| key.last_login = Some(now)).is_some()
    }

    fn plane(&self) -> MutexGuard<'_, Plane> {
        self.0.lock().unwrap()
    }

    fn change<T>(
        &self,
        change: Change,
        answer: impl FnOnce(Application, String, UnixTime) -> T,
    ) -> Reply<T> {
        let mut plane = self.plane();
        let lost = || {
            let trouble = ApiError::new(ApiErrorKind::Unreachable(FaultKind::Timeout), "no answer");
            Reply::Lost(trouble.after_all(true))
        };
        let now = UnixTime::from_epoch(Duration::from_secs(plane.now));
        match plane.conduct.pop_front().unwrap_or(FakeBehaviour::Answer) {
            FakeBehaviour::Refuse(kind) => Reply::Refused(ApiError::new(kind, "refused")),
            FakeBehaviour::Lose => lost(),
            FakeBehaviour::Delay => {
                plane.late.push(change);
                lost()
            }
            conduct => match plane.execute(change) {
                _ if conduct == FakeBehaviour::LoseAnswer => lost(),
                Ok((key, secret)) => Reply::Done(answer(key, secret, now)),
                Err(trouble) => Reply::Refused(trouble),
            },
        }
    }
}

impl Plane {
    fn execute(&mut self, change: Change) -> Result<(Application, String), ApiError> {
        self.made += 1;
        let (number, now) = (self.made, self.now);
        let secret = format!("secret-{number}");
        let find = |keys: &[(Application, String)], id: &str| {
            let at = keys.iter().position(|(key, _)| key.id == id);
            at.ok_or_else(|| ApiError::new(ApiErrorKind::NotFound, "there is no such key"))
        };
        match change {
            Change::Create(name) => {
                if self.keys.iter().any(|(key, _)| key.name == name) {
                    return Err(ApiError::new(ApiErrorKind::Conflict, "the name is taken"));
                }
                let key = Application {
                    id: format!("id-{number}"),
                    name,
                    client_id: format!("client-{number}"),
                    created_at: Some(now),
                    last_login: None,
                    created_by: None,
                    enabled: None,
                };
                self.keys.push((key.clone(), secret.clone()));
                Ok((key, secret))
            }
            Change::Regenerate(id) => {
                let at = find(&self.keys, &id)?;
                self.keys[at].1.clone_from(&secret);
                Ok((self.keys[at].0.clone(), secret))
            }
            Change::Delete(id) => Ok(self.keys.remove(find(&self.keys, &id)?)),
        }
    }
}

fn secret_of(text: &str) -> ClientSecret {
    ClientSecret::parse(text).unwrap()
}

impl KeyIssuer for FakeIssuer {
    fn list(&self, _: Kind) -> ApiFuture<'_, Result<Listed, ApiError>> {
        let plane = self.plane();
        let listed = Listed {
            family: Family::AccessKeys,
            keys: plane.keys.iter().map(|(key, _)| key.clone()).collect(),
            may_have_more: false,
            server_date: Some(UnixTime::from_epoch(Duration::from_secs(plane.now))),
        };
        Box::pin(std::future::ready(Ok(listed)))
    }

    fn create<'a>(&'a self, _: Family, name: &'a KeyName) -> ApiFuture<'a, Reply<CreatedKey>> {
        let change = Change::Create(name.as_str().to_owned());
        let reply = self.change(change, |key, secret, now| CreatedKey {
            id: key.id,
            client_id: key.client_id,
            secret: secret_of(&secret),
            server_date: Some(now),
        });
        Box::pin(std::future::ready(reply))
    }

    fn regenerate<'a>(&'a self, _: Family, id: &'a str) -> ApiFuture<'a, Reply<RegeneratedKey>> {
        let change = Change::Regenerate(id.to_owned());
        let reply = self.change(change, |_, secret, _| RegeneratedKey {
            secret: Ok(secret_of(&secret)),
            raw: RawAnswer::of(format!("{{\"clientSecret\":\"{secret}\"}}").as_bytes()),
        });
        Box::pin(std::future::ready(reply))
    }

    fn delete<'a>(&'a self, _: Family, id: &'a str) -> ApiFuture<'a, Reply<()>> {
        let reply = self.change(Change::Delete(id.to_owned()), |_, _, _| ());
        Box::pin(std::future::ready(reply))
    }

    fn roles(&self) -> ApiFuture<'_, Option<Roles>> {
        Box::pin(std::future::ready(None))
    }
}

#[tokio::test]
async fn the_fake_issuer_executes_refuses_loses_or_delays_a_call_as_scripted() {
    let issuer = FakeIssuer::default();
    issuer.set_clock(7);
    let family = Family::AccessKeys;
    let name = KeyName::parse("one").unwrap();
    let names = async || {
        let listed = issuer.list(Kind::Auto).await.unwrap();
        assert_eq!(listed.server_date.map(UnixTime::seconds_down), Some(7));
        listed.keys
    };
    issuer.expect([
        FakeBehaviour::Refuse(ApiErrorKind::Busy),
        FakeBehaviour::Lose,
        FakeBehaviour::Delay,
    ]);
    let refused = issuer.create(family, &name).await;
    assert!(matches!(refused, Reply::Refused(_)), "{refused:?}");
    for _ in 0..2 {
        let lost = issuer.create(family, &name).await;
        assert!(matches!(lost, Reply::Lost(_)), "{lost:?}");
    }
    assert_eq!(names().await, []);
    issuer.execute_late();
    let late = names().await;
    assert_eq!(late.len(), 1);
    let taken = issuer.create(family, &name).await;
    assert!(
        matches!(&taken, Reply::Refused(trouble) if trouble.kind == ApiErrorKind::Conflict),
        "{taken:?}"
    );
    let Reply::Done(renewed) = issuer.regenerate(family, &late[0].id).await else {
        panic!("it is renewed");
    };
    let secret = renewed.secret.unwrap();
    assert_eq!(made::secret_of(&renewed.raw).as_ref(), Some(&secret));
    let client_id = &late[0].client_id;
    assert!(issuer.log_in(client_id, &secret) && !issuer.log_in(client_id, &secret_of("other")));
    assert_eq!(names().await[0].last_login, Some(7));
    issuer.expect([FakeBehaviour::LoseAnswer]);
    let lost = issuer.delete(family, &late[0].id).await;
    assert!(matches!(lost, Reply::Lost(_)), "{lost:?}");
    let gone = issuer.delete(family, &late[0].id).await;
    assert!(
        matches!(&gone, Reply::Refused(trouble) if trouble.kind == ApiErrorKind::NotFound),
        "{gone:?}"
    );
}
