//! Requests for a token to send to an address, as made through the protocols of other tools.

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
    /// The address that the client named. `None` if its protocol has none, or the client named none.
    pub address: Option<Address>,
    /// The profile that the arguments name. It still applies only to its own addresses.
    pub profile: Option<ProfileName>,
    /// The user name that the client named. An entry with a different user name does not match.
    pub username: Option<String>,
    /// Advice to a client that named no address although its protocol has one. It becomes the detail of the refusal if
    /// the profile has addresses. `None` if the protocol has no addresses at all.
    pub lacks: Option<&'static str>,
    /// The validity that the token must have left.
    pub min_valid: Duration,
    /// How long to wait for the token.
    pub max_wait: Duration,
    /// How long before the reported expiry the client comes back. `None` if its protocol reports no expiry. The table
    /// row of the client sets it.
    pub window: Option<Duration>,
    /// Whether the client keeps the token until its expiry or a 401, and each process asks only once until then. An
    /// early second call of such a client causes one refresh, but does not count as a rejection.
    pub keeps_until_401: bool,
}

/// A report that a server rejected the token for an address.
pub struct AddressRejectQuery {
    /// The address, as in the request for the token, and how long to wait for a newer token.
    pub at: AddressQuery,
    /// The token that was rejected.
    pub which: Rejected,
    /// Whether the report counts for the matching entry of the address.
    pub counts: ReportFilter,
}

/// Decides whether a report counts for this entry. The entry is `None` if no address was named.
pub type ReportFilter = Box<dyn Fn(Option<&HostEntry>) -> bool + Send + Sync>;

/// The token for an address.
#[derive(Debug)]
pub struct AddressAnswer {
    /// The token.
    pub token: TokenAnswer,
    /// The entry that matched. `None` if no address was named.
    pub entry: Option<HostEntry>,
    /// The expiry to tell the client, never later than the real one. Round it down.
    pub expires_at: UnixTime,
}

/// A request for the profile that an address leads to, without a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainQuery {
    /// The address.
    pub address: Address,
    /// The profile in a client's arguments.
    pub profile: Option<ProfileName>,
    /// The user name that a client names.
    pub username: Option<String>,
}

/// The profile that an address leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainAnswer {
    /// The profile and the matching entry, or `None` if the address gets no token.
    pub found: Option<HostListing>,
    /// All entries of the profiles that the caller may use.
    pub hosts: Vec<HostListing>,
}

/// An address that a profile's tokens are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostListing {
    /// The profile.
    pub profile: ProfileName,
    /// The entry of the address.
    pub entry: HostEntry,
}
