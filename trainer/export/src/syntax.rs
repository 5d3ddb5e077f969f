//! The source that a TorchScript archive holds of a traced function: one assignment a line, no control flow.

use std::fmt;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A variable, or a word such as `None` or `True`.
    Name(String),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// A string: letters, digits, blanks and `-_,.>+` only.
    Text(String),
    /// A list or tuple.
    List(Vec<Self>),
    /// `a.b.c(…)`, with the names of arguments that have one.
    Call(String, Vec<(Option<String>, Self)>),
    /// A tensor of the archive's constants.
    Constant(usize),
    /// `of[at]`.
    Index(Box<Self>, Box<Self>),
    /// `slope * n + offset`, where n is the number of records.
    Records(i64, i64),
}

/// `target = value`, or `target, target, … = value` where a list is taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// Names.
    pub targets: Vec<String>,
    /// Whether a list is taken apart, if only of one.
    pub is_list: bool,
    /// What they are.
    pub value: Expression,
}

/// A function of tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Names of its arguments, without `self`.
    pub arguments: Vec<String>,
    /// In order.
    pub body: Vec<Assignment>,
    /// What it returns.
    pub result: Expression,
}

/// A line that is not understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the graph is not understood at {line:?}: {reason}")]
pub struct SyntaxError {
    line: String,
    reason: String,
}

/// Reads the function `forward` of an archive's source.
///
/// # Errors
/// The first line that is not understood.
pub fn parse(source: &str) -> Result<Function, SyntaxError> {
    let whole = |reason: &str| SyntaxError { line: String::new(), reason: reason.to_owned() };
    let start = source.find("def forward(").ok_or_else(|| whole("no function forward"))?;
    let (head, body) = source[start..].split_once(":\n").ok_or_else(|| whole("no body"))?;
    let head = head.rsplit_once("->").map_or(head, |(arguments, _)| arguments);
    let arguments: Vec<String> = head["def forward(".len()..]
        .split(',')
        .filter_map(|argument| argument.split_once(':'))
        .map(|(name, _)| name.trim().to_owned())
        .filter(|name| name != "self")
        .collect();
    let mut assignments = Vec::new();
    for line in body.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let refuse = |reason| SyntaxError { line: line.chars().take(200).collect(), reason };
        if let Some(result) = line.strip_prefix("return ") {
            let result = expression(result).map_err(refuse)?;
            return Ok(Function { arguments, body: assignments, result });
        }
        assignments.push(assignment(line).map_err(refuse)?);
    }
    Err(whole("it returns nothing"))
}

fn assignment(line: &str) -> Result<Assignment, String> {
    let (targets, value) = line.split_once(" = ").ok_or("no assignment")?;
    let is_list = targets.contains(',');
    let targets: Vec<String> = targets
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    if let Some(bad) = targets.iter().find(|name| !is_name(name)) {
        return Err(format!("{bad:?} is no variable"));
    }
    Ok(Assignment { targets, is_list, value: expression(value)? })
}

fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn expression(text: &str) -> Result<Expression, String> {
    let mut reader = Reader { rest: text, depth: 0 };
    let value = reader.expression()?;
    reader.expect_end()?;
    Ok(value)
}

