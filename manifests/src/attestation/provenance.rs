//! SLSA provenance v1: what built a file, from what, and who says so.

use crate::instant::UtcTime;
use crate::json::{Json, JsonError, wrong};
use crate::limits::{BUILD_PARAMETERS_MAX, DEPENDENCIES_MAX};

/// Parameters that say how to build it again.
const RECIPE: &str = "recipe";
const ARTIFACT: &str = "artifact";

/// What built a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// How to read the parameters: a URI.
    pub build_type: String,
    /// What whoever started the build could choose.
    pub external_parameters: Json,
    /// What the build platform set.
    pub internal_parameters: Option<Json>,
    /// What went into it, the sources first.
    pub dependencies: Vec<Dependency>,
    /// Who built it: a URI that names what is trusted to say all this.
    pub builder: String,
    /// Which run it was.
    pub invocation: Option<String>,
    /// When it began, and when it ended.
    pub times: [Option<UtcTime>; 2],
}

/// Something that went into a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Where it is from, such as `git+https://example.com/firmware@refs/heads/main`.
    pub uri: String,
    /// The commit, 40 or 64 hex digits.
    pub git_commit: Option<String>,
    /// SHA-256 of an archive of it: what SHA-1 of a commit doesn't hold.
    pub sha256: Option<crate::digest::Sha256>,
}

impl Provenance {
    /// The predicate of a statement of type [`super::statement::SLSA_PROVENANCE`].
    pub fn to_json(&self) -> Json {
        let dependencies = self.dependencies.iter().map(Dependency::to_json);
        let mut definition = vec![
            ("buildType", self.build_type.as_str().into()),
            ("externalParameters", self.external_parameters.clone()),
            ("resolvedDependencies", dependencies.collect()),
        ];
        let internal = self.internal_parameters.clone();
        definition.extend(internal.map(|internal| ("internalParameters", internal)));
        let definition = Json::Object(
            definition
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        );
        let [started, finished] = self.times;
        let time = |time: Option<UtcTime>| time.map(|time| time.to_string());
        let metadata = [
            ("invocationId", self.invocation.clone()),
            ("startedOn", time(started)),
            ("finishedOn", time(finished)),
        ];
        let metadata = metadata.into_iter().filter_map(|(name, text)| {
            let text = Json::from(text?.as_str());
            Some((name.to_owned(), text))
        });
        let details = Json::object([
            (
                "builder",
                Json::object([("id", self.builder.as_str().into())]),
            ),
            ("metadata", Json::Object(metadata.collect())),
        ]);
        Json::object([("buildDefinition", definition), ("runDetails", details)])
    }

    /// The first that has a commit: where it is from, and the commit.
    pub fn source(&self) -> Option<(&str, &str)> {
        self.dependencies.iter().find_map(|dependency| {
            let commit = dependency.git_commit.as_deref()?;
            Some((dependency.uri.as_str(), commit))
        })
    }

    /// Says how the image is built from the sources.
    pub fn declare(&mut self, recipe: &str, artifact: &str) {
        let mut members = match &self.external_parameters {
            Json::Object(members) => members.clone(),
            Json::Array(_) | Json::Bool(_) | Json::Integer(_) | Json::Null | Json::String(_) => {
                std::collections::BTreeMap::new()
            }
        };
        members.insert(RECIPE.to_owned(), recipe.into());
        members.insert(ARTIFACT.to_owned(), artifact.into());
        self.external_parameters = Json::Object(members);
    }

    /// The command that builds the image, and where that is then, if it is declared.
    pub fn recipe(&self) -> Option<(&str, &str)> {
        let text = |name| self.external_parameters.member(name)?.as_str();
        Some((text(RECIPE)?, text(ARTIFACT)?))
    }

    /// Reads a predicate.
    ///
    /// # Errors
    /// [`JsonError`] naming the member.
    pub fn from_json(json: &Json) -> Result<Self, JsonError> {
        let definition = json.require("buildDefinition")?;
        definition.members("externalParameters", BUILD_PARAMETERS_MAX)?;
        let internal = definition.member("internalParameters");
        if internal.is_some() {
            definition.members("internalParameters", BUILD_PARAMETERS_MAX)?;
        }
        let dependencies = match definition.member("resolvedDependencies") {
            Some(_) => definition.items("resolvedDependencies", DEPENDENCIES_MAX)?,
            None => &[],
        };
        let dependencies = dependencies.iter().map(Dependency::from_json);
        let details = json.require("runDetails")?;
        let metadata = details.member("metadata");
        let text = |name: &'static str| match metadata.and_then(|metadata| metadata.member(name)) {
            Some(text) => text
                .as_str()
                .map(Some)
                .ok_or_else(|| wrong(name, "a string")),
            None => Ok(None),
        };
        let time = |name: &'static str| {
            let time = text(name)?.map(UtcTime::parse).transpose();
            time.map_err(|_| wrong(name, "a time"))
        };
        Ok(Self {
            build_type: definition.string("buildType")?.to_owned(),
            external_parameters: definition.require("externalParameters")?.clone(),
            internal_parameters: internal.cloned(),
            dependencies: dependencies.collect::<Result<_, _>>()?,
            builder: details.require("builder")?.string("id")?.to_owned(),
            invocation: text("invocationId")?.map(str::to_owned),
            times: [time("startedOn")?, time("finishedOn")?],
        })
    }
}

impl Dependency {
    fn to_json(&self) -> Json {
        let commit = self
            .git_commit
            .as_deref()
            .map(|commit| ("gitCommit", Json::from(commit)));
        let sha256 = self
            .sha256
            .map(|sha256| ("sha256", Json::from(sha256.to_string().as_str())));
        let digests = commit.into_iter().chain(sha256);
        let digests = digests
            .map(|(name, digest)| (name.to_owned(), digest))
            .collect();
        Json::object([
            ("uri", self.uri.as_str().into()),
            ("digest", Json::Object(digests)),
        ])
    }

    fn from_json(json: &Json) -> Result<Self, JsonError> {
        let digest = json.member("digest");
        let text = |name: &'static str| match digest.and_then(|digest| digest.member(name)) {
            Some(text) => text
                .as_str()
                .map(Some)
                .ok_or_else(|| wrong(name, "a string")),
            None => Ok(None),
        };
        let git_commit = text("gitCommit")?;
        let is_hex = |text: &str| {
            let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            matches!(text.len(), 40 | 64) && text.bytes().all(is_digit)
        };
        if !git_commit.is_none_or(is_hex) {
            return Err(wrong("gitCommit", "40 or 64 lower-case hex digits"));
        }
        let sha256 = text("sha256")?
            .map(crate::digest::Sha256::parse)
            .transpose();
        Ok(Self {
            uri: json.string("uri")?.to_owned(),
            git_commit: git_commit.map(str::to_owned),
            sha256: sha256.map_err(|_| wrong("sha256", "64 lower-case hex digits"))?,
        })
    }
}

#[cfg(test)]
mod tests;
