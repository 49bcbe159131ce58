//! From a query's text to a checked plan: whatever the evaluator does not support is refused here, before any value exists.

use super::functions::Function;
use super::labels::{Labels, NAME};
use super::store::{Samples, Store};
use super::value::Kind;
use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::token::{
    T_ADD, T_AVG, T_BOTTOMK, T_COUNT, T_COUNT_VALUES, T_DIV, T_EQLC, T_GROUP, T_GTE, T_GTR, T_LAND, T_LOR, T_LSS,
    T_LTE, T_LUNLESS, T_MAX, T_MIN, T_MOD, T_MUL, T_NEQ, T_POW, T_QUANTILE, T_STDDEV, T_STDVAR, T_SUB, T_SUM, T_TOPK,
};
use promql_parser::parser::{
    self, AggregateExpr, AtModifier, BinaryExpr, Call, Expr, LabelModifier, Offset, SubqueryExpr,
    VectorMatchCardinality, VectorSelector,
};
use std::time::{Duration, SystemTime};

/// The longest query that is read; a bound on the depth of what is parsed.
const MAX_QUERY: usize = 16 * 1024;

/// A checked expression over the series of a store.
#[derive(Debug)]
pub enum Node<'s> {
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// An instant selector.
    Select(Select<'s>),
    /// A range selector.
    Range(Select<'s>, i64),
    /// An expression evaluated on a grid of instants.
    Subquery(Box<Subquery<'s>>),
    /// A unary minus.
    Negate(Box<Node<'s>>),
    /// A binary operation.
    Binary(Box<Binary<'s>>),
    /// An aggregation.
    Aggregate(Box<Aggregate<'s>>),
    /// A function call.
    Call(Function, Vec<Node<'s>>),
}

/// The series that match a selector.
#[derive(Debug)]
pub struct Select<'s> {
    /// They, in the order of their labels.
    pub series: Vec<&'s Samples>,
    /// When they are looked at.
    pub shift: Shift,
    /// The labels that `absent` makes up: what the selector demands to be equal.
    pub demanded: Labels,
}

/// When an expression is evaluated, relative to the query.
#[derive(Clone, Copy, Debug)]
pub struct Shift {
    /// The `@` modifier.
    pub at: Option<At>,
    /// The `offset` modifier in milliseconds.
    pub offset_ms: i64,
}

/// The `@` modifier.
#[derive(Clone, Copy, Debug)]
pub enum At {
    /// An instant in milliseconds since the epoch.
    Instant(i64),
    /// The start of the query.
    Start,
    /// The end of the query.
    End,
}

/// `inner[range:step]`.
#[derive(Debug)]
pub struct Subquery<'s> {
    /// What is evaluated on the grid.
    pub inner: Node<'s>,
    /// Length of the range in milliseconds.
    pub range_ms: i64,
    /// Distance of the grid's instants in milliseconds.
    pub step_ms: i64,
    /// When the range ends.
    pub shift: Shift,
}

/// A binary operation.
#[derive(Debug)]
pub struct Binary<'s> {
    /// The operator.
    pub op: Operator,
    /// Left side.
    pub left: Node<'s>,
    /// Right side.
    pub right: Node<'s>,
    /// Whether a comparison gives 0 and 1 instead of filtering.
    pub returns_bool: bool,
    /// Whether `labels` are those to match on; else those to ignore.
    pub on: bool,
    /// The labels of `on` or `ignoring`.
    pub labels: Vec<String>,
    /// How many elements of each side may match.
    pub card: Card,
    /// The labels taken over from the side with one element.
    pub include: Vec<String>,
}

/// How many elements of each side of a vector operation may match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Card {
    /// One and one.
    OneToOne,
    /// `group_left`.
    ManyToOne,
    /// `group_right`.
    OneToMany,
}

/// The binary operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `+`.
    Add,
    /// `-`.
    Sub,
    /// `*`.
    Mul,
    /// `/`.
    Div,
    /// `%`, with the sign of the left side.
    Mod,
    /// `^`.
    Pow,
    /// `==`.
    Equal,
    /// `!=`.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
    /// `and`.
    And,
    /// `or`.
    Or,
    /// `unless`.
    Unless,
}

/// An aggregation.
#[derive(Debug)]
pub struct Aggregate<'s> {
    /// The operator.
    pub op: AggregateOp,
    /// What is aggregated.
    pub inner: Node<'s>,
    /// The parameter of those operators that have one.
    pub param: Option<Node<'s>>,
    /// Whether `labels` are dropped; else they are those kept.
    pub without: bool,
    /// The labels of `by` or `without`.
    pub labels: Vec<String>,
}

