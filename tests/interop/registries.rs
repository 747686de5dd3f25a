//! Container registry clients at Debian's docker-registry, whose token server accepts our tokens.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::bound::{PROFILE, bind, daemon, home_file, set_up};
use crate::servers::{Server, ca};
use crate::support::TestEnv;
use crate::support::daemon::wait_until;
use crate::tools::{MissingProgram, Test, program};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("docker_reads_a_manifest", || {
        docker("oauth2", "GET /token Basic oauth2 1 200")
    }),
    ("docker_sends_a_refresh_token", || {
        docker("<token>", "POST /token refresh_token 1 200")
    }),
    ("podman_pulls", podman_pulls),
    ("skopeo_pushes_and_reads", skopeo_pushes_and_reads),
];

/// A registry with its token server (realm). It ends with the test.
struct Registry {
    child: Child,
    realm: Server,
    /// Its host and port.
    host: String,
}

impl Registry {
    fn start(env: &TestEnv) -> Result<Self, MissingProgram> {
        let registry = program("docker-registry")?;
        let tls = |name: &str| env.path("tls").join(name).to_str().unwrap().to_owned();
        let (certificate, key) = (tls("server.pem"), tls("server.key"));
        let realm = Server::start(env, "realm.py", &[&certificate, &key])?;
        let config = json!({
            "version": 0.1,
            "log": {"level": "info", "formatter": "json"},
            "storage": {"filesystem": {"rootdirectory": env.path("registry")}},
            "http": {"addr": "127.0.0.1:0", "tls": {"certificate": certificate, "key": key}},
            "auth": {"token": {
                "realm": realm.url("/token"),
                "service": "interop",
                "issuer": "interop",
                "rootcertbundle": tls("server.pem"),
            }},
        });
        let config = home_file(env, "registry.json", &config.to_string());
        let log = env.path("out/registry");
        let child = env
            .command(registry)
            .arg("serve")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut started = Self {
            child,
            realm,
            host: String::new(),
        };
        wait_until("the registry to listen", || {
            let ended = started.child.try_wait().unwrap();
            let log = fs::read_to_string(&log).unwrap();
            assert!(ended.is_none(), "{log}");
            let port = log
                .split("listening on 127.0.0.1:")
                .nth(1)
                .and_then(|rest| rest.split(',').next());
            started.host = format!("localhost:{}", port.unwrap_or_default());
            port.is_some()
        });
        Ok(started)
    }

    /// Writes what `jetond setup docker` prints to the configuration of this kind of client, and creates the helper
    /// with the command that it names. Returns a PATH that begins with the helper's folder.
    fn helped(&self, env: &TestEnv, file: &str) -> String {
        let printed = env.jetond(&["setup", "docker", &format!("https://{}", self.host)]);
        assert_eq!(printed.code, 0, "{printed:?}");
        home_file(env, file, &printed.stdout);
        let folder = env.path("bin");
        fs::create_dir_all(&folder).unwrap();
        let note = "jetond install-helpers DIR docker-credential-jeton";
        assert!(printed.stderr.contains(note), "{printed:?}");
        let words: Vec<_> = note.split(' ').skip(1).collect();
        let folder = folder.to_str().unwrap();
        let words: Vec<_> = words
            .iter()
            .map(|word| if *word == "DIR" { folder } else { word })
            .collect();
        assert_eq!(env.jetond(&words).code, 0);
        format!("{folder}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
    }

    /// Returns the address of the pushed image, for skopeo and podman.
    fn image(&self) -> String {
        format!("docker://{}/team/demo:1", self.host)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Creates a CA folder for the clients, which look for files that end in `.crt`.
fn certificates(env: &TestEnv) -> String {
    let folder = env.path("certificates");
    fs::create_dir_all(&folder).unwrap();
    fs::copy(ca(env), folder.join("ca.crt")).unwrap();
    folder.to_str().unwrap().to_owned()
}

/// Creates an image without layers, in the format that skopeo calls `dir:`.
fn image(env: &TestEnv) -> String {
    let folder = env.path("image");
    fs::create_dir(&folder).unwrap();
    let config = json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}, "config": {}}).to_string();
    let digest: String = Sha256::digest(&config)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": config.len(),
            "digest": format!("sha256:{digest}"),
        },
        "layers": [],
    });
    fs::write(folder.join("version"), "Directory Transport Version: 1.1\n").unwrap();
    fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    fs::write(folder.join(digest), config).unwrap();
    format!("dir:{}", folder.display())
}

