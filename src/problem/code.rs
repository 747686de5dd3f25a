//! The codes of failures, and the table with the HTTP status, exit code and texts of each.

/// The code of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// The request is malformed.
    BadRequest,
    /// The request is larger than its cap.
    PayloadTooLarge,
    /// The path exists, but the method does not.
    MethodNotAllowed,
    /// The path does not exist.
    NotFound,
    /// The caller lacks permission.
    Forbidden,
    /// The profile does not exist.
    UnknownProfile,
    /// The profile has no credential.
    NotEnrolled,
    /// The configuration or the stored credential cannot be used.
    Misconfigured,
    /// The credential was enrolled for another provider, address, CA or proxy than the configuration or the issuer
    /// names.
    BindingChanged,
    /// The issuer rejects the credential.
    RejectedByProvider,
    /// There is no valid token now.
    Unavailable,
    /// There was no valid token in time, and an attempt is still running.
    Deadline,
    /// The budget of requested refreshes is used up.
    TooManyRequests,
    /// Fresh tokens keep being reported as rejected.
    CoolingDown,
    /// It exists already, or another program is changing it.
    Conflict,
    /// A person has to do something.
    NeedsHuman,
    /// The credential is encrypted, and the store is locked.
    Locked,
    /// This daemon does not support the request.
    NotSupported,
    /// The daemon itself is at fault.
    Internal,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The code, as the row states it.
    pub code: Code,
    /// The code as the interface spells it.
    pub name: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The companion's exit code (sysexits.h, except 1).
    pub exit: u8,
    /// A short title for people.
    pub title: &'static str,
    /// A sentence for people that says what to do.
    pub detail: &'static str,
}

/// The table.
pub const TABLE: &[Row] = &[
    row(
        Code::BadRequest,
        "bad_request",
        400,
        64,
        "Bad request",
        "the request is malformed",
    ),
    row(
        Code::PayloadTooLarge,
        "payload_too_large",
        413,
        64,
        "Request too large",
        "the request is larger than this path allows",
    ),
    row(
        Code::MethodNotAllowed,
        "method_not_allowed",
        405,
        64,
        "Method not allowed",
        "this path does not allow the method; see the Allow header",
    ),
    row(
        Code::NotFound,
        "not_found",
        404,
        64,
        "Not found",
        "there is no such path",
    ),
    row(
        Code::Forbidden,
        "forbidden",
        403,
        77,
        "Refused",
        "this user may not do that: it is neither the daemon's own nor root, and no rule allows it",
    ),
    row(
        Code::UnknownProfile,
        "unknown_profile",
        404,
        78,
        "Unknown profile",
        "there is no such profile; 'jeton status' lists them and 'jetond add NAME' makes one",
    ),
    row(
        Code::NotEnrolled,
        "not_enrolled",
        409,
        78,
        "No credential",
        "no credential is stored for this profile; run 'jetond add NAME --rebind'",
    ),
    row(
        Code::Misconfigured,
        "misconfigured",
        503,
        78,
        "Misconfigured",
        "the configuration or the stored credential cannot be used; run 'jetond check'",
    ),
    row(
        Code::BindingChanged,
        "binding_changed",
        409,
        78,
        "Address changed",
        "the provider, address, CA or proxy differs from the one at enrolment, so the secret is not sent; if the change is intended, run 'jetond add NAME --rebind'",
    ),
    row(
        Code::RejectedByProvider,
        "rejected_by_provider",
        502,
        1,
        "Rejected by the issuer",
        "the issuer rejects the credential; 'jeton status' shows its reason, 'jetond add NAME --rebind' stores a new one",
    ),
    row(
        Code::Unavailable,
        "unavailable",
        503,
        75,
        "No token now",
        "there is no valid token, and the issuer did not issue one; 'jeton status' shows why",
    ),
    row(
        Code::Deadline,
        "deadline",
        504,
        75,
        "No token in time",
        "the issuer has not answered yet; try again, or wait longer",
    ),
    row(
        Code::TooManyRequests,
        "too_many_requests",
        429,
        75,
        "Too many refreshes",
        "too many refreshes: at most one in 10 s and 20 in an hour",
    ),
    row(
        Code::CoolingDown,
        "cooling_down",
        503,
        75,
        "Cooling down",
        "new tokens are rejected as well, so the service that rejects them is probably at fault; Jeton gets the next token later",
    ),
    row(
        Code::Conflict,
        "conflict",
        409,
        75,
        "Conflict",
        "it exists already, or another program is changing it",
    ),
    row(
        Code::NeedsHuman,
        "needs_human",
        409,
        1,
        "A person is needed",
        "only a person can fix this; 'jeton status' says what to do",
    ),
    row(
        Code::Locked,
        "locked",
        503,
        75,
        "Locked",
        "the credential is encrypted and the store is locked; run 'jetond unlock'",
    ),
    row(
        Code::NotSupported,
        "not_supported",
        501,
        64,
        "Not supported",
        "this daemon does not support that",
    ),
    INTERNAL,
];

const INTERNAL: Row = row(
    Code::Internal,
    "internal",
    500,
    1,
    "Internal error",
    "the daemon failed; its log says how",
);

const fn row(
    code: Code,
    name: &'static str,
    status: u16,
    exit: u8,
    title: &'static str,
    detail: &'static str,
) -> Row {
    Row {
        code,
        name,
        status,
        exit,
        title,
        detail,
    }
}

// === impl Code ===

impl Code {
    /// Returns the code's row.
    pub fn row(self) -> &'static Row {
        // Every code has a row: a test checks them all.
        TABLE
            .iter()
            .find(|row| row.code == self)
            .unwrap_or(&INTERNAL)
    }
}
