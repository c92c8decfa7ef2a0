//! The project's resources: the shop's records as they stand now, and those that only this platform has.

use serde_json::{Value, json};

use crate::shop::{CART, CATEGORY, CUSTOMER, ORDER, PRODUCT, ShopOptions, instant, mix, sku, uuid};
use crate::shops::table::{Change, Table};

/// A resource that can be listed and read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    /// Its path below the project.
    pub(super) path: &'static str,
    /// What made-up ids of it are mixed with.
    number: u64,
    /// Whether stores have a list of their own.
    pub(super) in_store: bool,
}

const fn kind(path: &'static str, number: u64, in_store: bool) -> Kind {
    Kind { path, number, in_store }
}

pub(super) const CUSTOMERS: Kind = kind("customers", CUSTOMER, true);
pub(super) const PRODUCTS: Kind = kind("product-projections", PRODUCT, false);
pub(super) const CATEGORIES: Kind = kind("categories", CATEGORY, false);
pub(super) const CARTS: Kind = kind("carts", CART, true);
pub(super) const ORDERS: Kind = kind("orders", ORDER, true);
pub(super) const PAYMENTS: Kind = kind("payments", 31, false);
pub(super) const INVENTORY: Kind = kind("inventory", 32, false);
pub(super) const PRICES: Kind = kind("standalone-prices", 33, false);
pub(super) const CODES: Kind = kind("discount-codes", 34, true);
pub(super) const LISTS: Kind = kind("shopping-lists", 35, true);

pub(super) const KINDS: [Kind; 10] = [CUSTOMERS, PRODUCTS, CATEGORIES, CARTS, ORDERS, PAYMENTS, INVENTORY, PRICES, CODES, LISTS];

/// What the records are made of.
pub(super) struct Records {
    pub(super) shop: ShopOptions,
    pub(super) payments: u64,
    pub(super) products: u64,
}

/// A time as the platform writes it.
pub(super) fn stamp(ms: i64) -> String {
    chrono::DateTime::from_timestamp_millis(ms).map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)).unwrap_or_default()
}

fn millis(text: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(text).map_or(0, |time| time.timestamp_millis())
}

impl Records {
    pub(super) fn id(&self, kind: Kind, number: u64) -> String {
        uuid(self.shop.seed, kind.number, number)
    }

    /// A table of `count` rows that changed when the shop's own records say.
    pub(super) fn table(&self, kind: Kind, count: u64) -> Table {
        let seed = self.shop.seed;
        let changed = |number| match kind {
            CATEGORIES => millis("2025-03-02T09:00:00.000Z"),
            CUSTOMERS => millis(&instant(seed, CUSTOMER, number, 4)),
            _ => millis(&instant(seed, kind.number, number, 3)),
        };
        Table::new(count, |number| self.id(kind, number), changed)
    }

    /// The record as it stands.
    pub(super) fn record(&self, kind: Kind, number: u64, change: Change, changed_ms: i64) -> Value {
        let of_shop = |resource: &str| ShopOptions { resource: resource.to_owned(), ..self.shop.clone() }.record(number);
        let mut record = match kind {
            CUSTOMERS => of_shop("customer"),
            PRODUCTS => self.product(of_shop("product")),
            CATEGORIES => of_shop("category"),
            CARTS => of_shop("cart"),
            ORDERS => self.order(of_shop("order"), number),
            PAYMENTS => self.payment(number),
            INVENTORY => self.inventory(number),
            PRICES => self.price(number),
            CODES => self.code(number),
            _ => self.list(number),
        };
        if change.times > 0 {
            let version = record["version"].as_u64().unwrap_or(1) + change.times * 3;
            record["version"] = version.into();
            record["lastModifiedAt"] = stamp(changed_ms).into();
            if kind == ORDERS {
                record["orderState"] = "Confirmed".into();
            }
        }
        record
    }

    /// The order of a payment, and the other way round.
    pub(super) fn order_of_payment(&self, payment: u64) -> u64 {
        payment
    }

    fn product(&self, mut product: Value) -> Value {
        product["attributes"] = json!([]);
        product
    }

    fn order(&self, mut order: Value, number: u64) -> Value {
        if number < self.payments {
            order["paymentInfo"] = json!({"payments": [{"typeId": "payment", "id": self.id(PAYMENTS, number)}]});
        }
        order
    }

