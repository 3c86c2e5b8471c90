//! A script as a list of items.

use std::collections::BTreeMap;

pub struct Script {
    pub items: Vec<Numbered>,
    source: Vec<String>,
}

pub struct Numbered {
    /// Counted from 1.
    pub line: usize,
    /// How many lines of the source it covers.
    length: usize,
    pub what: Item,
}

pub enum Item {
    Given {
        text: String,
        block: Vec<String>,
    },
    Send {
        connection: usize,
        text: String,
        line_end: bool,
    },
    /// All that a connection says until somebody else speaks.
    Expect {
        connection: usize,
        patterns: Vec<String>,
    },
    Act(String),
}

impl Script {
    pub fn parse(text: &str) -> Result<Self, String> {
        let source: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut items: Vec<Numbered> = Vec::new();
        let mut fresh = true;
        for (index, line) in source.iter().enumerate() {
            let line_number = index + 1;
            let at = |what| Numbered {
                line: line_number,
                length: 1,
                what,
            };
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(text) = line.strip_prefix("given ") {
                items.push(at(Item::Given {
                    text: text.trim().into(),
                    block: Vec::new(),
                }));
            } else if let Some(text) = line.strip_prefix('|') {
                match items.last_mut().map(|item| &mut item.what) {
                    Some(Item::Given { block, .. }) => {
                        block.push(text.strip_prefix(' ').unwrap_or(text).into())
                    }
                    _ => return Err(format!("line {line_number}: `|` without `given`")),
                }
            } else if let Some(text) = line.strip_prefix('@') {
                items.push(at(Item::Act(text.trim().into())));
            } else {
                let (connection, rest) = connection(line);
                let text =
                    |rest: &str| rest[2..].strip_prefix(' ').unwrap_or(&rest[2..]).to_owned();
                match rest.get(..2) {
                    Some("C:") => items.push(at(Item::Send {
                        connection,
                        text: text(rest),
                        line_end: true,
                    })),
                    Some("C~") => items.push(at(Item::Send {
                        connection,
                        text: text(rest),
                        line_end: false,
                    })),
                    Some("S:") => match items.last_mut() {
                        Some(Numbered {
                            what:
                                Item::Expect {
                                    connection: same,
                                    patterns,
                                },
                            length,
                            line,
                            ..
                        }) if *same == connection && *line + *length == line_number => {
                            patterns.push(text(rest));
                            *length += 1;
                        }
                        _ => items.push(at(Item::Expect {
                            connection,
                            patterns: vec![text(rest)],
                        })),
                    },
                    _ => return Err(format!("line {line_number}: what is {line:?}?")),
                }
            }
            fresh = false;
        }
        if fresh {
            return Err("an empty script".into());
        }
        Ok(Self { items, source })
    }

    /// The source with other expected lines.
    pub fn with_lines(&self, lines: &BTreeMap<usize, Vec<String>>) -> String {
        let mut out = String::new();
        let mut at = 0;
        for (index, item) in self.items.iter().enumerate() {
            let begin = item.line - 1;
            let Item::Expect { connection, .. } = &item.what else {
                continue;
            };
            let Some(new) = lines.get(&index) else {
                continue;
            };
            for line in &self.source[at..begin] {
                out.push_str(line);
                out.push('\n');
            }
            let prefix = if *connection == 1 {
                String::new()
            } else {
                connection.to_string()
            };
            for line in new {
                out.push_str(format!("{prefix}S: {line}").trim_end_matches('\n'));
                out.push('\n');
            }
            at = begin + item.length;
        }
        for line in &self.source[at..] {
            out.push_str(line);
            out.push('\n');
        }
        out
    }
}

/// `2C: ...`: the number in front; without one it is 1.
fn connection(line: &str) -> (usize, &str) {
    let digits = line.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
    match line[..digits].parse() {
        Ok(number) => (number, &line[digits..]),
        Err(_) => (1, line),
    }
}
