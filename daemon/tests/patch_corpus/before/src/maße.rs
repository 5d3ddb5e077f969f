//! Größen — «Maße» für den Encoder, π ≈ 3.14159.

/// Länge eines Fensters in Sekunden (½ s).
pub const FENSTER: f64 = 0.5;
/// Überlappung: 50 % …
pub const ÜBERLAPPUNG: f64 = 0.5;

pub fn grüße() -> &'static str {
    "→ añadir «ruido» 日本語"
}
