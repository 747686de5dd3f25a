//! Locations of the configuration, the sockets and the state, as pure functions of the environment.
//!
//! Nothing here touches a file. A predicate reports whether a file or a folder exists, so that every rule can be tested
//! as a table. No rule ends in `/tmp`: a socket or a secret in a folder that every user can write to is worse than an
//! error that says what to set.

use std::path::{Path, PathBuf};

mod env;
mod error;
mod sockets;

pub use env::{CA_VARIABLES, Env, Platform, ProxyText};
pub use error::PathError;
pub use sockets::SocketPlaces;

/// The system-wide configuration.
pub const SYSTEM_CONFIG: &str = "/etc/jeton/config.toml";

/// The state folder of the system-wide daemon.
pub const SYSTEM_STATE: &str = "/var/lib/jeton";

// === impl Env ===

impl Env {
    /// Returns the possible configuration files, of which the first existing one counts. They are never merged, so that
    /// no file can change a part of a profile in another file.
    pub fn config_candidates(&self) -> Vec<PathBuf> {
        if let Some(path) = &self.config {
            return vec![path.clone()];
        }
        let xdg = self.xdg_config_home.clone();
        let base = xdg.or_else(|| self.home.as_ref().map(|home| home.join(".config")));
        base.map(|base| base.join("jeton/config.toml"))
            .into_iter()
            .chain([PathBuf::from(SYSTEM_CONFIG)])
            .collect()
    }

    /// Returns the configuration file: `explicit`, else the first existing candidate, else the first candidate, where a
    /// new file is created.
    pub fn config_file(&self, explicit: Option<&Path>, exists: impl Fn(&Path) -> bool) -> PathBuf {
        if let Some(path) = explicit {
            return path.to_owned();
        }
        let candidates = self.config_candidates();
        let found = candidates.iter().position(|path| exists(path)).unwrap_or(0);
        candidates
            .into_iter()
            .nth(found)
            .unwrap_or_else(|| PathBuf::from(SYSTEM_CONFIG))
    }

