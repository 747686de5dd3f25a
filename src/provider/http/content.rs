//! Reading an answer's body into memory that is wiped.

use reqwest::Response;
use zeroize::Zeroizing;

/// The first size of the buffer: most answers are far smaller.
const USUAL: usize = 16 * 1024;

/// Why a body was not read.
pub(super) enum Unread {
    /// It is larger than the cap.
    TooLarge,
    /// The connection broke.
    Broken(reqwest::Error),
}

/// Reads the body, up to `max` bytes. A buffer that becomes too small is wiped, since it may have a piece of a token.
pub(super) async fn read(mut response: Response, max: usize) -> Result<Zeroizing<Vec<u8>>, Unread> {
    if response
        .content_length()
        .is_some_and(|len| len > max as u64)
    {
        return Err(Unread::TooLarge);
    }
    let mut body = Zeroizing::new(Vec::with_capacity(USUAL));
    while let Some(chunk) = response.chunk().await.map_err(Unread::Broken)? {
        if chunk.len() > max - body.len() {
            return Err(Unread::TooLarge);
        }
        if chunk.len() > body.capacity() - body.len() {
            let room = (body.len() + chunk.len()).saturating_mul(8).min(max);
            let mut larger = Zeroizing::new(Vec::with_capacity(room));
            larger.extend_from_slice(&body);
            body = larger;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
