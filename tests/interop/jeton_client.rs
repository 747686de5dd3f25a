//! The Python package `jeton-client`: built, installed from its wheel beside the libraries that it extends, and
//! type-checked.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

use serde_json::{Value, json};

use crate::servers::{ca, certificates};
use crate::support::TestEnv;
use crate::tools::{MissingProgram, Test, python};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("the_wheel_is_typed", the_wheel_is_typed),
    (
        "every_python_gets_tokens_without_a_package",
        every_python_gets_tokens_without_a_package,
    ),
    ("requests_sends_tokens", requests_sends_tokens),
    ("httpx_sends_tokens", httpx_sends_tokens),
    ("httpx2_sends_tokens", httpx2_sends_tokens),
    ("aiohttp_sends_tokens", aiohttp_sends_tokens),
    (
        "mlflow_and_keyring_find_the_package",
        mlflow_and_keyring_find_the_package,
    ),
];

/// A Python in which the wheel is installed, and the folder of its packages.
pub(crate) struct Installed {
    pub(crate) python: PathBuf,
    packages: PathBuf,
}

/// Builds and installs the wheel, once for all of these tests.
pub(crate) fn installed() -> Result<&'static Installed, MissingProgram> {
    static INSTALLED: OnceLock<Installed> = OnceLock::new();
    let tools = python()?;
    Ok(INSTALLED.get_or_init(|| install(&tools)))
}

fn install(tools: &Path) -> Installed {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("jeton-client");
    let _ = fs::remove_dir_all(&folder);
    let run = |arguments: &[&str]| -> String {
        let output = Command::new(tools)
            .args(arguments)
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
            .env("PIP_NO_INDEX", "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let wheels = folder.join("wheels");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/python");
    // The build backend is one of the installed tools.
    run(&[
        "-m",
        "pip",
        "wheel",
        "--no-build-isolation",
        "--no-deps",
        "--wheel-dir",
        wheels.to_str().unwrap(),
        source,
    ]);
    let built: Vec<_> = fs::read_dir(&wheels)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    let [wheel] = &built[..] else {
        panic!("{built:?}");
    };
    let place = folder.join("python");
    run(&["-m", "venv", "--without-pip", place.to_str().unwrap()]);
    let python = place.join("bin/python");
    run(&[
        "-m",
        "pip",
        "--python",
        python.to_str().unwrap(),
        "install",
        "--no-deps",
        wheel.to_str().unwrap(),
    ]);
    let print = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let libraries = run(&["-c", print]);
    let output = Command::new(&python).args(["-c", print]).output().unwrap();
    let packages = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    fs::write(packages.join("libraries.pth"), libraries).unwrap();
    Installed { python, packages }
}

/// Runs a script of `jeton_client` beside a daemon with these profiles, and returns its report.
pub(crate) fn run_and_report(
    profiles: &[&str],
    command: impl FnOnce(&TestEnv) -> Command,
) -> Value {
    let env = TestEnv::with_sandbox(600);
    for profile in profiles {
        env.enrol(profile);
    }
    let mut daemon = env.start();
    for profile in profiles {
        env.token(&daemon, profile);
    }
    let mut command = command(&env);
    certificates(&env).unwrap();
    command
        .env("CERT", env.path("tls/server.pem"))
        .env("KEY", env.path("tls/server.key"))
        .env("SSL_CERT_FILE", ca(&env))
        .env("REQUESTS_CA_BUNDLE", ca(&env))
        .env("JETON_SOCKET", &daemon.socket)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    if command.get_envs().all(|(name, _)| name != "PYTHONWARNINGS") {
        // Unclosed resources are errors. The warning about a fork beside threads is ignored, because the test does
        // exactly that.
        command.env(
            "PYTHONWARNINGS",
            "error::ResourceWarning,ignore::DeprecationWarning",
        );
    }
    let output = env.finish("python", command, b"", false);
    assert_eq!(output.code, 0, "{}\n{}", output.stdout, output.stderr);
    assert_eq!(output.stderr, "");
    env.stop(&mut daemon);
    serde_json::from_str(&output.stdout).unwrap()
}

/// Returns the path of a script of `jeton_client`.
pub(crate) fn script(name: &str) -> String {
    format!(
        "{}/tests/interop/jeton_client/{name}",
        env!("CARGO_MANIFEST_DIR")
    )
}

fn the_wheel_is_typed() -> Result<(), MissingProgram> {
    let (tools, installed) = (python()?, installed()?);
    let env = TestEnv::new();
    // Also a user's code. Without py.typed in the wheel, the package's types would be unknown there.
    for what in [&["--package", "jeton"], &["--", &script("typed.py")[..]]] {
        let mut command = env.command(&tools);
        command
            .args([
                "-m",
                "mypy",
                "--strict",
                "--cache-dir=/dev/null",
                "--python-executable",
            ])
            .arg(&installed.python)
            .args(what);
        let output = env.finish("mypy", command, b"", false);
        assert_eq!(output.code, 0, "{}\n{}", output.stdout, output.stderr);
    }
    Ok(())
}

/// Returns the folders in which a Python may be: those of the PATH, and pyenv's versions.
fn folders() -> impl Iterator<Item = PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv"));
    let pyenv = env::var_os("PYENV_ROOT").map(PathBuf::from).or(home);
    let versions = pyenv.and_then(|root| fs::read_dir(root.join("versions")).ok());
    let versions = versions.into_iter().flatten().flatten();
    let on_path: Vec<_> = env::split_paths(&path).collect();
    on_path
        .into_iter()
        .chain(versions.map(|version| version.path().join("bin")))
}

