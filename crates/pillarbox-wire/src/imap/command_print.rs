//! Writes commands: the client's side.

use super::command::{
    Append, AppendForm, Body, Change, Command, Fetch, FetchItem, List, ListReturn, ListSelect,
    Marks, Messages, Pattern, Qresync, Search, SearchKey, SearchReturn, Select, StatusItem, Store,
    Transfer,
};
use super::print::{is_bare, is_quotable, quote};
use super::types::encode_name;
use super::{Flag, Label, Mailbox, Printer, Secret, SequenceSet};

/// How a client sends strings that cannot be quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Literals {
    /// `{n}`: wait for `+` before each (RFC 3501 §4.3).
    Wait,
    /// `{n+}` up to this many bytes, `{n}` above: 4096 with LITERAL- , `usize::MAX` with LITERAL+ (RFC 7888).
    NonSync(usize),
}

impl Command {
    /// The bytes of the command, in the pieces to be sent: after each but the last the server's `+` must come. An APPEND ends with
    /// its announcement; the message, [`AppendForm::closing`] and a line end follow. `utf8` after `ENABLE UTF8=ACCEPT`.
    pub fn print(&self, utf8: bool, literals: Literals) -> Vec<Vec<u8>> {
        let mut out = Out {
            pieces: Vec::new(),
            now: Vec::new(),
            utf8,
            literals,
        };
        out.put(self.tag.as_str());
        out.put(" ");
        out.body(&self.body);
        if !matches!(self.body, Body::Append(_)) {
            out.put("\r\n");
        }
        out.pieces.push(out.now);
        out.pieces
    }
}

struct Out {
    pieces: Vec<Vec<u8>>,
    now: Vec<u8>,
    utf8: bool,
    literals: Literals,
}

impl Out {
    fn put(&mut self, text: &str) {
        self.now.extend_from_slice(text.as_bytes());
    }

    fn show(&mut self, value: impl std::fmt::Display) {
        self.put(&value.to_string());
    }

    fn string(&mut self, text: &[u8]) {
        if is_quotable(text, self.utf8) {
            self.put("\"");
            quote(text, &mut self.now);
            self.put("\"");
            return;
        }
        match self.literals {
            Literals::NonSync(max) if text.len() <= max => {
                self.show(format_args!("{{{}+}}\r\n", text.len()))
            }
            _ => {
                self.show(format_args!("{{{}}}\r\n", text.len()));
                self.pieces.push(std::mem::take(&mut self.now));
            }
        }
        self.now.extend_from_slice(text);
    }

    fn astring(&mut self, text: &str) {
        if is_bare(text.as_bytes()) {
            self.put(text)
        } else {
            self.string(text.as_bytes())
        }
    }

    fn name(&mut self, name: &str) {
        let name = encode_name(name, self.utf8);
        self.string(name.as_bytes());
    }

    fn sp_mailbox(&mut self, mailbox: &Mailbox) {
        self.put(" ");
        self.name(mailbox.as_str());
    }

