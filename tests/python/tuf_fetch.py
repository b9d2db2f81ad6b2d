"""Fetches one target with python-tuf: tuf_fetch.py STATE ROOT URL TARGET OUT.

STATE is the folder of trusted metadata and may have been used before; ROOT is root version 1. Ends with 1
and the kind of the error if the client refuses.
"""

import os
import sys

from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.ngclient import Updater


def main() -> None:
    state, root, url, target, out = sys.argv[1:]
    os.makedirs(state, exist_ok=True)
    with open(root, "rb") as file:
        bootstrap = file.read()
    try:
        updater = Updater(
            metadata_dir=state,
            metadata_base_url=f"{url}/metadata/",
            target_base_url=f"{url}/targets/",
            bootstrap=bootstrap,
        )
        updater.refresh()
        found = updater.get_targetinfo(target)
        if found is None:
            sys.exit(f"no target {target}")
        updater.download_target(found, out)
    except (DownloadError, RepositoryError) as error:
        sys.exit(f"refused: {type(error).__name__}: {error}")


main()
