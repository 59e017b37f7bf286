//! The functions and types that expressions may use: DataFusion's scalar functions that give the same result for the same
//! arguments, always, those of lists among them, its aggregate functions, and the types of columns by the names of job files.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, FieldRef};
use datafusion_common::config::ConfigOptions;
use datafusion_common::{Result, TableReference, plan_err};
use datafusion_expr::planner::{ContextProvider, ExprPlanner, TypePlanner};
use datafusion_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, TableSource, Volatility, WindowUDF};
use datafusion_functions::core::planner::CoreFunctionPlanner;
use datafusion_functions::datetime::planner::DatetimeFunctionPlanner;
use datafusion_functions::unicode::planner::UnicodeFunctionPlanner;
use datafusion_functions_nested::planner::{FieldAccessPlanner, NestedFunctionPlanner};
use datafusion_sql::sqlparser::ast::{DataType as SqlType, TimezoneInfo};
use wasmill_flow::column_type::{self, TIMESTAMP};

/// Functions of maps, which no column has.
const OF_MAPS: &[&str] = &["map", "make_map", "map_entries", "map_extract", "element_at", "map_keys", "map_values"];
/// Functions that make a list as long as a number says, which may be one of the data's.
const UNBOUNDED: &[&str] = &["range", "generate_series", "array_repeat", "list_repeat", "array_resize", "list_resize"];

/// What a name is in an expression.
pub(crate) enum Known {
    /// A function that may be used.
    Function,
    /// A function whose result isn't a matter of its arguments alone.
    Volatile,
    /// A function of maps.
    OfMaps,
    /// A function whose result can be as long as a number says.
    Unbounded,
    /// A function that takes a function, as `x -> x + 1`.
    HigherOrder,
    /// An aggregate function.
    Aggregate,
    /// Nothing.
    Unknown,
}

/// Aggregate functions that DataFusion hasn't.
const OWN_AGGREGATES: &[&str] = &["max_by", "min_by"];

/// DataFusion's functions by name, made once a process.
#[derive(Debug)]
pub(crate) struct Catalogue {
    functions: HashMap<String, Arc<ScalarUDF>>,
    aggregates: HashMap<String, Arc<AggregateUDF>>,
    higher_order: HashSet<String>,
    planners: Vec<Arc<dyn ExprPlanner>>,
    options: ConfigOptions,
}

impl Catalogue {
    /// The one catalogue.
    pub(crate) fn get() -> &'static Self {
        static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::new);
        &CATALOGUE
    }

    fn new() -> Self {
        let mut functions = HashMap::new();
        let nested = datafusion_functions_nested::all_default_nested_functions();
        for function in datafusion_functions::all_default_functions().into_iter().chain(nested) {
            for name in function.aliases() {
                functions.insert(name.to_lowercase(), Arc::clone(&function));
            }
            functions.insert(function.name().to_lowercase(), function);
        }
        let mut aggregates = HashMap::new();
        for function in datafusion_functions_aggregate::all_default_aggregate_functions() {
            for name in function.aliases() {
                aggregates.insert(name.to_lowercase(), Arc::clone(&function));
            }
            aggregates.insert(function.name().to_lowercase(), function);
        }
        let planners: Vec<Arc<dyn ExprPlanner>> = vec![
            Arc::new(CoreFunctionPlanner {}),
            Arc::new(NestedFunctionPlanner),
            Arc::new(FieldAccessPlanner),
            Arc::new(DatetimeFunctionPlanner),
            Arc::new(UnicodeFunctionPlanner),
        ];
        let higher_order = datafusion_functions_nested::all_default_higher_order_functions();
        let higher_order =
            higher_order.iter().flat_map(|function| function.aliases().iter().map(String::as_str).chain([function.name()]));
        let higher_order = higher_order.map(str::to_lowercase).collect();
        functions.retain(|name, _| !OF_MAPS.contains(&name.as_str()) && !UNBOUNDED.contains(&name.as_str()));
        Self { functions, aggregates, higher_order, planners, options: ConfigOptions::default() }
    }

    /// What a function's name is.
    pub(crate) fn look_up(&self, name: &str) -> Known {
        let name = name.to_lowercase();
        match self.functions.get(&name) {
            Some(function) if function.signature().volatility == Volatility::Immutable => Known::Function,
            Some(_) => Known::Volatile,
            None if OF_MAPS.contains(&name.as_str()) => Known::OfMaps,
            None if UNBOUNDED.contains(&name.as_str()) => Known::Unbounded,
            None if self.higher_order.contains(&name) => Known::HigherOrder,
            None if self.aggregate_name(&name).is_some() => Known::Aggregate,
            None => Known::Unknown,
        }
    }

    /// The aggregate function of that name.
    pub(crate) fn aggregate(&self, name: &str) -> Option<&Arc<AggregateUDF>> {
        self.aggregates.get(&name.to_lowercase())
    }

    /// The own name of the aggregate function of that name.
    pub(crate) fn aggregate_name<'a>(&'a self, name: &str) -> Option<&'a str> {
        let own = OWN_AGGREGATES.iter().copied().find(|own| own.eq_ignore_ascii_case(name));
        own.or_else(|| self.aggregate(name).map(|function| function.name()))
    }

    /// The names of all aggregate functions, in order.
    pub(crate) fn aggregate_names(&self) -> Vec<&str> {
        let names = self.aggregates.keys().map(String::as_str).filter(|name| *name != "grouping");
        let mut names: Vec<&str> = names.chain(OWN_AGGREGATES.iter().copied()).collect();
        names.sort_unstable();
        names
    }

    /// The names of the functions that may be used.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.functions
            .iter()
            .filter(|(_, function)| function.signature().volatility == Volatility::Immutable)
            .map(|(name, _)| name.as_str())
    }
}

impl ContextProvider for Catalogue {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        plan_err!("an expression has no tables, found `{name}`")
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(ColumnTypes))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        let function = self.functions.get(&name.to_lowercase())?;
        (function.signature().volatility == Volatility::Immutable).then(|| Arc::clone(function))
    }

    fn get_higher_order_meta(&self, _name: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, _name: &str) -> Option<Arc<AggregateUDF>> {
        None
    }

    fn get_window_meta(&self, _name: &str) -> Option<Arc<WindowUDF>> {
        None
    }

    fn get_variable_type(&self, _names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        self.names().map(str::to_owned).collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The types of columns in `cast(x as …)`, by the names that job files use, beside SQL's own; `timestamp` is in milliseconds.
#[derive(Debug)]
struct ColumnTypes;

impl TypePlanner for ColumnTypes {
    fn plan_type_field(&self, written: &SqlType) -> Result<Option<FieldRef>> {
        let data_type = match written {
            SqlType::Timestamp(None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => TIMESTAMP,
            SqlType::Binary(None) => DataType::BinaryView,
            SqlType::Int32 | SqlType::Int64 | SqlType::UInt64 | SqlType::Float32 | SqlType::Float64 | SqlType::Custom(..) => {
                match column_type::parse_field("", &written.to_string().to_lowercase()) {
                    Ok(field) => field.data_type().clone(),
                    Err(_) => return Ok(None),
                }
            }
            _ => return Ok(None),
        };
        Ok(Some(Arc::new(Field::new("", data_type, true))))
    }
}
