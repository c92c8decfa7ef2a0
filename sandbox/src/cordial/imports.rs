//! Imports of files that were laid here, and their jobs.

use serde_json::{Map, Value, json};

use super::contacts::Manner;
use super::{Answer, Call, Refusal};
use crate::vendor::Reply;

impl Call<'_> {
    pub(super) fn import_post(&mut self, kind: &str, supplement: Option<&str>) -> Answer {
        let status = if kind == "productimports" { 400 } else { 406 };
        let source = self.body["source"].clone();
        if source["transport"].as_str().is_none() {
            return Err(Refusal::generic(status, "The source.transport field is required."));
        }
        let place = source["url"].as_str().or_else(|| source["path"].as_str()).unwrap_or_default();
        let file = place.rsplit('/').next().unwrap_or_default().to_owned();
        let Some(content) = self.account.files.get(&file).cloned() else {
            return Err(Refusal::generic(status, "Couldn't get the size of the file"));
        };
        if supplement.is_some_and(|key| self.options.supplement(key).is_none()) {
            return Err(Refusal::not_found());
        }
        let text = String::from_utf8_lossy(&content).into_owned();
        let half_failed = self.request.half_failed;
        // Imports are quiet unless told otherwise.
        let quiet = self.body["suppressTriggers"].as_bool() != Some(false);
        let mut result = [0_u64; 4];
        let rows: Vec<Value> = if kind == "contactimports" { self.table(&text)? } else { lines(&text) };
        for (index, row) in rows.iter().enumerate() {
            result[3] += 1;
            let outcome = if half_failed && index % 2 == 1 {
                Err(())
            } else {
                match kind {
                    "contactimports" => self.contact_row(row, quiet),
                    "ordersimport" => self.order(row, quiet).map_err(drop),
                    "productimports" => self.product(row).map_err(drop),
                    _ => self.record(supplement.unwrap_or_default(), row, quiet).map_err(drop),
                }
            };
            match outcome {
                Ok(false) => result[0] += 1,
                Ok(true) => result[1] += 1,
                Err(()) => result[2] += 1,
            }
        }
        let id = self.account.begin(self.options, kind, result, false);
        Ok(Reply::json(201, &json!({"jobId": id})))
    }

    /// Rows of a table as bodies; `nullMarker` cells are left out.
    fn table(&self, text: &str) -> Result<Vec<Value>, Refusal> {
        let mut rows = parse(text).into_iter();
        let header = match self.body["columns"].as_array() {
            Some(columns) => columns.iter().map(|column| column.as_str().unwrap_or_default().to_owned()).collect(),
            None if self.body["hasHeader"].as_bool() == Some(true) => rows.next().unwrap_or_default(),
            None => return Err(Refusal::generic(406, "The columns field is required.")),
        };
        let leave = self.body["nullMarker"].as_str();
        let cells = |row: Vec<String>| {
            header.iter().cloned().zip(row).filter(|(_, cell)| Some(cell.as_str()) != leave).map(|(name, cell)| (name, Value::from(cell)))
        };
        Ok(rows.map(|row| Value::Object(cells(row).collect::<Map<_, _>>())).collect())
    }

    /// One contact of a file. Whoever is new and has no permission in the file becomes subscribed unless the job says not to:
    /// that is the vendor's default.
    fn contact_row(&mut self, row: &Value, quiet: bool) -> Result<bool, ()> {
        let mut body = Map::new();
        let mut channels: Map<String, Value> = Map::new();
        for (name, value) in row.as_object().into_iter().flatten() {
            match name.strip_prefix("channels.").and_then(|rest| rest.split_once('.')) {
                Some((channel, part)) => {
                    channels.entry(channel).or_insert_with(|| json!({}))[part] = value.clone();
                }
                None => drop(body.insert(name.clone(), value.clone())),
            }
        }
        let email = channels.get("email").and_then(|channel| channel["address"].as_str()).ok_or(())?;
        let by_id = self.options.unique.iter().find_map(|key| self.account.find(self.options, key, body.get(key)?.as_str()?));
        let found = self.account.find(self.options, "email", email).or(by_id);
        let strategy = self.body["strategy"].as_str().unwrap_or_default();
        if (strategy == "updateOnly" && found.is_none()) || (strategy == "insertOnly" && found.is_some()) {
            return Ok(found.is_some());
        }
        let subscribes = self.body["subscribe"].as_bool() != Some(false);
        if let Some(channel) =
            channels.get_mut("email").filter(|channel| channel["subscribeStatus"].is_null() && found.is_none() && subscribes)
        {
            channel["subscribeStatus"] = "subscribed".into();
        }
        body.insert("channels".into(), Value::Object(channels));
        let manner = Manner { quiet, force: false, lenient: false, by: "import" };
        self.write(found, &Value::Object(body), manner).map_err(drop)?;
        Ok(found.is_some())
    }

    pub(super) fn job_get(&mut self, id: &str) -> Answer {
        let now = super::account::stamp(self.now_ms);
        let job = self.account.jobs.get_mut(id).ok_or_else(Refusal::not_found)?;
        if job.polls_left > 0 {
            job.polls_left -= 1;
            return Ok(Reply::json(
                200,
                &json!({"status": "Processing", "jobName": job.name, "totalItems": job.total, "completedItems": 0}),
            ));
        }
        let status = if job.failed { "Failed" } else { "Done" };
        let body = json!({"status": status, "jobName": job.name, "totalItems": job.total, "completedItems": job.total,
            "times": {"start": now, "end": now}, "result": job.result});
        Ok(Reply::json(200, &body))
    }
}

/// One JSON value a line; a broken one is null and is refused as a row.
fn lines(text: &str) -> Vec<Value> {
    text.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap_or_default()).collect()
}

/// RFC 4180.
fn parse(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            '\r' if !quoted => {}
            other => cell.push(other),
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_table_is_read_with_quotes_commas_and_lines_in_cells() {
        let rows = parse("a,b\r\n\"1,\"\"x\"\"\n2\",y\r\n");
        assert_eq!(rows, [vec!["a".to_owned(), "b".to_owned()], vec!["1,\"x\"\n2".to_owned(), "y".to_owned()]]);
    }
}
