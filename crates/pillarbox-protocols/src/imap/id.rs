//! ID (RFC 2971): who we are. What the client says of itself goes to the log.

use super::Context;
use super::refuse::printable;
use pillarbox_wire::imap::Printer;
use std::net::IpAddr;

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
