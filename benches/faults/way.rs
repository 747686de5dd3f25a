//! The faults of an issuer.

/// A fault of an issuer.
pub(crate) struct IssuerFault {
    /// Its name at the sandbox, or [`DNS`].
    pub(crate) fault: &'static str,
    /// The fault kind that the daemon reports.
    pub(crate) told_as: &'static str,
}

/// The only fault that is not the sandbox's: the name no longer resolves.
pub(crate) const DNS: &str = "dns";

/// Every fault.
#[rustfmt::skip]
pub(crate) static FAULTS: [IssuerFault; 25] = [
    way("refuse", "connect"),
    way("hang-connect", "timeout"),
    way("tls:hang", "timeout"),
    way("hang", "timeout"),
    way("hang-headers", "timeout"),
    way("hang-body", "timeout"),
    way("drip:20", "timeout"),
    way("reset", "reset"),
    way("reset-early", "reset"),
    way("rate-limit:7", "rate_limited"),
    way("retry-after-date:7", "rate_limited"),
    way("status:500", "server_error"),
    way("status:503", "server_error"),
    way("garbage", "malformed"),
    way("html", "malformed"),
    way("truncated", "malformed"),
    way("empty", "malformed"),
    way("huge", "too_large"),
    way("early-hints", "interim_answers"),
    way("redirect:307:http://127.0.0.1:9/", "redirect"),
    way("invalid-client", "rejected"),
    way("tls:wrong-name", "tls_name"),
    way("tls:expired", "tls_expired"),
    way("tls:self-signed", "tls_untrusted"),
    way(DNS, "dns"),
];

const fn way(fault: &'static str, told_as: &'static str) -> IssuerFault {
    IssuerFault { fault, told_as }
}

impl IssuerFault {
    /// Returns the fault's name, short enough for a table.
    pub(crate) fn shown(&self) -> &'static str {
        self.fault
            .split_once(":http")
            .map_or(self.fault, |(fault, _)| fault)
    }
}
