//! Figures as Markdown tables.

use super::goal;
use super::results::{Cost, PairResult, Results, Row};
use super::scale;
use super::tool::Tool;

/// Everything, as it is printed and as it stands in the document.
pub(super) fn all(results: &Results) -> String {
    let mut text = String::new();
    for line in &results.machine {
        text.push_str(&format!("* {line}\n"));
    }
    let parts = [
        ("Pairs", pairs(results)),
        ("Patch bytes", patches(results)),
        ("Patch bytes as a share of hdiffz", shares(results)),
        ("CPU and memory to create", costs(results, |row| row.create)),
        ("CPU and memory to apply", costs(results, |row| row.apply)),
        ("Goals", goals(results)),
    ];
    for (title, part) in parts.iter().filter(|(_, part)| !part.is_empty()) {
        text.push_str(&format!("\n### {title}\n\n{part}"));
    }
    let left_out = results.pairs.iter().flat_map(|pair| {
        let line = move |why: &String| format!("{}: {why}", pair.name);
        pair.left_out.iter().map(line)
    });
    let missing: Vec<String> = left_out.chain(results.skipped.clone()).collect();
    if !missing.is_empty() {
        text.push_str("\n### Not measured\n\n");
        for line in missing {
            text.push_str(&format!("* {line}\n"));
        }
    }
    text
}

/// One measurement on one line.
pub(super) fn line(row: &Row) -> String {
    let cost_of = |it: &Option<Cost>| it.as_ref().map_or_else(|| "–".to_owned(), cost);
    format!(
        "{}: {} bytes, create {}, apply {}",
        row.tool.label(),
        row.patch_bytes,
        cost_of(&row.create),
        cost_of(&row.apply)
    )
}

/// Seconds and memory.
pub(super) fn cost(cost: &Cost) -> String {
    let memory = scale::bytes(cost.memory_bytes as f64);
    format!("{} / {memory}", seconds(cost.user_seconds))
}

fn seconds(value: f64) -> String {
    match value {
        _ if value >= 9.95 => format!("{value:.1} s"),
        _ if value >= 0.095 => format!("{value:.2} s"),
        _ => format!("{value:.3} s"),
    }
}

/// A Markdown table; columns of numbers are set to the right.
pub(super) fn markdown(head: &[String], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let is_number = |column: usize| {
        let mut cells = rows.iter().filter_map(|row| row.get(column));
        cells.all(|cell| cell.starts_with(|c: char| c.is_ascii_digit() || "–*≤".contains(c)))
    };
    let mut text = line(head);
    text.push('|');
    let rules = (0..head.len()).map(|column| if is_number(column) { "-:|" } else { "-|" });
    text.extend(rules);
    text.push('\n');
    text.extend(rows.iter().map(|row| line(row)));
    text
}

fn strings(cells: &[&str]) -> Vec<String> {
    cells.iter().map(ToString::to_string).collect()
}

fn pairs(results: &Results) -> String {
    let row = |pair: &PairResult| {
        vec![
            pair.name.clone(),
            scale::bytes(pair.old_bytes as f64),
            scale::bytes(pair.new_bytes as f64),
            if pair.tuned { "yes" } else { "no" }.to_owned(),
            pair.what.clone(),
        ]
    };
    let rows: Vec<_> = results.pairs.iter().map(row).collect();
    markdown(&strings(&["pair", "old", "new", "tuned on", "what"]), &rows)
}

/// Tools that have a figure on any pair.
fn tools(results: &Results) -> Vec<Tool> {
    let measured = |tool: &Tool| results.pairs.iter().any(|pair| pair.row(*tool).is_some());
    Tool::ALL.into_iter().filter(measured).collect()
}

/// A table of all pairs and tools.
fn grid(results: &Results, cell: impl Fn(&PairResult, Tool) -> Option<String>) -> String {
    let tools = tools(results);
    let mut head = vec!["pair".to_owned()];
    head.extend(tools.iter().map(|tool| tool.label().to_owned()));
    let row = |pair: &PairResult| {
        let mut row = vec![pair.name.clone()];
        let cells = tools.iter().map(|tool| cell(pair, *tool));
        row.extend(cells.map(|cell| cell.unwrap_or_else(|| "–".to_owned())));
        row
    };
    let rows: Vec<_> = results.pairs.iter().map(row).collect();
    markdown(&head, &rows)
}

fn patches(results: &Results) -> String {
    let from_elsewhere = |row: &Row| row.create.is_none();
    let text = grid(results, |pair, tool| {
        let least = pair.rows.iter().map(|row| row.patch_bytes).min();
        let row = pair.row(tool)?;
        let mark = if from_elsewhere(row) { "*" } else { "" };
        let bytes = row.patch_bytes;
        Some(if Some(bytes) == least {
            format!("**{bytes}**{mark}")
        } else {
            format!("{bytes}{mark}")
        })
    });
    let rows = || results.pairs.iter().flat_map(|pair| &pair.rows);
    if rows().any(from_elsewhere) {
        return format!("{text}\n\\* from the reference\n");
    }
    text
}

fn shares(results: &Results) -> String {
    let known = |pair: &&PairResult| pair.bytes(Tool::Hdiffz).is_some();
    if results.pairs.iter().find(known).is_none() {
        return String::new();
    }
    grid(results, |pair, tool| {
        let other = pair.bytes(Tool::Hdiffz)? as f64;
        Some(format!("{:.3}", pair.bytes(tool)? as f64 / other))
    })
}

fn costs(results: &Results, which: impl Fn(&Row) -> Option<Cost>) -> String {
    let python = results
        .pairs
        .iter()
        .flat_map(|pair| &pair.rows)
        .any(|row| row.python);
    let mut text = grid(results, |pair, tool| {
        which(pair.row(tool)?).as_ref().map(cost)
    });
    let creates = results.pairs.iter().any(|pair| {
        let costs = pair.rows.iter().map(|row| (which(row), row.create));
        costs.clone().any(|(cost, _)| cost.is_some()) && costs.clone().all(|(one, all)| one == all)
    });
    if creates {
        let both = results.pairs.iter().filter_map(|pair| {
            let both = cost(pair.both.as_ref()?);
            Some(vec![pair.name.clone(), both])
        });
        let head = strings(&["pair", "both of our coders in one run"]);
        text.push('\n');
        text.push_str(&markdown(&head, &both.collect::<Vec<_>>()));
    } else if python {
        text.push_str(
            "\nhdiffz was run by its Python module, which holds both images to apply; its own \
             program `hpatchz` takes about 4.7 MB (from the reference).\n",
        );
    }
    text
}

fn goals(results: &Results) -> String {
    let row = |goal: &goal::Goal| {
        vec![
            goal.what.clone(),
            format!("{:.3}", goal.share),
            format!("≤ {:.2}", goal.most),
            if goal.is_met() { "met" } else { "**not met**" }.to_owned(),
        ]
    };
    let rows: Vec<_> = goal::goals(results).iter().map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let table = markdown(
        &strings(&["ours against", "share", "goal", "result"]),
        &rows,
    );
    format!(
        "{table}\nThe prototype's figures are from another run on the same kind of machine. Its `upd` \
         and `big` were other builds, so that its share of hdiffz stands for its bytes there. Of hdiffz the smaller figure \
         counts, that of this run or of the reference.\n"
    )
}
