//! What a project holds.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::identity::{Found, Ids, forgotten_hash};
use super::options::{Journey, Options, Policy, ProjectType, Trigger};
use super::schema::{Schema, Type};
use crate::inspect;
use crate::limits::Limiter;

/// One person.
#[derive(Default)]
pub(super) struct Profile {
    pub(super) email: Option<String>,
    pub(super) user_id: Option<String>,
    pub(super) fields: Map<String, Value>,
    pub(super) subscriptions: Subscriptions,
    pub(super) cart: Vec<Value>,
    pub(super) signed_up_ms: i64,
    pub(super) updated_ms: i64,
    pub(super) purchases: Vec<usize>,
    pub(super) events: Vec<usize>,
    pub(super) journeys: BTreeMap<String, Fired>,
    /// Subscribe and unsubscribe events, oldest first.
    pub(super) consent_events: Vec<Value>,
}

impl Profile {
    /// What names the profile in digests.
    pub(super) fn key(&self) -> String {
        format!("{}|{}", self.email.as_deref().unwrap_or_default(), self.user_id.as_deref().unwrap_or_default())
    }
}

/// The four arrays of consent and membership.
#[derive(Default, Clone, PartialEq, Eq)]
pub(super) struct Subscriptions {
    pub(super) lists: BTreeSet<i64>,
    pub(super) left_channels: BTreeSet<i64>,
    pub(super) left_types: BTreeSet<i64>,
    pub(super) joined_types: BTreeSet<i64>,
}

impl Subscriptions {
    /// May a message of this type be sent? Everybody is opted in by default, except to opt-in types.
    pub(super) fn allow(&self, options: &Options, message_type: i64) -> bool {
        options.message_type(message_type).is_some_and(|kind| {
            !self.left_channels.contains(&kind.channel_id)
                && match kind.policy {
                    Policy::OptOut => !self.left_types.contains(&kind.id),
                    Policy::OptIn => self.joined_types.contains(&kind.id),
                }
        })
    }
}

/// How often a journey started, and how often that sent mail.
#[derive(Default, Clone, Copy)]
pub(super) struct Fired {
    pub(super) fired: u64,
    pub(super) mailed: u64,
}

/// A purchase or a custom event.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) id: Option<String>,
    /// None once its profile is deleted.
    pub(super) owner: Option<usize>,
    pub(super) created_at: Option<i64>,
    pub(super) received_ms: i64,
    /// None when only digests are kept.
    pub(super) content: Option<Value>,
    pub(super) hash: [u8; 32],
    /// How often it was sent again under its id, and how often with the very same content.
    pub(super) updates: u64,
    pub(super) identical: u64,
}

/// All purchases, or all custom events.
#[derive(Default)]
pub(super) struct Log {
    pub(super) rows: Vec<Row>,
    ids: HashMap<String, usize>,
    /// Rows without an id by owner and content, to tell what was probably sent twice.
    anonymous: HashMap<(usize, [u8; 32]), u64>,
    pub(super) probable_duplicates: u64,
}

/// Where an entry went.
struct Put {
    row: usize,
    added: bool,
    /// The profile that had the row until now.
    former: Option<usize>,
}

/// What a row of a log is made from.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) id: Option<String>,
    pub(super) created_at: Option<i64>,
    pub(super) content: Value,
}

impl Log {
    pub(super) fn by_id(&self, id: &str) -> Option<&Row> {
        self.ids.get(id).and_then(|index| self.rows.get(*index))
    }

