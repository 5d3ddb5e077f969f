//! Two graphs of one model, traced with different numbers of records, as one: whole numbers that differ
//! follow the number of records.

use dfr_contract::trace::GRAPHS;

use crate::archive::Graph;
use crate::syntax::{Assignment, Expression, Function};

/// The graphs do not belong to one model that treats its records alike.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "what the model computes depends on the number of records: {0}. Write shapes with -1, flatten and \
     unflatten, and make no tensor of Rust numbers that were read from the first axis"
)]
pub struct MergeError(String);

/// The graph for any number of records.
///
/// # Errors
/// They differ in more than whole numbers.
pub fn merge(two: Graph, three: &Graph) -> Result<Graph, MergeError> {
    let refuse = |what: String| MergeError(what);
    if two.function.arguments != three.function.arguments
        || two.function.body.len() != three.function.body.len()
    {
        return Err(refuse("the graphs have different operations".to_owned()));
    }
    for (number, (a, b)) in two.constants.iter().zip(&three.constants).enumerate() {
        if a != b {
            return Err(refuse(format!("constant {number} of shape {:?}", a.form.shape)));
        }
    }
    let body = two.function.body.iter().zip(&three.function.body).map(|(a, b)| {
        let value = (a.targets == b.targets).then(|| either(&a.value, &b.value)).flatten();
        let value = value.ok_or_else(|| refuse(format!("{} and {}", a.value, b.value)))?;
        Ok(Assignment { value, ..a.clone() })
    });
    let body = body.collect::<Result<_, MergeError>>()?;
    let result = either(&two.function.result, &three.function.result);
    let result = result.ok_or_else(|| refuse("the result".to_owned()))?;
    let function = Function { arguments: two.function.arguments, body, result };
    Ok(Graph { function, constants: two.constants })
}

/// The expression that is `a` for the first number of records and `b` for the second.
fn either(a: &Expression, b: &Expression) -> Option<Expression> {
    use Expression::{Call, Index, Int, List};
    Some(match (a, b) {
        (Int(a), Int(b)) if a != b => {
            let slope = b.checked_sub(*a)?;
            Expression::Records(slope, a.checked_sub(slope.checked_mul(GRAPHS[0] as i64)?)?)
        }
        (List(a), List(b)) if a.len() == b.len() => {
            List(a.iter().zip(b).map(|(a, b)| either(a, b)).collect::<Option<_>>()?)
        }
        (Call(a, first), Call(b, second)) if a == b && first.len() == second.len() => {
            let argument =
                |((a_name, a), (b_name, b)): (&(Option<String>, _), &(Option<String>, _))| {
                    Some(((a_name == b_name).then(|| a_name.clone())?, either(a, b)?))
                };
            Call(a.clone(), first.iter().zip(second).map(argument).collect::<Option<_>>()?)
        }
        (Index(a, i), Index(b, j)) => Index(Box::new(either(a, b)?), Box::new(either(i, j)?)),
        (a, b) => (a == b).then(|| a.clone())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::parse;
    use crate::tensor::{Form, Kind, Tensor};

    fn graph(line: &str, constants: Vec<Tensor>) -> Graph {
        let source =
            format!("def forward(self: P, x: Tensor) -> Tensor:\n    y = {line}\n    return y\n");
        Graph { function: parse(&source).unwrap(), constants }
    }

    fn merged(two: &str, three: &str) -> Result<String, MergeError> {
        let merged = merge(graph(two, Vec::new()), &graph(three, Vec::new()))?;
        Ok(merged.function.body[0].value.to_string())
    }

    #[test]
    fn numbers_that_differ_follow_the_records() {
        assert_eq!(
            merged("torch.view(x, [2, 16, 4, 1])", "torch.view(x, [3, 24, 4, 2])").unwrap(),
            "torch.view(x, [n, 8 * n, 4, 1 * n + (-1)])"
        );
    }

    #[test]
    fn all_else_that_differs_is_refused() {
        for three in ["torch.relu(y)", "torch.gelu(x)", "torch.relu(x, 1)", "torch.relu(x, 1.5)"] {
            let error = merged("torch.relu(x)", three).unwrap_err().to_string();
            assert!(error.contains("unflatten"), "{error}");
        }
        let of = |byte| {
            vec![Tensor { form: Form { kind: Kind::U8, shape: vec![1] }, bytes: vec![byte] }]
        };
        let line = "torch.add(x, CONSTANTS.c0)";
        let error = merge(graph(line, of(1)), &graph(line, of(2))).unwrap_err().to_string();
        assert!(error.contains("constant 0 of shape [1]"), "{error}");
    }
}
