"""The same job by hand: a commercetools order to an Iterable purchase with pydantic v2 and orjson.

Written as one would for production: typed models of the same fields that cartwire reads, compiled once, money in
``Decimal``, the same rules before anything is sent, floats only where Iterable's JSON wants numbers. pydantic reads the
bytes itself (``model_validate_json``), which is faster than handing it what ``orjson.loads`` made; orjson writes. There is
no canonical model between the two platforms, no pointer to what is wrong, and no plan around the body: leaner than what
cartwire does.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Optional
from urllib.parse import quote

import orjson
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

EMAIL = re.compile(
    r"(?=.{1,254}\Z)(?=[^@]{1,64}@)[^\s@()<>,;:\\\"\[\]]+@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}\Z"
)
USER_ID = re.compile(r"[ -~]{0,51}[!-~]\Z")
ITEM_ID = re.compile(r"[A-Za-z0-9-]+\Z")
LOCALE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*\Z")
COUNTRIES = frozenset(
    """AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF
    CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI
    GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ
    LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO
    NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST
    SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM
    ZW""".split()
)
CURRENCIES = {"EUR": 2, "USD": 2, "GBP": 2, "CHF": 2, "SEK": 2, "PLN": 2, "JPY": 0, "KWD": 3}
STATES = {"Open": "open", "Confirmed": "confirmed", "Complete": "complete", "Cancelled": "cancelled"}
PAYMENT_STATES = {"BalanceDue": "balance_due", "Failed": "failed", "Pending": "pending", "CreditOwed": "credit_owed", "Paid": "paid"}
ZERO = Decimal(0)
NOW = datetime(2026, 11, 1, tzinfo=timezone.utc)
TOLERANCE = timedelta(seconds=300)


class Rejected(Exception):
    """An order that must not be sent."""


class Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=False)


class Money(Wire):
    currency_code: str
    cent_amount: int
    fraction_digits: int
    precise_amount: Optional[int] = None

    @property
    def amount(self) -> Decimal:
        units = self.cent_amount if self.precise_amount is None else self.precise_amount
        return Decimal(units).scaleb(-self.fraction_digits)


class Reference(Wire):
    type_id: Optional[str] = None
    id: Optional[str] = None
    key: Optional[str] = None


class Custom(Wire):
    fields: Optional[dict[str, Any]] = None


class Address(Wire):
    id: Optional[str] = None
    country: Optional[str] = None
    first_name: Optional[str] = None
    last_name: Optional[str] = None
    street_name: Optional[str] = None
    street_number: Optional[str] = None
    additional_street_info: Optional[str] = None
    additional_address_info: Optional[str] = None
    building: Optional[str] = None
    apartment: Optional[str] = None
    po_box: Optional[str] = Field(default=None, alias="pOBox")
    postal_code: Optional[str] = None
    city: Optional[str] = None
    region: Optional[str] = None
    state: Optional[str] = None
    company: Optional[str] = None
    phone: Optional[str] = None
    mobile: Optional[str] = None
    email: Optional[str] = None


class TaxPortion(Wire):
    rate: Decimal
    amount: Money
    name: Optional[str] = None


class Taxed(Wire):
    total_net: Money
    total_gross: Money
    total_tax: Optional[Money] = None


class TaxedPrice(Taxed):
    tax_portions: list[TaxPortion] = Field(default_factory=list)


class TaxRate(Wire):
    amount: Decimal
    included_in_price: bool


class DiscountPortion(Wire):
    discount: Optional[Reference] = None
    discounted_amount: Money


class DiscountedPrice(Wire):
    value: Money
    included_discounts: list[DiscountPortion] = Field(default_factory=list)


class PricePerQuantity(Wire):
    quantity: int
    discounted_price: DiscountedPrice


class DiscountOnTotal(Wire):
    discounted_amount: Money
    included_discounts: list[DiscountPortion] = Field(default_factory=list)


class Image(Wire):
    url: Optional[str] = None
    label: Optional[str] = None


class Attribute(Wire):
    name: str
    value: Any = None


class Variant(Wire):
    id: int
    sku: Optional[str] = None
    key: Optional[str] = None
    images: list[Image] = Field(default_factory=list)
    attributes: list[Attribute] = Field(default_factory=list)


class Discounted(Wire):
    value: Money
    discount: Optional[Reference] = None


class Price(Wire):
    value: Money
    discounted: Optional[Discounted] = None


class MethodTaxRate(Wire):
    tax_rate: Optional[TaxRate] = None


class LineItem(Wire):
    id: str
    product_id: str
    product_key: Optional[str] = None
    name: dict[str, str]
    product_slug: Optional[dict[str, str]] = None
    variant: Variant
    price: Price
    quantity: int
    total_price: Money
    discounted_price_per_quantity: list[PricePerQuantity] = Field(default_factory=list)
    taxed_price: Optional[Taxed] = None
    tax_rate: Optional[TaxRate] = None
    per_method_tax_rate: list[MethodTaxRate] = Field(default_factory=list)
    line_item_mode: str = "Standard"
    distribution_channel: Optional[Reference] = None
    added_at: Optional[datetime] = None
    last_modified_at: Optional[datetime] = None
    custom: Optional[Custom] = None


class CustomLineItem(Wire):
    id: str
    name: dict[str, str]
    slug: Optional[str] = None
    money: Money
    quantity: int = 1
    total_price: Money
    discounted_price_per_quantity: list[PricePerQuantity] = Field(default_factory=list)
    taxed_price: Optional[Taxed] = None
    tax_rate: Optional[TaxRate] = None
    per_method_tax_rate: list[MethodTaxRate] = Field(default_factory=list)
    custom: Optional[Custom] = None


class DeliveryItem(Wire):
    id: str
    quantity: int


class TrackingData(Wire):
    tracking_id: Optional[str] = None
    carrier: Optional[str] = None
    is_return: bool = False


class Parcel(Wire):
    id: str
    tracking_data: Optional[TrackingData] = None
    items: list[DeliveryItem] = Field(default_factory=list)


class Delivery(Wire):
    id: str
    created_at: Optional[datetime] = None
    items: list[DeliveryItem] = Field(default_factory=list)
    parcels: list[Parcel] = Field(default_factory=list)
    address: Optional[Address] = None


class ShippingInfo(Wire):
    shipping_method_name: Optional[str] = None
    price: Money
    discounted_price: Optional[DiscountedPrice] = None
    taxed_price: Optional[Taxed] = None
    tax_rate: Optional[TaxRate] = None
    deliveries: list[Delivery] = Field(default_factory=list)


class Shipping(Wire):
    shipping_key: Optional[str] = None
    shipping_info: Optional[ShippingInfo] = None
    shipping_address: Optional[Address] = None


class DiscountCodeInfo(Wire):
    discount_code: Optional[Reference] = None
    state: Optional[str] = None


class ReturnItem(Wire):
    id: str
    line_item_id: Optional[str] = None
    custom_line_item_id: Optional[str] = None
    quantity: int
    comment: Optional[str] = None
    shipment_state: Optional[str] = None
    payment_state: Optional[str] = None
    created_at: Optional[datetime] = None


class ReturnInfo(Wire):
    items: list[ReturnItem] = Field(default_factory=list)
    return_tracking_id: Optional[str] = None
    return_date: Optional[datetime] = None


class PaymentInfo(Wire):
    payments: list[Reference] = Field(default_factory=list)


class Order(Wire):
    type: Optional[str] = None
    id: str
    version: int
    created_at: datetime
    last_modified_at: datetime
    completed_at: Optional[datetime] = None
    key: Optional[str] = None
    order_number: Optional[str] = None
    order_state: str
    payment_state: Optional[str] = None
    shipment_state: Optional[str] = None
    state: Optional[Reference] = None
    cart: Optional[Reference] = None
    recurring_order: Optional[Reference] = None
    origin: Optional[str] = None
    customer_id: Optional[str] = None
    anonymous_id: Optional[str] = None
    customer_email: Optional[str] = None
    customer_group: Optional[Reference] = None
    store: Optional[Reference] = None
    country: Optional[str] = None
    locale: Optional[str] = None
    total_price: Money
    taxed_price: Optional[TaxedPrice] = None
    discount_on_total_price: Optional[DiscountOnTotal] = None
    line_items: list[LineItem] = Field(default_factory=list)
    custom_line_items: list[CustomLineItem] = Field(default_factory=list)
    shipping_info: Optional[ShippingInfo] = None
    shipping: list[Shipping] = Field(default_factory=list)
    shipping_address: Optional[Address] = None
    billing_address: Optional[Address] = None
    discount_codes: list[DiscountCodeInfo] = Field(default_factory=list)
    return_info: list[ReturnInfo] = Field(default_factory=list)
    payment_info: Optional[PaymentInfo] = None
    custom: Optional[Custom] = None


_parse = Order.__pydantic_validator__.validate_json


def pick(texts: dict[str, str] | None, locales: list[str]) -> str | None:
    """The text of the first locale there is; a locale's language counts for the locale."""
    if not texts:
        return None
    for locale in locales:
        text = texts.get(locale) or texts.get(locale.split("-")[0])
        if text:
            return text
    return texts[min(texts)]