/// How deep expressions may stand in each other.
const DEPTH: usize = 200;

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn expression(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("nested too deeply".to_owned());
        }
        let mut value = self.atom()?;
        while self.skip("[") {
            let at = self.expression()?;
            self.expect("]")?;
            value = Expression::Index(Box::new(value), Box::new(at));
        }
        self.depth -= 1;
        Ok(value)
    }

    fn atom(&mut self) -> Result<Expression, String> {
        self.rest = self.rest.trim_start();
        match self.rest.chars().next().ok_or("it ends early")? {
            '[' | '(' => self.list(),
            '"' | '\'' => self.text(),
            c if c.is_ascii_digit() || c == '-' || c == '.' => self.number(),
            c if c.is_ascii_alphabetic() || c == '_' => self.named(),
            other => Err(format!("{other:?} is not expected")),
        }
    }

    fn list(&mut self) -> Result<Expression, String> {
        let close = if self.skip("[") { "]" } else { ")" };
        if close == ")" {
            self.expect("(")?;
        }
        let mut values = Vec::new();
        while !self.skip(close) {
            values.push(self.expression()?);
            if !self.skip(",") {
                self.expect(close)?;
                break;
            }
        }
        Ok(Expression::List(values))
    }

    fn text(&mut self) -> Result<Expression, String> {
        let quote = &self.rest[..1];
        let (text, rest) = self.rest[1..].split_once(quote).ok_or("a string without an end")?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || " -_,.>+".contains(c);
        if !text.chars().all(is_plain) {
            return Err(format!("the string {text:?}"));
        }
        self.rest = rest;
        Ok(Expression::Text(text.to_owned()))
    }

    fn number(&mut self) -> Result<Expression, String> {
        if let Some(rest) = self.rest.strip_prefix("-inf") {
            self.rest = rest;
            return Ok(Expression::Float(f64::NEG_INFINITY));
        }
        let is_part = |(at, c): (usize, char)| {
            c.is_ascii_digit()
                || c == '.'
                || c == 'e'
                || (c == '-' || c == '+') && { at == 0 || self.rest[..at].ends_with('e') }
        };
        let end =
            self.rest.char_indices().find(|at| !is_part(*at)).map_or(self.rest.len(), |(at, _)| at);
        let (number, rest) = self.rest.split_at(end);
        self.rest = rest;
        if let Ok(whole) = number.parse() {
            return Ok(Expression::Int(whole));
        }
        number.parse().map(Expression::Float).map_err(|_| format!("the number {number:?}"))
    }

    fn named(&mut self) -> Result<Expression, String> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        let name = name.to_owned();
        self.rest = rest;
        if let Some(number) = name.strip_prefix("CONSTANTS.c") {
            return number
                .parse()
                .map(Expression::Constant)
                .map_err(|_| format!("the name {name}"));
        }
        if !name.split('.').all(is_name) {
            return Err(format!("the name {name}"));
        }
        match name.as_str() {
            "inf" => Ok(Expression::Float(f64::INFINITY)),
            "nan" => Ok(Expression::Float(f64::NAN)),
            _ if self.skip("(") => self.call(name),
            _ => Ok(Expression::Name(name)),
        }
    }

    fn call(&mut self, function: String) -> Result<Expression, String> {
        let mut arguments = Vec::new();
        while !self.skip(")") {
            let first = self.expression()?;
            let argument = match first {
                Expression::Name(name) if self.skip("=") => (Some(name), self.expression()?),
                value => (None, value),
            };
            arguments.push(argument);
            if !self.skip(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(Expression::Call(function, arguments))
    }

    fn skip(&mut self, word: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(word);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        if self.skip(word) {
            Ok(())
        } else {
            Err(format!("{word:?} is missing before {:?}", self.rest))
        }
    }

    fn expect_end(&self) -> Result<(), String> {
        let rest = self.rest.trim();
        if rest.is_empty() { Ok(()) } else { Err(format!("{rest:?} is not expected")) }
    }
}

impl fmt::Display for Expression {
    /// As Python writes it; calls as they were.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |values: &[Self]| values.iter().map(Self::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Int(number) => write!(f, "{number}"),
            Self::Float(number) if number.is_finite() => write!(f, "{number:?}"),
            Self::Float(number) => write!(f, "float(\"{number}\")"),
            Self::Text(text) => write!(f, "\"{text}\""),
            Self::List(values) => write!(f, "[{}]", list(values)),
            Self::Call(function, arguments) => {
                let argument = |(name, value): &(Option<String>, Self)| match name {
                    Some(name) => format!("{name}={value}"),
                    None => value.to_string(),
                };
                let arguments: Vec<_> = arguments.iter().map(argument).collect();
                write!(f, "{function}({})", arguments.join(", "))
            }
            Self::Constant(at) => write!(f, "CONSTANTS.c{at}"),
            Self::Index(of, at) => write!(f, "{of}[{at}]"),
            Self::Records(1, 0) => f.write_str("n"),
            Self::Records(slope, 0) => write!(f, "{slope} * n"),
            Self::Records(slope, offset) => write!(f, "{slope} * n + ({offset})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "class P(Module):\n  def forward(self: __torch__.P,\n    x: Tensor,\n    w: Tensor) -> Tensor:\n    \
        y = torch.add(torch.to(x, 6), CONSTANTS.c0, alpha=1)\n    a, b, = torch.chunk(y, 2, -1)\n    \
        _0 = [a, b]\n    return torch.clamp(torch.cat(_0, 1), -inf, 1.0000000000000001e-05)\n";

    #[test]
    fn a_function_is_read_as_it_was_written() {
        let function = parse(SOURCE).unwrap();
        assert_eq!(function.arguments, ["x", "w"]);
        let lines: Vec<String> = function
            .body
            .iter()
            .map(|a| format!("{} = {}", a.targets.join(", "), a.value))
            .collect();
        assert_eq!(
            lines,
            [
                "y = torch.add(torch.to(x, 6), CONSTANTS.c0, alpha=1)",
                "a, b = torch.chunk(y, 2, -1)",
                "_0 = [a, b]"
            ]
        );
        assert_eq!(
            function.result.to_string(),
            "torch.clamp(torch.cat(_0, 1), float(\"-inf\"), 1e-5)"
        );
    }

    #[test]
    fn what_is_no_assignment_is_told_with_its_line() {
        let refused = |line: &str| {
            let source =
                format!("def forward(self: P, x: Tensor) -> Tensor:\n    {line}\n    return x\n");
            parse(&source).unwrap_err().to_string()
        };
        for (line, reason) in [
            ("if x:", "no assignment"),
            ("y = torch.add(x", "is missing"),
            ("y = x; import os", "is not expected"),
            ("y = torch.f(x, \"a\\nb\")", "the string"),
            ("y = torch..f(x)", "the name"),
            ("1y = x", "is no variable"),
        ] {
            let text = refused(line);
            assert!(text.contains(reason), "{text}");
        }
        let deep = format!("y = {}x{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(refused(&deep).contains("nested too deeply"));
    }
}
