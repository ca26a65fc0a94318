//! A QR code in a terminal.

use qrcode::{Color, EcLevel, QrCode};

/// Light modules around the code, as ISO/IEC 18004 asks.
const QUIET: usize = 4;

/// Two rows of modules a line; light modules are drawn, so that it is right on a dark terminal. Readers take the inverse on a
/// light one. Empty where the text does not fit a code.
pub(super) fn draw(text: &str) -> String {
    let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::L) else {
        return String::new();
    };
    let width = code.width();
    let colors = code.to_colors();
    let side = width + 2 * QUIET;
    let light = |x: usize, y: usize| {
        let place = (x.checked_sub(QUIET), y.checked_sub(QUIET));
        let module = match place {
            (Some(x), Some(y)) if x < width && y < width => colors.get(y * width + x),
            _ => None,
        };
        module.is_none_or(|color| *color == Color::Light)
    };
    let mut drawn = String::new();
    for y in (0..side).step_by(2) {
        for x in 0..side {
            drawn.push(match (light(x, y), y + 1 < side && light(x, y + 1)) {
                (true, true) => '\u{2588}',
                (true, false) => '\u{2580}',
                (false, true) => '\u{2584}',
                (false, false) => ' ',
            });
        }
        drawn.push('\n');
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads the drawing back into modules.
    fn modules(drawn: &str) -> Vec<Vec<bool>> {
        let mut rows = Vec::new();
        for line in drawn.lines() {
            let halves = |upper: bool| {
                line.chars()
                    .map(|module| match module {
                        '\u{2588}' => true,
                        '\u{2580}' => upper,
                        '\u{2584}' => !upper,
                        _ => false,
                    })
                    .collect::<Vec<_>>()
            };
            rows.push(halves(true));
            rows.push(halves(false));
        }
        rows
    }

    #[test]
    fn every_module_is_where_it_belongs() {
        let text = "trefoil-request:AQ".to_owned() + &"x".repeat(100);
        let drawn = draw(&text);
        let code = QrCode::with_error_correction_level(&text, EcLevel::L).unwrap();
        let (width, colors) = (code.width(), code.to_colors());
        let rows = modules(&drawn);
        for (y, row) in rows.iter().enumerate() {
            assert_eq!(row.len(), width + 2 * QUIET);
            for (x, light) in row.iter().enumerate().filter(|_| y < width + 2 * QUIET) {
                let inside =
                    (QUIET..QUIET + width).contains(&x) && (QUIET..QUIET + width).contains(&y);
                let expected = !inside || colors[(y - QUIET) * width + x - QUIET] == Color::Light;
                assert_eq!(*light, expected, "module {x}, {y}");
            }
        }
        assert!(rows.len() >= width + 2 * QUIET);
        assert!(width < 60, "it fits a terminal");
    }

    #[test]
    fn what_is_too_long_is_not_drawn() {
        assert_eq!(draw(&"x".repeat(5000)), "");
    }
}
