//! Catalogs.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use support::Api;

fn upload(replace_uploaded_fields_only: bool, documents: Value) -> Value {
    json!({"replaceUploadedFieldsOnly": replace_uploaded_fields_only, "documents": documents})
}

fn items(api: &Api) -> Value {
    api.inspect(json!({"what": "catalogs"}))["products"]["items"].clone()
}

#[tokio::test]
async fn an_upload_replaces_items_or_only_the_fields_it_holds() {
    let api = Api::start(json!({"catalogs": ["products"]}));
    let (status, _) = api.post("/api/catalogs/products/items", upload(false, json!({"p-1": {"name": "Tee", "stock": 4}}))).await;
    assert_eq!(status, 202);
    api.ok("/api/catalogs/PRODUCTS/items", upload(true, json!({"p-1": {"stock": 3}, "P-1": {"stock": 9}}))).await;
    assert_eq!(items(&api), json!({"p-1": {"name": "Tee", "stock": 3}, "P-1": {"stock": 9}}));
    api.ok("/api/catalogs/products/items", upload(false, json!({"p-1": {"stock": 2}}))).await;
    assert_eq!(items(&api)["p-1"], json!({"stock": 2}));
    api.send("PATCH", "/api/catalogs/products/items/p-1", Some(&json!({"update": {"name": "Tee"}}))).await;
    assert_eq!(items(&api)["p-1"], json!({"stock": 2, "name": "Tee"}));
    api.send("PUT", "/api/catalogs/products/items/p-1", Some(&json!({"value": {"name": "Shirt"}}))).await;
    let (_, shown) = api.get("/api/catalogs/products/items/p-1").await;
    assert_eq!((&shown["value"], &shown["size"]), (&json!({"name": "Shirt"}), &json!(16)));
    assert_eq!(api.send("DELETE", "/api/catalogs/products/items", Some(&json!({"itemIds": ["p-1"]}))).await.0, 202);
    assert_eq!(api.send("DELETE", "/api/catalogs/products/items/P-1", None).await.0, 202);
    assert_eq!(items(&api), json!({}));
    assert_eq!(api.get("/api/catalogs/products/items/p-1").await.0, 404);
}

#[tokio::test]
async fn one_bad_item_refuses_the_upload() {
    let api = Api::start(json!({"catalogs": ["products"]}));
    for bad in [
        json!({"ok": {"a": 1}, "a_b": {"a": 1}}),
        json!({"ok": {"a": 1}, "a.b": {"a": 1}}),
        json!({"ok": {"a": 1}, "big": {"a": "x".repeat(30_000)}}),
        json!({"ok": {"a.b": 1}}),
        json!({"ok": 1}),
    ] {
        assert_eq!(api.post("/api/catalogs/products/items", upload(false, bad.clone())).await.0, 400, "{bad}");
    }
    let many: Value = (0..1_001).map(|n| (format!("p-{n}"), json!({"a": n}))).collect::<serde_json::Map<_, _>>().into();
    let (status, reply) = api.post("/api/catalogs/products/items", upload(false, many)).await;
    assert_eq!((status, &reply["code"]), (400, &json!("BatchTooLarge")));
    let wide: Value = json!({"ok": (0..351).map(|n| (format!("f{n}"), json!(n))).collect::<serde_json::Map<_, _>>()});
    assert_eq!(api.post("/api/catalogs/products/items", upload(false, wide)).await.1["code"], "UniqueFieldsLimitExceeded");
    assert_eq!(api.post("/api/catalogs/products/items", json!({"documents": {}})).await.1["code"], "BadJsonBody");
    assert_eq!(items(&api), json!({}));
}

#[tokio::test]
async fn a_missing_catalog_answers_in_the_newer_shape() {
    let api = Api::start(json!({}));
    let (status, reply) = api.post("/api/catalogs/products/items", upload(false, json!({"a": {}}))).await;
    assert_eq!((status, &reply["code"], &reply["data"]["args"]), (404, &json!("error.catalogs.notFound"), &json!(["products"])));
    assert_eq!(api.send("POST", "/api/catalogs/products", None).await.0, 201);
    assert_eq!(api.send("POST", "/api/catalogs/Products", None).await.0, 400, "names differ in more than case");
    assert_eq!(api.send("POST", "/api/catalogs/pro_ducts", None).await.0, 400);
    let off = Api::start(json!({"catalogs_enabled": false}));
    assert_eq!(off.get("/api/catalogs").await.0, 403);
}

#[tokio::test]
async fn a_fields_type_is_set_once() {
    let api = Api::start(json!({"catalogs": ["products"]}));
    let set = |kind: &str| json!({"mappingsUpdates": [{"fieldName": "price", "fieldType": kind}]});
    let path = "/api/catalogs/products/fieldMappings";
    assert_eq!(api.send("PUT", path, Some(&set("double"))).await.0, 200);
    assert_eq!(api.send("PUT", path, Some(&set("double"))).await.0, 200);
    assert_eq!(api.send("PUT", path, Some(&set("long"))).await.0, 400);
    assert_eq!(api.send("PUT", path, Some(&set("money"))).await.0, 400);
    api.ok("/api/catalogs/products/items", upload(false, json!({"p": {"price": "x", "name": "Tee"}}))).await;
    assert_eq!(api.get(path).await.1, json!({"definedMappings": {"price": "double"}, "undefinedFields": ["name"]}));
    assert_eq!(api.counts()["oddities"]["catalog_value_not_of_its_fields_type"], 1);
}
