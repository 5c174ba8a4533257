"""The text of templates: layout for review, the same bytes everywhere, atomic replacement."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator import aws
from generator.errors import UnwritableOutput
from generator.template import layout, writing
from tests.conftest import ENVIRONMENTS, FIXTURES, ROOT, SCALE
from tests.stack.model import TEXTS

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=20), inner, max_size=6),
    max_leaves=40,
)


@pytest.mark.slow
@given(json_values)
def test_layout_keeps_value_and_order(value: object) -> None:
    text = layout.lay_out(value)
    assert json.dumps(json.loads(text)) == json.dumps(value)


@pytest.mark.slow
@given(json_values)
def test_a_value_that_fits_stays_on_one_line(value: object) -> None:
    text = layout.lay_out(value)
    if len(json.dumps(value, ensure_ascii=False)) < layout.WIDTH:
        assert "\n" not in text


class Given:
    """A template of plain values in place of a troposphere Template."""

    def __init__(self, **sections: object) -> None:
        self.sections = sections

    def to_dict(self) -> dict[str, object]:
        return self.sections


def laid_out(**sections: object) -> str:
    return writing.render(Given(**sections))


@pytest.mark.parametrize("room", [1, 0])
def test_a_section_that_fits_on_a_line_stays_on_it(room: int) -> None:
    value = "x" * (layout.WIDTH - len('"Conditions": {"A": "", "B": "b"}') - room)
    line = f'"Conditions": {{"A": "{value}", "B": "b"}}'
    broken = f'"Conditions": {{\n"A": "{value}",\n"B": "b"\n}}'
    text = laid_out(Conditions={"A": value, "B": "b"})
    assert text == '{\n"AWSTemplateFormatVersion": "2010-09-09",\n' + (line if room else broken) + "\n}\n"


def test_sections_and_their_entries_are_not_indented() -> None:
    value = ["x" * 60, "y" * 60]
    lines = laid_out(Outputs={"A": value}).splitlines()
    assert lines[2:] == ['"Outputs": {', '"A": [', f' "{value[0]}",', f' "{value[1]}"', "]", "}", "}"]


def test_the_lines_of_a_program_are_not_indented() -> None:
    """A template has more than 400 of them, each at the depth of a function's code."""
    program = [f"line {number}" for number in range(layout.MIN_PROGRAM_LINES)]
    text = layout.lay_out({"Code": {"Fn::Join": ["\n", program]}}, column=3)
    assert text.splitlines()[1:-1] == [f'"{line}",' for line in program[:-1]] + [f'"{program[-1]}"']
    assert json.loads(text) == {"Code": {"Fn::Join": ["\n", program]}}
    assert not layout.lay_out([*program[1:], 1]).splitlines()[1].startswith('"')


def test_every_section_is_written_with_unknown_ones_last() -> None:
    sections: dict[str, object] = {
        "Hooks": {"A": {}},
        "Outputs": {"A": {"Value": "a"}},
        "Transform": ["AWS::LanguageExtensions"],
        "Mappings": {"M": {"a": {"b": "c"}}},
        "Rules": {"R": {"Assertions": []}},
        "Metadata": {"Author": "a"},
        "Resources": {"A": {"Type": "AWS::SNS::Topic"}},
    }
    written = json.loads(laid_out(**sections))
    assert written == {"AWSTemplateFormatVersion": "2010-09-09", **sections}
    assert [*written] == [
        *("AWSTemplateFormatVersion", "Metadata", "Rules", "Mappings", "Transform", "Resources", "Outputs", "Hooks")
    ]


def test_a_long_text_is_never_broken() -> None:
    assert layout.lay_out("x" * 300) == f'"{"x" * 300}"'
    assert layout.lay_out({"a": "é" * 300}) == '{\n "a": "' + "é" * 300 + '"\n}'


