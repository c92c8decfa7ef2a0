//! Shopping lists, schedules of recurring orders, reviews and sign-ins: what becomes an event and nothing else.

use super::map::{About, Fault, Row, at, localized, owned, set_email, version_text};
use super::messages::identity_by_id;
use super::wire;
use crate::model::{AttributeValue, Attributes, Body, Event, EventName, Finding, Identity, Instant, Market, Mode};
use crate::normalize::text::filled;

impl Row<'_, '_> {
    /// A list as it stands now. The product touched last is the event's own; all of them are in `products`.
    pub(super) fn shopping_list(&mut self, list: &wire::ShoppingList<'_>) -> Result<(), Fault> {
        let config = &self.compiled.config;
        let locales = self.locales(None);
        let mut findings: Vec<Finding> = Vec::new();
        let mut properties = Attributes::new();
        let pointer = || self.pointer("/custom/fields");
        if let Some(fields) = self.custom_fields(list.custom.as_ref(), !config.shopping_list_fields.is_empty(), pointer)? {
            fields.map(&config.shopping_list_fields, &locales, &pointer, &mut properties, &mut findings);
        }
        if let Some(name) = localized(list.name.as_ref(), &locales) {
            properties.insert("wishlist_name".to_owned(), AttributeValue::Text(name.to_owned()));
        }
        // Not the event's own id: a list changes many times.
        properties.insert("wishlist_id".to_owned(), AttributeValue::Text(list.id.to_string()));
        let item = |line: &wire::ShoppingListLine<'_>| {
            let text = |text: &str| AttributeValue::Text(text.to_owned());
            let sku = line.variant.as_ref().and_then(|variant| variant.sku.as_deref());
            let named = [
                ("product_id", line.product_id.as_deref().map(text)),
                ("variant_id", line.variant_id.map(|id| AttributeValue::Text(id.to_string()))),
                ("sku", sku.map(text)),
                ("name", localized(line.name.as_ref(), &locales).map(text)),
                ("quantity", line.quantity.map(|quantity| AttributeValue::Integer(quantity.0))),
            ];
            AttributeValue::Object(named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
        };
        properties.insert("products".to_owned(), AttributeValue::List(list.line_items.iter().map(item).collect()));
        // `max_by_key` takes the last of equals: the one further down.
        let last = list.line_items.iter().max_by_key(|line| line.added_at.map(|at| at.0));
        let event = Event {
            product_id: last.and_then(|line| owned(line.product_id.as_ref())),
            variant_id: last.and_then(|line| line.variant_id).map(|id| id.to_string()),
            sku: last.and_then(|line| owned(line.variant.as_ref()?.sku.as_ref())),
            properties,
            ..Event::new(EventName::WishlistUpdated)
        };
        let identity = Identity {
            customer_id: list.customer.as_ref().and_then(|customer| owned(customer.id.as_ref())),
            anonymous_id: owned(list.anonymous_id.as_ref()),
            ..Identity::default()
        };
        let version = version_text(list.version, list.last_modified_at);
        let about = About {
            kind: "shopping-list",
            id: &list.id,
            version: list.version,
            occurred_at: at(list.last_modified_at.or(list.created_at)),
            market: Market { store: list.store.as_ref().and_then(wire::Reference::best).map(str::to_owned), ..Market::default() },
            identity,
            fact: &["wishlist_updated", &version],
        };
        self.emit_news(about, Body::Event(event), findings);
        Ok(())
    }

