//! `parse(print(x)) == x` for commands made at random.

use std::num::NonZeroU32;

use pillarbox_wire::imap::command::*;
use pillarbox_wire::imap::{
    By, Command, Date, DateTime, Event, Flag, Framer, Keyword, Label, Limits, Literals, Mailbox,
    NumberSet, Secret, SeqNumber, SeqRange, SequenceSet, SpecialUse, Tag, parse,
};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

/// Without the two largest numbers, which imap-codec writes as `*`.
fn nz() -> impl Strategy<Value = NonZeroU32> {
    prop_oneof![(1..200u32), Just(u32::MAX - 2), (1..u32::MAX - 1)]
        .prop_map(|n| NonZeroU32::new(n).unwrap())
}

fn by() -> impl Strategy<Value = By> {
    select(vec![By::Sequence, By::Uid])
}

/// Ascending, disjoint and merged: as imap-codec writes every set, so that commands can be compared with it.
fn sequence_set(star: bool) -> impl Strategy<Value = SequenceSet> {
    let range = (nz(), 0..5u32)
        .prop_map(|(n, more)| (n.get(), n.get().saturating_add(more).min(u32::MAX - 2)));
    (prop::collection::vec(range, 1..6), any::<bool>()).prop_map(move |(ranges, last)| {
        let set = Option::<SequenceSet>::from(&NumberSet::from_ranges(ranges)).unwrap();
        let mut ranges = set.ranges().to_vec();
        if let Some(range) = ranges.last_mut().filter(|_| star && last) {
            range.to = SeqNumber::Largest;
        }
        SequenceSet::new(ranges).unwrap()
    })
}

fn messages() -> impl Strategy<Value = Messages> {
    prop_oneof![9 => sequence_set(true).prop_map(Messages::Set), 1 => Just(Messages::Saved)]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9]{1,8}",
        "[ -~]{1,12}",
        "\\PC{1,8}",
        "[&é日%*\"\\\\{} -]{1,6}"
    ]
    .prop_filter("control characters are in no name", |name| {
        !name.chars().any(char::is_control)
    })
}

pub fn mailbox() -> impl Strategy<Value = Mailbox> {
    prop_oneof![1 => Just(Mailbox::inbox()), 5 => name().prop_filter_map("empty", |name| Mailbox::new(&name))]
}

fn new_mailbox() -> impl Strategy<Value = Mailbox> {
    mailbox().prop_filter("a trailing delimiter is taken off", |name| {
        !name.as_str().ends_with('/')
    })
}

fn keyword() -> impl Strategy<Value = Keyword> {
    "[$a-zA-Z0-9._-]{1,10}".prop_map(|word| Keyword::parse(word.as_bytes()).unwrap())
}

pub fn flag() -> impl Strategy<Value = Flag> {
    let system = select(vec![
        Flag::Answered,
        Flag::Flagged,
        Flag::Deleted,
        Flag::Seen,
        Flag::Draft,
    ]);
    prop_oneof![system, keyword().prop_map(Flag::Keyword)]
}

pub fn label() -> impl Strategy<Value = Label> {
    prop_oneof![
        name(),
        Just("\\Inbox".to_owned()),
        Just("\\Starred".to_owned())
    ]
    .prop_filter_map("no label", |name| Label::new(&name))
}

fn date() -> impl Strategy<Value = Date> {
    (-700_000..2_900_000i32).prop_filter_map("year", Date::from_days_since_epoch)
}

pub fn date_time() -> impl Strategy<Value = DateTime> {
    (-1_000_000_000..10_000_000_000i64, -1439..1440i16)
        .prop_filter_map("year", |(s, z)| DateTime::new(s, z))
}

/// Text of a search key.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,5}",
        "[ -~]{0,10}",
        "\\PC{0,6}",
        "NIL",
        "(?s).{0,5}"
    ]
    .prop_filter("NUL", |text| !text.contains('\0'))
}

fn status_items(min: usize) -> impl Strategy<Value = Vec<StatusItem>> {
    use StatusItem::*;
    prop::collection::vec(
        select(vec![
            Messages,
            Recent,
            UidNext,
            UidValidity,
            Unseen,
            HighestModSeq,
            Size,
            Deleted,
        ]),
        min..4,
    )
}

