"""The main job, start to end, on made-up data: a commercetools shop arrives in Iterable.

``make demo`` runs this. Everything happens on this machine: the shop is made up, and the marketing platform is the
sandbox, which behaves as the real one does. The report lands in ``var/demo/report.html``.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import cartwire
from cartwire import Report, Sandbox, Sync

HERE = Path("var/demo")

# How the shop is set up: where permission is kept, and which fields of its own it wants to see in the platform.
SOURCE: dict[str, Any] = {
    "type": "commercetools",
    "project": "fernweh",
    "locale": "en-GB",
    "fallback_locales": ["en", "de"],
    "currency": "EUR",
    "country": "DE",
    "brand_attribute": "brand",
    "product_url": "https://shop.example.com/{locale}/p/{slug}",
    "cart_url": "https://shop.example.com/cart/{id}",
    "consents": [{"channel": "email", "field": "newsletter", "at_field": "newsletterAt", "source_field": "newsletterSource"}],
    "contact_fields": [{"field": "loyaltyPoints"}],
    "attributes": [{"field": "colour"}, {"field": "size"}],
}

# How the platform is set up: a newsletter people must join, and a journey that mails whoever buys.
PLATFORM: dict[str, Any] = {
    "api_key": "sandbox-key",
    "project_type": "hybrid",
    "catalogs": ["products", "categories"],
    "channels": [{"id": 7, "name": "Newsletter", "channel_type": "Marketing", "message_medium": "Email"}],
    "message_types": [{"id": 101, "name": "Newsletter", "channel_id": 7, "policy": "OptIn"}],
    "journeys": [{"name": "order confirmation", "trigger": "purchase"}],
}


def destination(url: str) -> dict[str, Any]:
    """What cartwire must know of the platform."""
    return {
        "type": "iterable",
        "api_key": "sandbox-key",
        "project_type": "hybrid",
        "base_url": url,
        "catalogs": {"products": "products", "categories": "categories"},
        "consent": {"email": {"message_type": 101, "policy": "opt_in", "channel": 7}},
    }


def shop(**changes: Any) -> dict[str, bytes]:
    """The shop's records by resource, one a line, in the order they should go: people before what they bought."""
    return {
        "customer": Sandbox.sample("customer", count=300, customers=300, malformed_every=60, **changes),
        "category": Sandbox.sample("category", count=10, **changes),
        "product": Sandbox.sample("product", count=120, **changes),
        "cart": Sandbox.sample("cart", count=60, first=400, customers=300, **changes),
        "order": Sandbox.sample("order", count=400, customers=300, malformed_every=50, **changes),
    }


def headline(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}")


def send(sync: Sync, records: dict[str, bytes]) -> dict[str, Report]:
    """Delivers every resource and shows how far it is."""
    reports = {}
    for resource, lines in records.items():
        begun = time.monotonic()

        def show(progress: Any) -> None:
            counts = progress["counts"]
            done = counts["rows"] - counts["pending"]
            print(f"\r  {resource:<9} {done:>4} of {counts['rows']} rows", end="", flush=True)

        terminal = sys.stdout.isatty()
        report = sync.deliver_stream([lines], on_progress=show if terminal else None, resource=resource, format="ndjson")
        counts = report.counts
        reasons = ", ".join(f"{count} {reason}" for reason, count in report["skipped_by_reason"].items())
        print(
            f"{chr(13) if terminal else ''}  {resource:<9} {counts['rows']:>4} rows: {counts['delivered']} delivered, "
            f"{counts['skipped']} skipped, {counts['rejected']} rejected, {counts['dead_lettered']} dead letters"
            f"{f' ({reasons})' if reasons else ''}  {time.monotonic() - begun:.1f} s"
        )
        reports[resource] = report
    return reports


def total(reports: dict[str, Report], name: str) -> int:
    return sum(report.counts[name] for report in reports.values())  # type: ignore[literal-required]


