//! Evidence of one release: who may say what, about which image, and that each says the same (threats M29).

use keys::SigningKey;

use super::*;
use crate::attestation::example::{self, INDEX, key, log_key, policy};
use crate::attestation::provenance::Dependency;
use crate::attestation::statement::Subject;
use crate::author;
use crate::delegations::{Delegation, Delegations, Scope};
use crate::digest::Blake3;
use crate::envelope::{Authority, Envelope as SignedEnvelope};
use crate::header::Header;
use crate::instant::UtcTime;
use crate::name::Name;
use crate::release::{Content, ImageFormat};
use crate::statement_keys::{Builder, Expectations, MEMBER, StatementKeys};
use crate::targets::Targets;

const IMAGE: &[u8] = b"image";
const SBOM: &[u8] = br#"{"bomFormat":"CycloneDX"}"#;
const BUILDER: &str = "https://ci.acme.example/builder/1";
/// Version of the product's metadata.
const VERSION: u64 = 4;

/// The publisher's key, the builder's, and a stranger's.
fn publisher() -> SigningKey {
    key(1)
}

fn builder() -> SigningKey {
    key(2)
}

fn stranger() -> SigningKey {
    key(9)
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn release() -> Release {
    Release {
        product: name("cam"),
        channel: name("stable"),
        version: "1.0.0".to_owned(),
        release: 7,
        security_version: 2,
        hardware: vec![name("cam-r3")],
        format: ImageFormat::Raw,
        image: Content {
            blake3: Blake3::new([1; 32]),
            size: 5,
        },
        deltas: Vec::new(),
    }
}

fn product(keys: &StatementKeys) -> Product {
    let signer = SigningKey::from_secret(keys::Algorithm::Ed25519, &[3; 32]).unwrap();
    let public = signer.public();
    let keys_of = [(author::key_id(&public), public.into())];
    let authority = Authority::new(keys_of.into(), 1).unwrap();
    let target = ProductTarget {
        length: 5,
        sha256: Sha256::of(IMAGE),
        release: Some(release()),
    };
    let header = Header {
        version: VERSION,
        expires: UtcTime::from_unix(1_800_000_000),
    };
    let targets = [("cam-1.0.0.bin".to_owned(), target.to_target())];
    let mut signed = Targets::new(header, targets.into(), Delegations::default()).to_signed();
    let Json::Object(members) = &mut signed else {
        panic!("an object");
    };
    members.insert(MEMBER.to_owned(), keys.to_json());
    let role = SignedEnvelope::<Targets>::parse(&author::sign(signed, &[&signer])).unwrap();
    let delegation = Delegation {
        name: "cam".to_owned(),
        authority: authority.clone(),
        scope: Scope::Paths(vec!["cam-*".to_owned()]),
        terminating: true,
    };
    Product::of(&role.verify(&authority).unwrap(), &delegation).unwrap()
}

fn trusting() -> Product {
    product(&StatementKeys {
        release: Some(publisher().public()),
        builders: vec![Builder {
            id: BUILDER.to_owned(),
            key: builder().public(),
            expects: Expectations::default(),
        }],
    })
}

fn provenance() -> Provenance {
    Provenance {
        build_type: "https://acme.example/build/1".to_owned(),
        external_parameters: Json::object([]),
        internal_parameters: None,
        dependencies: vec![Dependency {
            uri: "git+https://example.com/cam@refs/tags/v1".to_owned(),
            git_commit: Some("ab".repeat(20)),
            sha256: None,
        }],
        builder: BUILDER.to_owned(),
        invocation: None,
        times: [None, None],
    }
}

/// What is said of a file, and by whom.
#[derive(Clone)]
struct Said {
    image: Sha256,
    kind: String,
    predicate: Json,
    payload_type: &'static str,
    signer: fn() -> SigningKey,
}

impl Said {
    fn release(statement: &ReleaseStatement) -> Self {
        Self {
            image: Sha256::of(IMAGE),
            kind: statement::RELEASE.to_owned(),
            predicate: statement.to_json(),
            payload_type: IN_TOTO,
            signer: publisher,
        }
    }

    fn provenance(provenance: &Provenance) -> Self {
        Self {
            kind: statement::SLSA_PROVENANCE.to_owned(),
            predicate: provenance.to_json(),
            signer: builder,
            ..Self::release(&stated())
        }
    }

    fn rebuild(commit: &str) -> Self {
        Self {
            kind: statement::REBUILD.to_owned(),
            predicate: Json::object([("commit", commit.into())]),
            signer: stranger,
            ..Self::release(&stated())
        }
    }

    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut said = self.clone();
        change(&mut said);
        said
    }

    fn bundle(&self) -> Bundle {
        let statement = Statement {
            subjects: vec![Subject {
                name: "cam-1.0.0.bin".to_owned(),
                sha256: self.image,
            }],
            predicate_type: self.kind.clone(),
            predicate: self.predicate.clone(),
        };
        let payload = statement.encode();
        example::of_payload((self.payload_type, &payload), &(self.signer)())
    }
}