/// The aggregation operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateOp {
    /// `sum`.
    Sum,
    /// `avg`.
    Avg,
    /// `min`.
    Min,
    /// `max`.
    Max,
    /// `count`.
    Count,
    /// `group`.
    Group,
    /// `stddev`, of the population.
    Stddev,
    /// `stdvar`, of the population.
    Stdvar,
    /// `topk`.
    Topk,
    /// `bottomk`.
    Bottomk,
    /// `quantile`.
    Quantile,
    /// `count_values`.
    CountValues,
}

/// Reads and checks a query.
///
/// # Errors
/// Says what cannot be parsed or is not supported; the text of a `bad_data` answer.
pub fn plan<'s>(text: &str, store: &'s Store) -> Result<Node<'s>, String> {
    if text.len() > MAX_QUERY {
        return Err(format!("the query is longer than {MAX_QUERY} bytes"));
    }
    node(&parser::parse(text)?, store)
}

impl Node<'_> {
    /// Tells which kind of value the expression has.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Number(_) => Kind::Scalar,
            Self::Text(_) => Kind::Text,
            Self::Select(_) | Self::Aggregate(_) => Kind::Vector,
            Self::Range(..) | Self::Subquery(_) => Kind::Matrix,
            Self::Negate(inner) => inner.kind(),
            Self::Binary(binary) => match (binary.left.kind(), binary.right.kind()) {
                (Kind::Scalar, Kind::Scalar) => Kind::Scalar,
                _ => Kind::Vector,
            },
            Self::Call(function, _) => function.returns(),
        }
    }
}

fn node<'s>(expr: &Expr, store: &'s Store) -> Result<Node<'s>, String> {
    match expr {
        Expr::NumberLiteral(literal) => Ok(Node::Number(literal.val)),
        Expr::StringLiteral(literal) => Ok(Node::Text(literal.val.clone())),
        Expr::Paren(paren) => node(&paren.expr, store),
        Expr::VectorSelector(selector) => select(selector, store).map(Node::Select),
        Expr::MatrixSelector(matrix) => {
            Ok(Node::Range(select(&matrix.vs, store)?, range_ms(matrix.range, "the range of a selector")?))
        }
        Expr::Subquery(subquery) => subquery_node(subquery, store),
        Expr::Unary(unary) => {
            let inner = node(&unary.expr, store)?;
            match inner.kind() {
                Kind::Scalar | Kind::Vector => Ok(Node::Negate(Box::new(inner))),
                _ => Err("unary expression only allowed on expressions of type scalar or instant vector".into()),
            }
        }
        Expr::Binary(binary) => binary_node(binary, store),
        Expr::Aggregate(aggregate) => aggregate_node(aggregate, store),
        Expr::Call(call) => call_node(call, store),
        Expr::Extension(_) => Err("extension expressions are not supported".into()),
    }
}

fn select<'s>(selector: &VectorSelector, store: &'s Store) -> Result<Select<'s>, String> {
    if !selector.matchers.or_matchers.is_empty() {
        return Err("`or` between label matchers is not supported".into());
    }
    let matchers = &selector.matchers.matchers;
    let by_matcher = || {
        let equal = matchers.iter().find(|m| m.name == NAME && matches!(m.op, MatchOp::Equal));
        equal.map(|m| m.value.as_str())
    };
    let name = selector.name.as_deref().or_else(by_matcher);
    let passes = |labels: &Labels| matchers.iter().all(|m| m.is_match(labels.get(&m.name)));
    let shift = shift(selector.at.as_ref(), selector.offset.as_ref())?;
    Ok(Select { series: store.select(name, passes), shift, demanded: demanded(matchers) })
}

