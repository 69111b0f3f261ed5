//! A token as a picture for a camera.

use qrcode::{EcLevel, QrCode};

use crate::failure::Failure;

/// The white frame that cameras want (ISO/IEC 18004: four modules).
const QUIET: i32 = 4;

/// The QR code of a text, two rows in each line of the terminal: dark on light, whatever the terminal's colours are.
pub(super) fn picture(text: &str) -> Result<String, Failure> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L)
        .map_err(|error| Failure::Failed(format!("the token does not fit into a QR code: {error}")))?;
    let width = i32::try_from(code.width()).unwrap_or(0);
    let colors = code.to_colors();
    let is_dark = |x: i32, y: i32| {
        let inside = (0..width).contains(&x) && (0..width).contains(&y);
        let at = usize::try_from(y * width + x).unwrap_or(0);
        inside && colors.get(at).is_some_and(|color| *color == qrcode::Color::Dark)
    };
    let mut picture = String::new();
    for y in (-QUIET..width + QUIET).step_by(2) {
        picture += "\x1b[30;107m";
        for x in -QUIET..width + QUIET {
            picture.push(match (is_dark(x, y), is_dark(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        picture += "\x1b[0m\n";
    }
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_a_quiet_frame_and_two_rows_a_line() {
        let picture = picture("floe1.abc").expect("it fits");
        let rows: Vec<&str> = picture.lines().collect();
        // Version 1 has 21 modules.
        assert_eq!(rows.len(), (21 + 8usize).div_ceil(2));
        assert!(rows.iter().all(|row| row.chars().filter(|c| " █▀▄".contains(*c)).count() == 21 + 8));
        assert!(!rows[0].contains(['█', '▀', '▄']) && rows[2].contains('█'));
    }
}
