//! The characters a printer has, and what stands for those it lacks: first their letter without its mark, then other
//! letters, at last a `?` that is counted. No control character comes out of here. Knows no layout.

use firmware_config::peripheral::CodePage;

/// The upper half of code page 437, from 0x80.
const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";
/// The upper half of code page 858, from 0x80.
const CP858: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈ€ÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{ad}±‗¾¶§÷¸°¨·¹³²■\u{a0}";
/// Windows-1252 from 0x80 to 0x9f; above, it is Latin 1. NUL where it has nothing.
const WPC1252: &str = "€\0‚ƒ„…†‡ˆ‰Š‹Œ\0Ž\0\0‘’“”•–—˜™š›œ\0žŸ";

/// Letters and the same with a mark (which also stands alone in decomposed text): pairs of plain and marked.
const MARKED: &[(char, &str)] = &[
    ('\u{300}', "AÀEÈIÌNǸOÒUÙWẀYỲaàeèiìnǹoòuùwẁyỳ"),
    ('\u{301}', "AÁCĆEÉGǴIÍLĹNŃOÓRŔSŚUÚWẂYÝZŹaácćeégǵiílĺnńoórŕsśuúwẃyýzź"),
    ('\u{302}', "AÂCĈEÊGĜHĤIÎJĴOÔSŜUÛWŴYŶaâcĉeêgĝhĥiîjĵoôsŝuûwŵyŷ"),
    ('\u{303}', "AÃEẼIĨNÑOÕUŨYỸaãeẽiĩnñoõuũyỹ"),
    ('\u{304}', "AĀEĒIĪOŌUŪaāeēiīoōuū"),
    ('\u{306}', "AĂEĔGĞIĬOŎUŬaăeĕgğiĭoŏuŭ"),
    ('\u{307}', "CĊEĖGĠIİZŻcċeėgġzż"),
    ('\u{308}', "AÄEËIÏOÖUÜWẄYŸaäeëiïoöuüwẅyÿ"),
    ('\u{309}', "AẢEẺIỈOỎUỦYỶaảeẻiỉoỏuủyỷ"),
    ('\u{30a}', "AÅUŮaåuů"),
    ('\u{30b}', "OŐUŰoőuű"),
    ('\u{30c}', "AǍCČDĎEĚGǦLĽNŇRŘSŠTŤZŽaǎcčdďeěgǧlľnňrřsštťzž"),
    ('\u{31b}', "OƠUƯoơuư"),
    ('\u{323}', "AẠEẸIỊOỌUỤYỴaạeẹiịoọuụyỵ"),
    ('\u{326}', "SȘTȚsștț"),
    ('\u{327}', "CÇGĢKĶLĻNŅRŖSŞTŢcçgģkķlļnņrŗsştţ"),
    ('\u{328}', "AĄEĘIĮUŲaąeęiįuų"),
];

