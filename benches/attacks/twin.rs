//! The twin: a bare hyper server that answers every request from memory, and does not check who the caller is.

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use jetond::daemon::serve::connection_progress::ConnectionProgress;
use jetond::daemon::serve::stream::TimedStream;

/// The length of its replies to requests that want long ones (`/v1/openapi.json`, the token of `big`, the list).
const LONG: usize = 16 * 1024;

/// Serves forever, with the same runtime, timers and HTTP settings as the daemon.
pub(crate) fn serve(socket: &Path, length: usize) -> ! {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let short = Bytes::from(vec![b'x'; length]);
    let long = Bytes::from(vec![b'x'; LONG]);
    runtime.block_on(async {
        let listener = tokio::net::UnixListener::bind(socket).unwrap();
        std::fs::set_permissions(socket, std::os::unix::fs::PermissionsExt::from_mode(0o666))
            .unwrap();
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            let (short, long) = (short.clone(), long.clone());
            let pace = ConnectionProgress::default();
            let stream = TokioIo::new(TimedStream::new(stream, pace.clone()));
            let answer = service_fn(move |request: Request<Incoming>| {
                let busy = pace.busy();
                let path = request.uri().path();
                let is_short = path == "/v1/profiles/p1/token" || path == "/healthz";
                let body = if is_short {
                    short.clone()
                } else {
                    long.clone()
                };
                async move {
                    // A request whose body is cut off also gets a reply, which nobody reads.
                    let _ = request.into_body().collect().await;
                    drop(busy);
                    let mut response = Response::new(Full::new(body));
                    let headers = response.headers_mut();
                    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                    Ok::<_, Infallible>(response)
                }
            });
            tokio::spawn(
                http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(None)
                    .max_buf_size(16 * 1024)
                    .half_close(true)
                    .serve_connection(stream, answer),
            );
        }
    })
}
