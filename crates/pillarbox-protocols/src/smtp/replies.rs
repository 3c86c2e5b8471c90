//! The texts of wire §5 and §6, to be read down the column. The session token and our word are put behind each when it is
//! sent.

use pillarbox_wire::smtp::{CommandError, Enhanced};

/// Code, enhanced code and text of a reply.
pub(super) type Line = (u16, Enhanced, &'static str);

// Done
pub(super) const READY_FOR_TLS: Line = (220, Enhanced(2, 0, 0), "Ready to start TLS");
pub(super) const SIGNED_IN: Line = (235, Enhanced(2, 7, 0), "Accepted");
pub(super) const OK: Line = (250, Enhanced(2, 0, 0), "OK");
pub(super) const SENDER_OK: Line = (250, Enhanced(2, 1, 0), "OK");
pub(super) const RECIPIENT_OK: Line = (250, Enhanced(2, 1, 5), "OK");
pub(super) const FLUSHED: Line = (250, Enhanced(2, 1, 5), "Flushed");
pub(super) const TRY: Line = (252, Enhanced(2, 1, 5), "Send some mail, I'll try my best");
pub(super) const BYE: Line = (221, Enhanced(2, 0, 0), "closing connection");

// The connection ends
pub(super) const EXPIRED: Line = (
    421,
    Enhanced(4, 7, 0),
    "Connection expired, try reconnecting.",
);
pub(super) const STOPPING: Line = (
    421,
    Enhanced(4, 3, 0),
    "Temporary System Problem. Try again later",
);
pub(super) const SILENT: Line = (451, Enhanced(4, 4, 2), "Timeout - closing connection.");
pub(super) const TOO_MANY_REFUSED: Line = (
    421,
    Enhanced(4, 7, 0),
    "Temporary System Problem. Try again later",
);
pub(super) const TOO_MANY_UNKNOWN: Line = (
    502,
    Enhanced(5, 5, 1),
    "Too many unrecognized commands, goodbye.",
);
pub(super) const TOO_MANY_UNAUTHENTICATED: Line =
    (554, Enhanced(5, 7, 0), "Too Many Unauthenticated commands.");
pub(super) const ENDLESS_LINE: Line = (500, Enhanced(5, 5, 2), "Line too long, goodbye.");
pub(super) const PIPELINED_TLS: Line = (
    523,
    Enhanced(5, 7, 10),
    "SMTP protocol violation, no commands allowed to pipeline after STARTTLS",
);

// Out of sequence
pub(super) const TLS_FIRST: Line = (
    530,
    Enhanced(5, 7, 0),
    "Must issue a STARTTLS command first.",
);
pub(super) const TLS_TWICE: Line = (454, Enhanced(5, 5, 1), "STARTTLS may not be repeated.");
pub(super) const EHLO_FIRST: Line = (503, Enhanced(5, 5, 1), "EHLO/HELO first.");
pub(super) const MAIL_FIRST: Line = (503, Enhanced(5, 5, 1), "MAIL first.");
pub(super) const RCPT_FIRST: Line = (503, Enhanced(5, 5, 1), "RCPT first.");
pub(super) const BAD_SEQUENCE: Line = (503, Enhanced(5, 5, 1), "Bad sequence of commands");
pub(super) const NO_DATA_AFTER_BDAT: Line = (503, Enhanced(5, 5, 1), "No DATA after BDAT");
pub(super) const SIGNED_IN_ALREADY: Line =
    (503, Enhanced(5, 7, 0), "No identity changes permitted.");
pub(super) const UNIMPLEMENTED: Line = (502, Enhanced(5, 5, 1), "Unimplemented command.");

// AUTH
pub(super) const UNKNOWN_MECHANISM: Line =
    (504, Enhanced(5, 7, 4), "Unrecognized Authentication Type.");
pub(super) const NO_XOAUTH: Line = (504, Enhanced(5, 7, 4), "XOAUTH is no longer supported");
pub(super) const BAD_SASL: Line = (501, Enhanced(5, 5, 2), "Cannot Decode response");
pub(super) const SASL_ABORTED: Line = (501, Enhanced(5, 7, 0), "Authentication canceled.");
// RFC 4954 §6
pub(super) const SASL_TOO_LONG: Line = (
    500,
    Enhanced(5, 5, 6),
    "Authentication Exchange line is too long",
);
pub(super) const TOO_MANY_ATTEMPTS: Line = (
    454,
    Enhanced(4, 7, 0),
    "Too many login attempts, please try again later.",
);
pub(super) const CANNOT_CHECK: Line = (
    454,
    Enhanced(4, 7, 0),
    "Cannot authenticate due to temporary system problem. Try again later.",
);

// Limits of a message
pub(super) const TOO_LARGE: Line = (
    552,
    Enhanced(5, 3, 4),
    "Your message exceeded our message size limits.",
);
pub(super) const TOO_MANY_RECIPIENTS: Line = (
    452,
    Enhanced(4, 5, 3),
    "Your message has too many recipients.",
);
// RFC 6531 §3.5
pub(super) const NEEDS_UTF8: Line = (553, Enhanced(5, 6, 7), "The address needs SMTPUTF8.");

/// What is wrong with a line that is no command.
pub(super) fn misunderstood(error: &CommandError) -> (u16, Enhanced, String) {
    let (code, enhanced, text) = match error {
        CommandError::Unknown => (502, Enhanced(5, 5, 1), "Unrecognized command."),
        CommandError::TooLong => (500, Enhanced(5, 5, 2), "Line too long."),
        CommandError::BadCharacters => {
            (500, Enhanced(5, 5, 2), "Syntax error, illegal characters.")
        }
        CommandError::EmptyName => (
            501,
            Enhanced(5, 5, 4),
            "Empty HELO/EHLO argument not allowed",
        ),
        CommandError::BadName => (501, Enhanced(5, 5, 4), "HELO/EHLO argument is invalid"),
        CommandError::PathSyntax => (555, Enhanced(5, 5, 2), "Syntax error."),
        CommandError::BadSender(address, _) => {
            let text = format!("The sender address <{address}> is not a valid RFC 5321 address.");
            return (553, Enhanced(5, 1, 7), text);
        }
        CommandError::BadRecipient(address, _) => {
            let text =
                format!("The recipient address <{address}> is not a valid RFC 5321 address.");
            return (553, Enhanced(5, 1, 3), text);
        }
        CommandError::NeedsSmtpUtf8 => (550, Enhanced(5, 6, 7), "The address needs SMTPUTF8."),
        CommandError::UnknownParameter(name) => {
            return (
                555,
                Enhanced(5, 5, 4),
                format!("Parameter {name} is not supported."),
            );
        }
        CommandError::BadParameter(name) => {
            return (
                501,
                Enhanced(5, 5, 4),
                format!("Parameter {name} is invalid."),
            );
        }
        CommandError::BadChunk => (501, Enhanced(5, 5, 4), "Chunk size is invalid, goodbye."),
        CommandError::StartTlsArgument => (
            501,
            Enhanced(5, 7, 11),
            "Syntax error (no parameters allowed).",
        ),
        CommandError::UnexpectedArgument | CommandError::WrongArguments => (
            501,
            Enhanced(5, 5, 4),
            "Syntax error in parameters or arguments.",
        ),
    };
    (code, enhanced, text.to_owned())
}
