//! A graph as a Python module: `model.py`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

use dfr_contract::trace::Header;

use crate::archive::Graph;
use crate::operators::{is_computing, takes_text};
use crate::syntax::{Assignment, Expression};
use crate::tensor::{Form, Kind, Tensor};

/// The module's text but for its table of tensors and the lines of `forward`.
const TEMPLATE: &str = include_str!("../python/model.py");
/// Operators that take a number in the place of a tensor without axes, but for the first.
const ARITHMETIC: [&str; 14] = [
    "add",
    "sub",
    "mul",
    "div",
    "rsub",
    "pow",
    "remainder",
    "floor_divide",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
];
/// Where operators take a kind by position.
const KIND_POSITIONS: [(&str, usize); 2] = [("softmax", 2), ("log_softmax", 2)];
/// Arguments that say nothing about what is computed.
const STORAGE: [&str; 3] = ["layout", "memory_format", "pin_memory"];

/// Why a graph cannot be written in Python.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PythonError {
    /// Names that do not survive as attributes.
    #[error(
        "variable {0:?} cannot be an attribute in Python: name layers with letters, digits and _, and none twice"
    )]
    Name(String),
    /// Not as many arguments as variables.
    #[error(
        "the graph takes {found} arguments and the model has {variables} variables and an input"
    )]
    Arguments {
        /// Arguments.
        found: usize,
        /// Variables.
        variables: usize,
    },
    /// An operator that is not torch's own.
    #[error("{0} is no operator of torch's own: the competition's machines do not have it")]
    Operator(String),
    /// An operator that may do more than compute.
    #[error(
        "a model may not call torch.{0}: only what computes with tensors and numbers, and draws nothing at random"
    )]
    Reaching(String),
    /// Text where nothing asks for a word.
    #[error("the graph uses the text {0:?} where no operator asks for a word")]
    Text(String),
    /// A name that nothing defines.
    #[error("the graph uses {0}, which nothing defines")]
    Undefined(String),
    /// A type of number that has no name here.
    #[error("the graph asks for numbers of kind {0}, which a model cannot have there")]
    Kind(i64),
}

/// A module and the tensors that it needs besides the variables.
#[derive(Debug, PartialEq)]
pub struct Module {
    /// `model.py`.
    pub source: String,
    /// Constants that are no plain numbers, by their names in the file of weights.
    pub constants: BTreeMap<String, Tensor>,
}

/// Writes a graph down. `variables` gives the form of each variable of the header.
///
/// # Errors
/// Something that cannot be said in Python with torch alone.
pub fn module(
    header: &Header,
    graph: &Graph,
    variables: &BTreeMap<String, Form>,
) -> Result<Module, PythonError> {
    let mut writer = Writer::new(header, graph)?;
    let body = writer.body()?;
    let constants = writer.constants();
    let mut forms = variables.clone();
    forms.extend(constants.iter().map(|(name, tensor)| (name.clone(), tensor.form.clone())));
    require_attributes(forms.keys())?;
    let source = TEMPLATE
        .replace("    \"TENSORS\": ((), torch.float32),\n", &table(&forms))
        .replace("        return x  # FORWARD\n", &body);
    Ok(Module { source, constants })
}

fn table(forms: &BTreeMap<String, Form>) -> String {
    forms.iter().fold(String::new(), |mut text, (name, form)| {
        let sizes: Vec<_> = form.shape.iter().map(|size| format!("{size},")).collect();
        let kind = form.kind.torch_name();
        writeln!(text, "    \"{name}\": (({}), torch.{kind}),", sizes.join(" "))
            .expect("strings take all");
        text
    })
}

/// A tensor's name as attribute.
fn attribute(name: &str) -> String {
    format!("t_{}", name.replace('.', "__"))
}

fn require_attributes<'a>(names: impl Iterator<Item = &'a String>) -> Result<(), PythonError> {
    let mut seen = BTreeSet::new();
    for name in names {
        let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
        if !is_plain || !seen.insert(attribute(name)) {
            return Err(PythonError::Name(name.clone()));
        }
    }
    Ok(())
}

struct Writer<'a> {
    graph: &'a Graph,
    /// What each name of the graph is called in Python.
    names: HashMap<String, String>,
    /// The last statement that uses a name.
    last_use: HashMap<String, usize>,
    /// Python variables that nothing needs any more.
    free: BTreeSet<usize>,
    /// Python variables so far.
    variables: usize,
    /// Constants that are tensors in Python too.
    kept: BTreeSet<usize>,
}

