//! SEARCH and UID SEARCH (RFC 3501 §6.4.4; RFC 4731; RFC 7162 §3.1.5; wire §3.7, §3.8), resumable: rows decide most,
//! records what rows cannot, bodies only what is left.

mod expr;
mod raw;

use super::desk::Signed;
use super::labels::Labels;
use super::out::Out;
use super::refuse::Refused;
use super::task::{Stage, Worked};
use super::view::View;
use expr::{DAY, Expr, Subject, Truth};
use pillarbox_message::{FactsView, Needle, Scope};
use pillarbox_store::mail::{Millis, Record, Row, StoreError, SystemFlags, Uid};
use pillarbox_wire::imap::command::{self, SearchKey, SearchReturn};
use pillarbox_wire::imap::{By, EsearchLine, NumberSet, SequenceSet, Tag};
use std::collections::VecDeque;

/// Rows looked at in one step.
const ROWS_OF_STEP: u32 = 4000;
/// Octets of bodies read in one step.
const BODY_BYTES_OF_STEP: u64 = 8 * 1024 * 1024;

/// A SEARCH on its way.
pub struct Search {
    tag: Tag,
    by: By,
    returns: Option<SearchReturn>,
    /// The reply carries the highest mod-sequence of what was found.
    with_modseq: bool,
    expr: Expr,
    left: VecDeque<(u32, u32)>,
    /// Rows only a record or a body can decide.
    open: VecDeque<(Row, Option<Record>)>,
    found: Vec<(u32, u64)>,
}

impl Search {
    /// Starts one.
    pub async fn begin(
        command: command::Search,
        tag: &Tag,
        signed: &mut Signed,
        view: &mut View,
        now: Millis,
        out: &mut Out,
    ) -> Result<Worked, Refused> {
        if command.returns.is_some_and(|returns| returns.save) {
            return Err(Refused::syntax()); // SEARCHRES is not announced.
        }
        let labels = match needs_labels(&command.key) {
            true => Some(Labels::read(signed).await?),
            false => None,
        };
        let compiler = Compiler { view, labels, now };
        let expr = compiler.expr(&command.key)?;
        let with_modseq = has_modseq(&command.key);
        signed.condstore |= with_modseq; // RFC 7162 §3.1
        let all = SequenceSet::all();
        let left = view.messages_of(&all, By::Uid).unwrap_or_default();
        let search = Self {
            tag: tag.clone(),
            by: command.by,
            returns: command.returns,
            with_modseq,
            expr,
            left: left.into(),
            open: VecDeque::new(),
            found: Vec::new(),
        };
        Box::new(search).step(signed, view, now, out).await
    }

    /// Goes on with a bounded share.
    pub async fn step(
        mut self: Box<Self>,
        signed: &Signed,
        view: &mut View,
        _now: Millis,
        out: &mut Out,
    ) -> Result<Worked, Refused> {
        if !self.open.is_empty() {
            self.decide_open(signed, view).await?;
            return Ok(Worked::More(Stage::Search(self)));
        }
        let ranges = super::fetch::take(&mut self.left, ROWS_OF_STEP);
        if ranges.is_empty() {
            self.found.sort_unstable();
            self.reply(signed, view, out);
            return Ok(Worked::Done("OK SEARCH completed (Success)".into()));
        }
        let (_, rows) = signed.account.rows(view.mailbox, &ranges).await?;
        for row in rows {
            match self.expr.of(
                &Subject {
                    row: &row,
                    record: None,
                    body: None,
                },
                view,
            ) {
                Truth::Yes => self.found.push((row.uid.0, row.modseq)),
                Truth::No => {}
                Truth::NeedsRecord | Truth::NeedsBody => self.open.push_back((row, None)),
            }
        }
        Ok(Worked::More(Stage::Search(self)))
    }