def main() -> None:
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir(parents=True)
    with Sandbox(iterable=PLATFORM, exchanges_file=str(HERE / "exchanges.ndjson")) as sandbox:
        url = sandbox.url("iterable")
        print(f"cartwire {cartwire.__version__}; the marketing platform is the sandbox at {url}")
        with Sync(source=SOURCE, destination=destination(url), state=f"sqlite:{HERE / 'state.db'}", retry={"base_delay_ms": 100}) as sync:  # type: ignore[typeddict-item]
            check = sync.check()
            print(f"credentials: {check['message']}")

            headline("1. The whole shop, for the first time")
            first = send(sync, shop())
            print("\n  what was noticed:")
            noticed: dict[str, int] = {}
            for report in first.values():
                for name, count in {**report["findings_by_code"], **report["skipped_by_reason"]}.items():
                    noticed[name] = noticed.get(name, 0) + count
            for name, count in sorted(noticed.items()):
                print(f"    {name:<32} {count:>4}")
            first["order"].write_html(HERE / "report.html")
            print(f"\n  the order run as a page: {HERE / 'report.html'}")

            headline("2. The same again: nothing to send")
            before = sandbox.inspect("counts")["purchases"]
            again = send(sync, shop())
            after = sandbox.inspect("counts")["purchases"]
            print(f"  purchases in the platform before {before['distinct']}, after {after['distinct']}, sent twice {after['updates']}")
            assert before == after, "a purchase was sent twice"
            assert total(again, "delivered") == 0, "something was sent that had not changed"

            headline("3. A few things changed in the shop: only those go, and only what changed of them")
            changed = shop(revision=2)
            plan = sync.plan(changed["customer"], resource="customer", format="ndjson")
            row = next(row for request in plan["requests"] if request["endpoint"] == "users.bulkUpdate" for row in request["body"]["users"])
            print(f"  of the first changed customer, this much would go: {json.dumps(row['dataFields'], ensure_ascii=False)}")
            send(sync, changed)

            headline("4. What the platform refused, put right and sent again")
            for letter in sync.dead_letters():
                print(f"  dead letter {letter['id']}: {letter['endpoint']} answered {letter['vendor_code']} ({letter['message']})")
            # The mistyped end of an address, which only the platform could notice.
            fixes = {}
            for letter in sync.dead_letters():
                record = letter["record"]
                identity = record["envelope"]["identity"]
                identity["email"] = identity["email"].replace("example.shopp", "example.com")
                fixes[letter["id"]] = record
            replayed = sync.replay(fixes=fixes)
            print(f"  corrected and replayed: {replayed.counts['delivered']} delivered, {len(sync.dead_letters())} left")
            assert not sync.dead_letters(), "a dead letter was left"

        headline("5. One customer, as the shop and as the platform knows them")
        compare(sandbox)


def compare(sandbox: Sandbox) -> None:
    """The shop's record of one customer beside the platform's."""
    ours = json.loads(Sandbox.sample("customer", first=7, count=1, customers=300, revision=2))
    profile = sandbox.inspect("profile", userId=ours["id"])
    theirs = profile["dataFields"]
    address = ours["addresses"][0]
    rows = [
        ("id", ours["id"], profile.get("userId")),
        ("e-mail", ours["email"], profile.get("email")),
        ("name", f"{ours['firstName']} {ours['lastName']}", f"{theirs.get('firstName')} {theirs.get('lastName')}"),
        ("phone", address["mobile"], theirs.get("phoneNumber")),
        ("city", address["city"], (theirs.get("address") or {}).get("city")),
        ("loyalty points", ours["custom"]["fields"].get("loyaltyPoints"), theirs.get("loyaltyPoints")),
        ("newsletter", ours["custom"]["fields"].get("newsletter", "never asked"), 101 in profile.get("subscribedMessageTypeIds", [])),
    ]
    print(f"  {'':<15} {'shop':<42} platform")
    for name, shop_says, platform_says in rows:
        print(f"  {name:<15} {str(shop_says):<42} {platform_says}")


if __name__ == "__main__":
    main()
