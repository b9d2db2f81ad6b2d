//! What `release` says when it is done: the release, and a table of its deltas.

use cli::{CliError, Output, human};
use manifests::header::Header;
use manifests::name::Name;
use manifests::release::Release;
use serde::Serialize;

use crate::compressed::Compressed;
use crate::deltas::{Made, coder_name};
use crate::repository::StoredBlob;

/// A finished release.
#[derive(Debug)]
pub(super) struct Report<'a> {
    pub(super) name: &'a Name,
    pub(super) stored: &'a StoredBlob,
    pub(super) release: &'a Release,
    /// All deltas that were made, the ones left out among them.
    pub(super) made: &'a [Made],
    pub(super) compressed: Option<Compressed>,
}

#[derive(Debug, Serialize)]
struct Released {
    name: String,
    version: String,
    release: u64,
    security_version: u64,
    size: u64,
    sha256: String,
    blake3: String,
    deltas: Vec<Row>,
    left_out: Vec<Row>,
    compressed: Option<Compressed>,
    timestamp_version: u64,
    expires: String,
}

/// A delta.
#[derive(Clone, Debug, Serialize)]
struct Row {
    /// A version; `null` from nothing.
    from: Option<String>,
    coder: &'static str,
    format: &'static str,
    size: u64,
    percent: f64,
    segments: Counts,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Counts {
    copy: u32,
    delta_z: u32,
    delta_cm: u32,
    raw_zstd: u32,
}

impl Report<'_> {
    /// Prints it.
    ///
    /// * `timestamp`: of the repository now.
    ///
    /// # Errors
    /// [`CliError`] if standard output can't be written.
    pub(super) fn print(self, timestamp: &Header, output: Output) -> Result<(), CliError> {
        let rows = |is_signed: bool| {
            let made = self.made.iter();
            let made = made.filter(|made| made.signed.is_some() == is_signed);
            made.map(|made| self.row(made)).collect()
        };
        let released = Released {
            name: self.name.to_string(),
            version: self.release.version.clone(),
            release: self.release.release,
            security_version: self.release.security_version,
            size: self.release.image.size,
            sha256: self.stored.sha256.to_string(),
            blake3: self.release.image.blake3.to_string(),
            deltas: rows(true),
            left_out: rows(false),
            compressed: self.compressed.clone(),
            timestamp_version: timestamp.version,
            expires: timestamp.expires.to_string(),
        };
        let text = format!(
            "released    {} ({}), release {}\nsha256      {}\nexpires     {}\n\n{}",
            released.name,
            human::bytes(released.size),
            released.release,
            released.sha256,
            released.expires,
            self.table()
        );
        output.result(&released, text)
    }

    fn row(&self, made: &Made) -> Row {
        let share = made.size as f64 / self.release.image.size as f64;
        Row {
            from: made.base.version.clone(),
            coder: coder_name(made.coder),
            format: made.coder.format(),
            size: made.size,
            percent: (share * 10_000.0).round() / 100.0,
            segments: Counts {
                copy: made.segments.copy,
                delta_z: made.segments.delta,
                delta_cm: made.segments.mixed,
                raw_zstd: made.segments.raw,
            },
        }
    }

    /// Deltas in lines, in the order in which they were made.
    fn table(&self) -> String {
        let names = self.made.iter().map(|made| made.base.name().len());
        let width = names.max().unwrap_or(0).max(8);
        let mut text = format!(
            "{:<width$} {:<6} {:>12} {:>8} {:>6} {:>6} {:>6} {:>6}",
            "FROM", "CODER", "SIZE", "PERCENT", "COPIED", "DELTA", "MIXED", "RAW"
        );
        for made in self.made {
            let row = self.row(made);
            let segments = row.segments;
            text.push_str(&format!(
                "\n{:<width$} {:<6} {:>12} {:>8.2} {:>6} {:>6} {:>6} {:>6}",
                made.base.name(),
                row.coder,
                human::bytes(row.size),
                row.percent,
                segments.copy,
                segments.delta_z,
                segments.delta_cm,
                segments.raw_zstd
            ));
            if made.signed.is_none() {
                text.push_str("  left out");
            }
        }
        text
    }
}