/// What the publisher says of the release, without anything beside it.
fn stated() -> ReleaseStatement {
    ReleaseStatement::of(&release())
}

/// A check of one bundle against the product.
fn check<T>(
    product: &Product,
    check: impl FnOnce(&Expected<'_>) -> Result<T, EvidenceError>,
) -> Result<T, EvidenceError> {
    let (image, release, policy) = (Sha256::of(IMAGE), release(), policy());
    check(&Expected {
        product,
        image: &image,
        release: &release,
        policy: &policy,
        latest: u64::MAX,
    })
}

fn check_release(said: &Said) -> Result<ReleaseStatement, EvidenceError> {
    let checked = check(&trusting(), |expected| {
        expected.check_release(&said.bundle())
    });
    checked.map(|(said, logged)| {
        assert_eq!((logged.index, logged.accepted.log), (INDEX, log_key(1).1));
        said
    })
}

fn kind(text: &str) -> EvidenceError {
    EvidenceError::Kind(text.to_owned())
}

#[test]
fn release_statement_counts_if_it_says_what_the_metadata_says_m29() {
    let whole = ReleaseStatement {
        previous: Some(INDEX - 1),
        metadata_version: Some(VERSION),
        ..stated()
    };
    assert_eq!(check_release(&Said::release(&whole)), Ok(whole.clone()));
    let said = Said::release(&stated());
    assert_eq!(check_release(&said), Ok(stated()));
    let other = Sha256::of(b"other");
    let cases = [
        (
            said.with(|it| it.image = other),
            EvidenceError::OtherImage(Sha256::of(IMAGE)),
        ),
        (
            said.with(|it| it.kind = statement::YANK.to_owned()),
            kind(statement::YANK),
        ),
        (
            said.with(|it| it.payload_type = "text/plain"),
            kind("text/plain"),
        ),
        (
            said.with(|it| it.signer = builder),
            EvidenceError::Bundle(BundleError::Signature),
        ),
        (
            Said::release(&ReleaseStatement {
                version: "1.0.1".to_owned(),
                ..stated()
            }),
            EvidenceError::Disagrees,
        ),
        (
            Said::release(&ReleaseStatement {
                metadata_version: Some(VERSION + 1),
                ..whole.clone()
            }),
            EvidenceError::Disagrees,
        ),
        (
            Said::release(&ReleaseStatement {
                previous: Some(INDEX),
                ..whole
            }),
            EvidenceError::Order(INDEX),
        ),
    ];
    for (said, error) in cases {
        assert_eq!(check_release(&said), Err(error));
    }
    let nothing = said.with(|it| it.predicate = Json::object([]));
    assert!(matches!(
        check_release(&nothing),
        Err(EvidenceError::Statement(_))
    ));
}

/// Names of a product's role decide whose word counts; nobody's does if it names none.
#[test]
fn product_without_keys_is_shown_by_nobody_m29() {
    let bare = product(&StatementKeys::default());
    let bundle = Said::release(&stated()).bundle();
    let no_key = EvidenceError::NoKey("statements of releases");
    let refused = check(&bare, |expected| expected.check_release(&bundle));
    assert_eq!(refused, Err(no_key.clone()));
    let file = example::of_file(IMAGE, &publisher());
    let refused = check(&bare, |expected| expected.check_image(&file));
    assert_eq!(refused, Err(no_key));
    let built = Said::provenance(&provenance()).bundle();
    let refused = check(&bare, |expected| {
        expected.check_provenance(&built, &stated())
    });
    assert_eq!(refused, Err(EvidenceError::Builder(BUILDER.to_owned())));
}

#[test]
fn image_counts_by_the_publishers_signature_alone_m29() {
    let product = trusting();
    let image = |file: &[u8], signer: &SigningKey| {
        let bundle = example::of_file(file, signer);
        check(&product, |expected| expected.check_image(&bundle)).map(|logged| logged.index)
    };
    assert_eq!(image(IMAGE, &publisher()), Ok(INDEX));
    let signature = Err(EvidenceError::Bundle(BundleError::Signature));
    assert_eq!(image(IMAGE, &builder()), signature);
    let other = BundleError::OtherFile(Sha256::of(b"other"));
    assert_eq!(
        image(b"other", &publisher()),
        Err(EvidenceError::Bundle(other))
    );
}

#[test]
fn provenance_counts_if_a_builder_says_so_and_the_release_names_it_m29() {
    let product = trusting();
    let built = Said::provenance(&provenance());
    let naming = |said: &Said| ReleaseStatement {
        provenance: digest(&said.bundle()),
        ..stated()
    };
    let refused = |said: &Said, release: &ReleaseStatement| {
        let bundle = said.bundle();
        let checked = check(&product, |it| it.check_provenance(&bundle, release));
        checked.map(|(provenance, _)| provenance)
    };
    assert_eq!(refused(&built, &naming(&built)), Ok(provenance()));
    // The release names none, or another one.
    let exchanged = Err(EvidenceError::Exchanged("provenance"));
    assert_eq!(refused(&built, &stated()), exchanged);
    let other = Said::provenance(&Provenance {
        invocation: Some("https://ci.acme.example/runs/2".to_owned()),
        ..provenance()
    });
    assert_eq!(refused(&other, &naming(&built)), exchanged);
    // By the publisher in the builder's name, by a builder that nobody named, of another kind, about another image.
    let as_publisher = built.with(|it| it.signer = publisher);
    let signature = Err(EvidenceError::Bundle(BundleError::Signature));
    assert_eq!(refused(&as_publisher, &naming(&as_publisher)), signature);
    let unknown = Said::provenance(&Provenance {
        builder: "https://evil.example".to_owned(),
        ..provenance()
    });
    let builder = EvidenceError::Builder("https://evil.example".to_owned());
    assert_eq!(refused(&unknown, &naming(&unknown)), Err(builder));
    let renamed = built.with(|it| it.kind = "https://slsa.dev/provenance/v0.2".to_owned());
    let old = Err(kind("https://slsa.dev/provenance/v0.2"));
    assert_eq!(refused(&renamed, &naming(&renamed)), old);
    let elsewhere = built.with(|it| it.image = Sha256::of(b"other"));
    let other_image = Err(EvidenceError::OtherImage(Sha256::of(IMAGE)));
    assert_eq!(refused(&elsewhere, &naming(&elsewhere)), other_image);
    // A signature of a file is no statement.
    let file = example::of_file(IMAGE, &self::builder());
    let no_statement = check(&product, |it| it.check_provenance(&file, &stated()));
    assert_eq!(no_statement, Err(kind("a signature of a file")));
}

#[test]
fn list_of_components_counts_if_the_release_names_it_m29() {
    let product = trusting();
    let sbom = Sha256::of(SBOM);
    let said = ReleaseStatement {
        sbom: Some(sbom),
        ..stated()
    };
    let listed = |said: &ReleaseStatement, signer: &SigningKey| {
        let bundle = example::of_file(SBOM, signer);
        let checked = check(&product, |it| it.check_sbom(&bundle, &sbom, said));
        checked.map(|logged| logged.index)
    };
    assert_eq!(listed(&said, &publisher()), Ok(INDEX));
    let exchanged = EvidenceError::Exchanged("list of components");
    assert_eq!(listed(&stated(), &publisher()), Err(exchanged));
    let signature = Err(EvidenceError::Bundle(BundleError::Signature));
    assert_eq!(listed(&said, &builder()), signature);
}

#[test]
fn rebuild_counts_by_a_rebuilders_key_and_of_the_same_sources_m29() {
    let product = trusting();
    let rebuilders = [key(8).public(), stranger().public()];
    let rebuilt = |said: &Said| {
        let bundle = said.bundle();
        let envelope = bundle.envelope().unwrap();
        check(&product, |it| {
            it.check_rebuild(envelope, &rebuilders, &provenance())
                .cloned()
        })
    };
    let same = Said::rebuild(&"ab".repeat(20));
    assert_eq!(rebuilt(&same), Ok(stranger().public()));
    let sources = Err(EvidenceError::OtherSources);
    assert_eq!(rebuilt(&Said::rebuild(&"cd".repeat(20))), sources);
    assert_eq!(
        rebuilt(&same.with(|it| it.predicate = Json::object([]))),
        sources
    );
    let nobody = Err(EvidenceError::NoKey("this rebuild"));
    assert_eq!(rebuilt(&same.with(|it| it.signer = publisher)), nobody);
    let renamed = same.with(|it| it.kind = statement::INSTALL.to_owned());
    assert_eq!(rebuilt(&renamed), Err(kind(statement::INSTALL)));
    let elsewhere = same.with(|it| it.image = Sha256::of(b"other"));
    let other_image = Err(EvidenceError::OtherImage(Sha256::of(IMAGE)));
    assert_eq!(rebuilt(&elsewhere), other_image);
}

/// A builder's key may be one for all that a company builds: what it is believed of is narrower.
#[test]
fn provenance_of_what_the_builder_may_not_build_is_refused_m29() {
    let expecting = |expects: Expectations| {
        let product = product(&StatementKeys {
            release: Some(publisher().public()),
            builders: vec![Builder {
                id: BUILDER.to_owned(),
                key: builder().public(),
                expects,
            }],
        });
        let built = Said::provenance(&Provenance {
            external_parameters: Json::object([("ref", "v1".into()), ("debug", "1".into())]),
            ..provenance()
        });
        let built = built.bundle();
        let said = ReleaseStatement {
            provenance: digest(&built),
            ..stated()
        };
        check(&product, |it| it.check_provenance(&built, &said)).map(drop)
    };
    let of = |build_type: &str, source: &str, parameters: &[&str]| Expectations {
        build_type: Some(build_type.to_owned()),
        source: Some(source.to_owned()),
        parameters: Some(parameters.iter().map(|name| (*name).to_owned()).collect()),
    };
    let (kind, source) = (
        "https://acme.example/build/1",
        "git+https://example.com/cam",
    );
    assert_eq!(
        expecting(of(kind, source, &["ref", "debug", "more"])),
        Ok(())
    );
    let refused = |text: &str| Err(EvidenceError::Unexpected(text.to_owned()));
    assert_eq!(
        expecting(of(kind, source, &["ref"])),
        refused("parameter debug")
    );
    let other = "git+https://example.com/ca";
    let unmet = refused("source git+https://example.com/cam@refs/tags/v1");
    assert_eq!(expecting(of(kind, other, &["ref", "debug"])), unmet);
    assert_eq!(
        expecting(of("x", source, &[])),
        refused(&format!("build type {kind}"))
    );
}
