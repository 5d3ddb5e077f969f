pub struct Left;
pub struct Right;

impl Encoder for Left {
    fn encode(&self, x: &Tensor) -> Tensor {
        let x = x.gelu();
        x.layer_norm(1e-5)
    }
}

impl Encoder for Right {
    fn encode(&self, x: &Tensor) -> Tensor {
        let x = x.gelu();
        x.layer_norm(1e-5)
    }
}
