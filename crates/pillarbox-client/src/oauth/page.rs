//! What the browser shows at the end. It comes from a program, not from the server, so it is whole in itself: no other
//! resource, no script, and not a word that came from outside.

/// Says how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// There are tokens.
    Done,
    /// The person said no.
    Denied,
    /// The person said yes, and then something went wrong.
    Failed,
    /// Nobody waits for this answer.
    Stray,
}

const STYLE: &str = "\
:root{color-scheme:light dark;--paper:#f4f3f0;--card:#fff;--ink:#1c1e21;--soft:#5a5f66;--line:#d9d7d1;--mark:#1b7f4b;--back:#e3f4ea}\
.no{--mark:#9a5b00;--back:#fbf0dc}\
@media(prefers-color-scheme:dark){:root{--paper:#131518;--card:#1c1f23;--ink:#eceef0;--soft:#a7adb5;--line:#343940;--mark:#6fd39c;--back:#17392a}\
.no{--mark:#f0bd6a;--back:#3a2c12}}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;background:var(--paper);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}\
main{width:100%;max-width:26rem;padding:2rem 1.75rem;background:var(--card);border:1px solid var(--line);border-radius:.9rem;text-align:center}\
svg{width:3.25rem;height:3.25rem;padding:.8rem;border-radius:50%;background:var(--back);color:var(--mark)}\
h1{margin:.9rem 0 .4rem;font-size:1.35rem;line-height:1.3}\
p{margin:.4rem 0 0;color:var(--soft)}";

const TICK: &str = "M4 12.5 9.5 18 20 6.5";
const BANG: &str = "M12 4v10M12 19v.5";

impl Ending {
    pub(super) fn status(self) -> &'static str {
        match self {
            Self::Stray => "400 Bad Request",
            _ => "200 OK",
        }
    }

    pub(super) fn page(self) -> String {
        let (title, text) = match self {
            Self::Done => ("You are signed in", "The program has what it needs."),
            Self::Denied => ("Nothing was allowed", "The program that asked was told so."),
            Self::Failed => (
                "The sign-in did not succeed",
                "The program that asked says why.",
            ),
            Self::Stray => (
                "Nobody waits for this answer",
                "It belongs to another sign-in. Start again in the program.",
            ),
        };
        let (class, mark) = match self {
            Self::Done => ("yes", TICK),
            _ => ("no", BANG),
        };
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<link rel=\"icon\" href=\"data:,\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main class=\"{class}\">\n\
             <svg viewBox=\"0 0 24 24\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"3\" stroke-linecap=\"round\" \
             stroke-linejoin=\"round\" aria-hidden=\"true\"><path d=\"{mark}\"/></svg>\n\
             <h1>{title}</h1>\n<p>{text}</p>\n<p>You can close this window.</p>\n</main>\n</body>\n</html>\n"
        )
    }
}
