"""What foreign libraries make of our statements: statements.py BUNDLE KEY.pem SBOM.

securesystemslib verifies the DSSE envelope, in_toto_attestation reads the statement and its predicate, and the
validators of CycloneDX or SPDX read the list of components."""

import json
import sys

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.protobuf.json_format import ParseDict
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

bundle_path, key_path, sbom_path = sys.argv[1:4]
bundle = json.load(open(bundle_path))
envelope = Envelope.from_dict(bundle["dsseEnvelope"])
hint = bundle["verificationMaterial"]["publicKey"]["hint"]
pem = open(key_path, "rb").read()
load_pem_public_key(pem)
key = SSlibKey(hint, "ecdsa", "ecdsa-sha2-nistp256", {"public": pem.decode()})
envelope.verify([key], 1)

said = json.loads(envelope.payload)
read = ParseDict(said, statement_pb2.Statement())
Statement(list(read.subject), read.predicate_type, dict(read.predicate)).validate()
if read.predicate_type == "https://slsa.dev/provenance/v1":
    ParseDict(said["predicate"], provenance_pb2.Provenance())

text = open(sbom_path).read()
if "spdxVersion" in json.loads(text):
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    problems = validate_full_spdx_document(parse_file(sbom_path))
    assert not problems, problems
else:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert problem is None, problem
print("OK")
