//! An authorization request as it stands in an address or a form, beside it the mark of a sign-in that was made for it.

use crate::form::{self, Pairs};

/// The parameter of ours that carries the mark. No program sets it: it is taken away before the request is read.
const MARK: &str = "pillarbox_signed_in";

/// A request, and what the browser brought with it.
pub(crate) struct Asked {
    pub pairs: Pairs,
    /// The pairs as text.
    pub text: String,
    /// Empty if there is none.
    pub mark: String,
}

impl Asked {
    pub(crate) fn read(text: &[u8]) -> Self {
        let (marks, mut pairs): (Pairs, Pairs) = form::read(text)
            .into_iter()
            .partition(|(name, _)| name == MARK);
        // We write one mark. What more of them hid at the end was not read, and must not seem to be absent.
        if marks.len() > 1 {
            pairs.extend(marks.iter().cloned());
        }
        Self {
            text: form::print(&pairs),
            pairs,
            mark: form::get(&marks, MARK).to_owned(),
        }
    }

    /// The request with its mark, for the next form.
    pub(crate) fn whole(&self) -> String {
        with_mark(&self.text, &self.mark)
    }
}

/// A request's text with a mark.
pub(crate) fn with_mark(text: &str, mark: &str) -> String {
    match mark {
        "" => text.to_owned(),
        mark => format!("{text}&{MARK}={}", form::encode(mark)),
    }
}
