//! Lists of customers and of what hangs on them.

use serde_json::{Value, json};

use super::{Answer, PART, id, one, sort, within};
use crate::shops::bigcommerce::query::{Query, Refusal, missing};
use crate::shops::bigcommerce::{Bigcommerce, Kind, Shop, State, customer_id, iso, millis, people};
use crate::vendor::Reply;

impl Bigcommerce {
    pub(super) fn people(&self, state: &State, path: &[&str], query: &Query) -> Answer {
        let of_customers = |rows: fn(&Shop, u64) -> Vec<Value>| state.customers.numbers().flat_map(move |number| rows(&self.shop, number));
        let reply = match path {
            [] => return self.customers(state, query).map(|reply| (reply, Some(Kind::Customer))),
            ["addresses"] => {
                query.only(&[&PART[..], &["customer_id:in", "id:in", "include"]].concat())?;
                let (customers, ids) = (query.numbers("customer_id:in")?, query.numbers("id:in")?);
                let rows = of_customers(Shop::addresses).filter(|row| within(&customers, &row["customer_id"]) && within(&ids, &row["id"]));
                query.paged(rows.collect(), |row| row)?
            }
            ["attributes"] => query.paged(people::ATTRIBUTES.to_vec(), |attribute| self.shop.attribute(attribute))?,
            ["attribute-values"] => {
                query.only(&[&PART[..], &["customer_id:in", "attribute_id:in", "date_modified:", "date_created:"]].concat())?;
                let (customers, attributes) = (query.numbers("customer_id:in")?, query.numbers("attribute_id:in")?);
                let (modified, created) = (query.range("date_modified")?, query.range("date_created")?);
                let second = |row: &Value, name: &str| millis(row[name].as_str().unwrap_or_default()) / 1_000;
                let rows = of_customers(Shop::attributes).filter(|row| {
                    within(&customers, &row["customer_id"])
                        && within(&attributes, &row["attribute_id"])
                        && modified.holds(second(row, "date_modified"))
                        && created.holds(second(row, "date_created"))
                });
                query.paged(rows.collect(), |row| row)?
            }
            ["form-field-values"] => {
                query.only(&[&PART[..], &["after", "before", "customer_id", "field_name"]].concat())?;
                let (customer, name) = (query.number("customer_id")?, query.text("field_name"));
                let rows = of_customers(Shop::form_fields)
                    .filter(|row| customer.is_none_or(|one| row["customer_id"] == one) && name.is_none_or(|name| row["name"] == name));
                query.walked(rows.collect(), |row| row["customer_id"].as_u64().unwrap_or(0), |row| row)?
            }
            ["subscribers"] => {
                let wanted = [
                    &PART[..],
                    &["id", "id:in", "email", "source", "order_id", "first_name", "last_name", "date_modified:", "date_created:"],
                ];
                query.only(&wanted.concat())?;
                let (id, ids, email) = (query.number("id")?, query.numbers("id:in")?, query.text("email").map(str::to_lowercase));
                let (modified, created, source) = (query.range("date_modified")?, query.range("date_created")?, query.text("source"));
                let matched = state.subscribers.numbers().filter(|number| {
                    let row_id = state.subscribers.id(*number);
                    id.is_none_or(|id| id == row_id)
                        && ids.as_ref().is_none_or(|ids| ids.contains(&row_id))
                        && email.as_ref().is_none_or(|email| *email == self.shop.made.email(*number))
                        && source.is_none_or(|source| source == if number.is_multiple_of(2) { "storefront" } else { "order" })
                        && modified.holds(state.subscribers.changed_s(*number))
                        && created.holds(self.shop.subscriber_created_s(*number))
                });
                let row = |number| self.shop.subscriber(number, &Self::row(state, Kind::Subscriber, number));
                return Ok((query.paged(matched.collect(), row)?, Some(Kind::Subscriber)));
            }
            ["subscribers", subscriber] => {
                let number = state.subscribers.find(id(subscriber)?).ok_or_else(missing)?;
                one(self.shop.subscriber(number, &Self::row(state, Kind::Subscriber, number)))
            }
            // Cookies, not mails; and the time is that of the call.
            [customer, "consent"] => {
                state.customers.find(id(customer)?).ok_or_else(missing)?;
                Reply::json(200, &json!({"allow": ["essential", "analytics"], "deny": ["targeting"], "updated_at": iso(query.now_s())}))
            }
            [customer, "metafields"] => {
                state.customers.find(id(customer)?).ok_or_else(missing)?;
                query.walked(Vec::new(), |_: &u64| 0, Value::from)?
            }
            _ => return Err(missing()),
        };
        Ok((reply, None))
    }

    fn customers(&self, state: &State, query: &Query) -> Result<Reply, Refusal> {
        let filters =
            ["id:in", "email:in", "customer_group_id:in", "include", "sort", "after", "before", "date_modified:", "date_created:"];
        query.only(&[&PART[..], &filters].concat())?;
        let include = query.include(&["addresses", "storecredit", "attributes", "formfields", "shopper_profile_id", "segment_ids"])?;
        let (ids, groups, emails) = (query.numbers("id:in")?, query.numbers("customer_group_id:in")?, query.texts("email:in"));
        let (modified, created) = (query.range("date_modified")?, query.range("date_created")?);
        let matched = state.customers.numbers().filter(|number| {
            ids.as_ref().is_none_or(|ids| ids.contains(&customer_id(*number)))
                && emails.as_ref().is_none_or(|emails| emails.contains(&self.shop.made.email(*number)))
                && groups.as_ref().is_none_or(|groups| groups.contains(&if number.is_multiple_of(6) { 5 } else { 0 }))
                && modified.holds(state.customers.changed_s(*number))
                && created.holds(self.shop.customer_created_s(*number))
        });
        let mut matched: Vec<u64> = matched.collect();
        match query.sort(&["date_modified", "date_created", "last_name"])? {
            ("date_modified", up) => sort(&mut matched, up, |number| state.customers.changed_s(number)),
            ("date_created", up) => sort(&mut matched, up, |number| self.shop.customer_created_s(number)),
            _ => {}
        }
        let row = |number| self.shop.customer(number, &Self::row(state, Kind::Customer, number), &|part| include.contains(part));
        query.walked(matched, |number| customer_id(*number), row)
    }
}
