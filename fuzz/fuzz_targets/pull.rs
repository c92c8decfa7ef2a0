//! What a shop answers when it is asked: any status, any headers, any body, for every page of every stream and every step of
//! reading what was only named. The first two bytes are the status and the headers; replies are parted by a zero byte.
#![no_main]

use std::sync::OnceLock;

use cartwire::destinations::Reply;
use cartwire::model::ResourceRef;
use cartwire::sources::pull::{Cursor, Document, PageBody, Pull, Step, Wanted};
use cartwire::sources::{DecodeContext, Decoded, Fetch, Source, SourceConfig};
use cartwire_fuzz::{adds_up, now};
use libfuzzer_sys::fuzz_target;

/// Every source that can be asked. Another one is another line.
const SHOPS: &[&str] = &[
    r#"{"type":"commercetools","project":"demo","currency":"EUR","country":"DE","pull":{"region":"europe-west1.gcp","client_id":"c","client_secret":"s"}}"#,
    r#"{"type":"bigcommerce","store":"demo","currency":"USD","pull":{"access_token":"t"}}"#,
];

/// What a message may name, whether a source reads it or not.
const KINDS: [&str; 16] = [
    "order", "customer", "cart", "product", "category", "payment", "sku", "variant", "subscriber", "shopping-list", "recurring-order",
    "inventory-entry", "standalone-price", "category-tree", "order-edit", "nothing",
];

/// Headers that may tell what is left of a budget.
const BUDGET: [&str; 4] = ["x-rate-limit-requests-quota", "x-rate-limit-requests-left", "x-rate-limit-time-window-ms", "x-rate-limit-time-reset-ms"];

/// Pages and steps after which a reply that always asks for more is left.
const FAR: usize = 12;

fn shops() -> &'static [Box<dyn Source>] {
    static OPEN: OnceLock<Vec<Box<dyn Source>>> = OnceLock::new();
    OPEN.get_or_init(|| {
        let open = |shop: &&str| serde_json::from_str::<SourceConfig>(shop).expect("the set-up is right").open().expect("the set-up is right");
        SHOPS.iter().map(open).collect()
    })
}

fn decodes(source: &dyn Source, document: &Document) {
    let context = DecodeContext { resource: Some(document.resource), ..DecodeContext::at(now()) };
    let mut out = Decoded::default();
    source.decode(&document.bytes, &context, &mut out);
    adds_up(&out);
}

/// Reads something by steps, each request answered by one of the replies.
fn follows(source: &dyn Source, shop: &dyn Pull, wanted: &Wanted, replies: &[Reply]) {
    let mut heard: Vec<Reply> = Vec::new();
    for _ in 0..FAR {
        let Ok(step) = shop.follow(wanted, &heard) else { return };
        assert_eq!(format!("{:?}", shop.follow(wanted, &heard).ok()), format!("{:?}", Some(&step)), "the same replies were read in two ways");
        match step {
            Step::Done(documents) => return documents.iter().for_each(|document| decodes(source, document)),
            Step::Nothing(why) => return assert!(!why.is_empty()),
            Step::Ask(requests) => {
                assert!(!requests.is_empty(), "a step that asks for nothing never ends");
                for request in &requests {
                    assert!(request.path.starts_with('/') && shop.base_url(request).starts_with("http"));
                    let reply = &replies[heard.len() % replies.len()];
                    // Delivery does not hand on what cannot be read.
                    if shop.judge(reply).is_err() {
                        return;
                    }
                    heard.push(reply.clone());
                }
            }
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let [status, head, body @ ..] = data else { return };
    const STATUSES: [u16; 14] = [200, 200, 200, 204, 207, 301, 400, 401, 403, 404, 413, 429, 500, 503];
    let text = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
    let headers = match head % 5 {
        0 => vec![],
        1 => vec![("date".to_owned(), "Sat, 21 Nov 2026 10:00:00 GMT".to_owned())],
        2 => vec![("date".to_owned(), text), ("retry-after".to_owned(), head.to_string())],
        3 => BUDGET.map(|name| (name.to_owned(), (u32::from(*head) * 97).to_string())).to_vec(),
        _ => BUDGET.map(|name| (name.to_owned(), text.clone())).to_vec(),
    };
    let status = STATUSES[usize::from(*status) % STATUSES.len()];
    let parts = body.split(|byte| *byte == 0).take(6);
    let replies: Vec<Reply> = parts.map(|part| Reply { status, headers: headers.clone(), body: part.to_vec() }).collect();
    for source in shops() {
        let shop = source.pull().expect("the set-up says how");
        for reply in &replies {
            let _ = shop.read_authorization(reply);
            let _ = shop.rest_after(reply);
        }
        for stream in shop.facts().streams {
            let mut cursor = Cursor::default();
            for reply in replies.iter().cycle().take(FAR.min(replies.len() * 2)) {
                let until = shop.until(stream, now());
                let pass = cursor.open(stream, None, until, now()).clone();
                shop.page(stream, &pass).expect("a page can be asked for wherever a page led");
                if shop.judge(reply).is_err() {
                    break;
                }
                let Ok(page) = shop.read(stream, &pass, reply) else { break };
                assert_eq!(shop.read(stream, &pass, reply).ok().as_ref(), Some(&page), "the same reply was read in two ways");
                let kept: Cursor = serde_json::from_str(&serde_json::to_string(&cursor).expect("a cursor is JSON")).expect("it is kept as it is");
                assert_eq!(kept, cursor);
                match &page.body {
                    PageBody::Reply => decodes(&**source, &Document { resource: stream.resource, bytes: reply.body.clone() }),
                    PageBody::Document(document) => decodes(&**source, document),
                    PageBody::Nothing => {}
                }
                for wanted in page.wanted.iter().take(3) {
                    follows(&**source, shop, wanted, &replies);
                }
                cursor.advance(&page);
                if cursor.pass.is_none() {
                    break;
                }
            }
        }
        for kind in KINDS {
            let resource = ResourceRef { kind: kind.to_owned(), id: "17".to_owned() };
            if let Some(wanted) = shop.wanted(&Fetch { position: 0, resource, reason: "message".to_owned() }) {
                follows(&**source, shop, &wanted, &replies);
            }
        }
    }
});
