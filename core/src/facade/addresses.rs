//! Addresses of customers, for destinations that know nobody by the shop's id: an event or a parcel often names no more than
//! that. What a destination can take as it is stays as it is.

use std::collections::HashMap;

use crate::decide;
use crate::error::Result;
use crate::fingerprint::opaque;
use crate::model::{Body, Envelope, FindingCode, Record, Rejection};
use crate::state::{KnownEmail, StateStore};

/// What a customer's own records are called, at every source.
const CUSTOMER: &str = "customer";

/// Addresses that the rows of one chunk may need: those remembered, and those that rows before them told.
#[derive(Default)]
pub(super) struct Addresses {
    known: HashMap<String, KnownEmail>,
    /// To be remembered.
    pub heard: Vec<KnownEmail>,
}

impl Addresses {
    /// Looks up, at once, what some records lack.
    pub fn of<'r>(store: &dyn StateStore, records: impl Iterator<Item = &'r Record>) -> Result<Self> {
        let mut names: Vec<String> = records.filter_map(lacking).collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            return Ok(Addresses::default());
        }
        let found = store.emails(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
        let known = found.into_iter().flatten().map(|known| (known.person.clone(), known)).collect();
        Ok(Addresses { known, heard: Vec::new() })
    }

    /// Notes what a customer's own record tells of their address. An order's e-mail is not that: it may be somebody else's.
    pub fn hear(&mut self, record: &Record) {
        let Envelope { source, tenant, resource, identity, .. } = &record.envelope;
        let (Some(id), Some(email), true, Body::Contact(_)) =
            (&identity.customer_id, &identity.email, resource.kind == CUSTOMER, &record.body)
        else {
            return;
        };
        let new = KnownEmail {
            person: name(source, tenant, id),
            alias: opaque(&[source, tenant, "email", email]),
            email: email.clone(),
            version: record.envelope.version,
            at: record.envelope.occurred_at,
        };
        if self.known.get(&new.person).is_none_or(|known| new.succeeds(known)) {
            self.known.insert(new.person.clone(), new.clone());
        }
        self.heard.push(new);
    }

    /// The record with the address of its customer, if a destination refused it because of its identity and that may help.
    /// Never of somebody whose address was erased, which `erased` tells by its opaque name.
    pub fn complete(&self, record: &Record, refused: &Rejection, erased: impl Fn(&str) -> Result<bool>) -> Result<Option<Record>> {
        let is_about_that = refused.findings.iter().any(|finding| finding.code == FindingCode::IdentityUnusable);
        let Some(known) = lacking(record).filter(|_| is_about_that).and_then(|person| self.known.get(&person)) else { return Ok(None) };
        if erased(&known.alias)? {
            return Ok(None);
        }
        let mut completed = record.clone();
        completed.envelope.identity.email = Some(known.email.clone());
        Ok(Some(completed))
    }
}

fn name(source: &str, tenant: &str, id: &str) -> String {
    opaque(&[source, tenant, CUSTOMER, id])
}

/// The opaque name of a record's customer, where no address is told and one may be filled in: for things that happened, and
/// never to find whom to delete.
fn lacking(record: &Record) -> Option<String> {
    let Envelope { source, tenant, identity, .. } = &record.envelope;
    let happened =
        matches!(record.body, Body::Event(_) | Body::Order(_) | Body::Cart(_) | Body::Shipment(_) | Body::Refund(_) | Body::Return(_));
    let id = identity.customer_id.as_deref().filter(|_| happened && identity.email.is_none())?;
    debug_assert!(decide::people(source, tenant, identity).contains(&name(source, tenant, id)));
    Some(name(source, tenant, id))
}
