//! A coarser copy of a structure, for records that would grow too large: the outer levels stay, the deepest go first.

use crate::address::Address;
use crate::content::{Content, Param};
use crate::envelope::Envelope;
use crate::{Kind, Structure};

/// Keeps about the first `parts_max` parts level by level, `string_max` bytes of every text and `list_max` entries of every
/// list. A part whose inside went is [`Kind::Closed`], so the copy is as valid as the original.
pub(crate) fn abridge(
    structure: &Structure,
    parts_max: usize,
    string_max: usize,
    list_max: usize,
) -> Structure {
    let places = places(structure, parts_max);
    let kept = structure
        .entities
        .iter()
        .enumerate()
        .filter(|(i, _)| places[*i].is_some());
    let entities = kept.map(|(_, entity)| {
        let mut entity = entity.clone();
        entity.parent = entity.parent.and_then(|p| places[p]);
        let had_inside = !entity.children.is_empty();
        entity.children = entity.children.iter().filter_map(|&c| places[c]).collect();
        if had_inside && entity.children.is_empty() {
            entity.kind = Kind::Closed;
        }
        shorten_content(&mut entity.content, string_max, list_max);
        if let Some(envelope) = &mut entity.envelope {
            shorten_envelope(envelope, string_max, list_max);
        }
        entity
    });
    Structure {
        entities: entities.collect(),
        flags: structure.flags,
    }
}

/// New index of each part that stays: breadth first, so that depth goes before width.
fn places(structure: &Structure, parts_max: usize) -> Vec<Option<usize>> {
    let mut stays = vec![false; structure.entities.len()];
    let mut queue = std::collections::VecDeque::from([0]);
    let mut count = 0;
    while let Some(index) = queue.pop_front().filter(|_| count < parts_max) {
        stays[index] = true;
        count += 1;
        queue.extend(&structure.entities[index].children);
    }
    let mut next = 0;
    let place = |stays: bool| {
        let place = stays.then_some(next);
        next += usize::from(stays);
        place
    };
    stays.into_iter().map(place).collect()
}

fn shorten_content(content: &mut Content, string_max: usize, list_max: usize) {
    let Content {
        media_type,
        subtype,
        params,
        id,
        description,
        encoding,
        md5,
        disposition,
        language,
        location,
    } = content;
    for text in [media_type, subtype].into_iter().chain(
        [id, description, encoding, md5, location]
            .into_iter()
            .flatten(),
    ) {
        text.truncate(string_max);
    }
    shorten_params(params, string_max, list_max);
    if let Some(disposition) = disposition {
        disposition.kind.truncate(string_max);
        shorten_params(&mut disposition.params, string_max, list_max);
    }
    language.truncate(list_max);
    language.iter_mut().for_each(|tag| tag.truncate(string_max));
}

fn shorten_params(params: &mut Vec<Param>, string_max: usize, list_max: usize) {
    params.truncate(list_max);
    for (name, value) in params {
        name.truncate(string_max);
        value.truncate(string_max);
    }
}

fn shorten_envelope(envelope: &mut Envelope, string_max: usize, list_max: usize) {
    let Envelope {
        date,
        subject,
        from,
        sender,
        reply_to,
        to,
        cc,
        bcc,
        in_reply_to,
        message_id,
    } = envelope;
    for text in [date, subject, in_reply_to, message_id]
        .into_iter()
        .flatten()
    {
        text.truncate(string_max);
    }
    for list in [from, sender, reply_to, to, cc, bcc] {
        shorten_addresses(list, string_max, list_max);
    }
}

fn shorten_addresses(list: &mut Vec<Address>, string_max: usize, list_max: usize) {
    list.truncate(list_max);
    for address in list.iter_mut() {
        match address {
            Address::Mailbox {
                name,
                route,
                mailbox,
                host,
            } => {
                for text in [name, route].into_iter().flatten().chain([mailbox, host]) {
                    text.truncate(string_max);
                }
            }
            Address::GroupStart(name) => name.truncate(string_max),
            Address::GroupEnd => {}
        }
    }
    let mark = list
        .iter()
        .rev()
        .find(|a| !matches!(a, Address::Mailbox { .. }));
    if matches!(mark, Some(Address::GroupStart(_))) {
        list.push(Address::GroupEnd);
    }
}
