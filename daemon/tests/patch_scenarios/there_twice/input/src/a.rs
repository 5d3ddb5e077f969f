fn a() {
    x += 1;
}
fn b() {
    x += 1;
}
