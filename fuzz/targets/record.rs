//! Any bytes as a stored record: refused or read, never a panic; a record that is taken comes back as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pillarbox_message::{Facts, FactsView, Limits, Needle, Section};

fuzz_target!(|data: &[u8]| {
    read(data);
    // A true record with some bytes changed goes deeper than random ones.
    let Some((&[at, change], raw)) = data.split_first_chunk() else {
        return;
    };
    let mut record = Facts::parse(raw, &Limits::default()).into_bytes();
    let cut = &record[..record.len() - 1];
    assert!(Facts::decode(cut).is_err(), "a cut record is refused");
    let at = usize::from(at) % record.len();
    record[at] ^= change;
    read(&record);
});

fn read(record: &[u8]) {
    if let Ok(facts) = Facts::decode(record) {
        assert_eq!(facts.encode(), record);
    }
    let Ok(view) = FactsView::new(record) else {
        return;
    };
    let _ = (
        view.envelope(),
        view.body(),
        view.bodystructure(),
        view.preview(),
        view.date(),
    );
    let _ = (
        view.size(),
        view.flags(),
        view.has_attachment(),
        view.parts(),
        view.subject(),
    );
    let _ = (
        view.base_subject(),
        view.message_id(),
        view.in_reply_to(),
        view.references(),
    );
    let _ = (
        view.list_id(),
        view.addresses("From"),
        view.attachment_names().count(),
    );
    let _ = (
        view.header_fields(&["To"]),
        view.section(Section::Text(&[1])),
    );
    let _ = view.header_contains("Subject", &Needle::new("x"));
}
