use super::*;
use crate::syntax::parse;

fn header() -> Header {
    Header { model: "m".to_owned(), shape: vec![4], variables: vec!["head.weight".to_owned()] }
}

fn written(lines: &[&str], constants: Vec<Tensor>) -> Result<Module, PythonError> {
    let body = lines.join("\n    ");
    let source = format!("def forward(self: P, x: Tensor, w: Tensor) -> Tensor:\n    {body}\n");
    let graph = Graph { function: parse(&source).unwrap(), constants };
    let form = Form { kind: Kind::F32, shape: vec![2, 4] };
    module(&header(), &graph, &BTreeMap::from([("head.weight".to_owned(), form)]))
}

fn constant(kind: Kind, shape: &[u64], bytes: &[u8]) -> Tensor {
    Tensor { form: Form { kind, shape: shape.to_vec() }, bytes: bytes.to_vec() }
}

#[test]
fn operators_become_calls_and_single_precision_follows_the_module() {
    let lines = [
        "y = torch.to(x, 6, False, False, None)",
        "z = torch.mul(y, CONSTANTS.c0)",
        "a, = torch.chunk(z, 1, 0)",
        "b = torch.zeros([2], dtype=6, layout=0, device=torch.device(\"cpu\"), pin_memory=False)",
        "c = torch.index_select(torch.softmax(a, -1, 7), 0, CONSTANTS.c1)",
        "return torch.add(torch.linear(c, w), b)",
    ];
    let constants = vec![
        constant(Kind::F64, &[], &0.5f64.to_le_bytes()),
        constant(Kind::I64, &[1], &3i64.to_le_bytes()),
    ];
    let Module { source, constants } = written(&lines, constants).unwrap();
    let forward = source.split("        n = x.shape[0]\n").nth(1).unwrap();
    let forward = forward.split("\n\n\n").next().unwrap();
    let expected = "        v0 = torch.ops.aten.to(x, kind, False, False, None)\n        \
        v0 = torch.ops.aten.mul(v0, 0.5)\n        \
        v0, = torch.ops.aten.chunk(v0, 1, 0)\n        \
        v1 = torch.ops.aten.zeros([2], dtype=kind, device=x.device)\n        \
        v0 = torch.ops.aten.index_select(torch.ops.aten.softmax(v0, -1, torch.float64), 0, self.t_constant__1)\n        \
        return torch.ops.aten.add(torch.ops.aten.linear(v0, self.t_head__weight), v1)";
    assert_eq!(forward, expected);
    assert!(source.contains(
        "    \"constant.1\": ((1,), torch.int64),\n    \"head.weight\": ((2, 4,), torch.float32),\n"
    ));
    assert_eq!(constants.keys().collect::<Vec<_>>(), ["constant.1"]);
}

#[test]
fn what_has_no_name_in_torch_is_refused() {
    let refused = |line: &str| written(&[line, "return y"], Vec::new()).unwrap_err().to_string();
    for (line, reason) in [
        ("y = ops.mine.attention(x)", "no operator of torch's own"),
        ("y = eval(x)", "no operator of torch's own"),
        ("y = torch.cuda.f(x)", "no operator of torch's own"),
        ("y = torch.relu(z)", "z, which nothing defines"),
        ("y = torch.to(x, 99)", "kind 99"),
        ("y = torch.add(x, CONSTANTS.c7)", "constant 7"),
        // Texts that are joined make any path.
        ("y = torch.from_file(x, True, 4)", "may not call torch.from_file"),
        ("y = torch.add(\"a\", \"b\")", "the text \"a\""),
        ("y = annotate(str, \"a\")", "the text \"a\""),
        ("y = torch.gelu([\"tanh\"])", "the text \"tanh\""),
        ("y = torch.chr(47)", "may not call torch.chr"),
        ("y = torch.cat([torch.save(x)])", "may not call torch.save"),
    ] {
        let error = refused(line);
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_word_says_how_an_operator_computes() {
    let lines = [
        "y = torch.div(torch.gelu(x, approximate=\"tanh\"), 2, rounding_mode=\"floor\")",
        "return y",
    ];
    let source = written(&lines, Vec::new()).unwrap().source;
    let wanted = "torch.ops.aten.div(torch.ops.aten.gelu(x, approximate=\"tanh\"), 2, rounding_mode=\"floor\")";
    assert!(source.contains(wanted), "{source}");
}

#[test]
fn names_that_would_meet_as_attributes_are_refused() {
    let names = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        require_attributes(names.iter())
    };
    assert!(names(&["a.b", "a_b", "forward"]).is_ok());
    assert!(names(&["a.b", "a__b"]).is_err());
    assert!(names(&["a\"b"]).is_err());
}