def test_leading_keys_come_first_and_others_are_sorted() -> None:
    statement = ["Effect", "Principal", "Action", "Resource", "NotResource", "Condition", "Comment", "Sid"]
    resource = ["Type", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Properties", "Condition", "Comment"]
    policy = ["PolicyName", "Version", "Statement", "Id", "Z", "a"]
    shuffled: dict[str, Any] = {
        key: [{key: {} for key in keys[::-1]}] for key, keys in (("Z", statement), ("Y", resource), ("X", policy))
    }
    given = Given(Resources={"Second": shuffled, "First": {}}, Description="")
    body = json.loads(writing.render(given))
    assert list(body) == ["AWSTemplateFormatVersion", "Description", "Resources"]
    assert list(body["Resources"]) == ["Second", "First"]
    second = body["Resources"]["Second"]
    assert {key: list(value[0]) for key, value in second.items()} == {"X": policy, "Y": resource, "Z": statement}
    assert list(second) == ["X", "Y", "Z"]


def test_the_page_states_the_body_limit() -> None:
    page = (ROOT / "docs/how-to/deploy.md").read_text()
    assert f"below {aws.MAX_TEMPLATE_BODY_BYTES:,} bytes" in page


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_lines_are_short_unless_they_cannot_be_broken(name: str) -> None:
    for line in TEXTS[name].splitlines():
        assert len(line) <= layout.WIDTH or line.count('"') - line.count('\\"') <= 4, line


def test_values_that_do_not_fit_are_indented_by_one() -> None:
    value = {
        "Short": {"Ref": "X"},
        "List": ["a" * 60, "b" * 60, "c"],
        "Join": {"Fn::Join": ["\n", ["x" * 80, "y" * 80]]},
    }
    assert layout.lay_out(value).splitlines() == [
        "{",
        ' "Short": {"Ref": "X"},',
        ' "List": [',
        f'  "{"a" * 60}",',
        f'  "{"b" * 60}",',
        '  "c"',
        " ],",
        ' "Join": {"Fn::Join": ["\\n", [',
        f'  "{"x" * 80}",',
        f'  "{"y" * 80}"',
        " ]]}",
        "}",
    ]


def test_a_changed_handler_line_is_one_changed_line() -> None:
    lines = TEXTS["prod"].splitlines()
    changed = TEXTS["prod"].replace("LEASE_S = 45", "LEASE_S = 44", 1).splitlines()
    assert sum(a != b for a, b in zip(lines, changed, strict=True)) == 1


def test_a_line_has_at_most_129_characters() -> None:
    """A comma still fits within 130."""
    fits, one_more = ["x" * 125], ["x" * 126]
    assert layout.lay_out(fits) == json.dumps(fits)
    assert len(layout.lay_out(fits)) == 129
    assert layout.lay_out(one_more) == f'[\n "{"x" * 126}"\n]'


def test_an_item_opens_on_a_line_only_if_the_line_has_room() -> None:
    long = ["y" * 60, "z" * 60]
    assert layout.lay_out({"k" * 122: long}).splitlines()[0] == f'{{"{"k" * 122}": ['
    assert layout.lay_out({"k" * 123: long}).splitlines()[:2] == ["{", f' "{"k" * 123}": [']


def test_up_to_three_plain_values_share_the_line_of_the_last_item() -> None:
    long = ["y" * 70, "z" * 70]
    assert layout.lay_out(["ä", 2, None, long]).splitlines()[0] == '["ä", 2, null, ['
    assert layout.lay_out(["ä", 2, None, 4, long]).splitlines()[:2] == ["[", ' "ä",']
    assert layout.lay_out([["ä"], long]).splitlines()[:2] == ["[", ' ["ä"],']
    assert layout.lay_out([long, {}])[-7:] == ",\n {}\n]"
    assert layout.lay_out(["y" * 70, "z" * 70, "ä"]).splitlines()[-2] == ' "ä"'


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "any").touch()
    path = tmp_path / "brand/new/dev.json"
    assert writing.write(path, "tëxt\n") is True
    assert path.read_bytes() == "tëxt\n".encode()
    assert path.stat().st_mode == (tmp_path / "any").stat().st_mode
    assert list(path.parent.iterdir()) == [path]
    assert all(text.endswith("}\n") for text in TEXTS.values())


