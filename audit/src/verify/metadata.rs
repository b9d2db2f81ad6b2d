//! The signed metadata: root chain, roles, the release, the image.

use cli::Exit;
use manifests::client::{self, Client, ClientError, Reason, Repository, Stored};
use manifests::digest::Sha256;
use manifests::envelope::Metadata as _;
use manifests::evidence::pack::METADATA;
use manifests::product::{Product, ProductTarget};
use manifests::release::Release;

use super::Case;
use crate::finding::Finding;

/// The repository as a device with this pin would verify it.
pub(super) fn check(case: &Case<'_>) -> (Vec<Finding>, Option<Repository>) {
    let pin = &case.trusted.pin;
    if case.pack.about.product != pin.product.as_str() {
        let text = format!(
            "the pack is of {}, the pin of {}",
            case.pack.about.product, pin.product
        );
        return (vec![Finding::fail("pack/product", text, Exit::Usage)], None);
    }
    let followed = follow(case);
    let repository = match followed {
        Ok(repository) => repository,
        Err(error) => return (vec![refused(&error)], None),
    };
    let root = &repository.root;
    let findings = vec![Finding::ok(
        "root/chain",
        format!(
            "publisher {:.16}, root v{} signed by {} of {} keys, {} needed",
            pin.publisher_id.to_string(),
            root.header().version,
            root.signers().len(),
            root.role(manifests::root::Role::Root).distinct_keys().len(),
            root.role(manifests::root::Role::Root).threshold(),
        ),
    )];
    (findings, Some(repository))
}

/// Runs the workflow of TUF; more roots than one run takes are followed by the next.
fn follow(case: &Case<'_>) -> Result<Repository, ClientError> {
    let pin = &case.trusted.pin;
    let mut stored = Stored::from_pin(pin);
    loop {
        let client = Client::for_product(stored.clone(), pin.product.clone(), case.at)?;
        let read = |request: &client::Request| {
            let name = format!("{METADATA}{}", request.name);
            Ok::<_, ClientError>(case.pack.file(&name).map(<[u8]>::to_vec))
        };
        let apply = |effect| {
            stored.apply(&effect);
            Ok(())
        };
        match client::run(client, read, apply) {
            Err(error) if matches!(error.reason, Reason::TooManyRoots(_)) => {}
            result => return result,
        }
    }
}

fn refused(error: &ClientError) -> Finding {
    let (exit, fix) = match &error.reason {
        Reason::Expired { .. } => (
            Exit::Stale,
            "get a newer pack, or ask about the past: --at TIME",
        ),
        Reason::Rollback { .. } => (Exit::Rollback, "the pack is older than what it refers to"),
        Reason::Equivocation(_) => (
            Exit::Equivocation,
            "keep the pack: two files of one version differ",
        ),
        Reason::Absent => (Exit::Undecided, "the pack is not whole: make it again"),
        _ => (
            Exit::No,
            "don't trust it: the metadata is not the publisher's",
        ),
    };
    let finding = Finding::fail("metadata", error, exit);
    finding
        .of(format_args!("{METADATA}{}", error.file))
        .fix(fix)
}

/// The release that the pack is of.
pub(super) fn target<'a>(
    case: &Case<'_>,
    product: &'a Product,
) -> (Vec<Finding>, Option<(&'a ProductTarget, &'a Release)>) {
    let pin = &case.trusted.pin;
    let name = &case.pack.about.target;
    let found = product.targets().iter().find(|(it, _)| it.as_str() == name);
    let found = found.and_then(|(_, target)| Some((target, target.release.as_ref()?)));
    let Some((target, release)) = found else {
        let text = format!("{name} is not among the releases of {}", pin.product);
        let finding = Finding::fail("role/target", text, Exit::No);
        return (vec![finding.fix("it may have been withdrawn")], None);
    };
    let mut findings = vec![Finding::ok(
        "role/target",
        format!(
            "{} v{} signed by {} keys: {name}, version {}, release {}, security {}, sha256 {:.16}, {} bytes",
            pin.product,
            product.header().version,
            product.signers().len(),
            release.version,
            release.release,
            release.security_version,
            target.sha256.to_string(),
            target.length,
        ),
    )];
    if release.channel != pin.channel {
        let text = format!(
            "the release is for channel {}, the pin follows {}",
            release.channel, pin.channel
        );
        findings.push(Finding::fail("role/channel", text, Exit::No));
    }
    if release.security_version < pin.min_security_version {
        let text = format!(
            "security version {} is below the pin's {}",
            release.security_version, pin.min_security_version
        );
        findings.push(Finding::fail("role/security-version", text, Exit::Rollback));
    }
    (findings, Some((target, release)))
}

/// Whether the images at hand are the release.
pub(super) fn images(case: &Case<'_>, expected: &Sha256) -> Vec<Finding> {
    if case.images.is_empty() {
        let text = "no image was given: name the file behind the pack to compare it";
        return vec![Finding::not_shown("image/hash", text)];
    }
    let check = |(name, sha256): &(String, Sha256)| {
        if sha256 == expected {
            return Finding::ok("image/hash", format!("{name} is the image"));
        }
        let text = format!("{name} has sha256 {sha256}, the release {expected}");
        Finding::fail("image/hash", text, Exit::No).of(name)
    };
    case.images.iter().map(check).collect()
}
