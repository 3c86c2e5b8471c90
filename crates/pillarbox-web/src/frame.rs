//! What surrounds the pages of a signed-in person: the way between them, and what came of the last form.

use crate::form;
use crate::signed::Signed;

/// A way to another page.
pub(crate) struct Tab {
    pub name: &'static str,
    pub path: &'static str,
    pub here: bool,
}

/// See the module.
pub(crate) struct Frame<'a> {
    /// Who is signed in.
    pub address: &'a str,
    pub initial: String,
    /// What the tabs lead through, for those who hear them.
    pub label: &'static str,
    pub tabs: Vec<Tab>,
    /// Where else this person may go: name and path.
    pub other: Option<(&'static str, &'static str)>,
    /// What came of the last form.
    pub notice: Option<String>,
}

const ACCOUNT: [(&str, &str); 7] = [
    ("Overview", "/account"),
    ("Apps", "/account/apps"),
    ("App passwords", "/account/app-passwords"),
    ("Sessions", "/account/sessions"),
    ("Signing in", "/account/sign-in"),
    ("Set up", "/account/setup"),
    ("Activity", "/account/activity"),
];

const ADMIN: [(&str, &str); 7] = [
    ("Accounts", "/admin/accounts"),
    ("Domains", "/admin/domains"),
    ("Apps", "/admin/apps"),
    ("Sessions", "/admin/sessions"),
    ("Changes", "/admin/changes"),
    ("Log", "/admin/log"),
    ("Health", "/admin/health"),
];

impl<'a> Frame<'a> {
    /// Around a page about the person's own account.
    pub(crate) fn account(signed: &'a Signed, path: &str) -> Self {
        let other = signed
            .administrator
            .then_some(("Administration", "/admin/accounts"));
        Self::new(signed, "Your account", &ACCOUNT, path, other)
    }

    /// Around a page about the server.
    pub(crate) fn admin(signed: &'a Signed, path: &str) -> Self {
        let other = Some(("Your account", "/account"));
        Self::new(signed, "Administration", &ADMIN, path, other)
    }

    fn new(
        signed: &'a Signed,
        label: &'static str,
        tabs: &[(&'static str, &'static str)],
        path: &str,
        other: Option<(&'static str, &'static str)>,
    ) -> Self {
        let tab = |(name, to): &(&'static str, &'static str)| Tab {
            name,
            path: to,
            here: *to == path,
        };
        let address = &**signed.person.address();
        Self {
            address,
            initial: address
                .chars()
                .take(1)
                .flat_map(char::to_uppercase)
                .collect(),
            label,
            tabs: tabs.iter().map(tab).collect(),
            other,
            notice: None,
        }
    }

    /// With what the query says of the last form. The words are ours: a link from elsewhere can choose among them only.
    pub(crate) fn after(mut self, query: Option<String>) -> Self {
        let query = form::read(query.unwrap_or_default().as_bytes());
        let ended = form::get(&query, "ended").parse::<u16>().ok();
        let sessions = |count: u16| match count {
            0 => "No mail session was using it.".to_owned(),
            1 => "1 mail session was ended.".to_owned(),
            more => format!("{more} mail sessions were ended."),
        };
        let done = match form::get(&query, "done") {
            "app-removed" => "The program can no longer use your mail.",
            "sign-in-removed" => "That sign-in is over.",
            "password-revoked" => "The app password is revoked.",
            "session-ended" => "The session was ended.",
            "web-session-ended" => "That browser is signed out.",
            "web-sessions-ended" => "All other browsers are signed out.",
            "session-gone" => "That session had already ended.",
            "sessions-ended" => "All sessions were told to end.",
            "suspended" => {
                "The account is suspended: nobody can sign in to it, and its mail is kept."
            }
            "resumed" => "The account can be used again.",
            "administrator-on" => "The person is now an administrator.",
            "administrator-off" => "The person is no longer an administrator.",
            "password-changed" => "Your new password is set. What rested on the old one has ended.",
            "passkey-added" => "The passkey is ready: use it the next time you sign in.",
            "passkey-removed" => {
                "The passkey opens nothing any more. You can delete it on your device too."
            }
            "app-approved" => "People may use the program now.",
            "app-unregistered" => "The program is removed, and what people allowed it has ended.",
            "app-delegated" => {
                "The service account may do this from its next token on. What it may do no more has ended."
            }
            "testers-added" => "They can use the program now.",
            "tester-removed" => {
                "The person can use the program no longer: what they allowed it has ended."
            }
            "testers-everybody" => {
                "Everybody with an account can use the program now. Refresh tokens it is given from now on do not end after 7 days; those from before still do."
            }
            "label-hidden" => "Mail programs no longer see the label.",
            "label-shown" => "Mail programs see the label again.",
            "clock" => "The clock was moved.",
            "not-yourself" => {
                "That cannot be done to your own account: somebody must be left to look after the server."
            }
            _ => return self,
        };
        let sign_ins = form::get(&query, "sign-ins").parse::<u16>();
        let done = match sign_ins {
            Ok(count @ 2..) => format!("{done} All its {count} sign-ins are over."),
            _ => done.to_owned(),
        };
        self.notice = Some(match ended {
            Some(count) => format!("{done} {}", sessions(count)),
            None => done.to_owned(),
        });
        self
    }
}
