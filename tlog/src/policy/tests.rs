//! Policies: the words of the specification, and who is enough.

use super::*;
use crate::example::{Log, ORIGIN, Signer};

/// The example of tlog-policy.
fn example() -> (Signer, Vec<Signer>, String) {
    let log = Signer::log(ORIGIN, 1);
    let names = ["X1", "X2", "X3", "Y1", "Y2", "Y3"];
    let witnesses: Vec<Signer> = names
        .iter()
        .zip(2..)
        .map(|(name, seed)| Signer::witness(name, seed))
        .collect();
    let key = |number: usize| &witnesses[number].key;
    let text = format!(
        "# an example\nlog {} https://{ORIGIN}\n\n\
         witness X1 {}\n\twitness  X2\t{} \nwitness X3 {} https://x.example/3\ngroup X-witnesses 2 X1 X2 X3\n\
         witness Y1 {}\nwitness Y2 {}\nwitness Y3 {}\ngroup Y-witnesses any Y1 Y2 Y3\n\
         group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n",
        log.key,
        key(0),
        key(1),
        key(2),
        key(3),
        key(4),
        key(5)
    );
    (log, witnesses, text)
}

#[test]
fn two_of_these_and_one_of_those_are_a_quorum() {
    let (log, witnesses, text) = example();
    let policy: Policy = text.parse().unwrap();
    let tree = Log::of(17);
    for set in 0_u32..64 {
        let mut note = tree.note(&log);
        for (number, witness) in witnesses.iter().enumerate() {
            if set >> number & 1 == 1 {
                witness.sign(&mut note, 1000 + number as u64);
            }
        }
        let is_enough = (set & 7).count_ones() >= 2 && set >> 3 != 0;
        let accepted = policy.accept(&note, u64::MAX);
        assert_eq!(accepted.is_ok(), is_enough, "{set:b}");
        match accepted {
            Ok(accepted) => {
                assert_eq!(accepted.checkpoint.size, 17);
                assert_eq!(accepted.cosigned.len(), set.count_ones() as usize);
            }
            Err(refusal) => assert!(matches!(refusal, Refusal::Quorum(_))),
        }
    }
}

/// Some may lie about the time, as long as a quorum doesn't.
#[test]
fn the_time_is_that_of_a_whole_quorum() {
    let (log, witnesses, text) = example();
    let policy: Policy = text.parse().unwrap();
    let mut note = Log::of(3).note(&log);
    for (number, time) in [
        (0, 5000),
        (1, 3000),
        (2, 9_000_000),
        (3, 4000),
        (4, 9_000_000),
    ] {
        witnesses[number].sign(&mut note, time);
    }
    let accepted = policy.accept(&note, u64::MAX).unwrap();
    // X3 and X1 are two of the first three, Y2 is one of the others.
    assert_eq!(accepted.quorum_time, Some(5000));
    assert_eq!(accepted.cosigned[0].1, 9_000_000);
    // Who knows the time doesn't listen to those ahead of it.
    let accepted = policy.accept(&note, 6000).unwrap();
    assert_eq!(accepted.quorum_time, Some(3000));
    assert_eq!(accepted.cosigned.len(), 3);
    assert!(policy.accept(&note, 2999).is_err());
}

#[test]
fn only_logs_of_the_policy_count_under_their_own_name() {
    let (log, _, text) = example();
    let text = text.replace("quorum X-and-Y", "quorum none");
    let policy: Policy = text.parse().unwrap();
    let tree = Log::of(5);
    let accepted = policy.accept(&tree.note(&log), 0).unwrap();
    assert_eq!((accepted.quorum_time, accepted.log), (None, log.key));
    let thief = Signer::log(ORIGIN, 99);
    let refusal = policy.accept(&tree.note(&thief), 0).unwrap_err();
    assert_eq!(refusal, Refusal::Unsigned(ORIGIN.to_owned()));
    let other = Signer::log("other.example", 1);
    let refusal = policy.accept(&tree.note(&other), 0).unwrap_err();
    assert_eq!(refusal, Refusal::UnknownLog("other.example".to_owned()));
}

/// Trap T20: a witness of tomorrow may stand in the policy, and counts for nothing until it can be checked.
#[test]
fn unknown_kinds_of_witnesses_are_read_and_never_met() {
    let (log, witnesses, _) = example();
    let key = vec![7; 1312];
    let future = VerifierKey::new("Z", crate::vkey::Scheme::Unknown { kind: 6, key }).unwrap();
    let text = format!(
        "log {}\nwitness Z {future}\nwitness X1 {}\ngroup g any Z X1\nquorum g\n",
        log.key, witnesses[0].key
    );
    let policy: Policy = text.parse().unwrap();
    let mut note = Log::of(5).note(&log);
    assert!(policy.accept(&note, u64::MAX).is_err());
    witnesses[0].sign(&mut note, 9);
    assert_eq!(policy.accept(&note, u64::MAX).unwrap().quorum_time, Some(9));
}

