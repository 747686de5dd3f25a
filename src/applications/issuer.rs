//! Interface to a server's keys for rotations: lists, creates, renews and deletes keys.
//!
//! Each call distinguishes an executed, a refused and a lost call.

use std::pin::Pin;

use super::api::Applications;
use super::error::ApiError;
use super::kind::Family;
use super::listed::Listed;
use super::made::{CreatedKey, RegeneratedKey};
use super::roles::Roles;
use crate::key_name::KeyName;
use crate::query::KeyKind as Kind;

/// The future of a call.
pub type ApiFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The outcome of a call that changes something.
#[derive(Debug)]
pub enum Reply<T> {
    /// The server has confirmed that it executed the call.
    Done(T),
    /// The call was not executed and will not be: the server refused it, or it was not sent.
    Refused(ApiError),
    /// The server may have executed the call, or may still do so.
    Lost(ApiError),
}

/// Manages the keys of one control plane with one token. Each call is one request without retries; a list takes up to
/// one request per family.
pub trait KeyIssuer: Send + Sync {
    /// Lists the keys of this kind that the token's user may see.
    fn list(&self, kind: Kind) -> ApiFuture<'_, Result<Listed, ApiError>>;

    /// Creates a key of this name.
    fn create<'a>(&'a self, family: Family, name: &'a KeyName) -> ApiFuture<'a, Reply<CreatedKey>>;

    /// Replaces the secret of a key; the server revokes the former one at once.
    fn regenerate<'a>(
        &'a self,
        family: Family,
        id: &'a str,
    ) -> ApiFuture<'a, Reply<RegeneratedKey>>;

    /// Deletes a key. An unknown ID is refused as [`super::ApiErrorKind::NotFound`].
    fn delete<'a>(&'a self, family: Family, id: &'a str) -> ApiFuture<'a, Reply<()>>;

    /// Returns the roles of the token's bearer; `None` if the server does not show them.
    fn roles(&self) -> ApiFuture<'_, Option<Roles>>;
}

// === impl Reply ===

impl<T> Reply<T> {
    /// Converts the result of a call.
    pub fn of(result: Result<T, ApiError>) -> Self {
        match result {
            Ok(done) => Self::Done(done),
            Err(trouble) if trouble.may_be_done => Self::Lost(trouble),
            Err(trouble) => Self::Refused(trouble),
        }
    }
}

impl KeyIssuer for Applications {
    fn list(&self, kind: Kind) -> ApiFuture<'_, Result<Listed, ApiError>> {
        Box::pin(self.list(kind, false))
    }

    fn create<'a>(&'a self, family: Family, name: &'a KeyName) -> ApiFuture<'a, Reply<CreatedKey>> {
        Box::pin(async move { Reply::of(self.create(family, name).await) })
    }

    fn regenerate<'a>(
        &'a self,
        family: Family,
        id: &'a str,
    ) -> ApiFuture<'a, Reply<RegeneratedKey>> {
        Box::pin(async move { Reply::of(self.regenerate(family, id).await) })
    }

    fn delete<'a>(&'a self, family: Family, id: &'a str) -> ApiFuture<'a, Reply<()>> {
        Box::pin(async move { Reply::of(self.delete(family, id).await) })
    }

    fn roles(&self) -> ApiFuture<'_, Option<Roles>> {
        Box::pin(self.roles())
    }
}