impl<'a> Writer<'a> {
    fn new(header: &Header, graph: &'a Graph) -> Result<Self, PythonError> {
        let arguments = &graph.function.arguments;
        if arguments.len() != header.variables.len() + 1 {
            let (found, variables) = (arguments.len(), header.variables.len());
            return Err(PythonError::Arguments { found, variables });
        }
        let weights = header.variables.iter().map(|name| format!("self.{}", attribute(name)));
        let names = std::iter::once("x".to_owned()).chain(weights);
        let names = arguments.iter().cloned().zip(names).collect();
        let mut last_use = HashMap::new();
        let mut used = |value: &Expression, at: usize| {
            visit(value, &mut |name| {
                last_use.insert(name.to_owned(), at);
            });
        };
        for (at, Assignment { value, .. }) in graph.function.body.iter().enumerate() {
            used(value, at);
        }
        used(&graph.function.result, usize::MAX);
        let (free, kept) = (BTreeSet::new(), BTreeSet::new());
        Ok(Self { graph, names, last_use, free, variables: 0, kept })
    }

    /// The lines of `forward`. A Python variable is used again when nothing needs what it holds, so that
    /// memory is given back as early as libtorch does.
    fn body(&mut self) -> Result<String, PythonError> {
        let mut text = String::new();
        let function = &self.graph.function;
        for (at, Assignment { targets, is_list, value }) in function.body.iter().enumerate() {
            let value_text = self.expression(value)?;
            visit(value, &mut |name| self.release(name, at));
            let targets: Vec<String> = targets.iter().map(|name| self.target(name)).collect();
            let comma = if *is_list && targets.len() == 1 { "," } else { "" };
            writeln!(text, "        {}{comma} = {value_text}", targets.join(", "))
                .expect("strings take all");
        }
        let result = self.expression(&function.result)?;
        writeln!(text, "        return {result}").expect("strings take all");
        Ok(text)
    }

    fn release(&mut self, name: &str, at: usize) {
        let is_last = self.last_use.get(name) == Some(&at);
        let variable = self.names.get(name).and_then(|known| known.strip_prefix('v'));
        if let Some(number) = variable.filter(|_| is_last).and_then(|number| number.parse().ok()) {
            self.free.insert(number);
        }
    }

    fn target(&mut self, name: &str) -> String {
        let number = self.free.pop_first().unwrap_or_else(|| {
            self.variables += 1;
            self.variables - 1
        });
        let variable = format!("v{number}");
        self.names.insert(name.to_owned(), variable.clone());
        if !self.last_use.contains_key(name) {
            self.free.insert(number);
        }
        variable
    }

    fn expression(&mut self, value: &Expression) -> Result<String, PythonError> {
        match value {
            Expression::Name(name) => self.name(name),
            Expression::List(values) => {
                let values: Result<Vec<_>, _> = values.iter().map(|v| self.expression(v)).collect();
                Ok(format!("[{}]", values?.join(", ")))
            }
            Expression::Call(function, arguments) => self.call(function, arguments),
            Expression::Constant(at) => self.tensor(*at),
            Expression::Index(of, at) => {
                Ok(format!("{}[{}]", self.expression(of)?, self.expression(at)?))
            }
            Expression::Text(text) => Err(PythonError::Text(text.clone())),
            plain => Ok(plain.to_string()),
        }
    }

    fn name(&self, name: &str) -> Result<String, PythonError> {
        if ["None", "True", "False"].contains(&name) {
            return Ok(name.to_owned());
        }
        self.names.get(name).cloned().ok_or_else(|| PythonError::Undefined(name.to_owned()))
    }

    /// A constant where a tensor is needed: one without axes is made on the spot.
    fn tensor(&mut self, at: usize) -> Result<String, PythonError> {
        let constant = self.constant(at)?;
        if let Some(number) = constant.scalar() {
            let kind = kind_text(constant.form.kind);
            let number = Expression::Float(number);
            return Ok(format!("torch.full((), {number}, dtype={kind}, device=x.device)"));
        }
        self.kept.insert(at);
        Ok(format!("self.{}", attribute(&constant_name(at))))
    }