/// Runs a test with a registry that has the image. skopeo has pushed it with a token from the companion.
fn with_image(
    entry: &str,
    test: impl FnOnce(&TestEnv, &mut Registry, &str),
) -> Result<(), MissingProgram> {
    let skopeo = program("skopeo")?;
    let env = set_up(600);
    let mut registry = Registry::start(&env)?;
    bind(&env, &format!("https://{}", registry.host), entry);
    let (mut daemon, token) = daemon(&env);
    registry.realm.take(&token);
    let path = registry.helped(&env, "auth.json");
    let mut command = client(&env, &skopeo, &path);
    command
        .args([
            "--insecure-policy",
            "copy",
            "-q",
            &image(&env),
            &registry.image(),
        ])
        .args(["--dest-cert-dir", &certificates(&env)]);
    let output = env.finish("skopeo", command, b"", false);
    let seen = registry.realm.seen();
    assert_eq!(output.code, 0, "{seen:?}: {output:?}");
    assert!(
        !seen.is_empty() && seen.iter().all(|request| request.ends_with(" 1 200")),
        "{seen:?}"
    );
    test(&env, &mut registry, &path);
    env.stop(&mut daemon);
    Ok(())
}

/// Returns a client that finds the companion under the helper's name.
fn client(env: &TestEnv, program: &Path, path: &str) -> Command {
    let mut command = env.command(program);
    command
        .env("PATH", path)
        .env("REGISTRY_AUTH_FILE", env.path("home/auth.json"));
    command
}

fn skopeo_pushes_and_reads() -> Result<(), MissingProgram> {
    let skopeo = program("skopeo")?;
    with_image("", |env, registry, path| {
        let mut command = client(env, &skopeo, path);
        command.args([
            "inspect",
            "--format",
            "{{.Name}}",
            "--cert-dir",
            &certificates(env),
            &registry.image(),
        ]);
        let output = env.finish("skopeo", command, b"", false);
        let name = format!("{}/team/demo\n", registry.host);
        assert_eq!(
            (output.code, output.stdout.as_str()),
            (0, name.as_str()),
            "{output:?}"
        );
        assert!(
            registry
                .realm
                .seen()
                .contains(&"GET /token Basic oauth2 1 200".to_owned())
        );
    })
}

fn podman_pulls() -> Result<(), MissingProgram> {
    let podman = program("podman")?;
    with_image("", |env, registry, path| {
        let folder = |name: &str| env.path(name).to_str().unwrap().to_owned();
        let mut command = client(env, &podman, path);
        command
            .args([
                "--root",
                &folder("podman"),
                "--runroot",
                &folder("podman-run"),
            ])
            .args([
                "--storage-driver",
                "vfs",
                "pull",
                "-q",
                "--cert-dir",
                &certificates(env),
            ])
            .arg(registry.image());
        let output = env.finish("podman", command, b"", false);
        let seen = registry.realm.seen();
        assert_eq!(output.code, 0, "{seen:?}: {output:?}");
        assert!(
            seen.contains(&"GET /token Basic oauth2 1 200".to_owned()),
            "{seen:?}"
        );
    })
}

/// Without a docker daemon, the test uses `docker manifest inspect`, which connects to the registry itself.
fn docker(username: &str, asked: &str) -> Result<(), MissingProgram> {
    let docker = program("docker")?;
    with_image(
        &format!("username = \"{username}\""),
        |env, registry, path| {
            registry.helped(env, ".docker/config.json");
            let mut command = client(env, &docker, path);
            let image = format!("{}/team/demo:1", registry.host);
            command.args(["manifest", "inspect", "--insecure", &image]);
            let output = env.finish("docker", command, b"", false);
            let seen = registry.realm.seen();
            assert_eq!(output.code, 0, "{seen:?}: {output:?}");
            assert!(
                output
                    .stdout
                    .contains("application/vnd.docker.container.image.v1+json"),
                "{PROFILE}: {output:?}"
            );
            assert!(seen.iter().any(|request| request == asked), "{seen:?}");
        },
    )
}