    /// Adds a row, or updates the one with the same id.
    fn put(&mut self, owner: usize, entry: Entry, now_ms: i64, retain: bool) -> Put {
        let hash = inspect::digest(&entry.content);
        let content = retain.then_some(entry.content);
        if let Some(index) = entry.id.as_deref().and_then(|id| self.ids.get(id)).copied() {
            let row = &mut self.rows[index];
            row.updates += 1;
            row.identical += u64::from(row.hash == hash);
            let former = row.owner.filter(|former| *former != owner);
            (row.name, row.owner, row.created_at, row.received_ms) = (entry.name, Some(owner), entry.created_at, now_ms);
            (row.content, row.hash) = (content, hash);
            return Put { row: index, added: false, former };
        }
        let index = self.rows.len();
        match &entry.id {
            Some(id) => drop(self.ids.insert(id.clone(), index)),
            None => {
                let seen = self.anonymous.entry((owner, hash)).or_default();
                self.probable_duplicates += u64::from(*seen > 0);
                *seen += 1;
            }
        }
        let Entry { name, id, created_at, .. } = entry;
        let owner = Some(owner);
        self.rows.push(Row { name, id, owner, created_at, received_ms: now_ms, content, hash, updates: 0, identical: 0 });
        Put { row: index, added: true, former: None }
    }

    fn remove(&mut self, index: usize) {
        if let Some(row) = self.rows.get_mut(index) {
            row.owner = None;
            row.content = None;
            if let Some(id) = row.id.take() {
                self.ids.remove(&id);
            }
        }
    }
}

/// A list people are put on.
pub(super) struct List {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) list_type: String,
    pub(super) channel_id: Option<i64>,
    pub(super) created_ms: i64,
}

/// A catalog of items.
pub(super) struct Catalog {
    pub(super) name: String,
    pub(super) mappings: BTreeMap<String, String>,
    pub(super) items: BTreeMap<String, Item>,
}

/// An item of a catalog.
pub(super) struct Item {
    pub(super) value: Map<String, Value>,
    pub(super) modified_ms: i64,
    pub(super) writes: u64,
}

/// Requests to one endpoint by what became of them.
#[derive(Default, Clone, Copy)]
pub(super) struct Count {
    pub(super) requests: u64,
    pub(super) accepted: u64,
    pub(super) limited: u64,
    pub(super) refused: u64,
    pub(super) rows_accepted: u64,
    pub(super) rows_failed: u64,
}

impl Count {
    pub(super) fn add(&mut self, status: u16) {
        self.requests += 1;
        match status {
            200..=299 => self.accepted += 1,
            429 => self.limited += 1,
            _ => self.refused += 1,
        }
    }
}

/// Everything.
pub(super) struct Project {
    pub(super) project_type: ProjectType,
    pub(super) profiles: Vec<Option<Profile>>,
    emails: HashMap<String, Vec<usize>>,
    user_ids: HashMap<String, Vec<usize>>,
    pub(super) schema: Schema,
    pub(super) event_schemas: HashMap<String, Schema>,
    pub(super) purchases: Log,
    pub(super) events: Log,
    pub(super) lists: BTreeMap<i64, List>,
    /// By name in lower case, as names differ in more than case.
    pub(super) catalogs: BTreeMap<String, Catalog>,
    /// Hashes of blocked identifiers, each with the hash of its partner if it had one.
    pub(super) forgotten_emails: BTreeMap<String, Option<String>>,
    pub(super) forgotten_user_ids: BTreeMap<String, Option<String>>,
    pub(super) limiter: Limiter,
    pub(super) counts: BTreeMap<&'static str, Count>,
    /// Properties no request has, by endpoint and path.
    pub(super) dropped: BTreeMap<String, u64>,
    /// What was accepted though it is probably not meant.
    pub(super) oddities: BTreeMap<&'static str, u64>,
    pub(super) carts_cleared: u64,
    pub(super) requests: u64,
}

