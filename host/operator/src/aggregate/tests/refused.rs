//! What is no aggregate, or none of this version.

use super::*;

#[test]
fn what_is_no_aggregate_of_this_version_is_said() {
    let problem = |text: &str| Aggregate::parse(text, &schema()).expect_err("a problem").to_string();
    assert_eq!(problem("x + 1"), "`x + 1` is no aggregate; one is a call, as count(*), sum(x) or max(x)");
    assert_eq!(
        problem("sum(x) / count(*)"),
        "`sum(x) / count(*)`: an aggregate is one call; compute with its result in a `select` or `with` after it"
    );
    let unknown = problem("summ(x)");
    assert!(unknown.starts_with("`summ` is no aggregate function; there are any_value, approx_distinct, "), "{unknown}");
    assert!(unknown.ends_with(" (did you mean `sum`?)") && !unknown.contains("grouping"), "{unknown}");
    assert_eq!(problem("grouping(x)"), "`grouping` is about grouping sets, and rows are grouped by the columns of key-by");
    assert_eq!(problem("sum(x) over ()"), "`over (…)` is not in this version; aggregates run by the columns of key-by");
    assert_eq!(
        problem("max(x order by f)"),
        "`order by` in an aggregate is not in this version; rows are taken in the order of their arrival"
    );
    assert_eq!(
        problem("max(x) within group (order by f)"),
        "`within group` is not in this version; it is for percentile_cont, approx_percentile_cont"
    );
    assert_eq!(
        problem("percentile_cont(0.5) within group (order by f desc)"),
        "`desc` within group is not in this version; the percentile of 1 - p is the same"
    );
    assert_eq!(
        problem("max(x) ignore nulls"),
        "`ignore nulls` is not in this version; it is for first_value, last_value, nth_value"
    );
    assert_eq!(
        problem("corr(distinct x, f)"),
        "`corr(DISTINCT x, f)`: `distinct` is over one column or expression in this version"
    );
    assert_eq!(problem("sum(*)"), "`sum(*)`: only count takes `*`, the others a column or an expression");
    assert_eq!(problem("max(x, f)"), "`max(x, f)`: the last argument says how many, a number from 1 to 10000");
    assert_eq!(problem("max(x, 0)"), "`max(x, 0)`: the last argument says how many, a number from 1 to 10000");
    assert_eq!(problem("max(x, f, 3)"), "`max` takes one argument, found 3 in `max(x, f, 3)`");
    assert_eq!(problem("max_by(x)"), "`max_by` takes two or three arguments, found 1 in `max_by(x)`");
    assert_eq!(
        problem("max_by(distinct x, f, 3)"),
        "`max_by(DISTINCT x, f, 3)`: `distinct` is over one column or expression in this version"
    );
    assert_eq!(
        problem("approx_percentile_cont(x, 1.5)"),
        "`approx_percentile_cont(x, 1.5)`: the percentile is a number from 0 to 1"
    );
    assert_eq!(
        problem("approx_percentile_cont(x, 0.5, 200)"),
        "`approx_percentile_cont(x, 0.5, 200)`: the relative error is a number from 0.005 to 0.1"
    );
    assert_eq!(problem("approx_median(t)"), "`approx_median(t)`: expected a number, found utf8");
    assert_eq!(
        problem("approx_percentile_cont_with_weight(x, f, 0.5)"),
        "`approx_percentile_cont_with_weight` is not in this version; DataFusion's depends on how rows are cut; `approx_percentile_cont(x, p)` doesn't, and takes no weights"
    );
    assert_eq!(problem("corr(x)"), "`corr` takes two arguments, found 1 in `corr(x)`");
    assert_eq!(problem("sum(t)"), "`sum(t)`: expected a number, found utf8");
    assert_eq!(problem("var_pop(t)"), "`var_pop(t)`: expected a number, found utf8");
    assert_eq!(problem("count(*) filter (where x)"), "expected true or false, found int64");
    assert_eq!(problem("max(xx)"), "unknown column `xx`; there are `k`, `x`, `f`, `t` (did you mean `x`?)");
    assert_eq!(Aggregate::parse("max(xx)", &schema()).expect_err("a problem").position, Some(4));
    assert_eq!(Aggregate::parse("COUNT(*)", &schema()).expect("an aggregate").field("n").data_type(), &DataType::Int64);
}