    /// Returns the folder of the state: `explicit`, else systemd's, else XDG's, else one below the home.
    ///
    /// # Errors
    /// [`PathError::NoHome`] if no variable determines it.
    pub fn state_dir(&self, explicit: Option<&Path>) -> Result<PathBuf, PathError> {
        let xdg = || self.xdg_state_home.as_ref().map(|base| base.join("jeton"));
        let home = || {
            let home = self.home.as_ref()?;
            Some(home.join(".local/state/jeton"))
        };
        explicit
            .map(Path::to_owned)
            .or_else(|| self.state_directory.clone())
            .or_else(xdg)
            .or_else(home)
            .ok_or(PathError::NoHome {
                what: "state",
                set: "HOME, XDG_STATE_HOME, or --state",
            })
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    fn env(vars: &[(&str, &str)]) -> Env {
        let vars = vars.iter().map(|(k, v)| (k.into(), v.into()));
        Env {
            platform: Platform::Linux,
            ..Env::from_vars(vars, 1000)
        }
    }

    fn token(env: &Env, runtime_exists: bool) -> String {
        let places = env.sockets(None, None, |_| runtime_exists).unwrap();
        places.token.to_str().unwrap().to_owned()
    }

    #[test]
    fn the_configuration_is_searched_in_the_documented_order() {
        for (vars, expected) in [
            (vec![], vec![SYSTEM_CONFIG]),
            (
                vec![("HOME", "/h")],
                vec!["/h/.config/jeton/config.toml", SYSTEM_CONFIG],
            ),
            (
                vec![("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")],
                vec!["/x/jeton/config.toml", SYSTEM_CONFIG],
            ),
            (
                vec![("HOME", "/h"), ("XDG_CONFIG_HOME", "relative")],
                vec!["/h/.config/jeton/config.toml", SYSTEM_CONFIG],
            ),
            (
                vec![
                    ("HOME", "/h"),
                    ("XDG_CONFIG_HOME", ""),
                    ("JETON_CONFIG", ""),
                ],
                vec!["/h/.config/jeton/config.toml", SYSTEM_CONFIG],
            ),
            (
                vec![("HOME", "/h"), ("JETON_CONFIG", "here.toml")],
                vec!["here.toml"],
            ),
            (vec![("HOME", "relative")], vec![SYSTEM_CONFIG]),
        ] {
            let paths = env(&vars).config_candidates();
            let expected: Vec<_> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(paths, expected, "{vars:?}");
        }
    }

    #[test]
    fn the_first_existing_configuration_is_used_and_a_new_one_is_the_users() {
        let env = env(&[("HOME", "/h")]);
        let system = |path: &Path| path == Path::new(SYSTEM_CONFIG);
        assert_eq!(env.config_file(None, system), Path::new(SYSTEM_CONFIG));
        let users = Path::new("/h/.config/jeton/config.toml");
        assert_eq!(env.config_file(None, |_| true), users);
        assert_eq!(env.config_file(None, |_| false), users);
        let explicit = Path::new("x.toml");
        assert_eq!(env.config_file(Some(explicit), |_| true), explicit);
    }

    #[test]
    fn the_state_folder_is_that_of_systemd_then_xdg_then_home() {
        for (vars, expected) in [
            (vec![("HOME", "/h")], "/h/.local/state/jeton"),
            (vec![("HOME", "/h"), ("XDG_STATE_HOME", "/x")], "/x/jeton"),
            (
                vec![("XDG_STATE_HOME", "/x"), ("STATE_DIRECTORY", "/a:/b")],
                "/a",
            ),
            (
                vec![("HOME", "/h"), ("STATE_DIRECTORY", ":/b")],
                "/h/.local/state/jeton",
            ),
            (
                vec![("HOME", "/h"), ("XDG_STATE_HOME", "x")],
                "/h/.local/state/jeton",
            ),
        ] {
            let path = env(&vars).state_dir(None).unwrap();
            assert_eq!(path, Path::new(expected), "{vars:?}");
        }
        let explicit = Some(Path::new("/e"));
        assert_eq!(
            env(&[("STATE_DIRECTORY", "/a")]).state_dir(explicit),
            Ok("/e".into())
        );
        assert!(matches!(
            env(&[]).state_dir(None),
            Err(PathError::NoHome { .. })
        ));
    }

    #[test]
    fn the_socket_is_in_a_runtime_folder_and_never_in_tmp() {
        let xdg = env(&[("XDG_RUNTIME_DIR", "/r"), ("HOME", "/h")]);
        assert_eq!(token(&xdg, true), "/r/jeton/jeton.sock");
        let bare = env(&[("HOME", "/h"), ("XDG_RUNTIME_DIR", "r"), ("TMPDIR", "/tmp")]);
        assert_eq!(token(&bare, true), "/run/user/1000/jeton/jeton.sock");
        assert_eq!(token(&bare, false), "/run/jeton/jeton.sock");
        let mac = Env {
            platform: Platform::Macos,
            ..bare
        };
        assert_eq!(
            token(&mac, true),
            "/h/Library/Application Support/jeton/jeton.sock"
        );
        let mac_xdg = Env {
            platform: Platform::Macos,
            ..xdg
        };
        assert_eq!(token(&mac_xdg, true), "/r/jeton/jeton.sock");
    }

    #[test]
    fn the_lock_and_the_admin_socket_are_named_after_the_token_socket() {
        let env = env(&[("JETON_SOCKET", "/mnt/t/x.sock")]);
        let places = env.sockets(None, None, |_| true).unwrap();
        assert_eq!(places.token, Path::new("/mnt/t/x.sock"));
        assert_eq!(places.lock, Path::new("/mnt/t/x.sock.lock"));
        assert_eq!(places.admin, Path::new("/mnt/t-admin/admin.sock"));
        assert!(places.explicit);
        let flag = env
            .sockets(Some(Path::new("/a/b.sock")), None, |_| true)
            .unwrap();
        assert_eq!(flag.admin, Path::new("/a-admin/admin.sock"));
        let admin = env
            .sockets(None, Some(Path::new("/c/d")), |_| true)
            .unwrap();
        assert_eq!(
            (admin.token, admin.admin),
            ("/mnt/t/x.sock".into(), "/c/d".into())
        );
    }

    #[test]
    fn an_explicit_socket_path_may_be_in_a_volume_with_the_admin_socket() {
        let (token, admin) = (Path::new("/v/j.sock"), Path::new("/w/a.sock"));
        let usual = env(&[]);
        for (token, admin, depths) in [
            (None, None, (None, None)),
            (Some(token), None, (Some(1), Some(1))),
            (Some(token), Some(admin), (Some(1), Some(1))),
            (None, Some(admin), (None, Some(1))),
        ] {
            let places = usual.sockets(token, admin, |_| true).unwrap();
            let are = (places.below_volume(), places.admin_below_volume());
            assert_eq!(are, depths, "{token:?} {admin:?}");
            assert_eq!(places.admin_explicit, admin.is_some());
        }
        let places = usual.sockets(Some(token), None, |_| true).unwrap();
        let inside = places.with_admin_inside(Platform::Linux).unwrap();
        assert_eq!(inside.admin, Path::new("/v/jeton-admin/admin.sock"));
        assert_eq!(inside.token, token);
        let long = format!("/{}/j.sock", "x".repeat(86));
        let places = usual.sockets(Some(Path::new(&long)), None, |_| true);
        let err = places.unwrap().with_admin_inside(Platform::Linux);
        assert!(matches!(err, Err(PathError::TooLong { .. })), "{err:?}");
    }

    #[test]
    fn each_invalid_socket_path_has_its_own_error() {
        let env = env(&[]);
        for bare in ["jeton.sock", "./jeton.sock", "/jeton.sock", "/", ".."] {
            let err = env
                .sockets(Some(Path::new(bare)), None, |_| true)
                .unwrap_err();
            assert!(matches!(err, PathError::NoFolder(_)), "{bare}: {err}");
        }
        let shared = env.sockets(
            Some(Path::new("/a/t.sock")),
            Some(Path::new("/a/u.sock")),
            |_| true,
        );
        assert_eq!(shared, Err(PathError::SharedFolder("/a/u.sock".into())));
        for (platform, limit) in [(Platform::Linux, 107), (Platform::Macos, 103)] {
            let env = Env {
                platform,
                ..env.clone()
            };
            let admin = Some(Path::new("/b/admin.sock"));
            let longest = format!("/a/{}", "x".repeat(limit - 3));
            assert!(
                env.sockets(Some(Path::new(&longest)), admin, |_| true)
                    .is_ok()
            );
            let err = env
                .sockets(Some(Path::new(&(longest + "x"))), admin, |_| true)
                .unwrap_err();
            assert!(
                matches!(err, PathError::TooLong { limit: l, .. } if l == limit),
                "{err}"
            );
        }
        // The admin socket has the longer path, which counts as well.
        let deep = format!("/{}/jeton.sock", "x".repeat(94));
        let err = env
            .sockets(Some(Path::new(&deep)), None, |_| true)
            .unwrap_err();
        assert!(matches!(err, PathError::TooLong { .. }), "{err}");
    }

    #[test]
    fn the_lower_case_proxy_wins_and_values_that_are_not_utf_8_are_ignored() {
        let both = env(&[("HTTPS_PROXY", "http://u"), ("https_proxy", "http://l")]);
        assert_eq!(
            both.https_proxy.as_ref().map(ProxyText::expose),
            Some("http://l")
        );
        assert!(!format!("{both:?}").contains("http:"));
        let upper = env(&[("HTTPS_PROXY", "http://u"), ("https_proxy", "")]);
        assert_eq!(
            upper.https_proxy.as_ref().map(ProxyText::expose),
            Some("http://u")
        );
        let odd = OsString::from_vec(vec![b'/', 0xff]);
        let vars = ["HOME", "JETON_LOG"].map(|name| (OsString::from(name), odd.clone()));
        let env = Env::from_vars(vars, 0);
        assert_eq!(env.home, Some(PathBuf::from(odd)));
        assert_eq!(env.log, None);
    }
}
