use super::*;
use crate::model::{CorrelationId, Currency, Fulfilment, IdempotencyKey, Identity, Market, Money, ResourceRef, Totals};

fn at(day: u32) -> Instant {
    format!("2026-03-{day:02}T10:00:00Z").parse().unwrap_or_else(|error| unreachable!("{error}"))
}

fn eur(cents: i64) -> Money {
    Currency::parse("EUR").and_then(|eur| Money::from_minor(cents, 2, eur)).unwrap_or_else(|_| unreachable!())
}

fn line(id: &str, quantity: i64, shipped: i64) -> LineItem {
    LineItem {
        id: id.to_owned(),
        kind: LineKind::Product,
        parent_id: None,
        sku: None,
        product_id: None,
        product_key: None,
        variant_id: None,
        name: None,
        quantity,
        unit_list_price: eur(500),
        unit_price: eur(500),
        discounts: Vec::new(),
        tax: None,
        tax_rate: None,
        tax_included: None,
        total: eur(500 * quantity),
        categories: Vec::new(),
        brand: None,
        image_url: None,
        url: None,
        attributes: crate::model::Attributes::new(),
        fulfilment: Fulfilment { ordered: quantity, shipped, ..Fulfilment::default() }.derive(),
    }
}

/// An order of two lines, placed on 1 March, as read on `day`.
fn order(day: u32) -> Order {
    let zero = eur(0);
    Order {
        id: "o1".to_owned(),
        number: None,
        placed_at: at(1),
        updated_at: Some(at(day)),
        status: OrderStatus::Open,
        payment_status: None,
        shipping_status: None,
        workflow_state: None,
        cart_id: None,
        recurring: false,
        imported: false,
        lines: vec![line("l1", 2, 0), line("l2", 1, 0)],
        shipping: Vec::new(),
        discounts: Vec::new(),
        coupons: Vec::new(),
        gift_certificates: Vec::new(),
        taxes: Vec::new(),
        totals: Totals { subtotal: eur(1500), shipping: zero, discount: zero, tax: None, tax_added: zero, total: eur(1500) },
        shipping_address: None,
        billing_address: None,
        shipments: Vec::new(),
        returns: Vec::new(),
        refunds: Vec::new(),
        payment_methods: Vec::new(),
        url: None,
        attributes: crate::model::Attributes::new(),
    }
}

fn envelope(day: u32, version: Option<u64>) -> Envelope {
    Envelope {
        source: "shop".to_owned(),
        tenant: "t".to_owned(),
        resource: ResourceRef { kind: "order".to_owned(), id: "o1".to_owned() },
        version,
        sequence: None,
        occurred_at: at(day),
        observed_at: at(day),
        market: Market::default(),
        identity: Identity::default(),
        correlation_id: CorrelationId::new("c"),
        idempotency_key: IdempotencyKey::new("snapshot"),
        mode: Mode::Live,
    }
}

fn parcel(id: &str, lines: &[(&str, i64)]) -> Shipment {
    let line = |(id, quantity): &(&str, i64)| ShipmentLine { line_id: (*id).to_owned(), sku: None, name: None, quantity: *quantity };
    Shipment {
        id: id.to_owned(),
        order_id: "o1".to_owned(),
        order_number: None,
        shipped_at: None,
        status: None,
        lines: lines.iter().map(line).collect(),
        parcels: Vec::new(),
        address: None,
        attributes: crate::model::Attributes::new(),
    }
}

/// What one snapshot after the other tells: the word, and `~` in front of history.
struct Shop {
    facts: Option<OrderFacts>,
    covered: Vec<String>,
}

impl Shop {
    fn new() -> Self {
        Shop { facts: None, covered: Vec::new() }
    }

    fn reads(&mut self, envelope: &Envelope, order: &Order) -> Vec<String> {
        let difference = events(&EventsConfig::default(), self.facts.as_ref(), envelope, order);
        // What is kept is what is read again.
        let text = difference.facts.to_text().unwrap_or_else(|error| unreachable!("{error}"));
        assert!(OrderFacts::from_text(&text).is_ok_and(|read| read == difference.facts));
        self.facts = Some(difference.facts);
        self.covered = difference.covered.into_iter().collect();
        let word = |record: &Record| {
            let word = match &record.body {
                Body::Event(event) => event.name.as_str().to_owned(),
                Body::Shipment(shipment) => {
                    let lines = shipment.lines.iter().map(|line| format!("{}x{}", line.quantity, line.line_id));
                    format!("sent {}", lines.collect::<Vec<_>>().join(" "))
                }
                other => other.kind().to_owned(),
            };
            if record.envelope.mode == Mode::Backfill { format!("~{word}") } else { word }
        };
        difference.before.iter().chain(&difference.after).map(word).collect()
    }

