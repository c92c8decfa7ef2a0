//! The rules: one function each, listed in [`RULES`].

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::ops::ControlFlow;
use std::str::FromStr;

use iso_country::Country;
use rust_decimal::{Decimal, RoundingStrategy};
use unic_langid::LanguageIdentifier;

use super::{Pointer, Report, ValidateContext, check_email};
use crate::model::{
    Address, Body, ConsentStatus, Discount, DiscountKind, EventName, FindingCode, GiftCertificate, LineItem, LineKind, Money, Price,
    Record, ShippingCharge, Totals,
};

/// One rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What it reports.
    pub code: FindingCode,
    /// The kinds of records it looks at.
    pub kinds: Kinds,
    /// What it looks for, in one line.
    pub doc: &'static str,
    pub(super) check: fn(&Record, &ValidateContext<'_>, &mut Report<'_>),
}

/// A set of record kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(u16);

impl Kinds {
    /// Every kind.
    pub const ALL: Kinds = Kinds(0b1111_1111_1111);
    const CONTACT: Kinds = Kinds(1);
    const PRODUCT: Kinds = Kinds(1 << 2);
    const CATEGORY: Kinds = Kinds(1 << 4);
    const CART: Kinds = Kinds(1 << 6);
    const ORDER: Kinds = Kinds(1 << 7);
    const REFUND: Kinds = Kinds(1 << 8);
    const RETURN: Kinds = Kinds(1 << 9);
    const SHIPMENT: Kinds = Kinds(1 << 10);
    const EVENT: Kinds = Kinds(1 << 11);
    /// Products and categories, deleted ones too: nobody's.
    const CATALOGUE: Kinds = Kinds(0b11_1100);
    /// What has order lines.
    const LINED: Kinds = Kinds::CART.or(Kinds::ORDER).or(Kinds::EVENT);

    const fn or(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }

    const fn but(self, other: Kinds) -> Kinds {
        Kinds(self.0 & !other.0)
    }

    /// The kind of one record, as a set.
    #[must_use]
    pub(super) const fn of(body: &Body) -> Kinds {
        Kinds(match body {
            Body::Contact(_) => 1,
            Body::ContactDeleted(_) => 1 << 1,
            Body::Product(_) => 1 << 2,
            Body::ProductDeleted(_) => 1 << 3,
            Body::Category(_) => 1 << 4,
            Body::CategoryDeleted(_) => 1 << 5,
            Body::Cart(_) => 1 << 6,
            Body::Order(_) => 1 << 7,
            Body::Refund(_) => 1 << 8,
            Body::Return(_) => 1 << 9,
            Body::Shipment(_) => 1 << 10,
            Body::Event(_) => 1 << 11,
        })
    }

    /// Whether any kind of the other set is in this one.
    #[must_use]
    pub const fn contains(self, other: Kinds) -> bool {
        self.0 & other.0 != 0
    }

    /// The words of the kinds, as in [`Body::kind`].
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Body::KINDS.iter().enumerate().filter(move |(index, _)| self.0 & (1 << index) != 0).map(|(_, name)| *name)
    }
}