def amounts(order: Order) -> Iterator[Money]:
    """Every amount that enters a sum."""
    for line in order.line_items:
        yield line.price.value
        if line.price.discounted:
            yield line.price.discounted.value
        yield line.total_price
        if line.taxed_price and line.taxed_price.total_tax:
            yield line.taxed_price.total_tax
        for price in line.discounted_price_per_quantity:
            for portion in price.discounted_price.included_discounts:
                yield portion.discounted_amount
    if order.shipping_info:
        yield order.shipping_info.price
        if order.shipping_info.taxed_price and order.shipping_info.taxed_price.total_tax:
            yield order.shipping_info.taxed_price.total_tax
    if order.discount_on_total_price:
        yield order.discount_on_total_price.discounted_amount
    if order.taxed_price:
        yield order.taxed_price.total_gross
        if order.taxed_price.total_tax:
            yield order.taxed_price.total_tax
        for tax in order.taxed_price.tax_portions:
            yield tax.amount


def check(order: Order, total: Decimal) -> None:
    """The rules that an order must keep before anyone is told of it."""
    currency = order.total_price.currency_code
    digits = CURRENCIES.get(currency)
    if digits is None:
        raise Rejected("unknown currency")
    if total < 0:
        raise Rejected("below zero")
    if order.customer_id is None and not order.customer_email:
        raise Rejected("nobody")
    if order.customer_email and not EMAIL.match(order.customer_email):
        raise Rejected("e-mail")
    if order.customer_id is not None and not USER_ID.match(order.customer_id):
        raise Rejected("user id")
    if order.locale and not LOCALE.match(order.locale):
        raise Rejected("locale")
    if order.country and order.country not in COUNTRIES:
        raise Rejected("country")
    for address in (order.shipping_address, order.billing_address):
        if address is not None and address.country and address.country not in COUNTRIES:
            raise Rejected("country")
    if order.last_modified_at > NOW + TOLERANCE:
        raise Rejected("future")
    if any(money.currency_code != currency for money in amounts(order)):
        raise Rejected("currencies")
    if not order.line_items:
        raise Rejected("no lines")
    unit = Decimal(1).scaleb(-digits)
    subtotal = ZERO
    ids = set()
    for line in order.line_items:
        if line.id in ids:
            raise Rejected("line id twice")
        ids.add(line.id)
        if line.quantity < 1:
            raise Rejected("quantity")
        if not line.variant.sku:
            raise Rejected("no sku")
        if not any(line.name.values()):
            raise Rejected("no name")
        if not ITEM_ID.match(line.product_id) or "-x" in line.product_id:
            raise Rejected("an id that a catalogue cannot hold")
        money = line.total_price
        price = line.price.discounted.value.amount if line.price.discounted else line.price.value.amount
        if price < 0:
            raise Rejected("price")
        expected = price * line.quantity - line_discount(line)
        if abs(expected - money.amount) > unit * line.quantity:
            raise Rejected("line total")
        subtotal += money.amount
    added = total - order.total_price.amount
    shipping = order.shipping_info.price.amount if order.shipping_info else ZERO
    off = order.discount_on_total_price.discounted_amount.amount if order.discount_on_total_price else ZERO
    if (subtotal + shipping + added - off).quantize(unit, ROUND_HALF_EVEN) != total.quantize(unit, ROUND_HALF_EVEN):
        raise Rejected("total")