    /// Reads the order on that day of March, with that day as its version.
    fn on(&mut self, day: u32, change: impl FnOnce(&mut Order)) -> Vec<String> {
        let mut order = order(day);
        change(&mut order);
        self.reads(&envelope(day, Some(day.into())), &order)
    }
}

fn shipped(order: &mut Order) {
    order.shipping_status = Some(ShippingStatus::Shipped);
    order.lines = vec![line("l1", 2, 2), line("l2", 1, 1)];
}

#[test]
fn a_history_read_step_by_step_tells_each_thing_once() {
    let mut shop = Shop::new();
    assert_eq!(shop.on(1, |_| ()), ["order_placed"]);
    assert_eq!(shop.on(2, |order| order.payment_status = Some(PaymentStatus::Paid)), ["order_paid"]);
    assert_eq!(shop.on(2, |order| order.payment_status = Some(PaymentStatus::Paid)), [""; 0]);
    assert_eq!(shop.on(3, |order| order.payment_status = Some(PaymentStatus::Pending)), [""; 0]);
    assert_eq!(shop.on(4, shipped), ["order_shipped"]);
    let delivered = |order: &mut Order| {
        shipped(order);
        order.shipping_status = Some(ShippingStatus::Delivered);
        order.status = OrderStatus::Complete;
        order.payment_status = Some(PaymentStatus::PartiallyRefunded);
    };
    assert_eq!(shop.on(5, delivered), ["order_delivered", "order_completed"]);
}

#[test]
fn one_look_at_the_end_tells_what_many_looks_would_have() {
    let at_once = Shop::new().on(5, |order| {
        shipped(order);
        order.shipping_status = Some(ShippingStatus::Delivered);
        order.status = OrderStatus::Complete;
        order.payment_status = Some(PaymentStatus::Refunded);
    });
    assert_eq!(at_once, ["order_placed", "order_paid", "order_shipped", "order_delivered", "order_completed"]);
}

#[test]
fn what_is_older_than_known_tells_nothing_and_forgets_nothing() {
    let mut shop = Shop::new();
    shop.on(5, |order| order.payment_status = Some(PaymentStatus::Paid));
    assert_eq!(shop.on(4, |order| order.status = OrderStatus::Cancelled), [""; 0]);
    assert_eq!(shop.on(6, |order| order.status = OrderStatus::Complete), ["order_completed"]);
}

#[test]
fn a_change_within_the_same_second_is_told_where_versions_are_times() {
    let mut shop = Shop::new();
    shop.on(2, |_| ());
    assert_eq!(shop.on(2, |order| order.payment_status = Some(PaymentStatus::Paid)), ["order_paid"]);
    assert_eq!(shop.on(2, |_| ()), [""; 0]);
}

#[test]
fn without_versions_the_time_of_the_last_change_decides() {
    let mut shop = Shop::new();
    let paid = Order { payment_status: Some(PaymentStatus::Paid), ..order(3) };
    assert_eq!(shop.reads(&envelope(6, None), &order(4)), ["order_placed"]);
    assert_eq!(shop.reads(&envelope(7, None), &paid), [""; 0]);
    assert_eq!(shop.reads(&envelope(7, None), &Order { updated_at: Some(at(5)), ..paid }), ["order_paid"]);
}

#[test]
fn an_order_first_seen_late_is_history_and_what_happens_then_is_news() {
    let mut shop = Shop::new();
    // 1 March to 8 March is seven days, no more.
    assert_eq!(Shop::new().on(8, |_| ()), ["order_placed"]);
    assert_eq!(shop.on(9, shipped), ["~order_placed", "~order_shipped"]);
    let arrived = |order: &mut Order| {
        shipped(order);
        order.shipping_status = Some(ShippingStatus::Delivered);
    };
    assert_eq!(shop.on(10, arrived), ["order_delivered"]);
}

