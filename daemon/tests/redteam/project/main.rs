//! A researcher's trainer in small: what may be improved is in `lab`, the rest in `harness`.

mod lab;

fn main() {
    lab::begin();
    harness::run();
}