    /// A schedule as it stands now. The orders that it makes are orders like any other.
    pub(super) fn recurring_order(&mut self, order: &wire::RecurringOrder<'_>) {
        let mut properties = Attributes::new();
        if let Some(state) = order.recurring_order_state.as_deref().and_then(filled) {
            properties.insert("state".to_owned(), AttributeValue::Text(state.to_lowercase()));
        }
        let times = [
            ("starts_at", order.starts_at),
            ("expires_at", order.expires_at),
            ("last_order_at", order.last_order_at),
            ("next_order_at", order.next_order_at),
        ];
        properties.extend(times.into_iter().filter_map(|(name, at)| Some((name.to_owned(), AttributeValue::DateTime(at?.0)))));
        // Not the event's own id: a schedule changes many times.
        properties.insert("subscription_id".to_owned(), AttributeValue::Text(order.id.to_string()));
        let event = Event {
            order_id: order.origin_order.as_ref().and_then(|order| owned(order.id.as_ref())),
            cart_id: order.cart.as_ref().and_then(|cart| owned(cart.id.as_ref())),
            properties,
            ..Event::new(EventName::Other("subscription_updated".to_owned()))
        };
        let mut identity =
            Identity { customer_id: order.customer.as_ref().and_then(|customer| owned(customer.id.as_ref())), ..Identity::default() };
        set_email(&mut identity, order.customer_email.as_deref());
        let version = version_text(order.version, order.last_modified_at);
        let about = About {
            kind: "recurring-order",
            id: &order.id,
            version: order.version,
            occurred_at: at(order.last_modified_at.or(order.created_at)),
            market: Market { store: order.store.as_ref().and_then(wire::Reference::best).map(str::to_owned), ..Market::default() },
            identity,
            fact: &["subscription_updated", &version],
        };
        self.emit_news(about, Body::Event(event), Vec::new());
    }

    /// A review that a customer wrote; whether there is anyone to tell it of.
    pub(super) fn review(&mut self, review: &wire::Review<'_>, written_at: Option<Instant>) -> bool {
        let Some(customer) = review.customer.as_ref().and_then(|customer| customer.id.as_deref()) else { return false };
        let mut properties = Attributes::new();
        if let Some(rating) = review.rating {
            properties.insert("rating".to_owned(), AttributeValue::Integer(rating));
        }
        let target = review.target.as_ref().filter(|target| target.type_id.as_deref() == Some("product"));
        let event = Event {
            id: Some(review.id.to_string()),
            product_id: target.and_then(|target| owned(target.id.as_ref())),
            properties,
            ..Event::new(EventName::Other("review_created".to_owned()))
        };
        let about = About {
            kind: "review",
            id: &review.id,
            version: None,
            occurred_at: written_at,
            market: Market { locale: owned(review.locale.as_ref()), ..Market::default() },
            identity: identity_by_id(customer),
            fact: &["review_created"],
        };
        self.emit_news(about, Body::Event(event), Vec::new());
        true
    }

    /// Says that a session turned out to be a customer's, where the answer to a sign-in or sign-up shows both: the platform
    /// keeps the link nowhere else. <https://docs.commercetools.com/api/projects/customers#sign-in-customer>
    pub(super) fn signed_in(&mut self, customer: &wire::Customer<'_>, cart: &wire::Cart<'_>) {
        let Some(session) = cart.anonymous_id.as_deref().and_then(filled) else { return };
        let mut identity = identity_by_id(&customer.id);
        set_email(&mut identity, customer.email.as_deref());
        let previous = Identity { anonymous_id: Some(session.to_owned()), ..Identity::default() };
        let event = Event { cart_id: owned(cart.id.as_ref()), previous: Some(Box::new(previous)), ..Event::new(EventName::LoggedIn) };
        let about = About {
            kind: "customer",
            id: &customer.id,
            version: None,
            occurred_at: at(cart.last_modified_at),
            market: self.order_market(cart),
            identity,
            // A session is joined once, however often its customer comes back to it.
            fact: &["joined", session],
        };
        self.emit_news(about, Body::Event(event), Vec::new());
    }

    /// Emits what is history by now as history.
    fn emit_news(&mut self, about: About<'_>, body: Body, findings: Vec<Finding>) {
        let mode = self.mode;
        if about.occurred_at.is_some_and(|at| self.context.is_history(at)) {
            self.mode = Mode::Backfill;
        }
        self.emit(about, body, findings);
        self.mode = mode;
    }
}
