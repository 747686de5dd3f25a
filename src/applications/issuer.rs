//! What a rotation needs of a server's keys: to list them, and to make, renew and delete one. Each call says whether it
//! was answered, refused, or lost on the way.

use std::pin::Pin;

use super::api::Applications;
use super::kind::Family;
use super::listed::Listed;
use super::made::{Made, Renewed};
use super::roles::Roles;
use super::trouble::Trouble;
use crate::key_name::KeyName;
use crate::query::KeyKind as Kind;

/// A call that is under way.
pub type Calling<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The outcome of a call that changes something.
#[derive(Debug)]
pub enum Reply<T> {
    /// The server has answered that it is done.
    Done(T),
    /// It is not done and will not be: the server has refused it, or nothing was sent.
    Refused(Trouble),
    /// The server may have done it, or do it later.
    Lost(Trouble),
}

/// Manages the keys of one control plane with one token. One call is one request, or for a list one for each family
/// that there may be; nothing is repeated.
pub trait KeyIssuer: Send + Sync {
    /// The keys of this kind that the token's user may see.
    fn list(&self, kind: Kind) -> Calling<'_, Result<Listed, Trouble>>;

    /// Makes a key of this name.
    fn create<'a>(&'a self, family: Family, name: &'a KeyName) -> Calling<'a, Reply<Made>>;

    /// Gives a key another secret; the former one is revoked at once.
    fn regenerate<'a>(&'a self, family: Family, id: &'a str) -> Calling<'a, Reply<Renewed>>;

    /// Deletes a key. Where there is none of this ID, it is refused as [`super::TroubleKind::NotFound`].
    fn delete<'a>(&'a self, family: Family, id: &'a str) -> Calling<'a, Reply<()>>;

    /// What the token's bearer may do; `None` if the server does not tell.
    fn roles(&self) -> Calling<'_, Option<Roles>>;
}

// === impl Reply ===

impl<T> Reply<T> {
    /// The outcome of this result of a call.
    pub fn of(result: Result<T, Trouble>) -> Self {
        match result {
            Ok(done) => Self::Done(done),
            Err(trouble) if trouble.may_be_done => Self::Lost(trouble),
            Err(trouble) => Self::Refused(trouble),
        }
    }
}

impl KeyIssuer for Applications {
    fn list(&self, kind: Kind) -> Calling<'_, Result<Listed, Trouble>> {
        Box::pin(self.list(kind, false))
    }

    fn create<'a>(&'a self, family: Family, name: &'a KeyName) -> Calling<'a, Reply<Made>> {
        Box::pin(async move { Reply::of(self.create(family, name).await) })
    }

    fn regenerate<'a>(&'a self, family: Family, id: &'a str) -> Calling<'a, Reply<Renewed>> {
        Box::pin(async move { Reply::of(self.regenerate(family, id).await) })
    }

    fn delete<'a>(&'a self, family: Family, id: &'a str) -> Calling<'a, Reply<()>> {
        Box::pin(async move { Reply::of(self.delete(family, id).await) })
    }

    fn roles(&self) -> Calling<'_, Option<Roles>> {
        Box::pin(self.roles())
    }
}
