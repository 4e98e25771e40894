//! A QR code as a drawing for a page. Knows nothing of what it carries.

use std::fmt::Write as _;

use qrcode::{Color, EcLevel, QrCode};

/// Modules of white around the code, as the standard wants them.
const QUIET: usize = 4;

/// The code as an SVG element that takes the size its page gives it; `None` when it is too much for a code.
pub(super) fn svg(text: &str, title: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let width = code.width();
    let mut path = String::new();
    for (y, row) in code.to_colors().chunks(width).enumerate() {
        let mut x = 0;
        while x < width {
            let run = row.iter().skip(x).take_while(|module| **module == Color::Dark).count();
            if run > 0 && write!(path, "M{} {}h{run}v1h-{run}z", x + QUIET, y + QUIET).is_err() {
                return None;
            }
            x += run.max(1);
        }
    }
    let side = width + 2 * QUIET;
    Some(format!(
        "<svg class=\"qr\" role=\"img\" aria-label=\"{title}\" viewBox=\"0 0 {side} {side}\" \
         shape-rendering=\"crispEdges\"><path class=\"qr-paper\" d=\"M0 0h{side}v{side}h-{side}z\"/>\
         <path class=\"qr-ink\" d=\"{path}\"/></svg>"
    ))
}
