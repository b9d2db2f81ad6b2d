//! The keys whose statements count for a product, as its signed role names them: who may say what was released, and
//! which builders are believed.

use std::collections::BTreeSet;

use keys::PublicKey;

use crate::attestation::provenance::Provenance;
use crate::envelope::ParseError;
use crate::json::{Json, JsonError, wrong};
use crate::limits::{BUILD_PARAMETERS_MAX, BUILDERS_MAX, PATH_BYTES_MAX};

/// The member of a product's role.
pub const MEMBER: &str = "x-streembit-statements";
const RELEASE: &str = "release";
const BUILDERS: &str = "builders";
const BUILD_TYPE: &str = "buildType";
const SOURCE: &str = "source";
const PARAMETERS: &str = "parameters";

/// The keys; without any nothing is shown but what TUF shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatementKeys {
    /// Signs images and release statements.
    pub release: Option<PublicKey>,
    /// Sign provenance.
    pub builders: Vec<Builder>,
}

/// Who is believed when it says what it built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Builder {
    /// `builder.id` of SLSA: a URI.
    pub id: String,
    /// Its key.
    pub key: PublicKey,
    /// What it is believed of.
    pub expects: Expectations,
}

/// What provenance has to say to count (SLSA v1.0, verifying artifacts, step 2); what isn't there is not looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectations {
    /// `buildDefinition.buildType`.
    pub build_type: Option<String>,
    /// The repository that was built, without `@` and a reference.
    pub source: Option<String>,
    /// Names of external parameters: all others are refused.
    pub parameters: Option<BTreeSet<String>>,
}

impl Expectations {
    /// What of provenance is not as expected.
    pub fn unmet(&self, provenance: &Provenance) -> Option<String> {
        if let Some(build_type) = &self.build_type
            && *build_type != provenance.build_type
        {
            return Some(format!("build type {}", provenance.build_type));
        }
        if let Some(wanted) = &self.source {
            let source = provenance
                .source()
                .map_or("no source", |(source, _)| source);
            let reference = source.strip_prefix(wanted.as_str());
            if !reference.is_some_and(|rest| rest.is_empty() || rest.starts_with('@')) {
                return Some(format!("source {source}"));
            }
        }
        let known = self.parameters.as_ref()?;
        let names = provenance.external_parameters.names()?;
        let mut unknown = names.filter(|name| !known.contains(*name));
        unknown.next().map(|name| format!("parameter {name}"))
    }

    fn parse(json: &Json) -> Result<Self, JsonError> {
        let text = |name: &'static str| match json.member(name) {
            None => Ok(None),
            Some(text) => {
                let text = text.as_str().filter(|text| text.len() <= PATH_BYTES_MAX);
                let text = text.ok_or_else(|| wrong(name, "at most 1024 bytes"))?;
                Ok(Some(text.to_owned()))
            }
        };
        let name = |name: &Json| {
            let name = name.as_str().filter(|name| name.len() <= PATH_BYTES_MAX);
            let name = name.ok_or_else(|| wrong(PARAMETERS, "texts of at most 1024 bytes"))?;
            Ok(name.to_owned())
        };
        let parameters = json.member(PARAMETERS).map(|_| {
            let names = json.items(PARAMETERS, BUILD_PARAMETERS_MAX)?;
            names.iter().map(name).collect()
        });
        Ok(Self {
            build_type: text(BUILD_TYPE)?,
            source: text(SOURCE)?,
            parameters: parameters.transpose()?,
        })
    }

    fn members(&self) -> impl Iterator<Item = (&'static str, Json)> {
        let text = |text: &String| Json::from(text.as_str());
        let names = self.parameters.as_ref();
        [
            (BUILD_TYPE, self.build_type.as_ref().map(text)),
            (SOURCE, self.source.as_ref().map(text)),
            (
                PARAMETERS,
                names.map(|names| Json::strings(names.iter().map(String::as_str))),
            ),
        ]
        .into_iter()
        .filter_map(|(name, json)| Some((name, json?)))
    }
}