pub fn section() -> impl Strategy<Value = Section> {
    let fields = || prop::collection::vec("[A-Za-z-]{1,8}|[!-9;-~ ]{1,5}", 1..3);
    let text = prop_oneof![
        Just(SectionText::Whole),
        Just(SectionText::Header),
        Just(SectionText::Text),
        Just(SectionText::Mime),
        fields().prop_map(SectionText::HeaderFields),
        fields().prop_map(SectionText::HeaderFieldsNot),
    ];
    (prop::collection::vec(nz(), 0..4), text)
        .prop_filter("MIME is of parts", |(part, text)| {
            !part.is_empty() || *text != SectionText::Mime
        })
        .prop_map(|(part, text)| Section { part, text })
}

fn fetch_item() -> impl Strategy<Value = FetchItem> {
    use FetchItem::*;
    let plain = select(vec![
        Flags,
        InternalDate,
        Size,
        Envelope,
        Body,
        BodyStructure,
        Uid,
        Rfc822,
        Rfc822Header,
        Rfc822Text,
        ModSeq,
        EmailId,
        ThreadId,
        Preview { lazy: false },
        Preview { lazy: true },
        GmMsgId,
        GmThrId,
        GmLabels,
    ]);
    let partial = of((any::<u32>(), nz()).prop_map(|(offset, length)| Partial { offset, length }));
    let sections =
        (section(), any::<bool>(), partial).prop_map(|(section, peek, partial)| Section {
            section,
            peek,
            partial,
        });
    prop_oneof![plain, sections]
}

fn search_key() -> impl Strategy<Value = SearchKey> {
    use SearchKey::*;
    let plain = select(vec![
        All, Answered, Unanswered, Deleted, Undeleted, Draft, Undraft, Flagged, Unflagged, Seen,
        Unseen, Recent, New, Old, Saved,
    ]);
    let texts = (
        select(vec![
            Bcc, Cc, From, To, Subject, Body, Text, EmailId, ThreadId, GmRaw,
        ] as Vec<fn(String) -> SearchKey>),
        text(),
    )
        .prop_map(|(key, text)| key(text));
    let dates =
        (
            select(vec![Before, On, Since, SentBefore, SentOn, SentSince]
                as Vec<fn(Date) -> SearchKey>),
            date(),
        )
            .prop_map(|(key, date)| key(date));
    let numbers = (0..=i64::MAX as u64).prop_flat_map(|n| {
        select(vec![
            Larger(n),
            Smaller(n),
            ModSeq(n),
            GmMsgId(n),
            GmThrId(n),
        ])
    });
    let leaf = prop_oneof![
        plain,
        texts,
        dates,
        numbers,
        sequence_set(true).prop_map(Sequence),
        sequence_set(true).prop_map(Uid),
        keyword().prop_map(Keyword),
        keyword().prop_map(Unkeyword),
        (text(), text()).prop_map(|(field, text)| Header(field, text)),
        nz().prop_map(Older),
        nz().prop_map(Younger),
        label().prop_map(GmLabels),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(And),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Or(Box::new(a), Box::new(b))),
            inner.prop_map(|key| Not(Box::new(key))),
        ]
    })
}

fn select_params() -> impl Strategy<Value = Select> {
    let qresync = (
        nz(),
        1..i64::MAX as u64,
        of(sequence_set(false)),
        of((sequence_set(false), sequence_set(false))),
    )
        .prop_map(|(uid_validity, mod_seq, known_uids, seq_match)| Qresync {
            uid_validity,
            mod_seq,
            known_uids,
            seq_match,
        });
    (mailbox(), any::<bool>(), of(qresync)).prop_map(|(mailbox, condstore, qresync)| Select {
        mailbox,
        condstore,
        qresync,
    })
}

