//! How much of an answer's body is needed, by its status.

use std::time::Duration;

use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::fault::{Fault, FaultKind};
use crate::provider::answer::Answer;

/// A body, wiped when it is freed.
type Body = Zeroizing<Vec<u8>>;

/// How long the words of an error are waited for where it is the same one without them.
const REMARK: Duration = Duration::from_secs(2);

/// The body of an answer with this head; `read` reads it to the cap, and tells how it begins where that fails. It stays
/// empty where it is not needed.
///
/// # Errors
/// Why it was not read, if it decides what the answer means.
pub(super) async fn body(
    head: &Answer,
    read: impl Future<Output = Result<Body, (Fault, Body)>>,
) -> Result<Body, Fault> {
    match head.status {
        200 | 201 => match read.await {
            // A page that is too large says as little as a small one does.
            Err((fault, start))
                if fault.kind == FaultKind::TooLarge && !head.has_json_in(&start) =>
            {
                Ok(start)
            }
            read => read.map_err(|(fault, _)| fault),
        },
        300..400 => Ok(Body::default()),
        // A refusal is one by its words. Half of it says as little as a broken connection.
        400 | 403 => match read.await {
            Err((fault, _)) if fault.kind == FaultKind::TooLarge => Ok(Body::default()),
            read => read.map_err(|(fault, _)| fault),
        },
        401 | 404 | 405 => Ok(read.await.unwrap_or_default()),
        // The status has decided already; what the issuer says about it is worth having, and no more than that.
        _ => {
            let read = timeout(REMARK, read).await;
            Ok(read.ok().and_then(Result::ok).unwrap_or_default())
        }
    }
}
