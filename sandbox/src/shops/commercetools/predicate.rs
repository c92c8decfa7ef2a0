//! The query language of `where`, as far as readers use it: comparisons, `in`, `is [not] defined`, `is [not] empty`, `and`,
//! `or`, `not`, nested fields, variables. <https://docs.commercetools.com/api/predicates/query>

use std::collections::HashMap;

use serde_json::Value;

/// A predicate, read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Predicate {
    And(Vec<Predicate>),
    Or(Vec<Predicate>),
    Not(Box<Predicate>),
    /// Field, operator, value.
    Compare(String, Operator, Value),
    In(String, Vec<Value>),
    Defined(String, bool),
    Empty(String, bool),
    /// A field whose value, or one of whose elements, has these properties.
    Nested(String, Box<Predicate>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Number(f64),
    Variable(String),
    Sign(&'static str),
}

/// Reads a predicate; `variables` are the `var.` parameters.
pub(crate) fn parse(text: &str, variables: &HashMap<String, String>) -> Result<Predicate, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, variables };
    let predicate = parser.any()?;
    if parser.at < parser.tokens.len() {
        return Err(format!("Malformed parameter: where: unexpected input behind `{text}`"));
    }
    Ok(predicate)
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    const SIGNS: [&str; 11] = ["<=", ">=", "!=", "<>", "=", "<", ">", "(", ")", ",", "-"];
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = |keep: fn(char) -> bool| rest.find(|c: char| !keep(c)).unwrap_or(rest.len());
        if first == '"' {
            let end = rest[1..].find('"').ok_or("Malformed parameter: where: a text does not end")? + 1;
            tokens.push(Token::Text(rest[1..end].to_owned()));
            rest = &rest[end + 1..];
        } else if first == ':' {
            let name = &rest[1..];
            let end = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
            tokens.push(Token::Variable(name[..end].to_owned()));
            rest = &name[end..];
        } else if first.is_ascii_digit() {
            let end = length(|c| c.is_ascii_digit() || c == '.');
            tokens.push(Token::Number(rest[..end].parse().map_err(|_| "Malformed parameter: where: a number")?));
            rest = &rest[end..];
        } else if first.is_ascii_alphabetic() || first == '`' {
            let end = length(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '`'));
            tokens.push(Token::Word(rest[..end].trim_matches('`').to_owned()));
            rest = &rest[end..];
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else {
            return Err(format!("Malformed parameter: where: unexpected `{first}`"));
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    variables: &'a HashMap<String, String>,
}

impl Parser<'_> {
    fn word(&mut self, word: &str) -> bool {
        let here = matches!(self.tokens.get(self.at), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word));
        self.at += usize::from(here);
        here
    }

    fn sign(&mut self, sign: &str) -> bool {
        let here = matches!(self.tokens.get(self.at), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(here);
        here
    }

    fn need(&mut self, sign: &str) -> Result<(), String> {
        if self.sign(sign) { Ok(()) } else { Err(format!("Malformed parameter: where: expected `{sign}`")) }
    }

    fn any(&mut self) -> Result<Predicate, String> {
        let mut parts = vec![self.all()?];
        while self.word("or") {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Predicate::Or(parts) })
    }

    fn all(&mut self) -> Result<Predicate, String> {
        let mut parts = vec![self.one()?];
        while self.word("and") {
            parts.push(self.one()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Predicate::And(parts) })
    }

    fn one(&mut self) -> Result<Predicate, String> {
        if self.word("not") {
            return Ok(Predicate::Not(Box::new(self.one()?)));
        }
        if self.sign("(") {
            let inner = self.any()?;
            self.need(")")?;
            return Ok(inner);
        }
        let Some(Token::Word(field)) = self.tokens.get(self.at).cloned() else {
            return Err("Malformed parameter: where: expected a field".into());
        };
        self.at += 1;
        if self.sign("(") {
            let inner = self.any()?;
            self.need(")")?;
            return Ok(Predicate::Nested(field, Box::new(inner)));
        }
        if self.word("is") {
            let not = self.word("not");
            return if self.word("defined") {
                Ok(Predicate::Defined(field, !not))
            } else if self.word("empty") {
                Ok(Predicate::Empty(field, !not))
            } else {
                Err("Malformed parameter: where: expected `defined` or `empty`".into())
            };
        }
        if self.word("in") {
            self.need("(")?;
            let mut values = vec![self.value()?];
            while self.sign(",") {
                values.push(self.value()?);
            }
            self.need(")")?;
            return Ok(Predicate::In(field, values));
        }
        let signs = [
            ("=", Operator::Equal),
            ("!=", Operator::NotEqual),
            ("<>", Operator::NotEqual),
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ];
        let operator = signs.iter().find(|(sign, _)| self.sign(sign)).map(|(_, operator)| *operator);
        let operator = operator.ok_or("Malformed parameter: where: expected an operator")?;
        Ok(Predicate::Compare(field, operator, self.value()?))
    }

    fn value(&mut self) -> Result<Value, String> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        match token {
            Some(Token::Text(text)) => Ok(Value::String(text)),
            Some(Token::Number(number)) => Ok(Value::from(number)),
            Some(Token::Word(word)) if word == "true" || word == "false" => Ok(Value::Bool(word == "true")),
            Some(Token::Variable(name)) => match self.variables.get(&name) {
                Some(value) => Ok(Value::String(value.clone())),
                None => Err(format!("Malformed parameter: where: the variable `{name}` has no value")),
            },
            _ => Err("Malformed parameter: where: expected a value".into()),
        }
    }
}

