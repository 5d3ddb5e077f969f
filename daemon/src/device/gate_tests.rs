use super::*;
use crate::device::{Broken, Memory};

fn gpu(index: u32, used_mib: u64) -> Gpu {
    let memory = Memory { total_mib: 80_000, used_mib, free_mib: 80_000 - used_mib };
    Gpu {
        index,
        uuid: format!("GPU-{index}"),
        name: "NVIDIA H100".to_owned(),
        driver: "580.95".to_owned(),
        vitals: Ok(Vitals { memory, ..Vitals::default() }),
    }
}

fn process(pid: u32, name: Option<&str>, used_mib: Option<u64>) -> Occupant {
    Occupant { pid, name: name.map(str::to_owned), used_mib }
}

fn with(mut gpu: Gpu, change: impl FnOnce(&mut Vitals)) -> Gpu {
    change(gpu.vitals.as_mut().unwrap());
    gpu
}

fn computing(used_mib: u64, occupant: Occupant) -> Gpu {
    with(gpu(0, used_mib), |vitals| vitals.compute.push(occupant))
}

fn foreign(pid: u32, name: Option<&str>, used_mib: u64) -> Admission {
    Admission::Foreign { gpu: 0, pid, name: name.map(str::to_owned), used_mib }
}

fn floor() -> Floor {
    Floor::of_idle(&[gpu(0, 500)]).unwrap()
}

#[test]
fn memory_must_be_back_at_its_floor() {
    for (used_mib, ready) in [(400, true), (500, true), (756, true), (757, false)] {
        let held = Admission::MemoryHeld { gpu: 0, used_mib, floor_mib: 500 };
        let expected = if ready { Admission::Ready } else { held };
        assert_eq!(admission(&[gpu(0, used_mib)], &floor(), &[]), expected);
    }
}

#[test]
fn who_computes_there_and_is_not_ours_is_foreign() {
    let cases = [
        // A process that can be named is foreign even while its memory is small.
        (computing(600, process(7, Some("python3"), Some(100))), foreign(7, Some("python3"), 100)),
        // One of another namespace is told of only when memory says that somebody is there.
        (computing(600, process(7, None, Some(100))), Admission::Ready),
        (computing(9000, process(7, None, Some(8400))), foreign(7, None, 8400)),
        (computing(9000, process(7, None, None)), foreign(7, None, 9000)),
        // Nor is one known to be small whose memory nobody tells.
        (computing(600, process(7, None, None)), foreign(7, None, 600)),
        // Ours is no stranger, but what it holds counts.
        (computing(600, process(42, Some("dfr-train"), Some(100))), Admission::Ready),
        (
            computing(9000, process(42, Some("dfr-train"), Some(8400))),
            Admission::MemoryHeld { gpu: 0, used_mib: 9000, floor_mib: 500 },
        ),
    ];
    for (gpu, expected) in cases {
        assert_eq!(admission(std::slice::from_ref(&gpu), &floor(), &[42]), expected, "{gpu:?}");
    }
}

#[test]
fn a_screen_is_no_stranger() {
    let screen = |used_mib| process(9, Some("Xorg"), Some(used_mib));
    let drawing = with(gpu(0, 600), |vitals| vitals.graphics.push(screen(90)));
    let both = with(drawing.clone(), |vitals| vitals.compute.push(screen(90)));
    for gpu in [drawing, both] {
        assert_eq!(admission(&[gpu], &floor(), &[]), Admission::Ready);
    }
    let large = with(computing(700, screen(257)), |vitals| vitals.graphics.push(screen(257)));
    assert_eq!(admission(&[large], &floor(), &[]), foreign(9, Some("Xorg"), 257));
}

