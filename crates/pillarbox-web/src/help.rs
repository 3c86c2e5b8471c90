//! The page that refusals of the mail services point to (wire §3.3, §4.3, §5.4): what their words mean, and what to do. Nobody
//! has to sign in to read it, and it does not say why somebody was refused: that stands on the page "Activity" of the account.

use crate::pages::show;
use crate::{App, Site, form};
use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;

/// A refusal, by the name it has in SMTP's addresses (`?p=`), and in ours behind `#`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Topic {
    InvalidSecondFactor,
    BadCredentials,
    WantAuthError,
    TooManyAttempts,
}

/// In this order; that of IMAP and POP, which name none in their address, is the first.
const TOPICS: [Topic; 4] = [
    Topic::InvalidSecondFactor,
    Topic::BadCredentials,
    Topic::WantAuthError,
    Topic::TooManyAttempts,
];

#[derive(Template)]
#[template(path = "help.html")]
struct Help<'a> {
    site: &'a Site,
    topics: Vec<Topic>,
}

impl Topic {
    fn name(self) -> &'static str {
        match self {
            Self::InvalidSecondFactor => "InvalidSecondFactor",
            Self::BadCredentials => "BadCredentials",
            Self::WantAuthError => "WantAuthError",
            Self::TooManyAttempts => "TooManyAttempts",
        }
    }
}

/// All of them, the one that was asked for first.
fn ordered(asked: &str) -> Vec<Topic> {
    let mut topics = TOPICS.to_vec();
    // Stable: what was not asked for stays in order.
    topics.sort_by_key(|topic| !topic.name().eq_ignore_ascii_case(asked));
    topics
}

pub(crate) async fn page(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    let pairs = form::read(query.unwrap_or_default().as_bytes());
    let page = Help {
        site: &app.site,
        topics: ordered(form::get(&pairs, "p")),
    };
    show(StatusCode::OK, &page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_comes_first_and_the_rest_stays() {
        assert_eq!(ordered(""), TOPICS);
        assert_eq!(ordered("nonsense"), TOPICS);
        for topic in TOPICS {
            let found = ordered(topic.name());
            assert_eq!((found[0], found.len()), (topic, TOPICS.len()));
        }
        assert_eq!(ordered("wantautherror")[1], TOPICS[0]);
    }
}
