//! Who left a message type, and when: their events tell what the profile does not.
//!
//! Whatever is joined or left at Iterable, by anyone and in any way but a bulk update of profiles, is an event of the person:
//! `emailSubscribe` and `emailUnSubscribe`, for all channels alike
//! (<https://support.iterable.com/hc/en-us/articles/208508736-Subscribe-and-Unsubscribe-Events>).

use chrono::DateTime;
use memchr::memmem;
use serde_json::Value;

/// How far this machine's clock and Iterable's may be apart, in seconds.
const SKEW: i64 = 60;

/// A yes, and what is known of the answers before it. Times are unix seconds, as exact as Iterable's.
pub(super) struct Asked {
    pub message_type: u64,
    /// The type's channel, where it is known.
    pub channel: Option<u64>,
    /// Whether the profile says that they left, as it does of opt-out types; of opt-in types it says nothing.
    pub has_left: bool,
    /// When it was given.
    pub at: Option<i64>,
    /// Not before this a yes of the shop's joined them.
    pub joined_since: Option<i64>,
    /// Not before this a no of the shop's took them off.
    pub denied_since: Option<i64>,
}

struct Moved {
    /// `None` when nobody can say.
    at: Option<i64>,
    left: bool,
    /// By a call such as ours.
    by_api: bool,
}

impl Asked {
    /// Whether somebody who is not in the type stays away from it. `events` are theirs, one a line.
    pub(super) fn stays_away(&self, events: &[u8]) -> bool {
        let mut moves: Vec<Moved> = events.split(|byte| *byte == b'\n').filter_map(|line| self.moved(line)).collect();
        // One of which nobody can say when counts as the last.
        moves.sort_by_key(|moved| moved.at.unwrap_or(i64::MAX));
        let own = self.own_no(&moves).map(|own| moves.remove(own));
        let left = moves.iter().rfind(|moved| moved.left);
        let since = |start: i64| left.is_some_and(|left| left.at.is_none_or(|at| at >= start));
        // Gone, and no event of that: nobody can say when.
        let unseen = match self.joined_since {
            Some(joined) => !since(joined - SKEW),
            None => self.has_left && own.is_none() && left.is_none(),
        };
        unseen || left.is_some() && self.at.is_none_or(since)
    }

    /// The leaving that was the shop's own no. It can be later than the yes that is asked about: calls wait.
    fn own_no(&self, moves: &[Moved]) -> Option<usize> {
        let denied = self.denied_since?;
        let since = |moved: &Moved, start: i64| moved.at.is_some_and(|at| at >= start);
        let own = moves.iter().position(|moved| moved.left && moved.by_api && since(moved, denied - SKEW))?;
        // Whoever joined again in between left by themselves.
        let again = moves.iter().take(own).any(|moved| !moved.left && since(moved, denied + 1));
        (!again).then_some(own)
    }

    /// What a line says about the type; `None` when it is about something else.
    fn moved(&self, line: &[u8]) -> Option<Moved> {
        // Most of what happens to people is neither.
        memmem::find(line, b"ubscribe").or_else(|| memmem::find(line, b"unsubSource"))?;
        let Ok(event) = serde_json::from_slice::<Value>(line) else {
            return Some(Moved { at: None, left: true, by_api: false });
        };
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        let left = match text("_type") {
            Some(kind) if kind.eq_ignore_ascii_case("emailUnSubscribe") => true,
            Some(kind) if kind.eq_ignore_ascii_case("emailSubscribe") => false,
            Some(_) => return None,
            None => text("unsubSource").is_some(),
        };
        let ids = |name: &str| -> Vec<u64> {
            event.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_u64).collect()
        };
        let (types, channels) = (ids("messageTypeIds"), ids("channelIds"));
        // An event that names nothing can be about anything.
        let anything = types.is_empty() && channels.is_empty() && ids("emailListIds").is_empty();
        let of_channel = !channels.is_empty() && self.channel.is_none_or(|own| channels.contains(&own));
        let mine = types.contains(&self.message_type) || of_channel || anything;
        mine.then(|| Moved { at: text("createdAt").and_then(time), left, by_api: text("unsubSource") == Some("API") })
    }
}

/// A time as Iterable writes it, `2026-01-31 09:30:00 +00:00`, in unix seconds.
pub(super) fn time(text: &str) -> Option<i64> {
    let parsed = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S %z").or_else(|_| DateTime::parse_from_rfc3339(text));
    parsed.ok().map(|at| at.timestamp())
}