/// Every rule, in the order their findings are reported.
#[rustfmt::skip]
pub const RULES: &[Rule] = &[
    Rule { code: FindingCode::IdentityMissing, kinds: Kinds::ALL.but(Kinds::CATALOGUE), doc: "One of customer id, e-mail, phone, anonymous id or an external id is there.", check: identity_missing },
    Rule { code: FindingCode::EmailInvalid, kinds: Kinds::ALL, doc: "The identity's e-mail has the form of an address that mail can be sent to.", check: email_invalid },
    Rule { code: FindingCode::PhoneInvalid, kinds: Kinds::ALL, doc: "The identity's phone is written in E.164, and what the source wrote could be.", check: phone_invalid },
    Rule { code: FindingCode::TimestampFuture, kinds: Kinds::ALL, doc: "The record's time is not in the future.", check: timestamp_future },
    Rule { code: FindingCode::LocaleInvalid, kinds: Kinds::ALL, doc: "The market's locale is a BCP 47 language tag.", check: locale_invalid },
    Rule { code: FindingCode::CountryInvalid, kinds: Kinds::ALL, doc: "Countries of the market and of addresses are listed in ISO 3166-1.", check: country_invalid },
    Rule { code: FindingCode::CurrencyUnknown, kinds: Kinds::ALL, doc: "ISO 4217 lists the currency of the market and of every amount; the first one it does not is named.", check: currency_unknown },
    Rule { code: FindingCode::CurrencyMixed, kinds: Kinds::LINED.or(Kinds::REFUND), doc: "All amounts are in one currency; the first one that is not is named.", check: currency_mixed },
    Rule { code: FindingCode::ValueUnknown, kinds: Kinds::ORDER.or(Kinds::CART).or(Kinds::SHIPMENT).or(Kinds::CONTACT), doc: "States and channels are words this version knows.", check: value_unknown },
    Rule { code: FindingCode::ConsentUndated, kinds: Kinds::CONTACT, doc: "A yes says when it was given.", check: consent_undated },
    Rule { code: FindingCode::ConsentFuture, kinds: Kinds::CONTACT, doc: "A yes was not given in the future.", check: consent_future },
    Rule { code: FindingCode::NameMissing, kinds: Kinds::PRODUCT.or(Kinds::CATEGORY).or(Kinds::LINED), doc: "Products, categories and lines have a name.", check: name_missing },
    Rule { code: FindingCode::ProductNoVariant, kinds: Kinds::PRODUCT, doc: "A product has a variant.", check: product_no_variant },
    Rule { code: FindingCode::PriceNegative, kinds: Kinds::PRODUCT.or(Kinds::LINED), doc: "Prices of products, and of lines that are products, are not below zero.", check: price_negative },
    Rule { code: FindingCode::OrderEmpty, kinds: Kinds::ORDER, doc: "An order has lines; a cart may have none.", check: order_empty },
    Rule { code: FindingCode::LineIdDuplicate, kinds: Kinds::LINED, doc: "Line ids are unique; the second one of a pair is named.", check: line_id_duplicate },
    Rule { code: FindingCode::QuantityInvalid, kinds: Kinds::LINED.or(Kinds::REFUND).or(Kinds::RETURN).or(Kinds::SHIPMENT), doc: "Quantities are one or more; a refunded line may have none, when only money went back.", check: quantity_invalid },
    Rule { code: FindingCode::SkuMissing, kinds: Kinds::LINED, doc: "Lines that are products have a SKU.", check: sku_missing },
    Rule { code: FindingCode::LineTotalMismatch, kinds: Kinds::LINED, doc: "Quantity × unit price − discounts is the line's total, give or take a minor unit per unit of quantity.", check: line_total_mismatch },
    Rule { code: FindingCode::OrderTotalMismatch, kinds: Kinds::ORDER.or(Kinds::CART), doc: "Lines, shipping, fees and tax less discounts and gift certificates are the total, to the minor unit.", check: order_total_mismatch },
];

const ENVELOPE: Pointer<'static> = Pointer::root("envelope");
const IDENTITY: Pointer<'static> = ENVELOPE.name("identity");
const MARKET: Pointer<'static> = ENVELOPE.name("market");
const BODY: Pointer<'static> = Pointer::root("body");
const LINES: Pointer<'static> = BODY.name("lines");

fn is_blank(text: &Option<String>) -> bool {
    text.as_deref().is_none_or(|text| text.trim().is_empty())
}

fn lines(body: &Body) -> &[LineItem] {
    match body {
        Body::Cart(cart) => &cart.lines,
        Body::Order(order) => &order.lines,
        Body::Event(event) => &event.lines,
        _ => &[],
    }
}

/// Whether a line stands for something in the catalogue.
fn is_product(line: &LineItem) -> bool {
    match line.kind {
        LineKind::Product | LineKind::Gift | LineKind::BundleParent | LineKind::BundleChild => true,
        LineKind::Custom | LineKind::GiftCertificate | LineKind::Fee => false,
    }
}

