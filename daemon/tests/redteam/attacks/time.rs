//! Training for longer than the others: before the clock, after it, or while predicting. What is honestly
//! slower is no attack, and is not taken for one.

use super::Ends::{Crash, Scored, Tampered};
use super::{Attack, Step::Begin};

pub const ATTACKS: [Attack; 5] = [
    Attack::new(
        "more time: goes on training while it predicts",
        &[Begin(
            r#"if is("train") {
    for name in ["records.u8", "labels.u8"] {
        std::fs::write(out().join(name), read(flag("--data").unwrap().join(name))).unwrap();
    }
}
if is("predict") {
    let run = flag("--model").unwrap();
    let mut model = harness::Model::load(&run);
    model.learn(&run, std::time::Duration::from_secs(20));
    model.predict(&flag("--inputs").unwrap(), &out());
    std::process::exit(0);
}"#,
        )],
        Crash("prediction took longer than"),
    )
    .gains()
    .in_time(),
    Attack::new(
        "more time: trains before the clock",
        &[Begin(
            r#"if is("train") {
    // So that nothing seems to come before it.
    println!("@CLOCK_STARTED@");
    let mut model = harness::Model::load(&out());
    model.learn(&flag("--data").unwrap(), std::time::Duration::from_secs(9));
    model.save(&out());
}"#,
        )],
        Tampered,
    )
    .gains()
    .in_time(),
    Attack::new(
        "more time: goes on training after the clock",
        &[Begin(
            r#"unsafe extern "C" {
    fn atexit(work: extern "C" fn()) -> i32;
}
extern "C" fn go_on() {
    let mut model = harness::Model::load(&out());
    model.learn(&flag("--data").unwrap(), std::time::Duration::from_secs(9));
    model.save(&out());
}
if is("train") {
    // SAFETY: the handler touches nothing of what is gone by then.
    unsafe { atexit(go_on) };
}"#,
        )],
        Tampered,
    )
    .gains()
    .in_time(),
    Attack::new(
        "more time: learns in its first step",
        &[Begin(
            r#"if is("smoke") {
    std::thread::sleep(std::time::Duration::from_secs(9));
}"#,
        )],
        Crash("the first step took longer than"),
    )
    .untried()
    .in_time(),
    Attack::new(
        "more time: a larger model, slower to make and to ask",
        &[Begin(
            r#"if is("train") {
    std::thread::sleep(std::time::Duration::from_secs(2));
}
if is("predict") {
    std::thread::sleep(std::time::Duration::from_secs(3));
}"#,
        )],
        Scored,
    )
    .in_time(),
];
