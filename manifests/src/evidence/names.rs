//! What files of evidence are called, in a publisher's folder, on mirrors and in catalogs.

use crate::digest::Sha256;

/// A log's newest checkpoint, in a catalog.
pub const VIEW: &str = "log.view";
/// The blob with the view from every size, where the one in the catalog is not whole: its name.
pub const WHOLE_VIEW: &str = "log.view.whole";
/// A log's newest checkpoint, on a mirror.
pub const VIEW_ON_MIRROR: &str = "log/view";

/// What the publisher says of an image.
pub const RELEASE: &str = "release.sigstore.json";
/// The publisher's signature of the image.
pub const IMAGE: &str = "image.sigstore.json";
/// What the builder says.
pub const PROVENANCE: &str = "provenance.sigstore.json";
/// The publisher's signature of the list of components.
pub const SBOM: &str = "sbom.sigstore.json";
/// Rebuilds that came to the same bytes, from 1.
pub const REBUILDS: [&str; 8] = [
    "rebuild-1.dsse.json",
    "rebuild-2.dsse.json",
    "rebuild-3.dsse.json",
    "rebuild-4.dsse.json",
    "rebuild-5.dsse.json",
    "rebuild-6.dsse.json",
    "rebuild-7.dsse.json",
    "rebuild-8.dsse.json",
];
/// Changes of the log policy that a device catches up with.
pub const POLICIES_MAX: u64 = 64;
/// The subject of changed policies.
pub const POLICY_SUBJECT: &str = "policy";

/// The target that says which log policy holds for a product.
pub fn policy_target(product: &str) -> String {
    format!("{product}-log-policy")
}

/// The n-th log policy after the pin's, and that it was logged.
pub fn policy_files(number: u64) -> [String; 2] {
    [
        format!("policy-{number}.txt"),
        format!("policy-{number}.sigstore.json"),
    ]
}

/// What devices may ask for.
pub const OF_RELEASE: [&str; 11] = {
    let [one, two, three, four, five, six, seven, eight] = REBUILDS;
    [
        RELEASE, PROVENANCE, SBOM, one, two, three, four, five, six, seven, eight,
    ]
};

/// A file of a release in a catalog.
///
/// * `image`: SHA-256 of the image.
pub fn in_catalog(image: &Sha256, file: &str) -> String {
    format!("evidence.{image}.{file}")
}

/// A file of a release on a mirror.
///
/// * `target`: its name; flat, so that it needs no escapes.
pub fn on_mirror(target: &str, file: &str) -> String {
    format!("log/evidence/{target}/{file}")
}
