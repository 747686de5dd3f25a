//! A bare hyper server that answers every request with as many bytes from memory.

use std::convert::Infallible;
use std::path::Path;

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jetond::daemon::serve::connection_progress::ConnectionProgress;
use jetond::daemon::serve::stream::TimedStream;

/// Runs the bare server: the same runtime, allocator, timers and HTTP settings as the daemon, and the same head of a
/// reply.
pub(crate) fn serve(socket: &Path, length: usize) -> ! {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let body = Bytes::from(vec![b'x'; length]);
    runtime.block_on(async {
        let listener = tokio::net::UnixListener::bind(socket).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let body = body.clone();
            let pace = ConnectionProgress::default();
            let stream = TokioIo::new(TimedStream::new(stream, pace.clone()));
            let answer = service_fn(move |_| {
                let _busy = pace.busy();
                let mut response = Response::new(Full::new(body.clone()));
                let headers = response.headers_mut();
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                async move { Ok::<_, Infallible>(response) }
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
