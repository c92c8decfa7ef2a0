//! A made-up shop: customers, products, categories, carts and orders as commercetools would send them. The same options
//! give the same bytes, any record can be made without the others, and every order's arithmetic closes.

use std::io::{self, Write};

use serde::Deserialize;
use serde_json::{Value, json};

/// What to make.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShopOptions {
    /// `customer`, `product`, `category`, `cart` or `order`.
    pub resource: String,
    /// How many; 100 unless told.
    pub count: u64,
    /// First number, for making a part of a shop; 0 unless told.
    pub first: u64,
    /// Another seed is another shop; 1 unless told.
    pub seed: u64,
    /// 1 is the shop as it is; with 2 a few records have changed since.
    pub revision: u64,
    /// Customers that carts and orders belong to; 200 unless told.
    pub customers: u64,
    /// Every so many records one is malformed; 0, the default, is never.
    pub malformed_every: u64,
    /// Lines of an order; 0, the default, is one to four.
    pub lines: u64,
    /// Prices that each line's variant drags along, which is what makes real orders large; 4 unless told.
    pub ballast: u64,
    /// Only records that changed with the revision.
    pub changed_only: bool,
}

impl Default for ShopOptions {
    fn default() -> Self {
        ShopOptions {
            resource: "order".to_owned(),
            count: 100,
            first: 0,
            seed: 1,
            revision: 1,
            customers: 200,
            malformed_every: 0,
            lines: 0,
            ballast: 4,
            changed_only: false,
        }
    }
}

/// A market the shop sells in.
pub(crate) struct Market {
    pub(crate) country: &'static str,
    pub(crate) locale: &'static str,
    pub(crate) currency: &'static str,
    pub(crate) digits: u32,
    /// Tax in per mille, and whether prices hold it.
    pub(crate) tax: i64,
    pub(crate) included: bool,
    store: &'static str,
    pub(crate) phone: &'static str,
    pub(crate) city: &'static str,
}

pub(crate) const MARKETS: &[Market] = &[
    Market {
        country: "DE",
        locale: "de-DE",
        currency: "EUR",
        digits: 2,
        tax: 190,
        included: true,
        store: "store-eu",
        phone: "+49309018",
        city: "Berlin",
    },
    Market {
        country: "US",
        locale: "en-US",
        currency: "USD",
        digits: 2,
        tax: 80,
        included: false,
        store: "store-us",
        phone: "+1212555",
        city: "New York",
    },
    Market {
        country: "JP",
        locale: "ja-JP",
        currency: "JPY",
        digits: 0,
        tax: 100,
        included: true,
        store: "store-jp",
        phone: "+8131234",
        city: "Tokyo",
    },
    Market {
        country: "GB",
        locale: "en-GB",
        currency: "GBP",
        digits: 2,
        tax: 200,
        included: true,
        store: "store-uk",
        phone: "+44207946",
        city: "London",
    },
    Market {
        country: "KW",
        locale: "ar-KW",
        currency: "KWD",
        digits: 3,
        tax: 0,
        included: true,
        store: "store-kw",
        phone: "+9652224",
        city: "Kuwait City",
    },
];

pub(crate) const FIRST: &[&str] =
    &["Mara", "Jonas", "Aiko", "Owen", "Lina", "Noor", "Felix", "Sofia", "Haruto", "Grace", "Emil", "Yara", "Theo", "Ines"];
pub(crate) const LAST: &[&str] =
    &["Okoye", "Brandt", "Tanaka", "Hughes", "Keller", "Al-Sabah", "Moreau", "Rossi", "Sato", "Clarke", "Vogel", "Haddad"];
pub(crate) const THINGS: &[(&str, &str, &str, i64)] = &[
    ("Tee", "T-Shirt", "Tシャツ", 1950),
    ("Trail Shoe", "Laufschuh", "トレイルシューズ", 11900),
    ("Rain Jacket", "Regenjacke", "レインジャケット", 18900),
    ("Wool Socks", "Wollsocken", "ウールソックス", 1290),
    ("Backpack", "Rucksack", "バックパック", 8450),
    ("Bottle", "Trinkflasche", "ボトル", 2495),
    ("Headlamp", "Stirnlampe", "ヘッドランプ", 5999),
    ("Tent", "Zelt", "テント", 34900),
    ("Beanie", "Mütze", "ビーニー", 2290),
    ("Gloves", "Handschuhe", "手袋", 3990),
];
pub(crate) const COLOURS: &[(&str, &str)] = &[("black", "Schwarz"), ("moss", "Moos"), ("sand", "Sand"), ("rust", "Rost")];
const SIZES: &[&str] = &["S", "M", "L", "XL"];

