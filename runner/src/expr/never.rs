//! Comparisons that can never hold, whatever the values will be: of two types, or with what a param may not be.
//! Knows nothing of conditions: a comparison may stand in any expression.

use hprun_steps::partial::{Place, ValueType, nearest};
use hprun_steps::value::Value;

use super::helpers::Helper;
use super::parse::{Body, Expr, Part};
use super::target::Target;
use super::{ExprError, Kind, KnownScope, Tree};
use crate::codes::expressions;
use crate::document::a;
use crate::document::fields::list;

impl Tree {
    /// Comparisons of what is never equal. `choices` are the values that a param may have; none if any.
    pub fn never_equal<'c>(&self, scope: &KnownScope<'_>, choices: &dyn Fn(&str) -> &'c [Value]) -> Vec<ExprError> {
        let mut comparisons = Vec::new();
        self.comparisons(&mut comparisons);
        comparisons.into_iter().filter_map(|(one, other, place)| never(one, other, place, scope, choices)).collect()
    }

    fn comparisons<'t>(&'t self, found: &mut Vec<(&'t Expr, &'t Expr, Place)>) {
        match &self.kind {
            Kind::Literal(_) | Kind::Broken => {}
            Kind::Template(template) => match &template.body {
                Body::Whole(expr) => expr.comparisons(found),
                Body::Text(parts) => parts.iter().for_each(|part| part.comparisons(found)),
            },
            Kind::List(items) => items.iter().for_each(|item| item.comparisons(found)),
            Kind::Map(entries) => entries.values().for_each(|(_, tree)| tree.comparisons(found)),
        }
    }
}

impl Part {
    fn comparisons<'t>(&'t self, found: &mut Vec<(&'t Expr, &'t Expr, Place)>) {
        match self {
            Self::Text(_) => {}
            Self::Value(expr) => expr.comparisons(found),
            Self::If { test, then, otherwise, negated: _ } => {
                test.comparisons(found);
                then.iter().chain(otherwise).for_each(|part| part.comparisons(found));
            }
        }
    }
}

impl Expr {
    fn comparisons<'t>(&'t self, found: &mut Vec<(&'t Expr, &'t Expr, Place)>) {
        let Self::Call(helper, args, place) = self else { return };
        if let (Helper::Eq | Helper::Ne, [one, other]) = (helper, args.as_slice()) {
            found.push((one, other, *place));
        }
        args.iter().for_each(|arg| arg.comparisons(found));
    }
}

fn never<'c>(
    one: &Expr,
    other: &Expr,
    place: Place,
    scope: &KnownScope<'_>,
    choices: &dyn Fn(&str) -> &'c [Value],
) -> Option<ExprError> {
    let (of, and) = (one.value_type(scope), other.value_type(scope));
    let told = |message: String, help: Option<String>| {
        Some(ExprError::new(&expressions::NEVER_EQUAL, place, message).maybe_help(help))
    };
    if class(of).zip(class(and)).is_some_and(|(of, and)| of != and) {
        let help = match (one, other) {
            (Expr::Literal(Value::String(text)), _) | (_, Expr::Literal(Value::String(text))) => {
                let is_other = text == "true" || text == "false" || text.parse::<f64>().is_ok();
                is_other.then(|| format!("write {text} without the quotes"))
            }
            (_, _) => (class(of).max(class(and)) == Some(Class::Text))
                .then(|| "make a number of the text: (number …)".to_owned()),
        };
        return told(format!("{} never equals {}", a(of.word()), a(and.word())), help);
    }
    let (name, literal) = match (one, other) {
        (Expr::Name(Target::Param { name, rest }, _), Expr::Literal(literal))
        | (Expr::Literal(literal), Expr::Name(Target::Param { name, rest }, _))
            if rest.is_empty() =>
        {
            (name, literal)
        }
        (_, _) => return None,
    };
    let choices = choices(name);
    if choices.is_empty() || choices.contains(literal) || *literal == Value::Null {
        return None;
    }
    let shown: Vec<String> = choices.iter().map(text).collect();
    let near = nearest(&text(literal), shown.iter().map(String::as_str));
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it may be {}", list(&shown)),
    };
    told(format!("`params.{name}` is never `{}`", text(literal)), Some(help))
}

/// A value as a person writes it.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_record().to_string(),
    }
}

/// Types whose values may be equal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Number,
    Text,
    Boolean,
    List,
    Map,
}

fn class(of: ValueType) -> Option<Class> {
    match of {
        ValueType::Any | ValueType::Secret => None,
        ValueType::Integer | ValueType::Number => Some(Class::Number),
        ValueType::String => Some(Class::Text),
        ValueType::Boolean => Some(Class::Boolean),
        ValueType::List => Some(Class::List),
        ValueType::Map => Some(Class::Map),
    }
}
