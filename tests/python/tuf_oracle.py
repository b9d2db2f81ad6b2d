"""What python-tuf makes of a case: one JSON object per line in, one per line out, until the input ends.

In:  {"root": hex, "trusted": {role: hex}, "files": {name: hex}, "now": seconds since 1970, "path": text}
Out: {"refresh": refusal or null, "search": refusal or null, "found": target or null,
      "stored": {role: sha256}}, where a refusal is [exception class, its text and those of its causes].

File names are compared unquoted: python-tuf quotes role names in URLs and on the disk, we do not.
"""

import hashlib
import json
import logging
import os
import sys
import tempfile
from datetime import datetime, timezone
from urllib.parse import quote, unquote

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

BASE = "http://repository/"

# The limits of our client, so that none of them is a difference. python-tuf visits one role more than
# it is told.
CONFIG = UpdaterConfig(
    max_delegations=31,
    root_max_length=64 * 1024,
    timestamp_max_length=16 * 1024,
    snapshot_max_length=2 * 1024 * 1024,
    targets_max_length=1024 * 1024,
)


class Folder(FetcherInterface):
    """A repository in memory."""

    def __init__(self, files):
        self.files = files

    def _fetch(self, url):
        name = unquote(url[len(BASE) :])
        if name not in self.files:
            raise DownloadHTTPError(f"no {name}", 404)
        return iter([bytes.fromhex(self.files[name])])


def refusal(error):
    """Class and text of an exception, with what caused it."""
    name, texts = type(error).__name__, []
    while error is not None:
        texts.append(f"{type(error).__name__}: {error}")
        error = error.__cause__
    return [name, " < ".join(texts)[:600]]


def stored(folder):
    """SHA-256 of every trusted file by role."""
    digests = {}
    for name in os.listdir(folder):
        if name.endswith(".json"):
            with open(os.path.join(folder, name), "rb") as file:
                digest = hashlib.sha256(file.read()).hexdigest()
            digests[unquote(name[: -len(".json")])] = digest
    return digests


def run(case, folder):
    """Refreshes and searches as a device that holds the trusted files."""
    for role, content in case["trusted"].items():
        with open(os.path.join(folder, f"{quote(role, '')}.json"), "wb") as file:
            file.write(bytes.fromhex(content))
    answer = {"refresh": None, "search": None, "found": None}
    step = "refresh"
    try:
        updater = Updater(
            folder,
            BASE,
            fetcher=Folder(case["files"]),
            config=CONFIG,
            bootstrap=bytes.fromhex(case["root"]),
        )
        now = datetime.fromtimestamp(case["now"], timezone.utc)
        updater._trusted_set.reference_time = now
        updater.refresh()
        step = "search"
        found = updater.get_targetinfo(case["path"])
        if found is not None:
            answer["found"] = {
                "length": found.length,
                "hashes": found.hashes,
                "custom": found.custom,
            }
    except Exception as error:
        answer[step] = refusal(error)
    answer["stored"] = stored(folder)
    return answer


def main():
    """Answers until the input ends."""
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        with tempfile.TemporaryDirectory() as folder:
            answer = run(json.loads(line), folder)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
