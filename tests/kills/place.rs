//! The surroundings of a killed command: a sandbox, a profile, a daemon, and a key of another user.

use std::cell::RefCell;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use jetond::sandbox::{Application, Fault, Line, Sandbox};
use serde_json::Value;

use crate::behaviour::{Form, LATE, Span};
use crate::encrypted_record;
use crate::keyring::Keyring;
use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};

/// The profile that exists from the start.
pub(crate) const PROFILE: &str = "research";

/// The first line that a person wrote in the configuration.
pub(crate) const COMMENT: &str = "# mine\n";

pub(crate) struct KillEnv {
    pub(crate) env: TestEnv,
    pub(crate) daemon: Daemon,
    /// The keys that existed before the command.
    pub(crate) before: Vec<Application>,
    /// The client ID and the secret of a second key. The secret is also in the file [`TestEnv::path`] `secret`.
    pub(crate) second: (String, String),
    /// The keyring, if an operation needs one.
    pub(crate) keyring: RefCell<Option<Keyring>>,
}

impl KillEnv {
    pub(crate) fn make() -> Self {
        Self::with_life(3_600)
    }

    /// Makes a place whose tokens live for `life` seconds.
    pub(crate) fn with_life(life: u64) -> Self {
        let env = TestEnv::with_line(Line::V2_24, life);
        env.enrol(PROFILE);
        fs::remove_file(env.path("secret")).unwrap();
        let daemon = env.start();
        let mut place = Self {
            env,
            daemon,
            before: vec![],
            second: Default::default(),
            keyring: RefCell::default(),
        };
        place.create("bystander");
        place.second = place.create("second-key");
        place.write_secret(&place.second.1);
        place.before = place.keys();
        let config = fs::read_to_string(place.env.config()).unwrap();
        fs::write(place.env.config(), format!("{COMMENT}{config}")).unwrap();
        place
    }

    /// Takes the daemon out of the place.
    pub(crate) fn replace_daemon(&mut self) -> Daemon {
        std::mem::replace(&mut self.daemon, self.env.spawn(&["--help"]))
    }

    /// Returns the sandbox's keys.
    pub(crate) fn keys(&self) -> Vec<Application> {
        self.env.sandbox().applications()
    }

    /// Returns the key of this name.
    pub(crate) fn key(&self, name: &str) -> Option<Application> {
        self.keys().into_iter().find(|key| key.name == name)
    }

    /// Writes a secret to the file from which commands read it.
    pub(crate) fn write_secret(&self, secret: &str) {
        let path = self.env.path("secret");
        fs::write(&path, secret).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }

