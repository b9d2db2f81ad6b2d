//! The templates for CI, with their scripts as they are written.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use manifests::attestation::bundle::Bundle;
use support::logged::Publisher;
use support::programs::{command, folder, json, repository_root, text};

/// The value of a key of a template.
fn value<'a>(template: &'a str, key: &str) -> &'a str {
    let start = format!("{key}: ");
    let line = template
        .lines()
        .find_map(|line| line.trim().strip_prefix(&start));
    line.unwrap_or_else(|| panic!("no {key}"))
}

/// A publisher with a builder's key, an image and a list of components.
struct Job {
    publisher: Publisher,
}

impl Job {
    fn new(builder: &str) -> Self {
        let publisher = Publisher::empty();
        publisher.name_builder(builder);
        fs::write(publisher.path("image"), "image").unwrap();
        let sbom = r#"{"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1}"#;
        fs::write(publisher.path("sbom.json"), sbom).unwrap();
        Self { publisher }
    }

    /// Runs a script with these variables alone, and the programs on the path.
    fn run(&self, script: &str, variables: &BTreeMap<&str, String>) -> std::process::Output {
        let path = format!("{}:{}", folder().display(), std::env::var("PATH").unwrap());
        let mut shell = command("/bin/sh", self.publisher.folder());
        shell
            .args(["-e", "-c", script])
            .env_clear()
            .env("PATH", path)
            .envs(variables);
        shell.output().unwrap()
    }

    /// What an auditor sees of the pack.
    fn verified(&self) -> serde_json::Value {
        self.publisher
            .ok(&["pin", "-o", "cam.pin", "--grade", "B1", "--sbom"]);
        let words = ["verify", "evidence.pack", "image", "--pin", "cam.pin"];
        json("streembit-audit", &words, self.publisher.folder())
    }
}

fn templates() -> PathBuf {
    repository_root().join("ci-templates")
}

fn github_job() -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_REPOSITORY", "acme/cam"),
        ("GITHUB_REF", "refs/heads/main"),
        ("GITHUB_SHA", "abababababababababababababababababababab"),
        (
            "GITHUB_WORKFLOW_REF",
            "acme/cam/.github/workflows/release.yml@refs/heads/main",
        ),
        ("GITHUB_RUN_ID", "77"),
        ("GITHUB_RUN_ATTEMPT", "1"),
        ("GITHUB_EVENT_NAME", "push"),
        ("GITHUB_OUTPUT", "outputs"),
        ("GITHUB_STEP_SUMMARY", "summary"),
    ])
    .into_iter()
    .map(|(name, value)| (name, value.to_owned()))
    .collect()
}

#[test]
fn action_for_github_releases_with_provenance_of_its_run() {
    let job = Job::new("https://github.com/acme/cam/.github/workflows/release.yml");
    let template = fs::read_to_string(templates().join("github/action.yml")).unwrap();
    let mut variables = github_job();
    variables.insert(
        "GITHUB_ACTION_PATH",
        templates().join("github").display().to_string(),
    );
    let inputs = BTreeMap::from([
        ("image", "image"),
        ("version", "1.0.0"),
        ("repository", "repository"),
        ("builder-key", "file:builder.key"),
        ("sbom", "sbom.json"),
        ("pack", "evidence.pack"),
    ]);
    for line in template
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("STREEMBIT_"))
    {
        let (name, value) = line.split_once(": ").unwrap();
        let input = value
            .strip_prefix("${{ inputs.")
            .and_then(|value| value.strip_suffix(" }}"));
        let value = input.map_or(value, |input| {
            inputs.get(input).copied().unwrap_or_default()
        });
        variables.insert(
            Box::leak(name.to_owned().into_boxed_str()),
            value.to_owned(),
        );
    }
    let output = job.run(value(&template, "run"), &variables);
    assert!(output.status.success(), "{}", text(&output));
    let outputs = fs::read_to_string(job.publisher.path("outputs")).unwrap();
    assert!(outputs.contains("pack=evidence.pack\n"), "{outputs}");
    let summary = fs::read_to_string(job.publisher.path("summary")).unwrap();
    assert!(summary.contains("Released 1.0.0"), "{summary}");
    // What the job's author chose, and what the platform set.
    let path = "repository/log/evidence/cam-1.0.0.bin/provenance.sigstore.json";
    let bundle = fs::read(job.publisher.path(path)).unwrap();
    let bundle = Bundle::parse(&bundle).unwrap();
    let payload = &bundle.envelope().unwrap().payload;
    let said: serde_json::Value = serde_json::from_slice(payload).unwrap();
    let build = &said["predicate"]["buildDefinition"];
    let chosen: Vec<&String> = build["externalParameters"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(chosen, ["workflow"]);
    assert_eq!(build["internalParameters"]["github"]["event_name"], "push");
    let verified = job.verified();
    assert_eq!(verified["grade"], "B1");
    let shown = verified.to_string();
    assert!(
        shown.contains("git+https://github.com/acme/cam@refs/heads/main at abababababab"),
        "{shown}"
    );
    assert!(shown.contains("actions/runs/77/attempts/1"), "{shown}");
}

