//! `cargo xtask bench delta`: size, CPU and memory of our patches and of other tools' on real images.
//!
//! # Layout
//!
//! * `pair`: the pairs of images; `apt`, `image`: how they are fetched and put together.
//! * `tool`: the tools and their command lines; `process`, `measure`: how they are run and measured.
//! * `results`: the figures; `reference`: figures from elsewhere; `goal`: what is to be reached.
//! * `table`, `front`, `scale`, `plot`, `document`: figures as text and pictures.

mod apt;
mod document;
mod front;
mod goal;
mod image;
mod machine;
pub(crate) mod measure;
mod pair;
mod plot;
mod process;
mod reference;
mod results;
mod scale;
mod table;
#[cfg(test)]
mod tests;
mod tool;

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;

use pair::Pair;
use process::Failure;
use results::{PairResult, Results};
use tool::{HDiff, Programs, Tool};

/// Where fetched packages, images and results are kept, below the repository.
const KEEP: &str = "target/bench/delta";
const DOCUMENT: &str = "docs/benchmarks.md";
const PLOTS: &str = "docs/benchmarks";

/// What to measure, and what to do with the figures.
#[derive(Debug, clap::Args)]
pub(crate) struct Plan {
    /// Pairs to measure, by name [default: all]
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pairs: Vec<String>,
    /// Measure your own images instead of the known pairs
    #[arg(long, value_name = "NAME=OLD,NEW")]
    pair_files: Vec<String>,
    /// The rival hdiffz; hpatchz is looked for beside it
    #[arg(long, value_name = "PATH", conflicts_with = "hdiffz_python")]
    hdiffz: Option<PathBuf>,
    /// A Python with the module hdiffpatch, in place of hdiffz
    #[arg(long, value_name = "PATH")]
    hdiffz_python: Option<PathBuf>,
    /// Keep packages, images and results here [default: target/bench/delta]
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Pairs measured at once; above 1, CPU seconds grow on shared cores
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Take kept results of an earlier run where there are any
    #[arg(long)]
    reuse: bool,
    /// Cargo profile of our own programs
    #[arg(long, default_value = "release")]
    profile: String,
    /// Print the results as JSON
    #[arg(long)]
    json: bool,
    /// Write tables and plots into docs/
    #[arg(long)]
    write: bool,
}