/// A label that several matchers name is not made up, as in Prometheus.
fn demanded(matchers: &[Matcher]) -> Labels {
    let single = |m: &&Matcher| matchers.iter().filter(|other| other.name == m.name).count() == 1;
    let equal = matchers.iter().filter(|m| matches!(m.op, MatchOp::Equal) && m.name != NAME);
    Labels::new(equal.filter(single).map(|m| (m.name.clone(), m.value.clone())))
}

fn shift(at: Option<&AtModifier>, offset: Option<&Offset>) -> Result<Shift, String> {
    let at = match at {
        None => None,
        Some(AtModifier::Start) => Some(At::Start),
        Some(AtModifier::End) => Some(At::End),
        Some(AtModifier::At(time)) => Some(At::Instant(epoch_ms(*time)?)),
    };
    let offset_ms = match offset {
        None => 0,
        Some(Offset::Pos(length)) => length_ms(*length)?,
        Some(Offset::Neg(length)) => -length_ms(*length)?,
    };
    Ok(Shift { at, offset_ms })
}

fn epoch_ms(time: SystemTime) -> Result<i64, String> {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => length_ms(after),
        Err(before) => length_ms(before.duration()).map(|ms| -ms),
    }
}

fn length_ms(length: Duration) -> Result<i64, String> {
    // A hundred years: far beyond any use, far below where sums of milliseconds could overflow.
    const LONGEST: u128 = 100 * 365 * 86_400_000;
    let ms = length.as_millis();
    if ms > LONGEST {
        return Err("a duration or instant of more than 100 years is not supported".into());
    }
    i64::try_from(ms).map_err(|e| e.to_string())
}

fn range_ms(length: Duration, what: &str) -> Result<i64, String> {
    match length_ms(length)? {
        0 => Err(format!("{what} must be greater than 0")),
        ms => Ok(ms),
    }
}

fn subquery_node<'s>(subquery: &SubqueryExpr, store: &'s Store) -> Result<Node<'s>, String> {
    let Some(step) = subquery.step else {
        // Prometheus takes the server's evaluation interval, which this one does not have.
        return Err("a subquery without a step is not supported: write it as [5m:15s]".into());
    };
    let inner = node(&subquery.expr, store)?;
    if inner.kind() != Kind::Vector {
        return Err("subquery is only allowed on instant vector".into());
    }
    let (range_ms, step_ms) =
        (range_ms(subquery.range, "the range of a subquery")?, range_ms(step, "the step of a subquery")?);
    if range_ms / step_ms > 11_000 {
        return Err("a subquery of more than 11000 points is not supported".into());
    }
    let shift = shift(subquery.at.as_ref(), subquery.offset.as_ref())?;
    Ok(Node::Subquery(Box::new(Subquery { inner, range_ms, step_ms, shift })))
}

fn binary_node<'s>(binary: &BinaryExpr, store: &'s Store) -> Result<Node<'s>, String> {
    let op = operator(binary)?;
    let (left, right) = (node(&binary.lhs, store)?, node(&binary.rhs, store)?);
    for side in [left.kind(), right.kind()] {
        if !matches!(side, Kind::Scalar | Kind::Vector) {
            return Err("binary expression must contain only scalar and instant vector types".into());
        }
        if op.is_set() && side == Kind::Scalar {
            return Err(format!("set operator {} not allowed in binary scalar expression", binary.op));
        }
    }
    let mut checked = Binary {
        op,
        left,
        right,
        returns_bool: binary.return_bool(),
        on: false,
        labels: Vec::new(),
        card: Card::OneToOne,
        include: Vec::new(),
    };
    let both_scalar = checked.left.kind() == Kind::Scalar && checked.right.kind() == Kind::Scalar;
    if both_scalar && op.is_comparison() && !checked.returns_bool {
        return Err("comparisons between scalars must use BOOL modifier".into());
    }
    let Some(modifier) = &binary.modifier else { return Ok(Node::Binary(Box::new(checked))) };
    if modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some() {
        return Err("the fill modifiers are not supported".into());
    }
    match &modifier.matching {
        None => {}
        Some(LabelModifier::Include(labels)) => (checked.on, checked.labels) = (true, labels.labels.clone()),
        Some(LabelModifier::Exclude(labels)) => checked.labels = labels.labels.clone(),
    }
    match &modifier.card {
        VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany => {}
        VectorMatchCardinality::ManyToOne(labels) => {
            (checked.card, checked.include) = (Card::ManyToOne, labels.labels.clone());
        }
        VectorMatchCardinality::OneToMany(labels) => {
            (checked.card, checked.include) = (Card::OneToMany, labels.labels.clone());
        }
    }
    Ok(Node::Binary(Box::new(checked)))
}

