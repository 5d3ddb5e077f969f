//! Device memory has a soft limit: what passes it is told and decides nothing.

/// MiB in one GiB.
const MIB_PER_GIB: f64 = 1024.0;
/// No device has more, in GiB: a trainer claims what it likes.
const MOST_GIB: f64 = 1e6;

/// Device memory as it is told, in GiB; nothing where none was used.
pub fn told_memory(peak_mib: f64) -> Option<String> {
    (peak_mib > 0.0).then(|| format!("{:.1} GiB of device memory", gib(peak_mib)))
}

/// What is said of a candidate that takes more than the soft limit (GiB) and more than what it is to
/// replace.
pub fn heavy(peak_mib: f64, incumbent_mib: Option<f64>, soft_gib: u64) -> Option<String> {
    let before = incumbent_mib.unwrap_or_default();
    let told = told_memory(peak_mib).filter(|_| peak_mib > before)?;
    (gib(peak_mib) > soft_gib as f64).then(|| {
        format!(
            "{told}, above the soft limit of {soft_gib}; the incumbent takes {:.1}",
            gib(before)
        )
    })
}

fn gib(mib: f64) -> f64 {
    (mib / MIB_PER_GIB).min(MOST_GIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_above_the_limit_and_the_incumbent_is_told() {
        let told = heavy(46_183.0, Some(20_787.0), 40).unwrap();
        let expected =
            "45.1 GiB of device memory, above the soft limit of 40; the incumbent takes 20.3";
        assert_eq!(told, expected);
        for (peak, incumbent) in [(40_960.0, None), (46_183.0, Some(46_183.0)), (0.0, None)] {
            assert_eq!(heavy(peak, incumbent, 40), None, "{peak}");
        }
        assert_eq!(heavy(f64::NAN, None, 40), None);
        assert!(heavy(1e300, None, 40).unwrap().len() < 120);
        assert_eq!(told_memory(0.0), None);
    }
}
