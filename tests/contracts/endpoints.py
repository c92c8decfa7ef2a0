"""The rows of the capability tables, and how many exchanges each was given."""

import collections
import json
import re

TABLES = "capabilities.json"


class Rows:
    """Every endpoint of every destination, as `capabilities.json` has them (written by `tests/rust/exchanges.rs`)."""

    def __init__(self, tables):
        self.rows = {}
        self.counts = collections.Counter()
        self.taken = collections.Counter()
        # Templates in the order in which a path is looked for: what is fixed goes before what stands for anything.
        self.templates = collections.defaultdict(list)
        for table in tables:
            for row in table["endpoints"]:
                self.rows[table["destination"], row["id"]] = row
                self.templates[table["destination"], row["method"]].append(row)
        for rows in self.templates.values():
            rows.sort(key=lambda row: (bool(row["host"]), row["path"].count("{")))

    @classmethod
    def found(cls, folders):
        """The tables beside the exchanges; None where there are none."""
        for folder in folders:
            if (folder / TABLES).is_file():
                return cls(json.loads((folder / TABLES).read_text(encoding="utf-8")))
        return None

    def of(self, exchange, path):
        """The rows that an exchange can be of: one where it names its endpoint or no other has its method and path."""
        vendor, named = exchange["vendor"], exchange.get("endpoint")
        if named is not None:
            return [self.rows[vendor, named]] if (vendor, named) in self.rows else []
        for row in self.templates[vendor, exchange["method"]]:
            # Below a host of its own, a path can have something before it.
            before = "(/.*)?" if row["host"] else ""
            if re.fullmatch(before + re.sub(r"\\\{.*?\\\}", "[^/]+", re.escape(row["path"])), path):
                same = self.templates[vendor, exchange["method"]]
                return [other for other in same if other["path"] == row["path"]]
        return []

    def count(self, exchange, rows):
        """Counts an exchange that was answered, by no fault made on purpose, and is of one row only."""
        if len(rows) == 1 and "status" in exchange and "response" in exchange and "fault" not in exchange:
            self.counts[exchange["vendor"], rows[0]["id"]] += 1
            self.taken[exchange["vendor"], rows[0]["id"]] += 200 <= exchange["status"] < 300

    def told(self):
        """Prints every row with its exchanges, and answers those that have none."""
        print("answered exchanges by row of the capability tables, and those answered with a success:")
        for (vendor, name), row in self.rows.items():
            count, taken = self.counts[vendor, name], self.taken[vendor, name]
            print(f"{count:7d} {taken:7d}  {vendor} {name}: {row['method']} {row['path']}")
        return [f"{vendor} {name}" for vendor, name in self.rows if not self.counts[vendor, name]]


def name(rows):
    """Rows in words."""
    return f"{' or '.join(row['id'] for row in rows)}: {rows[0]['method']} {rows[0]['path']}"