impl Project {
    pub(super) fn new(options: &Options) -> Self {
        use Type::{Date, Long, Object, Text};
        let system = [
            ("email", Text),
            ("userId", Text),
            ("firstName", Text),
            ("lastName", Text),
            ("phoneNumber", Text),
            ("locale", Text),
            ("timeZone", Text),
            ("city", Text),
            ("region", Text),
            ("country", Text),
            ("ip", Text),
            ("signupSource", Text),
            ("signupDate", Date),
            ("profileUpdatedAt", Date),
            ("shoppingCartItems", Object),
            ("emailListIds", Long),
            ("userListIds", Long),
            ("unsubscribedChannelIds", Long),
            ("unsubscribedMessageTypeIds", Long),
            ("subscribedMessageTypeIds", Long),
        ];
        let list = |list: &super::options::ListOption| {
            let made = List {
                name: list.name.clone(),
                description: None,
                list_type: list.list_type.clone(),
                channel_id: list.channel_id,
                created_ms: 0,
            };
            (list.id, made)
        };
        let catalog =
            |name: &String| (name.to_lowercase(), Catalog { name: name.clone(), mappings: BTreeMap::new(), items: BTreeMap::new() });
        Self {
            project_type: options.project_type,
            profiles: Vec::new(),
            emails: HashMap::new(),
            user_ids: HashMap::new(),
            schema: Schema::with_system_fields(&system),
            event_schemas: HashMap::new(),
            purchases: Log::default(),
            events: Log::default(),
            lists: options.lists.iter().map(list).collect(),
            catalogs: options.catalogs.iter().map(catalog).collect(),
            forgotten_emails: BTreeMap::new(),
            forgotten_user_ids: BTreeMap::new(),
            limiter: Limiter::default(),
            counts: BTreeMap::new(),
            dropped: BTreeMap::new(),
            oddities: BTreeMap::new(),
            carts_cleared: 0,
            requests: 0,
        }
    }

    pub(super) fn by_email(&self, email: &str) -> Option<usize> {
        self.emails.get(email).and_then(|indices| indices.first()).copied()
    }

    pub(super) fn by_user_id(&self, id: &str) -> Option<usize> {
        self.user_ids.get(id).and_then(|indices| indices.first()).copied()
    }

    /// Every profile with a userId; in email projects it may be several.
    pub(super) fn all_by_user_id(&self, id: &str) -> Vec<usize> {
        self.user_ids.get(id).cloned().unwrap_or_default()
    }

    pub(super) fn profile(&self, index: usize) -> Option<&Profile> {
        self.profiles.get(index).and_then(Option::as_ref)
    }

    pub(super) fn profile_mut(&mut self, index: usize) -> Option<&mut Profile> {
        self.profiles.get_mut(index).and_then(Option::as_mut)
    }

    /// Makes the profile if need be, and gives it the identifiers it was found with.
    pub(super) fn ensure(&mut self, found: &Found, now_ms: i64) -> usize {
        let index = found.index.unwrap_or_else(|| {
            self.profiles.push(Some(Profile { signed_up_ms: now_ms, ..Profile::default() }));
            self.profiles.len() - 1
        });
        self.rename(index, &found.ids);
        if let Some(profile) = self.profile_mut(index) {
            profile.updated_ms = now_ms;
        }
        index
    }

    /// Sets the identifiers that are given, and keeps the indices right.
    pub(super) fn rename(&mut self, index: usize, ids: &Ids) {
        let Some(profile) = self.profiles.get_mut(index).and_then(Option::as_mut) else { return };
        for (new, current, map) in
            [(&ids.email, &mut profile.email, &mut self.emails), (&ids.user_id, &mut profile.user_id, &mut self.user_ids)]
        {
            if new.is_some() && new != current {
                if let Some(old) = current.take() {
                    unlist(map, &old, index);
                }
                if let Some(new) = new {
                    map.entry(new.clone()).or_default().push(index);
                    *current = Some(new.clone());
                }
            }
        }
    }

    /// Removes a profile with all its history.
    pub(super) fn remove(&mut self, index: usize) {
        let Some(profile) = self.profiles.get_mut(index).and_then(Option::take) else { return };
        profile.email.iter().for_each(|email| unlist(&mut self.emails, email, index));
        profile.user_id.iter().for_each(|id| unlist(&mut self.user_ids, id, index));
        profile.purchases.iter().for_each(|row| self.purchases.remove(*row));
        profile.events.iter().for_each(|row| self.events.remove(*row));
    }

