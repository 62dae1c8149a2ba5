//! From YAML to text: a mapping of names to scalars, lists and what else people put there.

use serde_json::{Map, Value};
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, ScanError};

/// Why a text is no front matter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub(crate) struct FrontMatterError {
    /// The line of the document, counted from 1.
    pub(crate) line: usize,
    /// What is wrong there.
    pub(crate) problem: String,
}

/// What [`parse`] gives.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Parsed {
    /// Every scalar is a string, as it stands in the text; a plain `null`, `~` or nothing is null.
    pub(crate) fields: Map<String, Value>,
    /// Names that came a second time in one mapping; the first one counts.
    pub(crate) repeated: Vec<String>,
}

/// Reads the YAML between the two lines; `first_line` is where it begins in its document.
///
/// It takes time in proportion to the text: aliases, with which a few lines could stand for gigabytes, are refused.
pub(crate) fn parse(yaml: &str, first_line: usize) -> Result<Parsed, FrontMatterError> {
    let mut builder = Builder::default();
    for next in Parser::new_from_str(yaml) {
        let (event, span) = next.map_err(|error| scan_error(&error, first_line))?;
        builder.event(event).map_err(|problem| FrontMatterError {
            line: first_line + span.start.line().saturating_sub(1),
            problem,
        })?;
    }
    match builder.root {
        None | Some(Value::Null) => Ok(Parsed { fields: Map::new(), repeated: builder.repeated }),
        Some(Value::Object(fields)) => Ok(Parsed { fields, repeated: builder.repeated }),
        Some(Value::String(_) | Value::Array(_) | Value::Number(_) | Value::Bool(_)) => {
            Err(FrontMatterError {
                line: first_line,
                problem: "this is not a list of 'name: value' lines".to_owned(),
            })
        }
    }
}

fn scan_error(error: &ScanError, first_line: usize) -> FrontMatterError {
    FrontMatterError { line: first_line + error.marker().line().saturating_sub(1), problem: error.info() }
}

/// Builds the value from the parser's events, without recursion.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Value>,
    documents: usize,
    repeated: Vec<String>,
}

/// A collection that is not complete yet.
enum Open {
    List(Vec<Value>),
    Map { entries: Map<String, Value>, key: Option<String> },
}

impl Builder {
    fn event(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, ..) => {
                let is_null =
                    style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                self.scalar(text.into_owned(), is_null)
            }
            Event::SequenceStart(..) => {
                self.open.push(Open::List(Vec::new()));
                Ok(())
            }
            Event::MappingStart(..) => {
                self.open.push(Open::Map { entries: Map::new(), key: None });
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(items)) => self.value(Value::Array(items)),
                Some(Open::Map { entries, .. }) => self.value(Value::Object(entries)),
                None => Ok(()),
            },
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 { Err("a second YAML document begins here".to_owned()) } else { Ok(()) }
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                Err("aliases (*name) are not read here; put the value in quotes or write it out".to_owned())
            }
            // What is left says nothing about the content: comments, anchors, the ends of stream and document.
            _ => Ok(()),
        }
    }

    fn scalar(&mut self, text: String, is_null: bool) -> Result<(), String> {
        if let Some(Open::Map { key: key @ None, .. }) = self.open.last_mut() {
            *key = Some(text);
            return Ok(());
        }
        self.value(if is_null { Value::Null } else { Value::String(text) })
    }

    fn value(&mut self, value: Value) -> Result<(), String> {
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open::List(items)) => items.push(value),
            Some(Open::Map { entries, key }) => {
                let Some(name) = key.take() else {
                    return Err("a name must be a word, not a list or a mapping".to_owned());
                };
                if entries.contains_key(&name) {
                    self.repeated.push(name);
                } else {
                    entries.insert(name, value);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_are_the_text_that_stands_there() {
        let yaml = "id: 007\nversion: 1.10\ncreated: 2025-10-18 14:05\nyes: No\nempty:\nnull: ~\nquoted: \"null\"\n\
                    list: [a, 1, {b: 0x10}]\ntext: |\n  one\n  two\n# a comment\n";
        let expected = json!({
            "id": "007", "version": "1.10", "created": "2025-10-18 14:05", "yes": "No", "empty": null, "null": null,
            "quoted": "null", "list": ["a", "1", {"b": "0x10"}], "text": "one\ntwo\n",
        });
        assert_eq!(Value::Object(parse(yaml, 2).unwrap().fields), expected);
        assert_eq!(parse("# nothing\n", 2).unwrap(), Parsed::default());
        let twice = parse("a: 1\na: 2\n", 2).unwrap();
        assert_eq!((twice.fields["a"].as_str(), twice.repeated), (Some("1"), vec!["a".to_owned()]));
    }

    #[test]
    fn what_is_broken_is_named_with_its_line() {
        for (yaml, line) in [
            ("a: b: c\n", 2),
            ("ok: 1\ntitle: \"open\n", 3),
            ("- a\n- b\n", 2),
            ("just words\n", 2),
            ("a: 1\n? [x, y]\n: 2\n", 3),
            ("a: &x 1\nb: *x\n", 3),
            ("a: *nothing\n", 2),
            ("a: 1\n...\nb: 2\n", 4),
        ] {
            let error = parse(yaml, 2).unwrap_err();
            assert!(!error.problem.is_empty() && error.line.abs_diff(line) <= 1, "{yaml:?}: {error}");
        }
    }

    #[test]
    fn bombs_are_refused_at_once() {
        let nine = |item: &str| [item; 9].join(",");
        let lines = ('b'..='z')
            .zip('a'..='y')
            .map(|(name, before)| format!("{name}: &{name} [{}]", nine(&format!("*{before}"))));
        let bomb = format!("a: &a [{}]\n{}\n", nine("x"), lines.collect::<Vec<_>>().join("\n"));
        let nested = format!("a: {}", "[".repeat(60_000));
        let deep_maps = (0..300).map(|depth| " ".repeat(depth) + "k:\n").collect::<String>();
        for text in [bomb, nested, deep_maps] {
            let start = Instant::now();
            assert!(parse(&text, 2).is_err());
            assert!(start.elapsed() < Duration::from_secs(2));
        }
    }
}