/// A cart and an order, as far as the sum goes.
struct Sum<'a> {
    lines: &'a [LineItem],
    shipping: &'a [ShippingCharge],
    discounts: &'a [Discount],
    gift_certificates: &'a [GiftCertificate],
    totals: &'a Totals,
}

impl<'a> Sum<'a> {
    fn of(body: &'a Body) -> Option<Self> {
        match body {
            Body::Cart(cart) => Some(Sum {
                lines: &cart.lines,
                shipping: &cart.shipping,
                discounts: &cart.discounts,
                gift_certificates: &cart.gift_certificates,
                totals: &cart.totals,
            }),
            Body::Order(order) => Some(Sum {
                lines: &order.lines,
                shipping: &order.shipping,
                discounts: &order.discounts,
                gift_certificates: &order.gift_certificates,
                totals: &order.totals,
            }),
            _ => None,
        }
    }

    /// The amounts of the sum, what is taken off with a minus.
    fn parts(&self) -> impl Iterator<Item = Money> + '_ {
        let added = self.lines.iter().map(|line| line.total);
        let added = added.chain(self.shipping.iter().map(|charge| charge.amount)).chain([self.totals.tax_added]);
        let taken = self.discounts.iter().map(|discount| discount.amount);
        let taken = taken.chain(self.gift_certificates.iter().map(|certificate| certificate.amount));
        added.chain(taken.map(|money| Money::new(-money.amount, money.currency)))
    }
}

fn identity_missing(record: &Record, _: &ValidateContext<'_>, report: &mut Report<'_>) {
    if let Body::Event(event) = &record.body
        && matches!(event.name, EventName::PriceDropped | EventName::BackInStock)
    {
        return;
    }
    let identity = &record.envelope.identity;
    let nobody = is_blank(&identity.customer_id)
        && is_blank(&identity.email)
        && is_blank(&identity.phone)
        && is_blank(&identity.anonymous_id)
        && identity.external_ids.values().all(|id| id.trim().is_empty());
    if nobody {
        report.at(&IDENTITY, format_args!("no customer id, e-mail, phone, anonymous id or external id"));
    }
}

fn email_invalid(record: &Record, _: &ValidateContext<'_>, report: &mut Report<'_>) {
    let identity = &record.envelope.identity;
    let (text, member) = match (&identity.email, &identity.email_original) {
        (Some(email), _) => (email, "email"),
        (None, Some(original)) => (original, "email_original"),
        (None, None) => return,
    };
    if let Err(why) = check_email(text) {
        report.at(&IDENTITY.name(member), format_args!("not an e-mail address: {why}"));
    }
}

fn phone_invalid(record: &Record, _: &ValidateContext<'_>, report: &mut Report<'_>) {
    let identity = &record.envelope.identity;
    match &identity.phone {
        Some(phone) if !is_e164(phone) => {
            report.at(&IDENTITY.name("phone"), format_args!("not in E.164: `+`, country code, number, 7 to 15 digits in all"));
        }
        None if !is_blank(&identity.phone_original) => {
            report.at(
                &IDENTITY.name("phone_original"),
                format_args!("cannot be written in E.164; a number without country code needs the market's country"),
            );
        }
        _ => {}
    }
}

/// ITU-T E.164: at most 15 digits, no country code begins with zero. The shortest numbers in use have 7.
fn is_e164(phone: &str) -> bool {
    phone.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0')
    })
}

fn timestamp_future(record: &Record, context: &ValidateContext<'_>, report: &mut Report<'_>) {
    if let Some(ahead) = context.ahead(record.envelope.occurred_at) {
        let (ahead, tolerance) = (ahead.as_secs(), context.future_tolerance.as_secs());
        report.at(&ENVELOPE.name("occurred_at"), format_args!("{ahead} s ahead of our clock, {tolerance} s are tolerated"));
    }
}

fn locale_invalid(record: &Record, _: &ValidateContext<'_>, report: &mut Report<'_>) {
    if record.envelope.market.locale.as_deref().is_some_and(|locale| !is_language_tag(locale)) {
        report.at(&MARKET.name("locale"), format_args!("not a BCP 47 language tag such as `en` or `de-CH`"));
    }
}