    fn constant(&self, at: usize) -> Result<&'a Tensor, PythonError> {
        self.graph.constants.get(at).ok_or_else(|| PythonError::Undefined(format!("constant {at}")))
    }

    fn constants(&self) -> BTreeMap<String, Tensor> {
        let kept = self.kept.iter();
        kept.map(|&at| (constant_name(at), self.graph.constants[at].clone())).collect()
    }

    fn call(&mut self, function: &str, arguments: &Arguments) -> Result<String, PythonError> {
        let first = arguments.first().map(|(_, value)| value);
        match (function, first) {
            // A size as a tensor, and back: Python's numbers are both.
            ("ops.prim.NumToTensor" | "int" | "float" | "bool", Some(value)) => {
                self.expression(value)
            }
            ("annotate" | "unchecked_cast", _) => {
                self.expression(&arguments.get(1).map_or(none(), |(_, value)| value.clone()))
            }
            ("torch.device", _) => Ok("x.device".to_owned()),
            _ => {
                let operator = function.strip_prefix("torch.").filter(|name| !name.contains('.'));
                let operator =
                    operator.ok_or_else(|| PythonError::Operator(function.to_owned()))?;
                self.operator(operator, arguments)
            }
        }
    }

    fn operator(&mut self, operator: &str, arguments: &Arguments) -> Result<String, PythonError> {
        if !is_computing(operator) {
            return Err(PythonError::Reaching(operator.to_owned()));
        }
        let mut texts = Vec::new();
        for (at, (name, value)) in arguments.iter().enumerate() {
            let text = match (name.as_deref(), value) {
                (Some(name), _) if STORAGE.contains(&name) => continue,
                (Some("dtype"), Expression::Int(number)) => kind(*number)?,
                (None, Expression::Int(number)) if is_kind(operator, arguments, at) => {
                    kind(*number)?
                }
                (_, Expression::Constant(constant)) if at > 0 && ARITHMETIC.contains(&operator) => {
                    self.number_or_tensor(*constant)?
                }
                (_, word @ Expression::Text(_)) if takes_text(operator) => word.to_string(),
                (_, value) => self.expression(value)?,
            };
            texts.push(name.as_ref().map_or(text.clone(), |name| format!("{name}={text}")));
        }
        Ok(format!("torch.ops.aten.{operator}({})", texts.join(", ")))
    }

    fn number_or_tensor(&mut self, at: usize) -> Result<String, PythonError> {
        let constant = self.constant(at)?;
        match constant.scalar() {
            Some(number) if constant.form.kind == Kind::I64 => Ok(format!("{number:.0}")),
            Some(number) => Ok(Expression::Float(number).to_string()),
            None => self.tensor(at),
        }
    }
}

type Arguments = [(Option<String>, Expression)];

fn none() -> Expression {
    Expression::Name("None".to_owned())
}

fn constant_name(at: usize) -> String {
    format!("constant.{at}")
}

/// Whether the argument at that position is the number of a kind.
fn is_kind(operator: &str, arguments: &Arguments, at: usize) -> bool {
    let follows_device = |at: usize| matches!(arguments.get(at), Some((_, Expression::Call(name, _))) if name == "torch.device");
    match operator {
        "to" => at == 1 || at == 2 && follows_device(1),
        _ => KIND_POSITIONS.contains(&(operator, at)),
    }
}

/// A kind by torch's number; single precision stands for that of the weights, which may be another one
/// where the model is run.
fn kind(number: i64) -> Result<String, PythonError> {
    Kind::of_number(number).map(kind_text).ok_or(PythonError::Kind(number))
}

fn kind_text(kind: Kind) -> String {
    match kind {
        Kind::F32 => "kind".to_owned(),
        other => format!("torch.{}", other.torch_name()),
    }
}

/// Calls `see` with every name in an expression, but for the types in `annotate`.
fn visit(value: &Expression, see: &mut impl FnMut(&str)) {
    match value {
        Expression::Name(name) => see(name),
        Expression::List(values) => values.iter().for_each(|value| visit(value, see)),
        Expression::Call(_, arguments) => arguments.iter().for_each(|(_, value)| visit(value, see)),
        Expression::Index(of, at) => {
            visit(of, see);
            visit(at, see);
        }
        _ => (),
    }
}

#[cfg(test)]
#[path = "python_tests.rs"]
mod tests;