#[test]
fn what_the_driver_says_against_a_device_counts_first() {
    let broken = |broken| Gpu { vitals: Err(broken), ..gpu(0, 0) };
    let asking = |recovery| with(gpu(0, 500), |vitals| vitals.recovery = Some(recovery));
    let cases = [
        (broken(Broken::Lost), Some("GPU 0 is lost")),
        (broken(Broken::ResetRequired), Some("GPU 0 needs a reset")),
        (asking(Recovery::Reset), Some("asks for a reset")),
        (asking(Recovery::Reboot), Some("reboot")),
        (asking(Recovery::Drain), Some("drained")),
        (asking(Recovery::Other(9)), Some("recovery action 9")),
        (asking(Recovery::None), None),
    ];
    for (gpu, expected) in cases {
        let gpus = [gpu];
        let idle = Floor::of_idle(&gpus).err();
        match (admission(&gpus, &floor(), &[]), expected) {
            (Admission::Sick { why }, Some(expected)) => {
                assert!(why.contains(expected), "{why}");
                assert_eq!(idle, Some(Admission::Sick { why: why.clone() }));
                assert_eq!(harm(&[self::gpu(0, 500)], &gpus), Some(why));
            }
            (admitted, None) => assert_eq!((admitted, idle), (Admission::Ready, None)),
            (admitted, Some(_)) => panic!("{admitted:?}"),
        }
    }
}

#[test]
fn devices_that_come_and_go_are_sick() {
    let both = Floor::of_idle(&[gpu(0, 0), gpu(1, 0)]).unwrap();
    let sick = |admitted| matches!(admitted, Admission::Sick { why } if why.contains("GPU-1"));
    assert!(sick(admission(&[gpu(0, 0)], &both, &[])));
    assert!(sick(admission(&[gpu(0, 500), gpu(1, 0)], &floor(), &[])));
    assert_eq!(admission(&[], &Floor::default(), &[]), Admission::Ready);
}

#[test]
fn a_device_in_use_has_no_floor() {
    let python = computing(500, process(7, Some("python3"), Some(300)));
    assert_eq!(Floor::of_idle(&[python]), Err(foreign(7, Some("python3"), 300)));
    // However little that is of all memory, and whether or not it has a name here.
    let unnamed = computing(18_500, process(7, None, Some(18_000)));
    assert_eq!(Floor::of_idle(std::slice::from_ref(&unnamed)), Err(foreign(7, None, 18_000)));
    let small = computing(500, process(7, None, Some(200)));
    assert!(Floor::of_idle(&[small]).is_ok());
    let unknown = computing(1500, process(7, None, None));
    assert_eq!(Floor::of_idle(&[unknown]), Err(foreign(7, None, 1500)));
    // Where the driver lists nobody at all.
    let held = Admission::MemoryHeld { gpu: 0, used_mib: 2049, floor_mib: 0 };
    assert_eq!(Floor::of_idle(&[gpu(0, 2049)]), Err(held));
    assert!(Floor::of_idle(&[gpu(0, 2048)]).is_ok());
    let small = with(gpu(0, 1025), |vitals| vitals.memory.total_mib = 4096);
    assert!(Floor::of_idle(&[small]).is_err());
}

#[test]
fn harm_is_a_loss_or_errors_that_are_new() {
    let counting = |errors| with(gpu(0, 0), |vitals| vitals.ecc_uncorrected = errors);
    let cases = [
        (Some(3), Some(3), false),
        (Some(3), Some(4), true),
        // A driver that was loaded again counts from nothing.
        (Some(3), Some(0), false),
        (None, Some(4), false),
        (Some(3), None, false),
    ];
    for (before, after, harmed) in cases {
        let found = harm(&[counting(before)], &[counting(after)]);
        assert_eq!(found.is_some(), harmed, "{before:?} {after:?}");
    }
    assert!(harm(&[gpu(0, 0), gpu(1, 0)], &[gpu(0, 0)]).unwrap().contains("GPU 1"));
}

#[test]
fn a_gpu_that_was_seen_idle_keeps_its_floor() {
    let held = Admission::MemoryHeld { gpu: 0, used_mib: 19_500, floor_mib: 500 };
    assert_eq!(floor().again(&[gpu(0, 19_500)]), Err(held));
    assert_eq!(floor().again(&[gpu(0, 700)]), Ok(floor()));
    // Of another one nothing is known, and one that is not there is nobody's business.
    assert_eq!(floor().again(&[gpu(1, 900)]), Floor::of_idle(&[gpu(1, 900)]));
}