    /// Removes a profile whose history goes to another.
    pub(super) fn absorb(&mut self, source: usize, destination: usize) {
        let Some(profile) = self.profiles.get_mut(source).and_then(Option::take) else { return };
        profile.email.iter().for_each(|email| unlist(&mut self.emails, email, source));
        profile.user_id.iter().for_each(|id| unlist(&mut self.user_ids, id, source));
        for (log, rows) in [(&mut self.purchases, &profile.purchases), (&mut self.events, &profile.events)] {
            rows.iter().for_each(|row| log.rows[*row].owner = Some(destination));
        }
        if let Some(target) = self.profile_mut(destination) {
            target.purchases.extend(profile.purchases);
            target.events.extend(profile.events);
            target.consent_events.extend(profile.consent_events);
            for (name, fired) in profile.journeys {
                let total = target.journeys.entry(name).or_default();
                total.fired += fired.fired;
                total.mailed += fired.mailed;
            }
        }
    }

    pub(super) fn is_forgotten(&self, ids: &Ids) -> bool {
        if self.forgotten_emails.is_empty() && self.forgotten_user_ids.is_empty() {
            return false;
        }
        ids.email.as_deref().is_some_and(|email| self.forgotten_emails.contains_key(&forgotten_hash(email)))
            || ids.user_id.as_deref().is_some_and(|id| self.forgotten_user_ids.contains_key(&forgotten_hash(id)))
    }

    /// Logs a purchase; the same id updates the one that is there.
    pub(super) fn log_purchase(&mut self, owner: usize, entry: Entry, now_ms: i64, retain: bool) {
        let put = self.purchases.put(owner, entry, now_ms, retain);
        if let Some(former) = put.former {
            self.note("purchase_id_sent_for_another_user");
            if let Some(profile) = self.profile_mut(former) {
                profile.purchases.retain(|row| *row != put.row);
            }
        }
        if (put.added || put.former.is_some())
            && let Some(profile) = self.profile_mut(owner)
        {
            profile.purchases.push(put.row);
        }
    }

    /// Logs a custom event; the same id updates the one that is there.
    pub(super) fn log_event(&mut self, owner: usize, entry: Entry, now_ms: i64, retain: bool) {
        let put = self.events.put(owner, entry, now_ms, retain);
        if let Some(former) = put.former {
            self.note("event_id_sent_for_another_user");
            if let Some(profile) = self.profile_mut(former) {
                profile.events.retain(|row| *row != put.row);
            }
        }
        if (put.added || put.former.is_some())
            && let Some(profile) = self.profile_mut(owner)
        {
            profile.events.push(put.row);
        }
    }

    /// Starts every journey that waits for this.
    pub(super) fn fire(&mut self, options: &Options, index: usize, trigger: &Trigger, created_at: Option<i64>, now_ms: i64) {
        for journey in options.journeys.iter().filter(|journey| journey.trigger == *trigger) {
            if too_old(journey, created_at, now_ms) {
                continue;
            }
            let Some(profile) = self.profile_mut(index) else { return };
            let address = profile.email.as_deref().is_some_and(|email| !email.ends_with("@placeholder.email"));
            let allowed = journey.message_type.is_none_or(|kind| profile.subscriptions.allow(options, kind));
            let fired = profile.journeys.entry(journey.name.clone()).or_default();
            fired.fired += 1;
            fired.mailed += u64::from(address && allowed);
        }
    }

    pub(super) fn note(&mut self, oddity: &'static str) {
        *self.oddities.entry(oddity).or_default() += 1;
    }

    pub(super) fn note_dropped(&mut self, endpoint: &str, path: &str) {
        // Positions are left out, so that a thousand rows with the same fault are one line.
        let plain: String =
            path.split('[').enumerate().map(|(n, part)| if n == 0 { part } else { part.split_once(']').map_or(part, |p| p.1) }).collect();
        *self.dropped.entry(format!("{endpoint} {plain}")).or_default() += 1;
    }
}

fn too_old(journey: &Journey, created_at: Option<i64>, now_ms: i64) -> bool {
    match (journey.ignore_older_than_hours, created_at) {
        (Some(hours), Some(seconds)) => (now_ms as f64 / 1_000.0 - seconds as f64) > hours * 3_600.0,
        _ => false,
    }
}

fn unlist(map: &mut HashMap<String, Vec<usize>>, key: &str, index: usize) {
    if let Some(indices) = map.get_mut(key) {
        indices.retain(|other| *other != index);
        if indices.is_empty() {
            map.remove(key);
        }
    }
}