/// A BCP 47 tag: language, script, region, variants, then extensions (`-u-…`), which are taken as they are. Underscores are
/// the habit of POSIX and Java, not BCP 47, and destinations do not match them. The grammar allows languages of up to eight
/// letters, yet none longer than three was ever registered: `german` is a name, not a tag.
fn is_language_tag(tag: &str) -> bool {
    let mut start = 0;
    let mut end = tag.len();
    for part in tag.split('-') {
        if part.len() == 1 && start > 0 {
            end = start - 1;
            break;
        }
        start += part.len() + 1;
    }
    let extensions = tag[end..].split('-').skip(1);
    let well_formed = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let language = tag.split('-').next().unwrap_or_default();
    !tag.contains('_')
        && (2..=3).contains(&language.len())
        && LanguageIdentifier::from_bytes(&tag.as_bytes()[..end]).is_ok()
        && extensions.clone().all(well_formed)
        && extensions.last().is_none_or(|last| last.len() > 1)
}

fn country_invalid(record: &Record, _: &ValidateContext<'_>, report: &mut Report<'_>) {
    let mut look = |pointer: &Pointer<'_>, country: &Option<String>| {
        if country.as_deref().is_some_and(|country| !is_country(country)) {
            report.at(&pointer.name("country"), format_args!("not a country code of ISO 3166-1 such as `DE`"));
        }
    };
    look(&MARKET, &record.envelope.market.country);
    let mut address = |pointer: &Pointer<'_>, address: &Option<Address>| {
        if let Some(address) = address {
            look(pointer, &address.country);
        }
    };
    match &record.body {
        Body::Contact(contact) => {
            let addresses = BODY.name("addresses");
            for (index, known) in contact.addresses.iter().enumerate() {
                look(&addresses.index(index), &known.country);
            }
        }
        Body::Cart(cart) => {
            address(&BODY.name("shipping_address"), &cart.shipping_address);
            address(&BODY.name("billing_address"), &cart.billing_address);
        }
        Body::Order(order) => {
            address(&BODY.name("shipping_address"), &order.shipping_address);
            address(&BODY.name("billing_address"), &order.billing_address);
        }
        Body::Shipment(shipment) => address(&BODY.name("address"), &shipment.address),
        _ => {}
    }
}

/// Kosovo has no code of its own in ISO 3166-1; shops, carriers and the EU write the user-assigned `XK`.
fn is_country(code: &str) -> bool {
    code == "XK" || (code.len() == 2 && Country::from_str(code).is_ok())
}

fn currency_unknown(record: &Record, _: &ValidateContext<'_>, report: &mut Report<'_>) {
    if let Some(currency) = record.envelope.market.currency.filter(|currency| currency.digits().is_none()) {
        report.at(&MARKET.name("currency"), format_args!("ISO 4217 does not list `{currency}`"));
    }
    // An order is in one currency: asking the table once per change of currency is enough.
    let mut known = None;
    let _ = each_amount(&record.body, &mut |pointer, money| {
        if known == Some(money.currency) {
            return ControlFlow::Continue(());
        }
        if money.currency.digits().is_none() {
            report.at(&pointer.name("currency"), format_args!("ISO 4217 does not list `{}`", money.currency));
            return ControlFlow::Break(());
        }
        known = Some(money.currency);
        ControlFlow::Continue(())
    });
}

fn currency_mixed(record: &Record, _: &ValidateContext<'_>, report: &mut Report<'_>) {
    let mut leading = match &record.body {
        Body::Cart(cart) => Some(cart.totals.total.currency),
        Body::Order(order) => Some(order.totals.total.currency),
        Body::Refund(refund) => Some(refund.amount.currency),
        _ => None,
    };
    let _ = each_amount(&record.body, &mut |pointer, money| {
        let leading = *leading.get_or_insert(money.currency);
        if money.currency == leading {
            return ControlFlow::Continue(());
        }
        report.at(&pointer.name("currency"), format_args!("this amount is in {}, the whole in {leading}", money.currency));
        ControlFlow::Break(())
    });
}

