//! New objects beside those that exist: what is missing is added, what is wrong is changed in place, and what a
//! person set stays. A second run changes nothing.
//!
//! An object of ours is known by the image that it scans, or by kind, namespace and name; an object of somebody else
//! that scans the same image stands in for ours. [`emit`] is pure: texts in, [`FileChange`]s out.

use std::collections::{BTreeMap, BTreeSet};

use super::emission::{Emission, EmitError, Followed, Request, Unseen};
use super::flux::{self, Wanted, WantedPolicy};
use super::object::{self, Object, ObjectError, ObjectKind};
use super::policy::infer;
use super::selection::Selection;
use super::{FileChange, kustomize, removal};
use crate::config::Discovery;
use crate::image::Name;
use crate::kustomization;
use crate::tree::RepoPath;
use crate::yaml::Holder;

const KUSTOMIZATION: &str = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n";

pub fn emit(request: &Request<'_>) -> Result<Emission, EmitError> {
    let mut desk = Desk::new(request)?;
    let mut wanted = flux::wanted(request.images, request.flux);
    desk.existing(&wanted)?;
    for wanted in &mut wanted {
        desk.copy_policies(wanted);
        match desk.stand_in(wanted) {
            Some(note) => {
                desk.notes.extend(note);
                desk.superseded.insert(wanted.scan.clone());
            }
            None => desk.image(wanted)?,
        }
    }
    desk.vanished();
    desk.list()?;
    Ok(desk.finish())
}

/// A file under way.
#[derive(Clone, Debug, Default)]
struct Sheet {
    /// `None` for a new file.
    old: Option<String>,
    /// `None` for a removed one.
    new: Option<String>,
    /// Holds objects that are ours, so that it has to be listed.
    ours: bool,
}

struct Desk<'r> {
    request: &'r Request<'r>,
    sheets: BTreeMap<RepoPath, Sheet>,
    objects: Vec<(RepoPath, Object)>,
    /// Indices of objects that a wanted image answers to.
    kept: BTreeSet<usize>,
    /// What wanted images scan for which an object of somebody else stands in.
    superseded: BTreeSet<Name>,
    stream: Vec<String>,
    notes: Vec<String>,
    policies: Vec<Followed>,
}

