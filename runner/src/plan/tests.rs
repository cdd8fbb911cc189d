use crate::params::Params;
use crate::pipeline::testing::{load, with_head};
use crate::plan::Plan;

/// The plan as `id(needs)`, one step after the other.
fn check(steps: &str) -> String {
    let (pipeline, _) = load(&with_head(steps)).expect("the pipeline is sound");
    let plan = Plan::new(pipeline, Params::default());
    for (i, step) in plan.steps.iter().enumerate() {
        assert_eq!(plan.index(step.spec.id.as_str()), Some(i));
        assert!(step.needs.iter().all(|need| *need < i && plan.dependents(*need).contains(&i)));
    }
    let told = plan.steps.iter().map(|step| format!("{}{:?}", step.spec.id, step.needs));
    told.collect::<Vec<_>>().join(" ")
}

#[test]
fn steps_follow_what_they_need_and_otherwise_the_file() {
    let step = |id: &str, needs: Option<&str>| {
        let needs = needs.map(|needs| format!(", needs: [{needs}]")).unwrap_or_default();
        format!("  - {{ id: {id}, type: use-thing{needs} }}\n")
    };
    assert_eq!(check(&[step("a", None), step("b", None), step("c", None)].concat()), "a[] b[0] c[1]");
    let late = [step("a", Some("z")), step("b", Some("")), step("z", Some("")), step("c", Some("b"))].concat();
    assert_eq!(check(&late), "b[] z[] a[1] c[0]");
    let with_finally = format!("{}finally:\n{}{}", step("a", Some("")), step("f", None), step("g", None));
    assert_eq!(check(&with_finally), "a[] f[] g[1]");
}
