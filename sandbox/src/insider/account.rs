//! What an account holds.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use serde_json::{Map, Value};

use super::options::{Channel, Kind, Options};

/// One person.
#[derive(Default)]
pub(super) struct Profile {
    /// Insider's own id.
    pub(super) iid: String,
    /// By name, customs as `custom.<name>`.
    pub(super) identifiers: BTreeMap<String, String>,
    pub(super) attributes: Map<String, Value>,
    pub(super) custom: Map<String, Value>,
    pub(super) events: Vec<Event>,
    pub(super) journeys: BTreeMap<String, Fired>,
}

/// Something that happened.
pub(super) struct Event {
    pub(super) name: String,
    pub(super) timestamp: String,
    pub(super) at_ms: i64,
    pub(super) params: Value,
    pub(super) hash: [u8; 32],
    /// How often it was sent once more.
    pub(super) repeated: u64,
}

/// How often a journey started, and how often that sent something.
#[derive(Default, Clone, Copy)]
pub(super) struct Fired {
    pub(super) fired: u64,
    pub(super) sent: u64,
}

/// Requests to one endpoint by what became of them.
#[derive(Default, Clone, Copy)]
pub(super) struct Count {
    pub(super) requests: u64,
    pub(super) accepted: u64,
    pub(super) limited: u64,
    pub(super) refused: u64,
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
#[derive(Default)]
pub(super) struct Account {
    pub(super) profiles: Vec<Option<Profile>>,
    index: HashMap<(String, String), usize>,
    /// Types of custom attributes made on sight.
    pub(super) types: BTreeMap<String, Kind>,
    pub(super) unsubscribed: BTreeMap<Channel, BTreeSet<String>>,
    /// Records by item and locale.
    pub(super) catalog: BTreeMap<(String, String), Map<String, Value>>,
    /// Catalog journeys by name.
    pub(super) catalog_journeys: BTreeMap<&'static str, u64>,
    pub(super) counts: BTreeMap<String, Count>,
    pub(super) users_accepted: u64,
    pub(super) users_failed: u64,
    pub(super) records_accepted: u64,
    pub(super) records_failed: u64,
    pub(super) merges: u64,
    pub(super) expired_events: u64,
    /// What was accepted though it is probably not meant.
    pub(super) oddities: BTreeMap<String, u64>,
    windows: HashMap<&'static str, VecDeque<i64>>,
    made: u64,
}

impl Account {
    /// Lets one call through, or not: so many in any sixty seconds. A refused call costs nothing.
    pub(super) fn admit(&mut self, budget: &'static str, most: f64, now_ms: i64) -> bool {
        let window = self.windows.entry(budget).or_default();
        while window.front().is_some_and(|at| *at <= now_ms - 60_000) {
            window.pop_front();
        }
        let fits = (window.len() as f64) < most;
        if fits {
            window.push_back(now_ms);
        }
        fits
    }

    pub(super) fn note(&mut self, oddity: impl Into<String>) {
        *self.oddities.entry(oddity.into()).or_default() += 1;
    }

    pub(super) fn profile(&self, index: usize) -> Option<&Profile> {
        self.profiles.get(index).and_then(Option::as_ref)
    }

    pub(super) fn profile_mut(&mut self, index: usize) -> Option<&mut Profile> {
        self.profiles.get_mut(index).and_then(Option::as_mut)
    }

    pub(super) fn by_iid(&self, iid: &str) -> Option<usize> {
        self.profiles.iter().position(|profile| profile.as_ref().is_some_and(|profile| profile.iid == iid))
    }

    pub(super) fn by_identifier(&self, name: &str, value: &str) -> Option<usize> {
        self.index.get(&(name.to_owned(), value.to_owned())).copied()
    }

    /// Somebody who has one of these, by the strongest identifier.
    pub(super) fn find(&self, identifiers: &BTreeMap<String, String>) -> Option<usize> {
        identifiers.iter().find_map(|(name, value)| self.by_identifier(name, value))
    }

