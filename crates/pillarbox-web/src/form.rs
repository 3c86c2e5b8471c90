//! Forms and queries as lists of pairs: repeated names must stay visible, RFC 6749 §3.1 forbids them.

use pillarbox_oauth::REQUEST_PARAMS_MAX;
use url::form_urlencoded;

/// Most members read: more than a request may have, so that one with too many is seen to have them, and refused. A mark of
/// ours may be there beside a request.
const MEMBERS_READ: usize = REQUEST_PARAMS_MAX + 2;

/// Names and values.
pub(crate) type Pairs = Vec<(String, String)>;

/// Reads a query or the body of a form.
pub(crate) fn read(text: &[u8]) -> Pairs {
    form_urlencoded::parse(text)
        .into_owned()
        .take(MEMBERS_READ)
        .collect()
}

/// Prints them again.
pub(crate) fn print(pairs: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

/// The first value of a name, else nothing.
pub(crate) fn get<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    pairs
        .iter()
        .find(|(other, _)| other == name)
        .map_or("", |(_, value)| value)
}

/// One text as it stands in a query.
pub(crate) fn encode(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
