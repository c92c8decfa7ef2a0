//! What is read of something that is only named, step by step, and what it becomes.

use super::*;
use crate::model::{Body, CartState};

fn wanted(kind: &str, id: &str) -> Wanted {
    Wanted { resource: ResourceRef { kind: kind.to_owned(), id: id.to_owned() }, seed: None }
}

fn with(kind: &str, row: &Value) -> Wanted {
    Wanted { seed: Some(row.to_string().into_bytes()), ..wanted(kind, &row["id"].to_string()) }
}

/// Answers each question by its path below the store; 404 for those nobody answers. The questions, by step, and the end.
fn follow(source: &Bigcommerce, wanted: &Wanted, answer: impl Fn(&str) -> Option<Value>) -> (Vec<Vec<String>>, Step) {
    let (mut steps, mut replies) = (Vec::new(), Vec::new());
    loop {
        match source.pull().unwrap().follow(wanted, &replies).unwrap() {
            Step::Ask(requests) => {
                let paths: Vec<String> = requests.iter().map(|one| one.path.strip_prefix("/stores/abc123").unwrap().to_owned()).collect();
                replies.extend(paths.iter().map(|path| match answer(path) {
                    Some(Value::Null) => reply(204, ""),
                    Some(body) => ok(&body),
                    None => reply(404, r#"{"status": 404, "title": "not found"}"#),
                }));
                steps.push(paths);
                assert!(steps.len() < 30, "{steps:#?}");
            }
            end => return (steps, end),
        }
    }
}

fn document(step: Step) -> (Document, Value) {
    let Step::Done(mut documents) = step else { panic!("{step:?}") };
    assert_eq!(documents.len(), 1);
    let document = documents.remove(0);
    let value = serde_json::from_slice(&document.bytes).unwrap();
    (document, value)
}

fn decoded(source: &Bigcommerce, document: &Document) -> Decoded {
    let mut out = Decoded::default();
    let context = DecodeContext { resource: Some(document.resource), ..DecodeContext::at(at("2026-11-21T10:00:00Z")) };
    source.decode(&document.bytes, &context, &mut out);
    out
}

fn order(more: Value) -> Value {
    let mut order = json!({"id": 100, "status_id": 11, "date_created": "Tue, 03 Nov 2026 10:00:00 +0000", "customer_id": 0,
        "date_modified": "Tue, 03 Nov 2026 10:05:00 +0000", "total_inc_tax": "20.0000", "total_ex_tax": "20.0000", "total_tax": "0.0000",
        "default_currency_code": "USD", "is_tax_inclusive_pricing": true, "items_shipped": 0, "payment_status": "captured",
        "products": {"url": "u", "resource": "r"}, "consignments": {"shipping": [], "pickups": []},
        "billing_address": {"email": "jane@example.com"}});
    for (name, value) in more.as_object().unwrap() {
        order[name] = value.clone();
    }
    order
}

fn line(id: u64) -> Value {
    json!({"id": id, "order_id": 100, "product_id": 5, "name": "Tent", "sku": "TENT", "type": "physical", "quantity": 2,
        "price_inc_tax": "10.0000", "price_ex_tax": "10.0000", "total_inc_tax": "20.0000", "total_ex_tax": "20.0000"})
}

#[test]
fn an_order_that_is_named_is_asked_for_with_all_its_parts_at_once() {
    let source = plain();
    let (steps, end) = follow(&source, &wanted("order", "100"), |path| match path {
        "/v2/orders/100?include=consignments,fees&consignment_structure=object" => Some(order(json!({}))),
        "/v2/orders/100/products?page=1&limit=250" => Some(json!([line(1)])),
        "/v3/orders/100/payment_actions/refunds" => Some(json!({"data": [], "meta": {}})),
        "/v3/orders/100/transactions" => None,
        _ => Some(Value::Null),
    });
    assert_eq!(
        steps,
        [vec![
            "/v2/orders/100?include=consignments,fees&consignment_structure=object",
            "/v2/orders/100/products?page=1&limit=250",
            "/v2/orders/100/coupons?page=1&limit=250",
            "/v2/orders/100/shipments?page=1&limit=250",
            "/v3/orders/100/payment_actions/refunds",
            "/v3/orders/100/transactions",
            "/v2/orders/100/taxes?page=1&limit=250",
        ]]
    );
    let (document, value) = document(end);
    assert_eq!((&value["coupons"], &value["products"][0]["id"], document.resource), (&json!([]), &json!(1), "order"));
    let out = decoded(&source, &document);
    assert_eq!((out.rejected.len(), out.fetches.len()), (0, 0), "{out:?}");
    assert!(matches!(&out.records[0].record.body, Body::Order(order) if order.lines.len() == 1));
    assert_eq!(out.records[0].record.envelope.identity.email.as_deref(), Some("jane@example.com"), "a guest");
}

#[test]
fn an_order_of_a_list_is_asked_only_for_what_it_has() {
    let source = plain();
    let asked = |row: Value| {
        let (steps, _) = follow(&source, &with("order", &row), |_| Some(Value::Null));
        let parts: Vec<String> = steps.concat().iter().map(|path| path.split('?').next().unwrap().replace("/orders/100", "")).collect();
        parts
    };
    assert_eq!(asked(order(json!({}))), ["/v2/products", "/v2/coupons", "/v3/transactions"]);
    let shipped = order(json!({"items_shipped": 2, "total_tax": "1.5000"}));
    assert_eq!(asked(shipped), ["/v2/products", "/v2/coupons", "/v2/shipments", "/v3/transactions", "/v2/taxes"]);
    let refunded = order(json!({"status_id": 4}));
    assert_eq!(asked(refunded), ["/v2/products", "/v2/coupons", "/v3/payment_actions/refunds", "/v3/transactions"]);
    let partly = order(json!({"payment_status": "Partially Refunded"}));
    assert!(asked(partly).contains(&"/v3/payment_actions/refunds".to_owned()));
    let incomplete = order(json!({"status_id": 0, "total_tax": "3"}));
    assert_eq!(asked(incomplete), ["/v2/products", "/v2/coupons"]);
    let linked = order(json!({"consignments": {"url": "u", "resource": "r"}}));
    assert_eq!(asked(linked).last().unwrap(), "/v2/shipping_addresses", "not embedded: asked for");
    let digital = order(json!({"consignments": {"url": "u", "resource": "r"}, "order_is_digital": true}));
    assert!(!asked(digital).contains(&"/v2/shipping_addresses".to_owned()));
}

#[test]
fn settings_say_which_parts_of_orders_are_worth_a_call() {
    let asked = |source: &Bigcommerce| follow(source, &with("order", &order(json!({"total_tax": 1}))), |_| Some(Value::Null)).0.concat();
    let few = source(json!({"order_parts": ["taxes"]}), json!({})).unwrap();
    assert_eq!(asked(&few), ["/v2/orders/100/products?page=1&limit=250", "/v2/orders/100/taxes?page=1&limit=250"]);
    let tests_too = source(json!({}), json!({"test_orders": true})).unwrap();
    assert!(!asked(&tests_too).iter().any(|path| path.contains("transactions")), "only tests are told by them");
    let fields = json!({"order_fields": [{"field": "erp.number"}, {"field": "Delivery window"}]});
    let with_fields = source(json!({}), fields).unwrap();
    assert!(asked(&with_fields).contains(&"/v3/orders/100/metafields?limit=250".to_owned()));
}

#[test]
fn an_order_of_more_lines_than_a_page_has_all_of_them() {
    let source = plain();
    let (steps, end) = follow(&source, &with("order", &order(json!({}))), |path| match path {
        "/v2/orders/100/products?page=1&limit=250" => Some((1..=250).map(line).collect()),
        "/v2/orders/100/products?page=2&limit=250" => Some(json!([line(251)])),
        _ => Some(Value::Null),
    });
    assert_eq!(steps[1], ["/v2/orders/100/products?page=2&limit=250"]);
    assert_eq!(document(end).1["products"].as_array().unwrap().len(), 251);
}

#[test]
fn test_orders_and_deleted_ones_end_as_such() {
    let source = plain();
    let (_, end) = follow(&source, &with("order", &order(json!({}))), |path| match path.contains("transactions") {
        true => Some(json!({"data": [{"id": 1, "order_id": "100", "test": true}], "meta": {}})),
        false => Some(Value::Null),
    });
    let out = decoded(&source, &document(end).0);
    assert_eq!((out.records.len(), out.ignored[0].what.as_str()), (0, "test order"));
    for kind in ["order", "customer", "subscriber", "cart", "product", "variant", "category", "category-tree", ABANDONED] {
        let empty = |path: &str| path.contains(":in=").then(|| json!({"data": [], "meta": {}}));
        assert!(matches!(follow(&source, &wanted(kind, "9"), empty).1, Step::Nothing(_)), "{kind}");
    }
    assert!(matches!(follow(&source, &wanted("invoice", "9"), |_| None).1, Step::Nothing(_)));
}

fn customer(more: Value) -> Value {
    let mut customer = json!({"id": 7, "email": "jane@example.com", "customer_group_id": 0, "address_count": 0, "attribute_count": 0,
        "addresses": [], "attributes": [], "date_modified": "2026-11-03T09:12:44Z"});
    for (name, value) in more.as_object().unwrap() {
        customer[name] = value.clone();
    }
    customer
}

#[test]
fn customers_whose_lists_were_cut_are_topped_up_and_the_others_are_taken_as_they_are() {
    let source = plain();
    let cut = customer(json!({"id": 8, "address_count": 12, "addresses": [{"id": 1}], "attribute_count": 11}));
    let answer = page_of(&json!([customer(json!({})), cut]), 2);
    let page = read(&source, "customers", &pass("customers", None, ""), &answer);
    assert_eq!((page.rows, page.wanted.len(), page.wanted[0].resource.id.as_str()), (2, 1, "8"));
    let PageBody::Document(plain_ones) = page.body else { panic!("{:?}", page.body) };
    assert_eq!(decoded(&source, &plain_ones).records.len(), 1);
    let (steps, end) = follow(&source, &page.wanted[0], |_| Some(json!({"data": [{"id": 1}, {"id": 2}], "meta": {}})));
    let addresses = "/v3/customers/addresses?customer_id:in=8&page=1&limit=250";
    let attributes = "/v3/customers/attribute-values?customer_id:in=8&page=1&limit=250";
    assert_eq!(steps, [vec![addresses, attributes]]);
    assert_eq!(document(end).1["addresses"].as_array().unwrap().len(), 2);
    let nameless = customer(json!({"id": null, "address_count": 12, "addresses": [{"id": 1}]}));
    let page = read(&source, "customers", &pass("customers", None, ""), &page_of(&json!([nameless]), 1));
    assert_eq!((page.body, page.wanted.len()), (PageBody::Reply, 0), "it is rejected where it is decoded");
    let untouched = read(&source, "customers", &pass("customers", None, ""), &page_of(&json!([customer(json!({}))]), 1));
    assert_eq!((untouched.body, untouched.wanted), (PageBody::Reply, Vec::new()));
}

#[test]
fn a_customer_that_is_named_is_asked_for_by_the_list_and_with_metafields_where_those_are_read() {
    let rules = json!({"consents": [{"channel": "sms", "on": "metafield", "field": "consent.sms"}]});
    let source = source(json!({}), rules).unwrap();
    let (steps, end) = follow(&source, &wanted("customer", "7"), |path| match path.contains("metafields") {
        true => Some(json!({"data": [{"namespace": "consent", "key": "sms", "value": "yes"}], "meta": {}})),
        false => Some(json!({"data": [customer(json!({}))], "meta": {}})),
    });
    let itself = "/v3/customers?id:in=7&include=addresses,attributes,formfields,storecredit";
    assert_eq!(steps, [vec![itself, "/v3/customers/7/metafields?limit=250"]]);
    let out = decoded(&source, &document(end).0);
    assert!(matches!(&out.records[0].record.body, Body::Contact(contact) if contact.consents.len() == 1), "{out:?}");
}

#[test]
fn a_cart_that_was_left_alone_is_told_as_such() {
    let source = plain();
    let fetch = |reason: &str| {
        let resource = ResourceRef { kind: "cart".to_owned(), id: "c-1".to_owned() };
        source.pull().unwrap().wanted(&Fetch { position: 0, resource, reason: reason.to_owned() }).unwrap()
    };
    let cart = json!({"data": {"id": "c-1", "email": "jane@example.com", "currency": {"code": "USD"}, "cart_amount": 10, "base_amount": 10,
        "updated_time": "2026-11-21T08:00:00+00:00", "line_items": {"physical_items": [{"id": "l", "product_id": 5, "variant_id": 6,
        "quantity": 1, "list_price": 10, "extended_list_price": 10, "sku": "TENT", "name": "Tent"}]}}, "meta": {}});
    let state = |reason: &str| {
        let (steps, end) = follow(&source, &fetch(reason), |_| Some(cart.clone()));
        let path = "/v3/carts/c-1?include=line_items.physical_items.options,line_items.digital_items.options";
        assert_eq!(steps, [vec![path]]);
        let out = decoded(&source, &document(end).0);
        let Body::Cart(cart) = &out.records[0].record.body else { panic!("{out:?}") };
        (cart.state.clone(), out.records.len())
    };
    assert_eq!(state("store/cart/abandoned"), (CartState::Abandoned, 2), "with its event");
    assert_eq!(state("store/channel/3/cart/abandoned"), (CartState::Abandoned, 2));
    assert_eq!(state("store/cart/updated"), (CartState::Active, 1));
}

#[test]
fn carts_are_read_as_checkouts_where_that_is_set_unless_they_were_left_alone() {
    let source = source(json!({"checkouts": true}), json!({})).unwrap();
    let (steps, _) = follow(&source, &wanted("cart", "c-1"), |_| None);
    let path = "/v3/checkouts/c-1?include=cart.line_items.physical_items.options,cart.line_items.digital_items.options";
    assert_eq!(steps, [vec![path]]);
    assert!(follow(&source, &wanted(ABANDONED, "c-1"), |_| None).0[0][0].starts_with("/v3/carts/c-1?"));
}

fn product(more: Value) -> Value {
    let mut product = json!({"id": 5, "name": "Tent", "type": "physical", "price": 10, "categories": [31], "brand_id": 2,
        "inventory_tracking": "variant", "availability": "available", "variants": [{"id": 6, "product_id": 5, "sku": "TENT"}]});
    for (name, value) in more.as_object().unwrap() {
        product[name] = value.clone();
    }
    product
}

fn catalogue(path: &str) -> Option<Value> {
    let (path, _) = path.split_once('?').unwrap();
    let data = match path {
        "/v3/catalog/products/5" => return Some(json!({"data": product(json!({})), "meta": {}})),
        "/v3/catalog/variants" => json!([{"id": 6, "product_id": 5}]),
        "/v3/catalog/brands" => json!([{"id": 2, "name": "Oak & Iron"}]),
        "/v3/inventory/items" => {
            json!([{"identity": {"product_id": 5, "variant_id": 6}, "locations": [{"location_id": 1, "available_to_sell": 4}]}])
        }
        "/v3/pricelists" => json!([{"id": 3, "active": true}, {"id": 4, "active": false}, {"id": 5, "active": true}]),
        "/v3/pricelists/assignments" => json!([{"price_list_id": 3, "channel_id": 1, "customer_group_id": null},
            {"price_list_id": 3, "customer_group_id": 8}, {"price_list_id": 4, "customer_group_id": 8}]),
        "/v3/pricelists/3/records" => json!([{"price_list_id": 3, "variant_id": 6, "product_id": 5, "currency": "usd", "price": 8}]),
        _ => return None,
    };
    Some(json!({"data": data, "meta": {}}))
}

/// Camping above tents.
fn categories(path: &str) -> Option<Value> {
    let named = match path {
        "/v3/catalog/trees/categories?category_id:in=31&page=1&limit=250" => json!({"category_id": 31, "parent_id": 30, "name": "Tents"}),
        "/v3/catalog/trees/categories?category_id:in=30&page=1&limit=250" => json!({"category_id": 30, "parent_id": 0, "name": "Camping"}),
        _ => return catalogue(path),
    };
    Some(json!({"data": [named], "meta": {}}))
}

#[test]
fn a_product_comes_with_its_brand_and_the_names_of_all_categories_above_it() {
    let source = plain();
    let (steps, end) = follow(&source, &wanted("variant", "6"), categories);
    assert_eq!(steps[0], ["/v3/catalog/variants?id=6"]);
    assert_eq!(steps[1], ["/v3/catalog/products/5?include=variants,images,custom_fields"]);
    assert_eq!(steps[2].len(), 2);
    assert_eq!(steps[3], ["/v3/catalog/trees/categories?category_id:in=30&page=1&limit=250"]);
    let out = decoded(&source, &document(end).0);
    let Body::Product(product) = &out.records[0].record.body else { panic!("{out:?}") };
    assert_eq!((product.brand.as_deref(), product.categories[0].path.join(" > ").as_str()), (Some("Oak & Iron"), "Camping > Tents"));
    assert_eq!(follow(&source, &wanted("product", "5"), categories).0.len(), 3);
}

#[test]
fn prices_of_lists_in_use_and_stock_of_locations_come_along_where_set() {
    let rest = json!({"currency": "USD", "channel": "1"});
    let source = source(json!({"price_lists": true, "inventory": true}), rest).unwrap();
    let mut page = Vec::new();
    pages::list(&[product(json!({})).to_string().as_bytes()], &mut page);
    let wanted = Wanted { seed: Some(page), ..wanted(PAGE, "") };
    let (steps, end) = follow(&source, &wanted, categories);
    assert_eq!(steps[0].len(), 5, "all that needs nobody's answer at once: {steps:#?}");
    let records = "/v3/pricelists/3/records?product_id:in=5&include=bulk_pricing_tiers&limit=250";
    assert_eq!(steps.last().unwrap(), &vec![records], "neither the list that is not active nor the one for nobody");
    let out = decoded(&source, &document(end).0);
    let Body::Product(product) = &out.records[0].record.body else { panic!("{out:?}") };
    let variant = &product.variants[0];
    assert_eq!(variant.prices.len(), 3, "the catalogue's, the channel's, the group's");
    assert_eq!(variant.price.as_ref().unwrap().channel.as_deref(), Some("1"));
    assert_eq!(variant.stock.as_ref().unwrap().quantity, Some(4));
}

#[test]
fn a_product_without_variants_is_told_and_not_asked_for_again() {
    let source = plain();
    let (_, end) = follow(&source, &wanted("product", "5"), |path| match path.contains("products") {
        true => Some(json!({"data": product(json!({"variants": null, "base_variant_id": null})), "meta": {}})),
        false => Some(json!({"data": [], "meta": {}})),
    });
    let out = decoded(&source, &document(end).0);
    assert_eq!((out.fetches.len(), out.records.len()), (0, 1), "{out:?}");
}

#[test]
fn categories_in_a_circle_come_to_an_end() {
    let source = plain();
    let circle = |path: &str| {
        let id: u64 = path.split("category_id:in=").nth(1)?.split('&').next()?.parse().ok()?;
        Some(json!({"data": [{"category_id": id, "parent_id": if id > 31 { 31 } else { id + 1 }, "name": "c"}], "meta": {}}))
    };
    let answer = |path: &str| if path.contains("trees/categories") { circle(path) } else { catalogue(path) };
    let (_, end) = follow(&source, &wanted("product", "5"), answer);
    assert_eq!(decoded(&source, &document(end).0).records.len(), 1);
}

#[test]
fn a_tree_is_read_as_its_categories_page_by_page() {
    let source = plain();
    let row = |id: u64| json!({"category_id": id, "parent_id": 0, "tree_id": 1, "name": format!("c{id}")});
    let (steps, end) = follow(&source, &wanted("category-tree", "1"), |path| {
        let rows: Value = if path.contains("page=1&") { (1..=250).map(row).collect() } else { json!([row(251)]) };
        Some(json!({"data": rows, "meta": {"pagination": {"total": 251}}}))
    });
    assert_eq!(steps.concat().last().unwrap(), "/v3/catalog/trees/categories?tree_id:in=1&page=2&limit=250");
    assert_eq!(decoded(&source, &document(end).0).records.len(), 251);
}

#[test]
fn ids_of_webhooks_cannot_lead_elsewhere() {
    let source = plain();
    let (steps, _) = follow(&source, &wanted("cart", "../../v2/store?x="), |_| None);
    assert!(steps[0][0].starts_with("/v3/carts/..%2F..%2Fv2%2Fstore%3Fx%3D?include="), "{steps:?}");
    let (steps, _) = follow(&source, &wanted("customer", "7&limit=1"), |_| None);
    assert!(steps[0][0].starts_with("/v3/customers?id:in=7%26limit%3D1&include="), "{steps:?}");
}

#[test]
fn only_what_can_be_read_is_wanted() {
    let source = plain();
    let wanted = |kind: &str, id: &str| {
        let resource = ResourceRef { kind: kind.to_owned(), id: id.to_owned() };
        source.pull().unwrap().wanted(&Fetch { position: 0, resource, reason: "store/x".to_owned() })
    };
    for kind in ["order", "customer", "subscriber", "cart", "product", "variant", "category", "category-tree"] {
        assert_eq!(wanted(kind, "1").unwrap().resource.kind, kind);
    }
    assert_eq!((wanted("invoice", "1"), wanted("order", "")), (None, None));
}
