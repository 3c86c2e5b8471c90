//! LIST, LSUB and XLIST (RFC 3501 §6.3.8, §6.3.9; RFC 5258; RFC 5819; RFC 6154; wire §3.5).

use super::desk::Signed;
use super::out::Out;
use super::refuse::Refused;
use super::status;
use super::task::{Worked, success};
use pillarbox_store::mail::{Mailbox, Role, Version};
use pillarbox_wire::imap::ListLine;
use pillarbox_wire::imap::command::{List, Pattern};
use std::collections::{BTreeMap, BTreeSet};

/// One name of the tree: a mailbox, or a parent that exists only because something is below it.
struct Node {
    mailbox: Option<Mailbox>,
    has_children: bool,
    /// Something below it is subscribed.
    subscribed_below: bool,
}

/// The tree by name, INBOX first.
struct Tree {
    version: Version,
    nodes: BTreeMap<(bool, String), Node>,
}

async fn tree(signed: &Signed) -> Result<Tree, Refused> {
    let (version, mailboxes) = signed.account.mailboxes().await?;
    let key = |name: &str| (name != "INBOX", name.to_owned());
    let mut nodes: BTreeMap<(bool, String), Node> = BTreeMap::new();
    for mailbox in mailboxes.into_iter().filter(|one| signed.shows(one)) {
        for (at, _) in mailbox.name.match_indices('/') {
            let parent = nodes.entry(key(&mailbox.name[..at])).or_insert(Node {
                mailbox: None,
                has_children: true,
                subscribed_below: false,
            });
            parent.has_children = true;
            parent.subscribed_below |= mailbox.subscribed;
        }
        let name = key(&mailbox.name);
        let known = nodes.entry(name).or_insert(Node {
            mailbox: None,
            has_children: false,
            subscribed_below: false,
        });
        known.mailbox = Some(mailbox);
    }
    Ok(Tree { version, nodes })
}

/// The special-use attribute (RFC 6154 §2, RFC 8457 §3).
fn special_use(role: Role) -> Option<&'static str> {
    Some(match role {
        Role::Inbox => return None,
        Role::All => "\\All",
        Role::Drafts => "\\Drafts",
        Role::Important => "\\Important",
        Role::Sent => "\\Sent",
        Role::Junk => "\\Junk",
        Role::Starred => "\\Flagged",
        Role::Trash => "\\Trash",
    })
}

/// What XLIST calls it (wire §3.5).
fn xlist_use(role: Role) -> &'static str {
    match role {
        Role::Inbox => "\\Inbox",
        Role::All => "\\AllMail",
        Role::Drafts => "\\Drafts",
        Role::Important => "\\Important",
        Role::Sent => "\\Sent",
        Role::Junk => "\\Spam",
        Role::Starred => "\\Starred",
        Role::Trash => "\\Trash",
    }
}

impl Node {
    fn role(&self) -> Option<Role> {
        self.mailbox.as_ref().and_then(|mailbox| mailbox.role)
    }

    fn subscribed(&self) -> bool {
        self.mailbox
            .as_ref()
            .is_some_and(|mailbox| mailbox.subscribed)
    }