/// A number that depends on nothing but its arguments.
pub(crate) fn mix(seed: u64, kind: u64, index: u64, salt: u64) -> u64 {
    // SplitMix64's finaliser over the four words.
    let mut z =
        seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ kind.rotate_left(17) ^ index.wrapping_mul(0xBF58_476D_1CE4_E5B9) ^ salt.rotate_left(41);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

pub(crate) fn pick<T>(list: &[T], number: u64) -> &T {
    &list[usize::try_from(number % list.len() as u64).unwrap_or(0)]
}

pub(crate) fn uuid(seed: u64, kind: u64, index: u64) -> String {
    let (a, b) = (mix(seed, kind, index, 101), mix(seed, kind, index, 102));
    format!("{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}", a >> 32, (a >> 16) & 0xffff, a & 0xfff, (b >> 52) & 0xfff, b & 0xffff_ffff_ffff)
}

pub(crate) const CUSTOMER: u64 = 1;
pub(crate) const PRODUCT: u64 = 2;
pub(crate) const CATEGORY: u64 = 3;
pub(crate) const CART: u64 = 4;
pub(crate) const ORDER: u64 = 5;
const LINE: u64 = 6;

/// Days and times that move with the record's number, in 2026.
pub(crate) fn instant(seed: u64, kind: u64, index: u64, salt: u64) -> String {
    let n = mix(seed, kind, index, salt);
    format!(
        "2026-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        1 + n % 9,
        1 + (n >> 8) % 28,
        (n >> 16) % 24,
        (n >> 24) % 60,
        (n >> 32) % 60,
        (n >> 40) % 1000
    )
}

impl ShopOptions {
    /// Reads options; empty bytes are the defaults.
    ///
    /// # Errors
    /// When a field has a wrong name or type, or `resource` names nothing the shop has.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let options: ShopOptions =
            if json.is_empty() { ShopOptions::default() } else { serde_json::from_slice(json).map_err(|error| error.to_string())? };
        match options.resource.as_str() {
            "customer" | "product" | "category" | "cart" | "order" => Ok(options),
            _ => Err("`resource` must be customer, product, category, cart or order".to_owned()),
        }
    }

    /// Writes the records, one a line.
    ///
    /// # Errors
    /// What the writer reports.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for index in self.first..self.first.saturating_add(self.count) {
            if self.changed_only && !self.changed(index) {
                continue;
            }
            let record = self.record(index);
            if self.malformed_every > 0 && index % self.malformed_every == self.malformed_every - 1 {
                out.write_all(&malform(&record, index / self.malformed_every))?;
            } else {
                serde_json::to_writer(&mut *out, &record)?;
            }
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Whether the record with that number is not the same in revision 2 as in revision 1.
    #[must_use]
    pub fn changed(&self, index: u64) -> bool {
        self.revision > 1 && matches!(self.resource.as_str(), "customer" | "product") && index % 40 == 7
    }

    /// The record with that number.
    #[must_use]
    pub fn record(&self, index: u64) -> Value {
        match self.resource.as_str() {
            "customer" => self.customer(index),
            "product" => self.product(index),
            "category" => self.category(index),
            "cart" => self.basket(index, CART),
            _ => self.basket(index, ORDER),
        }
    }

    pub(crate) fn market(&self, customer: u64) -> &'static Market {
        pick(MARKETS, mix(self.seed, CUSTOMER, customer, 1))
    }

    pub(crate) fn email(&self, index: u64) -> String {
        let n = mix(self.seed, CUSTOMER, index, 2);
        let (first, last) = (pick(FIRST, n), pick(LAST, n >> 16));
        // One person mistyped the end of the address: well formed, but no such domain exists.
        let domain = if index == 11 { "example.shopp" } else { "example.com" };
        format!("{}.{}{index}@{domain}", first.to_lowercase(), last.to_lowercase().replace('-', ""))
    }

    fn customer(&self, index: u64) -> Value {
        let n = mix(self.seed, CUSTOMER, index, 2);
        let market = self.market(index);
        let changed = self.changed(index);
        let city = if changed { "Hamburg" } else { market.city };
        let version = if changed { 9 } else { 4 };
        let modified = if changed { "2026-10-05T08:00:00.000Z".to_owned() } else { instant(self.seed, CUSTOMER, index, 4) };
        let mut fields = json!({ "loyaltyPoints": n % 5000 });
        // A third said yes, a third said no, and the rest were never asked.
        match index % 3 {
            0 => {
                fields["newsletter"] = json!(true);
                fields["newsletterAt"] = json!(instant(self.seed, CUSTOMER, index, 5));
                fields["newsletterSource"] = json!("checkout");
            }
            1 => {
                fields["newsletter"] = json!(false);
                fields["newsletterAt"] = json!(instant(self.seed, CUSTOMER, index, 5));
            }
            _ => {}
        }
        // Revision 2: someone who had said yes leaves.
        if changed && index.is_multiple_of(3) {
            fields["newsletter"] = json!(false);
            fields["newsletterAt"] = json!("2026-10-05T08:00:00.000Z");
        }
        json!({
            "id": uuid(self.seed, CUSTOMER, index),
            "version": version,
            "createdAt": instant(self.seed, CUSTOMER, index, 3).replace("2026-", "2025-"),
            "lastModifiedAt": modified,
            "customerNumber": format!("C-{:05}", index + 1),
            "email": self.email(index),
            "firstName": pick(FIRST, n),
            "lastName": pick(LAST, n >> 16),
            "password": "****aBc=",
            "locale": market.locale,
            "addresses": [{
                "id": "addr1", "firstName": pick(FIRST, n), "lastName": pick(LAST, n >> 16),
                "streetName": "Long Street", "streetNumber": format!("{}", 1 + n % 120), "postalCode": format!("{:05}", n % 99_999),
                "city": city, "country": market.country, "mobile": format!("{}{:04}", market.phone, n % 10_000),
            }],
            "defaultShippingAddressId": "addr1", "defaultBillingAddressId": "addr1",
            "shippingAddressIds": ["addr1"], "billingAddressIds": ["addr1"],
            "isEmailVerified": index.is_multiple_of(2),
            "authenticationMode": "Password",
            "stores": [{ "typeId": "store", "key": market.store }],
            "customerGroupAssignments": [],
            "custom": { "type": { "typeId": "type", "id": uuid(self.seed, 9, 1) }, "fields": fields },
        })
    }

    fn category(&self, index: u64) -> Value {
        let (en, de, ja, _) = pick(THINGS, index);
        json!({
            "id": uuid(self.seed, CATEGORY, index), "version": 2,
            "createdAt": "2025-03-01T09:00:00.000Z", "lastModifiedAt": "2025-03-02T09:00:00.000Z",
            "key": format!("cat-{index}"), "orderHint": format!("0.{}", index + 1),
            "name": { "en": en, "de": de, "ja": ja }, "slug": { "en": format!("cat-{index}") }, "ancestors": [], "assets": [],
        })
    }

    fn product(&self, index: u64) -> Value {
        let (en, de, ja, base) = pick(THINGS, index);
        let changed = self.changed(index);
        let variants: Vec<Value> = (0..1 + mix(self.seed, PRODUCT, index, 1) % 3)
            .map(|number| {
                let (colour, label) = pick(COLOURS, index + number);
                json!({
                    "id": number + 1,
                    "sku": sku(index, number),
                    "prices": MARKETS.iter().map(|market| {
                        let amount = if changed { price(*base, index, market) * 9 / 10 } else { price(*base, index, market) };
                        json!({ "id": uuid(self.seed, 12, index * 8 + number), "country": market.country, "value": money(amount, market) })
                    }).collect::<Vec<_>>(),
                    "images": [{ "url": format!("https://img.example.com/{}.jpg", sku(index, number)), "dimensions": { "w": 800, "h": 800 } }],
                    "attributes": [
                        { "name": "brand", "value": "Fernweh" },
                        { "name": "colour", "value": { "key": colour, "label": { "en": colour, "de": label } } },
                        { "name": "size", "value": pick(SIZES, index + number) },
                    ],
                    "availability": { "isOnStock": !index.is_multiple_of(9), "availableQuantity": if index.is_multiple_of(9) { 0 } else { 20 + number } },
                })
            })
            .collect();
        json!({
            "id": uuid(self.seed, PRODUCT, index), "version": if changed { 12 } else { 7 },
            "createdAt": "2025-05-01T09:00:00.000Z",
            "lastModifiedAt": if changed { "2026-10-05T08:00:00.000Z".to_owned() } else { instant(self.seed, PRODUCT, index, 3) },
            "key": format!("product-{index}"),
            "productType": { "typeId": "product-type", "id": uuid(self.seed, 10, 1) },
            "name": { "en": format!("{en} No. {index}"), "de": format!("{de} Nr. {index}"), "ja": format!("{ja} {index}") },
            "description": { "en": format!("Made to last. {en} number {index}.") },
            "slug": { "en": format!("product-{index}"), "de": format!("produkt-{index}") },
            "categories": [{ "typeId": "category", "id": uuid(self.seed, CATEGORY, index % THINGS.len() as u64) }],
            "published": true, "hasStagedChanges": false,
            "masterVariant": variants[0], "variants": variants[1..],
            "priceMode": "Embedded",
        })
    }

    fn basket(&self, index: u64, kind: u64) -> Value {
        let customer = mix(self.seed, kind, index, 1) % self.customers.max(1);
        let market = self.market(customer);
        let count = if self.lines > 0 { self.lines } else { 1 + mix(self.seed, kind, index, 2) % 4 };
        let (mut total, mut tax_total) = (0i64, 0i64);
        let mut lines = Vec::new();
        for number in 0..count {
            let (line, amount, tax) = self.line(index, number, kind, market);
            lines.push(line);
            total += amount;
            tax_total += tax;
        }
        let shipping = if total > 20_000 { 0 } else { price(490, 0, market) };
        let shipping_tax = tax(shipping, market);
        total += shipping;
        tax_total += shipping_tax;
        // One in five orders has a discount on the whole; it lowers the tax in proportion.
        let off = if kind == ORDER && index % 5 == 4 { total / 10 } else { 0 };
        if off > 0 {
            tax_total -= tax(off, market);
            total -= off;
        }
        let gross = if market.included { total } else { total + tax_total };
        let n = mix(self.seed, CUSTOMER, customer, 2);
        let address = json!({
            "firstName": pick(FIRST, n), "lastName": pick(LAST, n >> 16), "streetName": "Long Street", "streetNumber": "7",
            "postalCode": format!("{:05}", n % 99_999), "city": market.city, "country": market.country, "email": self.email(customer),
        });
        let mut basket = json!({
            "id": uuid(self.seed, kind, index), "version": 6,
            "createdAt": instant(self.seed, kind, index, 3), "lastModifiedAt": instant(self.seed, kind, index, 3),
            "customerId": uuid(self.seed, CUSTOMER, customer), "customerEmail": self.email(customer),
            "store": { "typeId": "store", "key": market.store },
            "country": market.country, "locale": market.locale, "origin": "Customer",
            "inventoryMode": "None", "taxMode": "Platform", "taxRoundingMode": "HalfEven", "taxCalculationMode": "LineItemLevel", "priceRoundingMode": "HalfEven",
            "lineItems": lines, "customLineItems": [], "directDiscounts": [], "refusedGifts": [], "itemShippingAddresses": [],
            "discountCodes": [], "shippingMode": "Single", "shipping": [],
            "totalPrice": money(total, market),
            "taxedPrice": {
                "totalNet": money(gross - tax_total, market), "totalGross": money(gross, market), "totalTax": money(tax_total, market),
                "taxPortions": [{ "rate": f64_rate(market), "amount": money(tax_total, market), "name": "tax" }],
            },
            "shippingInfo": {
                "shippingMethodName": "Standard", "price": money(shipping, market), "shippingRate": { "price": money(shipping, market), "tiers": [] },
                "taxRate": rate(market), "deliveries": [], "shippingMethodState": "MatchesCart",
                "taxedPrice": taxed(shipping, shipping_tax, market),
            },
            "shippingAddress": address, "billingAddress": address,
        });
        if off > 0 {
            basket["discountOnTotalPrice"] = json!({ "discountedAmount": money(off, market), "includedDiscounts": [
                { "discount": { "typeId": "cart-discount", "id": uuid(self.seed, 13, 1) }, "discountedAmount": money(off, market) }] });
        }
        if kind == ORDER {
            basket["orderNumber"] = json!(format!("{}-{:06}", market.country, 100_000 + index));
            basket["orderState"] = json!(if index.is_multiple_of(11) { "Confirmed" } else { "Open" });
            basket["paymentState"] = json!("Paid");
            basket["syncInfo"] = json!([]);
            basket["cart"] = json!({ "typeId": "cart", "id": uuid(self.seed, CART, index) });
        } else {
            basket["cartState"] = json!("Active");
        }
        basket
    }

    fn line(&self, index: u64, number: u64, kind: u64, market: &Market) -> (Value, i64, i64) {
        let product = mix(self.seed, kind, index, 20 + number) % 120;
        let variant = mix(self.seed, PRODUCT, product, 1) % 3;
        let (en, de, ja, base) = pick(THINGS, product);
        let (colour, label) = pick(COLOURS, product + variant);
        let unit = price(*base, product, market);
        let quantity = i64::try_from(1 + mix(self.seed, kind, index, 40 + number) % 3).unwrap_or(1);
        // A rule takes ten per cent off one unit of every fourth line: the split that no unit price can show.
        let reduced = (index + number) % 4 == 3;
        let off = if reduced { unit / 10 } else { 0 };
        let total = unit * quantity - off;
        let tax_of_line = tax(total, market);
        let mut split = Vec::new();
        if reduced {
            let discount = json!([{ "discount": { "typeId": "cart-discount", "id": uuid(self.seed, 13, 2) }, "discountedAmount": money(off, market) }]);
            split.push(json!({ "quantity": 1, "discountedPrice": { "value": money(unit - off, market), "includedDiscounts": discount } }));
            if quantity > 1 {
                split.push(
                    json!({ "quantity": quantity - 1, "discountedPrice": { "value": money(unit, market), "includedDiscounts": [] } }),
                );
            }
        }
        let prices: Vec<Value> = (0..self.ballast)
            .map(|ballast| {
                let other = pick(MARKETS, ballast);
                json!({ "id": uuid(self.seed, 14, product * 64 + ballast), "value": money(price(*base, product, other), other), "country": other.country,
                    "customerGroup": { "typeId": "customer-group", "id": uuid(self.seed, 15, ballast) } })
            })
            .collect();
        let line = json!({
            "id": uuid(self.seed, LINE, (kind * 1_000_003 + index) * 64 + number),
            "productId": uuid(self.seed, PRODUCT, product), "productKey": format!("product-{product}"),
            "productType": { "typeId": "product-type", "id": uuid(self.seed, 10, 1), "version": 1 },
            "name": { "en": format!("{en} No. {product}"), "de": format!("{de} Nr. {product}"), "ja": format!("{ja} {product}") },
            "productSlug": { "en": format!("product-{product}"), "de": format!("produkt-{product}") },
            "variant": {
                "id": variant + 1, "sku": sku(product, variant), "prices": prices,
                "images": [{ "url": format!("https://img.example.com/{}.jpg", sku(product, variant)), "dimensions": { "w": 800, "h": 800 } }],
                "attributes": [
                    { "name": "brand", "value": "Fernweh" },
                    { "name": "colour", "value": { "key": colour, "label": { "en": colour, "de": label } } },
                    { "name": "size", "value": pick(SIZES, product + variant) },
                ],
                "assets": [],
            },
            "price": { "id": uuid(self.seed, 14, product * 64), "value": money(unit, market), "country": market.country },
            "quantity": quantity, "discountedPricePerQuantity": split, "taxRate": rate(market),
            "perMethodTaxRate": [], "addedAt": instant(self.seed, kind, index, 3), "lastModifiedAt": instant(self.seed, kind, index, 3),
            "state": [{ "quantity": quantity, "state": { "typeId": "state", "id": uuid(self.seed, 16, 1) } }],
            "priceMode": "Platform", "lineItemMode": "Standard",
            "totalPrice": money(total, market), "taxedPrice": taxed(total, tax_of_line, market), "taxedPricePortions": [],
        });
        (line, total, tax_of_line)
    }
}

