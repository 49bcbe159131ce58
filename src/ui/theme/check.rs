//! Whether a theme can be read: contrast on the background it is made for, and roles that look alike.
//!
//! Terminals give the sixteen named colours whatever their person likes; what xterm makes of them is assumed.

use super::{Role, Theme};
use crate::model::Finding;
use ratatui::style::{Color, Modifier};

/// The least contrast of a text that can be read (WCAG 2, level AA).
const LEAST: f64 = 4.5;
/// The least distance of two colours (CIE 1976) that are told apart at a glance.
const APART: f64 = 20.0;
/// Roles that a mistake between would cost something.
const PAIRS: [(Role, Role); 4] =
    [(Role::Ok, Role::Bad), (Role::Ok, Role::Warn), (Role::Warn, Role::Bad), (Role::Old, Role::New)];
/// What xterm makes of the sixteen names.
const XTERM: [u32; 16] = [
    0x00_0000, 0xcd_0000, 0x00_cd00, 0xcd_cd00, 0x00_00ee, 0xcd_00cd, 0x00_cdcd, 0xe5_e5e5, 0x7f_7f7f, 0xff_0000,
    0x00_ff00, 0xff_ff00, 0x5c_5cff, 0xff_00ff, 0x00_ffff, 0xff_ffff,
];

/// Eyes that lack one kind of cone, by what they make of linear red, green and blue (Machado, Oliveira and Fernandes, 2009).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Eyes {
    Full,
    Deutan,
    Tritan,
}

type Linear = [f64; 3];

impl Theme {
    /// Returns the contrast of a role's text on the background, from 1 to 21; a reversed role has the same.
    pub fn contrast(&self, role: Role) -> f64 {
        let (back, text) = (luminance(self.back()), luminance(self.text(role)));
        (back.max(text) + 0.05) / (back.min(text) + 0.05)
    }

    /// Returns everything that makes the theme hard to read: refused is what fails, warned of what some eyes may mistake.
    pub fn check(&self) -> Vec<Finding> {
        let name = self.name();
        let mut findings = Vec::new();
        for role in Role::ALL {
            let contrast = self.contrast(role);
            if contrast < LEAST {
                let text = format!(
                    "theme {name:?}: role.{} has a contrast of {contrast:.1} on {}: take a fg with {LEAST} or more",
                    role.name(),
                    written(self.background)
                );
                findings.push(Finding::refuse("theme.contrast", text));
            }
        }
        for (a, b) in PAIRS {
            let same = |ascii| self.glyph(a, ascii) == self.glyph(b, ascii);
            if same(false) || same(true) {
                let text = format!(
                    "theme {name:?}: {} and {} have the same sign: who sees no colour cannot tell them apart",
                    a.name(),
                    b.name()
                );
                findings.push(Finding::refuse("theme.signs", text));
            }
            let weight = |role| self.style(role).add_modifier & !Modifier::BOLD;
            for (eyes, who) in [(Eyes::Full, "all"), (Eyes::Deutan, "deutan and protan"), (Eyes::Tritan, "tritan")] {
                if weight(a) == weight(b) && self.distance(a, b, eyes) < APART {
                    let text = format!(
                        "theme {name:?}: {} and {} look alike to {who} eyes but for their signs",
                        a.name(),
                        b.name()
                    );
                    findings.push(Finding::warn("theme.alike", text));
                    break;
                }
            }
        }
        findings
    }

    /// Returns how far two roles' colours are from each other to some eyes.
    fn distance(&self, a: Role, b: Role, eyes: Eyes) -> f64 {
        let (a, b) = (lab(seen(self.text(a), eyes)), lab(seen(self.text(b), eyes)));
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
    }

    fn back(&self) -> Linear {
        linear(self.background)
    }

    /// Returns the colour of a role's text; dim text is a third of the way to the background.
    fn text(&self, role: Role) -> Linear {
        let style = self.style(role);
        let (back, plain) = (bytes(self.background), if luminance(self.back()) < 0.18 { 0xe5_e5e5 } else { 0x00_0000 });
        let fore = bytes(style.fg.and_then(rgb).unwrap_or(plain));
        let is_dim = style.add_modifier.contains(Modifier::DIM);
        let mixed = |i: usize| if is_dim { (2.0 * fore[i] + back[i]) / 3.0 } else { fore[i] };
        std::array::from_fn(|i| to_linear(mixed(i)))
    }
}

/// Writes a colour as themes do.
pub fn written(rgb: u32) -> String {
    format!("#{rgb:06x}")
}

