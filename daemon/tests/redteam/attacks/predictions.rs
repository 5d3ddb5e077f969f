//! Files of predictions that are none.

use super::Ends::Crash;
use super::{Attack, Step::Begin};

pub const ATTACKS: [Attack; 16] = [
    Attack::new(
        "predictions with ids that are none",
        &[Begin(r#"predict_text(table(values("1")).replace("\n0\t", "\n1000\t"));"#)],
        Crash("predictions refused"),
    ),
    Attack::new(
        "predictions out of order",
        &[Begin(
            r#"predict_text(table(values("1")).replace("\n0\t1\n1\t1\n", "\n1\t1\n0\t1\n"));"#,
        )],
        Crash("predictions refused"),
    ),
    Attack::new(
        "NaN",
        &[Begin(r#"predict_text(table(values("NaN")));"#)],
        Crash("predictions refused"),
    )
    .in_lab(),
    Attack::new(
        "infinity",
        &[Begin(r#"predict_text(table(values("inf")));"#)],
        Crash("predictions refused"),
    ),
    Attack::new(
        "1e308",
        &[Begin(r#"predict_text(table(values("1e308")));"#)],
        Crash("predictions refused"),
    ),
    Attack::new(
        "below zero by next to nothing",
        &[Begin(r#"predict_text(table(values("-1e-320")));"#)],
        Crash("predictions refused"),
    ),
    Attack::new(
        "every record twice",
        &[Begin(r#"predict_text(table(values("1")).replace("\n0\t1\n", "\n0\t1\n0\t0\n"));"#)],
        Crash("predictions refused"),
    ),
    Attack::new(
        "one record too few",
        &[Begin(r#"predict_text(table(values("1").into_iter().skip(1)));"#)],
        Crash("predictions"),
    ),
    Attack::new(
        "one record too many",
        &[Begin(r#"predict_text(table(values("1").into_iter().chain(["1".to_owned()])));"#)],
        Crash("predictions"),
    ),
    Attack::new(
        "bytes that are no text",
        &[Begin("predict_text([0xff; 64]);")],
        Crash("predictions refused"),
    ),
    Attack::new("nothing at all", &[Begin(r#"predict_text("");"#)], Crash("predictions refused")),
    Attack::new(
        "a link to the labels as predictions",
        &[Begin(
            r#"if is("predict") {
    std::os::unix::fs::symlink(labels(), predictions()).unwrap();
    std::process::exit(0);
}"#,
        )],
        Crash("no predictions"),
    )
    .in_lab(),
    Attack::new(
        "a pipe as predictions",
        &[Begin(
            r#"if is("predict") {
    let path = std::ffi::CString::new(predictions().to_str().unwrap()).unwrap();
    unsafe { mkfifo(path.as_ptr(), 0o666) };
    std::process::exit(0);
}"#,
        )],
        Crash("no predictions"),
    ),
    Attack::new(
        "a directory as predictions",
        &[Begin(
            r#"if is("predict") {
    std::fs::create_dir_all(predictions().join("inside")).unwrap();
    std::process::exit(0);
}"#,
        )],
        Crash("no predictions"),
    ),
    Attack::new(
        "10 GiB of predictions",
        &[Begin(
            r#"if is("predict") {
    std::fs::File::create(predictions()).unwrap().set_len(10 << 30).unwrap();
    std::process::exit(0);
}"#,
        )],
        Crash("predict"),
    ),
    Attack::new(
        "a line without an end",
        &[Begin(r#"predict_text(table(values("0.5")) + &"0".repeat(1 << 20));"#)],
        Crash("predictions"),
    ),
];