#[test]
fn what_breaks_a_rule_is_refused_with_its_line() {
    let (log, witnesses, text) = example();
    let change = |from: &str, to: &str| text.replacen(from, to, 1);
    let member = |name: &str| Rule::Member(name.to_owned());
    let x1 = &witnesses[0].key;
    for (text, line, error) in [
        (change("quorum X-and-Y\n", ""), 0, Rule::Quorum),
        (format!("{text}quorum none\n"), 14, Rule::Quorum),
        (change("quorum X-and-Y", "quorum Z"), 13, member("Z")),
        (change("quorum X-and-Y", "quorum"), 13, Rule::Shape),
        (change("X1 X2 X3\n", "X1 X2 X9\n"), 7, member("X9")),
        (change("X1 X2 X3\n", "X1 X2 X2\n"), 7, member("X2")),
        (change("any Y1 Y2", "any X1 Y2"), 11, member("X1")),
        (change("any Y1 Y2 Y3", "any none Y2 Y3"), 11, member("none")),
        (change("2 X1 X2 X3", "4 X1 X2 X3"), 7, Rule::Threshold),
        (change("2 X1 X2 X3", "0 X1 X2 X3"), 7, Rule::Threshold),
        (change("2 X1 X2 X3", "02 X1 X2 X3"), 7, Rule::Threshold),
        (change("2 X1 X2 X3", "some X1 X2 X3"), 7, Rule::Threshold),
        (
            change("group Y-witnesses any Y1 Y2 Y3", "group Y-witnesses all"),
            11,
            Rule::Threshold,
        ),
        (
            change("witness Y1", "witness X1"),
            8,
            Rule::Name("X1".to_owned()),
        ),
        (
            change("witness Y1", "witness none"),
            8,
            Rule::Name("none".to_owned()),
        ),
        (
            change("group X-and-Y", "group X1"),
            12,
            Rule::Name("X1".to_owned()),
        ),
        (format!("witness again {x1}\n{text}"), 5, Rule::DuplicateKey),
        (format!("log {}\n{text}", log.key), 3, Rule::DuplicateKey),
        (format!("log {x1}\n{text}"), 1, Rule::Scheme),
        (format!("witness l {}\n{text}", log.key), 1, Rule::Scheme),
        (change("log ", "lgo "), 2, Rule::Shape),
        (change("https://x.example/3", "a b"), 6, Rule::Shape),
        (change("# an", "# \u{7f}an"), 1, Rule::Control),
        (change("# an", "# \ran"), 1, Rule::Control),
    ] {
        let refused = Policy::parse(text.as_bytes()).unwrap_err();
        assert_eq!((refused.line, refused.error), (line, error), "{text}");
    }
    let long = format!("{text}#{}", "x".repeat(POLICY_BYTES_MAX));
    assert_eq!(
        Policy::parse(long.as_bytes()).unwrap_err().error,
        Rule::Size
    );
}

/// Names are bytes: a policy in Latin-1 is one, too.
#[test]
fn names_and_comments_may_be_any_bytes() {
    let (log, witnesses, _) = example();
    let key = &witnesses[0].key;
    let mut text = format!("log {}\nwitness ", log.key).into_bytes();
    text.extend_from_slice(b"Z\xfcrich ");
    text.extend_from_slice(format!("{key}\n# ").as_bytes());
    text.extend_from_slice(b"gr\xfcezi\nquorum Z\xfcrich");
    let policy = Policy::parse(&text).unwrap();
    assert_eq!(policy.witnesses()[0].name, "Z\u{fffd}rich");
    text.pop();
    assert!(Policy::parse(&text).is_err());
}

#[test]
fn as_many_as_c2sp_asks_for_are_taken() {
    let mut text = String::new();
    for seed in 1..=32 {
        let (log, witness) = (
            Signer::log(&format!("l{seed}"), seed),
            Signer::witness("w", seed + 100),
        );
        text.push_str(&format!(
            "log {}\nwitness w{seed} {}\ngroup g{seed} any w{seed}\n",
            log.key, witness.key
        ));
    }
    text.push_str("quorum g1");
    assert!(Policy::parse(text.as_bytes()).is_ok());
}