    /// Reads records, and bodies where they must be, of the first open rows.
    async fn decide_open(&mut self, signed: &Signed, view: &View) -> Result<(), StoreError> {
        let limits = &signed.context.limits;
        let batch = self.open.len().min(limits.step_messages as usize);
        let ids: Vec<_> = self
            .open
            .iter()
            .take(batch)
            .map(|(row, _)| row.message)
            .collect();
        let records = signed.account.records(&ids).await?;
        let mut read = 0;
        for record in records {
            let Some((row, _)) = self.open.pop_front() else {
                break;
            };
            let Some(record) = record else { continue };
            let Ok(facts) = FactsView::new(&record.facts) else {
                continue;
            };
            let mut truth = self.expr.of(
                &Subject {
                    row: &row,
                    record: Some((&record, facts)),
                    body: None,
                },
                view,
            );
            if truth == Truth::NeedsBody {
                let end = u64::from(record.size).min(limits.search_body_bytes_max);
                read += end;
                truth = match signed.account.body(record.blob, 0..end).await {
                    Ok(body) => self.expr.of(
                        &Subject {
                            row: &row,
                            record: Some((&record, facts)),
                            body: Some(&body),
                        },
                        view,
                    ),
                    Err(fault) => {
                        tracing::error!(message = record.message.0, %fault, "a body cannot be searched");
                        Truth::No
                    }
                };
            }
            if truth == Truth::Yes {
                self.found.push((row.uid.0, row.modseq));
            }
            if read >= BODY_BYTES_OF_STEP {
                break;
            }
        }
        Ok(())
    }

    fn reply(&self, signed: &Signed, view: &View, out: &mut Out) {
        let number = |uid: u32| match self.by {
            By::Uid => Some(uid),
            By::Sequence => view.seq(Uid(uid)),
        };
        let found: Vec<(u32, u64)> = self
            .found
            .iter()
            .filter_map(|(uid, modseq)| Some((number(*uid)?, *modseq)))
            .collect();
        let highest = found.iter().map(|(_, modseq)| *modseq).max();
        let Some(returns) = self.returns else {
            let modseq = highest.filter(|_| self.with_modseq);
            out.printer(signed.utf8)
                .search_line(found.iter().map(|(number, _)| *number), modseq);
            return;
        };
        let (first, last) = (found.first(), found.last());
        let all: NumberSet = found.iter().map(|(number, _)| *number).collect();
        // RFC 7162 §3.1.10: of the messages told of only.
        let told = match (returns.all || returns.count, returns.min, returns.max) {
            (true, ..) => highest,
            (_, true, true) => first
                .into_iter()
                .chain(last)
                .map(|(_, modseq)| *modseq)
                .max(),
            (_, true, _) => first.map(|(_, modseq)| *modseq),
            _ => last.map(|(_, modseq)| *modseq),
        };
        out.printer(signed.utf8).esearch_line(&EsearchLine {
            tag: &self.tag,
            by: self.by,
            min: first.filter(|_| returns.min).map(|(number, _)| *number),
            max: last.filter(|_| returns.max).map(|(number, _)| *number),
            all: returns.all.then_some(&all),
            count: returns.count.then_some(found.len() as u32),
            mod_seq: told.filter(|_| self.with_modseq),
        });
    }
}

fn any(key: &SearchKey, test: &dyn Fn(&SearchKey) -> bool) -> bool {
    test(key)
        || match key {
            SearchKey::And(keys) => keys.iter().any(|key| any(key, test)),
            SearchKey::Or(a, b) => any(a, test) || any(b, test),
            SearchKey::Not(inner) => any(inner, test),
            _ => false,
        }
}

fn needs_labels(key: &SearchKey) -> bool {
    any(key, &|key| {
        matches!(key, SearchKey::GmLabels(_) | SearchKey::GmRaw(_))
    })
}

fn has_modseq(key: &SearchKey) -> bool {
    any(key, &|key| matches!(key, SearchKey::ModSeq(_)))
}

/// Turns keys into an expression for this mailbox and moment. The parser bounds how deep keys are nested.
struct Compiler<'a> {
    view: &'a View,
    labels: Option<Labels>,
    now: Millis,
}

