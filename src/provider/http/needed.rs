//! Decides by the status how much of an answer's body is needed.

use std::time::Duration;

use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::fault::{Fault, FaultKind};
use crate::provider::answer::IssuerResponse;

/// A body, wiped when it is freed.
type Body = Zeroizing<Vec<u8>>;

/// How long to wait for the body of an error whose status is sufficient.
const REMARK: Duration = Duration::from_secs(2);

/// Returns the body of an answer with this head; it is empty if it is not needed. `read` reads it up to the cap, and
/// on failure returns its beginning.
///
/// # Errors
/// The reason why the body was not read, if the body decides what the answer means.
pub(super) async fn body(
    head: &IssuerResponse,
    read: impl Future<Output = Result<Body, (Fault, Body)>>,
) -> Result<Body, Fault> {
    match head.status {
        200 | 201 => match read.await {
            // A web page that is too large is as meaningless as a small one.
            Err((fault, start))
                if fault.kind == FaultKind::TooLarge && !head.has_json_in(&start) =>
            {
                Ok(start)
            }
            read => read.map_err(|(fault, _)| fault),
        },
        300..400 => Ok(Body::default()),
        // Only the body makes it a rejection, so half a body is treated like a broken connection.
        400 | 403 => match read.await {
            Err((fault, _)) if fault.kind == FaultKind::TooLarge => Ok(Body::default()),
            read => read.map_err(|(fault, _)| fault),
        },
        401 | 404 | 405 => Ok(read.await.unwrap_or_default()),
        // The status is sufficient; the issuer's message is optional.
        _ => {
            let read = timeout(REMARK, read).await;
            Ok(read.ok().and_then(Result::ok).unwrap_or_default())
        }
    }
}