impl<'r> Desk<'r> {
    fn new(request: &'r Request<'r>) -> Result<Desk<'r>, EmitError> {
        let mut objects = Vec::new();
        let mut sheets = BTreeMap::new();
        for (path, text) in &request.files {
            match object::read(text) {
                Ok(read) => objects.extend(read.into_iter().map(|object| (path.clone(), object))),
                // Elsewhere it is no business of ours; there it may hold what would be made a second time.
                Err(source) if is_in(path, request.out) => {
                    return Err(EmitError { path: path.clone(), source });
                }
                Err(_) => continue,
            }
            let text = Some(text.clone());
            sheets.insert(path.clone(), Sheet { old: text.clone(), new: text, ours: false });
        }
        let (kept, superseded) = (BTreeSet::new(), BTreeSet::new());
        let (stream, notes, policies) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Desk { request, sheets, objects, kept, superseded, stream, notes, policies })
    }

    /// Repositories of other people that scan the upstream of a wanted image: reported, or moved on request.
    fn existing(&mut self, wanted: &[Wanted]) -> Result<(), EmitError> {
        if self.request.flux.discovery == Discovery::Upstream {
            return Ok(());
        }
        for index in 0..self.objects.len() {
            let Some((path, object)) = self.objects.get(index).cloned() else { continue };
            if object.kind != ObjectKind::Repository || object.managed {
                continue;
            }
            let asked: Vec<&Wanted> =
                wanted.iter().filter(|wanted| scans(&object, &wanted.upstream)).collect();
            let place = format!("{path}:{}: `ImageRepository/{}`", object.line, object.name);
            let wanted = match asked.as_slice() {
                [] => continue,
                [wanted] => wanted,
                [..] => {
                    let note =
                        "scans an upstream that targets cache in several places: point it at one of them";
                    self.notes.push(format!("{place} {note} by hand"));
                    continue;
                }
            };
            if !self.request.move_existing {
                self.notes.push(format!(
                    "{place} scans {}: its policies write that name over the cache's wherever a marker has no \
                     `:tag`; `--move-existing` points it at the cache",
                    wanted.upstream
                ));
                continue;
            }
            let scan = wanted.scan.to_string();
            self.change(&path, |text| object::set(text, &object.holder, "image", &scan, "interval"))?;
            if object.has_provider_field() {
                self.change(&path, |text| object::set(text, &object.holder, "provider", "aws", "interval"))?;
            }
            let mut also = "";
            if object.secret {
                // Credentials of the upstream: with them the controller does not ask ECR for its own.
                self.change(&path, |text| object::unset(text, &object.holder, "secretRef"))?;
                also = ", without its `secretRef`, which held the upstream's credentials";
            }
            self.notes.push(format!("{place} now scans {scan}{also}"));
            if let Some((_, object)) = self.objects.get_mut(index) {
                object.about = Some(scan);
                object.moved = true;
                object.provider = object.has_provider_field().then(|| "aws".to_owned());
                object.secret = false;
            }
        }
        Ok(())
    }

    /// Somebody else's repository that scans what ours would, with what to say of it; nothing where that was said.
    fn stand_in(&self, wanted: &Wanted) -> Option<Option<String>> {
        let stands_in = |(path, object): &&(RepoPath, Object)| {
            object.kind == ObjectKind::Repository
                && !object.managed
                && !is_in(path, self.request.out)
                && scans(object, &wanted.scan)
        };
        let (path, object) = self.objects.iter().find(stands_in)?;
        let note = || {
            format!("{path}:{}: `ImageRepository/{}` scans {} already", object.line, object.name, wanted.scan)
        };
        Some((!object.moved).then(note))
    }

    /// Adds or fixes the objects of one image.
    fn image(&mut self, wanted: &Wanted) -> Result<(), EmitError> {
        let flux = self.request.flux;
        let Some(out) = self.request.out else {
            self.stream.push(flux::objects(wanted, flux));
            wanted.policies.iter().for_each(|policy| self.made(wanted, policy, &policy.name));
            return Ok(());
        };
        let file = out.join(&format!("{}.yaml", wanted.name)).unwrap_or_else(RepoPath::root);
        let scanning = self.find(ObjectKind::Repository, |object| scans(object, &wanted.scan));
        let found =
            scanning.or_else(|| self.find(ObjectKind::Repository, |object| object.name == wanted.name));
        let (name, file) = match found {
            Some((index, path, object)) => {
                self.kept.insert(index);
                self.fix(&path, &object, wanted)?;
                if let Some((_, object)) = self.objects.get_mut(index) {
                    object.about = Some(wanted.scan.to_string());
                }
                (object.name, path)
            }
            None => {
                self.append(&file, &flux::repository(wanted, flux));
                (wanted.name.clone(), file)
            }
        };
        self.policies_of(wanted, &name, &file);
        self.own(&file);
        Ok(())
    }

    /// Adds the policies of an image that are missing. One that is there stands for a line when it could choose a tag of
    /// it, or chooses as ours would.
    fn policies_of(&mut self, wanted: &Wanted, repository: &str, file: &RepoPath) {
        let here = |(_, (path, object)): &(usize, &(RepoPath, Object))| {
            let about = object.about.as_deref() == Some(repository) || object.name == repository;
            object.kind == ObjectKind::Policy
                && is_in(path, self.request.out)
                && about
                && self.is_in_namespace(object)
        };
        let found: Vec<(usize, Object)> = self
            .objects
            .iter()
            .enumerate()
            .filter(here)
            .map(|(index, (_, object))| (index, object.clone()))
            .collect();
        let stands_for = |object: &Object, policy: &WantedPolicy| {
            object.selection.as_ref().is_none_or(|selection| {
                selection.chooses_like(&policy.selection)
                    || policy.tags.iter().any(|tag| selection.accepts(tag))
            })
        };
        for (index, object) in &found {
            let is_asked_for = wanted.policies.iter().any(|policy| stands_for(object, policy));
            if found.len() == 1 || !object.managed || is_asked_for {
                self.kept.insert(*index);
            }
        }
        let mut added: Vec<(String, WantedPolicy)> = Vec::new();
        for policy in &wanted.policies {
            if found.iter().any(|(_, object)| stands_for(object, policy)) {
                continue;
            }
            let own = if wanted.name == policy.name { repository } else { &policy.name };
            let labelled = super::names::line_name(repository, &policy.label);
            let names = [own.to_owned(), labelled];
            let is_free = |name: &&String| {
                found.iter().all(|(_, object)| object.name != **name)
                    && added.iter().all(|(known, _)| known != *name)
                    && !name.ends_with('.')
            };
            match names.iter().find(is_free) {
                Some(name) => added.push((name.clone(), policy.clone())),
                None => self.notes.push(format!(
                    "{file}: no policy of `ImageRepository/{repository}` chooses {}, and its name is taken: add one",
                    policy.tags.join(", ")
                )),
            }
        }
        for (name, policy) in added {
            self.made(wanted, &policy, &name);
            let policy = WantedPolicy { name, ..policy };
            self.append(file, &flux::policy(&policy, repository, self.request.flux));
        }
    }

    /// Policies of a person that look for tags at the upstream of an image say what is to be chosen: ours do as they do.
    fn copy_policies(&self, wanted: &mut Wanted) {
        if self.request.flux.discovery == Discovery::Upstream {
            return;
        }
        let of_person = |object: &Object, kind| object.kind == kind && !object.managed && !object.moved;
        let repositories: Vec<&Object> = self
            .objects
            .iter()
            .map(|(_, object)| object)
            .filter(|object| of_person(object, ObjectKind::Repository) && scans(object, &wanted.upstream))
            .collect();
        wanted.suspend = !repositories.is_empty() && repositories.iter().all(|object| object.suspend);
        let mut copied: Vec<WantedPolicy> = Vec::new();
        for (_, object) in self.objects.iter().filter(|(_, object)| of_person(object, ObjectKind::Policy)) {
            let reads = |repository: &&Object| {
                object.about.as_ref() == Some(&repository.name)
                    && self.namespace(object) == self.namespace(repository)
            };
            let Some(selection) = object.selection.as_ref().filter(|_| repositories.iter().any(reads)) else {
                continue;
            };
            let tags = wanted.tags.iter().filter(|tag| selection.accepts(tag)).cloned().collect();
            let person = (self.namespace(object), object.name.as_str());
            copied.push(WantedPolicy::copied(person, selection, tags, self.request.flux));
        }
        if copied.is_empty() {
            return;
        }
        wanted.unordered.retain(|(tag, _)| !copied.iter().any(|policy| policy.tags.contains(tag)));
        // Tags that none of them could choose are followed as ever.
        let is_left = |tag: &&String| {
            !wanted.others.contains(tag) && !copied.iter().any(|policy| policy.tags.contains(tag))
        };
        let left: Vec<String> = wanted.tags.iter().filter(is_left).cloned().collect();
        let lines = infer(left.iter(), self.request.flux.range).lines;
        let inferred =
            wanted.policies.drain(..).filter(|policy| policy.tags.iter().any(|tag| left.contains(tag)));
        let inferred: Vec<WantedPolicy> = inferred
            .map(|mut policy| {
                policy.tags.retain(|tag| left.contains(tag));
                if let Some(line) = lines.iter().find(|line| line.tags == policy.tags) {
                    policy.selection = Selection::of(&line.policy, policy.selection.digests.take());
                }
                policy
            })
            .collect();
        wanted.policies = copied.into_iter().chain(inferred).collect();
        wanted.name_policies();
    }

    fn made(&mut self, wanted: &Wanted, policy: &WantedPolicy, name: &str) {
        self.policies.push(Followed {
            reference: format!("{}:{name}", self.request.flux.namespace),
            scan: wanted.scan.to_string(),
            selection: Some(policy.selection.clone()),
            copied: policy.copied.clone(),
        });
    }

    fn namespace<'o>(&'o self, object: &'o Object) -> &'o str {
        object.namespace.as_deref().unwrap_or(&self.request.flux.namespace)
    }

    fn find(&self, kind: ObjectKind, is: impl Fn(&Object) -> bool) -> Option<(usize, RepoPath, Object)> {
        let mut objects = self.objects.iter().enumerate();
        let here = |(path, object): &(RepoPath, Object)| {
            object.kind == kind && is_in(path, self.request.out) && self.is_in_namespace(object) && is(object)
        };
        let (index, (path, object)) = objects.find(|(_, entry)| here(entry))?;
        Some((index, path.clone(), object.clone()))
    }

    fn is_in_namespace(&self, object: &Object) -> bool {
        // A kustomization may set the namespace of what has none.
        object.namespace.as_ref().is_none_or(|namespace| *namespace == self.request.flux.namespace)
    }

    /// What the scan needs to work; nothing else of an object that exists is touched.
    fn fix(&mut self, path: &RepoPath, object: &Object, wanted: &Wanted) -> Result<(), EmitError> {
        let scan = wanted.scan.to_string();
        if !scans(object, &wanted.scan) {
            self.change(path, |text| object::set(text, &object.holder, "image", &scan, "interval"))?;
        }
        if !object.interval {
            let interval = &self.request.flux.interval;
            self.change(path, |text| object::set(text, &object.holder, "interval", interval, "image"))?;
        }
        let provider = match (self.request.flux.discovery, object.provider.as_deref()) {
            (Discovery::Cache, None) if !object.secret && object.has_provider_field() => Some("aws"),
            (Discovery::Upstream, Some("aws")) => Some("generic"),
            _ => None,
        };
        if let Some(provider) = provider {
            self.change(path, |text| object::set(text, &object.holder, "provider", provider, "interval"))?;
        }
        Ok(())
    }

    fn change(
        &mut self,
        path: &RepoPath,
        change: impl FnOnce(&str) -> Result<String, ObjectError>,
    ) -> Result<(), EmitError> {
        let Some(sheet) = self.sheets.get_mut(path) else { return Ok(()) };
        let Some(text) = sheet.new.as_deref() else { return Ok(()) };
        sheet.new = Some(change(text).map_err(|source| EmitError { path: path.clone(), source })?);
        Ok(())
    }

    /// Puts a document at the end of a file, with that file's line ends.
    fn append(&mut self, path: &RepoPath, document: &str) {
        let sheet = self.sheets.entry(path.clone()).or_default();
        let text = sheet.new.get_or_insert_default();
        let mut added = String::new();
        if !text.is_empty() {
            added.push_str(if text.ends_with('\n') { "---\n" } else { "\n---\n" });
        }
        added.push_str(document);
        let crlf = text.contains("\r\n");
        text.push_str(&if crlf { added.replace('\n', "\r\n") } else { added });
    }

    fn own(&mut self, path: &RepoPath) {
        if let Some(sheet) = self.sheets.get_mut(path) {
            sheet.ours = true;
        }
    }

    /// Objects that we made for images that are no longer in use.
    fn vanished(&mut self) {
        if !self.request.whole || self.request.out.is_none() {
            return;
        }
        let mut gone: BTreeMap<&RepoPath, Vec<(&Object, String)>> = BTreeMap::new();
        for (index, (path, object)) in self.objects.iter().enumerate() {
            if object.managed && is_in(path, self.request.out) && !self.kept.contains(&index) {
                let what = format!("{path}:{}: `{}/{}`", object.line, object.kind.id(), object.name);
                if self.may_be_unseen(object) {
                    self.notes.push(format!(
                        "{what} is unchanged: nothing that was seen asks for it, and releases whose charts were not rendered may"
                    ));
                    continue;
                }
                match self.request.prune {
                    true => gone.entry(path).or_default().push((object, what)),
                    false => self.notes.push(format!("{what} is not needed any more; `--prune` removes it")),
                }
            }
        }
        for (path, objects) in gone {
            let Some(sheet) = self.sheets.get_mut(path) else { continue };
            let Some(text) = sheet.new.take() else { continue };
            let holders: Vec<&Holder> = objects.iter().map(|(object, _)| &object.holder).collect();
            let removed = removal::without(&text, &holders);
            let said = match &removed {
                Ok(_) => "is removed: nothing asks for it any more",
                Err(_) => "is left over: nothing asks for it any more; remove it by hand",
            };
            self.notes.extend(objects.iter().map(|(_, what)| format!("{what} {said}")));
            sheet.new = removed.unwrap_or(Some(text));
        }
    }

    /// May a release whose chart was not rendered pull what an object is for?
    fn may_be_unseen(&self, object: &Object) -> bool {
        let repository = match object.kind {
            ObjectKind::Repository => Some(object),
            ObjectKind::Policy => self.objects.iter().map(|(_, object)| object).find(|repository| {
                repository.kind == ObjectKind::Repository && Some(&repository.name) == object.about.as_ref()
            }),
        };
        let is = |name: &Name| repository.is_some_and(|repository| scans(repository, name));
        let Unseen { scans, releases } = &self.request.unseen;
        scans.iter().any(is) || *releases > 0 && !self.superseded.iter().any(is)
    }

    /// Keeps the kustomization of the output directory in step.
    fn list(&mut self) -> Result<(), EmitError> {
        let Some(out) = self.request.out else { return Ok(()) };
        let below = |path: &RepoPath| path.file_name().map(str::to_owned);
        let here = self.sheets.iter().filter(|(path, _)| is_in(path, Some(out)));
        let add: Vec<String> = here
            .clone()
            .filter(|(_, sheet)| sheet.ours && sheet.new.is_some())
            .filter_map(|(p, _)| below(p))
            .collect();
        let remove: Vec<String> =
            here.filter(|(_, sheet)| sheet.new.is_none()).filter_map(|(p, _)| below(p)).collect();
        let existing = kustomization::FILE_NAMES
            .iter()
            .filter_map(|name| out.join(name))
            .find(|path| self.sheets.contains_key(path));
        let Some(path) = existing else {
            if let (false, Some(path)) = (add.is_empty(), out.join(kustomization::FILE_NAME)) {
                let items: String = add.iter().map(|file| format!("  - {file}\n")).collect();
                self.append(&path, &format!("{KUSTOMIZATION}resources:\n{items}"));
            }
            return Ok(());
        };
        self.change(&path, |text| kustomize::with_resources(text, &add, &remove))
    }

    /// The policies that exist, beside those that were just made.
    fn known_policies(&self) -> Vec<Followed> {
        let policies =
            self.objects.iter().map(|(_, object)| object).filter(|object| object.kind == ObjectKind::Policy);
        let followed = policies.filter_map(|policy| {
            let reads = |(_, object): &&(RepoPath, Object)| {
                object.kind == ObjectKind::Repository
                    && Some(&object.name) == policy.about.as_ref()
                    && self.namespace(object) == self.namespace(policy)
            };
            let (_, repository) = self.objects.iter().find(reads)?;
            Some(Followed {
                reference: format!("{}:{}", self.namespace(policy), policy.name),
                scan: repository.about.clone().unwrap_or_default(),
                selection: policy.selection.clone(),
                copied: None,
            })
        });
        followed.collect()
    }

    fn finish(mut self) -> Emission {
        let known = self.known_policies();
        self.policies.extend(known);
        let changes = self.sheets.into_iter().filter_map(|(path, sheet)| match (sheet.old, sheet.new) {
            (None, Some(text)) => Some(FileChange::Create { path, text }),
            (Some(old), Some(new)) if old != new => Some(FileChange::Replace { path, old, new }),
            (Some(old), None) => Some(FileChange::Remove { path, old }),
            _ => None,
        });
        let changes = changes.collect();
        Emission { changes, stream: self.stream.join("---\n"), notes: self.notes, policies: self.policies }
    }
}

/// Does the file lie in the directory itself?
fn is_in(path: &RepoPath, out: Option<&RepoPath>) -> bool {
    out.is_some_and(|out| path.parent().as_ref() == Some(out))
}

fn scans(object: &Object, name: &Name) -> bool {
    let about = object.about.as_deref().unwrap_or_default();
    about == name.to_string() || Name::parse(about).is_ok_and(|scanned| scanned == *name)
}
