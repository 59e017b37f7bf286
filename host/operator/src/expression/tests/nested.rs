//! Lists and structs in expressions.

use arrow_schema::Schema;

use super::*;

/// Rows with lists and structs, read from text as `make_array` and `named_struct` have them.
fn rows() -> RecordBatch {
    let plain = schema_of(&[("id", "int64"), ("word", "utf8")]);
    let plain = RecordBatch::try_new(plain, vec![ints([Some(1), Some(2), None]), texts([Some("a"), None, Some("c")])]);
    let plain = plain.expect("columns of the schema");
    let columns = [
        ("id", "id"),
        ("tags", "case id when 1 then ['x', word, null] when 2 then string_to_array('', ',') end"),
        ("ns", "[id, 7, 7]"),
        ("place", "case when id is not null then named_struct('name', word, 'at', named_struct('lat', id / 2.0, 'a b', id)) end"),
        ("items", "[named_struct('n', id, 'w', word), named_struct('n', 9, 'w', 'z')]"),
        ("deep", "[[id, 2], [3]]"),
        ("word", "word"),
    ];
    let computed = columns.map(|(name, text)| {
        let expression = Expression::parse(text, &plain.schema()).unwrap_or_else(|problem| panic!("{text}: {problem}"));
        let evaluated = expression.evaluate(&plain);
        assert_eq!(evaluated.failed, [], "{text}");
        (Field::new(name, expression.data_type().clone(), true), evaluated.values)
    });
    let (fields, values): (Vec<Field>, Vec<_>) = computed.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), values).expect("columns of the schema")
}

#[track_caller]
fn gives(text: &str, data_type: &str, values: &[&str]) {
    let rows = rows();
    let expression = Expression::parse(text, &rows.schema()).unwrap_or_else(|problem| panic!("{text}: {problem}"));
    let evaluated = expression.evaluate(&rows);
    assert_eq!(evaluated.values.data_type(), expression.data_type(), "{text}");
    assert!(column_type::is_supported(expression.data_type()), "{text}");
    let found = (column_type::name(expression.data_type()), shown(&evaluated.values), evaluated.failed);
    assert_eq!(found, (data_type.to_owned(), values.iter().map(|value| (*value).to_owned()).collect(), vec![]), "{text}");
}

fn problem(text: &str) -> String {
    Expression::parse(text, &rows().schema()).expect_err(text).to_string()
}

#[test]
fn columns_have_types_that_job_files_can_write() {
    let types: Vec<String> = rows().schema().fields().iter().map(|field| column_type::describe(field)).collect();
    assert_eq!(
        types,
        [
            "int64",
            "list<utf8>",
            "list<int64>",
            "struct<name: utf8, at: struct<lat: float64, \"a b\": int64>>",
            "list<struct<n: int64, w: utf8>>",
            "list<list<int64>>",
            "utf8",
        ]
    );
}

#[test]
fn parts_are_taken_by_number_and_by_name() {
    gives("tags[1]", "utf8", &["x", "-", "-"]);
    gives("tags[-1]", "utf8", &["-", "-", "-"]);
    gives("tags[2]", "utf8", &["a", "-", "-"]);
    gives("ns[id]", "int64", &["1", "7", "-"]);
    gives("ns[9]", "int64", &["-", "-", "-"]);
    gives("ns[0]", "int64", &["-", "-", "-"]);
    gives("deep[1][2]", "int64", &["2", "2", "2"]);
    gives("ns[1:2]", "list<int64>", &["[1, 7]", "[2, 7]", "[-, 7]"]);
    gives("place.name", "utf8", &["a", "-", "-"]);
    gives("place['name']", "utf8", &["a", "-", "-"]);
    gives("place.at.lat", "float64", &["0.5", "1.0", "-"]);
    gives("place.at.\"a b\"", "int64", &["1", "2", "-"]);
    gives("place.at", "struct<lat: float64, \"a b\": int64>", &["{lat: 0.5, a b: 1}", "{lat: 1.0, a b: 2}", "-"]);
    gives("items[1].n + 1", "int64", &["2", "3", "-"]);
    gives("items[2].w", "utf8", &["z", "z", "z"]);
    gives("(place).at.lat * 2 > 1", "boolean", &["false", "true", "-"]);
    gives("named_struct('k', id).k", "int64", &["1", "2", "-"]);
    gives("place is null", "boolean", &["false", "false", "true"]);
}

