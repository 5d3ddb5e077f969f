use proptest::prelude::*;

use super::*;
use crate::metrics;

const SEED_FOOTER: &str = "\
---
model:            efficientnet-b4
sn34_score:       0.723456
accuracy:         0.856000
mcc:              0.712000
brier:            0.134500
training_seconds: 600.1
total_seconds:    615.3
peak_vram_mb:     12340.0
num_steps:        1500
num_params_M:     19.3
num_epochs:       5
batch_size:       32
learning_rate:    0.0001
augment_level:    2
";

fn claims() -> Claims {
    Claims::parse(SEED_FOOTER).unwrap()
}

#[test]
fn the_customers_footer_is_printed_to_the_digit() {
    let footer = Footer::parse(SEED_FOOTER).unwrap();
    assert_eq!(footer.to_string(), SEED_FOOTER);
    assert_eq!(footer.scores, [0.723456, 0.856, 0.712, 0.1345]);
    assert_eq!(footer.claims.num_frames, None);
}

#[test]
fn frames_and_extra_lines_keep_their_places() {
    let text = SEED_FOOTER
        .replace("batch_size:       32", "num_frames:       16\nbatch_size:       32")
        + "hiera_depth:      3\n";
    let footer = Footer::parse(&text).unwrap();
    assert_eq!(footer.claims.num_frames, Some(16));
    assert_eq!(footer.claims.extra, [("hiera_depth".to_owned(), "3".to_owned())]);
    assert_eq!(footer.to_string(), text);
}

#[test]
fn a_key_of_the_footer_is_no_extra_line() {
    let text =
        format!("{SEED_FOOTER}peak_vram_mb:     1.0\nnum_steps:        9\nmine:             1\n");
    let claims = Claims::parse(&text).unwrap();
    assert_eq!(claims.extra, [("mine".to_owned(), "1".to_owned())]);
    assert_eq!(claims.num_steps, 1500);
}

#[test]
fn of_endless_further_lines_a_few_are_kept() {
    let flood = format!("{SEED_FOOTER}{}num_frames:       16\n", "a: b\n".repeat(100_000));
    let claims = Claims::parse(&flood).unwrap();
    assert_eq!(claims.extra, vec![("a".to_owned(), "b".to_owned()); 64]);
    assert_eq!(claims.num_frames, Some(16), "it stands behind them");
    let wide = format!("wide: {}\n", "x".repeat(1000));
    let kept = Claims::parse(&format!("{SEED_FOOTER}{}last: 1\n", wide.repeat(20))).unwrap();
    assert_eq!(kept.extra.len(), 8, "8 KiB hold so many and no more");
    assert!(kept.extra.iter().all(|(key, _)| key == "wide"));
}

#[test]
fn a_line_without_end_is_noise() {
    let long = format!("note: {}", "x".repeat(1024));
    let claims = Claims::parse(&format!("{SEED_FOOTER}{long}\nmine: 1\n")).unwrap();
    assert_eq!(claims.extra, []);
    let model = SEED_FOOTER.replace("efficientnet-b4", &long);
    assert_eq!(Claims::parse(&model), None);
}

#[test]
fn the_last_complete_footer_wins_among_noise() {
    let newer = SEED_FOOTER.replace("0.723456", "0.800000");
    let cut = &SEED_FOOTER[..150];
    let log = format!("Epoch 1 | loss=0.1\n{SEED_FOOTER}\nmore\n{newer}\nnoise: yes\n{cut}\n---\n");
    assert_eq!(Footer::parse(&log).unwrap().scores[0], 0.8);
    let crlf = log.replace('\n', "\r\n");
    assert_eq!(Footer::parse(&crlf), Footer::parse(&log));
}

#[test]
fn a_footer_with_a_missing_or_unreadable_line_is_none() {
    for line in SEED_FOOTER.lines().skip(1).filter(|line| !line.starts_with("augment")) {
        assert_eq!(Footer::parse(&SEED_FOOTER.replace(line, "noise")), None, "{line}");
    }
    for (from, to) in [("600.1", "soon"), ("600.1", "NaN"), ("1500", "-3"), ("0.0001", "inf")] {
        assert_eq!(Footer::parse(&SEED_FOOTER.replace(from, to)), None, "{to}");
    }
}

#[test]
fn scores_in_a_trainers_block_are_not_claims() {
    let forged = SEED_FOOTER.replace("0.723456", "1.000000");
    assert_eq!(Claims::parse(&forged).unwrap(), claims());
    assert!(!claims().to_string().contains("sn34_score"));
    assert_eq!(Footer::parse(&claims().to_string()), None);
}

#[test]
fn completing_adds_scores_and_prediction_time() {
    let scores = metrics::score(&[0, 1], &[0.2, 0.9]).unwrap();
    let footer = Footer::complete(claims(), &scores, 2.0);
    let text = footer.to_string();
    assert!(text.contains("total_seconds:    617.3\n"), "{text}");
    assert!(text.ends_with(&format!("sn34_competition: {:.6}\n", scores.sn34_competition)));
    assert_eq!(Footer::parse(&text).unwrap().scores[1], 1.0);
}

#[test]
fn floats_print_as_python_prints_them() {
    for (value, text) in [
        (1e-4, "0.0001"),
        (3e-4, "0.0003"),
        (5e-5, "5e-05"),
        (1.5e-5, "1.5e-05"),
        (1.0, "1.0"),
        (0.0, "0.0"),
        (1e15, "1000000000000000.0"),
        (1e16, "1e+16"),
        (2.5e120, "2.5e+120"),
        (-0.25, "-0.25"),
    ] {
        assert_eq!(python_float(value), text);
    }
}

proptest! {
    #[test]
    fn python_floats_read_back(value in prop::num::f64::NORMAL) {
        prop_assert_eq!(python_float(value).parse::<f64>(), Ok(value));
    }

    #[test]
    fn noise_around_a_footer_changes_nothing(before in "[^-]{0,80}", after in "[^-]{0,80}") {
        let log = format!("{before}\n{SEED_FOOTER}\n{after}");
        prop_assert_eq!(Footer::parse(&log), Footer::parse(SEED_FOOTER));
    }

    #[test]
    fn any_log_is_read_without_panic(log in "(---|[a-z]{1,9}: [0-9a-z]{1,5}|\n){0,60}") {
        let _ = (Footer::parse(&log), Claims::parse(&log));
    }
}

#[test]
fn a_line_that_gives_a_score_is_known_and_no_other() {
    for line in ["sn34_score:       1.000000", "mcc: x", "  accuracy : 0.9", "sn34_competition:1"] {
        assert!(tells_score(line), "{line}");
    }
    for line in ["", "model: sn34_score", "train_accuracy: 0.9", "accuracy 0.9", "step 3: mcc"] {
        assert!(!tells_score(line), "{line}");
    }
}
