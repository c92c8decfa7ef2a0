"""The four marketing platforms of the demo: how each is set up in the sandbox, what cartwire must know of it, and where a
person of the shop stands in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cartwire import Sandbox

Json = dict[str, Any]


@dataclass(frozen=True)
class Platform:
    """One marketing platform."""

    name: str
    # The account, as the sandbox plays it.
    account: Json
    # What cartwire must know of it; the base URL is added.
    settings: Json
    # Purchases it holds, and how many of them were written a second time.
    purchases: Callable[[Json], tuple[int, int]]
    # What it calls those.
    counted: str
    # The same facts of a person, whatever the platform calls them.
    person: Callable[[Sandbox, Json], Json]

    def destination(self, sandbox: Sandbox) -> Json:
        """The setting `destination` of a Sync."""
        return {"type": self.name, "base_url": sandbox.url(self.name), **self.settings}

    def ask(self, sandbox: Sandbox, what: str, **query: Any) -> Any:
        """A question to the sandbox's server of this platform."""
        return sandbox.inspect(what, vendor=self.name, **query)


def _iterable(sandbox: Sandbox, customer: Json) -> Json:
    held = sandbox.inspect("profile", vendor="iterable", userId=customer["id"])
    fields = held["dataFields"]
    return {
        "id": held.get("userId"),
        "e-mail": held.get("email"),
        "name": f"{fields.get('firstName')} {fields.get('lastName')}",
        "phone": fields.get("phoneNumber"),
        "city": (fields.get("address") or {}).get("city"),
        "loyalty points": fields.get("loyaltyPoints"),
        "newsletter": 101 in held.get("subscribedMessageTypeIds", []),
    }


def _cordial(sandbox: Sandbox, customer: Json) -> Json:
    held = sandbox.inspect("profile", vendor="cordial", email=customer["email"])
    attributes, email = held["attributes"], held["channels"]["email"]
    return {
        "id": attributes.get("customer_id"),
        "e-mail": email["address"],
        "name": f"{attributes.get('first_name')} {attributes.get('last_name')}",
        "phone": (held["channels"].get("sms") or {}).get("address"),
        "city": (attributes.get("home_address") or {}).get("city"),
        "loyalty points": attributes.get("points"),
        "newsletter": email.get("subscribeStatus") == "subscribed",
    }


def _dotdigital(sandbox: Sandbox, customer: Json) -> Json:
    held = sandbox.inspect("profile", vendor="dotdigital", email=customer["email"])
    fields, identifiers = held["dataFields"], held["identifiers"]
    return {
        "id": identifiers.get("shopCustomerId"),
        "e-mail": identifiers.get("email"),
        "name": f"{fields.get('FIRSTNAME')} {fields.get('LASTNAME')}",
        "phone": identifiers.get("mobileNumber"),
        "city": fields.get("DELIVERY_CITY"),
        "loyalty points": fields.get("LOYALTYPOINTS"),
        "newsletter": held["status"].get("email") == "subscribed",
    }


def _insider(sandbox: Sandbox, customer: Json) -> Json:
    held = sandbox.inspect("profile", vendor="insider", uuid=customer["id"])
    attributes, identifiers = held["attributes"], held["identifiers"]
    return {
        "id": identifiers.get("uuid"),
        "e-mail": identifiers.get("email") or attributes.get("email"),
        "name": f"{attributes.get('name')} {attributes.get('surname')}",
        "phone": identifiers.get("phone_number") or attributes.get("phone_number"),
        "city": attributes.get("city"),
        "loyalty points": held["custom"].get("loyalty_points"),
        "newsletter": held["reachable"]["email"],
    }


PLATFORMS = {
    platform.name: platform
    for platform in (
        Platform(
            name="iterable",
            # A newsletter people must join, and a journey that mails whoever buys.
            account={
                "project_type": "hybrid",
                "catalogs": ["products", "categories"],
                "channels": [{"id": 7, "name": "Newsletter", "channel_type": "Marketing", "message_medium": "Email"}],
                "message_types": [{"id": 101, "name": "Newsletter", "channel_id": 7, "policy": "OptIn"}],
                "journeys": [{"name": "order confirmation", "trigger": "purchase"}],
            },
            settings={
                "api_key": "sandbox-key",
                "project_type": "hybrid",
                "catalogs": {"products": "products", "categories": "categories"},
                "consent": {"email": {"message_type": 101, "policy": "opt_in", "channel": 7}},
            },
            purchases=lambda counts: (counts["purchases"]["distinct"], counts["purchases"]["updates"]),
            counted="purchases",
            person=_iterable,
        ),
        Platform(
            name="cordial",
            account={"rate_limits": False},
            settings={
                "api_key": "sandbox-key",
                "customer_id_attribute": "customer_id",
                "channels": {"email": "email", "sms": "sms"},
                "attributes": {
                    "first_name": {"key": "first_name"},
                    "last_name": {"key": "last_name"},
                    "loyaltyPoints": {"key": "points", "type": "number"},
                    "address": {"key": "home_address", "type": "geo"},
                },
            },
            purchases=lambda counts: (counts["orders"]["distinct"], counts["orders"]["updates"]),
            counted="orders",
            person=_cordial,
        ),
        Platform(
            name="dotdigital",
            account={"custom_identifiers": ["shopCustomerId"], "lists": [40211]},
            settings={
                "user": "sandbox-user",
                "password": "sandbox-password",
                "customer_identifier": "shopCustomerId",
                "consent": {"email": {"lists": [40211]}},
            },
            purchases=lambda counts: (counts["collections"].get("Orders", 0), 0),
            counted="orders",
            person=_dotdigital,
        ),
        Platform(
            name="insider",
            account={"rate_limits": False, "journeys": [{"name": "order confirmation", "event": "purchase"}]},
            settings={
                "partner": "sandbox",
                "token": "ucd-key",
                "catalog_token": "catalog-key",
                "unsubscribe_token": "unsubscribe-key",
                "resubscribe_token": "resubscribe-key",
                "custom_attributes": {"loyalty_points": "number"},
                "attribute_names": {"loyaltyPoints": "loyalty_points"},
            },
            purchases=lambda counts: (counts["events"].get("purchase", 0), counts["repeatedEvents"]),
            counted="purchase events (one a line)",
            person=_insider,
        ),
    )
}
