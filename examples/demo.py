"""The main job, start to end, on made-up data: a commercetools shop arrives in a marketing platform, then in four at once.

    make demo                             # the story with Iterable
    make demo DESTINATION=cordial         # the same with cordial, dotdigital or insider

Everything happens on this machine: the shop is made up, and the marketing platforms are the sandbox, which behaves as the
real ones do. The report lands in ``var/demo/report.html``.
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

from platforms import PLATFORMS, Platform

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


def main(platform: Platform) -> None:
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir(parents=True)
    accounts = {name: other.account for name, other in PLATFORMS.items()}
    with Sandbox(exchanges_file=str(HERE / "exchanges.ndjson"), **accounts) as sandbox:
        print(f"cartwire {cartwire.__version__}; the marketing platform is the sandbox's {platform.name} at {sandbox.url(platform.name)}")
        story(sandbox, platform)
        headline("5. One customer, as the shop and as the platform knows them")
        compare(sandbox, [platform])
        headline("6. The same shop into all four platforms at once")
        everywhere(sandbox)
        headline("7. The same customer in all four")
        compare(sandbox, list(PLATFORMS.values()))


def story(sandbox: Sandbox, platform: Platform) -> None:
    """The shop for the first time, again, after changes, and what was refused put right."""
    options: dict[str, Any] = {
        "source": SOURCE,
        "destination": platform.destination(sandbox),
        "state": f"sqlite:{HERE / 'state.db'}",
        "retry": {"base_delay_ms": 100},
        # The sandbox's accounts have no limits, so that the demo is short. A real account has: leave this out.
        "rate_limits": False,
    }
    with Sync(**options) as sync:
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
        before = platform.purchases(platform.ask(sandbox, "counts"))
        again = send(sync, shop())
        after = platform.purchases(platform.ask(sandbox, "counts"))
        print(f"  {platform.counted} in the platform before {before[0]}, after {after[0]}, written twice {after[1]}")
        assert before == after, "a purchase was sent twice"
        assert total(again, "delivered") == 0, "something was sent that had not changed"

        headline("3. A few things changed in the shop: only those go, and only what changed of them")
        changed = shop(revision=2)
        plan = sync.plan(changed["customer"], resource="customer", format="ndjson")
        print(f"  of the first changed customer, this much would go: {json.dumps(first_row(plan['requests']), ensure_ascii=False)}")
        send(sync, changed)

        headline("4. What the platform refused, put right and sent again")
        letters = sync.dead_letters()
        for letter in letters:
            print(f"  dead letter {letter['id']}: {letter['endpoint']} answered {letter['vendor_code']} ({letter['message']})")
        # The mistyped end of an address, which only the platform could notice.
        fixes = {}
        for letter in letters:
            record = letter["record"]
            identity = record["envelope"]["identity"]
            identity["email"] = identity["email"].replace("example.shopp", "example.com")
            fixes[letter["id"]] = record
        replayed = sync.replay(fixes=fixes)
        print(f"  corrected and replayed: {replayed.counts['delivered']} delivered, {len(sync.dead_letters())} left")
        assert not sync.dead_letters(), "a dead letter was left"


def first_row(requests: Any) -> Any:
    """The first row of the first request that has one, wherever the platform wants its rows."""
    body = next((request["body"] for request in requests if request["body"]), None)
    if body is None:
        return "decided when the person's record in the platform has been read"
    lists = body.values() if isinstance(body, dict) else [body]
    rows = next((rows for rows in lists if isinstance(rows, list) and rows and isinstance(rows[0], dict)), [body])
    return rows[0]


def everywhere(sandbox: Sandbox) -> None:
    """One Sync, four destinations: each has its own state, order and pace."""
    destinations = {name: platform.destination(sandbox) for name, platform in PLATFORMS.items()}
    sandbox.reset()
    with Sync(source=SOURCE, destinations=destinations, state="memory:", rate_limits=False, retry={"base_delay_ms": 100}) as sync:
        send(sync, shop(revision=2))
    for platform in PLATFORMS.values():
        held, twice = platform.purchases(platform.ask(sandbox, "counts"))
        print(f"  {platform.name:<11} {platform.ask(sandbox, 'counts')['profiles']:>4} people, {held:>4} {platform.counted}, {twice} written twice")


def compare(sandbox: Sandbox, platforms: list[Platform]) -> None:
    """The shop's record of one customer beside the platforms'."""
    ours = json.loads(Sandbox.sample("customer", first=7, count=1, customers=300, revision=2))
    address, fields = ours["addresses"][0], ours["custom"]["fields"]
    shop_says = {
        "id": ours["id"],
        "e-mail": ours["email"],
        "name": f"{ours['firstName']} {ours['lastName']}",
        "phone": address["mobile"],
        "city": address["city"],
        "loyalty points": fields.get("loyaltyPoints"),
        "newsletter": fields.get("newsletter", "never asked"),
    }
    views = [("shop", shop_says), *((platform.name, platform.person(sandbox, ours)) for platform in platforms)]
    if len(platforms) == 1:
        print(f"  {'':<15} {'shop':<42} {platforms[0].name}")
        for fact in shop_says:
            print(f"  {fact:<15} {str(shop_says[fact]):<42} {views[1][1][fact]}")
        return
    # Four columns of ids are wider than a terminal: one line a platform.
    for who, view in views:
        print(f"  {who:<11} " + " | ".join(str(view[fact]) for fact in shop_says))


if __name__ == "__main__":
    wanted = sys.argv[1] if len(sys.argv) > 1 else "iterable"
    if wanted not in PLATFORMS:
        sys.exit(f"no platform is called `{wanted}`; there are {', '.join(PLATFORMS)}")
    main(PLATFORMS[wanted])
