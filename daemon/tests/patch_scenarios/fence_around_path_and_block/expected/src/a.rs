pub const RATE: f64 = 0.05;
pub const STEPS: u32 = 100;

pub fn step() -> f64 {
    RATE
}