def line_discount(line: LineItem) -> Decimal:
    """What cart rules took off a line; the document says it per unit."""
    off = ZERO
    for price in line.discounted_price_per_quantity:
        for portion in price.discounted_price.included_discounts:
            off += portion.discounted_amount.amount * price.quantity
    return off


def item(line: LineItem, locales: list[str], locale: str) -> dict[str, Any]:
    variant = line.variant
    gift = line.line_item_mode == "GiftLineItem"
    price = line.price.discounted.value.amount if line.price.discounted else line.price.value.amount
    attributes = {attribute.name: attribute.value for attribute in variant.attributes}
    slug = pick(line.product_slug, locales)
    discount = line_discount(line)
    if line.price.discounted:
        discount += (line.price.value.amount - price) * line.quantity
    fields: dict[str, Any] = {
        "lineId": line.id,
        "kind": "gift" if gift else None,
        "productId": line.product_id,
        "productKey": line.product_key,
        "variantId": str(variant.id),
        "brand": attributes.get("brand"),
        "currency": line.total_price.currency_code,
        "listPrice": float(line.price.value.amount),
        "lineTotal": float(line.total_price.amount),
        "lineDiscount": float(discount) if discount else None,
        "lineTax": float(line.taxed_price.total_tax.amount) if line.taxed_price and line.taxed_price.total_tax else None,
        "size": attributes.get("size"),
    }
    whole: dict[str, Any] = {
        "id": line.product_id,
        "sku": variant.sku,
        "name": pick(line.name, locales) or variant.sku,
        "price": 0.0 if gift else float(price),
        "quantity": line.quantity,
        "url": f"https://fernweh.example/{locale}/p/{quote(slug, safe='')}" if slug else None,
        "imageUrl": variant.images[0].url if variant.images else None,
        "dataFields": {name: value for name, value in fields.items() if value is not None},
    }
    return {name: value for name, value in whole.items() if value is not None}


