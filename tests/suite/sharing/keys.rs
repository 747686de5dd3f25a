//! Access to the list of a control plane's keys.

use std::fs;

use super::*;
use crate::support::users::{install, is_root_or_skip};

#[test]
fn the_list_of_keys_names_no_profile_that_the_caller_may_not_use() {
    if !is_root_or_skip("the_list_of_keys_names_no_profile_that_the_caller_may_not_use") {
        return;
    }
    let env = shared_place();
    let profiles = fs::read_to_string(env.config()).unwrap();
    let group = format!("mode = 'group'\ngroup = {TEAM}");
    configure(&env, &profiles, &group, &[("research", "uid = 60001")]);
    let mut daemon = start_shared(&env);
    let program = install(env!("CARGO_BIN_EXE_jeton"));
    let socket = daemon.socket.to_str().unwrap().to_owned();
    let run = |user: User, args: &[&str]| {
        let args = [&["--socket", &socket], args].concat();
        let command = user.command(&env, &program.program, &args);
        env.finish("jeton app", command, b"", false)
    };
    for args in [
        &["app", "list"][..],
        &["app", "list", "research"],
        &["app", "show", "test-client"],
    ] {
        let listed = run(ALICE, args);
        assert_eq!(listed.code, 0, "{listed:?}");
        assert!(listed.stdout.contains("research"), "{listed:?}");
        assert!(!listed.stdout.contains(" ci"), "{listed:?}");
        for (user, args) in [(BOB, args), (ALICE, &["app", "list", "ci"])] {
            let refused = run(user, args);
            assert_eq!(
                (refused.code, refused.stdout.as_str()),
                (77, ""),
                "{refused:?}"
            );
        }
    }
    let ours = env.jeton(&["--socket", &socket, "app", "list", "research"]);
    assert!(ours.stdout.contains("ci, research"), "{ours:?}");
    env.stop(&mut daemon);
}
