//! A policy's text: lines of words, with names that are any bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use super::{Member, Party, Policy, PolicyError, Rule};
use crate::checkpoint::decimal;
use crate::limits::{POLICY_BYTES_MAX, POLICY_ITEMS_MAX};
use crate::vkey::{Scheme, VerifierKey};

/// The quorum of nobody.
const NONE: &[u8] = b"none";

/// What the lines above have defined.
#[derive(Default)]
struct Draft<'a> {
    logs: Vec<Party>,
    witnesses: Vec<Party>,
    members: Vec<Member>,
    /// Witnesses and groups by name: number of the member.
    names: BTreeMap<&'a [u8], usize>,
    /// Members of a group.
    taken: BTreeSet<usize>,
    quorum: Option<Option<usize>>,
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// [`PolicyError`] naming line and rule.
    pub fn parse(text: &[u8]) -> Result<Self, PolicyError> {
        let whole = |error| PolicyError { line: 0, error };
        if text.len() > POLICY_BYTES_MAX {
            return Err(whole(Rule::Size));
        }
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let mut draft = Draft::default();
        for (line, number) in text.split(|byte| *byte == b'\n').zip(1..) {
            let error = |error| PolicyError {
                line: number,
                error,
            };
            draft.line(line).map_err(error)?;
        }
        let quorum = draft.quorum.ok_or_else(|| whole(Rule::Quorum))?;
        Ok(Self {
            logs: draft.logs,
            witnesses: draft.witnesses,
            members: draft.members,
            quorum,
        })
    }
}

impl<'a> Draft<'a> {
    fn line(&mut self, line: &'a [u8]) -> Result<(), Rule> {
        let is_plain = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
        if !line.iter().all(is_plain) {
            return Err(Rule::Control);
        }
        let words = line.split(|byte| matches!(byte, b' ' | b'\t'));
        let words: Vec<&[u8]> = words.filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with(b"#") => Ok(()),
            [b"log", key, url @ ..] => self.log(key, url),
            [b"witness", name, key, url @ ..] => self.witness(name, key, url),
            [b"group", name, least, members @ ..] => self.group(name, least, members),
            [b"quorum", name] => self.quorum(name),
            _ => Err(Rule::Shape),
        }
    }

    fn log(&mut self, key: &[u8], url: &[&[u8]]) -> Result<(), Rule> {
        let key = parse_key(key)?;
        if !matches!(key.scheme(), Scheme::Note(_)) {
            return Err(Rule::Scheme);
        }
        let name = key.name().to_owned();
        add(&mut self.logs, party(name, key, url)?)
    }

    fn witness(&mut self, name: &'a [u8], key: &[u8], url: &[&[u8]]) -> Result<(), Rule> {
        let key = parse_key(key)?;
        if matches!(key.scheme(), Scheme::Note(_)) {
            return Err(Rule::Scheme);
        }
        let number = self.witnesses.len();
        add(&mut self.witnesses, party(shown(name), key, url)?)?;
        self.define(name, Member::Witness(number))
    }

    fn group(&mut self, name: &'a [u8], least: &[u8], names: &[&[u8]]) -> Result<(), Rule> {
        let mut members = Vec::with_capacity(names.len());
        for name in names {
            let found = self.names.get(name).copied();
            let member = found.filter(|member| self.taken.insert(*member));
            members.push(member.ok_or_else(|| Rule::Member(shown(name)))?);
        }
        let count = members.len();
        let least = match least {
            b"all" => count,
            b"any" => 1,
            number => {
                let number = str::from_utf8(number).ok().and_then(decimal);
                let number = number.and_then(|number| usize::try_from(number).ok());
                number.ok_or(Rule::Threshold)?
            }
        };
        if !(1..=count).contains(&least) {
            return Err(Rule::Threshold);
        }
        self.define(name, Member::Group { least, members })
    }

    fn quorum(&mut self, name: &[u8]) -> Result<(), Rule> {
        if self.quorum.is_some() {
            return Err(Rule::Quorum);
        }
        let member = match self.names.get(name) {
            Some(member) => Some(*member),
            None if name == NONE => None,
            None => return Err(Rule::Member(shown(name))),
        };
        self.quorum = Some(member);
        Ok(())
    }

    fn define(&mut self, name: &'a [u8], member: Member) -> Result<(), Rule> {
        // Witnesses and groups are as many each.
        if self.members.len() >= POLICY_ITEMS_MAX.saturating_mul(2) {
            return Err(Rule::Size);
        }
        if name == NONE || self.names.insert(name, self.members.len()).is_some() {
            return Err(Rule::Name(shown(name)));
        }
        self.members.push(member);
        Ok(())
    }
}

fn add(parties: &mut Vec<Party>, party: Party) -> Result<(), Rule> {
    if parties.len() >= POLICY_ITEMS_MAX {
        return Err(Rule::Size);
    }
    let is_same = |other: &Party| other.key.scheme().key() == party.key.scheme().key();
    if parties.iter().any(is_same) {
        return Err(Rule::DuplicateKey);
    }
    parties.push(party);
    Ok(())
}

fn party(name: String, key: VerifierKey, url: &[&[u8]]) -> Result<Party, Rule> {
    let url = match url {
        [] => None,
        [url] => Some(shown(url)),
        _ => return Err(Rule::Shape),
    };
    Ok(Party { name, key, url })
}

fn parse_key(text: &[u8]) -> Result<VerifierKey, Rule> {
    let text = str::from_utf8(text).map_err(|_| Rule::Shape)?;
    Ok(text.parse()?)
}

fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        Self::parse(text.as_bytes())
    }
}
