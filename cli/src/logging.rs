//! The one place that installs a tracing subscriber: lines on stderr, for people or as JSON, of each kind a bounded
//! number in a time, since strangers cause some of them (threats Q96).

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Lines of one kind, from one place in the code, that are written in one [`WINDOW`]; details (-vv) have no bound.
const LINES_MAX: u32 = 20;
/// How long that number holds.
const WINDOW: Duration = Duration::from_secs(60);

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Human,
    /// A JSON object a line, for programs that collect logs
    Json,
}

/// Installs the subscriber; `RUST_LOG` (`warn,node=debug`: levels by module) overrides the verbosity. A second call
/// does nothing.
pub fn start(verbose: u8, format: Format) {
    let default = match verbose {
        0 => "warn,libp2p=error",
        1 => {
            "warn,libp2p=error,streembit=debug,node=debug,agent=debug,publisher=debug,protocol=debug"
        }
        2 => "debug",
        _ => "trace",
    };
    let wanted = std::env::var("RUST_LOG").ok();
    let wanted = wanted.and_then(|wanted| wanted.parse().ok());
    let filter: Targets = wanted.or_else(|| default.parse().ok()).unwrap_or_default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(LevelFilter::TRACE);
    let lines = tracing_subscriber::fmt::format().with_target(true);
    // In tests several programs run in one process; the first subscriber serves them all.
    drop(match format {
        Format::Human => {
            let lines = Bounded::new(format, lines.compact());
            let subscriber = subscriber.event_format(lines).finish();
            subscriber.with(filter).try_init()
        }
        Format::Json => {
            let lines = Bounded::new(format, lines.json().flatten_event(true));
            let subscriber = subscriber.fmt_fields(JsonFields::new());
            let subscriber = subscriber.event_format(lines).finish();
            subscriber.with(filter).try_init()
        }
    });
}

/// Lines as another format writes them, as many as are allowed.
struct Bounded<F> {
    format: Format,
    lines: F,
    kinds: Mutex<HashMap<Identifier, Flow>>,
}

impl<F> Bounded<F> {
    fn new(format: Format, lines: F) -> Self {
        Self {
            format,
            lines,
            kinds: Mutex::default(),
        }
    }

    /// Whether a line is written; if so, how many of its kind weren't since the last that was.
    fn admit(&self, event: &Event<'_>) -> Option<u64> {
        if *event.metadata().level() > Level::INFO {
            return Some(0);
        }
        let kinds = self.kinds.lock();
        let mut kinds = kinds.unwrap_or_else(std::sync::PoisonError::into_inner);
        let flow = kinds.entry(event.metadata().callsite()).or_default();
        flow.admit(Instant::now())
    }
}

impl<S, N, F> FormatEvent<S, N> for Bounded<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(left_out) = self.admit(event) else {
            return Ok(());
        };
        if left_out > 0 {
            match self.format {
                Format::Human => writeln!(writer, "{left_out} lines like the next were left out")?,
                Format::Json => writeln!(writer, "{{\"level\":\"WARN\",\"left_out\":{left_out}}}")?,
            }
        }
        self.lines.format_event(context, writer, event)
    }
}

/// Lines of one kind.
#[derive(Debug, Default)]
struct Flow {
    since: Option<Instant>,
    written: u32,
    left_out: u64,
}

impl Flow {
    fn admit(&mut self, now: Instant) -> Option<u64> {
        let is_over = |since| now.saturating_duration_since(since) >= WINDOW;
        if self.since.is_none_or(is_over) {
            self.since = Some(now);
            self.written = 0;
        }
        if self.written >= LINES_MAX {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.written = self.written.saturating_add(1);
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests;
