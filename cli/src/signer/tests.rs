//! Tests of keys behind a program; OpenSSL plays the KMS. Tokens are tested with the publisher's binary.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::*;

/// A program that signs with a fresh key by OpenSSL; `None` without `openssl`.
fn kms(folder: &Path, genpkey: &str, sign: &str) -> Option<String> {
    let script = folder.join("kms");
    let text = format!(
        "#!/bin/sh\nset -e\ncd {}\ncase \"$1 $2\" in\nlevel1\\ public) openssl pkey -in key.pem -pubout ;;\n\
         level1\\ sign) cat > input; {sign} ;;\n*) exit 3 ;;\nesac\n",
        folder.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("sh");
    command.current_dir(folder).arg("-c").arg(format!(
        "openssl genpkey {genpkey} -out key.pem 2>/dev/null"
    ));
    let made = command.status().is_ok_and(|status| status.success());
    if !made {
        eprintln!("SKIPPED: no openssl; keys behind a program were not tried");
    }
    made.then(|| format!("exec:{} level1", script.display()))
}

#[test]
fn program_signs_digests_for_p256_and_messages_for_ed25519() {
    for (genpkey, sign) in [
        (
            "-algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:named_curve",
            "openssl pkeyutl -sign -inkey key.pem -in input",
        ),
        (
            "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",
            "openssl pkeyutl -sign -inkey key.pem -in input | base64 -w0",
        ),
        (
            "-algorithm ED25519",
            "openssl pkeyutl -sign -rawin -inkey key.pem -in input",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let Some(uri) = kms(folder.path(), genpkey, sign) else {
            return;
        };
        let signer = Signer::open(&uri).unwrap();
        assert_eq!(signer.public(), &Signer::public_of(&uri).unwrap());
        assert_eq!(signer.public(), &Signer::proven(&uri).unwrap());
        let signature = signer.sign(b"release 42").unwrap();
        signer.public().verify(b"release 42", &signature).unwrap();
    }
}

#[test]
fn program_that_fails_lies_or_is_missing_is_refused_k75() {
    let folder = tempfile::tempdir().unwrap();
    let p256 = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";
    for (sign, word) in [
        ("exit 7", "exit status: 7"),
        ("echo nonsense", "signed wrongly"),
        ("true", "signed wrongly"),
        (
            "echo other > other; openssl dgst -sha256 -sign key.pem other",
            "signed wrongly",
        ),
        ("head -c 1000000 /dev/zero || true", "signed wrongly"),
    ] {
        let Some(uri) = kms(folder.path(), p256, sign) else {
            return;
        };
        let error = Signer::open(&uri).unwrap().sign(b"m").unwrap_err();
        assert_eq!(error.exit, Exit::Key);
        assert!(error.to_string().contains(word), "{sign}: {error}");
        // Its word for the public half is not taken either.
        assert!(Signer::public_of(&uri).is_ok());
        let error = Signer::proven(&uri).unwrap_err();
        assert!(error.to_string().contains(word), "{sign}: {error}");
    }
    for uri in ["exec:/no/such/program", "exec:true", "exec:echo nonsense"] {
        assert_eq!(Signer::open(uri).unwrap_err().exit, Exit::Key, "{uri}");
    }
}
