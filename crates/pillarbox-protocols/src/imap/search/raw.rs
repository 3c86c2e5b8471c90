//! X-GM-RAW: the language of the web search box (wire §3.8). Nothing is a syntax error: what is not understood is a word.

use super::expr::{DAY, Expr, Words};
use crate::imap::labels::{Labels, role_of};
use pillarbox_message::Needle;
use pillarbox_store::mail::{MailboxId, Millis, SystemFlags};

/// Parentheses deeper than this are read as words.
const DEPTH_MAX: usize = 20;
/// Terms of one query that are looked at.
const TERMS_MAX: usize = 500;

/// Reads a query.
pub fn parse(query: &str, labels: &Labels, now: Millis) -> Expr {
    let mut reader = Reader {
        rest: query,
        labels,
        now,
        terms: 0,
    };
    let expr = reader.list(None, 0, &term_anywhere);
    // A closing parenthesis too many ends nothing.
    match reader.rest.trim_matches([')', '}', ' ']) {
        "" => expr,
        rest => Expr::And(vec![expr, parse_words(rest)]),
    }
}

fn parse_words(text: &str) -> Expr {
    Expr::And(
        text.split_whitespace()
            .map(|word| Expr::Anywhere(Words::new(word)))
            .collect(),
    )
}

/// Makes a term of a word or phrase; the operator in front decides which.
type Term<'t> = &'t dyn Fn(&str) -> Expr;

fn term_anywhere(text: &str) -> Expr {
    Expr::Anywhere(Words::new(text))
}

struct Reader<'q, 'l> {
    rest: &'q str,
    labels: &'l Labels,
    now: Millis,
    terms: usize,
}

