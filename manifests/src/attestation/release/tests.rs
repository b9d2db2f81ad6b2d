//! What is said of a release, against what the metadata says.

use super::*;
use crate::digest::Blake3;
use crate::json;
use crate::release::{Content, ImageFormat};

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn release() -> Release {
    Release {
        product: name("cam"),
        channel: name("stable"),
        version: "1.4.2+rc 1".replace(' ', "~"),
        release: 7,
        security_version: 2,
        hardware: vec![name("cam-r3"), name("cam-r4")],
        format: ImageFormat::Raw,
        image: Content {
            blake3: Blake3::new([1; 32]),
            size: 9,
        },
        deltas: Vec::new(),
    }
}

fn statement() -> ReleaseStatement {
    let source = Source {
        repository: "git+https://example.com/cam@refs/heads/main".to_owned(),
        commit: "ab".repeat(20),
    };
    let digest = |byte| Some(Sha256::new([byte; 32]));
    ReleaseStatement {
        source: Some(source),
        provenance: digest(1),
        sbom: digest(2),
        previous: Some(3),
        metadata_version: Some(4),
        ..ReleaseStatement::of(&release())
    }
}

#[test]
fn is_read_as_it_was_written() {
    let plain = ReleaseStatement::of(&release());
    for said in [statement(), plain] {
        let bytes = json::encode(&said.to_json());
        let read = ReleaseStatement::from_json(&json::parse(&bytes).unwrap());
        assert_eq!(read, Ok(said));
    }
}

#[test]
fn is_a_release_of_in_toto_to_others() {
    let json = statement().to_json();
    assert_eq!(json.string("purl").unwrap(), "pkg:generic/cam@1.4.2%2Brc~1");
    assert_eq!(json.string("releaseId").unwrap(), "7");
}

#[test]
fn any_difference_to_the_metadata_is_told() {
    let said = statement();
    assert!(said.agrees_with(&release()));
    let changes: [fn(&mut Release); 6] = [
        |it| it.product = name("dam"),
        |it| it.channel = name("dev"),
        |it| it.version.push('0'),
        |it| it.release += 1,
        |it| it.security_version -= 1,
        |it| drop(it.hardware.pop()),
    ];
    for change in changes {
        let mut other = release();
        change(&mut other);
        assert!(!said.agrees_with(&other), "{other:?}");
    }
}

#[test]
fn malformed_statements_are_refused() {
    let good = String::from_utf8(json::encode(&statement().to_json())).unwrap();
    for (from, to) in [
        ("\"product\":\"cam\"", "\"product\":\"../cam\""),
        ("\"release\":7", "\"release\":-7"),
        ("\"streembit\"", "\"other\""),
        ("\"sbomSha256\":\"02", "\"sbomSha256\":\"2"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        let read = json::parse(bad.as_bytes()).and_then(|json| ReleaseStatement::from_json(&json));
        assert!(read.is_err(), "{bad}");
    }
}
