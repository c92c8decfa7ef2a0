//! Wire to canonical: what all resources share.

use rust_decimal::{Decimal, RoundingStrategy};

use super::config::Compiled;
use super::wire::{Address as WireAddress, Stamp, Text};
use crate::fingerprint::{fingerprint, hex, idempotency_key};
use crate::model::{
    Address, Body, CorrelationId, Currency, Envelope, Finding, FindingCode, Identity, Instant, Market, Mode, Money, Record, ResourceRef,
};
use crate::normalize::contact::email;
use crate::normalize::line_items::Overflow;
use crate::normalize::text::{Template, filled, language_of};
use crate::sources::rows::Failure;
use crate::sources::{DecodeContext, Decoded, DecodedRecord, Fetch, Ignored};

/// One row of the input on its way to records.
pub(super) struct Row<'c, 'o> {
    pub compiled: &'c Compiled,
    pub tenant: &'c str,
    pub context: &'c DecodeContext<'c>,
    pub mode: Mode,
    pub position: u64,
    /// JSON pointer of the resource within the row, empty unless the row is composed.
    pub prefix: &'static str,
    pub out: &'o mut Decoded,
}

/// What an envelope says, as far as it differs between records of one row.
pub(super) struct About<'a> {
    pub kind: &'a str,
    pub id: &'a str,
    pub version: Option<u64>,
    pub occurred_at: Option<Instant>,
    pub market: Market,
    pub identity: Identity,
    /// What happened, for the idempotency key.
    pub fact: &'a [&'a str],
}

impl Row<'_, '_> {
    pub(super) fn emit(&mut self, about: About<'_>, body: Body, findings: Vec<Finding>) {
        let mut parts = Vec::with_capacity(4 + about.fact.len());
        parts.extend(["bigcommerce", self.tenant, about.kind, about.id]);
        parts.extend(about.fact);
        let idempotency_key = idempotency_key(&parts);
        let correlation_id = match self.context.correlation_id {
            Some(given) => CorrelationId::new(given),
            None => CorrelationId::new(["cw-", &idempotency_key.as_str()[..16]].concat()),
        };
        let envelope = Envelope {
            source: "bigcommerce".to_owned(),
            tenant: self.tenant.to_owned(),
            resource: ResourceRef { kind: about.kind.to_owned(), id: about.id.to_owned() },
            version: about.version,
            sequence: None,
            occurred_at: about.occurred_at.unwrap_or(self.context.observed_at),
            observed_at: self.context.observed_at,
            market: about.market,
            identity: about.identity,
            correlation_id,
            idempotency_key,
            mode: self.mode,
        };
        self.out.records.push(DecodedRecord { position: self.position, record: Record { envelope, body }, findings });
    }

    /// The same as [`Self::emit`], as history where it happened too long ago to be news.
    pub(super) fn emit_news(&mut self, about: About<'_>, body: Body) {
        let mode = self.mode;
        if about.occurred_at.is_some_and(|at| self.context.is_history(at)) {
            self.mode = Mode::Backfill;
        }
        self.emit(about, body, Vec::new());
        self.mode = mode;
    }

    pub(super) fn ignore(&mut self, what: impl Into<String>, known: bool) {
        self.out.ignored.push(Ignored { position: self.position, what: what.into(), known });
    }

    pub(super) fn fetch(&mut self, kind: &str, id: &str, reason: impl Into<String>) {
        let resource = ResourceRef { kind: kind.to_owned(), id: id.to_owned() };
        self.out.fetches.push(Fetch { position: self.position, resource, reason: reason.into() });
    }

    pub(super) fn pointer(&self, rest: &str) -> String {
        [self.prefix, rest].concat()
    }

    pub(super) fn missing(&self, field: &str) -> Failure {
        Failure::malformed(self.pointer(&format!("/{field}")), format!("missing field `{field}`"))
    }

    /// What becomes of an overflow.
    pub(super) fn overflow(&self, rest: &str) -> impl Fn(Overflow) -> Failure {
        let pointer = self.pointer(rest);
        move |Overflow| Failure::malformed(pointer.clone(), "the amounts are beyond 28 digits")
    }

    /// The currency of that code.
    pub(super) fn currency(&self, code: &Text<'_>, field: &str) -> Result<Currency, Failure> {
        let pointer = || self.pointer(&format!("/{field}"));
        let code = filled(code).ok_or_else(|| Failure::malformed(pointer(), "expected a currency code of three letters"))?;
        Currency::parse(code).map_err(|_| Failure::malformed(pointer(), "expected a currency code of three letters"))
    }

