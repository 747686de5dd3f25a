//! The order of the demo's steps.

use tokio::task::JoinSet;

use super::clients;
use super::line::{Line, Tone};
use super::link::LinkPeer;
use super::pace::Pace;
use super::reporter::DemoReporter;
use super::score::Score;
use super::screen::Screen;
use super::stage::DemoProcesses;
use super::view;
use crate::clock::{Clock as _, SystemClock};
use crate::sandbox::Fault;

/// The profile.
const PROFILE: &str = "demo";

/// The profile of the application that is made, and its name.
const NEW_PROFILE: &str = "batch";
const NEW_APPLICATION: &str = "batch-jobs";

/// The outages. Both leave the rest of the API alone, so that each token can be tried there meanwhile.
const OUTAGES: [(Fault, &str); 2] = [
    (Fault::Status(503), "it answers each token request with 503"),
    (Fault::ResetEarly, "it drops each token request unanswered"),
];

/// The story, and the client programs, which end with it.
pub(super) struct DemoScript<'a> {
    teller: DemoReporter<'a>,
    programs: JoinSet<()>,
}

impl<'a> DemoScript<'a> {
    pub(super) fn new(pace: Pace, stage: &'a mut DemoProcesses, screen: &'a mut Screen) -> Self {
        Self {
            teller: DemoReporter::new(pace, stage, screen),
            programs: JoinSet::new(),
        }
    }

    /// Runs the story from the beginning to the end.
    pub(super) async fn tell(mut self) -> Result<Score, String> {
        self.set_up().await?;
        self.let_programs_ask().await?;
        let mut met = 0;
        for ((fault, how), renewals) in OUTAGES.into_iter().zip(self.teller.pace.calm) {
            self.teller
                .explain("Each token is renewed halfway, and no program ever waits for it.");
            let enough = self.teller.tally.lock().tokens + renewals;
            self.teller
                .until("a renewed token", |tally, _| tally.tokens >= enough)
                .await?;
            met += u64::from(self.suffer(fault, how, met == 0).await?);
        }
        self.make_application().await?;
        let rotations = u64::from(self.rotate().await?);
        self.programs.shutdown().await;
        let tally = self.teller.tally.lock();
        Ok(Score {
            requests: tally.requests,
            refreshes: tally.tokens.saturating_sub(1),
            applications: 1,
            rotations,
            outages: met,
            planned: OUTAGES.len() as u64,
            failed: tally.failed,
            first_failure: tally.first_failure.clone(),
        })
    }

    /// Starts the sandbox, enrols, starts the daemon, and waits for the first token.
    async fn set_up(&mut self) -> Result<(), String> {
        let teller = &mut self.teller;
        let life = teller.pace.token_life;
        let seconds = life.as_secs();
        teller.lines(&[view::title()]);
        teller.lines(&view::step(
            &format!(
                "A control plane like Run:ai's, here. Its tokens live no longer than {seconds} s."
            ),
            &format!("jetond sandbox --token-life {seconds}"),
        ));
        let url = teller.stage.open_sandbox(life).await?.url();
        teller.read().await?;
        teller.lines(&view::step(
            "Enrol its application. The secret goes into the store; programs never see it.",
            &format!("jetond add {PROFILE} --provider runai --url {url} …"),
        ));
        teller.stage.enrol(PROFILE, &url).await?;
        teller.read().await?;
        teller.lines(&view::step(
            "Start the daemon. It gets a token, and from now on renews it in time.",
            "jetond run",
        ));
        teller.stage.start_daemon()?;
        let socket = teller.stage.socket();
        teller.until("the socket", |_, _| socket.exists()).await?;
        teller.read().await?;
        teller.lines(&view::step(
            "Any program of yours can have the token: it asks, and is answered at once.",
            &format!("jeton token {PROFILE}"),
        ));
        let token = match teller.stage.companion(&["token", PROFILE]).await? {
            Some(token) => token,
            None => clients::token_once(LinkPeer::Socket(socket), PROFILE).await?,
        };
        teller.lines(&[view::token(token.trim_end())]);
        teller.read().await
    }

    async fn let_programs_ask(&mut self) -> Result<(), String> {
        let teller = &mut self.teller;
        let n = teller.pace.programs;
        let what =
            format!("Now {n} programs ask without a break, and call the API with each answer.");
        teller.lines(&[Line::new(Tone::Plain, what)]);
        let api = api(teller)?;
        let socket = LinkPeer::Socket(teller.stage.socket());
        for _ in 0..n {
            let (socket, api, tally) = (socket.clone(), api.clone(), teller.tally.clone());
            self.programs
                .spawn(clients::ask(PROFILE, socket, api, tally));
        }
        teller
            .until("the first answer", |tally, _| tally.requests > 0)
            .await
    }

