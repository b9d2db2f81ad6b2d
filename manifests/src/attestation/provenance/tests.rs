//! Provenance.

use super::*;
use crate::digest::Sha256;

fn provenance() -> Provenance {
    Provenance {
        build_type: "https://actions.github.io/buildtypes/workflow/v1".to_owned(),
        external_parameters: Json::object([("workflow", "release.yml".into())]),
        internal_parameters: Some(Json::object([("github", Json::object([]))])),
        dependencies: vec![Dependency {
            uri: "git+https://github.com/acme/cam-fw@refs/tags/v1.4.2".to_owned(),
            git_commit: Some("9651fc25".repeat(5)),
            sha256: Some(Sha256::of(b"archive")),
        }],
        builder: "https://ci.acme.example/builder/1".to_owned(),
        invocation: Some("https://github.com/acme/cam-fw/actions/runs/77/attempts/1".to_owned()),
        times: [Some(UtcTime::from_unix(1_795_330_100)), None],
    }
}

#[test]
fn is_read_as_it_was_written() {
    let whole = provenance();
    assert_eq!(Provenance::from_json(&whole.to_json()), Ok(whole.clone()));
    let least = Provenance {
        dependencies: Vec::new(),
        invocation: None,
        times: [None, None],
        ..whole
    };
    assert_eq!(Provenance::from_json(&least.to_json()), Ok(least));
}

/// Of SLSA's members, those that it requires are enough.
#[test]
fn what_is_required_is_enough() {
    let text = br#"{"buildDefinition":{"buildType":"t","externalParameters":{}},"runDetails":{"builder":{"id":"b"}}}"#;
    let read = Provenance::from_json(&crate::json::parse(text).unwrap()).unwrap();
    assert_eq!(
        (read.build_type.as_str(), read.builder.as_str()),
        ("t", "b")
    );
    assert!(read.dependencies.is_empty() && read.invocation.is_none());
}

#[test]
fn what_is_malformed_is_refused() {
    let text = String::from_utf8(crate::json::encode(&provenance().to_json())).unwrap();
    for (from, to) in [
        ("\"buildType\":", "\"buildType\":7,\"x\":"),
        (
            "\"externalParameters\":{",
            "\"externalParameters\":[],\"x\":{",
        ),
        ("\"gitCommit\":\"9651", "\"gitCommit\":\"965"),
        ("\"gitCommit\":\"9651", "\"gitCommit\":\"965G"),
        ("\"sha256\":\"", "\"sha256\":\"0"),
        ("\"uri\":", "\"ur\":"),
        ("\"builder\":", "\"build\":"),
        ("\"startedOn\":\"2026", "\"startedOn\":\"26"),
        ("\"invocationId\":", "\"invocationId\":7,\"x\":"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let json = crate::json::parse(changed.as_bytes()).unwrap();
        assert!(Provenance::from_json(&json).is_err(), "{changed}");
    }
}
