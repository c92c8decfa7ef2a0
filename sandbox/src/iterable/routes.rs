//! The paths, what each takes, how often it may be called.

use hyper::Method;

use super::shape::{self, Shape};
use super::{Answer, Call, catalogs, commerce, events, lists, subscriptions, users};
use crate::limits::Rate;
use crate::vendor::Request;

/// One endpoint.
pub(super) struct Route {
    /// Method and path as documented, such as `POST /api/users/update`.
    pub(super) name: &'static str,
    /// The published rates; most commerce, list and subscription calls have none.
    pub(super) rates: &'static [Rate],
    /// None when the call takes no body.
    pub(super) shape: Option<&'static Shape>,
    pub(super) run: fn(&mut Call<'_>) -> Answer,
}

impl Route {
    pub(super) fn path(&self) -> &'static str {
        self.name.split_once(' ').map_or(self.name, |(_, path)| path)
    }
}

const fn route(name: &'static str, rates: &'static [Rate], shape: Option<&'static Shape>, run: fn(&mut Call<'_>) -> Answer) -> Route {
    Route { name, rates, shape, run }
}

const FREE: &[Rate] = &[];
const R3: &[Rate] = &[Rate::per_second(3.0)];
const R100: &[Rate] = &[Rate::per_second(100.0)];
const FORGET: &[Rate] = &[Rate::per_second(3.0), Rate::per_day(1_000.0)];
const LISTS: &[Rate] = &[Rate::per_minute(5.0)];

/// Paths without variables stand before those with.
static ROUTES: &[Route] = &[
    route("POST /api/commerce/trackPurchase", FREE, Some(&shape::PURCHASE), commerce::track_purchase),
    route("POST /api/commerce/updateCart", FREE, Some(&shape::CART), commerce::update_cart),
    route("POST /api/users/update", &[Rate::per_second(500.0)], Some(&shape::USER_UPDATE), users::update),
    route("POST /api/users/bulkUpdate", &[Rate::per_second(5.0)], Some(&shape::BULK_UPDATE), users::bulk_update),
    route("POST /api/users/updateEmail", FREE, Some(&shape::UPDATE_EMAIL), users::update_email),
    route("POST /api/users/merge", &[Rate::per_second(50.0)], Some(&shape::MERGE), users::merge),
    route("POST /api/users/forget", FORGET, Some(&shape::USER_REF), users::forget),
    route("POST /api/users/unforget", FORGET, Some(&shape::USER_REF), users::unforget),
    route("POST /api/users/updateSubscriptions", FREE, Some(&shape::SUBSCRIPTIONS), subscriptions::update),
    route("POST /api/users/bulkUpdateSubscriptions", FREE, Some(&shape::BULK_SUBSCRIPTIONS), subscriptions::bulk_update),
    route("GET /api/users/forgotten", R3, None, users::forgotten),
    route("GET /api/users/forgottenUserIds", R3, None, users::forgotten_user_ids),
    route("GET /api/users/getByEmail", R100, None, users::by_email),
    route("GET /api/users/byUserId", R100, None, users::by_user_id),
    route("GET /api/users/getFields", R3, None, users::fields),
    route("GET /api/users/byUserId/{userId}", R100, None, users::by_user_id),
    route("DELETE /api/users/byUserId/{userId}", R100, None, users::delete_by_user_id),
    route("GET /api/users/{email}", R100, None, users::by_email),
    route("DELETE /api/users/{email}", R100, None, users::delete_by_email),
    route("POST /api/events/track", &[Rate::per_second(2_000.0)], Some(&shape::TRACK), events::track),
    route("POST /api/events/trackBulk", &[Rate::per_second(10.0)], Some(&shape::TRACK_BULK), events::track_bulk),
    route("GET /api/events/byUserId/{userId}", R100, None, events::by_user_id),
    route("GET /api/events/{email}", R100, None, events::by_email),
    route("GET /api/export/userEvents", FREE, None, events::export),
    route("POST /api/subscriptions/subscribeToDoubleOptIn", FREE, Some(&shape::DOUBLE_OPT_IN), subscriptions::double_opt_in),
    route("PUT /api/subscriptions/{group}/{groupId}", FREE, Some(&shape::SUBSCRIPTION_ACTION), subscriptions::many),
    route("PATCH /api/subscriptions/{group}/{groupId}/user/{email}", FREE, None, subscriptions::subscribe_email),
    route("DELETE /api/subscriptions/{group}/{groupId}/user/{email}", FREE, None, subscriptions::unsubscribe_email),
    route("PATCH /api/subscriptions/{group}/{groupId}/byUserId/{userId}", FREE, None, subscriptions::subscribe_user_id),
    route("DELETE /api/subscriptions/{group}/{groupId}/byUserId/{userId}", FREE, None, subscriptions::unsubscribe_user_id),
    route("POST /api/workflows/triggerWorkflow", FREE, Some(&shape::TRIGGER), events::trigger),
    route("GET /api/channels", R100, None, subscriptions::channels),
    route("GET /api/messageTypes", R100, None, subscriptions::message_types),
    route("GET /api/webhooks", R100, None, subscriptions::webhooks),
    route("GET /api/lists", R100, None, lists::all),
    route("POST /api/lists", FREE, Some(&shape::CREATE_LIST), lists::create),
    route("POST /api/lists/subscribe", FREE, Some(&shape::LIST_SUBSCRIBE), lists::subscribe),
    route("POST /api/lists/unsubscribe", FREE, Some(&shape::LIST_UNSUBSCRIBE), lists::unsubscribe),
    route("GET /api/lists/getUsers", LISTS, None, lists::users),
    route("GET /api/lists/{listId}/size", LISTS, None, lists::size),
    route("DELETE /api/lists/{listId}", FREE, None, lists::delete),
    route("GET /api/catalogs", R100, None, catalogs::all),
    route("POST /api/catalogs/{catalogName}", FREE, None, catalogs::create),
    route("DELETE /api/catalogs/{catalogName}", FREE, None, catalogs::delete),
    route("GET /api/catalogs/{catalogName}/fieldMappings", FREE, None, catalogs::mappings),
    route("PUT /api/catalogs/{catalogName}/fieldMappings", FREE, Some(&shape::MAPPINGS), catalogs::set_mappings),
    route("GET /api/catalogs/{catalogName}/items", R100, None, catalogs::items),
    route("POST /api/catalogs/{catalogName}/items", R100, Some(&shape::CATALOG_ITEMS), catalogs::upload),
    route("DELETE /api/catalogs/{catalogName}/items", FREE, Some(&shape::CATALOG_DELETE), catalogs::delete_items),
    route("GET /api/catalogs/{catalogName}/items/{itemId}", FREE, None, catalogs::item),
    route("DELETE /api/catalogs/{catalogName}/items/{itemId}", FREE, None, catalogs::delete_item),
    route("PATCH /api/catalogs/{catalogName}/items/{itemId}", FREE, Some(&shape::CATALOG_PATCH), catalogs::patch_item),
    route("PUT /api/catalogs/{catalogName}/items/{itemId}", &[Rate::per_second(1_000.0)], Some(&shape::CATALOG_PUT), catalogs::put_item),
];

/// Is there an endpoint of that name?
pub(super) fn is_name(name: &str) -> bool {
    ROUTES.iter().any(|route| route.name == name)
}

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