type Visit<'v> = &'v mut dyn FnMut(&Pointer<'_>, Money) -> ControlFlow<()>;

/// Every amount of a record but those in custom fields, until the visitor breaks off.
fn each_amount(body: &Body, visit: Visit<'_>) -> ControlFlow<()> {
    match body {
        Body::Cart(cart) => {
            each_of_lines(&cart.lines, visit)?;
            each_of_shipping(&cart.shipping, visit)?;
            each_of_discounts(&BODY, &cart.discounts, visit)?;
            for (index, coupon) in cart.coupons.iter().enumerate() {
                optional(&BODY.name("coupons").index(index).name("amount"), coupon.amount, visit)?;
            }
            for (index, certificate) in cart.gift_certificates.iter().enumerate() {
                visit(&BODY.name("gift_certificates").index(index).name("amount"), certificate.amount)?;
            }
            each_of_totals(&cart.totals, visit)
        }
        Body::Order(order) => {
            each_of_lines(&order.lines, visit)?;
            each_of_shipping(&order.shipping, visit)?;
            each_of_discounts(&BODY, &order.discounts, visit)?;
            for (index, coupon) in order.coupons.iter().enumerate() {
                optional(&BODY.name("coupons").index(index).name("amount"), coupon.amount, visit)?;
            }
            for (index, certificate) in order.gift_certificates.iter().enumerate() {
                visit(&BODY.name("gift_certificates").index(index).name("amount"), certificate.amount)?;
            }
            for (index, tax) in order.taxes.iter().enumerate() {
                visit(&BODY.name("taxes").index(index).name("amount"), tax.amount)?;
            }
            for (index, refund) in order.refunds.iter().enumerate() {
                visit(&BODY.name("refunds").index(index).name("amount"), refund.amount)?;
            }
            each_of_totals(&order.totals, visit)
        }
        Body::Refund(refund) => {
            visit(&BODY.name("amount"), refund.amount)?;
            for (index, line) in refund.lines.iter().enumerate() {
                optional(&LINES.index(index).name("amount"), line.amount, visit)?;
            }
            optional(&BODY.name("shipping"), refund.shipping, visit)
        }
        Body::Event(event) => {
            optional(&BODY.name("value"), event.value, visit)?;
            each_of_lines(&event.lines, visit)
        }
        Body::Product(product) => each_price(product, &mut |pointer, price| {
            visit(&pointer.name("list"), price.list)?;
            optional(&pointer.name("sale"), price.sale, visit)?;
            for (index, tier) in price.tiers.iter().enumerate() {
                visit(&pointer.name("tiers").index(index).name("price"), tier.price)?;
            }
            ControlFlow::Continue(())
        }),
        Body::Contact(_)
        | Body::ContactDeleted(_)
        | Body::ProductDeleted(_)
        | Body::Category(_)
        | Body::CategoryDeleted(_)
        | Body::Return(_)
        | Body::Shipment(_) => ControlFlow::Continue(()),
    }
}

fn optional(pointer: &Pointer<'_>, money: Option<Money>, visit: Visit<'_>) -> ControlFlow<()> {
    money.map_or(ControlFlow::Continue(()), |money| visit(pointer, money))
}

fn each_of_lines(lines: &[LineItem], visit: Visit<'_>) -> ControlFlow<()> {
    for (index, line) in lines.iter().enumerate() {
        let here = LINES.index(index);
        visit(&here.name("unit_list_price"), line.unit_list_price)?;
        visit(&here.name("unit_price"), line.unit_price)?;
        each_of_discounts(&here, &line.discounts, visit)?;
        optional(&here.name("tax"), line.tax, visit)?;
        visit(&here.name("total"), line.total)?;
    }
    ControlFlow::Continue(())
}

fn each_of_shipping(shipping: &[ShippingCharge], visit: Visit<'_>) -> ControlFlow<()> {
    for (index, charge) in shipping.iter().enumerate() {
        let shipping = BODY.name("shipping");
        let here = shipping.index(index);
        visit(&here.name("amount"), charge.amount)?;
        each_of_discounts(&here, &charge.discounts, visit)?;
        optional(&here.name("tax"), charge.tax, visit)?;
    }
    ControlFlow::Continue(())
}

fn each_of_discounts(pointer: &Pointer<'_>, discounts: &[Discount], visit: Visit<'_>) -> ControlFlow<()> {
    for (index, discount) in discounts.iter().enumerate() {
        visit(&pointer.name("discounts").index(index).name("amount"), discount.amount)?;
    }
    ControlFlow::Continue(())
}

fn each_of_totals(totals: &Totals, visit: Visit<'_>) -> ControlFlow<()> {
    let here = BODY.name("totals");
    visit(&here.name("subtotal"), totals.subtotal)?;
    visit(&here.name("shipping"), totals.shipping)?;
    visit(&here.name("discount"), totals.discount)?;
    optional(&here.name("tax"), totals.tax, visit)?;
    visit(&here.name("tax_added"), totals.tax_added)?;
    visit(&here.name("total"), totals.total)
}

fn each_price(product: &crate::model::Product, visit: &mut dyn FnMut(&Pointer<'_>, &Price) -> ControlFlow<()>) -> ControlFlow<()> {
    for (index, variant) in product.variants.iter().enumerate() {
        let variants = BODY.name("variants");
        let here = variants.index(index);
        if let Some(price) = &variant.price {
            visit(&here.name("price"), price)?;
        }
        for (index, price) in variant.prices.iter().enumerate() {
            visit(&here.name("prices").index(index), price)?;
        }
    }
    ControlFlow::Continue(())
}

fn value_unknown(record: &Record, _: &ValidateContext<'_>, report: &mut Report<'_>) {
    let mut look = |pointer: &Pointer<'_>, known: bool, word: &str| {
        if known {
            return;
        }
        // A state is a short word; anything else may be somebody's text that ended up in the wrong field.
        if word.len() <= 40 && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_- ".contains(&byte)) {
            report.at(pointer, format_args!("`{word}` is not a word this version knows"));
        } else {
            report.at(pointer, format_args!("not a word this version knows"));
        }
    };
    match &record.body {
        Body::Order(order) => {
            look(&BODY.name("status"), order.status.is_known(), order.status.as_str());
            if let Some(status) = &order.payment_status {
                look(&BODY.name("payment_status"), status.is_known(), status.as_str());
            }
            if let Some(status) = &order.shipping_status {
                look(&BODY.name("shipping_status"), status.is_known(), status.as_str());
            }
            for (index, shipment) in order.shipments.iter().enumerate() {
                if let Some(status) = &shipment.status {
                    look(&BODY.name("shipments").index(index).name("status"), status.is_known(), status.as_str());
                }
            }
        }
        Body::Cart(cart) => look(&BODY.name("state"), cart.state.is_known(), cart.state.as_str()),
        Body::Shipment(shipment) => {
            if let Some(status) = &shipment.status {
                look(&BODY.name("status"), status.is_known(), status.as_str());
            }
        }
        Body::Contact(contact) => {
            for (index, consent) in contact.consents.iter().enumerate() {
                look(&BODY.name("consents").index(index).name("channel"), consent.channel.is_known(), consent.channel.as_str());
            }
        }
        _ => {}
    }
}

