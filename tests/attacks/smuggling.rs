//! Request smuggling: requests in the bodies of others, which a daemon would answer if it lost track of where a request
//! ends.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;

use fastrand::Rng;

use crate::support::TestEnv;
use crate::support::http;

/// A request that must never be answered as one of its own. Its answer would be 403.
const HIDDEN: &str = "POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";

/// Requests, each with the status of its answer. `BODY` stands for the hidden request.
const REQUESTS: [(&str, &str); 12] = [
    ("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "200"),
    (
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: LENGTH\r\n\r\nBODY",
        "200",
    ),
    (
        "GET /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: LENGTH\r\n\r\nBODY",
        "404",
    ),
    (
        "POST /nothing HTTP/1.1\r\nHost: localhost\r\ncontent-length: LENGTH\r\n\r\nBODY",
        "404",
    ),
    (
        "POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: LENGTH\r\n\r\nBODY",
        "405",
    ),
    ("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "405"),
    (
        "GET /healthz HTTP/1.1\r\nHost: evil.example\r\nContent-Length: LENGTH\r\n\r\nBODY",
        "400",
    ),
    (
        "POST /v1/helper HTTP/1.1\r\nHost: localhost\r\nContent-Length: LENGTH\r\n\r\nBODY",
        "400",
    ),
    (
        "POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: LENGTH\r\n\r\nBODY",
        "400",
    ),
    (
        "\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "200",
    ),
    ("GET /healthz HTTP/1.1\nHost: localhost\n\n", "200"),
    (
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
        "200",
    ),
];

#[test]
fn a_request_inside_a_body_is_never_answered() {
    let env = TestEnv::new();
    let mut daemon = env.start();
    let seed = std::env::var("JETON_MUTATION_SEED")
        .map_or_else(|_| fastrand::u64(..1 << 32), |seed| seed.parse().unwrap());
    let rounds = std::env::var("JETON_MUTATIONS").map_or(2_000, |n| n.parse().unwrap());
    let mut random = Rng::with_seed(seed);
    for round in 0..rounds {
        let sequence: Vec<_> = (0..1 + random.usize(..6))
            .map(|_| REQUESTS[random.usize(..REQUESTS.len())])
            .collect();
        let bytes: String = sequence
            .iter()
            .map(|(request, _)| request.replace("LENGTH", &HIDDEN.len().to_string()))
            .map(|request| request.replace("BODY", HIDDEN))
            .collect();
        let mut stream = http::connect(&daemon.socket);
        let mut rest = bytes.as_bytes();
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(1 + random.usize(..rest.len()));
            // The daemon may close the connection after an answer that it declared the last one.
            if stream.write_all(piece).is_err() {
                break;
            }
            rest = after;
            std::thread::yield_now();
        }
        let _ = stream.shutdown(Shutdown::Write);
        let mut answers = vec![];
        // If the daemon closes with unread data, the connection is reset after the answers.
        let _ = stream.read_to_end(&mut answers);
        env.add_output("answers", &answers, false);
        let answers = String::from_utf8(answers).unwrap();
        let statuses = statuses(&answers);
        let wanted: Vec<_> = sequence.iter().map(|(_, status)| *status).collect();
        // The daemon closes the connection after a body that it did not want and that had not arrived in full.
        let last = sequence.get(statuses.len().saturating_sub(1));
        let is_cut = last.is_some_and(|(request, _)| request.ends_with("BODY"));
        assert!(
            statuses == wanted || is_cut && wanted.starts_with(&statuses),
            "round {round} of JETON_MUTATION_SEED={seed}: {bytes:?} was answered with {statuses:?}, not {wanted:?}: \
             {answers}"
        );
    }
    env.stop(&mut daemon);
}

/// Returns the statuses of successive answers. No body contains the marker.
fn statuses(answers: &str) -> Vec<&str> {
    let answers = answers.split("HTTP/1.1 ").skip(1);
    answers.map(|answer| &answer[..3]).collect()
}
