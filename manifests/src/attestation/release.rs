//! What a publisher says of a release: the predicate of in-toto's release v0.1, with ours beside it under
//! `streembit`.

use crate::digest::Sha256;
use crate::json::{Json, JsonError, wrong};
use crate::limits::{PATH_BYTES_MAX, VERSION_BYTES_MAX};
use crate::name::Name;
use crate::release::Release;

const OURS: &str = "streembit";
const PREVIOUS: &str = "prevRelease";
const METADATA_VERSION: &str = "tufTargetsVersion";

/// What is said of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseStatement {
    /// The product.
    pub product: Name,
    /// The channel.
    pub channel: Name,
    /// The version that people read.
    pub version: String,
    /// The release counter.
    pub release: u64,
    /// The security version.
    pub security_version: u64,
    /// Hardware ids that it fits.
    pub hardware: Vec<Name>,
    /// The commit that it was built from, by its repository.
    pub source: Option<Source>,
    /// SHA-256 of the provenance as it was signed: the digest of its entry in the log.
    pub provenance: Option<Sha256>,
    /// SHA-256 of the list of components (SBOM).
    pub sbom: Option<Sha256>,
    /// Number of the entry in the log that states the release before this one.
    pub previous: Option<u64>,
    /// Version of the product's signed metadata in which the release first stands.
    pub metadata_version: Option<u64>,
}

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The repository, a URI.
    pub repository: String,
    /// The commit, hex digits.
    pub commit: String,
}

impl ReleaseStatement {
    /// What is said of a release without any evidence.
    pub fn of(release: &Release) -> Self {
        Self {
            product: release.product.clone(),
            channel: release.channel.clone(),
            version: release.version.clone(),
            release: release.release,
            security_version: release.security_version,
            hardware: release.hardware.clone(),
            source: None,
            provenance: None,
            sbom: None,
            previous: None,
            metadata_version: None,
        }
    }

    /// Whether it says the same as the signed metadata.
    pub fn agrees_with(&self, release: &Release) -> bool {
        let said = Self {
            source: self.source.clone(),
            provenance: self.provenance,
            sbom: self.sbom,
            previous: self.previous,
            metadata_version: self.metadata_version,
            ..Self::of(release)
        };
        *self == said
    }

    /// The predicate.
    pub fn to_json(&self) -> Json {
        let text = |text: &str| Json::from(text);
        let mut ours = vec![
            ("product", text(self.product.as_str())),
            ("channel", text(self.channel.as_str())),
            ("version", text(&self.version)),
            ("release", Json::from(self.release)),
            ("securityVersion", Json::from(self.security_version)),
            (
                "hardware",
                Json::strings(self.hardware.iter().map(Name::as_str)),
            ),
        ];
        if let Some(source) = &self.source {
            let source = Json::object([
                ("repository", text(&source.repository)),
                ("commit", text(&source.commit)),
            ]);
            ours.push(("source", source));
        }
        let digests = [
            ("provenanceSha256", self.provenance),
            ("sbomSha256", self.sbom),
        ];
        for (name, digest) in digests {
            ours.extend(digest.map(|digest| (name, text(&digest.to_string()))));
        }
        let numbers = [
            (PREVIOUS, self.previous),
            (METADATA_VERSION, self.metadata_version),
        ];
        for (name, number) in numbers {
            ours.extend(number.map(|number| (name, Json::from(number))));
        }
        let ours = ours.into_iter().map(|(name, json)| (name.to_owned(), json));
        Json::object([
            ("purl", text(&self.purl())),
            ("packageId", text(self.product.as_str())),
            ("releaseId", text(&self.release.to_string())),
            (OURS, Json::Object(ours.collect())),
        ])
    }

    /// Names the release to those who count packages (package URL): versions of printable ASCII need escapes only
    /// where the form uses a character itself.
    fn purl(&self) -> String {
        let mut version = String::new();
        for byte in self.version.bytes() {
            let is_plain = byte.is_ascii_alphanumeric() || b".-_~".contains(&byte);
            if is_plain {
                version.push(char::from(byte));
            } else {
                version.push_str(&format!("%{byte:02X}"));
            }
        }
        format!("pkg:generic/{}@{version}", self.product)
    }

    /// Reads a predicate.
    ///
    /// # Errors
    /// [`JsonError`] naming the member.
    pub fn from_json(json: &Json) -> Result<Self, JsonError> {
        let ours = json.require(OURS)?;
        let name = |member: &'static str, text: &str| {
            Name::parse(text).map_err(|_| wrong(member, "a flat name"))
        };
        let version = ours.string("version")?;
        if version.len() > VERSION_BYTES_MAX {
            return Err(wrong("version", "at most 64 bytes"));
        }
        let hardware = ours.items("hardware", crate::limits::HARDWARE_MAX)?.iter();
        let hardware = hardware.map(|id| {
            let id = id.as_str().ok_or_else(|| wrong("hardware", "texts"))?;
            name("hardware", id)
        });
        let digest = |member: &'static str| match ours.member(member) {
            Some(_) => {
                let digest = Sha256::parse(ours.string(member)?);
                let digest = digest.map_err(|_| wrong(member, "64 lower-case hex digits"));
                digest.map(Some)
            }
            None => Ok(None),
        };
        let number = |member: &'static str| {
            let number = ours.member(member).map(|_| ours.integer(member, 0));
            number.transpose()
        };
        Ok(Self {
            product: name("product", ours.string("product")?)?,
            channel: name("channel", ours.string("channel")?)?,
            version: version.to_owned(),
            release: ours.integer("release", 0)?,
            security_version: ours.integer("securityVersion", 0)?,
            hardware: hardware.collect::<Result<_, _>>()?,
            source: ours.member("source").map(Source::from_json).transpose()?,
            provenance: digest("provenanceSha256")?,
            sbom: digest("sbomSha256")?,
            previous: number(PREVIOUS)?,
            metadata_version: number(METADATA_VERSION)?,
        })
    }
}

impl Source {
    fn from_json(json: &Json) -> Result<Self, JsonError> {
        let text = |member: &'static str| {
            let text = json.string(member)?;
            if text.len() > PATH_BYTES_MAX {
                return Err(wrong(member, "at most 1024 bytes"));
            }
            Ok(text.to_owned())
        };
        Ok(Self {
            repository: text("repository")?,
            commit: text("commit")?,
        })
    }
}

#[cfg(test)]
mod tests;