#[test]
fn lists_are_made_and_looked_into() {
    gives("array_length(tags)", "uint64", &["3", "0", "-"]);
    gives("cardinality(ns)", "uint64", &["3", "3", "3"]);
    gives("array_contains(ns, id)", "boolean", &["true", "true", "-"]);
    gives("array_has(tags, 'x')", "boolean", &["true", "false", "-"]);
    gives("[1, 2]", "list<int64>", &["[1, 2]", "[1, 2]", "[1, 2]"]);
    gives("make_array(id, null)", "list<int64>", &["[1, -]", "[2, -]", "[-, -]"]);
    gives("ns || [8]", "list<int64>", &["[1, 7, 7, 8]", "[2, 7, 7, 8]", "[-, 7, 7, 8]"]);
    gives("array_append(tags, word)", "list<utf8>", &["[x, a, -, a]", "[-]", "[c]"]);
    gives("array_distinct(ns)", "list<int64>", &["[1, 7]", "[2, 7]", "[-, 7]"]);
    gives("array_sort(ns, 'DESC')", "list<int64>", &["[7, 7, 1]", "[7, 7, 2]", "[-, 7, 7]"]);
    gives("array_to_string(ns, '+')", "utf8", &["1+7+7", "2+7+7", "7+7"]);
    gives("string_to_array('a,b', ',')", "list<utf8>", &["[a, b]", "[a, b]", "[a, b]"]);
    gives("array_max(ns)", "int64", &["7", "7", "7"]);
    gives("flatten(deep)", "list<int64>", &["[1, 2, 3]", "[2, 2, 3]", "[-, 2, 3]"]);
    gives("array_slice(ns, 2, 3)", "list<int64>", &["[7, 7]", "[7, 7]", "[7, 7]"]);
    gives("array_position(ns, 7)", "uint64", &["2", "2", "2"]);
    gives("array_remove(ns, 7)", "list<int64>", &["[1, 7]", "[2, 7]", "[-, 7]"]);
    gives("array_reverse(ns)", "list<int64>", &["[7, 7, 1]", "[7, 7, 2]", "[7, 7, -]"]);
    gives("array_union(ns, [3])", "list<int64>", &["[1, 7, 3]", "[2, 7, 3]", "[-, 7, 3]"]);
    gives("array_concat(deep[2], [id])", "list<int64>", &["[3, 1]", "[3, 2]", "[3, -]"]);
    gives("ns = [1, 7, 7]", "boolean", &["true", "false", "false"]);
    gives("coalesce(tags, ['none'])", "list<utf8>", &["[x, a, -]", "[]", "[none]"]);
    gives(
        "{'a': id, 'b': ns}",
        "struct<a: int64, b: list<int64>>",
        &["{a: 1, b: [1, 7, 7]}", "{a: 2, b: [2, 7, 7]}", "{a: -, b: [-, 7, 7]}"],
    );
    gives("cast(ns as float64[])", "list<float64>", &["[1.0, 7.0, 7.0]", "[2.0, 7.0, 7.0]", "[-, 7.0, 7.0]"]);
}

#[test]
fn parts_that_are_not_there_are_named() {
    assert_eq!(problem("place.nam"), "`place` has no field `nam`; its fields are name, at (did you mean `name`?)");
    assert_eq!(problem("place.at.alt"), "`place['at']` has no field `alt`; its fields are lat, a b (did you mean `lat`?)");
    assert_eq!(problem("items[1].x"), "`items[1]` has no field `x`; its fields are n, w");
    assert_eq!(problem("tags.name"), "`tags` is list<utf8>, whose items have numbers, tags[1] and on, and no field `name`");
    assert_eq!(
        problem("place[1]"),
        "`place` is struct<name: utf8, at: struct<lat: float64, \"a b\": int64>>, whose fields are taken by their names: place['name']"
    );
    assert_eq!(problem("id[1]"), "`id` is int64, which has no items");
    assert_eq!(
        problem("id.x"),
        "`id` is int64, which has no parts; a column whose name has a dot is written in double quotes: \"id.x\""
    );
    assert_eq!(Expression::parse("1 + place.at.alt", &rows().schema()).expect_err("no field").position, Some(13));
}