fn operator(binary: &BinaryExpr) -> Result<Operator, String> {
    Ok(match binary.op.id() {
        T_ADD => Operator::Add,
        T_SUB => Operator::Sub,
        T_MUL => Operator::Mul,
        T_DIV => Operator::Div,
        T_MOD => Operator::Mod,
        T_POW => Operator::Pow,
        T_EQLC => Operator::Equal,
        T_NEQ => Operator::NotEqual,
        T_LSS => Operator::Less,
        T_LTE => Operator::LessOrEqual,
        T_GTR => Operator::Greater,
        T_GTE => Operator::GreaterOrEqual,
        T_LAND => Operator::And,
        T_LOR => Operator::Or,
        T_LUNLESS => Operator::Unless,
        _ => return Err(format!("the operator {} is not supported", binary.op)),
    })
}

impl Operator {
    /// Tells whether the operator compares.
    pub fn is_comparison(self) -> bool {
        use Operator::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
        matches!(self, Equal | NotEqual | Less | LessOrEqual | Greater | GreaterOrEqual)
    }

    /// Tells whether the operator works on the sets of series.
    pub fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }
}

fn aggregate_node<'s>(aggregate: &AggregateExpr, store: &'s Store) -> Result<Node<'s>, String> {
    let (op, wants) = match aggregate.op.id() {
        T_SUM => (AggregateOp::Sum, None),
        T_AVG => (AggregateOp::Avg, None),
        T_MIN => (AggregateOp::Min, None),
        T_MAX => (AggregateOp::Max, None),
        T_COUNT => (AggregateOp::Count, None),
        T_GROUP => (AggregateOp::Group, None),
        T_STDDEV => (AggregateOp::Stddev, None),
        T_STDVAR => (AggregateOp::Stdvar, None),
        T_TOPK => (AggregateOp::Topk, Some(Kind::Scalar)),
        T_BOTTOMK => (AggregateOp::Bottomk, Some(Kind::Scalar)),
        T_QUANTILE => (AggregateOp::Quantile, Some(Kind::Scalar)),
        T_COUNT_VALUES => (AggregateOp::CountValues, Some(Kind::Text)),
        _ => return Err(format!("the aggregation {} is not supported", aggregate.op)),
    };
    let inner = node(&aggregate.expr, store)?;
    if inner.kind() != Kind::Vector {
        return Err(format!("expected type instant vector in aggregation {}", aggregate.op));
    }
    let param = aggregate.param.as_ref().map(|param| node(param, store)).transpose()?;
    if param.as_ref().map(Node::kind) != wants {
        return Err(format!("wrong parameter in aggregation {}", aggregate.op));
    }
    let (without, labels) = match &aggregate.modifier {
        None => (false, Vec::new()),
        Some(LabelModifier::Include(labels)) => (false, labels.labels.clone()),
        Some(LabelModifier::Exclude(labels)) => (true, labels.labels.clone()),
    };
    Ok(Node::Aggregate(Box::new(Aggregate { op, inner, param, without, labels })))
}

fn call_node<'s>(call: &Call, store: &'s Store) -> Result<Node<'s>, String> {
    let name = call.func.name;
    let function = Function::named(name).ok_or_else(|| format!("the function {name}() is not supported"))?;
    let args = call.args.args.iter().map(|arg| node(arg, store)).collect::<Result<Vec<_>, _>>()?;
    let kinds: Vec<Kind> = args.iter().map(Node::kind).collect();
    if !function.accepts(&kinds) {
        return Err(format!("wrong arguments in call to function {name}()"));
    }
    Ok(Node::Call(function, args))
}
