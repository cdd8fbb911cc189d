//! `eq`, `ne`, `gt`, `gte`, `lt` and `lte` of templates, over values of which some are not known yet.
//! Knows nothing of where the values come from.

use std::cmp::Ordering;

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderError, Renderable, ScopedJson,
};
use serde_json::{Number, Value as Json};

use super::functions::argument;
use crate::cluster_config::json::HOLE_START;

/// The helpers that compare, by name.
pub(super) const COMPARISONS: [(&str, Compare); 6] = [
    ("eq", Compare(equal)),
    ("ne", Compare(|a, b| !equal(a, b))),
    ("gt", Compare(|a, b| ordered(a, b, Ordering::is_gt))),
    ("gte", Compare(|a, b| ordered(a, b, Ordering::is_ge))),
    ("lt", Compare(|a, b| ordered(a, b, Ordering::is_lt))),
    ("lte", Compare(|a, b| ordered(a, b, Ordering::is_le))),
];

/// A comparison of two values.
#[derive(Clone, Copy)]
pub(super) struct Compare(fn(&Json, &Json) -> bool);

impl Compare {
    fn holds(self, h: &Helper<'_>) -> bool {
        (self.0)(argument(h, 0), argument(h, 1))
    }
}

/// Whether they are the same; 3 is 3.0. A value that is not known is the same as itself only.
fn equal(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => order_of_numbers(a, b).is_some_and(Ordering::is_eq),
        _ => a == b,
    }
}

/// Whether they stand in this order. Where one is not known they are taken for equal: `gt` and `lte` are opposites whatever that
/// will be.
fn ordered(a: &Json, b: &Json, holds: fn(Ordering) -> bool) -> bool {
    if has_hole(a) || has_hole(b) { holds(Ordering::Equal) } else { order(a, b).is_some_and(holds) }
}

fn has_hole(value: &Json) -> bool {
    value.as_str().is_some_and(|text| text.contains(HOLE_START))
}

/// Which is greater; none where they cannot be compared.
fn order(a: &Json, b: &Json) -> Option<Ordering> {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => order_of_numbers(a, b),
        (Json::Number(a), Json::String(b)) => order_of_numbers(a, &b.parse().ok()?),
        (Json::String(a), Json::Number(b)) => order_of_numbers(&a.parse().ok()?, b),
        (Json::String(a), Json::String(b)) => Some(a.cmp(b)),
        (Json::Bool(a), Json::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn order_of_numbers(a: &Number, b: &Number) -> Option<Ordering> {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

impl HelperDef for Compare {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        Ok(ScopedJson::Derived(self.holds(h).into()))
    }

    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        engine: &'reg Handlebars<'reg>,
        ctx: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let holds = self.holds(h);
        if !h.is_block() {
            return Ok(out.write(&holds.to_string())?);
        }
        let chosen = if holds { h.template() } else { h.inverse() };
        chosen.map_or(Ok(()), |template| template.render(engine, ctx, rc, out))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_equal_however_they_are_written() {
        assert!(equal(&json!(3), &json!(3.0)));
        assert!(!equal(&json!(3), &json!(3.5)));
        assert!(!equal(&json!(3), &json!("3")));
        assert!(equal(&json!([1, "a"]), &json!([1, "a"])));
    }

    #[test]
    fn numbers_and_texts_are_ordered_and_nothing_else() {
        let of = |a: Json, b: Json| order(&a, &b);
        assert_eq!(of(json!(-1), json!(u64::MAX)), Some(Ordering::Less));
        assert_eq!(of(json!(1.5), json!(1)), Some(Ordering::Greater));
        assert_eq!(of(json!("10"), json!(9)), Some(Ordering::Greater));
        assert_eq!(of(json!("a"), json!("b")), Some(Ordering::Less));
        assert_eq!(of(json!([1]), json!(1)), None);
    }
}