    /// Makes another application with a token of the first one, and uses it. This comes after the outages: the daemon
    /// renews its token too, and an outage should hit the profile that the programs use.
    async fn make_application(&mut self) -> Result<(), String> {
        let teller = &mut self.teller;
        teller.explain("The programs continue and notice nothing.");
        teller.lines(&view::step(
            "Make another application. Its secret goes straight into the store.",
            &format!("jetond app create {NEW_APPLICATION} --enrol {NEW_PROFILE}"),
        ));
        teller
            .stage
            .create_application(NEW_APPLICATION, PROFILE, NEW_PROFILE)
            .await?;
        let (socket, api) = (LinkPeer::Socket(teller.stage.socket()), api(teller)?);
        let used = clients::ask_once(NEW_PROFILE, socket, api).await;
        used.map_err(|why| format!("the new application cannot be used: {why}"))?;
        teller.lines(&[view::used(teller.elapsed(), NEW_PROFILE)]);
        teller.read().await
    }

    /// Rotates the key of the profile that the programs use. Returns whether the companion was there to request it.
    async fn rotate(&mut self) -> Result<bool, String> {
        let teller = &mut self.teller;
        let (held, failed) = {
            let tally = teller.tally.lock();
            (tally.tokens, tally.failed)
        };
        teller.explain("The key is replaced while the programs ask.");
        if teller
            .stage
            .companion(&["rotate", PROFILE])
            .await?
            .is_none()
        {
            return Ok(false);
        }
        teller
            .until("a token of the new key", |tally, _| tally.tokens > held)
            .await?;
        let lost = teller.tally.lock().failed - failed;
        teller.lines(&[view::rotated(teller.elapsed(), PROFILE, lost)]);
        teller.read().await?;
        Ok(true)
    }

    /// Simulates an outage until the daemon has a new token again. Returns whether one of the daemon's attempts failed.
    async fn suffer(
        &mut self,
        fault: Fault,
        how: &'static str,
        look: bool,
    ) -> Result<bool, String> {
        let teller = &mut self.teller;
        let (before, failed) = (teller.faulted()?, teller.tally.lock().failed);
        teller.set_fault(Some(fault)).await?;
        teller.explain("The daemon tries again and again, and serves the token that it has.");
        teller.lines(&[view::down(teller.elapsed(), how)]);
        teller
            .until("a failed attempt", |_, faulted| faulted > before)
            .await?;
        if look {
            show_status(teller).await?;
        }
        let brink = teller.pace.brink;
        teller
            .until("the brink", |tally, _| {
                tally.left(SystemClock.now().boot) <= brink
            })
            .await?;
        teller.set_fault(None).await?;
        let times = teller.faulted()? - before;
        let lost = teller.tally.lock().failed - failed;
        teller.explain("The issuer is back; the daemon finds out in a moment.");
        teller.lines(&[view::back(teller.elapsed(), times, lost)]);
        let held = teller.tally.lock().tokens;
        teller
            .until("the next token", |tally, _| tally.tokens > held)
            .await?;
        if teller.tally.lock().failed == failed {
            teller.explain("The token is a new one, and no program noticed.");
        }
        teller.read().await?;
        Ok(times > 0)
    }
}

/// The address of the control plane's API.
fn api(teller: &DemoReporter<'_>) -> Result<LinkPeer, String> {
    let url = teller.stage.sandbox()?.url();
    Ok(LinkPeer::Api(url.trim_start_matches("http://").to_owned()))
}

/// Shows the table of `jeton status`, without the path of the socket. The issuer has counted a failed attempt by now,
/// but the daemon may need a moment to see the failure.
async fn show_status(teller: &mut DemoReporter<'_>) -> Result<(), String> {
    /// The largest number of tries.
    const LOOKS: u32 = 50;
    for look in 1..=LOOKS {
        let Some(status) = teller.stage.companion(&["status", PROFILE]).await? else {
            break;
        };
        if status.contains("retrying") || look == LOOKS {
            let mut lines = vec![Line::command(&format!("jeton status {PROFILE}"))];
            lines.extend(status.lines().take(2).map(view::output));
            teller.aside(lines);
            break;
        }
        teller.pause().await;
    }
    Ok(())
}