/// Measures; exit 1 if a tool failed or a patch did not rebuild its target.
pub(crate) fn run(root: &Path, plan: &Plan) -> ExitCode {
    match measure_all(root, plan) {
        Ok(results) if results.failures.is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn measure_all(root: &Path, plan: &Plan) -> Result<Results, Failure> {
    let pairs = pair::wanted(&plan.pairs, &plan.pair_files)?;
    let keep = plan.keep.clone().unwrap_or_else(|| root.join(KEEP));
    fs::create_dir_all(keep.join("results"))
        .map_err(|error| Failure::new(keep.display(), error))?;
    let keep = fs::canonicalize(&keep).map_err(|error| Failure::new(keep.display(), error))?;
    let hdiff = match (&plan.hdiffz, &plan.hdiffz_python) {
        (Some(program), _) => HDiff::Program(program.clone()),
        (None, Some(python)) => HDiff::Python(python.clone()),
        (None, None) => HDiff::Missing,
    };
    let programs = Programs::find(root, &plan.profile, hdiff)?;
    let mut results = Results::new(machine::describe(&programs));
    for (tool, why) in programs.missing() {
        skip(&mut results, format!("{}: {why}", tool.label()));
    }
    let bench = Bench {
        keep,
        reuse: plan.reuse,
        programs,
    };
    let order: Vec<String> = pairs.iter().map(|pair| pair.name.clone()).collect();
    let queue = Mutex::new(VecDeque::from(pairs));
    let shared = Mutex::new(&mut results);
    let work = || {
        while let Some(pair) = queue.lock().ok().and_then(|mut it| it.pop_front()) {
            let ended = bench.pair(&pair);
            if let Ok(mut results) = shared.lock() {
                settle(&mut results, &pair, ended);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..plan.jobs.max(1) {
            scope.spawn(work);
        }
    });
    results
        .pairs
        .sort_by_key(|pair| order.iter().position(|name| *name == pair.name));
    publish(root, plan, &results)?;
    Ok(results)
}

/// Why a pair has no figures.
enum Missing {
    /// The images can't be had, which is no fault of any tool.
    Images(Failure),
    /// A tool failed.
    Figures(Failure),
}

fn settle(results: &mut Results, pair: &Pair, ended: Result<PairResult, Missing>) {
    match ended {
        Ok(result) => results.pairs.push(result),
        Err(Missing::Images(why)) => skip(results, format!("{}: {why}", pair.name)),
        Err(Missing::Figures(why)) => {
            eprintln!("FAILED: {}: {why}", pair.name);
            results.failures.push(format!("{}: {why}", pair.name));
        }
    }
}

fn skip(results: &mut Results, what: String) {
    eprintln!("SKIPPED: {what}");
    results.skipped.push(what);
}

/// Prints, and writes into docs/ if asked to.
fn publish(root: &Path, plan: &Plan, results: &Results) -> Result<(), Failure> {
    if plan.json {
        let text = serde_json::to_string_pretty(results);
        println!("{}", text.map_err(|error| Failure::new("results", error))?);
    } else {
        println!("{}", table::all(results));
    }
    if !plan.write {
        return Ok(());
    }
    let folder = root.join(PLOTS);
    let write = |path: &Path, text: String| {
        fs::write(path, text).map_err(|error| Failure::new(path.display(), error))
    };
    fs::create_dir_all(&folder).map_err(|error| Failure::new(folder.display(), error))?;
    for pair in &results.pairs {
        write(&folder.join(format!("{}.svg", pair.name)), plot::svg(pair))?;
    }
    let path = root.join(DOCUMENT);
    let text = fs::read_to_string(&path).map_err(|error| Failure::new(path.display(), error))?;
    let section = document::section(results);
    let text = document::replace(&text, &section)
        .ok_or_else(|| Failure::new(path.display(), document::NO_MARKERS))?;
    write(&path, text)?;
    eprintln!("bench: wrote {DOCUMENT} and {PLOTS}/");
    Ok(())
}

/// What all pairs share.
struct Bench {
    keep: PathBuf,
    reuse: bool,
    programs: Programs,
}

impl Bench {
    fn pair(&self, pair: &Pair) -> Result<PairResult, Missing> {
        let kept = self
            .keep
            .join("results")
            .join(format!("{}.json", pair.name));
        if self.reuse
            && let Ok(text) = fs::read_to_string(&kept)
        {
            return serde_json::from_str(&text)
                .map_err(|error| Missing::Figures(Failure::new(kept.display(), error)));
        }
        eprintln!("{}: images", pair.name);
        let images = image::images(&self.keep, pair).map_err(Missing::Images)?;
        let result = self.tools(pair, &images).map_err(Missing::Figures)?;
        let text = serde_json::to_string_pretty(&result).unwrap_or_default();
        fs::write(&kept, text)
            .map_err(|error| Missing::Figures(Failure::new(kept.display(), error)))?;
        Ok(result)
    }

    fn tools(&self, pair: &Pair, images: &image::Images) -> Result<PairResult, Failure> {
        let folder = self.keep.join("work").join(&pair.name);
        fs::create_dir_all(&folder).map_err(|error| Failure::new(folder.display(), error))?;
        let run = measure::Run::new(&self.programs, images, &folder)?;
        let mut result = PairResult::new(pair, images, &run);
        for tool in Tool::ALL {
            if !self.programs.has(tool) {
                result.rows.extend(reference::hdiffz(tool, &pair.name));
                continue;
            }
            if let Some(why) = tool.left_out(result.old_bytes.max(result.new_bytes)) {
                result.left_out.push(format!("{}: {why}", tool.label()));
                continue;
            }
            let row = run.tool(tool)?;
            eprintln!("{}: {}", pair.name, table::line(&row));
            result.rows.push(row);
        }
        let both = run.both()?;
        eprintln!("{}: both coders: {}", pair.name, table::cost(&both));
        result.both = Some(both);
        drop(fs::remove_dir_all(&folder));
        Ok(result)
    }
}
