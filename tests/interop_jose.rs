//! Tokens of ours are read by joserfc and jwcrypto, and theirs by us: signed, encrypted, for one and for several.

use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use keys::{AgreementKey, Algorithm, SigningKey};
use protocol::jose::jws::Claims;
use protocol::jose::{jwe, jws};
use serde_json::{Value, json};
use support::foreign;
use support::programs::repository_root;

const PACKAGES: [&str; 3] = ["joserfc==1.8.0", "jwcrypto==1.6.1", "cryptography"];
const TYP: &str = "streembit-test";
const LENGTH_MAX: usize = 8192;
const PLAIN: &str = "the heating is on";

/// A private key as JWK.
fn private(public: &keys::Jwk, secret: &[u8]) -> Value {
    let mut jwk: Value = serde_json::from_str(&public.to_string()).unwrap();
    jwk["d"] = json!(URL_SAFE_NO_PAD.encode(secret));
    jwk
}

fn claims(key: &SigningKey) -> Claims<Value> {
    Claims {
        iss: key.public().to_hex(),
        sub: "subject".to_owned(),
        aud: "audience".to_owned(),
        iat: 1_000,
        exp: 2_000,
        jti: "1".to_owned(),
        data: json!({"n": 1, "umlaut": "ü"}),
    }
}

/// What both libraries make of our tokens, and their own tokens.
fn answers(given: &Value) -> Option<Value> {
    let import = "import joserfc, jwcrypto, cryptography";
    let python = foreign::python("jose", &PACKAGES, import)?;
    let script = repository_root().join("tests/python/jose.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(given.to_string().as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "jose.py failed, see above");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn joserfc_and_jwcrypto_read_our_tokens_and_we_theirs() {
    let mut rng = UnwrapErr(SysRng);
    let signing = SigningKey::generate(Algorithm::P256, &mut rng);
    let agreement = AgreementKey::generate(&mut rng);
    let others = [(); 2].map(|()| AgreementKey::generate(&mut rng).public());
    let readers = [&others[..], &[agreement.public()]].concat();
    let claims = claims(&signing);
    let text = serde_json::to_string(&claims).unwrap();
    let plain = PLAIN.as_bytes();
    let given = json!({
        "typ": TYP,
        "signing": private(&signing.public().to_jwk(), signing.secret_bytes().expose()),
        "agreement": private(&agreement.public().to_jwk(), agreement.secret_bytes().expose()),
        "claims": text,
        "plain": PLAIN,
        "jws": jws::sign(&signing, TYP, claims.clone()).unwrap(),
        "jwe": jwe::seal(&agreement.public(), TYP, plain, &mut rng).unwrap(),
        "jwe_for_all": jwe::seal_for_all(&readers, TYP, plain, &mut rng).unwrap(),
    });
    let Some(answers) = answers(&given) else {
        eprintln!("SKIPPED: joserfc and jwcrypto can't be installed; no token was read by them");
        return;
    };
    for (library, answer) in answers.as_object().unwrap() {
        assert_eq!(answer["jws"], text, "{library}");
        assert_eq!(answer["jwe"], PLAIN, "{library}");
        assert_eq!(answer["jwe_for_all"], PLAIN, "{library}");
        let token = answer["made_jws"].as_str().unwrap();
        let (read, key) = jws::verify::<Value>(token.as_bytes(), TYP, LENGTH_MAX).unwrap();
        assert_eq!((read, key), (claims.clone(), signing.public()), "{library}");
        let token = answer["made_jwe"].as_str().unwrap();
        let opened = jwe::open(&agreement, TYP, token.as_bytes(), LENGTH_MAX).unwrap();
        assert_eq!(opened.expose(), plain, "{library}");
        // One bit elsewhere, and neither is read.
        let changed = token.replacen('.', ".A", 1);
        assert!(jwe::open(&agreement, TYP, changed.as_bytes(), LENGTH_MAX).is_err());
    }
    assert_eq!(answers.as_object().unwrap().len(), 2);
}
