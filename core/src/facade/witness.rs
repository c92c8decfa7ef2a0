//! Counts what delivery tells.

use super::runs::Runs;
use crate::delivery::DeliveryEvent;
use crate::model::Status;

pub(super) fn count(runs: &Runs, event: &DeliveryEvent) {
    match event {
        DeliveryEvent::Delivered { subject } => {
            if let Some(run) = &subject.run {
                runs.settle(run, subject.position, Some(&subject.endpoint), Status::Delivered);
            }
        }
        DeliveryEvent::Skipped { subject, reason, detail } => {
            if let Some(run) = &subject.run {
                runs.skipped(run, subject.position, *reason, detail);
                runs.settle(run, subject.position, Some(&subject.endpoint), Status::Skipped);
            }
        }
        DeliveryEvent::DeadLettered { subject, .. } => {
            if let Some(run) = &subject.run {
                runs.settle(run, subject.position, Some(&subject.endpoint), Status::DeadLettered);
            }
        }
        DeliveryEvent::Retrying { subject, .. } => {
            if let Some(run) = &subject.run {
                runs.retried(run, &subject.endpoint);
            }
        }
        DeliveryEvent::RequestDone { endpoint, .. } => runs.requested(endpoint),
        DeliveryEvent::Warning { text, .. } => runs.warned(text),
        DeliveryEvent::InJob { subject } => {
            if let Some(run) = &subject.run {
                runs.in_job(run, true);
            }
        }
        DeliveryEvent::JobEnded { subject } => {
            if let Some(run) = &subject.run {
                runs.in_job(run, false);
            }
        }
        DeliveryEvent::Stopped { .. } => {}
    }
}
