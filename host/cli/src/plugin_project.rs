//! A new operator's project: what lies in it, and that it is made whole or not at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use wasmill_job::catalog::PluginProblem;

/// The files, put into the program when it was built.
mod files {
    include!(concat!(env!("OUT_DIR"), "/project_files.rs"));
}

/// Where the SDK lies in a project.
const SDK: &str = ".wasmill/sdk";

/// Types that a new project has or uses beside its operator.
const TEMPLATE_TYPES: &[&str] = &[
    "Context",
    "Default",
    "Deserialize",
    "Error",
    "Open",
    "Operator",
    "Option",
    "Process",
    "Reading",
    "Record",
    "Result",
    "Seen",
    "Settings",
    "Spike",
    "StateValue",
    "ValueState",
];

/// Names that Cargo or the compiler would stumble over.
const TAKEN: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "serde",
    "serde_json",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "wasmill-sdk",
    "wasmill_sdk",
    "where",
    "while",
    "yield",
];

/// Makes the project `name` in a directory. With `sdk` it uses that checkout of the SDK; otherwise the SDK's sources are put into it.
///
/// # Errors
/// Where the name can't be one, something of that name is there, the checkout is none, or files can't be written. Nothing is left then.
pub fn make(within: &Path, name: &str, sdk: Option<&Path>) -> Result<PathBuf, PluginProblem> {
    check_name(name)?;
    let project = within.join(name);
    if project.symlink_metadata().is_ok() {
        let hint = "choose another name, or move what is there away".to_owned();
        return Err(problem("plugin-exists", format!("{}: is there already", project.display()), Some(hint)));
    }
    let sdk = sdk.map(checkout).transpose()?;
    let aside = within.join(format!(".{name}.{}.partial", std::process::id()));
    let written = write(&aside, name, sdk.as_deref()).and_then(|()| fs::rename(&aside, &project));
    written.map_err(|error| {
        let _ = fs::remove_dir_all(&aside);
        problem("plugin-unwritable", format!("{}: can't be written: {error}", project.display()), None)
    })?;
    Ok(project)
}

fn write(project: &Path, name: &str, sdk: Option<&Path>) -> io::Result<()> {
    let put = |path: &Path, text: &str| {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, text)
    };
    let sdk_path = sdk.map_or_else(|| SDK.to_owned(), |path| path.display().to_string());
    for (path, text) in files::TEMPLATE {
        let path = if *path == "gitignore" { ".gitignore" } else { path };
        put(
            &project.join(path),
            &text.replace("my-operator", name).replace("MyOperator", &type_name(name)).replace("@SDK@", &sdk_path),
        )?;
    }
    if sdk.is_none() {
        put(&project.join("Cargo.lock"), files::LOCK)?;
        files::SDK.iter().try_for_each(|(path, text)| put(&project.join(SDK).join(path), text))?;
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), PluginProblem> {
    let of_name = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || "_-".contains(character);
    let invalid = |what: &str, hint: &str| {
        Err(problem("invalid-plugin-name", format!("plugin name `{name}`: {what}"), Some(hint.to_owned())))
    };
    if name.contains('/') {
        return invalid("is a path, expected a name", "run this in the directory that the project's directory is to be in");
    }
    if name.len() > 63 || !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.chars().all(of_name) {
        return invalid("expected a lower-case letter, then up to 62 of a-z, 0-9, _ and -", "as in `spike-alert`");
    }
    if TAKEN.contains(&name) {
        return invalid("means something to Rust already", "choose another name");
    }
    if TEMPLATE_TYPES.contains(&type_name(name).as_str()) {
        return invalid("would name the operator as another type of the project is named", "choose another name");
    }
    Ok(())
}

/// A checkout of the SDK, by its whole path.
fn checkout(path: &Path) -> Result<PathBuf, PluginProblem> {
    let found = match path.canonicalize() {
        Ok(whole) => match fs::read_to_string(whole.join("Cargo.toml")) {
            Ok(manifest) if manifest.contains("name = \"wasmill-sdk\"") => return Ok(whole),
            Ok(_) => "its Cargo.toml is that of another crate".to_owned(),
            Err(error) => format!("its Cargo.toml can't be read: {error}"),
        },
        Err(error) => format!("can't be read: {error}"),
    };
    let hint = "name the directory `sdk/rust` of a checkout of Wasmill, or leave --sdk out".to_owned();
    Err(problem("sdk-unreadable", format!("SDK {}: {found}", path.display()), Some(hint)))
}

