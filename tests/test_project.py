"""Facts about the project that are stated in several places agree."""

import re
import tomllib
from importlib.metadata import metadata
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def read_yaml(*path: str) -> dict:
    return yaml.safe_load(REPOSITORY.joinpath(*path).read_text())


@pytest.fixture
def version() -> str:
    return PROJECT["project"]["version"]


@pytest.fixture
def ci_job() -> dict:
    """The one job of the hosted CI."""
    (job,) = read_yaml(".github", "workflows", "ci.yml")["jobs"].values()
    return job


class TestVersion:
    def test_the_installed_package_has_it(self, version):
        assert metadata("orchard")["Version"] == version, "run: touch pyproject.toml && make setup"

    def test_the_first_section_of_the_changelog_is_about_it(self, version):
        sections = re.findall(r"^## (.+)$", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
        assert re.fullmatch(rf"{re.escape(version)} \(\d{{4}}-\d{{2}}-\d{{2}}\)", sections[0])

    def test_it_is_the_one_to_cite_with_the_date_of_the_changelog(self, version):
        citation = read_yaml("CITATION.cff")
        assert citation["version"] == version
        assert f"## {version} ({citation['date-released']})" in (REPOSITORY / "CHANGELOG.md").read_text()

    def test_the_image_of_the_deployment_is_tagged_with_it(self, version):
        files = [REPOSITORY / "deploy" / name for name in ("Dockerfile", "kuberay.yaml")]
        tags = [tag for file in files for tag in re.findall(r"/orchard:(.+)-ray", file.read_text())]
        assert len(tags) > 1
        assert set(tags) == {version}


class TestCitation:
    def test_it_has_the_fields_that_the_format_requires(self):
        citation = read_yaml("CITATION.cff")
        assert citation["cff-version"] == "1.2.0"
        assert citation["message"]
        assert citation["title"] == "Orchard"
        assert [author["name"] for author in PROJECT["project"]["authors"]] == [
            author["name"] for author in citation["authors"]
        ]

    def test_both_papers_are_in_it(self):
        references = read_yaml("CITATION.cff")["references"]
        assert {
            (paper["title"], paper["authors"][0]["family-names"], paper["year"], paper["type"]) for paper in references
        } == {
            ("Integral Neural Networks", "Solodskikh", 2023, "conference-paper"),
            ("Rethinking the Value of Network Pruning", "Liu", 2019, "conference-paper"),
        }


class TestLicence:
    def test_it_is_named_alike_everywhere(self):
        assert PROJECT["project"]["license"] == read_yaml("CITATION.cff")["license"] == "Apache-2.0"
        assert metadata("orchard")["License-Expression"] == "Apache-2.0"

    def test_its_text_is_whole(self):
        assert PROJECT["project"]["license-files"] == ["LICENSE"]
        text = (REPOSITORY / "LICENSE").read_text()
        assert re.findall(r"^   (\d+)\. ", text, re.MULTILINE) == [str(number) for number in range(1, 10)]
        assert "APPENDIX: How to apply the Apache License to your work." in text

    def test_the_image_is_built_with_it(self):
        (copied,) = [
            line.split()
            for line in (REPOSITORY / "deploy" / "Dockerfile").read_text().splitlines()
            if line.startswith("COPY") and "pyproject.toml" in line
        ]
        assert set(copied) >= {"LICENSE", PROJECT["project"]["readme"]}  # the build backend refuses to go on without


def test_every_package_says_that_it_is_typed():
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert packages == ["jobs", "workers", "orchestrator"]
    assert [name for name in packages if not (REPOSITORY / name / "py.typed").is_file()] == []


def test_the_hooks_before_a_commit_are_the_commands_of_make_check():
    recipe = re.search(r"^check:.*\n((?:\t.+\n)+)", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert recipe is not None
    commands = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe[1].splitlines()]
    (local,) = read_yaml(".pre-commit-config.yaml")["repos"]
    assert local["repo"] == "local"
    assert [hook["entry"] for hook in local["hooks"]] == commands
    assert len(commands) == 4
    assert all(hook["language"] == "system" and hook["pass_filenames"] is False for hook in local["hooks"])


class TestHostedCI:
    def test_it_runs_what_everybody_can_run(self, ci_job):
        assert [step["run"] for step in ci_job["steps"] if "run" in step] == [".ci/run"]
        assert (REPOSITORY / ".ci" / "run").stat().st_mode & 0o100

    def test_it_does_so_on_the_oldest_python_and_on_a_new_one(self, ci_job):
        versions = ci_job["strategy"]["matrix"]["python"]
        assert versions == ["3.11", "3.13"]
        assert PROJECT["project"]["requires-python"] == f">={versions[0]}"
        classified = [
            line.rpartition(" ")[2]
            for line in PROJECT["project"]["classifiers"]
            if line.startswith("Programming Language :: Python :: 3.")
        ]
        assert classified == versions

    def test_the_environment_is_made_with_the_python_of_the_matrix(self, ci_job):
        setup = next(step for step in ci_job["steps"] if step.get("uses") == "actions/setup-python@v5")
        assert setup["with"]["python-version"] == "${{ matrix.python }}"
        assert ci_job["env"]["PYTHON"] == "python${{ matrix.python }}"
        assert re.search(r"^PYTHON \?=", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", ["bug", "feature"])
def test_issue_forms_have_questions_with_names_of_their_own(name):
    form = read_yaml(".github", "ISSUE_TEMPLATE", f"{name}.yml")
    assert form["name"]
    assert form["description"]
    questions = [question["id"] for question in form["body"]]
    assert len(set(questions)) == len(questions) > 0
    assert all(question["attributes"]["label"] for question in form["body"])


def test_links_between_documents_lead_somewhere():
    documents = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob("benchmarks/**/*.md")]
    links = [
        (document, target)
        for document in documents
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text())
        if "://" not in target
    ]
    assert len(links) > 30
    assert [(str(document), target) for document, target in links if not (document.parent / target).exists()] == []


def test_a_decision_is_one_page():
    pages = list(REPOSITORY.glob("docs/decisions/*.md"))
    assert len(pages) > 10
    assert [page.name for page in pages if len(page.read_text().splitlines()) > 65] == []


def test_the_folders_of_tests_are_those_of_the_sources():
    folders = {file.parent.relative_to(REPOSITORY / "tests") for file in (REPOSITORY / "tests").rglob("test_*.py")}
    # Beside them stands what no package shows: MLflow's own pages, and clusters.
    assert {str(each) for each in folders if not (REPOSITORY / each).is_dir()} == {"browser", "cluster"}
