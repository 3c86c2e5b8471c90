//! ID (RFC 2971): who we are. What the client says of itself goes to the log.

use super::Context;
use super::refuse::printable;
use pillarbox_wire::imap::Printer;
use std::net::IpAddr;

/// Longest program name kept, in characters.
const PROGRAM_CHARS_MAX: usize = 60;

/// The client's name and version as it gives them, for the list of sessions.
pub fn program(client: Option<&[(String, Option<String>)]>) -> Option<String> {
    let field = |name: &str| {
        let mut fields = client?
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let text = printable(fields.next()?.1.as_deref()?.trim());
        (!text.is_empty()).then_some(text)
    };
    let name = field("name")?;
    let program = match field("version") {
        Some(version) => format!("{name} {version}"),
        None => name,
    };
    Some(program.chars().take(PROGRAM_CHARS_MAX).collect())
}

/// The untagged line: the fields of wire §3.1. Before sign-in also the session token.
pub fn run(
    context: &Context,
    client: Option<&[(String, Option<String>)]>,
    peer: IpAddr,
    token: &str,
    signed_in: bool,
) -> Vec<u8> {
    for (key, value) in client
        .unwrap_or_default()
        .iter()
        .take(context.limits.id_pairs_max)
    {
        tracing::debug!(
            session = token,
            key = printable(key),
            value = value.as_deref().map(printable),
            "client id"
        );
    }
    let peer = peer.to_string();
    let support = context.help_url.as_str();
    let mut fields = vec![
        ("name", context.product.as_str()),
        ("vendor", &context.vendor),
        ("support-url", support),
        ("version", &context.version),
        ("remote-host", &peer),
    ];
    if !signed_in {
        fields.push(("connection-token", token));
    }
    let mut line = Vec::new();
    Printer::new(&mut line, false).id_line(&fields);
    line
}

#[cfg(test)]
mod tests {
    use super::program;

    fn said(fields: &[(&str, Option<&str>)]) -> Option<String> {
        let own = |(key, value): &(&str, Option<&str>)| ((*key).into(), value.map(Into::into));
        let fields: Vec<_> = fields.iter().map(own).collect();
        program(Some(&fields))
    }

    #[test]
    fn a_program_is_its_name_and_version_cut_and_printable() {
        let both = [("Version", Some("140.1")), ("NAME", Some("Thunderbird"))];
        assert_eq!(said(&both).as_deref(), Some("Thunderbird 140.1"));
        assert_eq!(said(&[("name", Some("a\u{7}b"))]).as_deref(), Some("a?b"));
        assert_eq!(said(&[("name", None), ("version", Some("1"))]), None);
        assert_eq!(program(None), None);
        let long = "x".repeat(500);
        assert_eq!(said(&[("name", Some(&long))]).map(|it| it.len()), Some(60));
    }
}
