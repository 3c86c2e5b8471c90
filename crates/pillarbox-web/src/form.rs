//! Forms and queries as lists of pairs: repeated names must stay visible, RFC 6749 §3.1 forbids them.

use url::form_urlencoded;

/// Most members looked at.
const MEMBERS_MAX: usize = 64;

/// Names and values.
pub(crate) type Pairs = Vec<(String, String)>;

/// Reads a query or the body of a form.
pub(crate) fn read(text: &[u8]) -> Pairs {
    form_urlencoded::parse(text)
        .into_owned()
        .take(MEMBERS_MAX)
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