/// What else stands for characters that a printer lacks: each of the first is written as the second.
const WRITTEN_AS: &[(&str, &str)] = &[
    ("‘’‚‛′ʼ´`‹›", "'"),
    ("“”„‟″", "\""),
    ("‐‑‒–—―−", "-"),
    ("•‣·∙▪●", "*"),
    ("…", "..."),
    ("€", "EUR"),
    ("£", "GBP"),
    ("¥", "JPY"),
    ("™", "TM"),
    ("©", "(c)"),
    ("®", "(r)"),
    ("«", "<<"),
    ("»", ">>"),
    ("ÆǼ", "AE"),
    ("æǽ", "ae"),
    ("Œ", "OE"),
    ("œ", "oe"),
    ("Ĳ", "IJ"),
    ("ĳ", "ij"),
    ("ﬀ", "ff"),
    ("ﬁ", "fi"),
    ("ﬂ", "fl"),
    ("ß", "ss"),
    ("ẞ", "SS"),
    ("ÐĐ", "D"),
    ("ðđ", "d"),
    ("Ħ", "H"),
    ("ħ", "h"),
    ("ı", "i"),
    ("Ł", "L"),
    ("ł", "l"),
    ("Ø", "O"),
    ("ø", "o"),
    ("Þ", "TH"),
    ("þ", "th"),
    ("ẤẦẨẪẬẮẰẲẴẶ", "A"),
    ("ấầẩẫậắằẳẵặ", "a"),
    ("ẾỀỂỄỆ", "E"),
    ("ếềểễệ", "e"),
    ("ỐỒỔỖỘỚỜỞỠỢ", "O"),
    ("ốồổỗộớờởỡợ", "o"),
    ("ỨỪỬỮỰ", "U"),
    ("ứừửữự", "u"),
    ("ªᵃ", "a"),
    ("ºᵒ", "o"),
    ("¹", "1"),
    ("²", "2"),
    ("³", "3"),
    ("¼", " 1/4"),
    ("½", " 1/2"),
    ("¾", " 3/4"),
    ("⅓", " 1/3"),
    ("⅔", " 2/3"),
    ("№", "No."),
    ("µμ", "u"),
    ("×", "x"),
    ("÷∕⁄", "/"),
    ("≤", "<="),
    ("≥", ">="),
    ("≈", "~"),
    ("→", "->"),
    ("←", "<-"),
    ("‰", " o/oo"),
    ("Ω", "Ohm"),
    ("¦", "|"),
];

/// The byte of a character in a code page; none if the page lacks it, and for every control character.
pub(super) fn byte_of(page: CodePage, character: char) -> Option<u8> {
    if matches!(character, ' '..='~') {
        return u8::try_from(character).ok();
    }
    // A space and a hyphen that are meant for the breaking of lines have done their work before this.
    if character.is_ascii() || character.is_control() || matches!(character, '\u{a0}' | '\u{ad}') {
        return None;
    }
    let (upper, latin) = match page {
        CodePage::Cp437 => (CP437, false),
        CodePage::Cp858 => (CP858, false),
        CodePage::Wpc1252 => (WPC1252, true),
    };
    if latin && matches!(character, '\u{a1}'..='\u{ff}') {
        return u8::try_from(u32::from(character)).ok();
    }
    let place = upper.chars().position(|known| known == character)?;
    u8::try_from(0x80 + place).ok()
}

/// Writes a text with the characters of a page, on one line. Gives it with the number of characters that had to be
/// given up for a `?`.
pub(super) fn printable(page: CodePage, text: &str) -> (String, u32) {
    let mut out = String::with_capacity(text.len());
    let mut lost: u32 = 0;
    for character in text.chars() {
        if character.is_whitespace() {
            out.push(' ');
        } else if byte_of(page, character).is_some() {
            out.push(character);
        } else if let Some(plain) = fullwidth(character) {
            out.push(plain);
        } else if is_mark(character) {
            put_mark(page, &mut out, character);
        } else if let Some(other) = other_letters(character) {
            out.push_str(other);
        } else if let Some(plain) = without_mark(character) {
            out.push(plain);
        } else if !is_invisible(character) {
            out.push('?');
            lost = lost.saturating_add(1);
        }
    }
    (out, lost)
}

fn pairs(marked: &str) -> impl Iterator<Item = (char, char)> + '_ {
    let plain = marked.chars().step_by(2);
    plain.zip(marked.chars().skip(1).step_by(2))
}

fn without_mark(character: char) -> Option<char> {
    let found = |(_, letters): &(char, &'static str)| pairs(letters).find(|(_, marked)| *marked == character);
    MARKED.iter().find_map(found).map(|(plain, _)| plain)
}

/// Text may come decomposed: the mark after its letter. A mark that fits nothing is left out.
fn put_mark(page: CodePage, out: &mut String, mark: char) {
    let Some(last) = out.chars().last() else { return };
    let letters = MARKED.iter().find(|(known, _)| *known == mark).map_or("", |(_, letters)| *letters);
    let whole = pairs(letters).find(|(plain, _)| *plain == last).map(|(_, marked)| marked);
    if let Some(whole) = whole.filter(|whole| byte_of(page, *whole).is_some()) {
        out.pop();
        out.push(whole);
    }
}

fn other_letters(character: char) -> Option<&'static str> {
    WRITTEN_AS.iter().find(|(from, _)| from.contains(character)).map(|(_, to)| *to)
}