fn list() -> impl Strategy<Value = List> {
    let selects =
        any::<[bool; 4]>().prop_map(|[subscribed, remote, recursive, special_use]| ListSelect {
            subscribed,
            remote,
            recursive_match: recursive && (subscribed || special_use),
            special_use,
        });
    let returns = (any::<[bool; 3]>(), status_items(0)).prop_map(
        |([subscribed, children, special_use], status)| ListReturn {
            subscribed,
            children,
            special_use,
            status,
        },
    );
    (
        of(selects),
        name(),
        prop::collection::vec(name(), 1..3),
        any::<bool>(),
        of(returns),
    )
        .prop_map(|(select, reference, patterns, listed, returns)| List {
            select,
            reference,
            patterns_listed: listed || patterns.len() > 1,
            patterns,
            returns,
        })
}

fn append() -> impl Strategy<Value = Append> {
    let form = select(vec![
        AppendForm::Plain,
        AppendForm::Binary,
        AppendForm::Utf8,
    ]);
    let literal = (0..35_000_000u64, any::<bool>(), form)
        .prop_map(|(size, waits, form)| AppendLiteral { size, waits, form });
    (
        mailbox(),
        prop::collection::vec(flag(), 0..3),
        of(date_time()),
        literal,
    )
        .prop_map(|(mailbox, flags, date, literal)| Append {
            mailbox,
            flags,
            date,
            literal,
        })
}

fn store() -> impl Strategy<Value = Store> {
    let what = prop_oneof![
        prop::collection::vec(flag(), 0..4).prop_map(Marks::Flags),
        prop::collection::vec(label(), 0..4).prop_map(Marks::Labels),
    ];
    let change = select(vec![Change::Replace, Change::Add, Change::Remove]);
    (
        by(),
        messages(),
        of(0..=i64::MAX as u64),
        change,
        any::<bool>(),
        what,
    )
        .prop_map(
            |(by, messages, unchanged_since, change, silent, what)| Store {
                by,
                messages,
                unchanged_since,
                change,
                silent,
                what,
            },
        )
}

fn fetch() -> impl Strategy<Value = Fetch> {
    (
        by(),
        messages(),
        prop::collection::vec(fetch_item(), 1..5),
        of(0..=i64::MAX as u64),
        any::<bool>(),
    )
        .prop_map(|(by, messages, items, changed_since, vanished)| Fetch {
            by,
            messages,
            items,
            changed_since,
            vanished: vanished && changed_since.is_some() && by == By::Uid,
        })
}

fn search() -> impl Strategy<Value = Search> {
    let returns = any::<[bool; 5]>().prop_map(|[min, max, all, count, save]| SearchReturn {
        min,
        max,
        all: all || !(min || max || count || save),
        count,
        save,
    });
    (by(), of(returns), search_key()).prop_map(|(by, returns, key)| Search { by, returns, key })
}

fn body() -> impl Strategy<Value = Body> {
    let plain = select(vec![
        Body::Capability,
        Body::Noop,
        Body::Logout,
        Body::StartTls,
        Body::Namespace,
        Body::Idle,
        Body::Check,
        Body::Close,
        Body::Unselect,
        Body::Expunge,
        Body::Id(None),
    ]);
    let secret = || prop::collection::vec(any::<u8>(), 0..12).prop_map(Secret::new);
    let transfer = || {
        (by(), messages(), mailbox()).prop_map(|(by, messages, to)| Transfer { by, messages, to })
    };
    let pattern =
        || (name(), name()).prop_map(|(reference, pattern)| Pattern { reference, pattern });
    let uses = prop::collection::vec(
        select(vec![SpecialUse::Sent, SpecialUse::Junk, SpecialUse::All]),
        0..3,
    );
    prop_oneof![
        plain,
        prop::collection::vec((text(), of(text())), 0..4).prop_map(|pairs| Body::Id(Some(pairs))),
        (
            "[A-Z0-9-]{1,10}",
            of("[A-Za-z0-9+/]{0,8}".prop_map(|text| Secret::new(text.into_bytes())))
        )
            .prop_map(|(mechanism, initial)| Body::Authenticate(Authenticate {
                mechanism,
                initial
            })),
        (text(), secret()).prop_map(|(user, password)| Body::Login { user, password }),
        prop::collection::vec("[A-Z0-9=-]{1,8}", 1..3).prop_map(Body::Enable),
        select_params().prop_map(Body::Select),
        select_params().prop_map(Body::Examine),
        (new_mailbox(), uses).prop_map(|(mailbox, special_use)| Body::Create {
            mailbox,
            special_use
        }),
        mailbox().prop_map(Body::Delete),
        (mailbox(), mailbox()).prop_map(|(from, to)| Body::Rename { from, to }),
        mailbox().prop_map(Body::Subscribe),
        mailbox().prop_map(Body::Unsubscribe),
        list().prop_map(Body::List),
        pattern().prop_map(Body::Lsub),
        pattern().prop_map(Body::Xlist),
        (mailbox(), status_items(1)).prop_map(|(mailbox, items)| Body::Status { mailbox, items }),
        append().prop_map(Body::Append),
        text().prop_map(Body::GetQuota),
        mailbox().prop_map(Body::GetQuotaRoot),
        messages().prop_map(Body::UidExpunge),
        search().prop_map(Body::Search),
        fetch().prop_map(Body::Fetch),
        store().prop_map(Body::Store),
        transfer().prop_map(Body::Copy),
        transfer().prop_map(Body::Move),
    ]
}