pub(crate) fn sku(product: u64, variant: u64) -> String {
    format!("FW-{product:03}-{}", variant + 1)
}

/// A price in the market's minor unit from one in euro cents.
pub(crate) fn price(base: i64, product: u64, market: &Market) -> i64 {
    let base = base + i64::try_from(product % 7).unwrap_or(0) * 50;
    match market.currency {
        "JPY" => base * 16 / 10,
        "KWD" => base * 33 / 10,
        "USD" => base * 108 / 100,
        "GBP" => base * 86 / 100,
        _ => base,
    }
}

/// The tax on, or in, an amount.
fn tax(amount: i64, market: &Market) -> i64 {
    if market.included { amount * market.tax / (1000 + market.tax) } else { amount * market.tax / 1000 }
}

fn money(amount: i64, market: &Market) -> Value {
    json!({ "type": "centPrecision", "currencyCode": market.currency, "centAmount": amount, "fractionDigits": market.digits })
}

fn taxed(amount: i64, tax: i64, market: &Market) -> Value {
    let gross = if market.included { amount } else { amount + tax };
    json!({ "totalNet": money(gross - tax, market), "totalGross": money(gross, market), "totalTax": money(tax, market), "taxPortions": [] })
}

#[allow(clippy::cast_precision_loss)] // a rate, not money
fn f64_rate(market: &Market) -> f64 {
    market.tax as f64 / 1000.0
}

