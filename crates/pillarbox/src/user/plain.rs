//! Texts of others on a terminal. Nothing in them may move the cursor, change colours, answer a question the terminal
//! asks itself, or turn the direction of what stands beside it.

/// What is shown in place of a character that is not.
const INSTEAD: char = '\u{fffd}';

/// On one line.
pub fn line(text: &str) -> String {
    text.chars().map(|letter| shown(letter, false)).collect()
}

/// On as many lines as it has.
pub fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .map(|letter| shown(letter, true))
        .collect()
}

fn shown(letter: char, many_lines: bool) -> char {
    match letter {
        '\n' | '\t' if many_lines => letter,
        '\n' | '\t' | '\r' => ' ',
        letter if letter.is_control() || turns(letter) => INSTEAD,
        letter => letter,
    }
}

/// Embeddings, overrides and isolates of bidirectional text (UAX #9 §2).
fn turns(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// Shortened to so many characters.
pub fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let kept = text.chars().take(chars_max.saturating_sub(1));
    kept.chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_terminal_obeys_comes_through() {
        assert_eq!(
            line("a\x1b[2Jb\u{9b}c\r\nd\te\x07"),
            "a\u{fffd}[2Jb\u{fffd}c  d e\u{fffd}"
        );
        assert_eq!(
            lines("one\r\n\ttwo\x1b]0;x\x07\rthree"),
            "one\n\ttwo\u{fffd}]0;x\u{fffd} three"
        );
        assert_eq!(line("evil\u{202e}gpj.exe"), "evil\u{fffd}gpj.exe");
        assert_eq!(line("Grüße 你好"), "Grüße 你好");
    }

    #[test]
    fn cuts_by_characters() {
        assert_eq!(cut("Grüße", 5), "Grüße");
        assert_eq!(cut("Grüße!", 5), "Grüß…");
    }
}