impl<'q> Reader<'q, '_> {
    /// Terms up to `end` or the end of the query; OR binds closer than the AND of a blank. In braces all are ORed.
    fn list(&mut self, end: Option<char>, depth: usize, term: Term<'_>) -> Expr {
        let mut groups: Vec<Vec<Expr>> = Vec::new();
        let mut or = false;
        loop {
            self.rest = self.rest.trim_start();
            match self.rest.chars().next() {
                None => break,
                Some(c) if Some(c) == end => {
                    self.rest = &self.rest[1..];
                    break;
                }
                Some(')' | '}') if depth > 0 => break,
                Some(')' | '}') => {
                    self.rest = &self.rest[1..];
                    continue;
                }
                _ => {}
            }
            if self.word_is("OR") {
                or = !groups.is_empty();
                continue;
            }
            if self.word_is("AND") || self.around() {
                continue;
            }
            self.terms += 1;
            if self.terms > TERMS_MAX {
                self.rest = "";
                break;
            }
            let expr = self.unary(depth, term);
            match groups.last_mut() {
                Some(group) if or => group.push(expr),
                _ => groups.push(vec![expr]),
            }
            or = false;
        }
        let any = |mut some: Vec<Expr>| {
            if some.len() == 1 {
                some.remove(0)
            } else {
                Expr::Or(some)
            }
        };
        if end == Some('}') {
            return Expr::Or(groups.into_iter().flatten().collect());
        }
        let mut all: Vec<Expr> = groups.into_iter().map(any).collect();
        match all.len() {
            0 => Expr::All,
            1 => all.remove(0),
            _ => Expr::And(all),
        }
    }

    fn unary(&mut self, depth: usize, term: Term<'_>) -> Expr {
        let mut negative = false;
        while self.word_is("NOT") || self.minus() {
            negative = !negative;
            self.rest = self.rest.trim_start();
        }
        let expr = self.primary(depth, term);
        if negative {
            Expr::Not(Box::new(expr))
        } else {
            expr
        }
    }

    fn minus(&mut self) -> bool {
        match self.rest.strip_prefix('-') {
            Some(rest) if !rest.is_empty() && !rest.starts_with(char::is_whitespace) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn primary(&mut self, depth: usize, term: Term<'_>) -> Expr {
        if depth < DEPTH_MAX {
            for (open, close) in [('(', ')'), ('{', '}')] {
                if let Some(rest) = self.rest.strip_prefix(open) {
                    self.rest = rest;
                    return self.list(Some(close), depth + 1, term);
                }
            }
        }
        if self.rest.starts_with('"') {
            return term(self.phrase());
        }
        let word_end = self
            .rest
            .find(|c: char| c.is_whitespace() || "(){}\"".contains(c))
            .unwrap_or(self.rest.len());
        if let Some((name, value)) = self.rest[..word_end].split_once(':')
            && let Some(operator) = operator(name)
        {
            self.rest = &self.rest[name.len() + 1..];
            return self.operand(operator, value, depth);
        }
        // A bracket that opens nothing is a word of its own.
        let end = word_end.max(self.rest.chars().next().map_or(0, char::len_utf8));
        let word = &self.rest[..end];
        self.rest = &self.rest[end..];
        term(word.strip_prefix('+').unwrap_or(word))
    }

    /// What follows `operator:`: a word, a phrase or a group.
    fn operand(&mut self, operator: Operator, value: &'q str, depth: usize) -> Expr {
        let (labels, now) = (self.labels, self.now);
        let make = move |text: &str| operator.term(text, labels, now);
        if value.is_empty() && depth < DEPTH_MAX && self.rest.starts_with(['(', '{', '"']) {
            return self.primary(depth, &make);
        }
        self.rest = &self.rest[value.len()..];
        make(value)
    }

    fn phrase(&mut self) -> &'q str {
        let inner = &self.rest[1..];
        let (phrase, rest) = inner.split_once('"').unwrap_or((inner, ""));
        self.rest = rest;
        phrase
    }

    /// Takes a word in capitals if it stands here alone.
    fn word_is(&mut self, word: &str) -> bool {
        match self.rest.strip_prefix(word) {
            Some(rest)
                if rest.is_empty()
                    || rest.starts_with(|c: char| c.is_whitespace() || "({\"".contains(c)) =>
            {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// `AROUND 5`: distance is not measured, both words must be there.
    fn around(&mut self) -> bool {
        let before = self.rest;
        if !self.word_is("AROUND") {
            return false;
        }
        let after = self.rest.trim_start();
        let digits = after
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(after.len());
        if digits == 0 {
            self.rest = before;
            return false;
        }
        self.rest = &after[digits..];
        true
    }
}

#[derive(Clone, Copy)]
enum Operator {
    Fields(&'static [&'static str]),
    Filename,
    MessageId,
    Label,
    Category,
    In,
    Is,
    Has,
    After,
    Before,
    NewerThan,
    OlderThan,
    Larger,
    Smaller,
}

fn operator(name: &str) -> Option<Operator> {
    Some(match name.to_ascii_lowercase().as_str() {
        "from" => Operator::Fields(&["From"]),
        "to" => Operator::Fields(&["To", "Cc", "Bcc"]), // wire §3.8: also Cc and Bcc
        "cc" => Operator::Fields(&["Cc"]),
        "bcc" => Operator::Fields(&["Bcc"]),
        "deliveredto" => Operator::Fields(&["Delivered-To"]),
        "list" => Operator::Fields(&["List-Id", "List-Post"]),
        "subject" => Operator::Fields(&["Subject"]),
        "filename" => Operator::Filename,
        "rfc822msgid" => Operator::MessageId,
        "label" => Operator::Label,
        "category" => Operator::Category,
        "in" => Operator::In,
        "is" => Operator::Is,
        "has" => Operator::Has,
        "after" | "newer" => Operator::After,
        "before" | "older" => Operator::Before,
        "newer_than" => Operator::NewerThan,
        "older_than" => Operator::OlderThan,
        "size" | "larger" => Operator::Larger,
        "smaller" => Operator::Smaller,
        _ => return None,
    })
}

impl Operator {
    fn term(self, text: &str, labels: &Labels, now: Millis) -> Expr {
        let never = Expr::Nothing;
        match self {
            Self::Fields(names) => Expr::Words(names, Words::new(text)),
            Self::Filename => Expr::Filename(Needle::new(text)),
            Self::MessageId => Expr::MessageId(text.trim_matches(['<', '>']).into()),
            Self::Label => user_label(text, labels)
                .or_else(|| system(text, labels))
                .map_or(never, Expr::In),
            // wire §3.6: tabs are not kept here; everything is primary.
            Self::Category if text.eq_ignore_ascii_case("primary") => Expr::All,
            Self::Category => never,
            Self::In => place(text, labels),
            Self::Is => state(text, labels),
            Self::Has => content(text, labels),
            Self::After => date(text).map_or(never, |from| Expr::Received(from..Millis::MAX)),
            Self::Before => date(text).map_or(never, |to| Expr::Received(Millis::MIN..to)),
            Self::NewerThan => age(text).map_or(never, |age| {
                Expr::Received(now.saturating_sub(age)..Millis::MAX)
            }),
            Self::OlderThan => age(text).map_or(never, |age| {
                Expr::Received(Millis::MIN..now.saturating_sub(age))
            }),
            Self::Larger => octets(text).map_or(never, |octets| Expr::Size(octets..=u64::MAX)),
            Self::Smaller => {
                octets(text).map_or(never, |octets| Expr::Size(0..=octets.saturating_sub(1)))
            }
        }
    }
}

/// Blanks and `/` in the name are written `-` (wire §3.8).
fn user_label(text: &str, labels: &Labels) -> Option<MailboxId> {
    let dashed = |name: &str| name.to_lowercase().replace([' ', '/'], "-");
    let wanted = dashed(text);
    labels
        .iter()
        .find(|(_, name, role)| role.is_none() && dashed(name) == wanted)
        .map(|(id, ..)| id)
}

fn system(text: &str, labels: &Labels) -> Option<MailboxId> {
    let role = role_of(text)?;
    labels
        .iter()
        .find(|(.., own)| *own == Some(role))
        .map(|(id, ..)| id)
}

fn place(text: &str, labels: &Labels) -> Expr {
    match text.to_ascii_lowercase().as_str() {
        "anywhere" => Expr::All,
        "unread" => state("unread", labels), // wire §3.8: in Google's own sample
        "snoozed" => Expr::Nothing,
        "chats" => Expr::Nothing,
        _ => system(text, labels)
            .or_else(|| user_label(text, labels))
            .map_or(Expr::Nothing, Expr::In),
    }
}

fn state(text: &str, labels: &Labels) -> Expr {
    match text.to_ascii_lowercase().as_str() {
        "unread" => Expr::Not(Box::new(Expr::Flag(SystemFlags::SEEN))),
        "read" => Expr::Flag(SystemFlags::SEEN),
        "starred" => Expr::Flag(SystemFlags::FLAGGED),
        "important" => system("important", labels).map_or(Expr::Nothing, Expr::In),
        // Muting and snoozing are not kept here: no message is.
        _ => Expr::Nothing,
    }
}

fn content(text: &str, labels: &Labels) -> Expr {
    let kept = |wanted: bool| {
        let system = labels
            .iter()
            .filter(|(.., role)| role.is_some())
            .map(|(id, ..)| id);
        let some = Expr::UserLabel(system.collect());
        if wanted {
            some
        } else {
            Expr::Not(Box::new(some))
        }
    };
    match text.to_ascii_lowercase().as_str() {
        "attachment" => Expr::Attachment,
        "userlabels" => kept(true),
        "nouserlabels" => kept(false),
        "yellow-star" => Expr::Flag(SystemFlags::FLAGGED),
        _ => Expr::Nothing,
    }
}

/// `YYYY/MM/DD`, `MM/DD/YYYY`, or epoch seconds; also with dashes. Days begin at midnight UTC.
fn date(text: &str) -> Option<Millis> {
    let numbers: Vec<i64> = text
        .split(['/', '-'])
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let (year, month, day) = match numbers.as_slice() {
        [seconds] if text.len() > 4 => return seconds.checked_mul(1000),
        [year, month, day] if *year > 31 => (*year, *month, *day),
        [month, day, year] => (*year, *month, *day),
        _ => return None,
    };
    let date = pillarbox_wire::imap::Date::new(
        year.try_into().ok()?,
        month.try_into().ok()?,
        day.try_into().ok()?,
    )?;
    Some(i64::from(date.days_since_epoch()) * DAY)
}

/// `2d`, `1m`, `1y`: days, months of 30 days, years of 365.
fn age(text: &str) -> Option<Millis> {
    let unit = text.chars().next_back()?;
    let number: i64 = text[..text.len() - unit.len_utf8()].parse().ok()?;
    let days = match unit.to_ascii_lowercase() {
        'd' => 1,
        'm' => 30,
        'y' => 365,
        _ => return None,
    };
    number.checked_mul(days)?.checked_mul(DAY)
}

/// `1000`, `10K`, `10M`
fn octets(text: &str) -> Option<u64> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    match text[digits..].to_ascii_lowercase().as_str() {
        "" => Some(number),
        "k" | "kb" => number.checked_mul(1024),
        "m" | "mb" => number.checked_mul(1024 * 1024),
        _ => None,
    }
}
