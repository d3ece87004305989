"""Files that went and came back elsewhere."""

from __future__ import annotations

from mlops_cli.store.digest import Digest
from mlops_cli.workspace.compare import DataChange, FileChange, Side
from mlops_cli.workspace.renames import FolderMove, folder_moves, narrowed, pair


def side(text: str) -> Side:
    return Side(Digest.of(text.encode()), len(text))


def gone(path: str, text: str) -> FileChange:
    return FileChange(path, "deleted", side(text), None)


def come(path: str, text: str) -> FileChange:
    return FileChange(path, "added", None, side(text))


def changed(*files: FileChange) -> list[DataChange]:
    return [DataChange("d", "modified", side("1"), side("2"), files)]


def told(changes: list[DataChange]) -> dict[str, tuple[str, str | None]]:
    return {file.path: (file.kind, file.former) for one in changes for file in one.files or ()}


def test_the_same_bytes_elsewhere_are_a_rename_of_the_same_name_first() -> None:
    found = pair(changed(gone("d/a", "x"), gone("d/b", "x"), come("d/z", "x"), come("d/e/b", "x")))

    assert told(found) == {"d/e/b": ("renamed", "d/b"), "d/z": ("renamed", "d/a")}


def test_a_copy_is_added_and_empty_files_say_nothing() -> None:
    found = pair(changed(gone("d/a", "x"), come("d/b", "x"), come("d/c", "x"), gone("d/e", "")))

    assert told(found) == {
        "d/b": ("renamed", "d/a"),
        "d/c": ("added", None),
        "d/e": ("deleted", None),
    }


def test_a_file_that_was_edited_is_found_where_its_folder_moved() -> None:
    files = [gone(f"d/one/{n}", str(n)) for n in range(4)]
    files += [come(f"d/two/{n}", str(n) if n else "edited") for n in range(4)]
    files.append(gone("d/one/left", "left"))

    found = pair(changed(*files))

    assert told(found)["d/two/0"] == ("renamed", "d/one/0")
    assert folder_moves(found[0].files or ()) == [FolderMove("d/one/", "d/two/", 4, 1, 5)]


def test_what_is_tracked_by_itself_now_did_not_move() -> None:
    whole = DataChange("d", "deleted", side("t"), None, (gone("d/a", "x"),))
    alone = DataChange("d/a", "added", None, side("x"), (come("d/a", "x"),))

    assert pair([whole, alone]) == [whole, alone]


def test_files_move_between_tracked_folders() -> None:
    one = DataChange("c", "deleted", side("t"), None, (gone("c/a", "x"),))
    two = DataChange("d", "modified", side("1"), side("2"), (come("d/a", "x"),))

    (change,) = pair([one, two])

    assert told([change]) == {"d/a": ("renamed", "c/a")}


def test_a_path_narrows_by_where_a_file_is_and_was() -> None:
    found = pair(changed(gone("d/a/x", "x"), come("d/b/x", "x"), come("d/b/y", "y")))

    assert list(told(narrowed(found, ["d/a"]))) == ["d/b/x"]
    assert narrowed(found, ["d/c"]) == []
    assert narrowed(found, ["d"]) == narrowed(found, []) == found