impl Predicate {
    /// The parts that must all hold.
    pub(crate) fn parts(self) -> Vec<Predicate> {
        match self {
            Predicate::And(parts) => parts,
            other => vec![other],
        }
    }

    /// Whether a record, or a part of one, has the property.
    pub(crate) fn holds(&self, record: &Value) -> bool {
        match self {
            Predicate::And(parts) => parts.iter().all(|part| part.holds(record)),
            Predicate::Or(parts) => parts.iter().any(|part| part.holds(record)),
            Predicate::Not(part) => !part.holds(record),
            Predicate::Defined(field, wanted) => record.get(field).is_some_and(|value| !value.is_null()) == *wanted,
            Predicate::Empty(field, wanted) => record.get(field).and_then(Value::as_array).is_none_or(Vec::is_empty) == *wanted,
            Predicate::In(field, values) => {
                record.get(field).is_some_and(|found| values.iter().any(|value| compare(found, Operator::Equal, value)))
            }
            Predicate::Compare(field, operator, value) => record.get(field).is_some_and(|found| compare(found, *operator, value)),
            Predicate::Nested(field, inner) => match record.get(field) {
                Some(Value::Array(items)) => items.iter().any(|item| inner.holds(item)),
                Some(value) => inner.holds(value),
                None => false,
            },
        }
    }
}

fn compare(found: &Value, operator: Operator, value: &Value) -> bool {
    use std::cmp::Ordering;
    let order = match (found, value) {
        // Times are all written alike here, so their order is that of the text.
        (Value::String(found), Value::String(value)) => Some(found.cmp(value)),
        (Value::Bool(found), Value::Bool(value)) => Some(found.cmp(value)),
        (Value::Number(found), Value::Number(value)) => found.as_f64().partial_cmp(&value.as_f64()),
        // A variable is text until it meets what it is compared with.
        (Value::Number(found), Value::String(value)) => found.as_f64().partial_cmp(&value.parse().ok()),
        (Value::Bool(found), Value::String(value)) => value.parse().ok().map(|value: bool| found.cmp(&value)),
        _ => None,
    };
    order.is_some_and(|order| match operator {
        Operator::Equal => order == Ordering::Equal,
        Operator::NotEqual => order != Ordering::Equal,
        Operator::Less => order == Ordering::Less,
        Operator::LessOrEqual => order != Ordering::Greater,
        Operator::Greater => order == Ordering::Greater,
        Operator::GreaterOrEqual => order != Ordering::Less,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(predicate: &str, record: &Value) -> bool {
        let variables = HashMap::from([("a".to_owned(), "2".to_owned()), ("b".to_owned(), "x".to_owned())]);
        parse(predicate, &variables).unwrap().holds(record)
    }

    #[test]
    fn comparisons_joins_and_variables() {
        let record = json!({"id": "m", "version": 3, "ok": true, "at": "2026-01-02T00:00:00.000Z"});
        for yes in [
            r#"id > "a" and version > :a"#,
            r#"id = "z" or version = 3"#,
            "ok = true",
            r#"not (id = "z")"#,
            r#"id in ("k", "m")"#,
            r#"at >= "2026-01-01T00:00:00.000Z" and at < "2026-01-03T00:00:00.000Z""#,
        ] {
            assert!(holds(yes, &record), "{yes}");
        }
        for no in [r#"id > "m""#, "version < :a", r#"missing = "x""#, r#"id in (:b)"#] {
            assert!(!holds(no, &record), "{no}");
        }
    }

    #[test]
    fn nested_fields_look_into_objects_and_lists() {
        let record = json!({"paymentInfo": {"payments": [{"id": "x"}, {"id": "y"}]}, "lineItems": []});
        assert!(holds("paymentInfo(payments(id in (:b)))", &record));
        assert!(!holds(r#"paymentInfo(payments(id = "z"))"#, &record));
        assert!(holds("lineItems is empty and paymentInfo is defined and customerId is not defined", &record));
        assert!(!holds("lineItems is not empty", &record));
    }

    #[test]
    fn what_is_not_the_language_is_refused() {
        for wrong in ["id >", "id = unquoted", r#"id = "open"#, "id = :unknown", "id ~ 3", r#"id = "a" "b""#] {
            assert!(parse(wrong, &HashMap::new()).is_err(), "{wrong}");
        }
    }
}
