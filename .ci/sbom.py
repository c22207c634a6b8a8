"""From all that is installed, what Sala needs when it runs, and the files its page is made of.

`sbom.py` reads a CycloneDX document of the environment (standard input) and writes that of Sala.
"""

import hashlib
import json
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ("index.html", "box.html", "app.js", "style.css")
"""What a browser is given of the mini-app; the same digests stand in the page itself."""


def name(requirement):
    """A package's name as an index knows it."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def needed(document, direct):
    """Every component that these packages lead to."""
    edges = {one["ref"]: one.get("dependsOn", []) for one in document["dependencies"]}
    known = {one["bom-ref"]: one for one in document["components"]}
    waiting = [ref for ref, one in known.items() if name(one["name"]) in direct]
    found = dict.fromkeys(waiting)
    while waiting:
        new = [ref for ref in edges.get(waiting.pop(), []) if ref not in found]
        found |= dict.fromkeys(new)
        waiting += new
    return {ref: known[ref] for ref in sorted(found)}


def page(folder):
    """The page's files with their digests."""
    for file in PAGE:
        digest = hashlib.sha256((folder / file).read_bytes()).hexdigest()
        where = f"bot/miniapp/static/{file}"
        hashes = [{"alg": "SHA-256", "content": digest}]
        yield {"type": "file", "bom-ref": where, "name": where, "hashes": hashes}


def told(document, project, folder):
    """The document of Sala alone."""
    optional = project["optional-dependencies"]["postgres"]
    direct = {name(one) for one in (*project["dependencies"], *optional)}
    kept = needed(document, direct)
    files = list(page(folder))
    root = document["metadata"]["component"]["bom-ref"]
    own = [ref for ref, one in kept.items() if name(one["name"]) in direct]
    edges = [
        {**one, "dependsOn": [ref for ref in one.get("dependsOn", []) if ref in kept]}
        for one in document["dependencies"]
        if one["ref"] in kept
    ]
    own += [one["bom-ref"] for one in files]
    edges.append({"ref": root, "dependsOn": sorted(own)})
    return document | {"components": [*kept.values(), *files], "dependencies": edges}


if __name__ == "__main__":
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    made = told(json.load(sys.stdin), project, ROOT / "bot/miniapp/static")
    print(json.dumps(made, indent=1, ensure_ascii=False))
