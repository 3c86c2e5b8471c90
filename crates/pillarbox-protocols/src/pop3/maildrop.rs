//! The numbers of one session: messages as they were at sign-in, what was retrieved and what is marked for deletion.

use pillarbox_store::mail::{MessageId, PopItem};

#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    retrieved: bool,
    deleted: bool,
}

/// Messages numbered from 1, oldest first (RFC 1939 §5).
#[derive(Debug, Default)]
pub struct Maildrop {
    items: Vec<(PopItem, Marks)>,
}

impl Maildrop {
    /// Numbers the messages.
    #[must_use]
    pub fn new(items: Vec<PopItem>) -> Self {
        Self {
            items: items
                .into_iter()
                .map(|item| (item, Marks::default()))
                .collect(),
        }
    }

    /// The message of this number, unless it is marked as deleted.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&PopItem> {
        let (item, marks) = self.items.get(index(number)?)?;
        (!marks.deleted).then_some(item)
    }

    /// Messages that are not marked as deleted, with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &PopItem)> {
        let numbered = (1..).zip(&self.items);
        numbered.filter_map(|(number, (item, marks))| (!marks.deleted).then_some((number, item)))
    }

    /// How many there are and their octets, as STAT counts them.
    #[must_use]
    pub fn stat(&self) -> (usize, u64) {
        self.iter().fold((0, 0), |(count, octets), (_, item)| {
            (count + 1, octets + u64::from(item.size))
        })
    }

    /// Was sent whole; becomes popped at QUIT.
    pub fn mark_retrieved(&mut self, number: u32) {
        if let Some(marks) = self.marks(number) {
            marks.retrieved = true;
        }
    }

    /// DELE; false if there is no such message.
    pub fn delete(&mut self, number: u32) -> bool {
        match self.marks(number) {
            Some(marks) if !marks.deleted => {
                marks.deleted = true;
                true
            }
            _ => false,
        }
    }

    /// RSET: nothing is deleted. What was retrieved was retrieved (RFC 1939 §5 unmarks deletions only).
    pub fn reset(&mut self) {
        for (_, marks) in &mut self.items {
            marks.deleted = false;
        }
    }

    /// What QUIT has to tell the store: retrieved and deleted messages.
    #[must_use]
    pub fn outcome(&self) -> (Vec<MessageId>, Vec<MessageId>) {
        let ids = |wanted: fn(&Marks) -> bool| {
            let chosen = self.items.iter().filter(move |(_, marks)| wanted(marks));
            chosen.map(|(item, _)| item.message).collect()
        };
        (ids(|marks| marks.retrieved), ids(|marks| marks.deleted))
    }

    fn marks(&mut self, number: u32) -> Option<&mut Marks> {
        let (_, marks) = self.items.get_mut(index(number)?)?;
        Some(marks)
    }
}

fn index(number: u32) -> Option<usize> {
    usize::try_from(number).ok()?.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pillarbox_store::blob::BlobId;

    fn drop_of(sizes: &[u32]) -> Maildrop {
        let item = |(n, size): (u64, &u32)| PopItem {
            message: MessageId(n),
            size: *size,
            blob: BlobId([0; 16]),
        };
        Maildrop::new((10..).zip(sizes).map(item).collect())
    }

    #[test]
    fn numbers_stay_when_a_message_is_deleted_and_rset_brings_it_back() {
        let mut drop = drop_of(&[100, 20, 3]);
        assert!(drop.delete(2) && !drop.delete(2) && !drop.delete(4) && !drop.delete(0));
        assert_eq!(drop.stat(), (2, 103));
        assert_eq!(drop.iter().map(|(n, _)| n).collect::<Vec<_>>(), [1, 3]);
        assert!(drop.get(2).is_none() && drop.get(3).is_some());
        drop.reset();
        assert_eq!(drop.stat(), (3, 123));
    }

    #[test]
    fn quit_tells_what_was_retrieved_and_what_was_deleted() {
        let mut drop = drop_of(&[1, 1, 1]);
        drop.mark_retrieved(1);
        drop.mark_retrieved(9);
        drop.delete(3);
        assert_eq!(drop.outcome(), (vec![MessageId(10)], vec![MessageId(12)]));
    }
}
