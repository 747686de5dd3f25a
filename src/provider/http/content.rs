//! Reads an answer's body into memory that is wiped.

use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes};
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use super::exceeded::{Exceeded, Failure};
use super::gzip::{self, GzipError};
use super::wiped::enlarge;
use crate::fault::FaultKind;

/// The initial size of the buffer. Most answers are far smaller.
const USUAL: usize = 16 * 1024;

/// The reason why a body was not read.
pub(super) enum BodyError {
    /// The body cannot be used: a phrase that follows "answered".
    Unusable(FaultKind, String),
    /// The connection broke, or the deadline passed.
    Broken(Failure),
}

/// Reads a body until `deadline`. Both the received and the decoded body may have up to `max` bytes. A buffer that
/// becomes too small is wiped, since it may contain a part of a token. If the body is too large, its beginning stays
/// in `body`.
pub(super) async fn read<B>(
    from: B,
    max: usize,
    deadline: Instant,
    body: &mut Zeroizing<Vec<u8>>,
) -> Result<(), BodyError>
where
    B: Body<Data = Bytes, Error: Into<Failure>> + Unpin,
{
    let whole = as_it_comes(from, max, deadline, body).await;
    if !gzip::is_gzip(body) {
        return whole;
    }
    let decoded = whole.and_then(|()| gzip::decoded(body, max).map_err(|why| undecoded(why, max)));
    let (text, read) = match decoded {
        Ok(text) => (text, Ok(())),
        // The beginning shows what kind of document it is.
        Err(BodyError::Unusable(FaultKind::TooLarge, how)) => {
            let unread = BodyError::Unusable(FaultKind::TooLarge, how);
            (gzip::start(body), Err(unread))
        }
        Err(unread) => (Zeroizing::default(), Err(unread)),
    };
    *body = text;
    read
}

fn undecoded(why: GzipError, max: usize) -> BodyError {
    let how = match why {
        GzipError::TooLarge => return too_large(max),
        GzipError::Truncated => "ends too early",
        GzipError::Broken => "is broken",
        GzipError::TrailingData => "has more than one member",
    };
    let how = format!("in gzip, which was not asked for, and which {how}");
    BodyError::Unusable(FaultKind::Malformed, how)
}

fn too_large(max: usize) -> BodyError {
    BodyError::Unusable(FaultKind::TooLarge, format!("with more than {max} bytes"))
}

