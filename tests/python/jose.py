"""Reads tokens of ours and writes some of its own, by joserfc and by jwcrypto.

Takes a JSON object on standard input: a signing and an agreement key as JWK, tokens made with them, and what to
sign and encrypt. Prints for each library what it read, and tokens that it made.
"""

import json
import sys

import joserfc.jwe
import joserfc.jws
import jwcrypto.jwe
import jwcrypto.jws
from joserfc.jwk import ECKey
from jwcrypto.jwk import JWK

WRAP, CIPHER = "ECDH-ES+A256KW", "A256GCM"
ALGORITHMS = [WRAP, CIPHER]


def by_joserfc(given):
    signing = ECKey.import_key(given["signing"])
    agreement = ECKey.import_key(given["agreement"])
    header = {"alg": "ES256", "typ": given["typ"]}
    sealed = {"alg": WRAP, "enc": CIPHER, "typ": given["typ"]}
    several = json.loads(given["jwe_for_all"])
    return {
        "jws": joserfc.jws.deserialize_compact(given["jws"], signing).payload.decode(),
        "jwe": joserfc.jwe.decrypt_compact(
            given["jwe"], agreement, algorithms=ALGORITHMS
        ).plaintext.decode(),
        "jwe_for_all": first_that_opens(several, agreement),
        "made_jws": joserfc.jws.serialize_compact(header, given["claims"], signing),
        "made_jwe": joserfc.jwe.encrypt_compact(
            sealed, given["plain"], agreement, algorithms=ALGORITHMS
        ),
    }


def first_that_opens(several, key):
    """joserfc wants all recipients to be the key's; RFC 7516 section 5.2 wants one."""
    for recipient in several["recipients"]:
        one = {**several, "recipients": [recipient]}
        try:
            opened = joserfc.jwe.decrypt_json(one, key, algorithms=ALGORITHMS)
            return opened.plaintext.decode()
        except Exception:  # noqa: BLE001, it is for somebody else
            continue
    raise ValueError("nobody's")


def by_jwcrypto(given):
    signing, agreement = JWK(**given["signing"]), JWK(**given["agreement"])
    token = jwcrypto.jws.JWS()
    token.deserialize(given["jws"], signing)
    one, several = jwcrypto.jwe.JWE(), jwcrypto.jwe.JWE()
    one.deserialize(given["jwe"], agreement)
    several.deserialize(given["jwe_for_all"], agreement)
    signed = jwcrypto.jws.JWS(given["claims"])
    header = json.dumps({"alg": "ES256", "typ": given["typ"]})
    signed.add_signature(signing, None, header, None)
    header = json.dumps({"alg": WRAP, "enc": CIPHER, "typ": given["typ"]})
    sealed = jwcrypto.jwe.JWE(given["plain"].encode(), header, recipient=agreement)
    return {
        "jws": token.payload.decode(),
        "jwe": one.payload.decode(),
        "jwe_for_all": several.payload.decode(),
        "made_jws": signed.serialize(compact=True),
        "made_jwe": sealed.serialize(compact=True),
    }


given = json.load(sys.stdin)
json.dump({"joserfc": by_joserfc(given), "jwcrypto": by_jwcrypto(given)}, sys.stdout)
