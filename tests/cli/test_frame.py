"""The frame that every command stands in: help, options, errors, output."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from mlops_cli.cli.catalog import COMMANDS


def test_help_lists_every_command_with_its_summary_under_its_section(mlops, golden):
    result = mlops("--help", code=0)
    golden("help.txt", result.stdout)
    for name, command in COMMANDS.items():
        if command.section == "plumbing":  # only git calls it
            continue
        assert f"  {name:<10} {command.summary}\n" in result.stdout
        assert f"\n{command.section}:\n" in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()) <= 80
    assert mlops(code=0).stdout == mlops("help", code=0).stdout == result.stdout


@pytest.mark.parametrize("name", ["init", "config", "doctor", "schema"])
def test_help_of_a_command_says_what_it_takes(mlops, golden, name):
    result = mlops(name, "--help", code=0)
    golden(f"help-{name}.txt", result.stdout)
    assert mlops("help", name, code=0).stdout == result.stdout


def test_every_command_of_the_catalogue_loads_and_leaves_the_global_options_alone():
    from mlops_cli.cli.group import load

    for name in COMMANDS:
        command = load(name)
        for each in (command, *getattr(command, "commands", {}).values()):
            assert each.help, f"{name} {each.name} says nothing about itself"
            taken = {word for param in each.params for word in param.opts}
            taken -= {"--help", "-h"}
            assert not taken & {"-C", "-q", "--quiet", "-v", "--verbose", "--json"}, name


def test_an_unknown_command_is_answered_with_the_nearest_one(mlops):
    result = mlops("statsu", code=2)
    assert result.stdout == ""
    assert result.stderr == (
        "error: there is no command 'statsu' [unknown-command]\nhint: did you mean: mlops status\n"
    )


def test_an_unknown_option_is_answered_with_the_nearest_one(mlops):
    result = mlops("schema", "--lits", code=2)
    assert "no such option: --lits [unknown-option]" in result.stderr
    assert "hint: did you mean: --list" in result.stderr


def test_an_option_of_every_command_that_is_mistyped_is_known_too(mlops):
    for words in (["--jsno", "schema"], ["schema", "--jsno"]):
        assert "hint: did you mean: --json" in mlops(*words, code=2).stderr


def test_an_unknown_subcommand_is_answered_with_the_nearest_one(mlops):
    result = mlops("config", "lsit", code=2)
    assert "no such command 'lsit' [unknown-command]" in result.stderr
    assert "hint: did you mean: mlops config list" in result.stderr


def test_a_group_without_a_subcommand_names_them(mlops):
    result = mlops("config", code=2)
    assert "mlops config needs a subcommand: list, get, set, unset [missing-command]" in (
        result.stderr
    )
    assert "hint: mlops config list, or mlops config --help" in result.stderr


def test_a_group_lists_its_subcommands_in_whole_sentences(mlops):
    for group in ("models", "runs", "export"):
        listed = mlops(group, "--help", code=0).stdout.partition("Commands:")[2]
        assert "..." not in listed and listed.count("\n") > 5


def test_an_argument_too_many_or_too_few_is_answered_with_what_the_command_takes(mlops):
    for words in (["delay", "production"], []):
        told = mlops("models", "rollback", *words, "--reason", "bad", code=2).stderr
        assert "hint: mlops models rollback [OPTIONS] MODEL@ALIAS; --help tells more" in told
    told = mlops("models", "rollback", "delay", "production", "--reason", "bad", code=2).stderr
    assert "error: mlops models rollback does not take production [usage]" in told
    told = mlops("models", "rollback", "delay@production", code=2).stderr
    assert "hint: add --reason TEXT; mlops models rollback --help" in told


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["nosuch"], "unknown-command"),
        (["--nosuch"], "unknown-option"),
        (["schema", "--nosuch"], "unknown-option"),
        (["config", "get"], "missing-argument"),
        (["schema", "a", "b"], "usage"),
        (["init", "--template"], "bad-value"),
        (["-C"], "missing-value"),
    ],
)
def test_a_wrong_command_line_is_one_json_document_too(mlops, assert_valid, words, code):
    result = mlops("--json", *words, code=2)
    assert result.stderr == ""
    assert_valid(result.json)
    assert result.error["code"] == code
    assert result.error["exit_code"] == 2
    assert result.error["hint"]


def test_global_options_stand_anywhere_before_the_two_dashes(mlops, repo):
    for words in (
        ["--json", "-C", str(repo), "config", "list"],
        ["config", "--json", "list", "-C", str(repo)],
        ["config", "list", "-C", str(repo), "--json", "--no-color", "--no-progress", "-q"],
    ):
        assert mlops(*words, cwd=Path("/"), code=0).json["schema"] == "mlops.config-list/1"
    after = mlops("config", "get", "--", "--json", code=20)
    assert "there is no setting '--json'" in after.stderr


def test_a_folder_that_is_not_there_is_named(mlops):
    result = mlops("-C", "nowhere", "config", "list", code=20)
    assert "cannot enter nowhere: No such file or directory [no-such-folder]" in result.stderr


def test_quiet_prints_nothing_but_errors(mlops):
    result = mlops("-q", "config", "list", code=0)
    assert (result.stdout, result.stderr) == ("", "")
    assert "error: there is no setting" in mlops("-q", "config", "get", "x", code=20).stderr


def test_warnings_stand_on_stderr_for_people_and_in_the_document_for_programs(mlops, repo):
    stronger = {"MLOPS_CACHE_LINK": "copy"}
    result = mlops("config", "set", "cache.link", "symlink", env=stronger, code=0)
    told = "cache.link stays copy: MLOPS_CACHE_LINK is stronger."
    assert result.stderr == f"warning: {told}\n"
    result = mlops("config", "set", "cache.link", "symlink", "--json", env=stronger, code=0)
    assert result.json["warnings"] == [told]
    assert result.stderr == ""


def test_our_own_bug_writes_a_crash_file_and_no_traceback(mlops, repo, assert_valid):
    (repo / ".mlops").mkdir()
    (repo / ".mlops" / "config.yaml").mkdir()  # nobody expects a folder here
    result = mlops("config", "list", code=70)
    assert "this is our bug: IsADirectoryError" in result.stderr
    assert "Traceback" not in result.stderr
    (crash,) = (repo / ".mlops" / "crash").iterdir()
    assert str(crash) in result.stderr
    written = crash.read_text()
    assert "Traceback" in written
    assert "mlops 0." in written
    assert "command: mlops config list" in written
    document = mlops("config", "list", "--json", code=70).json
    assert_valid(document)
    assert document["error"]["code"] == "internal-error"


def test_what_the_disk_refuses_is_the_outside_world_and_no_bug_of_ours(mlops, repo, tmp_path):
    from mlops_cli.cli.failure import translate

    for number, code in ((13, "no-permission"), (28, "disk-full"), (30, "read-only-disk")):
        error = translate(OSError(number, "said so", "/data/x"), ["add", "x"])
        assert (error.code, error.exit_code) == (code, 50)
        assert error.message == "said so: /data/x"


def test_a_missing_package_is_answered_with_the_extra_that_brings_it():
    from mlops_cli.cli.failure import translate

    error = translate(ModuleNotFoundError("No module named 'torch'", name="torch.nn"), ["train"])
    assert (error.code, error.exit_code) == ("missing-extra", 80)
    assert error.hint == "pip install 'mlops-cli[torch]'"


def test_outside_of_a_project_the_crash_file_goes_to_the_folder_for_temporary_files(
    mlops_process, tmp_path, environment
):
    folder = tmp_path / "tmp"
    settings = tmp_path / "home" / "mlops" / "config.yaml"
    folder.mkdir()
    settings.mkdir(parents=True)
    outside = {"TMPDIR": str(folder), "XDG_CONFIG_HOME": str(tmp_path / "home")}
    result = mlops_process("config", "list", cwd=tmp_path, env=outside, code=70)
    (crash,) = (folder / "mlops-crash").iterdir()
    assert str(crash) in result.stderr


def test_a_reader_that_goes_away_ends_the_command_with_141(console_script, environment):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [console_script, "schema", "--list"],
        stdout=writer,
        stderr=subprocess.PIPE,
        env=environment,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 141
    assert done.stderr == b""


def test_control_c_ends_the_command_with_130(console_script, environment, tmp_path):
    fifo = tmp_path / "mlops" / "config.yaml"  # a settings file that never ends
    fifo.parent.mkdir()
    os.mkfifo(fifo)
    process = subprocess.Popen(
        [console_script, "config", "list", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environment, "XDG_CONFIG_HOME": str(tmp_path)},
        cwd=tmp_path,
        text=True,
    )
    with fifo.open("w"):  # returns when the command has begun to read
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert json.loads(stdout)["error"]["code"] == "interrupted"
    assert "Traceback" not in stderr


def test_the_time_can_be_fixed_and_must_be_a_time():
    import subprocess as processes
    import sys

    program = (
        "from mlops_cli.cli.context import Context; from mlops_cli.cli.options import Options;"
        "print(Context(Options(), None, None).now().isoformat())"
    )
    for fixed, shown in (
        ("2013-02-01T00:00:00Z", "2013-02-01T00:00:00+00:00"),
        ("2013-02-01T02:00:00+02:00", "2013-02-01T00:00:00+00:00"),
        ("2013-02-01", "2013-02-01T00:00:00+00:00"),
    ):
        done = processes.run(
            [sys.executable, "-c", program],
            env={**os.environ, "MLOPS_NOW": fixed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == shown


def test_completion_lists_commands_with_summaries_and_options_of_every_command(mlops_process):
    def typed(line: str) -> list[str]:
        words = line.split(" ")
        asked = {
            "_MLOPS_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
        }
        return mlops_process(env=asked).stdout.split()

    assert typed("mlops ru") == ["run", "runs"]
    assert typed("mlops -q schem") == ["schema"]
    assert {"--list", "--json", "--quiet", "--help"} <= set(typed("mlops schema --"))
    assert typed("mlops config s") == ["set"]
    zsh = {"_MLOPS_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "mlops sta"}
    assert "Say what is stale" in mlops_process(env=zsh).stdout


def test_completion_can_be_shown_and_installed(mlops_process, home):
    assert "_MLOPS_COMPLETE" in mlops_process("--show-completion", "bash", code=0).stdout
    mlops_process("--install-completion", "bash", code=0)
    assert "mlops" in (home / ".bashrc").read_text()


def test_a_file_name_that_is_not_text_breaks_no_output(console_script, environment, tmp_path):
    odd = os.fsencode(tmp_path) + b"/na\xefve"
    done = subprocess.run(
        [console_script.encode(), b"init", odd, b"--dry-run", b"--json"],
        env=environment,
        capture_output=True,
        check=False,
    )
    document = json.loads(done.stdout)
    named = document["data"]["root"]
    assert os.fsencode(named) == odd


def test_a_name_longer_than_any_file_can_have_is_no_bug_of_ours(mlops, repo):
    for words in (("lineage",), ("verify",), ("models", "show"), ("add",)):
        refused = mlops(*words, "a" * 5000, "--json")
        assert refused.code in (2, 20), (words, refused)
        assert len(refused.error["message"]) < 6000
