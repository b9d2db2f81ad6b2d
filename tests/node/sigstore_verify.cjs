// What npm's @sigstore/verify makes of a bundle: node sigstore_verify.cjs BUNDLE TRUSTED_ROOT KEY.pem [FILE]
const fs = require("node:fs");
const { createPublicKey } = require("node:crypto");
const { bundleFromJSON } = require("@sigstore/bundle");
const { TrustedRoot } = require("@sigstore/protobuf-specs");
const { Verifier, toSignedEntity, toTrustMaterial } = require("@sigstore/verify");

const [bundlePath, rootPath, keyPath, file] = process.argv.slice(2);
const read = (path) => JSON.parse(fs.readFileSync(path, "utf8"));
const publicKey = createPublicKey(fs.readFileSync(keyPath));
const key = () => ({ publicKey, validFor: () => true });
const trust = toTrustMaterial(TrustedRoot.fromJSON(read(rootPath)), key);
const verifier = new Verifier(trust, { tlogThreshold: 1, ctlogThreshold: 0, timestampThreshold: 0 });
const artifact = file ? fs.readFileSync(file) : undefined;
verifier.verify(toSignedEntity(bundleFromJSON(read(bundlePath)), artifact));
console.log("OK");