async fn as_it_comes<B>(
    mut from: B,
    max: usize,
    deadline: Instant,
    body: &mut Zeroizing<Vec<u8>>,
) -> Result<(), BodyError>
where
    B: Body<Data = Bytes, Error: Into<Failure>> + Unpin,
{
    *body = Zeroizing::new(Vec::with_capacity(USUAL));
    loop {
        let frame = timeout_at(deadline, from.frame()).await;
        let frame = frame.map_err(|_| BodyError::Broken(Exceeded::Deadline.into()))?;
        let Some(frame) = frame else { return Ok(()) };
        let frame = frame.map_err(|error| BodyError::Broken(error.into()))?;
        // Other frames are trailers.
        let Ok(chunk) = frame.into_data() else {
            continue;
        };
        let fits = chunk.slice(..chunk.len().min(max - body.len()));
        let needed = body.len() + fits.len();
        if needed > body.capacity() {
            enlarge(body, needed.saturating_mul(8).min(max));
        }
        body.extend_from_slice(&fits);
        if fits.len() < chunk.len() {
            return Err(too_large(max));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use crate::config::BaseUrl;
    use crate::fault::{Fault, FaultKind};
    use crate::provider::answer::IssuerResponse;
    use crate::provider::fake::{Fake, Play};
    use crate::provider::http::{Http, MAX_BODY, Request, Settings};

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(vec![], Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// Sends a JSON answer with these header lines, each with its line end, and this body.
    async fn answered(status: u16, headers: &str, body: &[u8]) -> Result<IssuerResponse, Fault> {
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        );
        let play = Play::Answer([head.as_bytes(), body].concat());
        let fake = Fake::start(vec![play]).await;
        let origin = BaseUrl::parse(&fake.url()).unwrap().origin();
        let request = Request {
            url: origin.join("/token"),
            authorization: None,
            post: None,
        };
        let http = Http::new(origin, Settings::default());
        let answer = http.send(request, None).await;
        let [sent] = &fake.requests()[..] else {
            panic!("one request")
        };
        assert_eq!(sent.header("accept-encoding"), Some("identity"));
        answer
    }

    #[tokio::test]
    async fn unrequested_gzip_is_decoded_regardless_of_the_headers() {
        let text = br#"{"access_token":"canary"}"#;
        for status in [200, 400, 503] {
            for headers in [
                "",
                "Content-Encoding: gzip\r\n",
                "Content-Encoding: x-gzip\r\nVary: Accept-Encoding\r\n",
                "content-encoding: GZIP, identity\r\n",
            ] {
                for body in [gzip(text), text.to_vec()] {
                    let answer = answered(status, headers, &body).await.unwrap();
                    assert_eq!(answer.body.as_slice(), text, "{status} {headers}");
                    assert_eq!((answer.status, answer.coding), (status, None));
                }
            }
        }
    }

    #[tokio::test]
    async fn the_size_limit_applies_before_and_after_gzip_decoding() {
        let headers = "Content-Encoding: gzip\r\n";
        let fits = vec![b' '; MAX_BODY];
        let answer = answered(200, headers, &gzip(&fits)).await.unwrap();
        assert_eq!(*answer.body, fits);
        let bomb = gzip(&vec![b' '; 100 * MAX_BODY]);
        assert!(bomb.len() < MAX_BODY);
        let mut noise = vec![0; 2 * MAX_BODY];
        fastrand::Rng::with_seed(1).fill(&mut noise);
        let large = gzip(&noise);
        assert!(large.len() > MAX_BODY);
        for body in [bomb, large] {
            let fault = answered(200, headers, &body).await.map(|_| ()).unwrap_err();
            assert_eq!(fault.kind, FaultKind::TooLarge, "{fault:?}");
        }
    }

    #[tokio::test]
    async fn a_body_over_the_size_limit_is_classified_by_its_beginning() {
        let page = [b"<html>", &vec![b' '; MAX_BODY][..]].concat();
        let object = [b"{", &vec![b' '; MAX_BODY][..]].concat();
        let noise = {
            let mut noise = vec![0; 2 * MAX_BODY];
            fastrand::Rng::with_seed(1).fill(&mut noise);
            gzip(&[b"<html>", &noise[..]].concat())
        };
        for body in [&page, &gzip(&page), &noise] {
            let answer = answered(200, "", body).await.unwrap();
            assert!(answer.is_absent() && answer.body.starts_with(b"<html>"));
        }
        for body in [&object, &gzip(&object)] {
            let fault = answered(200, "", body).await.map(|_| ()).unwrap_err();
            assert_eq!(fault.kind, FaultKind::TooLarge, "{fault:?}");
        }
    }

    #[tokio::test]
    async fn undecodable_gzip_is_reported_as_a_gzip_fault() {
        let body = gzip(br#"{"access_token":"canary"}"#);
        let half = &body[..body.len() / 2];
        let twice = [body.clone(), body.clone()].concat();
        for (body, why) in [(half, "ends too early"), (&twice, "more than one member")] {
            let answer = answered(200, "Content-Encoding: gzip\r\n", body).await;
            let fault = answer.map(|_| ()).unwrap_err();
            assert_eq!(fault.kind, FaultKind::Malformed, "{fault:?}");
            assert!(fault.detail.contains("in gzip, which was not asked for"));
            assert!(fault.detail.contains(why), "{fault:?}");
            // The status alone decides here.
            let answer = answered(503, "Content-Encoding: gzip\r\n", body).await;
            assert_eq!(answer.unwrap().status, 503);
        }
    }

    #[tokio::test]
    async fn an_unsupported_content_coding_is_reported_by_name() {
        for status in [200, 400] {
            for (headers, named) in [
                ("Content-Encoding: br\r\n", "br"),
                ("Content-Encoding: gzip, br\r\n", "gzip, br"),
                ("Content-Encoding: deflate\r\n", "deflate"),
                ("Content-Encoding: zstd\r\n", "zstd"),
            ] {
                let answer = answered(status, headers, b"\x8b\x00").await.unwrap();
                assert_eq!(answer.coding.as_deref(), Some(named));
            }
        }
    }
}
