//! Calls that must be made before an operation can be tried again: made at once, in order, within the attempt that asked.

use std::collections::VecDeque;
use std::time::Duration;

use super::super::lanes::{Entry, Moment};
use super::{Answer, Course};
use crate::delivery::DeliveryEvent;
use crate::destinations::{Detour, Operation, Reading, Refusal, Reply, Request, Verdict};
use crate::error::{Error, ErrorCode};
use crate::model::SkipReason;

/// Most calls that one detour may take, those it leads to included.
const LONGEST_DETOUR: usize = 16;

/// How a detour ended.
enum Passage {
    Through,
    /// Nothing came of its next call, which was not made yet.
    Wait(Moment),
    Later(Request, Reply, Refusal, Option<Duration>),
    NoReply(Answer),
    Refused(Refusal),
    Discarded(SkipReason, String),
    Stop(Error),
}

impl Course<'_> {
    /// Makes the calls that must come first, then lets what waited for them try again.
    pub(super) async fn follow_detours(&mut self) {
        for (entries, detour) in std::mem::take(&mut self.detours) {
            if self.finished.stop.is_some() {
                self.finished.back.extend(entries);
            } else {
                self.detour(entries, detour).await;
            }
        }
    }

    async fn detour(&mut self, entries: Vec<Entry>, detour: Detour) {
        match self.pass(detour.operations).await {
            Passage::Through => self.retry_all(entries, &detour.why, detour.after),
            Passage::Wait(due) => self.finished.back.extend(entries.into_iter().map(|entry| Entry { due, ..entry })),
            Passage::Later(request, reply, refusal, after) => {
                let asked = self.not_now(&request, &reply, &refusal, after);
                self.retry_all(entries, &refusal, asked);
            }
            Passage::NoReply(answer) => self.without_reply(entries, answer),
            Passage::Refused(refusal) => entries.into_iter().for_each(|entry| self.die(entry, refusal.clone())),
            Passage::Discarded(reason, detail) => entries.into_iter().for_each(|entry| self.skip(entry, reason, detail.clone())),
            Passage::Stop(error) => self.stop(entries, error),
        }
    }

    async fn pass(&mut self, operations: Vec<Operation>) -> Passage {
        let mut ahead: VecDeque<Operation> = operations.into();
        for _ in 0..LONGEST_DETOUR {
            let Some(operation) = ahead.pop_front() else { return Passage::Through };
            let request = match self.inner.destination.request(&[&operation]) {
                Ok(request) => request,
                Err(error) => return Passage::Refused(Refusal::new(error.code(), "", error.message())),
            };
            if let Err(due) = self.turn(&request).await {
                return Passage::Wait(due);
            }
            let reply = match self.ask(&request, &[]).await {
                Answer::Reply(reply) => reply,
                other => return Passage::NoReply(other),
            };
            let reading = self.inner.destination.read(&[&operation], &reply);
            if !matches!(reading, Reading::Retry(..)) {
                self.inner.limits().gate.opened();
            }
            let verdict = match reading {
                Reading::Each(verdicts, warnings) => {
                    let endpoint = &request.endpoint;
                    self.events.extend(warnings.into_iter().map(|text| DeliveryEvent::Warning { endpoint: endpoint.clone(), text }));
                    verdicts.into_iter().next()
                }
                Reading::Split(refusal) => Some(Verdict::Rejected(refusal)),
                Reading::Retry(refusal, after) => Some(Verdict::Retry(refusal, after)),
                Reading::First(detour) => Some(Verdict::First(detour)),
                Reading::Stop(error) => return Passage::Stop(error),
                Reading::Job(_) => None,
            };
            match verdict {
                Some(Verdict::Accepted) => {}
                Some(Verdict::First(detour)) => detour.operations.into_iter().rev().for_each(|operation| ahead.push_front(operation)),
                Some(Verdict::Retry(refusal, after)) => return Passage::Later(request, reply, refusal, after),
                Some(Verdict::Rejected(refusal)) => return Passage::Refused(refusal),
                Some(Verdict::Discarded(reason, detail)) => return Passage::Discarded(reason, detail),
                Some(Verdict::Amended(..)) | None => {
                    return Passage::Refused(Refusal::new(ErrorCode::Internal, "", "a call made on the way was not answered yes or no"));
                }
            }
        }
        if ahead.is_empty() {
            return Passage::Through;
        }
        Passage::Refused(Refusal::new(ErrorCode::Internal, "", "one call led to ever more calls"))
    }
}