#[test]
fn a_change_of_long_ago_that_is_read_only_now_is_history() {
    let mut shop = Shop::new();
    shop.on(1, |_| ());
    let paid = Order { payment_status: Some(PaymentStatus::Paid), ..order(2) };
    assert_eq!(shop.reads(&envelope(20, Some(2)), &paid), ["~order_paid"]);
}

#[test]
fn a_backfill_stays_one() {
    let backfill = Envelope { mode: Mode::Backfill, ..envelope(1, Some(1)) };
    assert_eq!(Shop::new().reads(&backfill, &order(1)), ["~order_placed"]);
}

#[test]
fn an_unfinished_order_is_placed_when_it_is_finished() {
    let mut shop = Shop::new();
    assert_eq!(shop.on(1, |order| order.status = OrderStatus::Incomplete), [""; 0]);
    assert_eq!(shop.on(2, |_| ()), ["order_placed"]);
}

#[test]
fn nobody_is_thanked_for_an_order_that_is_cancelled_already() {
    let mut shop = Shop::new();
    assert_eq!(shop.on(1, |order| order.status = OrderStatus::Cancelled), ["order_cancelled"]);
    assert_eq!(shop.on(2, |_| ()), [""; 0]);
}

#[test]
fn listed_shipments_tell_themselves() {
    let mut shop = Shop::new();
    let listed = |order: &mut Order| {
        shipped(order);
        order.shipments = vec![parcel("d1", &[("l1", 2)]), parcel("d2", &[("l2", 1)])];
    };
    assert_eq!(shop.on(1, listed), ["order_placed"]);
    assert!(shop.covered.is_empty());
    // Read again from a list that leaves shipments out.
    assert_eq!(shop.on(2, shipped), [""; 0]);
}

#[test]
fn parcels_added_to_what_was_told_as_sent_are_not_told_again() {
    let mut shop = Shop::new();
    assert_eq!(shop.on(1, shipped), ["order_placed", "order_shipped"]);
    let one = |order: &mut Order| {
        shipped(order);
        order.shipments = vec![parcel("d1", &[("l1", 2)])];
    };
    assert_eq!(shop.on(2, one), [""; 0]);
    assert_eq!(shop.covered, ["d1"]);
    let three = |order: &mut Order| {
        shipped(order);
        order.shipments = vec![parcel("d1", &[("l1", 2)]), parcel("d2", &[("l2", 1)]), parcel("d3", &[("l2", 1)])];
    };
    // The third one is more than was told: a replacement.
    shop.on(3, three);
    assert_eq!(shop.covered, ["d1", "d2"]);
    shop.on(3, three);
    assert_eq!(shop.covered, ["d1", "d2"]);
}

#[test]
fn units_are_told_line_by_line_where_no_shipment_tells_them() {
    let mut shop = Shop::new();
    let lines = |first, second| {
        move |order: &mut Order| {
            order.shipping_status = Some(ShippingStatus::PartiallyShipped);
            order.lines = vec![line("l1", 2, first), line("l2", 1, second)];
        }
    };
    assert_eq!(shop.on(1, lines(1, 0)), ["order_placed", "sent 1xl1"]);
    assert_eq!(shop.on(2, lines(1, 0)), [""; 0]);
    assert_eq!(shop.on(3, lines(2, 0)), ["sent 1xl1"]);
    assert_eq!(shop.on(4, shipped), ["order_shipped"]);
    assert_eq!(shop.on(5, shipped), [""; 0]);
}

#[test]
fn a_shipment_that_says_it_arrived_speaks_for_the_order() {
    let arrived = |order: &mut Order| {
        order.shipping_status = Some(ShippingStatus::Delivered);
        order.shipments = vec![Shipment { status: Some(ShippingStatus::Delivered), ..parcel("d1", &[("l1", 2), ("l2", 1)]) }];
    };
    assert_eq!(Shop::new().on(1, arrived), ["order_placed"]);
}

#[test]
fn facts_that_cannot_be_read_are_an_error_not_a_guess() {
    assert!(OrderFacts::from_text("no facts").is_err_and(|error| error.code() == ErrorCode::StateCorrupt));
}
