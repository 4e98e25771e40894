//! The code pages of the simulated printer, as tables of their own: were they the agent's, a wrong one would be wrong
//! on both sides. Python's codecs are compared with both (`tests/paper`).

const PC437: [&str; 8] = [
    "ÇüéâäàåçêëèïîìÄÅ",
    "ÉæÆôöòûùÿÖÜ¢£¥₧ƒ",
    "áíóúñÑªº¿⌐¬½¼¡«»",
    "░▒▓│┤╡╢╖╕╣║╗╝╜╛┐",
    "└┴┬├─┼╞╟╚╔╩╦╠═╬╧",
    "╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀",
    "αßΓπΣσµτΦΘΩδ∞φε∩",
    "≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}",
];
const PC858: [&str; 8] = [
    "ÇüéâäàåçêëèïîìÄÅ",
    "ÉæÆôöòûùÿÖÜø£Ø×ƒ",
    "áíóúñÑªº¿®¬½¼¡«»",
    "░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐",
    "└┴┬├─┼ãÃ╚╔╩╦╠═╬¤",
    "ðÐÊËÈ€ÍÎÏ┘┌█▄¦Ì▀",
    "ÓßÔÒõÕµþÞÚÛÙýÝ¯´",
    "\u{ad}±‗¾¶§÷¸°¨·¹³²■\u{a0}",
];
const WPC1252: [&str; 2] = ["€\u{fffd}‚ƒ„…†‡ˆ‰Š‹Œ\u{fffd}Ž\u{fffd}", "\u{fffd}‘’“”•–—˜™š›œ\u{fffd}žŸ"];

/// The character that a byte stands for in the code page of this number (`ESC t`); `\u{fffd}` where there is none.
pub fn character(page: u8, byte: u8) -> char {
    if byte < 0x80 {
        return char::from(byte);
    }
    let (row, column) = (usize::from(byte) / 16 - 8, usize::from(byte) % 16);
    let table: &[&str] = match page {
        0 => &PC437,
        19 => &PC858,
        16 if byte >= 0xa0 => return char::from(byte),
        16 => &WPC1252,
        _ => &[],
    };
    table.get(row).and_then(|row| row.chars().nth(column)).unwrap_or(char::REPLACEMENT_CHARACTER)
}
