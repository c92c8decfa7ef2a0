#!/usr/bin/env python3
"""Holds recorded exchanges against the vendors' own API documents.

    python3 tests/contracts/run.py FOLDER_OR_FILE...

Takes every `*.ndjson` in the folders named: what the golden cases build (`golden.ndjson`, written where
CARTWIRE_EXCHANGES_DIR points), and what a sandbox recorded. One exchange a line: `vendor`, `method`, `url`, and where
there are any `body`, `status`, `response`.

The documents and the checker stand beside this repository in `../shared`; where they are absent this says so and checks
nothing. Findings that are the documents' own fault stand in `exceptions.json`, each with its reason.

Exit 0: nothing found, or nothing to check with. 1: findings. 2: no exchange to check, or a line that is none.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
SHARED = HERE.parent.parent.parent / "shared"
HOSTS = {
    "bigcommerce": "https://api.bigcommerce.com",
    "cordial": "https://api.cordial.io",
    "dotdigital": "https://r1-api.dotdigital.com",
    "insider": "https://unification.useinsider.com",
    "iterable": "https://api.iterable.com",
    "commercetools": "https://api.europe-west1.gcp.commercetools.com",
}
# Paths that are a vendor's own and stand in its document; all unless named.
PATHS = {"cordial": "/v2/", "iterable": "/api/"}
# Token calls live on hosts of their own, which no document describes.
TOKENS = {"/oauth/token"}


def files(arguments):
    """The NDJSON files that the arguments name, in order."""
    for argument in map(pathlib.Path, arguments):
        if argument.is_dir():
            yield from sorted(argument.glob("*.ndjson"))
        else:
            yield argument


def prepared(line, reference):
    """The exchange as the checker wants it, or None and why it is left out."""
    exchange = json.loads(line)
    vendor = exchange["vendor"]
    if vendor not in HOSTS:
        return None, f"no documents are named for `{vendor}`"
    url = urllib.parse.urlsplit(exchange["url"])
    if url.path.startswith("/_sandbox") or not url.path.startswith(PATHS.get(vendor, "/")):
        return None, "a call of the test server's own"
    if url.path in TOKENS:
        return None, "a token call"
    if exchange.pop("body_is_json", True) is False:
        return None, "a body that is broken on purpose"
    if exchange.pop("fault", None) is not None:
        # The request is ours, the reply is a fault made on purpose.
        exchange.pop("response", None)
    exchange["url"] = HOSTS[vendor] + url.path + (f"?{url.query}" if url.query else "")
    exchange["ref"] = f"{reference} {exchange.get('ref', '')}".strip()
    return exchange, None


def main(arguments):
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    checker = SHARED / "tools" / "check_contract.py"
    if not checker.is_file() or not (SHARED / "contracts").is_dir():
        print("skipped: `../shared` with the vendors' documents and the checker is absent; nothing was checked")
        return 0
    total, left_out = 0, {}
    handle, name = tempfile.mkstemp(suffix=".ndjson")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            for path in files(arguments):
                count = 0
                for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                    if not line.strip():
                        continue
                    try:
                        exchange, why = prepared(line, f"{path.name}:{number}")
                    except (ValueError, KeyError, TypeError, AttributeError) as error:
                        print(f"{path}:{number}: not an exchange: {error!r}", file=sys.stderr)
                        return 2
                    if exchange is None:
                        left_out[why] = left_out.get(why, 0) + 1
                        continue
                    out.write(json.dumps(exchange, ensure_ascii=False) + "\n")
                    count += 1
                print(f"{count:7d}  from {path}")
                total += count
        for why, count in sorted(left_out.items()):
            print(f"{count:7d}  left out: {why}")
        if total == 0:
            print("no exchange was found; a check of nothing is no check", file=sys.stderr)
            return 2
        sys.stdout.flush()
        return subprocess.run(
            [sys.executable, str(checker), "--exceptions", str(HERE / "exceptions.json"), name], check=False
        ).returncode
    finally:
        os.unlink(name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
