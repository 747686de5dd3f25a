//! The questions of `jetond app` on a terminal.

use jetond::sandbox::Line;

use super::{call, end, key, started};
use crate::terminal::Terminal;

#[test]
fn delete_and_regenerate_ask_for_confirmation_on_a_terminal() {
    let (env, daemon) = started(Line::V2_24, 3_600);
    let body = r#"{"name":"other-key"}"#;
    assert_eq!(
        call(&env, &daemon, "POST", "/api/v1/access-keys", body),
        201
    );
    let asks = |args: &[&str], question: &str, answer: &str| {
        let mut terminal = Terminal::start(&env, args, &[]);
        terminal.wait_for(&format!("{question} [y/N]"));
        terminal.type_in(answer);
        let (status, shown) = terminal.end(&env);
        for says in ["last login", "used by", "the old secret is revoked at once"] {
            assert!(shown.contains(says), "{says}: {shown}");
        }
        (status.code().unwrap(), shown)
    };
    let delete = ["app", "delete", "other-key"];
    for no in ["n\n", "\n", "yeah\n"] {
        let (code, shown) = asks(&delete, "Delete it?", no);
        assert_eq!(code, 1, "{shown}");
        assert!(shown.contains("nothing is deleted"), "{shown}");
        assert!(shown.contains("access key other-key"), "{shown}");
        assert!(shown.contains("used by no profile here"), "{shown}");
        assert!(key(&env, "other-key").is_some());
    }
    let (code, shown) = asks(&delete, "Delete it?", "y\n");
    assert_eq!(code, 0, "{shown}");
    assert!(key(&env, "other-key").is_none());
    let regenerate = ["app", "regenerate", "first-key"];
    let (code, shown) = asks(&regenerate, "Regenerate it?", "\n");
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("used by research"), "{shown}");
    assert_eq!(env.sandbox().stats().keys_regenerated, 0);
    let (code, shown) = asks(&regenerate, "Regenerate it?", "yes\n");
    assert_eq!(code, 0, "{shown}");
    assert_eq!(env.sandbox().stats().keys_regenerated, 1);
    let none = env.jetond(&["app", "regenerate", "first-key"]);
    assert_eq!(none.code, 64, "{none:?}");
    assert!(
        none.stderr.contains("nothing is sent") && none.stderr.contains("--yes"),
        "{none:?}"
    );
    assert_eq!(env.sandbox().stats().keys_regenerated, 1);
    end(env, daemon);
}
