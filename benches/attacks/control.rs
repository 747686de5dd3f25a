//! The control: a bare hyper client that meets an issuer's fault in the place of the daemon.
//!
//! It is a program of its own, so its effect on the daemon's requests is the machine's share of a fault: what the issuer
//! and the kernel do for a connection, whoever reads it.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::ext::on_informational;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::issuer::SECRET;

/// How much nicer it is than the others, as the daemon's threads for issuers are.
const NICER: i32 = 5;

/// The most interim answers and the most bytes of a body that it reads, and its deadline, all as the daemon's.
const INTERIM: usize = 64;
const BODY: usize = 1024 * 1024;
const DEADLINE: Duration = Duration::from_secs(10);

/// The pauses between its requests, about those of the daemon's back-off.
const PAUSES: [u64; 5] = [400, 800, 1_500, 3_000, 6_000];

/// The control, which ends when this value is dropped.
pub(crate) struct Control(Child);

impl Control {
    /// Starts the control at the issuer with this address.
    pub(crate) fn start(url: &str) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["control", url])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Requests tokens from the issuer at this address, as often as the daemon does.
pub(crate) fn run(url: &str) {
    let _ = rustix::process::nice(NICER);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let address = url.strip_prefix("http://").unwrap();
    for pause in PAUSES {
        // Every end of a request is as good as any other.
        let _ = runtime.block_on(async { tokio::time::timeout(DEADLINE, request(address)).await });
        std::thread::sleep(Duration::from_millis(pause));
    }
}

/// Makes one request, and reads its answer up to the limits.
async fn request(address: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let form = format!("grant_type=client_credentials&client_id=attacks&client_secret={SECRET}");
    let mut request = Request::post("/api/v2/token")
        .header("host", address)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(form)))?;
    let (seen, enough) = (AtomicUsize::new(0), Arc::new(Notify::new()));
    let tell = Arc::clone(&enough);
    on_informational(&mut request, move |_| {
        if seen.fetch_add(1, Ordering::Relaxed) == INTERIM {
            tell.notify_one();
        }
    });
    let answered = async {
        let answer = sender.send_request(request).await?;
        Limited::new(answer.into_body(), BODY).collect().await
    };
    // Leaving drops the connection, and so closes it.
    tokio::select! { biased;
        () = enough.notified() => {}
        ended = connection => ended?,
        answer = answered => drop(answer?),
    }
    Ok(())
}
