#!/usr/bin/env python3
"""Holds recorded exchanges against the vendors' own API documents, and against the capability tables.

    python3 tests/contracts/run.py [--partial] FOLDER_OR_FILE...

Takes every `*.ndjson` in the folders named: what the golden cases build (`golden.ndjson`, written where
CARTWIRE_EXCHANGES_DIR points), and what was said to a sandbox. One exchange a line: `vendor`, `method`, `url`, and where
there are any `body`, `status`, `response`, `endpoint`.

Every row of a capability table must have an exchange that was answered: by its endpoint's id where the exchange names it,
else by method and path, where no other row has the same. The tables are `capabilities.json` in one of the folders, which
`cargo test -p cartwire --test exchanges` writes. `--partial` asks for no tables and lets rows be without an exchange.

The documents and the checker stand beside this repository in `../shared`; where they are absent this says so and checks
the tables only. Findings that are the documents' own fault stand in `exceptions.json`, each with its reason. What a vendor
documents in words alone is counted by endpoint, as without a document.

Exit 0: nothing found. 1: findings, or a row without an exchange. 2: no exchange to check, no tables, or a line that is no
exchange.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.parse

import endpoints

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
# Paths that stand in a vendor's document; all unless named.
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


def prepared(line, reference, rows):
    """The exchange as the checker wants it, or None and why it is left out."""
    exchange = json.loads(line)
    vendor = exchange["vendor"]
    if vendor not in HOSTS:
        return None, f"no documents are named for `{vendor}`"
    url = urllib.parse.urlsplit(exchange["url"])
    mine = rows.of(exchange, url.path) if rows else []
    if rows:
        rows.count(exchange, mine)
    if url.path.startswith("/_sandbox") or not url.path.startswith(PATHS.get(vendor, "/")):
        if mine:
            return None, f"without a document: {vendor} {endpoints.name(mine)}"
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


def gathered(arguments, rows, out):
    """Writes what there is to check, and tells how much of what; None for a line that is no exchange."""
    total, left_out = 0, {}
    for path in files(arguments):
        count = 0
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            if not line.strip():
                continue
            try:
                exchange, why = prepared(line, f"{path.name}:{number}", rows)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                print(f"{path}:{number}: not an exchange: {error!r}", file=sys.stderr)
                return None
            if exchange is None:
                left_out[why] = left_out.get(why, 0) + 1
                continue
            out.write(json.dumps(exchange, ensure_ascii=False) + "\n")
            count += 1
        print(f"{count:7d}  from {path}")
        total += count
    for why, count in sorted(left_out.items()):
        print(f"{count:7d}  left out: {why}")
    return total


def checked(name):
    """What the checker finds in a file of exchanges."""
    checker = SHARED / "tools" / "check_contract.py"
    if not checker.is_file() or not (SHARED / "contracts").is_dir():
        print("skipped: `../shared` with the vendors' documents and the checker is absent; no document was checked")
        return 0
    sys.stdout.flush()
    return subprocess.run(
        [sys.executable, str(checker), "--exceptions", str(HERE / "exceptions.json"), name], check=False
    ).returncode


def main(arguments):
    partial = "--partial" in arguments
    arguments = [argument for argument in arguments if argument != "--partial"]
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    rows = endpoints.Rows.found(map(pathlib.Path, arguments))
    if rows is None and not partial:
        print(f"no `{endpoints.TABLES}` in {', '.join(arguments)}: run the test `exchanges`, or say --partial", file=sys.stderr)
        return 2
    handle, name = tempfile.mkstemp(suffix=".ndjson")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            total = gathered(arguments, rows, out)
        if total is None:
            return 2
        if total == 0:
            print("no exchange was found; a check of nothing is no check", file=sys.stderr)
            return 2
        found = checked(name)
    finally:
        os.unlink(name)
    missing = rows.told() if rows else []
    if missing and not partial:
        print(f"{len(missing)} endpoints without an answered exchange: {', '.join(missing)}", file=sys.stderr)
    return found or int(bool(missing) and not partial)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