fn rate(market: &Market) -> Value {
    json!({ "name": "tax", "amount": f64_rate(market), "includedInPrice": market.included, "country": market.country, "subRates": [] })
}

/// Breaks a record in one of the ways exports break.
fn malform(record: &Value, way: u64) -> Vec<u8> {
    let text = record.to_string();
    match way % 4 {
        0 => text.as_bytes()[..text.len() / 2].to_vec(),
        1 => {
            let mut record = record.clone();
            record["version"] = json!("one");
            record.to_string().into_bytes()
        }
        2 => {
            let mut bytes = text.into_bytes();
            if let Some(at) = bytes.iter().rposition(u8::is_ascii_alphabetic) {
                bytes[at] = 0xFF;
            }
            bytes
        }
        _ => text.replacen(':', ": NaN, \"x\":", 1).into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_options_give_the_same_bytes_and_parts_are_parts_of_the_whole() {
        let whole = ShopOptions { count: 20, ..ShopOptions::default() };
        let part = ShopOptions { first: 5, count: 3, ..ShopOptions::default() };
        let text = |options: &ShopOptions| {
            let mut out = Vec::new();
            options.write(&mut out).map(|()| String::from_utf8_lossy(&out).into_owned()).unwrap_or_default()
        };
        assert_eq!(text(&whole), text(&whole));
        assert_eq!(text(&whole).lines().skip(5).take(3).collect::<Vec<_>>(), text(&part).lines().collect::<Vec<_>>());
    }

    #[test]
    fn every_order_adds_up_in_every_market() {
        let options = ShopOptions { count: 300, ..ShopOptions::default() };
        let mut currencies = std::collections::BTreeSet::new();
        for index in 0..options.count {
            let order = options.record(index);
            let cents = |value: &Value| value["centAmount"].as_i64().unwrap_or(i64::MIN);
            let lines: i64 = order["lineItems"].as_array().map_or(0, |lines| lines.iter().map(|line| cents(&line["totalPrice"])).sum());
            let off = order.get("discountOnTotalPrice").map_or(0, |off| cents(&off["discountedAmount"]));
            assert_eq!(lines + cents(&order["shippingInfo"]["price"]) - off, cents(&order["totalPrice"]), "order {index}");
            let taxed = &order["taxedPrice"];
            assert_eq!(cents(&taxed["totalNet"]) + cents(&taxed["totalTax"]), cents(&taxed["totalGross"]), "order {index}");
            currencies.insert(order["totalPrice"]["currencyCode"].as_str().unwrap_or_default().to_owned());
        }
        assert_eq!(currencies.len(), MARKETS.len());
    }

    #[test]
    fn only_the_changed_records_differ_between_revisions() {
        let before = ShopOptions { resource: "customer".to_owned(), count: 100, ..ShopOptions::default() };
        let after = ShopOptions { revision: 2, ..before.clone() };
        let differ: Vec<u64> = (0..100).filter(|index| before.record(*index) != after.record(*index)).collect();
        assert_eq!(differ, (0..100).filter(|index| after.changed(*index)).collect::<Vec<_>>());
        assert_eq!(differ, [7, 47, 87]);
    }
}
