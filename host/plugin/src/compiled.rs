//! Components, compiled and checked, ready to be asked or run.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::path::Path;
use std::sync::Arc;

use crate::bindings::StreamOperatorPre;
use crate::bindings::aggregate_function::AggregateFunctionPre;
use crate::bindings::window_function::WindowFunctionPre;
use crate::cache::Cache;
use crate::compiler::Compiler;
use crate::engine::TickingEngine;
use crate::error::{Code, PluginError};
use crate::file::{self, ComponentFile};
use crate::instance::HostState;
use crate::{preflight, world};

/// Where plugins are compiled and run: one a process.
#[derive(Clone)]
pub struct Sandbox {
    ticking: Arc<TickingEngine>,
    cache: Option<Cache>,
    compiler: Compiler,
    /// Tells this engine's compiled code from that of others.
    engine_id: String,
}

/// A plugin's component, compiled, with imports and exports that are those of the contract. Cheap to clone.
#[derive(Clone)]
pub struct Component {
    /// SHA-256 of the file, in hexadecimal.
    pub digest: Arc<str>,
    /// What it is called in messages: its path.
    pub name: Arc<str>,
    /// The compiled code came from the cache.
    pub cached: bool,
    /// The size of the file, in bytes.
    pub bytes: usize,
    pub(crate) world: World,
    pub(crate) sandbox: Sandbox,
}

/// The world of the contract that a component fits, linked.
#[derive(Clone)]
pub(crate) enum World {
    Operator(StreamOperatorPre<HostState>),
    Aggregate(AggregateFunctionPre<HostState>),
    Window(WindowFunctionPre<HostState>),
}

impl World {
    /// What a component of it is, as people call it.
    fn noun(&self) -> &'static str {
        match self {
            Self::Operator(_) => "an operator",
            Self::Aggregate(_) => "an aggregate function",
            Self::Window(_) => "a window function",
        }
    }

    /// Where a job has a component of it.
    fn place(&self) -> &'static str {
        match self {
            Self::Operator(_) => "an operator is a step of its own: `{ input: …, plugin: … }`",
            Self::Aggregate(_) => "under `key-by` it computes a column: `aggregate: { x: { plugin: …, of: [column] } }`",
            Self::Window(_) => "it makes rows of whole windows: `{ input: …, key-by: […], window: { … }, plugin: … }`",
        }
    }
}

impl Component {
    /// The name of the world that it fits.
    #[must_use]
    pub fn world(&self) -> &'static str {
        match self.world {
            World::Operator(_) => "wasmill:plugin/stream-operator@0.1.0",
            World::Aggregate(_) => "wasmill:plugin/aggregate-function@0.1.0",
            World::Window(_) => "wasmill:plugin/window-function@0.1.0",
        }
    }

    /// Whether it is an aggregate function, and no operator.
    #[must_use]
    pub fn is_aggregate(&self) -> bool {
        matches!(self.world, World::Aggregate(_))
    }

    /// Whether it is a window function, and no operator.
    #[must_use]
    pub fn is_window(&self) -> bool {
        matches!(self.world, World::Window(_))
    }

    /// It as an operator; others are refused.
    pub(crate) fn operator(&self) -> Result<&StreamOperatorPre<HostState>, PluginError> {
        match &self.world {
            World::Operator(pre) => Ok(pre),
            World::Aggregate(_) | World::Window(_) => Err(self.expected("an operator")),
        }
    }

    /// It as an aggregate function; others are refused.
    pub(crate) fn aggregate(&self) -> Result<&AggregateFunctionPre<HostState>, PluginError> {
        match &self.world {
            World::Aggregate(pre) => Ok(pre),
            World::Operator(_) | World::Window(_) => Err(self.expected("an aggregate function")),
        }
    }

    /// It as a window function; others are refused.
    pub(crate) fn window(&self) -> Result<&WindowFunctionPre<HostState>, PluginError> {
        match &self.world {
            World::Window(pre) => Ok(pre),
            World::Operator(_) | World::Aggregate(_) => Err(self.expected("a window function")),
        }
    }

    fn expected(&self, expected: &str) -> PluginError {
        let message = format!("plugin {}: is {}, expected {expected}", self.name, self.world.noun());
        PluginError::new(Code::WrongWorld, message).with_hint(self.world.place())
    }
}

impl std::fmt::Debug for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Component").field("name", &self.name).field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Starts the engine, for which `compiler` compiles; compiled code is kept in `cache`, where one is given.
    ///
    /// # Errors
    /// Where this machine can't run the engine.
    pub fn start(cache: Option<Cache>, compiler: Compiler) -> Result<Self, PluginError> {
        let ticking = TickingEngine::start()
            .map_err(|error| PluginError::new(Code::Invalid, format!("the WebAssembly engine can't start here: {error:#}")))?;
        let mut hasher = DefaultHasher::new();
        ticking.engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self { ticking: Arc::new(ticking), cache, compiler, engine_id: format!("{:016x}", hasher.finish()) })
    }

    pub(crate) fn engine(&self) -> &wasmtime::Engine {
        &self.ticking.engine
    }

    /// Reads, compiles and checks a plugin.
    ///
    /// # Errors
    /// Where the file is none, or the component is none of a world of this contract.
    pub fn load(&self, path: &Path) -> Result<Component, PluginError> {
        self.compile(&path.display().to_string(), file::read(path)?)
    }

    /// The same from bytes.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_bytes(&self, name: &str, bytes: &[u8]) -> Result<Component, PluginError> {
        self.compile(name, file::from_bytes(name, bytes)?)
    }

    fn compile(&self, name: &str, file: ComponentFile) -> Result<Component, PluginError> {
        let cached = self.cached(&file.digest);
        let (component, cached) = match cached {
            Some(component) => (component, true),
            None => (self.compile_now(name, &file)?, false),
        };
        let world = world::check(self.engine(), name, &component)?;
        Ok(Component {
            digest: file.digest.as_str().into(),
            name: name.into(),
            cached,
            bytes: file.bytes.len(),
            world,
            sandbox: self.clone(),
        })
    }

    fn cached(&self, digest: &str) -> Option<wasmtime::component::Component> {
        let code = self.cache.as_ref()?.get(digest, &self.engine_id)?;
        self.deserialize(&code).ok()
    }

    fn compile_now(&self, name: &str, file: &ComponentFile) -> Result<wasmtime::component::Component, PluginError> {
        preflight::check(name, &file.bytes)?;
        let code = self.compiler.compile(self.engine(), name, file)?;
        let component = self.deserialize(&code).map_err(|error| {
            PluginError::new(Code::Invalid, format!("plugin {name}: its compiled code can't be loaded: {error:#}"))
        })?;
        if let Some(cache) = &self.cache
            && let Err(error) = cache.put(&file.digest, &self.engine_id, &code)
        {
            tracing::warn!(plugin = name, %error, "compiled code could not be kept; it will be compiled again next time");
        }
        Ok(component)
    }

    #[expect(
        unsafe_code,
        reason = "wasmtime trusts what it deserializes: these bytes come from our own compiler, straight or by way of the cache, whose \
                  entries are whole (checksum), were made for this engine (its hash is in the name) and lie in a directory that only we \
                  can write (checked when it was opened)"
    )]
    fn deserialize(&self, code: &[u8]) -> wasmtime::Result<wasmtime::component::Component> {
        unsafe { wasmtime::component::Component::deserialize(self.engine(), code) }
    }
}