fn consent_undated(record: &Record, _: &ValidateContext<'_>, report: &mut Report<'_>) {
    let Body::Contact(contact) = &record.body else { return };
    for (index, consent) in contact.consents.iter().enumerate() {
        if consent.status == ConsentStatus::Granted && consent.at.is_none() {
            report.at(&BODY.name("consents").index(index).name("at"), format_args!("a yes without a time"));
        }
    }
}

fn consent_future(record: &Record, context: &ValidateContext<'_>, report: &mut Report<'_>) {
    let Body::Contact(contact) = &record.body else { return };
    for (index, consent) in contact.consents.iter().enumerate() {
        let ahead = consent.at.filter(|_| consent.status == ConsentStatus::Granted).and_then(|at| context.ahead(at));
        if let Some(ahead) = ahead {
            let (ahead, tolerance) = (ahead.as_secs(), context.future_tolerance.as_secs());
            let pointer = BODY.name("consents");
            report.at(&pointer.index(index).name("at"), format_args!("a yes {ahead} s ahead of our clock, {tolerance} s are tolerated"));
        }
    }
}

fn name_missing(record: &Record, _: &ValidateContext<'_>, report: &mut Report<'_>) {
    const WHAT: &str = "no name in the market's locale nor in a fallback";
    match &record.body {
        Body::Product(product) if is_blank(&product.name) => report.at(&BODY.name("name"), format_args!("{WHAT}")),
        Body::Category(category) if is_blank(&category.name) => report.at(&BODY.name("name"), format_args!("{WHAT}")),
        body => {
            for (index, _) in lines(body).iter().enumerate().filter(|(_, line)| is_blank(&line.name)) {
                report.at(&LINES.index(index).name("name"), format_args!("{WHAT}"));
            }
        }
    }
}

