//! The whole path into every destination beside the bare parse of the same orders.

use std::fs;
use std::path::Path;
use std::time::Duration;

use cartwire::destinations::NAMES;
use cartwire::facade::Pipeline;
use serde_json::{Map, Value, json};

use crate::timing::{Work, rounds};
use crate::{Result, parse_wire, whole_path};

/// What a destination needs to be set up for building; for those that need nothing, their name.
fn settings(name: &str) -> Value {
    match name {
        "dotdigital" => json!({ "type": name, "region": "r1" }),
        "insider" => json!({ "type": name, "partner": "bench" }),
        "iterable" => json!({ "type": name, "project_type": "hybrid" }),
        other => json!({ "type": other }),
    }
}

/// The cost of the path by destination, as multiples of the bare parse.
pub fn measure(folder: &Path, orders: &[&[u8]]) -> Result<Value> {
    let mut options: Value = serde_json::from_slice(&fs::read(folder.join("options.json"))?)?;
    let mut pipelines = Vec::new();
    for name in NAMES {
        options["destination"] = settings(name);
        let pipeline = Pipeline::new(options.to_string().as_bytes())?;
        let plan: Value = serde_json::from_slice(&pipeline.build(orders[0])?)?;
        if plan["requests"].as_array().is_none_or(Vec::is_empty) {
            return Err(format!("{name} builds nothing of an order").into());
        }
        pipelines.push(pipeline);
    }
    let mut works: Vec<Work<'_>> = vec![Box::new(|| orders.iter().for_each(|order| parse_wire(order)))];
    for pipeline in &pipelines {
        works.push(Box::new(|| orders.iter().for_each(|order| whole_path(pipeline, order))));
    }
    let costs = rounds(Duration::from_secs(3), &mut works);
    let (parse, paths) = costs.split_first().ok_or("nothing was measured")?;
    let ratio = |path: &crate::timing::Cost| path.best.as_secs_f64() / parse.best.as_secs_f64();
    let all: Map<String, Value> = NAMES.iter().zip(paths).map(|(name, path)| ((*name).to_owned(), json!(ratio(path)))).collect();
    Ok(Value::Object(all))
}