/// Returns red, green and blue of a colour; `None` for the terminal's own.
pub(super) fn rgb(color: Color) -> Option<u32> {
    let index = match color {
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
        Color::Indexed(index) => index,
        Color::Rgb(red, green, blue) => return Some(u32::from_be_bytes([0, red, green, blue])),
        Color::Reset => return None,
    };
    Some(match index {
        0..=15 => XTERM[usize::from(index)],
        16..=231 => {
            let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * u32::from(step) };
            let cube = index - 16;
            level(cube / 36) << 16 | level(cube / 6 % 6) << 8 | level(cube % 6)
        }
        232.. => 0x01_0101 * (8 + 10 * u32::from(index - 232)),
    })
}

fn bytes(rgb: u32) -> [f64; 3] {
    let [_, red, green, blue] = rgb.to_be_bytes();
    [red, green, blue].map(f64::from)
}

fn linear(rgb: u32) -> Linear {
    bytes(rgb).map(to_linear)
}

fn to_linear(byte: f64) -> f64 {
    let part = byte / 255.0;
    if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
}

fn luminance([red, green, blue]: Linear) -> f64 {
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn seen(color: Linear, eyes: Eyes) -> Linear {
    let rows = match eyes {
        Eyes::Full => return color,
        Eyes::Deutan => {
            [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_820, 0.042_940, 0.968_881]]
        }
        Eyes::Tritan => {
            [[1.255_528, -0.076_749, -0.178_779], [-0.078_411, 0.930_809, 0.147_602], [0.004_733, 0.691_367, 0.303_900]]
        }
    };
    rows.map(|row| row.iter().zip(color).map(|(a, b)| a * b).sum::<f64>().clamp(0.0, 1.0))
}

/// Returns lightness and the two axes of colour as eyes weigh them (CIE 1976, white D65).
fn lab([red, green, blue]: Linear) -> [f64; 3] {
    let x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505;
    let y = luminance([red, green, blue]);
    let z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089;
    let root = |t: f64| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
    let (x, y, z) = (root(x), root(y), root(z));
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Level;

    fn refused(theme: &Theme) -> Vec<String> {
        theme.check().into_iter().filter(|f| f.level == Level::Refuse).map(|f| f.text).collect()
    }

    #[test]
    fn every_theme_of_the_program_can_be_read() {
        for name in Theme::names() {
            let theme = Theme::builtin(name).unwrap();
            assert_eq!(refused(&theme), [""; 0], "{name}");
            assert!(Role::ALL.iter().all(|role| theme.contrast(*role) >= LEAST), "{name}");
        }
    }

    #[test]
    fn the_themes_for_other_eyes_are_told_apart_by_them_and_by_more_than_hue() {
        for (name, eyes) in [("deutan", Eyes::Deutan), ("tritan", Eyes::Tritan)] {
            let theme = Theme::builtin(name).unwrap();
            for (a, b) in PAIRS {
                assert!(theme.distance(a, b, eyes) >= APART, "{name}: {a:?} {b:?} {}", theme.distance(a, b, eyes));
                let lightness = |role| lab(theme.text(role))[0];
                let by_weight = theme.style(a).add_modifier != theme.style(b).add_modifier;
                assert!(by_weight || (lightness(a) - lightness(b)).abs() > 10.0, "{name}: {a:?} {b:?}");
            }
        }
    }

    #[test]
    fn contrasts_are_those_of_the_standard() {
        let of = |fg: &str, background: &str| {
            let text = format!("version = 1\nbackground = \"{background}\"\n[role.ok]\nfg = \"{fg}\"\n");
            format!("{:.2}", Theme::parse("x", &text, |_| None).unwrap().contrast(Role::Ok))
        };
        assert_eq!(of("#ffffff", "#000000"), "21.00");
        assert_eq!(of("#777777", "#ffffff"), "4.48");
        assert_eq!(of("#ff0000", "#ffffff"), "4.00");
        assert_eq!(of("196", "#ffffff"), "4.00");
        assert_eq!(of("244", "#ffffff"), of("#808080", "#ffffff"));
        assert_eq!(of("67", "#ffffff"), of("#5f87af", "#ffffff"));
        assert_eq!(of("light-red", "#ffffff"), "4.00");
    }

    #[test]
    fn everything_that_is_hard_to_read_is_said_at_once() {
        let text = "version = 1\ninherits = \"base\"\nbackground = \"#ffffff\"\n[role.ok]\nfg = \"green\"\nglyph = \"!\"\n[role.dim]\nfg = \"gray\"\n";
        let theme = Theme::parse("mine", text, |_| None).unwrap();
        let said = refused(&theme);
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[0].contains("role.ok has a contrast of 2.2 on #ffffff"), "{said:?}");
        assert!(said[1].contains("role.dim") && said[2].contains("ok and warn have the same sign"), "{said:?}");
    }
}
