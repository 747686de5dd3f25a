//! Interface to a server's keys for rotations: lists, creates, renews and deletes keys.
//!
//! Each call distinguishes an executed, a refused and a lost call.

use std::pin::Pin;

use super::api::Applications;
use super::kind::Family;
use super::listed::Listed;
use super::made::{Made, Renewed};
use super::roles::Roles;
use super::trouble::Trouble;
use crate::key_name::KeyName;
use crate::query::KeyKind as Kind;

/// The future of a call.
pub type Calling<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The outcome of a call that changes something.
#[derive(Debug)]
pub enum Reply<T> {
    /// The server has confirmed that it executed the call.
    Done(T),
    /// The call was not executed and will not be: the server refused it, or it was not sent.
    Refused(Trouble),
    /// The server may have executed the call, or may still do so.
    Lost(Trouble),
}

/// Manages the keys of one control plane with one token. Each call is one request without retries; a list takes up to
/// one request per family.
pub trait KeyIssuer: Send + Sync {
    /// Lists the keys of this kind that the token's user may see.
    fn list(&self, kind: Kind) -> Calling<'_, Result<Listed, Trouble>>;

    /// Creates a key of this name.
    fn create<'a>(&'a self, family: Family, name: &'a KeyName) -> Calling<'a, Reply<Made>>;

    /// Replaces the secret of a key; the server revokes the former one at once.
    fn regenerate<'a>(&'a self, family: Family, id: &'a str) -> Calling<'a, Reply<Renewed>>;

    /// Deletes a key. An unknown ID is refused as [`super::TroubleKind::NotFound`].
    fn delete<'a>(&'a self, family: Family, id: &'a str) -> Calling<'a, Reply<()>>;

    /// Returns the roles of the token's bearer; `None` if the server does not show them.
    fn roles(&self) -> Calling<'_, Option<Roles>>;
}

// === impl Reply ===

impl<T> Reply<T> {
    /// Converts the result of a call.
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
