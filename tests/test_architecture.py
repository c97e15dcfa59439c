"""How the code is arranged: directions of imports, names, sizes, and a README that names every module."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import agents
import schema

ROOT = Path(__file__).parent.parent
PACKAGES = ("app", "schema", "resolvers", "agents", "domain")
MAX_LINES, MAX_TEST_LINES = 300, 500
#: names that say nothing; a file is named for the noun it owns
EMPTY_NAMES = {
    "util",
    "utils",
    "helper",
    "helpers",
    "common",
    "misc",
    "manager",
    "managers",
    "service",
    "services",
    "core",
    "lib",
}
#: `base` is the word of SQLAlchemy for what every table derives from
BASES = {Path("domain/tables/base.py")}
#: registries and mirrors leak the network of whoever wrote a lock file
HOSTS = re.compile(r"https?://[\w.:@-]*(?:artifactory|nexus|mirror|registry|proxy|pypi|npmjs)[\w.:-]*", re.IGNORECASE)
PUBLIC_HOSTS = {"https://pypi.org", "https://registry.npmjs.org"}


def committed(*suffixes: str) -> Iterator[Path]:
    """Files under version control or about to be, relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in listed:
        if (not suffixes or name.endswith(suffixes)) and (ROOT / name).is_file():
            yield Path(name)


def modules(package: str) -> list[Path]:
    return [path for path in committed(".py") if path.parts[0] == package and "versions" not in path.parts]


pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout: nothing says which files are ours")


def test_imports_go_one_way() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_agents_and_schema_are_ours() -> None:
    """Both are also names of packages that a dependency might bring."""
    assert Path(agents.__file__ or "").parent == ROOT / "agents"
    assert Path(schema.__file__ or "").parent == ROOT / "schema"


def readmes(path: Path) -> str:
    """Those of the folders that a module lies in; web/ of app has one of its own."""
    found = [ROOT / parent / "README.md" for parent in path.parents if parent != Path()]
    return "".join(readme.read_text() for readme in found if readme.exists())


@pytest.mark.parametrize("package", PACKAGES)
def test_the_readme_of_a_package_names_each_of_its_modules(package: str) -> None:
    assert (ROOT / package / "README.md").exists()
    missing = [
        str(path)
        for path in modules(package)
        if path.name != "__init__.py" and not re.search(rf"(?<![\w]){re.escape(path.stem)}(?![\w])", readmes(path))
    ]
    assert missing == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_readme_of_a_package_names_no_module_that_is_gone(package: str) -> None:
    names = {path.name for path in committed(".py")}
    named = re.findall(r"`(?:[\w/]+/)?(\w+\.py)`", (ROOT / package / "README.md").read_text())
    assert [name for name in named if name not in names] == []


def test_files_are_short() -> None:
    long = {
        str(path): lines
        for path in committed(".py")
        if "versions" not in path.parts
        and (lines := len((ROOT / path).read_text().splitlines())) > (MAX_TEST_LINES if path.parts[0] == "tests" else MAX_LINES)
    }
    assert long == {}, "a file that outgrows the limit holds two nouns"


def test_files_are_named_for_what_they_own() -> None:
    named = [path for path in committed(".py") if path.stem in EMPTY_NAMES | {"base"} or EMPTY_NAMES & set(path.parts)]
    assert [path for path in named if path not in BASES] == []


def test_every_module_says_in_a_sentence_what_it_owns() -> None:
    for package in PACKAGES:
        for path in modules(package):
            text = (ROOT / path).read_text()
            if text.strip():
                assert re.match(r'"""[A-Z`].*[.:…]', text), f"{path} has no module docstring"


def test_nothing_is_left_to_do() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    assert [
        str(path)
        for path in committed(".py", ".ts", ".tsx")
        if path.name != Path(__file__).name and marks.search((ROOT / path).read_text())
    ] == []


def test_rows_are_joined_and_never_loaded_by_themselves() -> None:
    assert [str(path) for path in modules("domain") if re.search(r"\brelationship\(", (ROOT / path).read_text())] == []


def test_no_private_registry_is_committed() -> None:
    found = {}
    for path in committed(
        ".py", ".toml", ".json", ".lock", ".txt", ".md", ".yml", ".yaml", "Makefile", "npmrc", "run", "Dockerfile"
    ):
        hosts = set(HOSTS.findall((ROOT / path).read_text())) - PUBLIC_HOSTS
        if hosts:
            found[str(path)] = hosts
    assert found == {}