    /// Every fourth payment has given a part of the money back.
    fn payment(&self, number: u64) -> Value {
        let order = ShopOptions { resource: "order".to_owned(), ballast: 0, ..self.shop.clone() }.record(self.order_of_payment(number));
        let amount = order["taxedPrice"]["totalGross"].clone();
        let time = instant(self.shop.seed, PAYMENTS.number, number, 3);
        let transaction = |salt: u64, kind: &str, amount: &Value| json!({"id": uuid(self.shop.seed, 40 + salt, number), "timestamp": time, "type": kind, "amount": amount, "state": "Success"});
        let mut transactions = vec![transaction(1, "Charge", &amount)];
        if number.is_multiple_of(4) {
            let mut part = amount.clone();
            part["centAmount"] = (amount["centAmount"].as_i64().unwrap_or(0) / 3).into();
            transactions.push(transaction(2, "Refund", &part));
        }
        json!({
            "id": self.id(PAYMENTS, number), "version": 3, "createdAt": time, "lastModifiedAt": time,
            "customer": {"typeId": "customer", "id": order["customerId"]},
            "amountPlanned": amount,
            "paymentMethodInfo": {"paymentInterface": "psp", "method": "card", "name": {"en": "Credit card"}},
            "paymentStatus": {}, "transactions": transactions, "interfaceInteractions": [],
        })
    }

    fn inventory(&self, number: u64) -> Value {
        let time = instant(self.shop.seed, INVENTORY.number, number, 3);
        let stock = mix(self.shop.seed, INVENTORY.number, number, 5) % 90;
        json!({
            "id": self.id(INVENTORY, number), "version": 2, "createdAt": time, "lastModifiedAt": time,
            "sku": sku(number % self.products.max(1), 0), "quantityOnStock": stock + 2, "availableQuantity": stock,
        })
    }

    fn price(&self, number: u64) -> Value {
        let time = instant(self.shop.seed, PRICES.number, number, 3);
        json!({
            "id": self.id(PRICES, number), "version": 2, "createdAt": time, "lastModifiedAt": time,
            "sku": sku(number % self.products.max(1), 0), "country": "DE", "active": true,
            "value": {"type": "centPrecision", "currencyCode": "EUR", "centAmount": 1000 + number, "fractionDigits": 2},
        })
    }

    fn code(&self, number: u64) -> Value {
        let time = instant(self.shop.seed, CODES.number, number, 3);
        json!({
            "id": self.id(CODES, number), "version": 2, "createdAt": time, "lastModifiedAt": time,
            "code": format!("WELCOME-{number}"), "name": {"en": "Welcome"}, "isActive": true,
            "cartDiscounts": [{"typeId": "cart-discount", "id": uuid(self.shop.seed, 13, 1)}],
            "groups": [], "references": [], "stores": [],
        })
    }

    fn list(&self, number: u64) -> Value {
        let time = instant(self.shop.seed, LISTS.number, number, 3);
        let product = number % self.products.max(1);
        json!({
            "id": self.id(LISTS, number), "version": 2, "createdAt": time, "lastModifiedAt": time,
            "name": {"en": "Wish list"},
            "customer": {"typeId": "customer", "id": self.id(CUSTOMERS, number % self.shop.customers.max(1))},
            "lineItems": [{
                "id": uuid(self.shop.seed, 50, number), "productId": self.id(PRODUCTS, product), "variantId": 1, "quantity": 1,
                "name": {"en": format!("Product {product}")}, "addedAt": time, "published": true,
                "productType": {"typeId": "product-type", "id": uuid(self.shop.seed, 10, 1)},
            }],
            "textLineItems": [],
        })
    }
}

/// Puts `obj` beside references where the caller asked for it; `find` gives the record of an id.
pub(super) fn expand(record: &mut Value, path: &str, find: &dyn Fn(Kind, &str) -> Option<Value>) {
    let put = |reference: &mut Value, kind: Kind| {
        if let Some(target) = reference["id"].as_str().and_then(|id| find(kind, id)) {
            reference["obj"] = target;
        }
    };
    match path {
        "paymentInfo.payments[*]" => items(record.pointer_mut("/paymentInfo/payments")).for_each(|payment| put(payment, PAYMENTS)),
        "categories[*].ancestors[*]" => items(record.get_mut("categories")).for_each(|category| put(category, CATEGORIES)),
        "productType" => {
            if let Some(id) = record.pointer("/productType/id").cloned() {
                record["productType"]["obj"] = json!({
                    "id": id, "version": 1, "createdAt": "2025-01-01T09:00:00.000Z", "lastModifiedAt": "2025-01-01T09:00:00.000Z",
                    "key": "outdoor", "name": "Outdoor", "description": "Made to last", "attributes": [],
                });
            }
        }
        _ => {}
    }
}

fn items(list: Option<&mut Value>) -> impl Iterator<Item = &mut Value> {
    list.and_then(Value::as_array_mut).into_iter().flatten()
}