    /// Makes a key as another person would; returns its client ID and its secret.
    pub(crate) fn create(&self, name: &str) -> (String, String) {
        self.wait_for_token();
        let token = self.env.token(&self.daemon, PROFILE);
        let head = format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
        let body = format!("{{\"name\":\"{name}\"}}");
        let (status, answer) = post(self.env.sandbox(), "/api/v1/access-keys", &head, &body);
        assert_eq!(status, 201, "{name}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let text = |field: &str| answer[field].as_str().unwrap().to_owned();
        (text("clientId"), text("clientSecret"))
    }

    /// Runs `work` while the control plane has this behaviour.
    pub(crate) fn while_it_behaves<T>(&self, form: Form, work: impl FnOnce() -> T) -> T {
        let sandbox = self.env.sandbox();
        let set = |fault| self.env.block_on(sandbox.set_fault(fault)).unwrap();
        match (form.fault(), form.span) {
            (None, _) => {}
            (fault, Span::All) => set(fault),
            (Some(fault), Span::First) => {
                self.env.block_on(sandbox.set_fault_for(fault, 1)).unwrap();
            }
            (fault, Span::Later) => return self.while_later(fault, work),
        }
        let result = work();
        set(None);
        result
    }

    /// Runs `work`, and puts the fault in force after the control plane has given a token.
    fn while_later<T>(&self, fault: Option<Fault>, work: impl FnOnce() -> T) -> T {
        let sandbox = self.env.sandbox();
        let (before, is_over) = (sandbox.stats().granted, AtomicBool::new(false));
        let switch = || {
            wait_until("a token to be given", || {
                sandbox.stats().granted > before || is_over.load(Ordering::Relaxed)
            });
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            runtime.unwrap().block_on(sandbox.set_fault(fault)).unwrap();
        };
        let result = std::thread::scope(|scope| {
            scope.spawn(switch);
            let result = work();
            is_over.store(true, Ordering::Relaxed);
            result
        });
        self.env.fault("none");
        result
    }

    /// Waits until the server has executed its late requests.
    pub(crate) fn let_execute(&self) {
        let (start, wait) = (Instant::now(), LATE * 2);
        wait_until("the server to execute", || start.elapsed() > wait);
    }

    /// Requests the profile's token; returns the status and the error code.
    pub(crate) fn answer(&self, profile: &str) -> (u16, String) {
        let target = format!("/v1/profiles/{profile}/token");
        let answer = self.env.get(&self.daemon, &target);
        match answer.status {
            200 => (200, String::new()),
            status => (status, answer.code()),
        }
    }

    /// Waits until the daemon holds a token: on a busy machine, the first request may end at its deadline.
    pub(crate) fn wait_for_token(&self) {
        wait_until("the daemon to serve a token", || {
            self.answer(PROFILE).0 == 200
        });
    }

    /// Returns whether the control plane gives a token for the credential.
    pub(crate) fn gets_token(&self, client_id: &str, secret: &str) -> bool {
        let form: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", client_id)
            .append_pair("client_secret", secret)
            .finish();
        let head = "Content-Type: application/x-www-form-urlencoded\r\n";
        post(self.env.sandbox(), "/api/v2/token", head, &form).0 == 200
    }

    /// Starts a keyring.
    pub(crate) fn start_keyring(&self) {
        *self.keyring.borrow_mut() = Some(Keyring::start(&self.env));
    }

    /// Returns the store that the configuration names for the profile.
    pub(crate) fn store_of(&self, profile: &str) -> Option<String> {
        let text = fs::read_to_string(self.env.config()).unwrap();
        let (_, section) = text.split_once(&format!("[profiles.{profile}]\n"))?;
        let mut lines = section.lines().take_while(|line| !line.starts_with('['));
        let store = lines.find_map(|line| line.strip_prefix("store = "))?;
        Some(store.trim_matches('"').to_owned())
    }

    /// Returns the profile's client ID and secret in the store in force.
    pub(crate) fn stored(&self, profile: &str) -> Option<(String, String)> {
        let bytes = match self.store_of(profile).as_deref() {
            Some("keyring") => Keyring::lookup(&self.env, profile),
            Some(encrypted_record::STORE) => encrypted_record::record(&self.env, profile)?,
            _ => fs::read(self.env.record(profile)).ok()?,
        };
        let record: Value = serde_json::from_slice(&bytes).ok()?;
        let text = |field: &str| Some(record[field].as_str()?.to_owned());
        Some((text("client_id")?, text("client_secret")?))
    }

    /// Returns whether the record says that another machine has the credential, too.
    pub(crate) fn is_shared(&self, profile: &str) -> bool {
        let record = fs::read(self.env.record(profile)).ok();
        let record: Option<Value> = record.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        record.is_some_and(|record| record["shared"] == true)
    }

    /// Returns the client IDs of all records in the store.
    pub(crate) fn stored_ids(&self) -> Vec<String> {
        let names = self.names("state/jeton/credentials");
        let profiles = names.iter().filter_map(|name| {
            let of = |ending| name.strip_suffix(ending);
            of(".json").or_else(|| of(".age"))
        });
        let stored = profiles.filter_map(|profile| self.stored(profile));
        stored.map(|(client_id, _)| client_id).collect()
    }

    /// Returns whether the file for a secret has any content.
    pub(crate) fn has_secret_file(&self) -> bool {
        let meta = self.env.path("secret").metadata();
        meta.is_ok_and(|meta| meta.len() > 0)
    }

    /// Returns whether the stored credential of the profile works.
    pub(crate) fn works(&self, profile: &str) -> bool {
        let stored = self.stored(profile);
        stored.is_some_and(|(client_id, secret)| self.gets_token(&client_id, &secret))
    }

    /// Returns the profiles of the configuration.
    pub(crate) fn profiles(&self) -> Vec<String> {
        let text = fs::read_to_string(self.env.config()).unwrap();
        let names = text.lines().filter_map(|line| {
            let name = line.trim().strip_prefix("[profiles.")?;
            Some(name.strip_suffix(']')?.to_owned())
        });
        names.collect()
    }

    /// Returns the temporary files that writers have not yet renamed.
    pub(crate) fn left_over(&self) -> Vec<String> {
        let folders = [
            "config/jeton",
            "state/jeton/credentials",
            "state/jeton/removals",
            "state/jeton/moves",
            "state/jeton/rotations",
            "state/jeton/kept",
            "home",
        ];
        let names = folders.into_iter().flat_map(|folder| self.names(folder));
        let temporary = names.filter(|name| name.starts_with(".jeton-new-"));
        temporary.collect()
    }

    /// Removes the temporary files of killed writers from the folder of the second slots.
    pub(crate) fn remove_from_slots(&self) {
        let folder = "state/jeton/kept";
        let names = self.names(folder).into_iter();
        for name in names.filter(|name| name.starts_with(".jeton-new-")) {
            fs::remove_file(self.env.path(folder).join(name)).unwrap();
        }
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.env.path(folder)).into_iter().flatten();
        let names = entries.map(|entry| entry.unwrap().file_name());
        names
            .map(|name| name.to_string_lossy().into_owned())
            .collect()
    }

    pub(crate) fn has_profile(&self, name: &str) -> bool {
        self.profiles().iter().any(|profile| profile == name)
    }
}

/// Sends a request to the sandbox; returns the status and the body, which may contain a secret.
fn post(sandbox: &Sandbox, path: &str, head: &str, body: &str) -> (u16, String) {
    let url = sandbox.url();
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\n{head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}
