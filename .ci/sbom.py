"""From all that is installed, what Sala needs when it runs, and the files its page is made of.

`sbom.py` reads a CycloneDX document of the environment (standard input) and writes that of Sala.
"""

import hashlib
import json
import re
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PAGE = ("index.html", "box.html", "app.js", "style.css")
"""What a browser is given of the mini-app; the same digests stand in the page itself."""


def name(requirement):
    """A package's name as an index knows it."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def needed(requirements, of=requires):
    """The names of all packages that these lead to here; `of` says what one asks for.

    The document's own edges lead to what a package wants for its tests as well.
    """
    found, waiting = set(), [(Requirement(one), "") for one in requirements]
    while waiting:
        one, extra = waiting.pop()
        if one.marker and not one.marker.evaluate({"extra": extra}):
            continue
        for wanted in {"", *one.extras}:
            if (key := (name(one.name), wanted)) not in found:
                found.add(key)
                waiting += [(Requirement(more), wanted) for more in of(one.name) or ()]
    return {one for one, _ in found}


def page(folder):
    """The page's files with their digests."""
    for file in PAGE:
        digest = hashlib.sha256((folder / file).read_bytes()).hexdigest()
        where = f"bot/miniapp/static/{file}"
        hashes = [{"alg": "SHA-256", "content": digest}]
        yield {"type": "file", "bom-ref": where, "name": where, "hashes": hashes}


def told(document, project, folder, of=requires):
    """The document of Sala alone."""
    direct = [*project["dependencies"], *project["optional-dependencies"]["postgres"]]
    names, own = needed(direct, of), {name(one) for one in direct}
    kept = [one for one in document["components"] if name(one["name"]) in names]
    refs = {one["bom-ref"]: name(one["name"]) for one in kept}
    files = list(page(folder))
    edges = [
        {**one, "dependsOn": [ref for ref in one.get("dependsOn", []) if ref in refs]}
        for one in document["dependencies"]
        if one["ref"] in refs
    ]
    root = [ref for ref, named in refs.items() if named in own] + [one["bom-ref"] for one in files]
    edges.append({"ref": document["metadata"]["component"]["bom-ref"], "dependsOn": sorted(root)})
    return document | {"components": [*kept, *files], "dependencies": edges}


if __name__ == "__main__":
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    made = told(json.load(sys.stdin), project, ROOT / "bot/miniapp/static")
    print(json.dumps(made, indent=1, ensure_ascii=False))
