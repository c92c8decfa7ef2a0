//! The store itself, its currencies and its channels.

use serde_json::{Value, json};

use super::orders::{STATUSES, rfc2822};
use super::sums::currency_id;
use super::{Shop, iso};
use crate::shop::{MARKETS, Market};

/// Channels by id and name; the first is the default one.
const CHANNELS: [(u64, &str); 2] = [(1, "Outdoor"), (2, "Outdoor Trade")];

pub(super) fn country(market: &Market) -> &'static str {
    match market.country {
        "DE" => "Germany",
        "US" => "United States",
        "JP" => "Japan",
        "GB" => "United Kingdom",
        _ => "Kuwait",
    }
}

impl Shop {
    /// The market whose currency is the store's own.
    pub(super) fn home(&self) -> &'static Market {
        MARKETS.iter().find(|market| market.currency == "USD").unwrap_or(&MARKETS[0])
    }

    pub(super) fn information(&self) -> Value {
        json!({
            "id": self.store, "account_uuid": "8d4d492f-17a1-4d95-b396-e1c5720815a5", "store_id": super::STORE_ID.parse::<u64>().unwrap_or(0),
            "domain": "shop.example.com", "secure_url": "https://shop.example.com", "status": "live", "name": "Outdoor",
            "first_name": "Jane", "last_name": "Doe", "address": "1 Long Street", "country": "United States", "country_code": "US",
            "phone": "", "admin_email": "owner@example.com", "order_email": "orders@example.com",
            "timezone": {"name": "Etc/UTC", "raw_offset": 0, "dst_offset": 0, "dst_correction": false,
                "date_format": {"display": "M jS Y", "export": "M jS Y", "extended_display": "M jS Y @ g:i A"}},
            "language": "en", "currency": self.home().currency, "currency_symbol": "$", "decimal_separator": ".", "thousands_separator": ",",
            "decimal_places": 2, "currency_symbol_location": "left", "weight_units": "KGS", "dimension_units": "Centimeters",
            "plan_name": "Standard", "plan_level": "Standard", "plan_is_trial": false, "is_price_entered_with_tax": false,
            "default_channel_id": 1, "default_site_id": 1000,
            "features": {"stencil_enabled": true, "checkout_type": "optimized", "wishlists_enabled": true, "multi_storefront_enabled": true},
        })
    }

    pub(super) fn currencies(&self) -> Vec<Value> {
        let mut all: Vec<&Market> = MARKETS.iter().collect();
        all.sort_by_key(|market| currency_id(market));
        all.into_iter()
            .map(|market| {
                let home = market.currency == self.home().currency;
                json!({"id": currency_id(market), "is_default": home, "country_iso2": market.country, "default_for_country_codes": [],
                    "currency_code": market.currency, "currency_exchange_rate": "1.0000000000", "auto_update": false, "token_location": "left",
                    "token": market.currency, "decimal_token": ".", "thousands_token": ",", "decimal_places": market.digits,
                    "name": market.currency, "enabled": true, "is_transactional": true, "use_default_name": false,
                    "last_updated": rfc2822(1_735_722_000)})
            })
            .collect()
    }

    pub(super) fn channels(&self) -> Vec<Value> {
        let channel = |(id, name): (u64, &str)| {
            json!({"id": id, "name": name, "type": "storefront", "platform": "bigcommerce", "status": "active", "is_visible": true,
                "is_listable_from_ui": true, "external_id": "", "icon_url": "", "date_created": iso(1_735_722_000), "date_modified": iso(1_735_722_000)})
        };
        CHANNELS.into_iter().map(channel).collect()
    }

    pub(super) fn channel_currencies(&self) -> Vec<Value> {
        let codes: Vec<&str> = MARKETS.iter().map(|market| market.currency).collect();
        let one = |(id, _)| json!({"channel_id": id, "enabled_currencies": codes, "default_currency": self.home().currency});
        CHANNELS.into_iter().map(one).collect()
    }
}

pub(super) fn statuses() -> Vec<Value> {
    let status = |(id, name): (u64, &str)| json!({"id": id, "name": name, "system_label": name, "custom_label": name, "system_description": name, "order": id});
    (0..).zip(STATUSES).map(status).collect()
}