fn product_no_variant(record: &Record, _: &ValidateContext<'_>, report: &mut Report<'_>) {
    if let Body::Product(product) = &record.body
        && product.variants.is_empty()
    {
        report.at(&BODY.name("variants"), format_args!("no variant that could be bought"));
    }
}

fn price_negative(record: &Record, _: &ValidateContext<'_>, report: &mut Report<'_>) {
    let mut look = |pointer: &Pointer<'_>, money: Money| {
        if money.amount < Decimal::ZERO {
            report.at(pointer, format_args!("{money} is below zero"));
        }
        ControlFlow::<()>::Continue(())
    };
    if let Body::Product(_) = &record.body {
        let _ = each_amount(&record.body, &mut look);
    }
    for (index, line) in lines(&record.body).iter().enumerate().filter(|(_, line)| is_product(line)) {
        let here = LINES.index(index);
        let _ = look(&here.name("unit_list_price"), line.unit_list_price);
        let _ = look(&here.name("unit_price"), line.unit_price);
    }
}

fn order_empty(record: &Record, _: &ValidateContext<'_>, report: &mut Report<'_>) {
    if let Body::Order(order) = &record.body
        && order.lines.is_empty()
    {
        report.at(&LINES, format_args!("the order has no lines"));
    }
}

fn line_id_duplicate(record: &Record, _: &ValidateContext<'_>, report: &mut Report<'_>) {
    let lines = lines(&record.body);
    let mut again = |index: usize, first: usize| {
        report.at(&LINES.index(index).name("id"), format_args!("the same id as line {first}"));
    };
    if lines.len() > 512 {
        let mut sorted: Vec<(&str, usize)> = lines.iter().enumerate().map(|(index, line)| (line.id.as_str(), index)).collect();
        sorted.sort_unstable();
        for pair in sorted.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
            again(pair[1].1, pair[0].1);
        }
        return;
    }
    // One bit per hash on the stack; only when a bit is set already are the lines before looked through.
    let mut bits = [0u64; 64];
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    for (index, line) in lines.iter().enumerate() {
        let hash = hasher.hash_one(&line.id);
        let (word, bit) = ((hash >> 6) as usize % bits.len(), 1u64 << (hash & 63));
        if bits[word] & bit != 0
            && let Some(first) = lines[..index].iter().position(|earlier| earlier.id == line.id)
        {
            again(index, first);
        }
        bits[word] |= bit;
    }
}

fn quantity_invalid(record: &Record, _: &ValidateContext<'_>, report: &mut Report<'_>) {
    let mut look = |list: &Pointer<'_>, index: usize, quantity: i64, least: i64| {
        if quantity < least {
            report.at(&list.index(index).name("quantity"), format_args!("the quantity is {quantity}, at least {least} is needed"));
        }
    };
    for (index, line) in lines(&record.body).iter().enumerate() {
        look(&LINES, index, line.quantity, 1);
    }
    match &record.body {
        Body::Refund(refund) => refund.lines.iter().enumerate().for_each(|(index, line)| look(&LINES, index, line.quantity, 0)),
        Body::Shipment(shipment) => shipment.lines.iter().enumerate().for_each(|(index, line)| look(&LINES, index, line.quantity, 1)),
        Body::Return(goods) => {
            let items = BODY.name("items");
            goods.items.iter().enumerate().for_each(|(index, item)| look(&items, index, item.quantity, 1));
        }
        _ => {}
    }
}

