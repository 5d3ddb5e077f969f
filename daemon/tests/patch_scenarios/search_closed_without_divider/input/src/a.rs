pub const RATE: f64 = 0.1;
pub const STEPS: u32 = 100;

pub fn step() -> f64 {
    RATE
}
