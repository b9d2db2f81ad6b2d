#!/bin/sh
# Signs what a job has built, and releases it. Everything is said by variables; an empty one is left out, an unknown one
# of ours is an error. Needs no network to sign; witnesses and devices are reached where there is one.
#
#   STREEMBIT_IMAGE           image file or directory (required)
#   STREEMBIT_VERSION         version that people read (required)
#   STREEMBIT_REPOSITORY      folder of the publisher's repository (repository)
#   STREEMBIT_PRODUCT         product, if there are several
#   STREEMBIT_FROM            github, gitlab, generic: signs provenance with STREEMBIT_BUILDER_KEY
#   STREEMBIT_BUILDER_KEY     key URI: file:…, env:…, exec:… for a KMS, pkcs11:…
#   STREEMBIT_BUILDER         the builder's id, if not the workflow's
#   STREEMBIT_SBOM            list of components, CycloneDX or SPDX
#   STREEMBIT_ATTACH          a bundle of the CI platform, kept unchanged
#   STREEMBIT_PACK            where to write the evidence pack (evidence.pack)
#   STREEMBIT_PASSCODE, STREEMBIT_PASSCODE_FILE   of key files
set -eu
for name in $(env | sed -n 's/^\(STREEMBIT_[A-Z_]*\)=.*/\1/p'); do
  case $name in
  STREEMBIT_IMAGE | STREEMBIT_VERSION | STREEMBIT_REPOSITORY | STREEMBIT_PRODUCT | STREEMBIT_FROM) ;;
  STREEMBIT_BUILDER_KEY | STREEMBIT_BUILDER | STREEMBIT_SBOM | STREEMBIT_ATTACH | STREEMBIT_PACK) ;;
  STREEMBIT_PASSCODE | STREEMBIT_PASSCODE_FILE | STREEMBIT_LOG_FORMAT | STREEMBIT_PKCS11_PIN) ;;
  *)
    echo "release.sh: $name is not known; see the head of ci-templates/release.sh" >&2
    exit 2
    ;;
  esac
done
: "${STREEMBIT_IMAGE:?is the image, and not set}" "${STREEMBIT_VERSION:?is the version, and not set}"
repository=${STREEMBIT_REPOSITORY:-repository}
pack=${STREEMBIT_PACK:-evidence.pack}
publisher() { streembit-publisher -C "$repository" "$@"; }
set -- "$STREEMBIT_IMAGE" --version "$STREEMBIT_VERSION"
if [ -n "${STREEMBIT_PRODUCT:-}" ]; then set -- "$@" --product "$STREEMBIT_PRODUCT"; fi
if [ -n "${STREEMBIT_SBOM:-}" ]; then set -- "$@" --sbom "$STREEMBIT_SBOM"; fi
if [ -n "${STREEMBIT_ATTACH:-}" ]; then set -- "$@" --attach "$STREEMBIT_ATTACH"; fi
if [ -n "${STREEMBIT_FROM:-}" ]; then
  : "${STREEMBIT_BUILDER_KEY:?signs the provenance, and is not set}"
  statement=$(mktemp)
  trap 'rm -f "$statement"' EXIT
  streembit-publisher provenance "$STREEMBIT_IMAGE" --from "$STREEMBIT_FROM" \
    --key "$STREEMBIT_BUILDER_KEY" ${STREEMBIT_BUILDER:+--builder "$STREEMBIT_BUILDER"} -o "$statement"
  set -- "$@" --provenance "$statement"
fi
publisher release "$@"
product=${STREEMBIT_PRODUCT:+--product "$STREEMBIT_PRODUCT"}
# shellcheck disable=SC2086
publisher evidence pack "$STREEMBIT_VERSION" $product -o "$pack"
# What runs out is said long before: a signature is renewed at half of its life.
warnings=$(publisher doctor 2>&1) || true
if [ -n "${GITHUB_OUTPUT:-}" ]; then
  printf 'pack=%s\nversion=%s\n' "$pack" "$STREEMBIT_VERSION" >>"$GITHUB_OUTPUT"
fi
if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
  # shellcheck disable=SC2016
  printf '## Released %s\n\nEvidence: `%s`. Anybody verifies it: `streembit-audit verify %s IMAGE --pin PIN`\n\n```\n%s\n```\n' \
    "$STREEMBIT_VERSION" "$pack" "$pack" "$warnings" >>"$GITHUB_STEP_SUMMARY"
fi
printf '%s\n' "$warnings"