fn sku_missing(record: &Record, _: &ValidateContext<'_>, report: &mut Report<'_>) {
    for (index, line) in lines(&record.body).iter().enumerate() {
        if is_product(line) && is_blank(&line.sku) {
            report.at(&LINES.index(index).name("sku"), format_args!("no SKU; product and variant ids are used"));
        }
    }
}

fn line_total_mismatch(record: &Record, _: &ValidateContext<'_>, report: &mut Report<'_>) {
    for (index, line) in lines(&record.body).iter().enumerate() {
        if line.quantity <= 0 || matches!(line.kind, LineKind::Gift | LineKind::BundleChild) {
            continue;
        }
        let currency = line.total.currency;
        let taken = || line.discounts.iter().filter(|discount| !matches!(discount.kind, DiscountKind::Product | DiscountKind::Shipping));
        // Another currency is `money.mixed_currencies`, one without digits `money.unknown_currency`.
        let Some(digits) = currency.digits() else { continue };
        if line.unit_price.currency != currency || taken().any(|discount| discount.amount.currency != currency) {
            continue;
        }
        let quantity = Decimal::from(line.quantity);
        let expected = line.unit_price.amount.checked_mul(quantity);
        let expected = taken().try_fold(expected, |sum, discount| sum.map(|sum| sum.checked_sub(discount.amount.amount)));
        let total = line.total.amount;
        let tolerance = Decimal::new(1, digits).checked_mul(quantity);
        let Some((expected, tolerance)) = expected.flatten().zip(tolerance) else {
            report.at(
                &LINES.index(index).name("total"),
                format_args!("the figures are too large to be multiplied; the total says {total} {currency}"),
            );
            continue;
        };
        if expected.checked_sub(total).is_none_or(|difference| difference.abs() > tolerance) {
            let expected = written(expected, Some(digits));
            report.at(
                &LINES.index(index).name("total"),
                format_args!("quantity times unit price less discounts is {expected} {currency}, the total says {total} {currency}"),
            );
        }
    }
}

fn order_total_mismatch(record: &Record, _: &ValidateContext<'_>, report: &mut Report<'_>) {
    let Some(sum) = Sum::of(&record.body) else { return };
    let Money { amount: total, currency } = sum.totals.total;
    let mut added = Some(Decimal::ZERO);
    for part in sum.parts() {
        // `money.mixed_currencies` says so; a sum of apples and pears says nothing.
        if part.currency != currency {
            return;
        }
        added = added.and_then(|added| added.checked_add(part.amount));
    }
    let pointer = BODY.name("totals");
    let pointer = pointer.name("total");
    match added {
        None => report.at(&pointer, format_args!("the amounts are too large to be added; the total says {total} {currency}")),
        Some(added) if !closes(added, total, currency.digits()) => report.at(
            &pointer,
            format_args!(
                "lines, shipping, fees and tax less discounts are {} {currency}, the total says {total} {currency}",
                written(added, currency.digits())
            ),
        ),
        Some(_) => {}
    }
}

/// An amount with all its digits that say something, and at least those of the minor unit.
fn written(amount: Decimal, digits: Option<u32>) -> Decimal {
    let mut amount = amount.normalize();
    if let Some(digits) = digits.filter(|digits| *digits > amount.scale()) {
        amount.rescale(digits);
    }
    amount
}

/// Whether a sum and a total are the same to the minor unit. A currency without one must match to the last digit.
fn closes(added: Decimal, total: Decimal, digits: Option<u32>) -> bool {
    let Some(digits) = digits else { return added == total };
    let rounded = total.round_dp_with_strategy(digits, RoundingStrategy::MidpointNearestEven);
    let unit = Decimal::new(1, digits);
    added == total || added.checked_sub(rounded).and_then(|off| off.abs().checked_mul(Decimal::TWO)).is_some_and(|twice| twice <= unit)
}