@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_a_replaced_file_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "dev.json"
    path.write_text("old\n")
    path.chmod(mode)
    assert writing.write(path, "new\n") is True
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_an_unchanged_file_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "dev.json"
    writing.write(path, "text\n")
    before = path.stat()
    assert writing.write(path, "text\n") is False
    assert path.stat().st_ino == before.st_ino


@pytest.mark.parametrize("before", ["old\n", None])
def test_a_symbolic_link_stays_and_its_target_is_replaced(tmp_path: Path, before: str | None) -> None:
    link, target = tmp_path / "out/dev.json", tmp_path / "elsewhere/real.json"
    for path in (link, target):
        path.parent.mkdir()
    if before is not None:
        target.write_text(before)
    link.symlink_to("../elsewhere/real.json")
    assert writing.write(link, "text\n") is True
    assert link.is_symlink()
    assert target.read_text() == "text\n"
    assert [path.name for path in target.parent.iterdir()] == ["real.json"]
    assert writing.write(link, "text\n") is False


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UnwritableOutput, match=r"cannot be written \(its folder is a file\)"):
        writing.write(tmp_path / "file/dev.json", "text\n")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(UnwritableOutput, match=r"folder\.json: cannot be written"):
        writing.write(tmp_path / "folder.json", "text\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.json"]


def test_an_unwritable_file_is_reported_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(UnwritableOutput) as refused:
        writing.write(tmp_path / "folder.json", "text\n")
    assert str(refused.value) == (
        f"{tmp_path}/folder.json: cannot be written (Is a directory); correct the folder or its permissions"
    )


def test_the_temporary_file_is_hidden_and_in_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary folder may be on another file system, from which a file cannot be moved atomically."""
    replaced: list[Path] = []
    replace = os.replace

    def noting(source: str, target: Path) -> None:
        replaced.append(Path(source))
        replace(source, target)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    monkeypatch.setattr(os, "replace", noting)
    assert writing.write(tmp_path / "dev.json", "text\n")
    (temporary,) = replaced
    assert temporary.parent == tmp_path
    assert temporary.name.startswith(writing.TEMPORARY)


@pytest.mark.slow
def test_interrupted_at_any_moment_every_file_is_old_or_new(project: Path) -> None:
    """Kill the command at its start, and at eleven moments in its second half; in the first half it only imports."""
    command = [sys.executable, "-m", "generator", "template", "--set", "traffic.webhooks_per_hour=20000"]
    started = time.monotonic()
    subprocess.run([*command, "--output", "new"], check=True, capture_output=True)
    whole_s = time.monotonic() - started
    outcomes = set()
    for share in (0.0, *(0.5 + moment / 20 for moment in range(11))):
        for name in ENVIRONMENTS:
            (project / f"templates_out/{name}.json").write_text(TEXTS[name])
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(whole_s * share)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for name in ENVIRONMENTS:
            text = (project / f"templates_out/{name}.json").read_text()
            outcomes.add(text == TEXTS[name])
            assert text in (TEXTS[name], (project / f"new/{name}.json").read_text())
    assert True in outcomes


def interpreter(version: str) -> str | None:
    """Return a working interpreter of that version: this one, one on the path, or one of pyenv's."""
    candidates = [f"python{version}", *map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))]
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        candidates.insert(0, sys.executable)
    for candidate in candidates:
        try:
            if subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
                return candidate
        except OSError:
            continue
    return None


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_the_same_bytes_from_every_python_and_hash_seed(version: str, tmp_path: Path) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    packages = [path for path in sys.path if path.endswith("site-packages")]
    for seed in ("0", "1", "4711") if python == sys.executable or SCALE > 1 else ("1",):
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *packages]), "PYTHONHASHSEED": seed}
        subprocess.run(
            [python, "-m", "generator", "template", "--output", str(tmp_path)],
            cwd=FIXTURES,
            env=environ,
            check=True,
            capture_output=True,
        )
        for name in ENVIRONMENTS:
            assert (tmp_path / f"{name}.json").read_text() == TEXTS[name]
            (tmp_path / f"{name}.json").unlink()
