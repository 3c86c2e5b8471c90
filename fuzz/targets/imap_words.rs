//! The small grammars of IMAP: names, sets, dates, flags. Each value read is printed and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pillarbox_fuzz::choice;
use pillarbox_wire::imap::{
    Date, DateTime, Keyword, Label, Mailbox, NumberSet, SequenceSet, SpecialUse, Tag, mutf7,
};

fuzz_target!(|data: &[u8]| {
    let Some((how, bytes)) = choice(data) else {
        return;
    };
    names(bytes, how & 1 == 1);
    sets(bytes, u32::try_from(how).expect("a byte") * 1000);
    if let Some(date) = Date::parse(bytes) {
        assert_eq!(Date::parse(date.to_string().as_bytes()), Some(date));
        assert_eq!(
            Date::from_days_since_epoch(date.days_since_epoch()),
            Some(date)
        );
    }
    if let Some(it) = DateTime::parse(bytes) {
        assert_eq!(DateTime::parse(it.to_string().as_bytes()), Some(it));
    }
    if let Some(tag) = Tag::parse(bytes) {
        assert_eq!(Tag::parse(tag.as_str().as_bytes()), Some(tag));
    }
    let _ = (Tag::of_line(bytes), SpecialUse::parse(bytes));
    if let Some(keyword) = Keyword::parse(bytes) {
        assert_eq!(Keyword::parse(keyword.as_str().as_bytes()), Some(keyword));
    }
});

fn names(bytes: &[u8], utf8: bool) {
    if let Ok(name) = mutf7::decode(bytes) {
        assert_eq!(
            mutf7::encode(&name).as_bytes(),
            bytes,
            "one name, one spelling"
        );
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let wire = mutf7::encode(text);
        assert_eq!(mutf7::decode(wire.as_bytes()).as_deref(), Ok(text));
        assert!(wire.bytes().all(|b| (b' '..=b'~').contains(&b)));
        if let Some(mailbox) = Mailbox::new(text) {
            comes_back(&mailbox);
        }
        let _ = Label::new(text);
    }
    if let Ok(mailbox) = Mailbox::from_wire(bytes, utf8) {
        comes_back(&mailbox);
    }
}

fn comes_back(mailbox: &Mailbox) {
    for utf8 in [false, true] {
        let wire = mailbox.to_wire(utf8);
        assert_eq!(
            Mailbox::from_wire(wire.as_bytes(), utf8).as_ref(),
            Ok(mailbox),
            "{wire:?}"
        );
    }
}

fn sets(bytes: &[u8], largest: u32) {
    let Ok(set) = SequenceSet::parse(bytes) else {
        return;
    };
    let printed = set.to_string();
    assert_eq!(SequenceSet::parse(printed.as_bytes()).as_ref(), Ok(&set));
    let numbers = set.resolve(largest);
    ascending(&numbers);
    if let Some(plain) = Option::<SequenceSet>::from(&numbers) {
        assert_eq!(plain.resolve(largest), numbers);
    }
    let mut one_by_one = NumberSet::default();
    for number in numbers.iter().take(100) {
        assert!(numbers.contains(number));
        one_by_one.insert(number);
    }
    ascending(&one_by_one);
    assert_eq!(one_by_one.count(), numbers.count().min(100));
}

fn ascending(numbers: &NumberSet) {
    let mut before = 0;
    for &(first, last) in numbers.ranges() {
        assert!(first > before && first <= last);
        before = last;
    }
    assert_eq!(
        (numbers.is_empty(), numbers.last().unwrap_or(0)),
        (before == 0, before)
    );
}
