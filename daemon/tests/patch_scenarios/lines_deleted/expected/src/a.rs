pub const RATE: f64 = 0.1;
pub fn step() -> f64 {
    RATE
}