impl StatementKeys {
    /// Reads the member of a role, if it is there.
    ///
    /// # Errors
    /// [`ParseError`] naming the member.
    pub fn parse(signed: &Json) -> Result<Self, ParseError> {
        let Some(json) = signed.member(MEMBER) else {
            return Ok(Self::default());
        };
        let release = json.member(RELEASE).map(|_| key(json, RELEASE));
        let builders = json.items(BUILDERS, BUILDERS_MAX)?.iter().map(|builder| {
            let id = builder.string("id")?;
            if id.is_empty() || id.len() > PATH_BYTES_MAX {
                return Err(wrong("id", "1 to 1024 bytes"));
            }
            Ok(Builder {
                id: id.to_owned(),
                key: key(builder, "key")?,
                expects: Expectations::parse(builder)?,
            })
        });
        Ok(Self {
            release: release.transpose()?,
            builders: builders.collect::<Result<_, JsonError>>()?,
        })
    }

    /// Encodes the member.
    pub fn to_json(&self) -> Json {
        let pem = |key: &PublicKey| Json::from(key.to_pem().as_str());
        let builder = |builder: &Builder| {
            let id = ("id", builder.id.as_str().into());
            let known = [id, ("key", pem(&builder.key))].into_iter();
            let members = known.chain(builder.expects.members());
            Json::Object(
                members
                    .map(|(name, json)| (name.to_owned(), json))
                    .collect(),
            )
        };
        let release = self
            .release
            .iter()
            .map(|key| (RELEASE.to_owned(), pem(key)));
        let builders = self.builders.iter().map(builder).collect();
        let members = release.chain([(BUILDERS.to_owned(), builders)]);
        Json::Object(members.collect())
    }

    /// A builder.
    pub fn builder(&self, id: &str) -> Option<&Builder> {
        self.builders.iter().find(|builder| builder.id == id)
    }
}

fn key(json: &Json, name: &'static str) -> Result<PublicKey, JsonError> {
    let key = PublicKey::from_pem(json.string(name)?);
    key.map_err(|_| wrong(name, "a public key in PEM"))
}

#[cfg(test)]
mod tests {
    use keys::{Algorithm, SigningKey};

    use super::*;

    fn key(seed: u8) -> PublicKey {
        let key = SigningKey::from_secret(Algorithm::P256, &[seed; 32]);
        key.unwrap().public()
    }

    fn role(member: Json) -> Json {
        Json::object([(MEMBER, member)])
    }

    #[test]
    fn is_read_as_it_was_written() {
        let keys = StatementKeys {
            release: Some(key(1)),
            builders: vec![
                Builder {
                    id: "https://ci.example/builder".to_owned(),
                    key: key(2),
                    expects: Expectations::default(),
                },
                Builder {
                    id: "https://ci.example/strict".to_owned(),
                    key: key(3),
                    expects: Expectations {
                        build_type: Some("https://ci.example/type".to_owned()),
                        source: Some("git+https://ci.example/cam".to_owned()),
                        parameters: Some(["ref".to_owned()].into()),
                    },
                },
            ],
        };
        let read = StatementKeys::parse(&role(keys.to_json())).unwrap();
        assert_eq!(read, keys);
        let found = read.builder("https://ci.example/strict");
        assert_eq!(found.map(|builder| &builder.key), Some(&key(3)));
        assert_eq!(read.builder("https://ci.example/other"), None);
        let none = StatementKeys::parse(&Json::object([])).unwrap();
        assert_eq!(none, StatementKeys::default());
    }

    #[test]
    fn malformed_keys_and_too_many_builders_are_refused() {
        let builder =
            |id: &str, pem: &str| Json::object([("id", Json::from(id)), ("key", Json::from(pem))]);
        let good = key(1).to_pem();
        let long = "x".repeat(PATH_BYTES_MAX + 1);
        let with = |id: &str, pem: &str, name: &str, json: Json| {
            Json::object([("id", Json::from(id)), ("key", pem.into()), (name, json)])
        };
        for builders in [
            vec![builder("", &good)],
            vec![builder("x", "no key")],
            vec![builder("x", &good); BUILDERS_MAX + 1],
            vec![with("x", &good, BUILD_TYPE, 1.into())],
            vec![with("x", &good, SOURCE, Json::from(long.as_str()))],
            vec![with("x", &good, PARAMETERS, Json::from("ref"))],
            vec![with("x", &good, PARAMETERS, Json::Array(vec![1.into()]))],
        ] {
            let member = Json::object([(BUILDERS, Json::Array(builders))]);
            assert!(StatementKeys::parse(&role(member)).is_err());
        }
        assert!(StatementKeys::parse(&role(Json::from("x"))).is_err());
    }
}
