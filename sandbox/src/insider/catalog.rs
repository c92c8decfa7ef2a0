//! The catalog: whole records and parts of them, rejected inside of HTTP 200 by item id without its locale.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Call;
use crate::vendor::Reply;

const MOST_RECORDS: usize = 10_000;
const MOST_RECORD_BYTES: usize = 512 * 1024;

/// Field and message by which failures are grouped, with the items concerned.
type Failures = BTreeMap<(String, &'static str), Vec<String>>;

fn answer(call: &mut Call<'_>, valid: usize, failures: &Failures) -> Reply {
    let details: Vec<Value> = failures
        .iter()
        .map(|((field, message), ids)| json!({"field": field, "message": message, "count": ids.len(), "document_ids": ids}))
        .collect();
    let invalid: usize = failures.values().map(Vec::len).sum();
    call.account.records_accepted += valid as u64;
    call.account.records_failed += invalid as u64;
    let ratio = if valid + invalid == 0 { 0.0 } else { invalid as f64 / (valid + invalid) as f64 };
    let message = json!({"valid": {"count": valid}, "invalid": {"count": invalid, "details": details},
        "warnings": {"count": 0, "details": []}, "invalidRatio": ratio});
    Reply::json(200, &json!({"success": true, "message": message}))
}

fn records<'b>(call: &Call<'b>) -> Result<&'b Vec<Value>, Reply> {
    let refuse = |message: &str| Err(Reply::json(400, &json!({"success": false, "message": message})));
    match call.body.as_array() {
        None => refuse("Bad request."),
        Some(records) if records.len() > MOST_RECORDS => refuse("Maximum allowed record count is exceeded."),
        Some(records) => Ok(records),
    }
}

pub(super) fn ingest(call: &mut Call<'_>) -> Reply {
    run(call, false)
}

pub(super) fn update(call: &mut Call<'_>) -> Reply {
    run(call, true)
}

fn run(call: &mut Call<'_>, partial: bool) -> Reply {
    let records = match records(call) {
        Ok(records) => records,
        Err(refusal) => return refusal,
    };
    let mut failures = Failures::new();
    let mut valid = 0;
    for (index, record) in records.iter().enumerate() {
        let id = record.get("item_id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut fault = fault(call, record, partial);
        if call.half_failed && index % 2 == 1 {
            fault = Some(("name".into(), "Failed on demand."));
        }
        match fault {
            Some(why) => failures.entry(why).or_default().push(id),
            None => {
                valid += 1;
                store(call, id, record, partial);
            }
        }
    }
    answer(call, valid, &failures)
}

/// The first rule a record breaks.
fn fault(call: &Call<'_>, record: &Value, partial: bool) -> Option<(String, &'static str)> {
    let text = |key: &str| record.get(key).and_then(Value::as_str);
    let wrong = |field: &str, message: &'static str| Some((field.to_owned(), message));
    if record.to_string().len() > MOST_RECORD_BYTES {
        return wrong("item_id", "Record size limit is exceeded.");
    }
    let Some(id) = text("item_id").filter(|id| !id.is_empty() && id.chars().count() <= 128) else {
        return wrong("item_id", "Item id is not valid.");
    };
    let Some(locale) = text("locale") else { return wrong("locale", "Locale is required.") };
    if call.options.locales.as_ref().is_some_and(|known| !known.iter().any(|known| known == locale)) {
        return wrong("locale", "Locale does not exist.");
    }
    if partial && !call.account.catalog.contains_key(&(id.to_owned(), locale.to_owned())) {
        return wrong("item_id", "Item not found.");
    }
    if !partial {
        for key in ["name", "url", "image_url"] {
            if text(key).is_none_or(str::is_empty) {
                return wrong(key, "Field is required.");
            }
        }
    }
    if record.get("price").is_some() != record.get("original_price").is_some() {
        return wrong("price", "Price and original price go together.");
    }
    for (key, value) in record.as_object()? {
        let short = |text: &str, most: usize| text.chars().count() <= most;
        let texts = |most: usize| {
            value.as_array().is_some_and(|all| {
                let lengths: Option<Vec<usize>> = all.iter().map(|text| text.as_str().map(|text| text.chars().count())).collect();
                lengths.is_some_and(|lengths| lengths.iter().all(|length| *length <= 512) && lengths.iter().sum::<usize>() <= most)
            })
        };
        let right = match key.as_str() {
            "item_id" | "locale" => true,
            "name" | "brand" | "sku" | "color" | "size" | "gender" | "groupcode" => value.as_str().is_some_and(|text| short(text, 512)),
            "url" => value.as_str().is_some_and(|text| short(text, 512) && text.contains("://")),
            "image_url" => value.as_str().is_some_and(|text| ["http://", "https://", "//"].iter().any(|start| text.starts_with(start))),
            "description" => value.as_str().is_some_and(|text| short(text, 1_024)),
            "price" | "original_price" | "omnibus_price" => value
                .as_object()
                .is_some_and(|prices| !prices.is_empty() && prices.values().all(|price| price.as_f64().is_some_and(|price| price >= 0.0))),
            "in_stock" | "is_status_passive" => matches!(value.as_u64(), Some(0 | 1)),
            "stock_count" => value.as_u64().is_some(),
            "rating" => value.as_f64().is_some_and(|rating| (0.0..=10.0).contains(&rating)),
            "category" => texts(1_024),
            "tags" => texts(4_096),
            "product_attributes" => value.is_object(),
            _ => false,
        };
        if !right {
            return Some((key.clone(), "Field is not valid."));
        }
    }
    None
}

fn store(call: &mut Call<'_>, id: String, record: &Value, partial: bool) {
    let locale = record.get("locale").and_then(Value::as_str).unwrap_or_default().to_owned();
    let key = (id, locale);
    let before = call.account.catalog.get(&key).cloned();
    let mut after: Map<String, Value> = if partial { before.clone().unwrap_or_default() } else { Map::new() };
    after.extend(record.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
    if let Some(before) = before {
        let amount = |record: &Map<String, Value>, currency: &str| record.get("price")?.get(currency)?.as_f64();
        let currencies = after.get("price").and_then(Value::as_object).into_iter().flatten().map(|(currency, _)| currency.clone());
        let dropped = currencies.into_iter().any(|currency| match (amount(&before, &currency), amount(&after, &currency)) {
            (Some(old), Some(new)) => new < old,
            _ => false,
        });
        let is = |record: &Map<String, Value>, value: u64| record.get("in_stock").and_then(Value::as_u64) == Some(value);
        // Whatever the source, there is no switch that keeps these quiet.
        for (name, fires) in [("price_drop", dropped), ("back_in_stock", is(&before, 0) && is(&after, 1))] {
            if fires {
                *call.account.catalog_journeys.entry(name).or_default() += 1;
            }
        }
    }
    call.account.catalog.insert(key, after);
}
