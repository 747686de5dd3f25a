//! Helper protocols and forbidden profiles: a caller learns nothing about profiles that it may not use.

use std::fs;

use super::*;
use crate::support::env::Output;
use crate::support::users::{install, is_root_or_skip};

const HOSTS: &str = "
[[profiles.research.hosts]]
url = 'https://research.example'
[[profiles.ci.hosts]]
url = 'https://ci.example'
";

#[test]
fn an_address_of_a_forbidden_profile_looks_like_one_without_a_profile() {
    if !is_root_or_skip("an_address_of_a_forbidden_profile_looks_like_one_without_a_profile") {
        return;
    }
    let env = shared_place();
    let profiles = fs::read_to_string(env.config()).unwrap() + HOSTS;
    let rules = [("research", "uid = 60001"), ("ci", "gid = 60060")];
    let group = format!("mode = 'group'\ngroup = {TEAM}");
    configure(&env, &profiles, &group, &rules);
    let mut daemon = start_shared(&env);
    let tokens = ["research", "ci"].map(|profile| env.token(&daemon, profile));
    let companion = install(env!("CARGO_BIN_EXE_jeton"));
    let socket = daemon.socket.to_str().unwrap().to_owned();
    let run = |user: User, args: &[&str], stdin: &str| {
        let args = [&["--socket", &socket], args].concat();
        let mut command = user.command(&env, &companion.program, &args);
        command.current_dir("/");
        command.env(
            "KUBERNETES_EXEC_INFO",
            format!("{{\"spec\":{{\"cluster\":{{\"server\":\"{stdin}\"}}}}}}"),
        );
        command.env("CLAUDE_CODE_MCP_SERVER_URL", stdin);
        env.finish("jeton", command, stdin.as_bytes(), true)
    };
    for (user, own, token, other) in [
        (ALICE, "research", &tokens[0], "ci"),
        (BOB, "ci", &tokens[1], "research"),
    ] {
        let list = run(user, &["docker", "list"], "");
        assert_eq!(list.stdout, format!("{{\"{own}.example\":\"oauth2\"}}\n"));
        let index = |name: &str| format!("https://{name}.example");
        let asks: [&[&str]; 5] = [
            &["docker", "get"],
            &["docker", "store"],
            &["kube"],
            &["mcp-headers"],
            &["keyring", "get"],
        ];
        for args in asks {
            let got = |name: &str| {
                let url = index(name);
                let login =
                    format!("{{\"ServerURL\":\"{url}\",\"Username\":\"u\",\"Secret\":\"s\"}}");
                let more = [url.as_str(), "me"];
                let args = if args[0] == "keyring" {
                    [args, &more[..]].concat()
                } else {
                    args.to_vec()
                };
                let stdin = if args.contains(&"store") {
                    &login
                } else {
                    &url
                };
                run(user, &args, stdin)
            };
            let (ours, forbidden, absent) = (got(own), got(other), got("absent"));
            assert_eq!(ours.code, 0, "{args:?}: {}", ours.stderr);
            assert!(args.contains(&"store") || ours.stdout.contains(token.as_str()));
            assert_ne!(forbidden.code, 0, "{args:?}");
            let all = |got: &Output| (got.code, got.stdout.clone(), got.stderr.clone());
            assert_eq!(all(&forbidden), all(&absent), "{args:?}");
        }
    }
    env.stop(&mut daemon);
}
