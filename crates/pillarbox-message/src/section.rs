//! IMAP sections to byte ranges (RFC 3501 §6.4.5). Works on a record's parts and on a full structure alike.

use std::ops::Range;

use crate::{Kind, Part, Structure};

/// What of a part is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section<'a> {
    /// `[]` with an empty path (the whole message), `[1.2]` otherwise (the body of that part).
    Part(&'a [u32]),
    /// `[HEADER]`, `[2.HEADER]`; also where `HEADER.FIELDS` finds its header.
    Header(&'a [u32]),
    /// `[TEXT]`, `[2.TEXT]`
    Text(&'a [u32]),
    /// `[1.2.MIME]`; never with an empty path.
    Mime(&'a [u32]),
}

/// One node of a tree of parts, as far as sections need it.
#[derive(Clone, Debug)]
pub struct TreeNode {
    /// What it is made of.
    pub kind: Kind,
    /// Its header with the blank line.
    pub header: Range<u64>,
    /// Its body.
    pub body: Range<u64>,
}

/// A tree of parts, numbered from 0 in the order of the message; 0 is the message itself.
pub trait Tree {
    /// The node of that index, if there is one.
    fn node(&self, index: usize) -> Option<TreeNode>;
    /// Index of the `n`-th child (from 0) of a node.
    fn child(&self, index: usize, n: usize) -> Option<usize>;
}

/// A byte range of the message.
pub type Span = Range<u64>;

/// Where a section lies in the message; `None` if there is no such part, which IMAP answers with NIL.
pub fn resolve<T: Tree + ?Sized>(tree: &T, section: Section<'_>) -> Option<Span> {
    match section {
        Section::Part([]) => tree.node(0).map(|root| root.header.start..root.body.end),
        Section::Part(path) => find(tree, path)
            .and_then(|i| tree.node(i))
            .map(|part| part.body),
        Section::Mime([]) => None,
        Section::Mime(path) => find(tree, path)
            .and_then(|i| tree.node(i))
            .map(|part| part.header),
        Section::Header(path) => message_at(tree, path).map(|inner| inner.header),
        Section::Text(path) => message_at(tree, path).map(|inner| inner.body),
    }
}

/// Follows part numbers: those of a multipart count its children; a message that is no multipart has one part, itself.
fn find<T: Tree + ?Sized>(tree: &T, path: &[u32]) -> Option<usize> {
    let (&first, rest) = path.split_first()?;
    let mut at = step_into_message(tree, 0, first)?;
    for &number in rest {
        at = match tree.node(at)?.kind {
            Kind::Multipart => nth(tree, at, number)?,
            Kind::Message => step_into_message(tree, tree.child(at, 0)?, number)?,
            Kind::Leaf | Kind::Text | Kind::Closed => return None,
        };
    }
    Some(at)
}

fn step_into_message<T: Tree + ?Sized>(tree: &T, root: usize, number: u32) -> Option<usize> {
    match tree.node(root)?.kind {
        Kind::Multipart => nth(tree, root, number),
        _ => (number == 1).then_some(root),
    }
}

fn nth<T: Tree + ?Sized>(tree: &T, at: usize, number: u32) -> Option<usize> {
    tree.child(at, usize::try_from(number).ok()?.checked_sub(1)?)
}

/// HEADER and TEXT speak of the message itself, or of one inside a `message/rfc822` part.
fn message_at<T: Tree + ?Sized>(tree: &T, path: &[u32]) -> Option<TreeNode> {
    if path.is_empty() {
        return tree.node(0);
    }
    let part = find(tree, path)?;
    match tree.node(part)?.kind {
        Kind::Message => tree.node(tree.child(part, 0)?),
        _ => None,
    }
}

impl Tree for Structure {
    fn node(&self, index: usize) -> Option<TreeNode> {
        let entity = self.entities.get(index)?;
        let wide = |r: &Range<usize>| r.start as u64..r.end as u64;
        Some(TreeNode {
            kind: entity.kind,
            header: wide(&entity.header),
            body: wide(&entity.body),
        })
    }

    fn child(&self, index: usize, n: usize) -> Option<usize> {
        self.entities.get(index)?.children.get(n).copied()
    }
}

impl Tree for [Part] {
    fn node(&self, index: usize) -> Option<TreeNode> {
        let part = self.get(index)?;
        Some(TreeNode {
            kind: part.kind,
            header: part.header.clone(),
            body: part.body.clone(),
        })
    }

    fn child(&self, index: usize, n: usize) -> Option<usize> {
        let children = self.iter().enumerate().skip(index + 1);
        children
            .filter(|(_, part)| part.parent.map(|p| p as usize) == Some(index))
            .nth(n)
            .map(|(i, _)| i)
    }
}
