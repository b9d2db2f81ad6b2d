//! The history as a page: HTML with all that it needs, no script, nothing from elsewhere.

use std::collections::BTreeSet;

use manifests::instant::UtcTime;
use manifests::root::Role;

use super::{History, LogState, RootVersion, tree};
use crate::follow::Said;

const STYLE: &str = include_str!("page.css");
/// Entries in the table, the newest.
const ENTRIES_SHOWN: usize = 1000;

/// The page.
pub fn render(history: &History) -> String {
    let (pin, at) = (&history.pin, history.at);
    let title = format!("{} on {}", pin.product, pin.channel);
    let log = history.log.as_ref();
    let sections = [
        alarms(history),
        log.map_or_else(no_log, summary),
        log.map(tree_of).unwrap_or_default(),
        log.map(|log| witnesses(log, at.as_unix()))
            .unwrap_or_default(),
        keys(&history.roots),
        log.map(entries).unwrap_or_default(),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{title}</title><style>{STYLE}</style></head><body>\n<header><h1>{}</h1>{}\
         <dl><dt>Channel</dt><dd>{}</dd><dt>Publisher</dt><dd><code>{}</code></dd><dt>Looked at</dt><dd>{at}</dd></dl>\
         </header>\n<main>\n{}</main>\n<footer>Made by <code>streembit-audit report</code> from signed data alone. \
         The page itself is signed by nobody: make your own.</footer></body></html>\n",
        escape(pin.product.as_str()),
        verdict(history),
        escape(pin.channel.as_str()),
        pin.publisher_id,
        sections.concat(),
        title = escape(&title),
    )
}

fn verdict(history: &History) -> String {
    let (class, text) = match (history.alarms.len(), &history.log) {
        (0, Some(_)) => ("good", "no alarm".to_owned()),
        (0, None) => ("unknown", "no log is trusted".to_owned()),
        (1, _) => ("bad", "1 alarm".to_owned()),
        (count, _) => ("bad", format!("{count} alarms")),
    };
    format!("<p class=\"verdict {class}\">{text}</p>")
}

fn alarms(history: &History) -> String {
    if history.alarms.is_empty() {
        return String::new();
    }
    let lines = history.alarms.iter();
    let lines: String = lines
        .map(|alarm| format!("<li>{}</li>", escape(alarm)))
        .collect();
    format!("<section class=\"alarms\"><h2>Alarms</h2><ul>{lines}</ul></section>\n")
}

fn no_log() -> String {
    "<section><h2>Log</h2><p>The pin trusts no log, or it could not be read: nothing shows that others see the same \
     releases.</p></section>\n"
        .to_owned()
}

fn summary(log: &LogState) -> String {
    let count = |is_it: fn(&Said) -> bool| log.entries.values().filter(|said| is_it(said)).count();
    let tiles = [
        (log.size.to_string(), "entries"),
        (
            count(|said| matches!(said, Said::Release { .. })).to_string(),
            "releases",
        ),
        (
            count(|said| matches!(said, Said::Withdrawal { .. })).to_string(),
            "withdrawn",
        ),
        (
            count(|said| matches!(said, Said::Provenance)).to_string(),
            "provenances",
        ),
        (
            count(|said| matches!(said, Said::Role { .. })).to_string(),
            "signed roles",
        ),
    ];
    let tiles = tiles.iter();
    let tiles: String = tiles
        .map(|(count, what)| format!("<div><strong>{count}</strong> {what}</div>"))
        .collect();
    format!(
        "<section><h2>Log</h2><p><code>{}</code>, root <code>{}</code></p><div class=\"tiles\">{tiles}</div></section>\n",
        escape(&log.origin),
        escape(&log.root.to_string())
    )
}

fn tree_of(log: &LogState) -> String {
    const KINDS: [(&str, &str); 5] = [
        ("release", "release"),
        ("withdrawal", "withdrawal"),
        ("provenance", "provenance"),
        ("role", "role of the repository"),
        ("other", "image, list of components, other"),
    ];
    let legend: String = KINDS
        .iter()
        .map(|(class, what)| format!("<li><span class=\"dot {class}\"></span>{what}</li>"))
        .collect();
    format!(
        "<section><h2>Tree</h2><ul class=\"legend\">{legend}</ul><div class=\"scroll\">{}</div></section>\n",
        tree::draw(log.size, &log.entries)
    )
}

fn witnesses(log: &LogState, now: u64) -> String {
    if log.witnesses.is_empty() {
        return "<section><h2>Witnesses</h2><p>The policy asks for none: the log's own word stands alone.</p></section>\n"
            .to_owned();
    }
    let row = |(name, time): &(String, Option<u64>)| {
        let (class, said) = match time {
            Some(time) => ("good", cosigned(*time, now)),
            None => ("unknown", "has not cosigned this state".to_owned()),
        };
        format!(
            "<tr><td>{}</td><td><span class=\"dot {class}\"></span>{said}</td></tr>",
            escape(name)
        )
    };
    let rows: String = log.witnesses.iter().map(row).collect();
    let quorum = match log.quorum_time {
        Some(time) => format!("A quorum {}.", cosigned(time, now)),
        None => "The policy needs no quorum.".to_owned(),
    };
    format!(
        "<section><h2>Witnesses</h2><p>{quorum}</p><table><thead><tr><th>Witness</th><th>This state of the log</th></tr>\
         </thead><tbody>{rows}</tbody></table></section>\n"
    )
}

