//! `streembit-audit monitor`: follows a publisher's log, entry by entry, and raises an alarm.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use cli::exit::Context as _;
use cli::{CliError, Exit, Output, human};
use manifests::instant::UtcTime;
use tlog::limits::CLOCK_SKEW_S;
use tlog::policy::Policy;

use crate::command::Published;
#[cfg(feature = "online")]
use crate::follow::others::Others;
use crate::follow::{Event, Place, follow, worst};
#[cfg(feature = "online")]
use crate::network::Network;
use crate::pin::Trusted;
use crate::source::Source;

/// Options of monitor
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Whose log is read
    #[command(flatten)]
    pub published: Published,
    /// Where to keep what was read
    #[arg(long, value_name = "DIR", default_value = "monitor")]
    pub state: PathBuf,
    /// Look once and end: 0 if all is well
    #[arg(long)]
    pub once: bool,
    /// How often to look
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "10m",
        conflicts_with = "once"
    )]
    pub interval: String,
    /// Hold it against what the network of nodes has, too: a node of it to ask first, such as /ip4/…/tcp/…/p2p/…
    #[cfg(feature = "online")]
    #[arg(long, value_name = "ADDRESS")]
    pub bootstrap: Vec<node::Multiaddr>,
    /// Post alarms to this URL, as JSON
    #[cfg(feature = "online")]
    #[arg(long, value_name = "URL")]
    pub webhook: Option<String>,
}

/// Runs `monitor`. With `--once` it ends as the worst alarm says; without, when it is killed.
///
/// # Errors
/// [`CliError`] if it can't look, with `--once`; without it tries again.
pub fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let interval = human::parse_duration(&args.interval).context(Exit::Usage, "--interval")?;
    let watch = Watch::new(args)?;
    loop {
        let looked = watch.look(output);
        if args.once {
            return looked;
        }
        if let Err(error) = looked {
            output.error("streembit-audit", &error);
        }
        std::thread::sleep(interval.max(Duration::from_secs(1)));
    }
}

/// What is watched.
struct Watch<'a> {
    args: &'a Args,
    trusted: Trusted,
    policy: Policy,
    source: Source,
    place: Place,
    #[cfg(feature = "online")]
    network: Option<Network>,
}

impl<'a> Watch<'a> {
    fn new(args: &'a Args) -> Result<Self, CliError> {
        let trusted = Trusted::read(&args.published.pin)?;
        let policy = trusted.policy.clone().ok_or_else(|| {
            CliError::new(Exit::Usage, "the pin trusts no log")
                .hint("a file policy in --pin DIR names the log's key")
        })?;
        Ok(Self {
            args,
            trusted,
            policy,
            source: Source::open(&args.published.mirror)?,
            place: Place::open(&args.state)?,
            #[cfg(feature = "online")]
            network: match args.bootstrap.is_empty() {
                true => None,
                false => Some(Network::visit(&args.bootstrap)?),
            },
        })
    }

    fn look(&self, output: Output) -> Result<Exit, CliError> {
        let now = UtcTime::from_system(SystemTime::now()).as_unix();
        let latest = now.saturating_add(CLOCK_SKEW_S);
        let (mut events, mut failed) = (Vec::new(), None);
        match follow(&self.source, &self.place, (&self.policy, latest)) {
            Ok(mut looked) => {
                looked.events.extend(self.stale(looked.quorum_time, now));
                // What nobody was told is told again the next time.
                match self.tell(&looked.events, output) {
                    Ok(()) => looked.keep(&self.place)?,
                    Err(error) => failed = Some(error),
                }
                events = looked.events;
            }
            // A mirror that hides something is no less than one that shows something wrong.
            Err(error) => {
                let alarm = Event::alert("log/unreadable", &error, error.exit);
                failed = self.tell(std::slice::from_ref(&alarm), output).err();
                events.push(alarm);
            }
        }
        match self.ask_others(now) {
            Ok(others) => {
                failed = self.tell(&others, output).err().or(failed);
                events.extend(others);
            }
            Err(error) => failed = Some(error),
        }
        if events.is_empty() && failed.is_none() {
            output.note("nothing new");
        }
        match (worst(&events), failed) {
            (exit, None) => Ok(exit),
            (Exit::Done, Some(error)) => Err(error),
            // An alarm outweighs that the rest wasn't reached.
            (exit, Some(error)) => {
                output.error("streembit-audit", &error);
                Ok(exit)
            }
        }
    }

    /// Prints what was seen, and posts alarms.
    fn tell(&self, events: &[Event], output: Output) -> Result<(), CliError> {
        for event in events {
            output.result(event, line(event))?;
        }
        post(self.args, events)
    }

    fn stale(&self, quorum_time: Option<u64>, now: u64) -> Option<Event> {
        let waited = now.saturating_sub(quorum_time?);
        let is_stale = waited > self.trusted.pin.max_staleness.as_secs();
        let text = format!(
            "witnesses last cosigned what the mirror shows {} h ago",
            waited / 3600
        );
        is_stale.then(|| Event::alert("log/stale", text, Exit::Stale))
    }

    #[cfg(feature = "online")]
    fn ask_others(&self, now: u64) -> Result<Vec<Event>, CliError> {
        let Some(network) = &self.network else {
            return Ok(Vec::new());
        };
        let others = Others {
            source: &self.source,
            place: &self.place,
            trusted: &self.trusted,
            now,
        };
        others.ask(network, &self.policy)
    }

    #[cfg(not(feature = "online"))]
    fn ask_others(&self, _: u64) -> Result<Vec<Event>, CliError> {
        Ok(Vec::new())
    }
}

#[cfg(feature = "online")]
fn post(args: &Args, events: &[Event]) -> Result<(), CliError> {
    let alerts: Vec<&Event> = events.iter().filter(|event| event.exit() != 0).collect();
    match &args.webhook {
        Some(url) if !alerts.is_empty() => crate::source::post(
            url,
            &serde_json::json!({ "mirror": args.published.mirror, "alerts": alerts }),
        ),
        _ => Ok(()),
    }
}

#[cfg(not(feature = "online"))]
fn post(_: &Args, _: &[Event]) -> Result<(), CliError> {
    Ok(())
}

fn line(event: &Event) -> String {
    use crate::follow::Said;
    match event {
        Event::Grown { from, to } => format!("grown       {from} -> {to} entries"),
        Event::Entry { index, said } => {
            let said = match said {
                Said::Release { product, version } => format!("release     {product} {version}"),
                Said::Withdrawal { product, version } => format!("withdrawn   {product} {version}"),
                Said::Provenance => "provenance".to_owned(),
                Said::Role { role, version } => format!("{role:<11} v{version}"),
                Said::Other => "other".to_owned(),
            };
            format!("{said}  (entry {index})")
        }
        Event::Key { index, key } => format!("new key     {key}  (entry {index})"),
        Event::Head { version, expires } => format!("head        {version}, expires {expires}"),
        Event::Ahead { size } => format!("ahead       others have seen {size} entries"),
        Event::Alert { rule, text, .. } => format!("ALERT       {rule}: {text}"),
    }
}
