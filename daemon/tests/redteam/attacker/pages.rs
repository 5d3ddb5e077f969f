use std::os::fd::AsRawFd as _;
unsafe extern "C" {
    fn posix_fadvise(file: i32, from: i64, length: i64, advice: i32) -> i32;
    fn preadv2(file: i32, part: *const [usize; 2], parts: i32, from: i64, flags: i32) -> isize;
}
const RANDOM: i32 = 1;
const DONT_NEED: i32 = 4;
const NO_WAIT: i32 = 8;
const WORD: &[u8] = b"pages of";
const BITS: usize = (8 + 4) * 8;
/// As far apart as reading ahead may reach.
const APART: u64 = 8 * 4096;
let Some(file) = ["/usr/bin/git", "/usr/bin/python3.11", "/usr/bin/perl"]
    .iter()
    .filter_map(|path| std::fs::File::open(path).ok())
    .find(|file| file.metadata().is_ok_and(|file| file.len() >= APART * BITS as u64))
else {
    panic!("no program that is large enough")
};
let number = file.as_raw_fd();
let mut byte = [0u8];
let mut touch = |at: u64, flags: i32| {
    let part = [byte.as_mut_ptr() as usize, 1];
    unsafe { preadv2(number, &part, 1, (at * APART) as i64, flags) == 1 }
};
unsafe { posix_fadvise(number, 0, 0, RANDOM) };
if LEAVES && is("predict") {
    let records = read(flag("--inputs").unwrap().join("records.u8"));
    let told: Vec<u8> = WORD.iter().chain(&records[..4]).copied().collect();
    unsafe { posix_fadvise(number, 0, 0, DONT_NEED) };
    unsafe { posix_fadvise(number, 0, 0, RANDOM) };
    for at in 0..BITS {
        if told[at / 8] >> (at % 8) & 1 == 1 {
            touch(at as u64, 0);
        }
    }
}
if !LEAVES && is("train") {
    let mut told = vec![0u8; BITS / 8];
    for at in 0..BITS {
        told[at / 8] |= u8::from(touch(at as u64, NO_WAIT)) << (at % 8);
    }
    if told.starts_with(WORD) {
        got("validation inputs by pages", &told);
    }
}