#[test]
fn template_for_gitlab_releases_with_provenance_of_its_job() {
    let job = Job::new("https://gitlab.example/acme/cam/-/.gitlab-ci.yml");
    let template = fs::read_to_string(templates().join("gitlab/release.yml")).unwrap();
    let variables = BTreeMap::from([
        (
            "CI_PROJECT_URL",
            "https://gitlab.example/acme/cam".to_owned(),
        ),
        ("CI_COMMIT_SHA", "cd".repeat(20)),
        ("CI_COMMIT_REF_NAME", "main".to_owned()),
        ("CI_PIPELINE_ID", "9".to_owned()),
        (
            "CI_JOB_URL",
            "https://gitlab.example/acme/cam/-/jobs/5".to_owned(),
        ),
        ("CI_CONFIG_PATH", ".gitlab-ci.yml".to_owned()),
        ("STREEMBIT_TEMPLATES", templates().display().to_string()),
        (
            "STREEMBIT_FROM",
            value(&template, "STREEMBIT_FROM").to_owned(),
        ),
        (
            "STREEMBIT_REPOSITORY",
            value(&template, "STREEMBIT_REPOSITORY").to_owned(),
        ),
        (
            "STREEMBIT_PACK",
            value(&template, "STREEMBIT_PACK").to_owned(),
        ),
        ("STREEMBIT_IMAGE", "image".to_owned()),
        ("STREEMBIT_VERSION", "1.0.0".to_owned()),
        ("STREEMBIT_SBOM", "sbom.json".to_owned()),
        ("STREEMBIT_BUILDER_KEY", "file:builder.key".to_owned()),
    ]);
    let script = template
        .lines()
        .find_map(|line| line.trim().strip_prefix("- "));
    let output = job.run(script.unwrap(), &variables);
    assert!(output.status.success(), "{}", text(&output));
    let shown = job.verified().to_string();
    assert!(shown.contains("cdcdcdcdcdcd"), "{shown}");
}

/// Nothing that was asked for is left out silently.
#[test]
fn unknown_and_missing_variables_are_errors() {
    let job = Job::new("https://ci.example");
    let script = format!("sh {}", templates().join("release.sh").display());
    let mut variables = BTreeMap::from([("STREEMBIT_IMAGE", "image".to_owned())]);
    assert!(!job.run(&script, &variables).status.success());
    variables.insert("STREEMBIT_VERSION", "1.0.0".to_owned());
    variables.insert("STREEMBIT_PROVENANCE_FROM", "github".to_owned());
    let output = job.run(&script, &variables);
    assert!(
        text(&output).contains("STREEMBIT_PROVENANCE_FROM is not known"),
        "{}",
        text(&output)
    );
    variables.remove("STREEMBIT_PROVENANCE_FROM");
    variables.insert("STREEMBIT_FROM", "github".to_owned());
    variables.insert("STREEMBIT_BUILDER_KEY", "file:builder.key".to_owned());
    let output = job.run(&script, &variables);
    assert!(
        !output.status.success() && text(&output).contains("$GITHUB_"),
        "{}",
        text(&output)
    );
}

/// What would be ignored is refused, before anything is written.
#[test]
fn options_of_another_source_are_refused() {
    let job = Job::new("https://ci.example.com");
    let keys = ["keys", "create", "ed.key", "--algorithm", "ed25519"];
    job.publisher.ok(&[&keys[..], &["--no-passcode"]].concat());
    let words = ["provenance", "image", "-o", "provenance", "--from"];
    let builder = ["--key", "file:builder.key"];
    let generic = ["generic", "--builder", "b", "--source", "s", "--commit"];
    let commit = "abababababababababababababababababababab";
    for (more, exit, word) in [
        (&["github", "--source", "s"][..], 2, "--source is for"),
        (&["gitlab", "--commit", commit], 2, "--commit is for"),
        (
            &["generic", "--builder", "b", "--predicate", "image"],
            2,
            "--predicate is for",
        ),
        (
            &["file", "--predicate", "image", "--source", "s"],
            2,
            "--source is for",
        ),
    ] {
        let all = [&words[..], more, &builder].concat();
        let (code, said) = job.publisher.fails(&all);
        assert!(code == Some(exit) && said.contains(word), "{said}");
    }
    let ed25519 = [&words[..], &generic, &[commit, "--key", "file:ed.key"]].concat();
    let (_, said) = job.publisher.fails(&ed25519);
    assert!(said.contains("P-256"), "{said}");
    assert!(!job.publisher.path("provenance").exists());
}
