//! Names of strangers that look like other names (Unicode Technical Standard 39): what two names have in common that look alike
//! (§4), which writing systems stand together (§5.2), and words that nobody but this server may bear.
//!
//! Deliberately absent: Unicode's table of 6,000 look-alikes. What is compared are names in common writing systems (Unicode
//! Standard Annex 31, table 5; others are refused), so letters of Latin, Greek, Cyrillic and Armenian that look like ASCII are
//! enough; fullwidth, mathematical, circled and accented letters are taken apart by normalization (UAX 15).

use super::{Result, invalid};
use icu_properties::CodePointMapData;
use icu_properties::props::Script;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Letters, and what looks like them, in small letters or in large ones.
const LOOKALIKES: &[(char, &str)] = &[
    ('a', "аАαΑɑ"),
    ('b', "ВвЬьБΒβƀɓƁ"),
    ('c', "сСϲϹƈ"),
    ('d', "ԁԀđĐðÐɗɖƉ"),
    ('e', "еЕєЄҽΕεɛƐ℮"),
    ('f', "ƒքϝϜ"),
    ('g', "ɡցԌǥɢ"),
    ('h', "һҺНнΗհħĦ"),
    ('i', "іІıιΙɩӀӏǀƖ"),
    ('j', "јЈϳͿյ"),
    ('k', "кКκΚқҚƙĸ"),
    ('l', "łŁƚլ|∣"),
    ('m', "мМΜ"),
    ('n', "пΝηոռŋ"),
    ('o', "оОοΟσøØօՕ"),
    ('p', "рРρΡ"),
    ('q', "ԛԚգզ"),
    ('r', "гրɼ"),
    ('s', "ѕЅՏ"),
    ('t', "тТτΤŧŦƭ"),
    ('u', "υսՍμ"),
    ('v', "νѵѴʋ"),
    ('w', "ѡѠԝԜաωшШ"),
    ('x', "хХχΧҳҲ"),
    ('y', "уУΥγүҮƴ"),
    ('z', "Ζζƶ"),
    ('3', "ЗзӠӡ"),
    ('4', "Чч"),
    ('6', "б"),
];
/// First letters of alphabets in boxes and discs, which normalization leaves alone.
const BOXED: [u32; 3] = [0x1f150, 0x1f170, 0x1f1e6];

/// Texts that stand in no stranger's name, however it is written.
const RESERVED: [&str; 2] = ["pillarbox", "administrator"];
/// The same as words of their own.
const RESERVED_WORDS: [&str; 5] = [
    "admin",
    "admins",
    "administration",
    "postmaster",
    "sysadmin",
];

/// UAX 31, table 5: the writing systems in wide use.
const COMMON: &[Script] = &[
    Script::Common,
    Script::Inherited,
    Script::Latin,
    Script::Greek,
    Script::Cyrillic,
    Script::Armenian,
    Script::Georgian,
    Script::Hebrew,
    Script::Arabic,
    Script::Thaana,
    Script::Ethiopic,
    Script::Devanagari,
    Script::Bengali,
    Script::Gurmukhi,
    Script::Gujarati,
    Script::Oriya,
    Script::Tamil,
    Script::Telugu,
    Script::Kannada,
    Script::Malayalam,
    Script::Sinhala,
    Script::Thai,
    Script::Lao,
    Script::Tibetan,
    Script::Myanmar,
    Script::Khmer,
    Script::Hangul,
    Script::Han,
    Script::Hiragana,
    Script::Katakana,
    Script::Bopomofo,
];
/// Those that stand beside each other and beside Latin.
const TOGETHER: [Script; 5] = [
    Script::Han,
    Script::Hiragana,
    Script::Katakana,
    Script::Bopomofo,
    Script::Hangul,
];

/// What names that look alike have in common; compared, never shown.
pub(super) fn skeleton(name: &str) -> String {
    // Before and behind: some are made into others that look different, some are there only when marks are taken off.
    let plain = name.chars().map(plain_letter).nfkd();
    let plain = plain.filter(|letter| !is_combining_mark(*letter));
    let letters: String = plain
        .map(plain_letter)
        .flat_map(char::to_lowercase)
        .filter(|letter| letter.is_alphanumeric())
        .map(|letter| match letter {
            'i' | '1' => 'l',
            '0' => 'o',
            other => other,
        })
        .collect();
    letters.replace("rn", "m").replace("vv", "w")
}

/// The ASCII letter that it looks like, if there is one.
fn plain_letter(letter: char) -> char {
    if letter.is_ascii_alphanumeric() {
        return letter;
    }
    let code = u32::from(letter);
    let boxed = BOXED
        .iter()
        .find_map(|first| code.checked_sub(*first).filter(|at| *at < 26));
    if let Some(boxed) = boxed.and_then(|at| char::from_u32(u32::from('a') + at)) {
        return boxed;
    }
    let found = LOOKALIKES
        .iter()
        .find(|(_, others)| others.contains(letter));
    found.map_or(letter, |(plain, _)| *plain)
}