/// Each Python from 3.9 on, one of each version, without the folders of other packages.
fn every_python_gets_tokens_without_a_package() -> Result<(), MissingProgram> {
    let installed = installed()?;
    let runs = |python: &PathBuf| {
        // pyenv has a shim for each version, but the shim of a version that is not selected does not run.
        let output = Command::new(python).args(["-c", ""]).output();
        output.is_ok_and(|output| output.status.success())
    };
    let pythons: Vec<_> = (9..40)
        .filter_map(|minor| {
            let name = format!("python3.{minor}");
            folders().map(|folder| folder.join(&name)).find(runs)
        })
        .chain([installed.python.clone()])
        .collect();
    for python in pythons {
        let saw = run_and_report(&["research"], |env| {
            let mut command = env.command(&python);
            command
                .args(["-S", &script("plain.py")])
                .env("PYTHONPATH", &installed.packages);
            command
        });
        let wanted = json!({
            "expiry": [true, true, false],
            "shown": false,
            "header": true,
            "the only one": true,
            "by variable": ["RefusedError", "unknown_profile", false, false],
            "odd name": ["RefusedError", "unknown_profile", false, false],
            "nothing there": ["UnreachableError", "unreachable", false, true],
            "too long": ["UnreachableError", "bad_request", false, false],
            "told": [true, "State", "fresh"],
            "newer": true,
            "late": true,
            "tells on": true,
            "across a fork": [1, 0],
            "child watches": ["State"],
            "parent watches": true,
            "since": "State",
            "workers": true,
        });
        assert_eq!(saw, wanted, "{}", python.display());
    }
    Ok(())
}

fn requests_sends_tokens() -> Result<(), MissingProgram> {
    let mut saw = authenticates("requests")?;
    // The rest of a file is sent again, from the position at which it was.
    assert_eq!(saw["file"].take(), json!([200, [401, 200], 1, "sent"]));
    Ok(())
}

fn httpx_sends_tokens() -> Result<(), MissingProgram> {
    authenticates("httpx")?;
    authenticates("httpx-async")?;
    Ok(())
}

fn httpx2_sends_tokens() -> Result<(), MissingProgram> {
    authenticates("httpx2")?;
    authenticates("httpx2-async")?;
    Ok(())
}

fn aiohttp_sends_tokens() -> Result<(), MissingProgram> {
    authenticates("aiohttp")?;
    Ok(())
}

/// One profile for each rejected token, because repeated reports about one profile make it cool down.
const PROFILES: &[&str] = &[
    "research", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth",
];

/// Returns for each case what the caller got, what the service answered, and how many reports were made.
fn authenticates(library: &str) -> Result<Value, MissingProgram> {
    let installed = installed()?;
    let saw = run_and_report(PROFILES, |env| {
        let mut command = env.command(&installed.python);
        command.args([&script("auth.py"), library]);
        command
    });
    for (case, wanted) in [
        ("first", json!([200, [200], 0])),
        ("again", json!([200, [200], 0])),
        ("revoked", json!([200, [401, 200], 1])),
        ("after it", json!([200, [200], 0])),
        ("around", json!([200, [200], 0])),
        ("body", json!([200, [401, 200], 1])),
        // A 401 from another origin is not about the token, which was not sent there.
        ("away", json!([401, [], 0])),
        ("beside", json!([401, [], 0])),
        ("elsewhere", json!([null, null])),
        // The body of a stream cannot be sent again, so the caller gets the 401. The report is still made.
        ("stream", json!([401, [401], 1, "one two three"])),
        // A redirect after the second attempt is followed with the newer token.
        ("gate", json!([200, [401, 303, 200], 1])),
        // Only the last hop is repeated.
        ("make", json!([200, [303, 401, 200], 1, 1])),
        // Each 401 leads to one report, and every request succeeds in the end.
        ("storm", json!([[200], true])),
        ("refuses all", json!([401, [401, 401], 1])),
    ] {
        assert_eq!(saw[case], wanted, "{library}: {case}: {saw}");
    }
    Ok(saw)
}

/// Both find it through entry points. Only MLflow's own variable names the package.
fn mlflow_and_keyring_find_the_package() -> Result<(), MissingProgram> {
    const INDEX: &str = "https://index.example/legacy/";
    let installed = installed()?;
    let saw = run_and_report(&["research"], |env| {
        let mut config = OpenOptions::new().append(true).open(env.config()).unwrap();
        let entry =
            format!("\n[[profiles.research.hosts]]\nurl = \"{INDEX}\"\nusername = \"ci\"\n");
        config.write_all(entry.as_bytes()).unwrap();
        assert_eq!(env.jeton(&["reload"]).code, 0);
        let mut command = env.command(&installed.python);
        command
            .args([&script("plugins.py"), INDEX])
            .env("JETON_PROFILE", "research")
            // Warnings of the libraries do not matter.
            .env("PYTHONWARNINGS", "ignore");
        command
    });
    let wanted = json!({
        "mlflow": [200, 401, 200],
        "keyring": {
            "password": true,
            "another user": null,
            "user name": "ci",
            "credential": true,
            "elsewhere": [null, null, null, null],
            "twine": ["ci", true],
            "set": "jeton stores no passwords: 'jetond add' enrols a credential",
            "no daemon": null,
        },
    });
    assert_eq!(saw, wanted);
    Ok(())
}
