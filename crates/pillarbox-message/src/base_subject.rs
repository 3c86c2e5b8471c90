//! The base subject (RFC 5256 §2.1): what is left of a subject when replying and forwarding have left their marks.

/// A subject without its marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseSubject {
    /// What is left; may be empty.
    pub text: String,
    /// Marks of a reply or a forward were taken away.
    pub is_reply: bool,
}

/// Takes reply, forward and list marks from a decoded subject.
pub fn base_subject(decoded: &str) -> BaseSubject {
    // Step 1: one blank for each run of white space.
    let text = decoded.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut rest = text.as_str();
    let mut is_reply = false;
    loop {
        // Step 2: trailing "(fwd)".
        while let Some(head) = strip_suffix_ignoring_case(rest, "(fwd)") {
            (rest, is_reply) = (head.trim_end(), true);
        }
        // Steps 3 to 5, until nothing changes.
        while let Some((tail, reply)) =
            leader(rest).or_else(|| Some((blob(rest)?, false)).filter(|(tail, _)| !tail.is_empty()))
        {
            (rest, is_reply) = (tail, is_reply | reply);
        }
        // Step 6: "[fwd: ...]".
        match strip_prefix_ignoring_case(rest, "[fwd:").and_then(|r| r.strip_suffix(']')) {
            Some(inner) => (rest, is_reply) = (inner.trim(), true),
            None => break,
        }
    }
    BaseSubject {
        text: rest.to_owned(),
        is_reply,
    }
}

/// `subj-leader = (*subj-blob subj-refwd) / WSP`, `subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"`
fn leader(text: &str) -> Option<(&str, bool)> {
    if let Some(rest) = text.strip_prefix(' ') {
        return Some((rest, false));
    }
    let mut rest = text;
    while let Some(tail) = blob(rest) {
        rest = tail;
    }
    let rest = ["re", "fwd", "fw"]
        .iter()
        .find_map(|word| strip_prefix_ignoring_case(rest, word))?;
    let rest = rest.trim_start();
    let rest = blob(rest).unwrap_or(rest);
    rest.strip_prefix(':').map(|rest| (rest, true))
}

/// `subj-blob = "[" *BLOBCHAR "]" *WSP`
fn blob(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let end = inner.find(['[', ']'])?;
    inner[end..].strip_prefix(']').map(str::trim_start)
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix)
        .then(|| &text[prefix.len()..])
}

fn strip_suffix_ignoring_case<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let at = text.len().checked_sub(suffix.len())?;
    text.get(at..)?
        .eq_ignore_ascii_case(suffix)
        .then(|| &text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc5256_rules() {
        for (subject, base, reply) in [
            ("hello", "hello", false),
            ("Re: hello", "hello", true),
            ("RE:  re[2]: \t hello (Fwd)", "hello", true),
            ("[list] Re: hello", "hello", true),
            ("[list] hello", "hello", false),
            ("[list]", "[list]", false),
            ("[fwd: Re: hello]", "hello", true),
            ("Fwd: [x] fw: hello (fwd) (fwd)", "hello", true),
            ("Re:", "", true),
            ("regarding: x", "regarding: x", false),
            ("é", "é", false),
        ] {
            assert_eq!(
                base_subject(subject),
                BaseSubject {
                    text: base.into(),
                    is_reply: reply
                },
                "{subject}"
            );
        }
    }
}
