//! Opening the person's browser: `$BROWSER`, else what the system has for it. It waits for nothing: whether a window
//! came up, only the person can see.

use std::process::{Command, Stdio};
use url::Url;

/// Whether something that shows pages was started.
pub fn open(address: &Url) -> bool {
    let browsers = std::env::var("BROWSER").unwrap_or_default();
    let mut named = commands(&browsers, address).peekable();
    match named.peek() {
        Some(_) => named.any(|words| start(&words)),
        None => system().is_some_and(|program| start(&[program.into(), address.to_string()])),
    }
}

/// Commands with a colon between them; `%s` is the address, which otherwise comes last.
fn commands(browsers: &str, address: &Url) -> impl Iterator<Item = Vec<String>> {
    let named = browsers.split(':').filter(|one| !one.trim().is_empty());
    named.map(move |one| {
        let mut words: Vec<String> = one
            .split_whitespace()
            .map(|word| word.replace("%s", address.as_str()))
            .collect();
        if !one.contains("%s") {
            words.push(address.to_string());
        }
        words
    })
}

/// Without a screen there is nothing to open; what would come up is a browser in this very terminal.
fn system() -> Option<&'static str> {
    if cfg!(target_os = "macos") {
        return Some("open");
    }
    let screen = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    (screen("WAYLAND_DISPLAY") || screen("DISPLAY")).then_some("xdg-open")
}

fn start(words: &[String]) -> bool {
    let Some((program, arguments)) = words.split_first() else {
        return false;
    };
    let mut command = Command::new(program);
    command.args(arguments);
    command.stdin(Stdio::null());
    command.stdout(Stdio::null());
    command.stderr(Stdio::null());
    command.spawn().is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is the failed test
    use super::*;

    #[test]
    fn browsers_as_the_variable_names_them() {
        let address = Url::parse("https://mail.example.org/?a=b").unwrap();
        let found: Vec<_> = commands("firefox --new-window %s::w3m", &address).collect();
        assert_eq!(
            found,
            [
                vec!["firefox", "--new-window", "https://mail.example.org/?a=b"],
                vec!["w3m", "https://mail.example.org/?a=b"]
            ]
        );
        assert_eq!(commands("", &address).count(), 0);
    }
}