    fn separated<T>(&mut self, items: &[T], mut print: impl FnMut(&mut Self, &T)) {
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.put(" ");
            }
            print(self, item);
        }
    }

    fn list<T>(&mut self, items: &[T], print: impl FnMut(&mut Self, &T)) {
        self.put("(");
        self.separated(items, print);
        self.put(")");
    }

    fn words(&mut self, words: &[(bool, &str)]) {
        let words: Vec<&str> = words.iter().filter(|w| w.0).map(|w| w.1).collect();
        self.separated(&words, |o, word| o.put(word));
    }

    fn body(&mut self, body: &Body) {
        self.put(body.name());
        match body {
            Body::Id(None) => self.put(" NIL"),
            Body::Id(Some(pairs)) => self.id(pairs),
            Body::Authenticate(it) => {
                self.show(format_args!(" {}", it.mechanism));
                if let Some(initial) = &it.initial {
                    self.put(" ");
                    self.initial(initial);
                }
            }
            Body::Login { user, password } => {
                self.put(" ");
                self.astring(user);
                self.put(" ");
                self.string(password.expose());
            }
            Body::Enable(names) => {
                self.put(" ");
                self.separated(names, |o, name| o.put(name));
            }
            Body::Select(it) | Body::Examine(it) => self.select(it),
            Body::Create {
                mailbox,
                special_use,
            } => {
                self.sp_mailbox(mailbox);
                if !special_use.is_empty() {
                    self.put(" (USE ");
                    self.list(special_use, |o, u| o.put(u.as_str()));
                    self.put(")");
                }
            }
            Body::Delete(mailbox)
            | Body::Subscribe(mailbox)
            | Body::Unsubscribe(mailbox)
            | Body::GetQuotaRoot(mailbox) => {
                self.sp_mailbox(mailbox);
            }
            Body::Rename { from, to } => {
                self.sp_mailbox(from);
                self.sp_mailbox(to);
            }
            Body::List(it) => self.list_command(it),
            Body::Lsub(Pattern { reference, pattern })
            | Body::Xlist(Pattern { reference, pattern }) => {
                self.put(" ");
                self.name(reference);
                self.put(" ");
                self.name(pattern);
            }
            Body::Status { mailbox, items } => {
                self.sp_mailbox(mailbox);
                self.put(" ");
                self.status_items(items);
            }
            Body::Append(it) => self.append(it),
            Body::GetQuota(root) => {
                self.put(" ");
                self.string(root.as_bytes());
            }
            Body::Compress(algorithm) => self.show(format_args!(" {algorithm}")),
            Body::UidExpunge(messages) => self.sp_messages(messages),
            Body::Search(it) => self.search(it),
            Body::Fetch(it) => self.fetch(it),
            Body::Store(it) => self.store(it),
            Body::Copy(it) | Body::Move(it) => self.transfer(it),
            Body::Capability
            | Body::Noop
            | Body::Logout
            | Body::StartTls
            | Body::Namespace
            | Body::Idle
            | Body::Check
            | Body::Close
            | Body::Unselect
            | Body::Expunge => {}
        }
    }

    fn id(&mut self, pairs: &[(String, Option<String>)]) {
        self.put(" ");
        self.list(pairs, |o, (field, value)| {
            o.string(field.as_bytes());
            o.put(" ");
            match value {
                Some(value) => o.string(value.as_bytes()),
                None => o.put("NIL"),
            }
        });
    }

    fn initial(&mut self, response: &Secret) {
        match response.expose() {
            [] => self.put("="),
            response => self.now.extend_from_slice(response),
        }
    }

    fn select(&mut self, it: &Select) {
        self.sp_mailbox(&it.mailbox);
        if !it.condstore && it.qresync.is_none() {
            return;
        }
        self.put(" (");
        self.words(&[
            (it.condstore, "CONDSTORE"),
            (it.qresync.is_some(), "QRESYNC"),
        ]);
        if let Some(Qresync {
            uid_validity,
            mod_seq,
            known_uids,
            seq_match,
        }) = &it.qresync
        {
            self.show(format_args!(" ({uid_validity} {mod_seq}"));
            if let Some(uids) = known_uids {
                self.show(format_args!(" {uids}"));
            }
            if let Some((sequence, uids)) = seq_match {
                self.show(format_args!(" ({sequence} {uids})"));
            }
            self.put(")");
        }
        self.put(")");
    }

    fn list_command(&mut self, it: &List) {
        if let Some(ListSelect {
            subscribed,
            remote,
            recursive_match,
            special_use,
        }) = it.select
        {
            self.put(" (");
            self.words(&[
                (subscribed, "SUBSCRIBED"),
                (remote, "REMOTE"),
                (recursive_match, "RECURSIVEMATCH"),
                (special_use, "SPECIAL-USE"),
            ]);
            self.put(")");
        }
        self.put(" ");
        self.name(&it.reference);
        self.put(" ");
        if it.patterns_listed {
            self.list(&it.patterns, |o, pattern| o.name(pattern));
        } else {
            self.separated(&it.patterns, |o, pattern| o.name(pattern));
        }
        if let Some(ListReturn {
            subscribed,
            children,
            special_use,
            status,
        }) = &it.returns
        {
            self.put(" RETURN (");
            let asked = !status.is_empty();
            self.words(&[
                (*subscribed, "SUBSCRIBED"),
                (*children, "CHILDREN"),
                (*special_use, "SPECIAL-USE"),
                (asked, "STATUS "),
            ]);
            if asked {
                self.status_items(status);
            }
            self.put(")");
        }
    }

    fn status_items(&mut self, items: &[StatusItem]) {
        self.list(items, |o, item| o.put(item.as_str()));
    }

    fn append(&mut self, it: &Append) {
        self.sp_mailbox(&it.mailbox);
        if !it.flags.is_empty() {
            self.put(" ");
            self.list(&it.flags, |o, flag: &Flag| o.show(flag));
        }
        if let Some(date) = it.date {
            self.show(format_args!(" \"{date}\""));
        }
        self.put(match it.literal.form {
            AppendForm::Plain => " {",
            AppendForm::Binary => " ~{",
            AppendForm::Utf8 => " UTF8 (~{",
        });
        let plus = if it.literal.waits { "" } else { "+" };
        self.show(format_args!("{}{plus}}}\r\n", it.literal.size));
    }

    fn sp_messages(&mut self, messages: &Messages) {
        match messages {
            Messages::Set(set) => self.show(format_args!(" {set}")),
            Messages::Saved => self.put(" $"),
        }
    }

    fn transfer(&mut self, it: &Transfer) {
        self.sp_messages(&it.messages);
        self.sp_mailbox(&it.to);
    }

    fn store(&mut self, it: &Store) {
        self.sp_messages(&it.messages);
        if let Some(mod_seq) = it.unchanged_since {
            self.show(format_args!(" (UNCHANGEDSINCE {mod_seq})"));
        }
        self.put(match it.change {
            Change::Replace => " ",
            Change::Add => " +",
            Change::Remove => " -",
        });
        self.put(match it.what {
            Marks::Flags(_) => "FLAGS",
            Marks::Labels(_) => "X-GM-LABELS",
        });
        self.put(if it.silent { ".SILENT " } else { " " });
        match &it.what {
            Marks::Flags(flags) => self.list(flags, |o, flag: &Flag| o.show(flag)),
            Marks::Labels(labels) => self.list(labels, |o, label: &Label| o.name(label.as_str())),
        }
    }

    fn fetch(&mut self, it: &Fetch) {
        self.sp_messages(&it.messages);
        self.put(" ");
        self.list(&it.items, Self::fetch_item);
        let Some(mod_seq) = it.changed_since else {
            return;
        };
        let vanished = if it.vanished { " VANISHED" } else { "" };
        self.show(format_args!(" (CHANGEDSINCE {mod_seq}{vanished})"));
    }

    fn fetch_item(&mut self, item: &FetchItem) {
        self.put(match item {
            FetchItem::Flags => "FLAGS",
            FetchItem::InternalDate => "INTERNALDATE",
            FetchItem::Size => "RFC822.SIZE",
            FetchItem::Envelope => "ENVELOPE",
            FetchItem::Body => "BODY",
            FetchItem::BodyStructure => "BODYSTRUCTURE",
            FetchItem::Uid => "UID",
            FetchItem::Rfc822 => "RFC822",
            FetchItem::Rfc822Header => "RFC822.HEADER",
            FetchItem::Rfc822Text => "RFC822.TEXT",
            FetchItem::ModSeq => "MODSEQ",
            FetchItem::EmailId => "EMAILID",
            FetchItem::ThreadId => "THREADID",
            FetchItem::Preview { lazy: false } => "PREVIEW",
            FetchItem::Preview { lazy: true } => "PREVIEW (LAZY)",
            FetchItem::GmMsgId => "X-GM-MSGID",
            FetchItem::GmThrId => "X-GM-THRID",
            FetchItem::GmLabels => "X-GM-LABELS",
            FetchItem::Section { peek: true, .. } => "BODY.PEEK",
            FetchItem::Section { peek: false, .. } => "BODY",
        });
        if let FetchItem::Section {
            section, partial, ..
        } = item
        {
            Printer::new(&mut self.now, self.utf8).section(section);
            if let Some(partial) = partial {
                self.show(format_args!("<{}.{}>", partial.offset, partial.length));
            }
        }
    }

    fn search(&mut self, it: &Search) {
        if let Some(SearchReturn {
            min,
            max,
            all,
            count,
            save,
        }) = it.returns
        {
            self.put(" RETURN (");
            self.words(&[
                (min, "MIN"),
                (max, "MAX"),
                (all, "ALL"),
                (count, "COUNT"),
                (save, "SAVE"),
            ]);
            self.put(")");
        }
        // RFC 6855 §3: no CHARSET once UTF8=ACCEPT is on.
        if !self.utf8 && !is_ascii(&it.key) {
            self.put(" CHARSET UTF-8");
        }
        self.put(" ");
        match &it.key {
            SearchKey::And(keys) => self.separated(keys, Self::key),
            key => self.key(key),
        }
    }

    fn key(&mut self, key: &SearchKey) {
        match key {
            SearchKey::And(keys) => self.list(keys, Self::key),
            SearchKey::Or(left, right) => {
                self.put("OR ");
                self.key(left);
                self.put(" ");
                self.key(right);
            }
            SearchKey::Not(key) => {
                self.put("NOT ");
                self.key(key);
            }
            SearchKey::All => self.put("ALL"),
            SearchKey::Sequence(set) => self.show(set),
            SearchKey::Uid(set) => self.uid_key(set),
            SearchKey::Saved => self.put("$"),
            SearchKey::Answered => self.put("ANSWERED"),
            SearchKey::Unanswered => self.put("UNANSWERED"),
            SearchKey::Deleted => self.put("DELETED"),
            SearchKey::Undeleted => self.put("UNDELETED"),
            SearchKey::Draft => self.put("DRAFT"),
            SearchKey::Undraft => self.put("UNDRAFT"),
            SearchKey::Flagged => self.put("FLAGGED"),
            SearchKey::Unflagged => self.put("UNFLAGGED"),
            SearchKey::Seen => self.put("SEEN"),
            SearchKey::Unseen => self.put("UNSEEN"),
            SearchKey::Recent => self.put("RECENT"),
            SearchKey::New => self.put("NEW"),
            SearchKey::Old => self.put("OLD"),
            SearchKey::Keyword(word) => self.show(format_args!("KEYWORD {}", word.as_str())),
            SearchKey::Unkeyword(word) => self.show(format_args!("UNKEYWORD {}", word.as_str())),
            SearchKey::Bcc(text) => self.text_key("BCC ", text),
            SearchKey::Cc(text) => self.text_key("CC ", text),
            SearchKey::From(text) => self.text_key("FROM ", text),
            SearchKey::To(text) => self.text_key("TO ", text),
            SearchKey::Subject(text) => self.text_key("SUBJECT ", text),
            SearchKey::Body(text) => self.text_key("BODY ", text),
            SearchKey::Text(text) => self.text_key("TEXT ", text),
            SearchKey::Header(field, text) => {
                self.text_key("HEADER ", field);
                self.text_key(" ", text);
            }
            SearchKey::Before(date) => self.show(format_args!("BEFORE {date}")),
            SearchKey::On(date) => self.show(format_args!("ON {date}")),
            SearchKey::Since(date) => self.show(format_args!("SINCE {date}")),
            SearchKey::SentBefore(date) => self.show(format_args!("SENTBEFORE {date}")),
            SearchKey::SentOn(date) => self.show(format_args!("SENTON {date}")),
            SearchKey::SentSince(date) => self.show(format_args!("SENTSINCE {date}")),
            SearchKey::Larger(size) => self.show(format_args!("LARGER {size}")),
            SearchKey::Smaller(size) => self.show(format_args!("SMALLER {size}")),
            SearchKey::Older(seconds) => self.show(format_args!("OLDER {seconds}")),
            SearchKey::Younger(seconds) => self.show(format_args!("YOUNGER {seconds}")),
            SearchKey::ModSeq(number) => self.show(format_args!("MODSEQ {number}")),
            SearchKey::EmailId(id) => self.text_key("EMAILID ", id),
            SearchKey::ThreadId(id) => self.text_key("THREADID ", id),
            SearchKey::GmMsgId(id) => self.show(format_args!("X-GM-MSGID {id}")),
            SearchKey::GmThrId(id) => self.show(format_args!("X-GM-THRID {id}")),
            SearchKey::GmLabels(label) => self.text_key("X-GM-LABELS ", label.as_str()),
            SearchKey::GmRaw(query) => self.text_key("X-GM-RAW ", query),
        }
    }

    fn uid_key(&mut self, set: &SequenceSet) {
        self.show(format_args!("UID {set}"));
    }

    fn text_key(&mut self, name: &str, text: &str) {
        self.put(name);
        self.astring(text);
    }
}

/// Whether all texts of the key are ASCII.
fn is_ascii(key: &SearchKey) -> bool {
    match key {
        SearchKey::And(keys) => keys.iter().all(is_ascii),
        SearchKey::Or(left, right) => is_ascii(left) && is_ascii(right),
        SearchKey::Not(key) => is_ascii(key),
        SearchKey::Bcc(t)
        | SearchKey::Cc(t)
        | SearchKey::From(t)
        | SearchKey::To(t)
        | SearchKey::Subject(t)
        | SearchKey::Body(t)
        | SearchKey::Text(t)
        | SearchKey::EmailId(t)
        | SearchKey::ThreadId(t)
        | SearchKey::GmRaw(t) => t.is_ascii(),
        SearchKey::Header(field, text) => field.is_ascii() && text.is_ascii(),
        SearchKey::GmLabels(label) => label.as_str().is_ascii(),
        _ => true,
    }
}