def idempotency_key(*parts: str) -> str:
    """One key for one purchase, however often it is heard."""
    digest = hashlib.sha256()
    for part in parts:
        text = part.encode()
        digest.update(len(text).to_bytes(8, "little"))
        digest.update(text)
    return digest.hexdigest()[:32]


def purchase(raw: bytes) -> tuple[str, bytes]:
    """Idempotency key and body of ``commerce/trackPurchase`` for an order as commercetools sends it."""
    order = _parse(raw)
    total = order.taxed_price.total_gross.amount if order.taxed_price else order.total_price.amount
    check(order, total)
    locale = order.locale or "en"
    locales = [locale, "en"]
    placed = (order.completed_at or order.created_at).astimezone(timezone.utc)
    subtotal = sum((line.total_price.amount for line in order.line_items), ZERO)
    off = order.discount_on_total_price.discounted_amount.amount if order.discount_on_total_price else ZERO
    # What cart discounts took off lines stands in the discount, and the subtotal before it.
    of_lines = sum(
        (
            part.quantity * portion.discounted_amount.amount
            for line in order.line_items
            for part in line.discounted_price_per_quantity
            for portion in part.discounted_price.included_discounts
        ),
        ZERO,
    )
    subtotal, off = subtotal + of_lines, off + of_lines
    shipping, address = order.shipping_info, order.shipping_address
    tax = order.taxed_price.total_tax if order.taxed_price else None
    number = order.order_number
    fields: dict[str, Any] = {
        "orderId": order.id,
        "orderNumber": number,
        "source": "commercetools",
        "currency": order.total_price.currency_code,
        "subtotal": float(subtotal),
        "shippingTotal": float(shipping.price.amount) if shipping else 0.0,
        "taxTotal": float(tax.amount) if tax else None,
        "discountTotal": float(off),
        "status": STATES[order.order_state],
        "paymentStatus": PAYMENT_STATES[order.payment_state] if order.payment_state else None,
        "shippingMethods": [shipping.shipping_method_name] if shipping and shipping.shipping_method_name else None,
        "cartId": order.cart.id if order.cart else None,
        "store": order.store.key if order.store else None,
        "country": order.country,
        "locale": order.locale,
        "shippingCountry": address.country if address else None,
        "shippingCity": address.city if address else None,
        "shippingRegion": address.region if address else None,
        "shippingPostalCode": address.postal_code if address else None,
        "url": f"https://fernweh.example/account/orders/{quote(number, safe='')}" if number else None,
        "placedAt": placed.strftime("%Y-%m-%d %H:%M:%S +00:00"),
    }
    # An `email` project knows people by their address.
    user = {"email": (order.customer_email or "").strip().lower()}
    name = f"ct-order-{order.id}"
    body = orjson.dumps(
        {
            "id": name,
            "createdAt": int(placed.timestamp()),
            "user": user,
            "items": [item(line, locales, locale) for line in order.line_items],
            "total": float(total),
            "dataFields": {field: value for field, value in fields.items() if value is not None},
        }
    )
    return idempotency_key("iterable", "commercetools", "fernweh", name), body


def lines(raw: bytes) -> list[tuple[str, bytes]]:
    """The same for NDJSON."""
    return [purchase(line) for line in raw.splitlines() if line]
