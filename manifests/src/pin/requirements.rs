//! What a device demands of a release beyond its metadata: a log with its witnesses, and what is known of the build.

use keys::PublicKey;
use tlog::policy::Policy;

use crate::evidence::grade::Grade;
use crate::json::{Json, JsonError, wrong};
use crate::limits::REBUILDERS_MAX;

/// The demands; a device without them installs what TUF alone shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// Which logs and witnesses count (C2SP tlog-policy), as it is written; `None`: no log is asked for.
    pub log_policy: Option<String>,
    /// How much has to be known of the build.
    pub grade: Grade,
    /// Whether a list of components has to be published with the release.
    pub sbom: bool,
    /// Whose rebuilds count.
    pub rebuilders: Vec<PublicKey>,
    /// How many of them have to have come to the same bytes.
    pub rebuilds: u64,
}

impl Requirements {
    /// The policy; `None` if no log is asked for.
    ///
    /// # Errors
    /// [`JsonError`] if it doesn't parse.
    pub fn policy(&self) -> Result<Option<Policy>, JsonError> {
        let policy = self.log_policy.as_deref().map(str::parse);
        policy
            .transpose()
            .map_err(|_| wrong("log_policy", "a C2SP tlog-policy"))
    }

    /// Reads the members of a pin.
    ///
    /// # Errors
    /// [`JsonError`] naming the member: a demand that can't be met is no pin.
    pub(super) fn parse(pin: &Json) -> Result<Self, JsonError> {
        let log_policy = pin.member("log_policy").map(|_| pin.string("log_policy"));
        let mut read = Self {
            log_policy: log_policy.transpose()?.map(str::to_owned),
            ..Self::default()
        };
        read.policy()?;
        if let Some(require) = pin.member("require") {
            let grade = require.string("grade")?.parse();
            read.grade = grade.map_err(|_| wrong("grade", "none, B1 or B3"))?;
            read.sbom = match require.string("sbom")? {
                "required" => true,
                "optional" => false,
                _ => return Err(wrong("sbom", "required or optional")),
            };
            let keys = require.items("rebuilders", REBUILDERS_MAX)?.iter();
            let keys = keys.map(|key| key.as_str().and_then(|pem| PublicKey::from_pem(pem).ok()));
            let keys = keys.collect::<Option<Vec<_>>>();
            read.rebuilders = keys.ok_or_else(|| wrong("rebuilders", "public keys in PEM"))?;
            read.rebuilds = require.integer("rebuilds", 0)?;
        }
        read.check()?;
        Ok(read)
    }

    /// Whether the demands go together.
    ///
    /// # Errors
    /// [`JsonError`] naming the member.
    pub fn check(&self) -> Result<(), JsonError> {
        let keys = self.rebuilders.iter().enumerate();
        let mut repeated =
            keys.filter(|(at, key)| self.rebuilders.iter().take(*at).any(|it| it == *key));
        if repeated.next().is_some() {
            return Err(wrong("rebuilders", "each key once"));
        }
        let keys = u64::try_from(self.rebuilders.len()).unwrap_or(u64::MAX);
        if self.rebuilds > keys || (self.grade == Grade::B3 && self.rebuilds == 0) {
            return Err(wrong(
                "rebuilds",
                "at most as many as rebuilders, and 1 or more for B3",
            ));
        }
        let needs_log = self.grade != Grade::None || self.sbom || self.rebuilds > 0;
        if needs_log && self.log_policy.is_none() {
            return Err(wrong(
                "log_policy",
                "there: what is required is shown by a log",
            ));
        }
        Ok(())
    }

    /// The members of a pin.
    pub(super) fn to_members(&self) -> Vec<(&'static str, Json)> {
        let Some(policy) = &self.log_policy else {
            return Vec::new();
        };
        let sbom = if self.sbom { "required" } else { "optional" };
        let pem = |key: &PublicKey| Json::from(key.to_pem().as_str());
        let require = Json::object([
            ("grade", self.grade.to_string().as_str().into()),
            ("sbom", sbom.into()),
            ("rebuilders", self.rebuilders.iter().map(pem).collect()),
            ("rebuilds", Json::from(self.rebuilds)),
        ]);
        vec![("log_policy", policy.as_str().into()), ("require", require)]
    }
}

#[cfg(test)]
mod tests {
    use keys::{Algorithm, SigningKey};

    use super::*;

    fn key(seed: u8) -> PublicKey {
        let key = SigningKey::from_secret(Algorithm::P256, &[seed; 32]);
        key.unwrap().public()
    }

    fn policy() -> String {
        let log = SigningKey::from_secret(Algorithm::Ed25519, &[1; 32]).unwrap();
        let log = tlog::vkey::Scheme::Note(log.public());
        let log = tlog::vkey::VerifierKey::new("fwlog.acme.example", log).unwrap();
        format!("log {log}\nquorum none\n")
    }

    fn read(requirements: &Requirements) -> Result<Requirements, JsonError> {
        let members = requirements.to_members().into_iter();
        let members = members
            .map(|(name, json)| (name.to_owned(), json))
            .collect();
        Requirements::parse(&Json::Object(members))
    }

    #[test]
    fn are_read_as_they_were_written() {
        let all = Requirements {
            log_policy: Some(policy()),
            grade: Grade::B3,
            sbom: true,
            rebuilders: vec![key(1), key(2)],
            rebuilds: 2,
        };
        for requirements in [Requirements::default(), all] {
            assert_eq!(read(&requirements), Ok(requirements));
        }
    }

    #[test]
    fn demands_that_nothing_can_meet_are_refused() {
        let good = Requirements {
            log_policy: Some(policy()),
            ..Requirements::default()
        };
        let broken: [fn(&mut Requirements); 5] = [
            |it| it.log_policy = Some("log nobody".to_owned()),
            |it| it.rebuilds = 1,
            |it| it.grade = Grade::B3,
            |it| it.rebuilders = vec![key(1), key(1)],
            |it| it.rebuilders = vec![key(1); REBUILDERS_MAX + 1],
        ];
        for break_it in broken {
            let mut requirements = good.clone();
            break_it(&mut requirements);
            assert!(read(&requirements).is_err(), "{requirements:?}");
        }
        let without_log = Requirements {
            sbom: true,
            ..Requirements::default()
        };
        assert!(without_log.check().is_err());
    }
}
