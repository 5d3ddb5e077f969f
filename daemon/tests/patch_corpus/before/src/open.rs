pub fn loss(logits: &Tensor, labels: &Tensor) -> Tensor {
    let plain = logits.cross_entropy_for_logits(labels);
    plain * 0.9
}

pub fn steps(records: usize, batch: usize) -> usize {
    records / batch
}