#[test]
fn what_lists_can_not_do_is_said() {
    assert!(problem("map(['a'], [1])").contains("is about maps, which are not in this version"));
    assert_eq!(
        problem("array_transform(ns, x -> x + 1)"),
        "`array_transform` takes a function, which is not in this version; `unnest` makes a row of each item, and `array_agg` a list again"
    );
    for text in ["range(id)", "generate_series(1, id)", "array_repeat(word, id)", "array_resize(ns, id)"] {
        assert!(problem(text).ends_with("is refused: its list would be as long as a number in a row says"), "{text}");
    }
    assert_eq!(problem("[]"), "the type of a bare null isn't known; cast(null as float64) says it");
    let deep = |depth: usize| "[".repeat(depth) + "id" + &"]".repeat(depth);
    Expression::parse(&deep(16), &rows().schema()).expect("as deep as columns are");
    assert!(
        problem(&deep(17)).ends_with("lists and structs are nested at most 16 deep, and a struct has fields of different names")
    );
    assert_eq!(
        problem(&deep(1000)),
        "the expression is nested too deeply; `in (…)` or two operators one after the other may do the same"
    );
    let long = format!("deep{}", "[1]".repeat(1000));
    assert_eq!(
        problem(&long),
        "the expression is nested too deeply; `in (…)` or two operators one after the other may do the same"
    );
}

/// Functions over lists of each type of item, with numbers at the ends of their range: an error is one of a row, and nothing panics.
#[test]
fn functions_of_lists_never_panic() {
    let calls = [
        "array_length(L)",
        "array_dims(L)",
        "array_ndims(L)",
        "cardinality(L)",
        "array_empty(L)",
        "array_distinct(L)",
        "array_sort(L)",
        "array_reverse(L)",
        "array_pop_front(L)",
        "array_pop_back(L)",
        "array_any_value(L)",
        "array_max(L)",
        "array_min(L)",
        "array_compact(L)",
        "array_sum(L)",
        "array_avg(L)",
        "array_product(L)",
        "array_normalize(L)",
        "flatten(L)",
        "array_to_string(L, ',')",
        "array_concat(L, L)",
        "array_union(L, L)",
        "array_intersect(L, L)",
        "array_except(L, L)",
        "array_has_all(L, L)",
        "array_has_any(L, L)",
        "arrays_zip(L, L)",
        "array_append(L, L[1])",
        "array_prepend(L[1], L)",
        "array_has(L, L[1])",
        "array_position(L, L[1])",
        "array_positions(L, L[1])",
        "array_remove(L, L[1])",
        "array_remove_n(L, L[1], N)",
        "array_remove_all(L, L[1])",
        "array_replace(L, L[1], L[2])",
        "array_replace_n(L, L[1], L[2], N)",
        "array_replace_all(L, L[1], L[2])",
        "array_slice(L, N, M)",
        "array_slice(L, N, M, 2)",
        "array_slice(L, N, M, -1)",
        "L[N]",
        "L[N:M]",
        "array_distance(L, L)",
        "cosine_distance(L, L)",
        "inner_product(L, L)",
        "array_add(L, L)",
        "array_subtract(L, L)",
        "array_scale(L, N)",
        "L = L",
        "L < L",
        "coalesce(L, L)",
        "nullif(L, L)",
    ];
    let rows = rows();
    let numbers = ["0", "1", "-1", "9223372036854775807", "(-9223372036854775807 - 1)", "id", "null"];
    let (mut worked, mut refused) = (0, 0);
    for call in calls {
        for list in ["tags", "ns", "items", "deep"] {
            for (n, m) in numbers.iter().flat_map(|n| numbers.iter().map(move |m| (n, m))) {
                if !call.contains('N') && n != m {
                    continue;
                }
                let text = call.replace('L', list).replace('N', n).replace('M', m);
                match Expression::parse(&text, &rows.schema()) {
                    Ok(expression) => {
                        worked += 1;
                        let evaluated = expression.evaluate(&rows);
                        assert_eq!(evaluated.values.data_type(), expression.data_type(), "{text}");
                        assert_eq!(evaluated.values.len(), rows.num_rows(), "{text}");
                        assert_eq!(expression.evaluate(&rows.slice(1, 2)).values.len(), 2, "{text}");
                    }
                    Err(_) => refused += 1,
                }
            }
        }
    }
    assert!(worked > refused, "{worked} {refused}");
}