/// A project's name as that of a type.
fn type_name(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    name.split(['-', '_']).map(word).collect()
}

fn problem(code: &'static str, message: String, hint: Option<String>) -> PluginProblem {
    PluginProblem { code, message, hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str, sdk: Option<&Path>) -> String {
        let home = tempfile::tempdir().expect("a directory");
        let problem = make(home.path(), name, sdk).expect_err("refused");
        assert_eq!(fs::read_dir(home.path()).expect("there").count(), 0, "something was left");
        let message = problem.message.replace(&home.path().display().to_string(), "HOME");
        format!("{}: {message}: {}", problem.code, problem.hint.unwrap_or_default())
    }

    #[test]
    fn a_name_that_can_not_be_one_is_refused() {
        let rule = "expected a lower-case letter, then up to 62 of a-z, 0-9, _ and -: as in `spike-alert`";
        for name in ["", "Spikes", "1st", "späher", "a.b", "-x", &"x".repeat(64)] {
            assert_eq!(refused(name, None), format!("invalid-plugin-name: plugin name `{name}`: {rule}"));
        }
        assert_eq!(
            refused("plugins/spikes", None),
            "invalid-plugin-name: plugin name `plugins/spikes`: is a path, expected a name: run this in the directory that the project's \
             directory is to be in"
        );
        assert_eq!(
            refused("test", None),
            "invalid-plugin-name: plugin name `test`: means something to Rust already: choose another name"
        );
    }

    #[test]
    fn what_is_there_stays_as_it_is() {
        let home = tempfile::tempdir().expect("a directory");
        fs::write(home.path().join("spikes"), "mine").expect("written");
        let problem = make(home.path(), "spikes", None).expect_err("refused");
        assert_eq!(problem.message, format!("{}/spikes: is there already", home.path().display()));
        assert_eq!(problem.hint.as_deref(), Some("choose another name, or move what is there away"));
        assert_eq!(fs::read_to_string(home.path().join("spikes")).expect("there"), "mine");
        assert_eq!(fs::read_dir(home.path()).expect("there").count(), 1);
    }

    #[test]
    fn an_sdk_that_is_none_is_refused() {
        let hint = "name the directory `sdk/rust` of a checkout of Wasmill, or leave --sdk out";
        assert_eq!(
            refused("spikes", Some(Path::new("/nowhere"))),
            format!("sdk-unreadable: SDK /nowhere: can't be read: No such file or directory (os error 2): {hint}")
        );
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert_eq!(
            refused("spikes", Some(here)),
            format!("sdk-unreadable: SDK {}: its Cargo.toml is that of another crate: {hint}", here.display())
        );
    }

    #[test]
    fn a_project_has_its_name_everywhere_and_the_sdk_with_it() {
        let home = tempfile::tempdir().expect("a directory");
        let project = make(home.path(), "spike-alert_2", None).expect("made");
        let read = |path: &str| fs::read_to_string(project.join(path)).expect(path);
        assert!(
            read("Cargo.toml").contains("name = \"spike-alert_2\"") && read("Cargo.toml").contains("path = \".wasmill/sdk\"")
        );
        assert!(read("src/lib.rs").contains("export!(SpikeAlert2)") && !read("src/lib.rs").contains("MyOperator"));
        assert!(read("job.yaml").contains("name: spike-alert_2"));
        assert_eq!(read(".gitignore"), "/target\n/dist\n/out\n");
        let lock = read("Cargo.lock");
        assert!(lock.contains("name = \"wasmill-sdk\"") && lock.contains("name = \"syn\"") && !lock.contains("keyed-count"));
        let manifest = read(".wasmill/sdk/Cargo.toml");
        assert!(manifest.contains("wasmill-sdk-derive = { path = \"derive\" }") && !manifest.contains("host/"), "{manifest}");
        assert!(project.join(".wasmill/sdk/src/lib.rs").is_file() && project.join(".wasmill/sdk/derive/src/lib.rs").is_file());
    }

    #[test]
    fn a_checkout_of_the_sdk_is_used_where_it_lies() {
        let home = tempfile::tempdir().expect("a directory");
        let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/rust");
        let project = make(home.path(), "spikes", Some(&sdk)).expect("made");
        let manifest = fs::read_to_string(project.join("Cargo.toml")).expect("there");
        let whole = sdk.canonicalize().expect("there");
        assert!(manifest.contains(&format!("wasmill-sdk = {{ path = \"{}\" }}", whole.display())), "{manifest}");
        assert!(!project.join(".wasmill").exists());
    }
}