    /// The profile these identifiers mean: found, made, or merged of several.
    pub(super) fn resolve(&mut self, options: &Options, identifiers: &BTreeMap<String, String>) -> usize {
        let mut found: Vec<usize> = Vec::new();
        for name in &options.identifiers {
            if let Some(index) = identifiers.get(name).and_then(|value| self.by_identifier(name, value))
                && !found.contains(&index)
            {
                found.push(index);
            }
        }
        let winner = found.first().copied().unwrap_or_else(|| {
            self.made += 1;
            self.profiles.push(Some(Profile { iid: format!("iid-{}", self.made), ..Profile::default() }));
            self.profiles.len() - 1
        });
        for loser in found.into_iter().skip(1) {
            self.merge(loser, winner);
        }
        for (name, value) in identifiers {
            self.attach(winner, name, value);
        }
        winner
    }

    /// Gives a profile an identifier; one it has is never changed this way.
    fn attach(&mut self, index: usize, name: &str, value: &str) {
        let Some(profile) = self.profiles.get_mut(index).and_then(Option::as_mut) else { return };
        match profile.identifiers.get(name) {
            None => {
                profile.identifiers.insert(name.to_owned(), value.to_owned());
                self.index.insert((name.to_owned(), value.to_owned()), index);
            }
            Some(own) if own == value => {}
            Some(_) => self.note(format!("another {name} than the profile has was ignored")),
        }
    }

    fn merge(&mut self, loser: usize, winner: usize) {
        let Some(gone) = self.profiles.get_mut(loser).and_then(Option::take) else { return };
        self.merges += 1;
        for (name, value) in gone.identifiers {
            self.index.remove(&(name.clone(), value.clone()));
            self.attach(winner, &name, &value);
        }
        if let Some(profile) = self.profile_mut(winner) {
            for (name, value) in gone.attributes {
                profile.attributes.entry(name).or_insert(value);
            }
            for (name, value) in gone.custom {
                profile.custom.entry(name).or_insert(value);
            }
            profile.events.extend(gone.events);
            for (name, fired) in gone.journeys {
                let total = profile.journeys.entry(name).or_default();
                total.fired += fired.fired;
                total.sent += fired.sent;
            }
        }
    }

    /// Takes an identifier away.
    pub(super) fn detach(&mut self, index: usize, name: &str) {
        if let Some(value) = self.profile_mut(index).and_then(|profile| profile.identifiers.remove(name)) {
            self.index.remove(&(name.to_owned(), value));
        }
    }

    /// Gives an identifier another value.
    pub(super) fn rename(&mut self, index: usize, name: &str, value: &str) {
        self.detach(index, name);
        self.attach(index, name, value);
    }

    pub(super) fn remove(&mut self, index: usize) {
        if let Some(gone) = self.profiles.get_mut(index).and_then(Option::take) {
            for (name, value) in gone.identifiers {
                self.index.remove(&(name, value));
            }
        }
    }

    /// Whether a profile may be sent to: the flag, the processing flag, the list of unsubscriptions.
    pub(super) fn reachable(&self, options: &Options, profile: &Profile, channel: Channel) -> bool {
        let address = address(profile, channel);
        let flag = match profile.attributes.get(&format!("{}_optin", channel.name())) {
            Some(Value::Bool(flag)) => *flag,
            _ => options.absent_optin_is_yes,
        };
        let processing = profile.attributes.get("gdpr_optin") != Some(&Value::Bool(false));
        let listed = |address: &str| self.unsubscribed.get(&channel).is_some_and(|list| list.contains(address));
        address.is_some_and(|address| flag && processing && !listed(address))
    }
}

/// The address of a channel: identifier or attribute.
pub(super) fn address(profile: &Profile, channel: Channel) -> Option<&str> {
    let name = if channel == Channel::Email { "email" } else { "phone_number" };
    profile.identifiers.get(name).map(String::as_str).or_else(|| profile.attributes.get(name).and_then(Value::as_str))
}
