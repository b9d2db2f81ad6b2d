//! `streembit-audit monitor`: follows a publisher's log, entry by entry, and raises an alarm.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use cli::exit::Context as _;
use cli::{CliError, Exit, Output, human};
use manifests::instant::UtcTime;
use tlog::limits::CLOCK_SKEW_S;
use tlog::policy::Policy;

use crate::command::Published;
use crate::follow::{Event, Place, follow, worst};
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
    let trusted = Trusted::read(&args.published.pin)?;
    let policy = trusted.policy.ok_or_else(|| {
        CliError::new(Exit::Usage, "the pin trusts no log")
            .hint("a file policy in --pin DIR names the log's key")
    })?;
    let interval = human::parse_duration(&args.interval).context(Exit::Usage, "--interval")?;
    let (source, place) = (
        Source::open(&args.published.mirror)?,
        Place::open(&args.state)?,
    );
    loop {
        let looked = look(args, (&source, &place), &policy, output);
        if args.once {
            return looked;
        }
        if let Err(error) = looked {
            output.error("streembit-audit", &error);
        }
        std::thread::sleep(interval.max(Duration::from_secs(1)));
    }
}

fn look(
    args: &Args,
    (source, place): (&Source, &Place),
    policy: &Policy,
    output: Output,
) -> Result<Exit, CliError> {
    let now = UtcTime::from_system(SystemTime::now()).as_unix();
    let events = follow(source, place, (policy, now.saturating_add(CLOCK_SKEW_S)))?;
    for event in &events {
        output.result(event, line(event))?;
    }
    tell(args, &events)?;
    if events.is_empty() {
        output.note("nothing new");
    }
    Ok(worst(&events))
}

#[cfg(feature = "online")]
fn tell(args: &Args, events: &[Event]) -> Result<(), CliError> {
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
fn tell(_: &Args, _: &[Event]) -> Result<(), CliError> {
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
        Event::Alert { rule, text, .. } => format!("ALERT       {rule}: {text}"),
    }
}
