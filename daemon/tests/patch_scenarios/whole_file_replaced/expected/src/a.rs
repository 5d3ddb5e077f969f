pub fn step() {}
