//! The question for a token to send to an address, which the protocols of other tools ask.

use std::time::Duration;

use super::token::TokenAnswer;
use crate::address::Address;
use crate::config::HostEntry;
use crate::instant::UnixTime;
use crate::profile::ProfileName;
use crate::wire::Rejected;

/// A request for a token to send to an address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressQuery {
    /// The address that the client named; `None` where its protocol has none, or it named none.
    pub address: Option<Address>,
    /// The profile that the arguments name. It is still bound to its addresses.
    pub profile: Option<ProfileName>,
    /// The user name that the client named: an entry with another one of its own is not meant.
    pub username: Option<String>,
    /// What a client has to do that named no address although its protocol has one: the detail of the refusal of a profile
    /// that has addresses. `None` where the protocol knows no address at all.
    pub lacks: Option<&'static str>,
    /// The validity the token must have left.
    pub min_valid: Duration,
    /// How long to wait for it.
    pub max_wait: Duration,
    /// How long before the expiry that it is told the client comes back; `None` where its protocol tells none. The row of
    /// the client sets it.
    pub window: Option<Duration>,
    /// Whether the client keeps the token until its expiry or a 401, and a process asks no second time before. An early
    /// second call then leads to one refresh; it rejects nothing.
    pub keeps_until_401: bool,
}

/// A report that a server rejected the token for an address.
pub struct AddressRejectQuery {
    /// The address, as when the token was asked for, and how long to wait for a newer token.
    pub at: AddressQuery,
    /// The token that was rejected.
    pub which: Rejected,
    /// Whether the report counts with the entry that decides for the address.
    pub counts: CountsWith,
}

/// Whether a report counts with this entry; `None` if no address was named.
pub type CountsWith = Box<dyn Fn(Option<&HostEntry>) -> bool + Send + Sync>;

/// The token for an address.
#[derive(Debug)]
pub struct AddressAnswer {
    /// The token.
    pub token: TokenAnswer,
    /// The entry by which the address gets it; `None` where no address was named.
    pub entry: Option<HostEntry>,
    /// The expiry that the client is told: not later than the real one. Round it down.
    pub expires_at: UnixTime,
}

/// A request for what an address gets, without a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainQuery {
    /// The address.
    pub address: Address,
    /// The profile that a client's arguments would name.
    pub profile: Option<ProfileName>,
    /// The user name that a client would name.
    pub username: Option<String>,
}

/// What an address gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainAnswer {
    /// The profile and its entry; `None` if it gets no token.
    pub found: Option<HostListing>,
    /// All entries of the profiles that the caller may use.
    pub hosts: Vec<HostListing>,
}

/// An address that a profile's tokens are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostListing {
    /// The profile.
    pub profile: ProfileName,
    /// Its entry.
    pub entry: HostEntry,
}
