//! Browser events of hosted analytics, pushed in by the shop's own script: the platform sends them nowhere.
//! <https://developer.bigcommerce.com/docs/integrations/hosted-analytics>
//!
//! The payload is the platform's; who it was and when it was are for the script to say, because the payload does not.

use super::map::{About, Row, exact, identity, locale, owned};
use super::orders::fallback_sku;
use super::wire::events::{Browser, BrowserItem, Payload};
use crate::model::{AttributeValue, Attributes, Body, Currency, Event, EventName, Fulfilment, LineItem, LineKind, Market, Money};
use crate::normalize::line_items::times;
use crate::normalize::text::filled;
use crate::sources::rows::Failure;

impl Row<'_, '_> {
    pub(super) fn browser(&mut self, browser: &Browser<'_>) -> Result<(), Failure> {
        let payload = &browser.payload;
        let name = browser.event.strip_prefix("bodl_v1_").or_else(|| browser.event.strip_prefix("bodl_")).unwrap_or_default();
        let name = match name {
            "product_page_viewed" => EventName::ProductViewed,
            "product_category_viewed" => EventName::CategoryViewed,
            "keyword_search" => EventName::Searched,
            "begin_checkout" => EventName::CheckoutStarted,
            // Carts and orders come from the shop itself, with ids; these would tell of them twice.
            "cart_product_added"
            | "cart_product_removed"
            | "cart_viewed"
            | "order_purchased"
            | "shipping_information_added"
            | "payment_information_added"
            | "loaded_consent"
            | "update_consent" => {
                self.ignore(browser.event.to_string(), true);
                return Ok(());
            }
            _ => {
                self.ignore(browser.event.to_string(), false);
                return Ok(());
            }
        };
        let Some(id) = filled(&payload.event_id) else {
            return Err(Failure::malformed("/payload/event_id", "missing field `event_id`"));
        };
        let configured = self.compiled.config.currency;
        let currency = match filled(&payload.currency) {
            Some(code) => Some(
                Currency::parse(code).map_err(|_| Failure::malformed("/payload/currency", "expected a currency code of three letters"))?,
            ),
            None => configured,
        };
        let mut lines = Vec::new();
        if let Some(currency) = currency {
            for (index, item) in payload.line_items.iter().enumerate() {
                lines.push(line(item, index, currency)?);
            }
        }
        let whole = payload.cart_value.0.or(payload.product_value.0);
        let mut properties = Attributes::new();
        let mut text = |name: &str, value: &super::wire::Text<'_>| {
            if let Some(value) = owned(value) {
                properties.insert(name.to_owned(), AttributeValue::Text(value));
            }
        };
        text("category_name", &payload.category_name);
        text("query", &payload.search_keyword);
        let codes: Vec<AttributeValue> = payload.coupon_codes.iter().filter_map(|code| owned(code)).map(AttributeValue::Text).collect();
        if !codes.is_empty() {
            properties.insert("coupon_codes".to_owned(), AttributeValue::List(codes));
        }
        let viewed = payload.line_items.iter().next().filter(|_| name == EventName::ProductViewed);
        let (sku, product) = match viewed {
            Some(item) => (sku(item), item.product_id.id().map(str::to_owned)),
            None => (None, None),
        };
        let event = Event {
            id: Some(id.to_owned()),
            product_id: product,
            variant_id: viewed.and_then(|item| item.variant_id.id()).map(str::to_owned),
            sku,
            category_id: payload.category_id.id().map(str::to_owned),
            value: currency.zip(whole).map(|(currency, amount)| exact(amount, currency)),
            url: owned(&browser.url),
            lines,
            properties,
            ..Event::new(name.clone())
        };
        let mut whom = identity(&browser.customer_id, &browser.email);
        whom.anonymous_id = owned(&browser.anonymous_id);
        let about = About {
            kind: "browser-event",
            id,
            version: None,
            occurred_at: browser.occurred_at.0,
            market: market(payload, browser, currency, self.compiled.config.locale.as_deref()),
            identity: whom,
            fact: &[name.as_str()],
        };
        self.emit_news(about, Body::Event(event));
        Ok(())
    }
}

fn market(payload: &Payload<'_>, browser: &Browser<'_>, currency: Option<Currency>, configured: Option<&str>) -> Market {
    Market {
        channel: payload.channel_id.id().map(str::to_owned),
        locale: locale(&browser.locale).or_else(|| configured.map(str::to_owned)),
        currency,
        ..Market::default()
    }
}

fn sku(item: &BrowserItem<'_>) -> Option<String> {
    owned(&item.sku).or_else(|| fallback_sku(item.product_id.id(), item.variant_id.id()))
}

fn line(item: &BrowserItem<'_>, index: usize, currency: Currency) -> Result<LineItem, Failure> {
    let list = item.base_price.0.or(item.purchase_price.0).unwrap_or_default();
    let unit = item.purchase_price.0.unwrap_or(list);
    let quantity = item.quantity.whole().unwrap_or(1);
    let unit = exact(unit, currency);
    let total: Money = times(unit, quantity)
        .map_err(|_| Failure::malformed(format!("/payload/line_items/{index}"), "the amounts are beyond 28 digits"))?;
    Ok(LineItem {
        id: index.to_string(),
        kind: LineKind::Product,
        parent_id: None,
        sku: sku(item),
        product_id: item.product_id.id().map(str::to_owned),
        product_key: None,
        variant_id: item.variant_id.id().map(str::to_owned),
        name: owned(&item.product_name),
        quantity,
        unit_list_price: exact(list, currency),
        unit_price: unit,
        discounts: Vec::new(),
        tax: None,
        tax_rate: None,
        tax_included: None,
        total,
        // Names only: a category without its id could not be told from another of that name.
        categories: Vec::new(),
        brand: owned(&item.brand_name),
        image_url: None,
        url: None,
        attributes: Attributes::new(),
        fulfilment: Fulfilment { ordered: quantity, ..Fulfilment::default() },
    })
}