pub fn command() -> impl Strategy<Value = Command> {
    ("[A-Za-z0-9.]{1,6}", body()).prop_map(|(tag, body)| Command {
        tag: Tag::parse(tag.as_bytes()).unwrap(),
        body,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn what_is_printed_is_framed_and_parsed(command in command(), utf8: bool, plus: bool, size in 1usize..50) {
        let literals = if plus { Literals::NonSync(4096) } else { Literals::Wait };
        let bytes = command.print(utf8, literals).concat();
        let shown = String::from_utf8_lossy(&bytes).into_owned();

        let mut framer = Framer::new(Limits { non_sync_bytes_max: u64::MAX, ..Limits::default() });
        let mut framed = None;
        for piece in bytes.chunks(size) {
            framer.receive(piece);
            while let Some(event) = framer.next() {
                match event {
                    Event::Command(bytes) | Event::LiteralStart { head: bytes, .. } => framed = Some(bytes),
                    Event::AppendEnd { .. } | Event::Continue => {}
                    other => prop_assert!(false, "{:?}", other),
                }
            }
        }
        prop_assert_eq!(parse(&framed.unwrap(), utf8), Ok(command), "{}", shown);
    }

    #[test]
    fn a_client_waits_before_each_literal(command in command()) {
        let pieces = command.print(false, Literals::Wait);
        for piece in &pieces[..pieces.len() - 1] {
            let announced = piece.ends_with(b"}\r\n");
            prop_assert!(announced);
        }
    }

    #[test]
    fn sets_of_numbers_hold_what_was_put_in(mut numbers in prop::collection::vec(prop_oneof![1..60u32, Just(u32::MAX)], 0..40)) {
        let set: NumberSet = numbers.iter().copied().collect();
        let mut inserted = NumberSet::default();
        numbers.iter().for_each(|n| inserted.insert(*n));
        prop_assert_eq!(&set, &inserted);
        numbers.sort_unstable();
        numbers.dedup();
        prop_assert_eq!(set.iter().collect::<Vec<_>>(), numbers.clone());
        prop_assert_eq!(set.count(), numbers.len() as u64);
        for number in 0..62 {
            prop_assert_eq!(set.contains(number), numbers.contains(&number));
        }
        if let Some(written) = Option::<SequenceSet>::from(&set) {
            prop_assert_eq!(written.resolve(1), set.clone());
            prop_assert_eq!(SequenceSet::parse(set.to_string().as_bytes()), Ok(written));
        }
    }

    #[test]
    fn ranges_are_kept_as_written(pairs in prop::collection::vec((of(nz()), of(nz())), 1..5)) {
        let number = |n: Option<NonZeroU32>| n.map_or(SeqNumber::Largest, SeqNumber::Number);
        let ranges = pairs.into_iter().map(|(from, to)| SeqRange { from: number(from), to: number(to) });
        let set = SequenceSet::new(ranges.collect()).unwrap();
        prop_assert_eq!(SequenceSet::parse(set.to_string().as_bytes()), Ok(set));
    }

    #[test]
    fn names_are_spelled_both_ways(name in mailbox(), utf8: bool) {
        prop_assert_eq!(Mailbox::from_wire(name.to_wire(utf8).as_bytes(), utf8), Ok(name));
    }
}
