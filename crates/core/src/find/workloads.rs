//! Containers, image volumes and steps: the places of the Kubernetes API that hold a whole reference.

use super::context::Place;
use super::site::Form;

/// Kinds of the Kubernetes API itself that hold a pod.
const WORKLOADS: &[&str] = &[
    "Pod",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "ReplicationController",
    "Job",
    "CronJob",
    "PodTemplate",
];

/// The form of a whole reference in a pod's own fields, at any depth of any kind.
pub(super) fn form(place: &Place<'_, '_>) -> Option<Form> {
    let target = place.target_keys();
    let key_at = |up: usize| match &target {
        Some(keys) => keys.get(up).copied().unwrap_or(""),
        None => place.key_at(up),
    };
    let (key, list) = (key_at(0), key_at(2));
    if key == "image" && key_at(1) == "[]" {
        let form = match list {
            "containers" => Form::Container,
            "initContainers" => Form::InitContainer,
            "ephemeralContainers" => Form::EphemeralContainer,
            "steps" | "sidecars" if place.group() == "tekton.dev" => return Some(Form::TektonStep),
            _ => return None,
        };
        // Without an object of its own an embedded text is a part of a pod that something else completes.
        let embedded = place.outer.inside.is_some() && place.object_node.is_none();
        return Some(match place.kind() {
            kind if WORKLOADS.contains(&kind) || embedded || target.is_some() => form,
            "" | "HelmRelease" | "Application" | "ApplicationSet" => Form::WholeValue,
            _ => Form::CrdContainer,
        });
    }
    if key == "reference" && key_at(1) == "image" && key_at(3) == "volumes" {
        return Some(Form::ImageVolume);
    }
    if key == "reference" && key_at(1) == "image" {
        return Some(Form::ImageField);
    }
    if key == "value" && key_at(1) == "[]" && key_at(2) == "env" {
        return Some(Form::EnvValue);
    }
    if key == "[]" && ["args", "command"].contains(&key_at(1)) {
        return Some(Form::Argument);
    }
    None
}
