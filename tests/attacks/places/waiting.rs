//! Requests that only wait, for a token that an issuer does not give or for a profile that is not ready: however many
//! there are, other users get their connection slots.

use super::*;

/// Returns requests of each kind that wait for a minute. The issuers of both profiles hang, and a token of `research`
/// with this generation is held.
fn waits(generation: u64) -> [(&'static str, Vec<u8>); 4] {
    [
        ("a token", WAIT.into()),
        (
            "the token after a rejected one",
            post(
                "/v1/profiles/research/token/reject?max_wait=60",
                format!("{{\"generation\":{generation}}}").as_bytes(),
            ),
        ),
        (
            "a helper's token",
            helper(&["token", "slow", "--max-wait", "60"]),
        ),
        ("readiness", helper(&["ready", "slow", "--wait", "60"])),
    ]
}

fn post(target: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// Encodes one run of the companion as a request.
fn helper(args: &[&str]) -> Vec<u8> {
    let field = |tag: u8, bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
        [&[tag], &length[..], bytes].concat()
    };
    let args = ["jeton"].iter().chain(args);
    let args = args.flat_map(|arg| field(1, arg.as_bytes()));
    let body: Vec<u8> = [1]
        .into_iter()
        .chain(args)
        .chain(field(5, &60_000_u32.to_le_bytes()))
        .collect();
    post("/v1/helper", &body)
}

#[test]
fn waiting_requests_leave_connection_slots_for_other_users() {
    if !is_root_or_skip("waiting_requests_leave_connection_slots_for_other_users") {
        return;
    }
    let env = set_up(&[ALICE, BOB, CAROL]);
    let mut daemon = start(&env, 256);
    let token = env.get(&daemon, TOKEN).json();
    env.fault("hang");
    for (what, request) in waits(token["generation"].as_u64().unwrap()) {
        let crowds =
            [BOB, CAROL].map(|user| ConnectionFlood::sending(&daemon, user, 200, request.clone()));
        for crowd in &crowds {
            wait_until("the crowd to connect", || crowd.opened() >= 200);
        }
        honest_clients_are_served(&env, &daemon, ALICE, 10);
        for crowd in crowds {
            let came = crowd.leave();
            let came = String::from_utf8_lossy(&came);
            assert!(came.starts_with("HTTP/1.1 "), "{what}: cut off: {came:?}");
            assert!(came.contains("the wait ended early"), "{what}: {came}");
        }
    }
    env.stop(&mut daemon);
}

#[test]
fn a_waiting_request_that_loses_its_slot_gets_its_timeout_answer() {
    if !is_root_or_skip("a_waiting_request_that_loses_its_slot_gets_its_timeout_answer") {
        return;
    }
    let env = set_up(&[ALICE, BOB]);
    // How many of these are left for connections depends on the descriptors that the daemon inherits and does not
    // close.
    const DESCRIPTORS: usize = 64;
    const MADE_ROOM: usize = 30;
    let mut daemon = start(&env, DESCRIPTORS);
    let wait = |user: User| {
        let mut stream = user.connect(&daemon.socket);
        stream.write_all(WAIT.as_bytes()).unwrap();
        // A connection whose request was not read yet would be closed before those that wait. An answer on a later
        // connection shows that this request was read.
        assert_eq!(env.get(&daemon, "/healthz").status, 200);
        stream
    };
    let mut few = wait(BOB);
    let mut many: Vec<_> = (0..DESCRIPTORS + MADE_ROOM).map(|_| wait(ALICE)).collect();
    // The oldest requests were ended to free their slots, each with an answer.
    for stream in &mut many[..MADE_ROOM] {
        let answer = http::read_response(stream).unwrap();
        let what = (answer.status, answer.code());
        assert_eq!(what, (503, "unavailable".to_owned()), "{answer:?}");
        assert!(answer.text().contains("the wait ended early"), "{answer:?}");
        let again = answer.header("retry-after").unwrap().parse::<u64>();
        assert!(again.unwrap() >= 1, "{answer:?}");
        assert_eq!(answer.header("connection"), Some("close"));
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the connection ends");
    }
    // A user with only one connection keeps it.
    env.fault_at(1, "none");
    for stream in [&mut few, many.last_mut().unwrap()] {
        let answer = http::read_response(stream).unwrap();
        env.add_output("an answer", &answer.body, true);
        assert_eq!(answer.status, 200);
    }
    env.stop(&mut daemon);
}

#[test]
fn waiting_requests_leave_a_connection_slot_for_a_reload() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env.fault("hang");
    let mut daemon = env.start();
    wait_until("the daemon to serve", || {
        env.get(&daemon, "/healthz").status == 200
    });
    // More than the admin socket's connection limit.
    let request = helper(&["ready", "research", "--wait", "60"]);
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let mut stream = http::connect(&daemon.admin);
            let _ = stream.write_all(&request);
            stream
        })
        .collect();
    for _ in 0..5 {
        let reload = env.jeton(&["reload"]);
        assert_eq!(reload.code, 0, "{reload:?}");
    }
    drop(waiting);
    env.stop(&mut daemon);
}
