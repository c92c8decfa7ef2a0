//! Dotdigital: contacts that are subscribed unless somebody says otherwise, jobs, locked types, two schemes of limits.
//!
//! Rules come from <https://developer.dotdigital.com>; where they leave a choice open the README of this crate names the choice
//! made here.

mod account;
mod contacts;
mod imports;
mod insight;
mod options;
mod programs;
mod reply;
mod routes;
mod setup;
mod view;

use std::sync::Mutex;

use serde_json::Value;

use self::account::Account;
pub(crate) use self::options::Options;
use self::reply::Refusal;
use self::routes::Tier;
use crate::limits::Rate;
use crate::vendor::{Reply, Request, Vendor};
use crate::{SandboxError, lock};

/// The published limit of imports.
const MOST_BODY: usize = 50_000_000;

/// One account at Dotdigital.
pub(crate) struct Dotdigital {
    options: Options,
    account: Mutex<Account>,
}

/// One request on its way through a handler.
struct Call<'a> {
    options: &'a Options,
    account: &'a mut Account,
    request: &'a Request,
    /// Null where there is no body.
    body: Value,
    /// The variable segments of the path.
    args: Vec<String>,
    now_ms: i64,
}

/// What a handler returns.
type Answer = Result<Reply, Refusal>;

impl Dotdigital {
    pub(crate) fn new(options: Options) -> Result<Self, SandboxError> {
        options.check()?;
        let account = Mutex::new(Account::new(&options));
        Ok(Self { options, account })
    }

    fn authorised(&self, request: &Request) -> bool {
        request.headers.get("authorization").is_some_and(|value| value.as_bytes() == self.options.authorization().as_bytes())
    }

    fn answer(&self, request: &Request) -> (&'static str, Answer) {
        let v3 = !request.path.starts_with("/v2");
        let Some((route, args)) = routes::find(request) else {
            return ("unknown", Err(Refusal::new(404, v3, "notFound", "There is no such resource")));
        };
        if !self.authorised(request) {
            return (route.name, Err(Refusal::empty(401)));
        }
        if self.options.wrong_region && route.name != "GET /v2/account-info" {
            return (route.name, Err(Refusal::new(403, false, "Forbidden", "Forbidden: Access is denied")));
        }
        let mut account = lock(&self.account);
        if let Some(refusal) = self.over(&mut account, route.tier, request.now_ms) {
            return (route.name, Err(refusal));
        }
        if request.body.len() > MOST_BODY {
            return (route.name, Err(Refusal::new(413, v3, "tooLarge", "The request is too large")));
        }
        let body = match (request.body.is_empty(), serde_json::from_slice(&request.body)) {
            (true, _) => Value::Null,
            (false, Ok(body)) => body,
            (false, Err(_)) => return (route.name, Err(Refusal::new(400, v3, "contacts:badJson", "The request JSON is badly formed"))),
        };
        let mut call = Call { options: &self.options, account: &mut account, request, body, args, now_ms: request.now_ms };
        (route.name, (route.run)(&mut call))
    }

    /// The budget of the hour or of the tier, whichever the account has.
    fn over(&self, account: &mut Account, tier: Tier, now_ms: i64) -> Option<Refusal> {
        let limits = self.options.rate_limits.as_ref()?;
        if let Some(count) = limits.flat_per_hour {
            let rate = Rate { count, per_ms: 3_600_000.0 };
            return (!account.limiter.admit("flat", rate, now_ms)).then(|| {
                Refusal::new(400, false, "ERROR_APIUSAGE_EXCEEDED", "Your account has exceeded its allocated API call limit for the hour")
            });
        }
        let (name, count) = match tier {
            Tier::Low => ("lowCallRate", limits.low),
            Tier::Medium => ("mediumCallRate", limits.medium),
            Tier::High => ("highCallRate", limits.high),
            Tier::Unlimited => return None,
        };
        if account.limiter.admit(name, Rate::per_minute(count), now_ms) {
            return None;
        }
        let wait = (60.0 / count.max(1.0)).ceil();
        let refusal = Refusal::new(429, true, "rateLimitExceeded", "You have exceeded the call rate of this tier");
        Some(refusal.with_headers(vec![
            ("X-RateLimit-Limit", format!("{count}")),
            ("X-RateLimit-Remaining", "0".to_owned()),
            ("X-RateLimit-Reset", format!("{}", now_ms / 1_000 + wait as i64)),
            ("X-RateLimit-Scope", name.to_owned()),
        ]))
    }
}

impl Vendor for Dotdigital {
    fn name(&self) -> &'static str {
        "dotdigital"
    }

    fn handle(&self, request: &Request) -> Reply {
        let (name, answer) = self.answer(request);
        let reply = answer.unwrap_or_else(Refusal::into_reply);
        *lock(&self.account).calls.entry(name).or_default().entry(reply.status).or_default() += 1;
        reply
    }

    fn fault_reply(&self, status: u16) -> Reply {
        match status {
            502..=504 => Reply::html(status, format!("<html><body><h1>{status} Service Unavailable</h1></body></html>")),
            401 => Refusal::empty(401).into_reply(),
            _ => Refusal::new(status, true, "contacts:badRequest", "An error occurred").into_reply(),
        }
    }

    fn inspect(&self, query: &Value) -> Result<Value, SandboxError> {
        view::answer(&lock(&self.account), query)
    }

    fn reset(&self) {
        *lock(&self.account) = Account::new(&self.options);
    }
}
