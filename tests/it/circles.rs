//! No circle between the modules of a crate: of the modules that one directory holds, none imports another that leads back
//! to it. What a module and those inside it say of each other is its own affair, and is not looked at.
//!
//! Imports are read from the text: `use`, and paths in code. A name that a module hands on (`pub use`) counts as one of
//! where it is defined.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

/// `crates/registry-sim` and `crates/aws-sim` are left out: their services work on one world that holds the state of each.
const CRATES: [&str; 5] =
    ["src", "crates/aws/src", "crates/charts/src", "crates/core/src", "crates/registry/src"];

/// The names on the way to a module, from its crate.
type Module = Vec<String>;

/// What stands in one file.
#[derive(Default)]
struct Source {
    /// Names that it imports or hands on, each with its path.
    names: BTreeMap<String, Vec<String>>,
    /// Modules of which it takes all names.
    all_of: Vec<Vec<String>>,
    /// Paths in its code.
    paths: Vec<Vec<String>>,
    defines: BTreeSet<String>,
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap()
}

/// Texts and comments.
static NO_CODE: LazyLock<Regex> =
    LazyLock::new(|| regex(r##"(?s)r#".*?"#|"(?:[^"\\]|\\.)*"|'\\?"'|//[^\n]*"##));
static TESTS: LazyLock<Regex> = LazyLock::new(|| regex(r"#\[cfg\(test\)\]\s*(#\[[^\n]*\s*)*mod "));
static USE: LazyLock<Regex> = LazyLock::new(|| regex(r"\buse\s+([^;]+);"));
static PATH: LazyLock<Regex> = LazyLock::new(|| regex(r"\b(?:\w+::)+\w+"));
static DEFINED: LazyLock<Regex> =
    LazyLock::new(|| regex(r"\b(?:struct|enum|fn|type|const|static|trait)\s+(\w+)"));

impl Source {
    fn read(text: &str) -> Source {
        let code = NO_CODE.replace_all(text, " ");
        let code = TESTS.splitn(&code, 2).next().unwrap_or_default();
        let mut source = Source::default();
        for found in USE.captures_iter(code) {
            source.import(&[], found[1].trim());
        }
        let rest = USE.replace_all(code, " ");
        source.paths = PATH.find_iter(&rest).map(|path| segments(path.as_str())).collect();
        source.defines = DEFINED.captures_iter(&rest).map(|found| found[1].to_owned()).collect();
        source
    }

    /// `a::b`, `a::b as c`, `a::*`, `a::{b, c::d}` behind a path.
    fn import(&mut self, before: &[String], tree: &str) {
        if let Some((path, list)) = tree.split_once('{') {
            let before = [before, &segments(path)].concat();
            let list = list.strip_suffix('}').unwrap_or(list);
            let (mut depth, mut start) = (0, 0);
            for (at, byte) in list.bytes().enumerate() {
                match byte {
                    b'{' => depth += 1,
                    b'}' => depth -= 1,
                    b',' if depth == 0 => {
                        self.import(&before, list[start..at].trim());
                        start = at + 1;
                    }
                    _ => {}
                }
            }
            return self.import(&before, list[start..].trim());
        }
        let (path, name) = tree.split_once(" as ").map_or((tree, None), |(path, name)| (path, Some(name)));
        let mut path = [before, &segments(path)].concat();
        match path.last().map(String::as_str) {
            None => return,
            Some("*") => {
                path.pop();
                return self.all_of.push(path);
            }
            Some("self") => {
                path.pop();
            }
            Some(_) => {}
        }
        let name = name.map(str::to_owned).or_else(|| path.last().cloned());
        self.names.extend(name.map(|name| (name, path)));
    }
}

fn segments(path: &str) -> Vec<String> {
    path.split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// All modules of a crate.
struct Modules(BTreeMap<Module, Source>);

impl Modules {
    fn of<'t>(files: impl IntoIterator<Item = (&'t str, &'t str)>) -> Modules {
        let module = |path: &str| {
            let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
            if path == "lib" { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
        };
        Modules(files.into_iter().map(|(path, text)| (module(path), Source::read(text))).collect())
    }

    fn below(directory: &Path) -> Modules {
        let files = super::architecture::sources(directory);
        let texts: Vec<(String, String)> = files
            .iter()
            .map(|path| (path.strip_prefix(directory).unwrap(), std::fs::read_to_string(path).unwrap()))
            .map(|(path, text)| (path.to_str().unwrap().replace('\\', "/"), text))
            .filter(|(path, _)| path != "main.rs" && !path.ends_with("_tests.rs"))
            .collect();
        Modules::of(texts.iter().map(|(path, text)| (path.as_str(), text.as_str())))
    }

    /// The module in which what a path leads to is defined; `None` for other crates and what stands in `from` itself.
    fn module(&self, from: &Module, path: &[String], steps: usize) -> Option<Module> {
        let ups = path.iter().take_while(|part| *part == "super").count();
        let inner = |at: &Module, name: &String| [at.as_slice(), std::slice::from_ref(name)].concat();
        let (mut at, rest) = match path.first()?.as_str() {
            "crate" => (Vec::new(), path.get(1..)?),
            "self" => (from.clone(), path.get(1..)?),
            "super" => (from.get(..from.len().checked_sub(ups)?)?.to_vec(), path.get(ups..)?),
            _ if self.0.contains_key(&inner(from, path.first()?)) => (from.clone(), path),
            name => {
                let known = self.0.get(from)?.names.get(name).filter(|known| **known != path)?;
                let whole = [known.as_slice(), path.get(1..)?].concat();
                return if steps == 0 { None } else { self.module(from, &whole, steps - 1) };
            }
        };
        for (number, part) in rest.iter().enumerate() {
            let deeper = inner(&at, part);
            if self.0.contains_key(&deeper) {
                at = deeper;
                continue;
            }
            let source = self.0.get(&at)?;
            let handed_on = source.names.get(part).filter(|_| steps > 0).and_then(|known| {
                self.module(&at, &[known.as_slice(), rest.get(number + 1..)?].concat(), steps - 1)
            });
            let of_all = || {
                let modules =
                    source.all_of.iter().filter_map(|all| self.module(&at, all, steps.checked_sub(1)?));
                modules
                    .into_iter()
                    .find(|module| self.0.get(module).is_some_and(|one| one.defines.contains(part)))
            };
            return handed_on.or_else(of_all).or(Some(at));
        }
        Some(at)
    }

    /// What each module imports of those beside it, by the module that holds them.
    fn beside(&self) -> BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> {
        let mut beside: BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
        for (from, source) in &self.0 {
            let paths = source.names.values().chain(&source.all_of).chain(&source.paths);
            for to in paths.filter_map(|path| self.module(from, path, 8)) {
                let common = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
                if let (Some(one), Some(other)) = (from.get(common), to.get(common)) {
                    let imports = beside.entry(from[..common].to_vec()).or_default();
                    imports.entry(one.clone()).or_default().insert(other.clone());
                }
            }
        }
        beside
    }

    /// Each module that leads back to itself, with those on the way.
    fn circles(&self) -> Vec<String> {
        let mut circles = Vec::new();
        for (holder, imports) in self.beside() {
            let reached = |from: &String| {
                let mut reached = BTreeSet::new();
                let mut open: Vec<&String> = imports.get(from).into_iter().flatten().collect();
                while let Some(one) = open.pop() {
                    if reached.insert(one) {
                        open.extend(imports.get(one).into_iter().flatten());
                    }
                }
                reached
            };
            for from in imports.keys() {
                let on_the_way = reached(from);
                let way = on_the_way.iter().filter(|one| reached(one).contains(from));
                let way: Vec<&str> = way.map(|one| one.as_str()).collect();
                if on_the_way.contains(from) {
                    circles.push(format!("{}::{from}: {}", holder.join("::"), way.join(", ")));
                }
            }
        }
        circles
    }
}

#[test]
fn no_modules_of_a_crate_import_each_other_in_a_circle() {
    for sources in CRATES {
        let modules = Modules::below(&Path::new(env!("CARGO_MANIFEST_DIR")).join(sources));
        let imports: usize = modules.beside().values().flat_map(|all| all.values()).map(BTreeSet::len).sum();
        assert!(imports > 20, "{sources}: {imports} imports were read");
        assert_eq!(
            modules.circles(),
            Vec::<String>::new(),
            "{sources}: move what both need to where it belongs"
        );
    }
}

#[test]
fn a_circle_is_found_through_what_a_module_hands_on() {
    let circles = |files: &[(&str, &str)]| Modules::of(files.iter().copied()).circles();
    let holder = ("a/mod.rs", "mod one;\nmod two;\npub use one::*;\npub use two::{Other as Handed};");
    let one = ("a/one.rs", "use super::Handed;\npub struct Site;");
    let two = ("a/two.rs", "use crate::a::{self, Site};\npub struct Other;");
    assert_eq!(circles(&[holder, one, two]), ["a::one: one, two", "a::two: one, two"]);
    // A path in code is an import; what stands in texts, comments and tests is none.
    let code = ("a/two.rs", "pub struct Other;\nfn f() { super::one::Site; }");
    assert_eq!(circles(&[holder, one, code]).len(), 2);
    let none = "pub struct Other;\n// super::one::Site\nconst A: &str = \"super::one::Site\";\n\
                #[cfg(test)]\n#[allow(x)]\nmod tests {\n use super::super::one::Site;\n}";
    assert_eq!(circles(&[holder, one, ("a/two.rs", none)]), Vec::<String>::new());
    // A module and those inside it.
    assert_eq!(
        circles(&[("a/mod.rs", "use one::Site;\nstruct Own;"), ("a/one.rs", "use super::Own;")]).len(),
        0
    );
}