/// Latin letters and digits in the width of Chinese characters.
fn fullwidth(character: char) -> Option<char> {
    matches!(character, '\u{ff01}'..='\u{ff5e}').then(|| char::from_u32(u32::from(character) - 0xfee0)).flatten()
}

fn is_mark(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}')
}

/// Joiners, directions and variants: nothing that anybody would see.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
        || matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0100}'..='\u{e01ef}')
}

/// Breaks a text into lines of at most `width` columns, at spaces where there are any. At least one line.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut columns = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let letters: Vec<char> = word.chars().collect();
        if columns > 0 && columns + 1 + letters.len() <= width {
            line.push(' ');
            line.push_str(word);
            columns += 1 + letters.len();
            continue;
        }
        if columns > 0 {
            lines.push(std::mem::take(&mut line));
        }
        columns = 0;
        for piece in letters.chunks(width) {
            if columns > 0 {
                lines.push(std::mem::take(&mut line));
            }
            line.extend(piece);
            columns = piece.len();
        }
    }
    if columns > 0 || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAGES: [CodePage; 3] = [CodePage::Cp437, CodePage::Cp858, CodePage::Wpc1252];

    #[test]
    fn what_a_page_lacks_is_written_in_letters_it_has() {
        let of = |page, text| printable(page, text);
        assert_eq!(of(CodePage::Cp858, "Café crème 2 €"), ("Café crème 2 €".into(), 0));
        assert_eq!(of(CodePage::Cp437, "Ça coûte 2 €, À bientôt"), ("Ça coûte 2 EUR, A bientôt".into(), 0));
        assert_eq!(of(CodePage::Cp858, "Łódź, Žižkov, Şişli, Đà Nẵng"), ("Lódz, Zizkov, Sisli, Dà Nang".into(), 0));
        assert_eq!(of(CodePage::Cp437, "Smørrebrød “fin” – 1½ kg…"), ("Smorrebrod \"fin\" - 1½ kg...".into(), 0));
        assert_eq!(of(CodePage::Wpc1252, "Cafe\u{301} n\u{303} c\u{30c}"), ("Café ñ c".into(), 0), "decomposed");
        assert_eq!(of(CodePage::Cp858, "ＡＢＣ１２ 茶"), ("ABC12 ?".into(), 1));
        assert_eq!(of(CodePage::Cp858, "a\u{200d}b\u{feff}\tc\u{a0}d\r\ne"), ("ab c d  e".into(), 0));
        assert_eq!(of(CodePage::Cp858, "\u{1b}@\u{1d}V\0\u{7f}\u{9b}"), ("?@?V???".into(), 5), "commands are no text");
    }

    #[test]
    fn lines_break_at_spaces_and_long_words_anywhere() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("  one   two ", 20), ["one two"]);
        assert_eq!(wrap("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(wrap("", 4), [""]);
    }

    proptest! {
        #[test]
        fn every_character_comes_out_as_one_that_the_printer_has(text in "\\PC{0,80}|[\\x00-\\x1f\\x7f-\\x9fa]{0,40}") {
            for page in PAGES {
                let (out, lost) = printable(page, &text);
                prop_assert!(out.chars().all(|c| byte_of(page, c).is_some_and(|byte| byte >= 0x20 && byte != 0x7f)));
                prop_assert!(lost as usize <= text.chars().count());
            }
        }

        #[test]
        fn wrapping_loses_nothing_and_never_exceeds_the_width(text in "[a-z ]{0,120}", width in 1_usize..60) {
            let lines = wrap(&text, width);
            prop_assert!(lines.iter().all(|line| line.chars().count() <= width));
            prop_assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
        }
    }
}