    fn attributes(&self, absent: &'static str) -> Vec<&'static str> {
        let children = if self.has_children {
            "\\HasChildren"
        } else {
            "\\HasNoChildren"
        };
        let mut all = vec![children];
        if self.mailbox.is_none() {
            all.push(absent);
        }
        all
    }
}

/// Sorted, as wire §3.5 wants it.
fn sorted(mut attributes: Vec<&'static str>) -> Vec<&'static str> {
    attributes.sort_unstable();
    attributes
}

fn line(
    name: &str,
    attributes: &[&str],
    mailbox: &str,
    child_info: bool,
    signed: &Signed,
    out: &mut Out,
) {
    out.printer(signed.utf8).list_line(&ListLine {
        name,
        attributes,
        delimiter: Some('/'),
        mailbox,
        child_info_subscribed: child_info,
    });
}

/// LIST, plain and extended.
pub async fn list(command: &List, signed: &Signed, out: &mut Out) -> Result<Worked, Refused> {
    if !command.is_extended() && command.patterns.iter().all(String::is_empty) {
        return root("LIST", signed, out);
    }
    let tree = tree(signed).await?;
    let select = command.select.unwrap_or_default();
    let returns = command.returns.clone().unwrap_or_default();
    let patterns: Vec<String> = command
        .patterns
        .iter()
        .map(|pattern| joined(&command.reference, pattern))
        .collect();
    // wire §3.5: the extended form names what does not exist so.
    let absent = if command.is_extended() {
        "\\NonExistent"
    } else {
        "\\Noselect"
    };
    for ((_, name), node) in &tree.nodes {
        if !patterns.iter().any(|pattern| matches(pattern, name)) {
            continue;
        }
        let child_info = select.recursive_match && select.subscribed && node.subscribed_below;
        let wanted = (!select.subscribed || node.subscribed() || child_info)
            && (!select.special_use || node.role().and_then(special_use).is_some());
        if !wanted {
            continue;
        }
        let mut attributes = node.attributes(absent);
        attributes.extend(node.role().and_then(special_use));
        if node.subscribed() && (select.subscribed || returns.subscribed) {
            attributes.push("\\Subscribed");
        }
        line("LIST", &sorted(attributes), name, child_info, signed, out);
        if let (false, Some(mailbox)) = (returns.status.is_empty(), &node.mailbox) {
            status::line(mailbox, tree.version, &returns.status, signed, out).await?;
        }
    }
    success()
}

/// LSUB: with `%`, names above subscribed ones are shown as `\Noselect` (RFC 3501 §6.3.9).
pub async fn lsub(pattern: &Pattern, signed: &Signed, out: &mut Out) -> Result<Worked, Refused> {
    if pattern.pattern.is_empty() {
        return root("LSUB", signed, out);
    }
    let tree = tree(signed).await?;
    let wanted = joined(&pattern.reference, &pattern.pattern);
    for ((_, name), node) in tree
        .nodes
        .iter()
        .filter(|((_, name), _)| matches(&wanted, name))
    {
        if node.subscribed() {
            line(
                "LSUB",
                &sorted(node.attributes("\\Noselect")),
                name,
                false,
                signed,
                out,
            );
        } else if node.subscribed_below && wanted.contains('%') {
            line(
                "LSUB",
                &["\\HasChildren", "\\Noselect"],
                name,
                false,
                signed,
                out,
            );
        }
    }
    success()
}

/// XLIST, which old clients of Gmail still use.
pub async fn xlist(pattern: &Pattern, signed: &Signed, out: &mut Out) -> Result<Worked, Refused> {
    if pattern.pattern.is_empty() {
        return root("XLIST", signed, out);
    }
    let tree = tree(signed).await?;
    let wanted = joined(&pattern.reference, &pattern.pattern);
    for ((_, name), node) in tree
        .nodes
        .iter()
        .filter(|((_, name), _)| matches(&wanted, name))
    {
        let mut attributes = node.attributes("\\Noselect");
        attributes.extend(node.role().map(xlist_use));
        line("XLIST", &sorted(attributes), name, false, signed, out);
    }
    success()
}

/// The empty pattern asks for the delimiter (RFC 3501 §6.3.8).
fn root(name: &str, signed: &Signed, out: &mut Out) -> Result<Worked, Refused> {
    let _ = signed;
    out.line(format_args!("* {name} (\\Noselect) \"/\" \"\""));
    success()
}

fn joined(reference: &str, pattern: &str) -> String {
    format!("{reference}{pattern}")
}

/// Whether a name matches: `*` is any text, `%` any text within one level (RFC 3501 §6.3.8). INBOX is matched without
/// regard to case. Work is bounded by the two lengths multiplied, whatever the pattern.
fn matches(pattern: &str, name: &str) -> bool {
    let inbox = name == "INBOX";
    let same = |p: char, n: char| p == n || (inbox && p.eq_ignore_ascii_case(&n));
    let name: Vec<char> = name.chars().collect();
    // Positions of the name that the pattern read so far can have reached.
    let mut reached = BTreeSet::from([0]);
    for p in pattern.chars() {
        reached = match p {
            '*' => reached
                .first()
                .map(|&from| (from..=name.len()).collect())
                .unwrap_or_default(),
            '%' => reached
                .iter()
                .flat_map(|&from| from..=level_end(&name, from))
                .collect(),
            p => reached
                .iter()
                .filter(|&&at| name.get(at).is_some_and(|n| same(p, *n)))
                .map(|at| at + 1)
                .collect(),
        };
        if reached.is_empty() {
            return false;
        }
    }
    reached.contains(&name.len())
}

fn level_end(name: &[char], from: usize) -> usize {
    name[from..]
        .iter()
        .position(|c| *c == '/')
        .map_or(name.len(), |at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("*", "a/b", true),
            ("%", "a", true),
            ("%", "a/b", false),
            ("%/%", "a/b", true),
            ("a*c", "abc/c", true),
            ("a%c", "ab/c", false),
            ("inbox", "INBOX", true),
            ("inb%", "INBOX", true),
            ("receipts", "Receipts", false),
            ("", "a", false),
            ("[Gmail]/%", "[Gmail]/All Mail", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn hostile_patterns_cost_little() {
        let name = "a".repeat(200);
        assert!(!matches(&format!("{}b", "%*a".repeat(2000)), &name));
    }
}