impl Compiler<'_> {
    fn expr(&self, key: &SearchKey) -> Result<Expr, Refused> {
        let not = |expr| Expr::Not(Box::new(expr));
        let header = |name: &str, text: &str| Expr::Header(name.into(), Needle::new(text));
        Ok(match key {
            SearchKey::And(keys) => Expr::And(
                keys.iter()
                    .map(|key| self.expr(key))
                    .collect::<Result<_, _>>()?,
            ),
            SearchKey::Or(a, b) => Expr::Or(vec![self.expr(a)?, self.expr(b)?]),
            SearchKey::Not(inner) => not(self.expr(inner)?),
            SearchKey::All => Expr::All,
            SearchKey::Sequence(set) => self.uids(set, By::Sequence)?,
            SearchKey::Uid(set) => self.uids(set, By::Uid)?,
            SearchKey::Answered => Expr::Flag(SystemFlags::ANSWERED),
            SearchKey::Unanswered => not(Expr::Flag(SystemFlags::ANSWERED)),
            SearchKey::Deleted => Expr::Flag(SystemFlags::DELETED),
            SearchKey::Undeleted => not(Expr::Flag(SystemFlags::DELETED)),
            SearchKey::Draft => Expr::Flag(SystemFlags::DRAFT),
            SearchKey::Undraft => not(Expr::Flag(SystemFlags::DRAFT)),
            SearchKey::Flagged => Expr::Flag(SystemFlags::FLAGGED),
            SearchKey::Unflagged => not(Expr::Flag(SystemFlags::FLAGGED)),
            SearchKey::Seen => Expr::Flag(SystemFlags::SEEN),
            SearchKey::Unseen => not(Expr::Flag(SystemFlags::SEEN)),
            SearchKey::Recent => Expr::Recent,
            SearchKey::New => Expr::And(vec![Expr::Recent, not(Expr::Flag(SystemFlags::SEEN))]),
            SearchKey::Old => not(Expr::Recent),
            SearchKey::Keyword(word) => Expr::Keyword(word.as_str().into()),
            SearchKey::Unkeyword(word) => not(Expr::Keyword(word.as_str().into())),
            SearchKey::Bcc(text) => header("Bcc", text),
            SearchKey::Cc(text) => header("Cc", text),
            SearchKey::From(text) => header("From", text),
            SearchKey::To(text) => header("To", text),
            SearchKey::Subject(text) => header("Subject", text),
            SearchKey::Header(name, text) => header(name, text),
            SearchKey::Body(text) => Expr::Text(Scope::Body, Needle::new(text)),
            SearchKey::Text(text) => Expr::Text(Scope::Text, Needle::new(text)),
            SearchKey::Before(date) => Expr::Received(Millis::MIN..day(*date) * DAY),
            SearchKey::On(date) => Expr::Received(day(*date) * DAY..(day(*date) + 1) * DAY),
            SearchKey::Since(date) => Expr::Received(day(*date) * DAY..Millis::MAX),
            SearchKey::SentBefore(date) => Expr::SentDay(i64::MIN..day(*date)),
            SearchKey::SentOn(date) => Expr::SentDay(day(*date)..day(*date) + 1),
            SearchKey::SentSince(date) => Expr::SentDay(day(*date)..i64::MAX),
            SearchKey::Larger(octets) => Expr::Size(octets.saturating_add(1)..=u64::MAX),
            SearchKey::Smaller(0) => Expr::Nothing,
            SearchKey::Smaller(octets) => Expr::Size(0..=octets - 1),
            SearchKey::Older(seconds) => {
                Expr::Received(Millis::MIN..self.now - i64::from(seconds.get()) * 1000 + 1)
            }
            SearchKey::Younger(seconds) => {
                Expr::Received(self.now - i64::from(seconds.get()) * 1000..Millis::MAX)
            }
            SearchKey::ModSeq(since) => Expr::ModSeq(*since),
            SearchKey::GmMsgId(id) => Expr::Message(*id),
            SearchKey::GmThrId(id) => Expr::Thread(*id),
            SearchKey::GmLabels(label) => self
                .labels
                .as_ref()
                .and_then(|labels| labels.find(label))
                .map_or(Expr::Nothing, Expr::In),
            SearchKey::GmRaw(query) => match &self.labels {
                Some(labels) => raw::parse(query, labels, self.now),
                None => Expr::Nothing,
            },
            // Known to the grammar, not announced.
            SearchKey::Saved | SearchKey::EmailId(_) | SearchKey::ThreadId(_) => {
                return Err(Refused::syntax());
            }
        })
    }

    fn uids(&self, set: &SequenceSet, by: By) -> Result<Expr, Refused> {
        let runs = self
            .view
            .messages_of(set, by)
            .map_err(|_| Refused::syntax())?;
        Ok(Expr::Uids(NumberSet::from_ranges(runs)))
    }
}

fn day(date: pillarbox_wire::imap::Date) -> i64 {
    i64::from(date.days_since_epoch())
}
