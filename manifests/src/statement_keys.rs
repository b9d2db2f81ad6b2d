//! The keys whose statements count for a product, as its signed role names them: who may say what was released, and
//! which builders are believed.

use keys::PublicKey;

use crate::envelope::ParseError;
use crate::json::{Json, JsonError, wrong};
use crate::limits::{BUILDERS_MAX, PATH_BYTES_MAX};

/// The member of a product's role.
pub const MEMBER: &str = "x-streembit-statements";
const RELEASE: &str = "release";
const BUILDERS: &str = "builders";

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
            Json::object([
                ("id", builder.id.as_str().into()),
                ("key", pem(&builder.key)),
            ])
        };
        let release = self
            .release
            .iter()
            .map(|key| (RELEASE.to_owned(), pem(key)));
        let builders = self.builders.iter().map(builder).collect();
        let members = release.chain([(BUILDERS.to_owned(), builders)]);
        Json::Object(members.collect())
    }

    /// The key of a builder.
    pub fn builder(&self, id: &str) -> Option<&PublicKey> {
        let found = self.builders.iter().find(|builder| builder.id == id);
        found.map(|builder| &builder.key)
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
            builders: vec![Builder {
                id: "https://ci.example/builder".to_owned(),
                key: key(2),
            }],
        };
        let read = StatementKeys::parse(&role(keys.to_json())).unwrap();
        assert_eq!(read, keys);
        assert_eq!(read.builder("https://ci.example/builder"), Some(&key(2)));
        assert_eq!(read.builder("https://ci.example/other"), None);
        let none = StatementKeys::parse(&Json::object([])).unwrap();
        assert_eq!(none, StatementKeys::default());
    }

    #[test]
    fn malformed_keys_and_too_many_builders_are_refused() {
        let builder =
            |id: &str, pem: &str| Json::object([("id", Json::from(id)), ("key", Json::from(pem))]);
        let good = key(1).to_pem();
        for builders in [
            vec![builder("", &good)],
            vec![builder("x", "no key")],
            vec![builder("x", &good); BUILDERS_MAX + 1],
        ] {
            let member = Json::object([(BUILDERS, Json::Array(builders))]);
            assert!(StatementKeys::parse(&role(member)).is_err());
        }
        assert!(StatementKeys::parse(&role(Json::from("x"))).is_err());
    }
}