/// Refuses what mixes writing systems (UTS 39 §5.2, "highly restrictive"), and letters of those that few use.
pub(super) fn check(name: &str) -> Result<()> {
    let of = CodePointMapData::<Script>::new();
    let scripts: Vec<Script> = name.nfkc().map(|letter| of.get(letter)).collect();
    let refuse = |text: &str| Err(invalid(format!("client_name {text}")));
    if scripts.iter().any(|script| !COMMON.contains(script)) || name.nfkc().any(is_rare) {
        return refuse("has letters that names do not need.");
    }
    let mut own = scripts
        .into_iter()
        .filter(|script| !matches!(*script, Script::Common | Script::Inherited))
        .collect::<Vec<_>>();
    own.sort();
    own.dedup();
    let alone = own.iter().filter(|script| !TOGETHER.contains(script));
    let mixed = match alone.count() {
        0 => false,
        1 => own.len() > 1 && !own.contains(&Script::Latin),
        _ => true,
    };
    match mixed {
        true => refuse("mixes writing systems."),
        false => Ok(()),
    }
}

/// Latin letters of phonetics and of medieval books: small capitals and the like. African alphabets took some of them.
fn is_rare(letter: char) -> bool {
    let african = "ɓɔɖɗəɛɣɨɩɲʃʉʋʊʒ";
    let phonetic = matches!(letter, '\u{250}'..='\u{2ff}' | '\u{1d00}'..='\u{1dbf}' | '\u{2c60}'..='\u{2c7f}' | '\u{a720}'..='\u{a7ff}' | '\u{ab30}'..='\u{ab6f}');
    phonetic && !african.contains(letter)
}

/// Whether a name calls itself what only this server may be called. `host` is what people know the server by.
pub(super) fn is_reserved(name: &str, host: &str) -> bool {
    let whole = skeleton(name);
    let host = skeleton(host);
    let reserved = RESERVED.iter().map(|word| skeleton(word));
    reserved.chain([host]).any(|word| whole.contains(&word))
        || name
            .split(|letter: char| !letter.is_alphanumeric() && letter != '|')
            .map(skeleton)
            .any(|word| RESERVED_WORDS.iter().any(|one| skeleton(one) == word))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is a failed test
    use super::*;
    use proptest::prelude::*;

    /// Every other way to write a letter of ASCII that is known here.
    fn others(letter: char) -> Vec<char> {
        let small = letter.to_ascii_lowercase();
        let mut all = vec![letter.to_ascii_uppercase(), small];
        let table = LOOKALIKES.iter().find(|(plain, _)| *plain == small);
        all.extend(table.iter().flat_map(|(_, others)| others.chars()));
        if small.is_ascii_lowercase() {
            let at = u32::from(small) - u32::from('a');
            // Fullwidth, mathematical bold, circled, parenthesized, squared, and the discs of BOXED.
            let firsts = [
                0xff21, 0xff41, 0x1d400, 0x1d41a, 0x24b6, 0x24d0, 0x249c, 0x1f130,
            ];
            let firsts = firsts.into_iter().chain(BOXED);
            all.extend(firsts.filter_map(|first| char::from_u32(first + at)));
        }
        all
    }

    proptest! {
        #[test]
        fn look_alikes_have_one_skeleton(
            name in prop::sample::select(vec!["Thunderbird", "Pillarbox command line", "localhost", "FairEmail 64", "Quick Wizard jvx"]),
            picks in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 32),
        ) {
            let mut written = String::new();
            for (letter, (pick, accent)) in name.chars().zip(&picks) {
                written.push(*pick.get(&others(letter)));
                if *accent && letter.is_alphabetic() {
                    written.push('\u{301}');
                }
            }
            prop_assert_eq!(skeleton(&written), skeleton(name), "{}", written);
        }

        #[test]
        fn any_text_is_answered(name in "\\PC{0,60}") {
            let _ = (check(&name), is_reserved(&name, "localhost"), skeleton(&name));
        }
    }

    #[test]
    fn digits_and_pairs_that_look_like_letters() {
        for (one, other) in [
            ("Pillarbox", "P1|larb0x"),
            ("Tom Mail", "Torn MAIL"),
            ("Webwave", "VVebvvave"),
            ("Café", "Cafe"),
        ] {
            assert_eq!(skeleton(one), skeleton(other), "{one} {other}");
        }
        assert_ne!(skeleton("Почта"), skeleton("Почка"));
    }

    #[test]
    fn writing_systems() {
        for (name, good) in [
            ("Thunderbird", true),
            ("Почта России", true),
            ("Ταχυδρομείο 2", true),
            ("メール Mail 便り", true),
            ("메일 Mail", true),
            ("البريد", true),
            ("Đặng thư", true),
            ("Ｍail", true),
            ("Ɛwe ɖeka", true),
            ("Mail 📬", true),
            ("Тhunderbird", false),
            ("Thundеrbird", false),
            ("Shop Почта", false),
            ("メール Почта", false),
            ("ᎢᎻᏌ", false),
            ("ꓑꓲꓡꓡ", false),
            ("ᴛhunder", false),
            ("\u{10ff00}", false),
        ] {
            assert_eq!(check(name).is_ok(), good, "{name}");
        }
    }

    #[test]
    fn words_of_this_server() {
        for (name, reserved) in [
            ("Administrator of localhost", true),
            ("Pillar-Box sign-in", true),
            ("РіӀӀагЬох", true),
            ("Mail admin", true),
            ("ΑDΜIN", true),
            ("l0calhost", true),
            ("Badminton", false),
            ("Shop", false),
            ("Post box", false),
        ] {
            assert_eq!(is_reserved(name, "localhost"), reserved, "{name}");
        }
    }
}
