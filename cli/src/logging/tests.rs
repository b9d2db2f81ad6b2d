//! A flood of one kind of line is cut, the others are written.

use std::sync::Arc;

use super::*;

/// Takes what is written.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap().clone();
        String::from_utf8(bytes)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

fn flood() {
    for number in 0..100_000 {
        tracing::warn!(number, "a stranger lies");
    }
    tracing::error!("the disk is full");
}

#[test]
fn flood_of_one_kind_fills_no_log_and_hides_no_other_q96() {
    let log = Log::default();
    let writer = log.clone();
    let lines = tracing_subscriber::fmt::format().without_time().compact();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .event_format(Bounded::new(Format::Human, lines))
        .finish();
    tracing::subscriber::with_default(subscriber, flood);
    let lines = log.lines();
    let most = usize::try_from(LINES_MAX).unwrap();
    assert_eq!(lines.len(), most + 1, "{lines:?}");
    assert!(lines[most].contains("the disk is full"));
}

#[test]
fn what_was_left_out_is_counted_q96() {
    let (mut flow, start) = (Flow::default(), Instant::now());
    let most = usize::try_from(LINES_MAX).unwrap();
    let written = |flow: &mut Flow, at: Instant| {
        let lines = (0..100_000).filter_map(|_| flow.admit(at));
        lines.collect::<Vec<_>>()
    };
    assert_eq!(written(&mut flow, start), vec![0; most]);
    assert!(written(&mut flow, start + WINDOW / 2).is_empty());
    let next = written(&mut flow, start + WINDOW);
    assert_eq!(next.len(), most);
    assert_eq!(next[0], 200_000 - u64::from(LINES_MAX));
    assert!(next[1..].iter().all(|left_out| *left_out == 0));
}

#[test]
fn json_lines_stay_json() {
    let log = Log::default();
    let writer = log.clone();
    let bounded = Bounded::new(
        Format::Json,
        tracing_subscriber::fmt::format().json().flatten_event(true),
    );
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .fmt_fields(JsonFields::new())
        .event_format(bounded)
        .finish();
    tracing::subscriber::with_default(subscriber, flood);
    let lines = log.lines();
    assert!(lines.len() > 2);
    for line in lines {
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(line["level"].is_string());
    }
}
