//! Something signed that waits for its place in the log to be shown.

use keys::PublicKey;
use manifests::attestation::bundle::Content;
use manifests::json::{self, Json, JsonError, wrong};

const SCHEMA: &str = "streembit-queued/1";

/// A signature on its way into a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Queued {
    /// What is signed.
    pub(super) content: Content,
    /// By which key.
    pub(super) key: PublicKey,
    /// The number of its entry; `None` until it was appended.
    pub(super) index: Option<u64>,
}

impl Queued {
    /// The file's text.
    pub(super) fn encode(&self) -> Vec<u8> {
        let (member, content) = self.content.to_member();
        let mut members = vec![
            ("schema", Json::from(SCHEMA)),
            ("key", self.key.to_pem().as_str().into()),
            (member, content),
        ];
        members.extend(self.index.map(|index| ("index", Json::from(index))));
        let members = members.into_iter();
        let members = members
            .map(|(name, json)| (name.to_owned(), json))
            .collect();
        json::encode_pretty(&Json::Object(members))
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`JsonError`] naming the member.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        let json = json::parse(bytes)?;
        if json.string("schema")? != SCHEMA {
            return Err(wrong("schema", "`streembit-queued/1`"));
        }
        let key = PublicKey::from_pem(json.string("key")?);
        let index = json.member("index").map(|_| json.integer("index", 0));
        Ok(Self {
            content: Content::from_members(&json)?,
            key: key.map_err(|_| wrong("key", "a public key in PEM"))?,
            index: index.transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use keys::{Algorithm, SigningKey};
    use manifests::digest::Sha256;

    use super::*;

    #[test]
    fn is_read_as_it_was_written() {
        let key = SigningKey::from_secret(Algorithm::P256, &[1; 32]).unwrap();
        let content = Content::File {
            sha256: Sha256::of(b"image"),
            signature: key.sign(b"image"),
        };
        for index in [None, Some(7)] {
            let queued = Queued {
                content: content.clone(),
                key: key.public(),
                index,
            };
            assert_eq!(Queued::parse(&queued.encode()), Ok(queued));
        }
        assert!(Queued::parse(b"{}").is_err());
    }
}