    /// The market of the configuration, for resources that have none of their own.
    pub(super) fn configured_market(&self) -> Market {
        let config = &self.compiled.config;
        Market {
            store: None,
            channel: config.channel.clone(),
            country: config.country.clone(),
            locale: config.locale.clone(),
            currency: config.currency,
            customer_group: config.customer_group.clone(),
        }
    }

    pub(super) fn group(&self, id: &Text<'_>) -> Option<String> {
        let id = id.id()?;
        Some(self.compiled.config.customer_groups.get(id).cloned().unwrap_or_else(|| id.to_owned()))
    }

    /// The storefront's address in front of a relative path.
    pub(super) fn on_site(&self, path: &str) -> Option<String> {
        let path = filled(path)?;
        if path.starts_with("https://") || path.starts_with("http://") {
            return Some(path.to_owned());
        }
        let site = self.compiled.config.site_url.as_deref()?;
        Some(format!("{}/{}", site.trim_end_matches('/'), path.trim_start_matches('/')))
    }
}

/// A snapshot's fact is when it last changed: the same state has one key whether fetched after a webhook or polled. What
/// has no such time is told apart by its content.
pub(super) fn version_text(changed: Option<Instant>, raw: &str) -> String {
    match changed {
        Some(at) => at.timestamp_millis().to_string(),
        None => hex(&fingerprint(raw.as_bytes()).to_be_bytes()),
    }
}

/// The version of a state: the second of its last change. It grows with every change that is a second apart.
pub(super) fn version_of(changed: Stamp) -> Option<u64> {
    changed.0.and_then(|at| u64::try_from(at.timestamp()).ok())
}

pub(super) fn owned(text: &Text<'_>) -> Option<String> {
    filled(text).map(str::to_owned)
}

/// An amount in the currency's minor unit. The platform writes four digits after the point; half a unit rounds away from
/// zero, as it does itself.
pub(super) fn money(amount: Decimal, currency: Currency) -> Money {
    let Some(digits) = currency.digits() else { return Money::new(amount.normalize(), currency) };
    let mut amount = amount.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero);
    amount.rescale(digits);
    Money::new(amount, currency)
}

/// An amount with all its digits that say something, at least those of the minor unit: prices per unit may be finer.
pub(super) fn exact(amount: Decimal, currency: Currency) -> Money {
    let mut amount = amount.normalize();
    if let Some(digits) = currency.digits().filter(|digits| *digits > amount.scale()) {
        amount.rescale(digits);
    }
    Money::new(amount, currency)
}

pub(super) fn set_email(identity: &mut Identity, text: &str) {
    if let Some((normal, original)) = email(text) {
        identity.email = Some(normal);
        identity.email_original = original;
    }
}

/// Whom something is about: a customer by id unless it is a guest, and the e-mail.
pub(super) fn identity(customer_id: &Text<'_>, email: &str) -> Identity {
    let mut identity = Identity { customer_id: customer_id.id().map(str::to_owned), ..Identity::default() };
    set_email(&mut identity, email);
    identity
}

pub(super) fn fill<'v>(template: Option<&Template>, market: &'v Market, own: impl Fn(&str) -> Option<&'v str>) -> Option<String> {
    template?.fill(|place| match place {
        "locale" => market.locale.as_deref(),
        "language" => market.locale.as_deref().map(language_of),
        "country" => market.country.as_deref(),
        "store" => market.store.as_deref(),
        _ => own(place),
    })
}

/// A country code in capital letters.
pub(super) fn country(text: &Text<'_>) -> Option<String> {
    filled(text).map(str::to_ascii_uppercase)
}

/// A locale as BCP 47 writes it.
pub(super) fn locale(text: &Text<'_>) -> Option<String> {
    filled(text).map(|text| text.replace('_', "-"))
}

/// An address, unless all of it is empty, as checkouts have it before the shopper typed one.
pub(super) fn address(address: &WireAddress<'_>) -> Option<Address> {
    let read = Address {
        id: address.id.id().map(str::to_owned),
        default_shipping: false,
        default_billing: false,
        first_name: owned(&address.first_name),
        last_name: owned(&address.last_name),
        company: owned(&address.company),
        line1: owned(&address.street_1),
        line2: owned(&address.street_2),
        postal_code: owned(&address.zip),
        city: owned(&address.city),
        region: owned(&address.state),
        country: country(&address.country_iso2),
        phone: owned(&address.phone),
        email: owned(&address.email),
    };
    (Address { id: None, ..read.clone() } != Address::default()).then_some(read)
}

/// The finding that a word is not known.
pub(super) fn unknown_word(pointer: String) -> Finding {
    Finding::new(FindingCode::ValueUnknown, pointer, "a word this version does not know; kept as text")
}