fn cosigned(time: u64, now: u64) -> String {
    let age = cli::human::duration(std::time::Duration::from_secs(now.saturating_sub(time)));
    format!("cosigned it {} ({age} ago)", UtcTime::from_unix(time))
}

/// A row for each key, a column for each version of the root.
fn keys(roots: &[RootVersion]) -> String {
    let ids: BTreeSet<&String> = roots.iter().flat_map(|root| root.keys.keys()).collect();
    let head: String = roots
        .iter()
        .map(|root| {
            let (version, threshold) = (root.version, root.threshold);
            format!(
                "<th title=\"expires {}\">v{version}<br><small>{threshold} needed</small></th>",
                root.expires
            )
        })
        .collect();
    let rows: String = ids.iter().map(|id| key_row(id, roots)).collect();
    format!(
        "<section><h2>Keys over time</h2><p>Which keys counted in each version of the root, and for what. Every version \
         is signed by enough root keys of the one before.</p><div class=\"scroll\"><table class=\"keys\"><thead><tr>\
         <th>Key</th>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>\n"
    )
}

fn key_row(id: &str, roots: &[RootVersion]) -> String {
    let cells: String = roots
        .iter()
        .map(|root| match root.keys.get(id) {
            None => "<td></td>".to_owned(),
            Some(roles) => {
                let names: Vec<&str> = roles.iter().copied().map(Role::name).collect();
                format!("<td class=\"counts\">{}</td>", names.join("<br>"))
            }
        })
        .collect();
    let short: String = id.chars().take(12).collect();
    format!(
        "<tr><td><code title=\"{}\">{}</code></td>{cells}</tr>",
        escape(id),
        escape(&short)
    )
}

fn entries(log: &LogState) -> String {
    let shown = log.entries.iter().rev().take(ENTRIES_SHOWN);
    let row = |(index, said): (&u64, &Said)| {
        let class = kind(Some(said));
        format!(
            "<tr id=\"entry-{index}\"><td>{index}</td><td><span class=\"dot {class}\"></span>{}</td></tr>",
            escape(&words(Some(said)))
        )
    };
    let rows: String = shown.map(row).collect();
    let more = match log.entries.len().saturating_sub(ENTRIES_SHOWN) {
        0 => String::new(),
        more => format!("<p>{more} earlier ones are not listed.</p>"),
    };
    format!(
        "<section><h2>What was said</h2><p>Every statement in the log, the newest first. Images and lists of components \
         have entries of their own, which these speak of.</p><table><thead><tr><th>Entry</th><th>Statement</th></tr>\
         </thead><tbody>{rows}</tbody></table>{more}</section>\n"
    )
}

/// The class of an entry.
pub(super) const fn kind(said: Option<&Said>) -> &'static str {
    match said {
        Some(Said::Release { .. }) => "release",
        Some(Said::Withdrawal { .. }) => "withdrawal",
        Some(Said::Provenance) => "provenance",
        Some(Said::Role { .. }) => "role",
        Some(Said::Other) | None => "other",
    }
}

/// An entry in words.
pub(super) fn words(said: Option<&Said>) -> String {
    match said {
        Some(Said::Release { product, version }) => format!("{product} {version} is released"),
        Some(Said::Withdrawal { product, version }) => format!("{product} {version} is withdrawn"),
        Some(Said::Provenance) => "what something was built from".to_owned(),
        Some(Said::Role { role, version }) => format!("role {role}, version {version}"),
        Some(Said::Other) => "something else".to_owned(),
        None => "an image or a list of components".to_owned(),
    }
}

/// Text for HTML, in elements and attributes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    //! Names come from outside: they are text, never markup.

    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_comes_from_outside_is_text() {
        let hostile = "<script>alert('1')</script>\"&";
        let said = Said::Release {
            product: hostile.to_owned(),
            version: hostile.to_owned(),
        };
        let entries = BTreeMap::from([(0, said)]);
        let log = LogState {
            origin: hostile.to_owned(),
            size: 1,
            root: tlog::hash::Hash::of_nothing(),
            entries: entries.clone(),
            witnesses: vec![(hostile.to_owned(), Some(1))],
            quorum_time: None,
        };
        let parts = [
            summary(&log),
            tree_of(&log),
            witnesses(&log, 2),
            super::entries(&log),
        ];
        for part in parts {
            assert!(!part.contains("<script"), "{part}");
            assert!(part.contains("&lt;script&gt;alert(&#39;1&#39;)"), "{part}");
        }
    }

    /// However large the log, the drawing stays small, and every entry is in it: alone, or in a whole subtree.
    #[test]
    fn drawing_of_any_log_is_small_and_whole() {
        for size in [1, 2, 7, 24, 25, 1000, 1 << 40] {
            let drawn = tree::draw(size, &BTreeMap::new());
            let single = drawn.matches("class=\"leaf").count() as u64;
            let wholes = drawn.split("class=\"whole\"").skip(1).map(|whole| {
                let (_, rest) = whole.split_once("entries ").unwrap();
                let (first, rest) = rest.split_once(" to ").unwrap();
                let (last, _) = rest.split_once('<').unwrap();
                last.parse::<u64>().unwrap() - first.parse::<u64>().unwrap() + 1
            });
            assert_eq!(single + wholes.sum::<u64>(), size);
            assert!(
                single >= size.min(23) && drawn.len() < 40_000,
                "{size}: {single}"
            );
        }
        assert!(!tree::draw(0, &BTreeMap::new()).contains("<svg"));
    }
}
