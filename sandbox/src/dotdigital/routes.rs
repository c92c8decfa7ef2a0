//! The paths, and what each call counts as.

use hyper::Method;

use super::{Answer, Call, contacts, imports, insight, programs, setup};
use crate::vendor::Request;

/// How heavy a call is. Which one is in which tier is not published; imports are low by the vendor's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tier {
    Low,
    Medium,
    High,
    Unlimited,
}

/// One endpoint.
pub(super) struct Route {
    /// Method and path as documented.
    pub(super) name: &'static str,
    pub(super) tier: Tier,
    pub(super) run: fn(&mut Call<'_>) -> Answer,
}

const fn route(name: &'static str, tier: Tier, run: fn(&mut Call<'_>) -> Answer) -> Route {
    Route { name, tier, run }
}

/// Paths without variables stand before those with.
static ROUTES: &[Route] = &[
    route("GET /v2/account-info", Tier::High, setup::account_info),
    route("GET /v2/data-fields", Tier::High, setup::data_fields),
    route("POST /v2/data-fields", Tier::Medium, setup::create_data_field),
    route("POST /v2/contacts/unsubscribe", Tier::Medium, contacts::unsubscribe),
    route("PUT /v2/contacts/suppress-contacts", Tier::Medium, contacts::suppress),
    route("DELETE /v2/address-books/{addressBookId}/contacts/{contactId}", Tier::Medium, setup::leave_list),
    route("POST /v2/programs/enrolments", Tier::Unlimited, programs::enrol),
    route("POST /contacts/v3", Tier::Medium, contacts::create),
    route("POST /contacts/v3/delete", Tier::Low, imports::delete),
    route("GET /contacts/v3/delete/{deleteId}", Tier::Unlimited, imports::delete_status),
    route("PUT /contacts/v3/import", Tier::Low, imports::contacts),
    route("GET /contacts/v3/import/{importId}", Tier::Unlimited, imports::contacts_status),
    route("GET /contacts/v3/{identifier}/{value}", Tier::High, contacts::read),
    route("PATCH /contacts/v3/{identifier}/{value}", Tier::Medium, contacts::patch),
    route("DELETE /contacts/v3/{identifier}/{value}", Tier::Medium, contacts::delete),
    route("PUT /insightData/v3/import", Tier::Low, insight::import),
    route("GET /insightData/v3/import/{importId}", Tier::Unlimited, insight::import_status),
    route("POST /insightData/v3/collections/{collectionName}", Tier::Medium, insight::create_collection),
    route("DELETE /insightData/v3/accounts/{collectionName}/deleteRecords", Tier::Low, insight::delete_records),
    route("PUT /insightData/v3/account/{collectionName}/{recordId}", Tier::Medium, insight::put_account),
    route("PUT /insightData/v3/contacts/{identifier}/{value}/{collectionName}/{recordId}", Tier::Medium, insight::put_contact),
    route("DELETE /insightData/v3/contacts/{identifier}/{value}/{collectionName}/empty", Tier::Low, insight::empty),
    route("DELETE /insightData/v3/contacts/{identifier}/{value}/{collectionName}/{recordId}", Tier::Medium, insight::delete_contact),
    route("GET /insightData/v3/account/{collectionName}/{recordId}", Tier::High, insight::read_account),
    route("GET /insightData/v3/contacts/{identifier}/{value}/{collectionName}/{recordId}", Tier::High, insight::read_contact),
    route("POST /events/v3/import", Tier::Low, programs::events),
];

/// The endpoint of a request and the variable segments of its path.
pub(super) fn find(request: &Request) -> Option<(&'static Route, Vec<String>)> {
    let segments = request.segments();
    ROUTES.iter().find_map(|route| matches(route, &request.method, &segments).map(|args| (route, args)))
}

fn matches(route: &Route, method: &Method, segments: &[String]) -> Option<Vec<String>> {
    let (wanted, path) = route.name.split_once(' ')?;
    let path = path.trim_start_matches('/');
    if wanted != method.as_str() || path.split('/').count() != segments.len() {
        return None;
    }
    let mut args = Vec::new();
    for (wanted, segment) in path.split('/').zip(segments) {
        if wanted.starts_with('{') {
            if segment.is_empty() {
                return None;
            }
            args.push(segment.clone());
        } else if wanted != segment {
            return None;
        }
    }
    Some(args)
}
